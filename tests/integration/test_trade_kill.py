"""kill -9 while trading, at 50 seeded moments: nothing is lost, nothing is doubled, and the run ends as if let be."""

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from seakeep.app.runs import run_backtest
from seakeep.app.settings import config_path, load
from seakeep.backtest.result import digest
from seakeep.core.errors import LedgerError
from seakeep.ledger.journal import Ledger
from tests.integration.desk import market, stock

ROOT = Path(__file__).parents[2]
CHAINS = [(16, 7), pytest.param(34, 8, marks=pytest.mark.slow)]
"""Kills and seed of each chain of runs: 50 moments in all."""
TRADE = (sys.executable, "-m", "seakeep.app.cli", "trade", "--dry-run")
CONFIG = """
[run]
interval = "15m"
train = "10d"
[experts.ma]
[experts.rsi]
[experts.volatility]
[strategy]
long = 0.3
short = -0.3
exit = 0.1
min_confidence = 0.2
cost_gate = {mode = "off"}
params = {fast = 10, slow = 30, unit = 30, full = 1.0}
"""


@pytest.fixture(scope="module")
def stocked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user folder in which nobody has traded."""
    made, folder = market(days=30, interval="15m"), tmp_path_factory.mktemp("stocked")
    stock(folder, made.frames.values(), made)
    (folder / "config.toml").write_text(CONFIG, encoding="utf-8")
    return folder


@pytest.fixture
def home(stocked: Path, tmp_path: Path) -> Path:
    shutil.copytree(stocked, tmp_path, dirs_exist_ok=True)
    return tmp_path


@contextmanager
def trading(home: Path) -> Iterator["subprocess.Popen[str]"]:
    """A real process that trades slowly, once it has begun to write."""
    command = [*TRADE, "--userdir", str(home), "--speed", "900000"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            while process.poll() is None and not entries(home):
                time.sleep(0.01)
            assert process.poll() is None, "it ended before it could be stopped"
            yield process
        finally:
            process.kill()


def entries(home: Path) -> int:
    """Durable entries of the ledger; none while it is being made."""
    try:
        with Ledger.open(home / "ledger.db", readonly=True) as ledger:
            return sum(run.head_seq for run in ledger.runs())
    except LedgerError:
        return 0


def trade(home: Path) -> "subprocess.CompletedProcess[str]":
    command = [*TRADE, "--userdir", str(home), "--json"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture(scope="module")
def undisturbed(stocked: Path) -> str:
    """Digest of the fills of the run that nobody stops."""
    return digest(run_backtest(load(config_path(stocked, None), {}, {}).settings, stocked).fills)


@pytest.mark.timeout(400)
@pytest.mark.parametrize(("kills", "seed"), CHAINS)
def test_a_run_killed_again_and_again_ends_as_the_one_that_was_let_be(home: Path, kills: int, seed: int) -> None:
    command = [sys.executable, "-m", "tests.integration.trade_killer", str(home), str(kills), str(seed)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=390)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    killed = [line for line in lines if "killed" in line]
    assert [line["killed"] for line in killed] == list(range(1, kills + 1))
    assert len({line["entries"] for line in killed}) >= kills // 2, "the kills all fell on the same moments"
    assert all(line["trades"] > 50 for line in lines if "trades" in line)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda how: how.name)
def test_a_real_process_that_is_stopped_is_taken_up_again(home: Path, undisturbed: str, how: signal.Signals) -> None:
    with trading(home) as process:
        process.send_signal(how)
        _, said = process.communicate(timeout=30)
    assert process.returncode not in (0, None)
    assert "Traceback" not in said
    before = entries(home)
    done = trade(home)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["digest"] == undisturbed
    assert entries(home) > before > 0


def test_two_processes_cannot_trade_into_one_ledger(home: Path) -> None:
    with trading(home) as first:
        second = trade(home)
    assert second.returncode == 8
    assert second.stderr.splitlines() == [line for line in second.stderr.splitlines() if line.startswith("error: ")]
    assert f"process {first.pid} is already writing" in second.stderr
