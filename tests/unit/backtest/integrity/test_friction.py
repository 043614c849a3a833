"""Costs, delays and volume: the break-even is the closed form's, and every ruling follows its bound."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seakeep.backtest.integrity.friction import bar_row, break_even, cost_bps, costs, growth, latency, volume
from seakeep.backtest.integrity.variation import Rerun, Variation
from seakeep.backtest.result import Result
from seakeep.core.units import HOUR_MS
from tests.unit.backtest.courtroom import charged, replace_fill
from tests.unit.backtest.factory import make

RUN = make(bars=480)
TRADED = float(sum(fill.price * fill.qty for fill in RUN.fills))
PAID = RUN.costs.fees + RUN.costs.slippage


def world(gross: float) -> Rerun:
    """Reruns in which only the costs change."""
    return lambda variation: charged(RUN, variation.cost_scale, gross)


def test_the_cost_of_a_run_is_what_was_paid_over_what_was_traded() -> None:
    assert cost_bps(RUN) == pytest.approx(1e4 * PAID / TRADED, rel=1e-12)
    assert math.isnan(cost_bps(make(every=0)))


@given(st.floats(0.05, 60))
def test_the_break_even_is_the_gross_profit_over_the_value_traded(times: float) -> None:
    gross = times * PAID
    run = world(gross)
    even = break_even(run(Variation()), run)
    assert even.scale == pytest.approx(times, abs=0.1 / cost_bps(RUN))
    assert even.bps == pytest.approx(1e4 * gross / TRADED, abs=0.1)
    assert even.reruns <= 16


def test_a_profit_that_jumps_is_still_bracketed_to_a_tenth_of_a_basis_point() -> None:
    def run(variation: Variation) -> Result:
        return charged(RUN, variation.cost_scale, 500.0 if variation.cost_scale < 3.217 else -500.0)

    assert break_even(run(Variation()), run).scale == pytest.approx(3.217, abs=0.1 / cost_bps(RUN))


def test_the_ends_are_said_and_not_searched() -> None:
    losing, rich = world(-10.0), world(1e6)
    assert break_even(losing(Variation()), losing).bps == -math.inf
    assert costs(losing(Variation()), losing).status == "fail"
    assert break_even(rich(Variation()), rich).bps == math.inf
    assert costs(rich(Variation()), rich).status == "pass"


@pytest.mark.parametrize(("times", "status"), [(0.5, "fail"), (1.5, "warn"), (2.5, "pass")])
def test_costs_are_ruled_by_how_often_they_are_borne(times: float, status: str) -> None:
    run = world(times * PAID)
    check = costs(run(Variation()), run)
    assert check.status == status
    assert dict(check.figures)["break-even, times the cost assumed"] == pytest.approx(times, abs=0.02)


def test_a_free_market_and_no_trades_are_no_evidence() -> None:
    free = charged(RUN, 0.0, 100.0)
    assert costs(free, lambda _: free).status == "fail"
    idle = make(every=0)
    for check in (costs, latency):
        assert check(idle, lambda _: idle).status == "not judged"
    assert volume(idle).status == "not judged"


@pytest.mark.parametrize(("left", "status"), [(-0.01, "fail"), (0.04, "warn"), (0.09, "pass")])
def test_latency_is_ruled_by_what_one_bar_leaves(left: float, status: str) -> None:
    def ends(share: float) -> Result:
        equity = RUN.curves.equity.copy()
        equity[-1] = RUN.initial_cash * (1 + share)
        return replace(RUN, curves=replace(RUN.curves, equity=equity))

    check = latency(ends(0.1), lambda variation: ends(left if variation.entry_delay else 0.1))
    assert check.status == status
    assert dict(check.figures)["return, 500 ms, %"] == pytest.approx(10.0)


def test_a_move_in_half_a_second_grows_with_the_root_of_time() -> None:
    run = world(PAID * 5)
    figures = dict(latency(run(Variation()), run).figures)
    moves = np.concatenate([np.diff(np.log(bars.close)) for bars in RUN.bars.values()])
    assert figures["typical move in 500 ms, bp"] == pytest.approx(1e4 * moves.std() * math.sqrt(0.5 / 3600), rel=1e-9)


def test_slippage_is_told_by_the_share_of_the_volume() -> None:
    figures = dict(volume(RUN).figures)
    shares = sorted(float(f.qty) / 10.0 for f in RUN.fills if f.ts < RUN.curves.ts[-1])
    assert figures["median share of volume, %"] == pytest.approx(100 * float(np.median(shares)), rel=0.05)
    thin = {s: replace(b, volume=np.full(len(b), 100.0 * max(shares))) for s, b in RUN.bars.items()}
    assert volume(replace(RUN, bars=thin)).status == "fail"
    deep = {s: replace(b, volume=np.full(len(b), 1e9)) for s, b in RUN.bars.items()}
    assert volume(replace(RUN, bars=deep)).status == "pass"


def test_a_fill_belongs_to_the_bar_it_was_made_in() -> None:
    bars = RUN.bars["BTC/USDT"]
    fill, opens = RUN.fills[0], int(bars.ts[7])
    inside = replace_fill(fill, ts=opens + HOUR_MS // 2)
    at_open = replace_fill(fill, ts=opens, mid=type(fill.mid)(repr(float(bars.open[7]))))
    at_close = replace_fill(fill, ts=opens, mid=type(fill.mid)("1.5"))
    late = replace_fill(fill, ts=int(bars.known_at[-1]) + 1)
    assert [bar_row(f, bars) for f in (inside, at_open, at_close, late)] == [7, 7, 6, len(bars)]


def test_growth_is_on_the_initial_cash() -> None:
    assert growth(RUN) == pytest.approx(RUN.curves.equity[-1] / 10_000 - 1, rel=1e-12)
