"""Kills `seakeep trade` at seeded moments and holds what is left to a run that was let be.

    python -m tests.integration.trade_killer FOLDER KILLS SEED

Children are forks of this process, which has loaded everything, so that a kill costs no start. Most die just after they
have added to the ledger, the others whenever it happens: while they load, repeat what is kept, trade or report. A
child that ends before its kill has finished its run; the next run, of another seed, goes into the same ledger.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

from seakeep.app.cli import main
from seakeep.app.runs import dry_run
from seakeep.app.settings import config_path, load
from seakeep.backtest.result import digest
from seakeep.core.errors import LedgerError
from seakeep.ledger.journal import Ledger

AFTER_WRITE = 0.7
"""Share of the kills that wait for a new entry."""
PAUSE_S = {True: 0.01, False: 0.5}
"""The longest pause before a kill: after a new entry, or after the start."""
PATIENCE_S = 60.0


class Undisturbed:
    """What a run looks like that nobody kills: its entries and the digest of its fills."""

    def __init__(self, home: Path, seed: int) -> None:
        loaded = load(config_path(home, None), {}, {"run.seed": seed, "data.store": str(home / "data")})
        apart = home / "undisturbed"
        apart.mkdir(exist_ok=True)
        result = dry_run(loaded.settings, apart)
        self.run_id, self.digest, self.trades = result.run_id, digest(result.fills), len(result.fills)
        self.entries = kept(apart, self.run_id)


def start(home: Path, seed: int) -> int:
    """A child that trades; what it prints goes to files."""
    pid = os.fork()
    if pid:
        return pid
    for descriptor, name in ((1, "out.json"), (2, "err.txt")):
        os.dup2(os.open(home / name, os.O_CREAT | os.O_TRUNC | os.O_WRONLY), descriptor)
    os.environ |= {"SEAKEEP__RUN__SEED": str(seed), "SEAKEEP__DATA__STORE": str(home / "data")}
    sys.argv = ["seakeep", "trade", "--dry-run", "--userdir", str(home), "--json"]
    try:
        main()
    except SystemExit as end:
        os._exit(int(end.code or 0))
    os._exit(0)


def kept(home: Path, run_id: str) -> list[object]:
    """The durable entries of a run; none before it has begun."""
    with Ledger.open(home / "ledger.db", readonly=True) as ledger:
        begun = run_id in {run.run_id for run in ledger.runs()}
        return list(ledger.entries(run_id)) if begun else []


def size(home: Path) -> tuple[int, int]:
    """Which run is written, and how many of its entries are durable."""
    try:
        with Ledger.open(home / "ledger.db", readonly=True) as ledger:
            runs = ledger.runs()
            return len(runs), runs[-1].head_seq if runs else 0
    except LedgerError:
        return 0, 0


def ended(pid: int) -> bool:
    """Whether a child has ended, and waits to be asked how."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def kill(pid: int, home: Path, rng: np.random.Generator) -> int:
    """Kill a child at a moment of its life; how it ended, which may have been before."""
    after_write = bool(rng.random() < AFTER_WRITE)
    before, deadline = size(home), time.monotonic() + PATIENCE_S
    while after_write and not ended(pid) and size(home) <= before:
        assert time.monotonic() < deadline, "the child writes nothing"
    time.sleep(rng.uniform(0, PAUSE_S[after_write]))
    if not ended(pid):
        os.kill(pid, signal.SIGKILL)
    return outcome(pid)


def outcome(pid: int) -> int:
    """How a child ended: its exit code, or minus the signal."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def check(home: Path, undisturbed: Undisturbed, least: int) -> int:
    """Hold the ledger to the undisturbed run; how many entries are durable, which is never less than before."""
    entries = kept(home, undisturbed.run_id)
    assert entries == undisturbed.entries[: len(entries)], "the journal is not a beginning of the undisturbed run"
    assert len(entries) >= least, "entries were lost"
    return len(entries)


def finish(home: Path, undisturbed: Undisturbed) -> None:
    """A run that has ended is the undisturbed one, its ledger holds, and its report is there."""
    answer = json.loads((home / "out.json").read_bytes())
    assert answer["digest"] == undisturbed.digest
    assert kept(home, undisturbed.run_id) == undisturbed.entries
    with Ledger.open(home / "ledger.db", readonly=True) as ledger:
        assert ledger.verify(undisturbed.run_id).ok
    assert Path(answer["report"]).read_text("utf-8").rstrip().endswith("</html>")


def tell(what: dict[str, int]) -> None:
    """One line on stdout."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def hunt(home: Path, kills: int, rng: np.random.Generator) -> None:
    """Kill and restart until that many have died, then let the last one finish; a line of JSON for each child."""
    dead, seed, least, undisturbed = 0, 1, 0, Undisturbed(home, 1)
    while True:
        pid = start(home, seed)
        status = kill(pid, home, rng) if dead < kills else outcome(pid)
        if status == -signal.SIGKILL:
            dead, least = dead + 1, check(home, undisturbed, least)
            tell({"run": seed, "killed": dead, "entries": least})
            continue
        assert status == 0, (home / "err.txt").read_text("utf-8")
        finish(home, undisturbed)
        tell({"run": seed, "trades": undisturbed.trades, "entries": least})
        if dead == kills:
            return
        seed, least, undisturbed = seed + 1, 0, Undisturbed(home, seed + 1)


if __name__ == "__main__":
    hunt(Path(sys.argv[1]), int(sys.argv[2]), np.random.default_rng(int(sys.argv[3])))
