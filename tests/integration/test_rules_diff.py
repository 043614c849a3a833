"""A run is repeated from its journal, so that rules about the market are heard on decisions of the past."""

from pathlib import Path

import numpy as np
import pytest

from seakeep.app import runs
from seakeep.app.gate.rulerecords import from_run
from seakeep.core.market import BarFrame
from seakeep.ledger.journal import Ledger
from seakeep.risk.rules.replay import Recorded
from seakeep.risk.rules.vocabulary import PORTFOLIO, Value
from tests.integration.desk import market, settings, stock


def slot(recorded: Recorded, template: str, name: str) -> Value:
    place = [s.name for s in PORTFOLIO.templates[template].slots].index(name)
    return next(values[place] for kind, values in recorded.rows if kind == template)


def day_before(bars: BarFrame, ts: int) -> float:
    """Quote volume of the 24 bars known at `ts`."""
    rows = slice(int((bars.known_at <= ts).sum()) - 24, int((bars.known_at <= ts).sum()))
    return float(np.sum(bars.volume[rows] * bars.close[rows]))


def test_the_facts_of_a_run_hold_the_market_of_each_decision_and_go_without_it_where_bars_are_gone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = market(days=30)
    store = stock(tmp_path, made.frames.values(), made)
    name = runs.dry_run(settings(), tmp_path).run_id
    with Ledger.open(tmp_path / "ledger.db", readonly=True) as ledger:
        whole = from_run(ledger, name, tmp_path)
        assert len(whole) >= 4
        for recorded in whole:
            bars = made.frames[str(slot(recorded, "candidate", "symbol"))]
            assert slot(recorded, "market", "volume-24h") == pytest.approx(day_before(bars, recorded.ts))
            assert slot(recorded, "candidate", "n") == slot(recorded, "market", "n") == 0
            assert sum(kind == "candidate" for kind, _ in recorded.rows) == 1
        assert "cannot be repeated" not in capsys.readouterr().err
        store.root.rename(tmp_path / "elsewhere")
        bare = from_run(ledger, name, tmp_path)
    assert "cannot be repeated" in capsys.readouterr().err
    assert [r.id for r in bare] == [r.id for r in whole]
    assert {kind for r in bare for kind, _ in r.rows} <= {"account", "candidate", "position"}
