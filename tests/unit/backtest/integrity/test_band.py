"""The band orders what fills may give, and counts the exits whose order a bar hides."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from seakeep.app.integrity import open_case
from seakeep.backtest.integrity.band import ASSUMED, Band, Edge, band, check, unknowable
from seakeep.backtest.integrity.variation import Variation
from seakeep.core.market import BarFrame
from tests.unit.backtest.courtroom import stored
from tests.unit.backtest.factory import START, make

HOUR = 3_600_000


def bars(rows: list[tuple[float, float, float, float]]) -> BarFrame:
    """Hours with these prices and much volume."""
    table = np.array(rows)
    stamps = START + HOUR * np.arange(len(rows))
    return BarFrame("BTC/USDT", "1h", stamps, *(np.ascontiguousarray(c) for c in table.T), np.full(len(rows), 1e6))


def climbing(last: list[tuple[float, float, float, float]]) -> BarFrame:
    """Twelve calm rises, on which the honest strategy buys, then what comes."""
    rise = [(100 + i, 101 + i, 100 + i, 101 + i) for i in range(12)]
    return bars([*[(float(a), float(b), float(c), float(d)) for a, b, c, d in rise], *last])


def case(userdir: Path, last: list[tuple[float, float, float, float]], **stops: object):  # type: ignore[no-untyped-def]
    options = {"risk__stops__stop_loss": 0.05, "risk__stops__take_profit": 0.05, **stops}
    return open_case(stored(userdir, "court_honest", climbing(last), **options), userdir)


WIDE = (113.0, 130.0, 95.0, 113.0)
CALM = (113.0, 113.5, 112.5, 113.0)


def test_a_bar_that_touches_stop_and_target_is_unknowable(tmp_path: Path) -> None:
    held = case(tmp_path, [CALM, WIDE, CALM])
    assert unknowable(held.result) == (1, 1)
    found = band(held.result, held.rerun)
    assert found.worst.final_equity < found.expected.final_equity <= found.best.final_equity
    assert found.lower is found.worst
    # What was bought leaves at the stop, 5 % below the decision, or at the target, 5 % above it.
    reach, bought = found.best.final_equity - found.worst.final_equity, held.result.fills[0]
    assert reach == pytest.approx(float(bought.price * bought.qty) * 0.10, rel=0.05)
    assert found.unknowable_share > 1
    assert "more than all of profit" in check(held.result, found).reason
    assert check(held.result, found).status == "warn"


@pytest.mark.parametrize("gap", [(90.0, 130.0, 89.0, 113.0), (125.0, 130.0, 95.0, 113.0)])
def test_an_open_beyond_the_stop_or_the_target_is_no_riddle(tmp_path: Path, gap: tuple[float, ...]) -> None:
    assert unknowable(case(tmp_path, [CALM, gap, CALM]).result) == (1, 0)  # type: ignore[list-item]


def test_a_bar_that_only_touches_the_target_does_not_fill_it(tmp_path: Path) -> None:
    held = case(tmp_path, [CALM, WIDE, CALM])
    target = next(o.price for o in held.result.orders if o.price is not None)
    touching = (113.0, float(target), 95.0, 113.0)
    assert unknowable(case(tmp_path / "b", [CALM, touching, CALM]).result) == (1, 0)


def test_a_trailing_stop_is_where_the_bars_have_taken_it(tmp_path: Path) -> None:
    up = (113.0, 115.0, 112.9, 114.9)
    above, below = ((114.0, 130.0, low, 113.0) for low in (109.3, 109.2))
    options = {"risk__stops__trailing": 0.05}
    assert unknowable(case(tmp_path / "a", [CALM, up, above, CALM], **options).result) == (1, 0), (
        "115 less 5 % is 109.25"
    )
    assert unknowable(case(tmp_path / "b", [CALM, up, below, CALM], **options).result) == (1, 1)


def test_without_stops_only_costs_move_the_band(tmp_path: Path) -> None:
    held = case(tmp_path, [CALM, WIDE, CALM], risk__stops__stop_loss=0.0, risk__stops__take_profit=0.0)
    asked: list[Variation] = []

    def rerun(variation: Variation):  # type: ignore[no-untyped-def]
        asked.append(variation)
        return held.rerun(variation)

    found = band(held.result, rerun)
    assert asked == list(ASSUMED.values())
    assert (found.exits, found.unknowable_exits, found.unknowable_share) == (0, 0, 0.0)
    assert found.worst.final_equity <= found.expected.final_equity <= found.best.final_equity


def edge(name: str, growth: float) -> Edge:
    return Edge(name, 10_000 * (1 + growth), growth, 0.1, 9)


@pytest.mark.parametrize(
    ("worst", "expected", "share", "status"),
    [(0.01, 0.02, 0.0, "pass"), (-0.01, 0.02, 0.0, "warn"), (-0.02, -0.01, 0.0, "fail"), (0.01, 0.02, 0.4, "warn")],
)
def test_the_ruling_follows_the_lower_edge(worst: float, expected: float, share: float, status: str) -> None:
    found = Band(edge("worst", worst), edge("expected", expected), edge("best", 0.03), int(share > 0), 4, share)
    assert check(make(), found).status == status


def test_the_headline_is_the_lowest_run_whatever_it_assumed() -> None:
    found = Band(edge("worst", 0.05), edge("expected", 0.02), edge("best", 0.03), 0, 0, 0.0)
    assert (found.lower.assumed, found.upper.assumed) == ("expected", "worst")


def test_no_trades_are_not_judged() -> None:
    idle = make(every=0)
    found = band(idle, lambda _: replace(idle, initial_cash=float(Decimal(10_000))))
    assert check(idle, found).status == "not judged"
