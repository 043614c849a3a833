"""kill -9 at seeded points: what was committed before a send is there, nothing is doubled, the chain holds."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from seakeep.ledger.journal import Ledger
from tests.unit.ledger.story import story

ROOT = Path(__file__).parents[2]
KILLS = {"sqlite": 25, "postgresql": 8}


def _start(location: str, sent: Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "tests.unit.ledger.kill_writer", location, str(sent)]
    return subprocess.Popen(command, cwd=ROOT)


def _kill_after_sends(process: "subprocess.Popen[bytes]", sent: Path, size: int, delay_s: float) -> None:
    """Kill once something new was sent, a seeded moment later, whatever it is doing then."""
    while process.poll() is None and (not sent.exists() or sent.stat().st_size <= size):
        time.sleep(0.001)
    time.sleep(delay_s)
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.mark.timeout(300)
def test_nothing_sent_is_lost_and_nothing_doubled_over_many_kills(location: str, tmp_path: Path) -> None:
    rng, sent = random.Random(25), tmp_path / "sent"
    expected, reached = story(3000), []
    for _ in range(KILLS["postgresql" if "@" in location else "sqlite"]):
        size = sent.stat().st_size if sent.exists() else 0
        _kill_after_sends(_start(location, sent), sent, size, rng.uniform(0, 0.03))
        with Ledger.open(location, readonly=True) as ledger:
            kept = list(ledger.entries("r"))
            assert [(event, records) for _, event, records in kept] == expected[: len(kept)]
            assert len(kept) >= max(int(line) for line in sent.read_bytes().split())
            assert ledger.verify("r").ok
            reached.append(len(kept))
    assert reached == sorted(set(reached))
    lines = sent.read_bytes().split()
    assert len(lines) == len(set(lines))
