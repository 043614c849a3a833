"""kill -9 at seeded points: what was committed before a send is there, nothing is doubled, the chain holds."""

import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from seakeep.ledger.journal import Ledger
from tests.unit.ledger.story import story

ROOT = Path(__file__).parents[2]
KILLS = {"sqlite": 25, "postgresql": 8}


@contextmanager
def writer(location: str, sent: Path) -> Iterator[tuple[IO[str], IO[str]]]:
    """The writer's stdin and stdout: a delay into it kills its next child, whose end comes out."""
    command, pipe = [sys.executable, "-m", "tests.unit.ledger.kill_writer", location, str(sent)], subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin
        assert process.stdout
        yield process.stdin, process.stdout


@pytest.mark.timeout(300)
def test_nothing_sent_is_lost_and_nothing_doubled_over_many_kills(location: str, tmp_path: Path) -> None:
    rng, sent = random.Random(25), tmp_path / "sent"
    expected, reached = story(3000), []
    with writer(location, sent) as (orders, deaths):
        for _ in range(KILLS["postgresql" if "@" in location else "sqlite"]):
            orders.write(f"{rng.uniform(0, 0.03)}\n")
            orders.flush()
            assert int(deaths.readline()) == -signal.SIGKILL
            with Ledger.open(location, readonly=True) as ledger:
                kept = list(ledger.entries("r"))
                assert [(event, records) for _, event, records in kept] == expected[: len(kept)]
                assert len(kept) >= max(int(line) for line in sent.read_bytes().split())
                assert ledger.verify("r").ok
                reached.append(len(kept))
    assert reached == sorted(set(reached))
    lines = sent.read_bytes().split()
    assert len(lines) == len(set(lines))
