"""A person's word reaches a run: in order, once, also over a kill, and a replay repeats it bit by bit."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from seakeep.app import runs
from seakeep.app.gate import controls
from seakeep.app.gate.controls import Order
from seakeep.app.settings import Settings, load
from seakeep.core.errors import ConfigError
from seakeep.core.events import Control, Slice
from seakeep.ledger import inbox, queries
from seakeep.ledger.inbox import Sender
from seakeep.ledger.journal import Ledger
from tests.integration.desk import half, market, settings, stock

ROOT = Path(__file__).parents[2]
DAYS = 60


@pytest.fixture
def chosen(tmp_path: Path) -> Settings:
    made = market(days=DAYS)
    stock(tmp_path, [half(frame) for frame in made.frames.values()], made)
    return settings()


def say(home: Path, run_id: str, action: str, key: str = "k", **more: Any) -> None:
    with Ledger.open(home / "ledger.db") as ledger:
        sender = Sender("ana", f"{key}-{action}", 1)
        control = controls.order(Order(action=action, reason="because", **more), sender)
        controls.ask(ledger, run_id, control, sender)


def later(home: Path) -> None:
    """The other half of the bars arrives."""
    made = market(days=DAYS)
    stock(home, made.frames.values())


def entries(home: Path, run_id: str) -> list[Any]:
    with Ledger.open(home / "ledger.db", readonly=True) as ledger:
        return list(ledger.entries(run_id))


def test_a_pause_ends_decisions_and_a_resume_lets_them_come_again(tmp_path: Path, chosen: Settings) -> None:
    name = runs.dry_run(chosen, tmp_path).run_id
    before = entries(tmp_path, name)
    say(tmp_path, name, "pause")
    later(tmp_path)
    runs.dry_run(chosen, tmp_path)
    after = entries(tmp_path, name)
    assert after[: len(before)] == before
    assert [e.action for _, e, _ in after if isinstance(e, Control)] == ["pause"]
    assert isinstance(after[len(before)][1], Control)
    with Ledger.open(tmp_path / "ledger.db", readonly=True) as ledger:
        late = queries.Span(start=before[-1][1].ts + 1)
        assert queries.decisions(ledger, name, late) == ()
        assert queries.decisions(ledger, name) != ()
        assert controls.standing(ledger, name).paused
        assert ledger.verify(name).ok


def test_flatten_closes_everything_and_the_standing_says_so(tmp_path: Path, chosen: Settings) -> None:
    name = runs.dry_run(chosen, tmp_path).run_id
    say(tmp_path, name, "flatten")
    with Ledger.open(tmp_path / "ledger.db", readonly=True) as ledger:
        assert [posted.control.action for posted in controls.standing(ledger, name).waiting] == ["flatten"]
    later(tmp_path)
    runs.dry_run(chosen, tmp_path)
    with Ledger.open(tmp_path / "ledger.db", readonly=True) as ledger:
        found = controls.standing(ledger, name)
        assert [p.symbol for p in queries.positions(ledger, name) if p.qty] == []
    assert (found.breaker, found.controls, found.waiting) == ("HALTED", 1, ())


def test_a_tighter_limit_holds_from_its_entry_on(tmp_path: Path, chosen: Settings) -> None:
    name = runs.dry_run(chosen, tmp_path).run_id
    say(tmp_path, name, "set-limits", changes={"max_weight": 0.01})
    later(tmp_path)
    runs.dry_run(chosen, tmp_path)
    with Ledger.open(tmp_path / "ledger.db", readonly=True) as ledger:
        (taken, _), *_ = inbox.journaled(ledger.engine, name)
        boundary = next(e.ts for seq, e, _ in ledger.entries(name, taken) if isinstance(e, Slice))
        later_on = [v for v in queries.verdicts(ledger, name, queries.Span(start=boundary)) if v.allowed]
        assert max((abs(v.target) for v in later_on), default=0.0) <= 0.01
        assert max(abs(v.target) for v in queries.verdicts(ledger, name)) > 0.01
        assert controls.limits_of(ledger, name, chosen).limits.max_weight == 0.01


def test_a_looser_limit_waits_and_what_cannot_be_is_refused_at_the_door(tmp_path: Path, chosen: Settings) -> None:
    name = runs.dry_run(chosen, tmp_path).run_id
    say(tmp_path, name, "set-limits", changes={"max_weight": 0.5})
    with Ledger.open(tmp_path / "ledger.db", readonly=True) as ledger:
        (posted,) = inbox.posted(ledger.engine, name)
    with pytest.raises(ConfigError, match="can be confirmed from"):
        say(tmp_path, name, "confirm-limits", id=posted.control.id)
    with pytest.raises(ConfigError, match="no limit would change"):
        say(tmp_path, name, "set-limits", "k2", changes={"max_weight": 0.1})
    later(tmp_path)
    runs.dry_run(chosen, tmp_path)
    with Ledger.open(tmp_path / "ledger.db", readonly=True) as ledger:
        found = controls.limits_of(ledger, name, chosen)
    assert (found.limits.max_weight, [p.id for p in found.waiting]) == (chosen.risk.limits.max_weight, [])


def trading(home: Path, speed: str) -> "subprocess.Popen[str]":
    words = [sys.executable, "-m", "seakeep.app.cli", "trade", "--userdir", str(home), "--speed", speed, "--json"]
    return subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def until(home: Path, least: int) -> str:
    """Wait for a run with that many entries; its name."""
    for _ in range(3_000):
        if (home / "ledger.db").exists():
            with Ledger.open(home / "ledger.db") as ledger:
                grown = [run.run_id for run in ledger.runs() if run.head_seq >= least]
            if grown:
                return grown[0]
        time.sleep(0.02)
    pytest.fail("it does not trade")


def test_a_word_to_a_real_process_survives_its_death_and_is_repeated_bit_by_bit(tmp_path: Path) -> None:
    made = market(days=40)
    stock(tmp_path, made.frames.values(), made)
    first = trading(tmp_path, "360000")
    name = until(tmp_path, 20)
    say(tmp_path, name, "pause")
    for _ in range(500):
        with Ledger.open(tmp_path / "ledger.db", readonly=True) as ledger:
            if inbox.journaled(ledger.engine, name):
                break
        time.sleep(0.01)
    say(tmp_path, name, "resume")
    os.kill(first.pid, signal.SIGKILL)
    first.communicate()
    kept = entries(tmp_path, name)
    second = trading(tmp_path, "max")
    out, err = second.communicate(timeout=60)
    assert second.returncode == 0, err
    assert json.loads(out)["run_id"] == name
    whole = entries(tmp_path, name)
    assert whole[: len(kept)] == kept
    assert [e.action for _, e, _ in whole if isinstance(e, Control)] == ["pause", "resume"]
    runs.dry_run(load(None, {}, {}).settings, tmp_path)
    assert entries(tmp_path, name) == whole
