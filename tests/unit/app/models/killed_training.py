"""Trains in a child that kills itself the moment it touches the registry for the n-th time; then trains again.

Prints, as JSON, what the registry holds after the second training, for each of `count` moments spread over a training.
"""

import json
import os
import shutil
import signal
import sys
from pathlib import Path

import numpy as np

from seakeep.app.models.trainer import asked_experts, model_store, plan, train
from seakeep.app.sections import Settings
from seakeep.core.errors import SeakeepError

EXPERTS = ("ma", "rsi", "volatility")


def trained(userdir: Path) -> None:
    settings = Settings.model_validate({"run": {"symbols": ("BTC/USDT",), "interval": "1h"}})
    train(plan(settings, userdir, asked_experts(settings, EXPERTS)), userdir, 1_700_000_000_000)


def touching(userdir: Path, kill_at: int) -> int:
    """Times a child's training touches the folder of models; the child dies at the one asked for."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        folder, touched = str(userdir / "models"), 0

        def hook(event: str, args: tuple[object, ...]) -> None:
            nonlocal touched
            if event in ("open", "os.rename", "os.remove", "sqlite3.connect") and str(args[0]).startswith(folder):
                touched += 1
                if touched == kill_at:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)
        trained(userdir)
        os.write(writing, str(touched).encode())
        os._exit(0)
    os.close(writing)
    _, status = os.waitpid(child, 0)
    with os.fdopen(reading) as stream:
        text = stream.read()
    if kill_at and not os.WIFSIGNALED(status):
        raise SeakeepError("the child lived", value=kill_at)
    return int(text or 0)


def held(userdir: Path) -> list[list[str]]:
    store = model_store(userdir)
    versions = store.versions()
    return [[v.id, v.stage, v.artefact, type(store.load(v).expert).__name__] for v in versions]


def main(userdir: Path, count: int) -> None:
    trained(userdir)
    found = [held(userdir)]
    shutil.rmtree(userdir / "models")
    total = touching(userdir, 0)
    for point in np.unique(np.linspace(1, total, count).round().astype(int)).tolist():
        shutil.rmtree(userdir / "models")
        touching(userdir, point)
        trained(userdir)
        found.append(held(userdir))
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
