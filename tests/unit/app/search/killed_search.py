"""Searches in batches of four, and kills itself as soon as so many candidates were told of; without a number it ends.

python killed_search.py USERDIR METHOD [KILL_AT]
"""

import os
import signal
import sys
from pathlib import Path

from seakeep.app.search import candidates, searching
from seakeep.app.search.optimizer import Asked
from seakeep.app.search.studystore import open_study
from seakeep.app.settings import load
from seakeep.backtest.search.space import Space


def main(userdir: Path, method: str, kill_at: int) -> None:
    candidates._MOST = searching._COMMIT = 4
    options = {"run.symbols": "BTC/USDT", "run.interval": "4h", "strategy.name": "trend", "strategy.params.unit": 10}
    space = {"fast": tuple(range(4, 14)), "slow": (20, 30, 40)}
    asked = Asked(space=space, method=method, trials=26, study="s", prune=True)  # type: ignore[arg-type]
    search = searching.Searching(load(None, {}, options).settings, userdir, asked, Space.of(space))
    told = 0

    def seen(count: int) -> None:
        nonlocal told
        told += count
        if 0 < kill_at <= told:
            os.kill(os.getpid(), signal.SIGKILL)

    search.estimate()
    with open_study(userdir / "studies", "s") as store:
        store.agree(search.about)
        search.run(store, seen)
    sys.stdout.write(f"{search.resumed}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int((sys.argv[3:] or ["0"])[0]))
