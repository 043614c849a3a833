"""Capacity of strategies whose impact is known."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seakeep.backtest.integrity.capacity import CapacityParams, capacity, capacity_check, half_size, planned
from seakeep.backtest.integrity.variation import AS_IT_WAS, Variation
from seakeep.core.market import Float64
from seakeep.risk.limits import Limits
from tests.unit.backtest.planted import Holder, Hourly, frame, scene

QUICK = CapacityParams(sizes=(1e5, 1e6, 1e7), samples=200)


def steps(days: int = 34, size: float = 0.006) -> Float64:
    """Up in every odd hour, down in every even one, but for a drift of a wobble."""
    drift = np.cumsum(np.random.default_rng(1).normal(0.0, 0.0003, 24 * days))
    return 100 * np.exp(drift) * np.where(np.arange(24 * days) % 2 == 1, 1 + size, 1.0)


@given(st.lists(st.floats(-0.5, 1.2), min_size=2, max_size=7))
def test_half_is_gone_where_the_line_first_crosses_it(kept: list[float]) -> None:
    sizes = np.geomspace(1e5, 1e8, len(kept))
    half = half_size(sizes, np.array(kept))
    if kept[0] <= 0.5:
        assert half == 0
    elif min(kept) > 0.5:
        assert half == math.inf
    else:
        below = int(np.argmax(np.array(kept) <= 0.5))
        assert sizes[below - 1] * (1 - 1e-9) <= half <= sizes[below] * (1 + 1e-9)
        assert np.interp(math.log(half), np.log(sizes), kept) == pytest.approx(0.5, abs=1e-6)


def test_impact_grows_with_the_root_of_size_as_the_law_says() -> None:
    """Half spread 1 bp and 0.15 sigma sqrt(share), Parkinson's sigma of bars alike, participation far off."""
    wick = 0.003
    sigma = math.log((1 + wick) / (1 - wick)) / math.sqrt(4 * math.log(2))
    _, rerun = scene(Holder(), frame(np.full(24 * 40, 100.0), volume=1e6, wick=wick))
    for size, variation in planned(rerun(AS_IT_WAS), QUICK):
        (fill, *_) = rerun(variation).fills
        share = float(fill.qty) / 1e6
        paid = float(fill.price / fill.mid) - 1
        assert paid == pytest.approx(1e-4 + 0.15 * sigma * math.sqrt(share), abs=2e-6)
        assert share == pytest.approx(float(size) / 1e4 * float(rerun(AS_IT_WAS).fills[0].qty) / 1e6, rel=0.11)


def test_a_thin_edge_is_eaten_by_impact_and_a_wider_market_carries_more() -> None:
    halves = []
    for volume in (5e3, 2e4):
        _, rerun = scene(Hourly(), frame(steps(), volume=volume, wick=0.002))
        runs = [rerun(variation) for _, variation in planned(rerun(AS_IT_WAS), QUICK)]
        found = capacity(rerun(AS_IT_WAS), runs, samples=200, seed=1)
        assert found.half.low <= found.half.value <= found.half.high
        assert (np.diff([row.slippage.value for row in found.sizes]) > -1e-9).all()
        assert (np.diff([row.retained.value for row in found.sizes]) < 0).all()
        halves.append(found.half.value)
    assert 1e5 < halves[0] < halves[1] < math.inf


def test_what_the_market_cannot_take_is_cut_by_the_gate_or_left_unfilled_by_the_venue() -> None:
    open_gate = Limits(max_order_share=1e6, max_participation=1.0)
    for limits, filled, held in ((Limits(), 1.0, 0.01), (open_gate, 0.3, 0.5)):
        _, rerun = scene(Hourly(), frame(steps(), volume=2e3, wick=0.002), limits=limits)
        base, large = rerun(AS_IT_WAS), rerun(Variation(cash_scale=1000))
        found = capacity(base, [large], samples=100)
        assert (found.base.filled, found.base.held) == (1.0, 1.0)
        assert found.sizes[0].filled <= filled
        assert found.sizes[0].held < held


def test_a_run_that_does_not_grow_or_trade_is_not_judged() -> None:
    _, rerun = scene(Holder(), frame(np.linspace(100, 80, 24 * 34)))
    check = capacity_check(rerun(AS_IT_WAS), rerun, QUICK)
    assert check.status == "not judged"
    assert "does not grow" in check.reason
    assert capacity_check(replace(rerun(AS_IT_WAS), fills=()), rerun, QUICK).reason == "nothing was traded"


def test_an_end_that_the_gate_sets_is_not_laid_on_the_market() -> None:
    limits = Limits(max_order_notional=20_000.0)
    _, rerun = scene(Hourly(), frame(steps(), volume=1e9, wick=0.002), limits=limits)
    found = capacity_check(rerun(AS_IT_WAS), rerun, QUICK, order_limit=limits.max_order_notional)
    assert "from 1M on the gate cuts orders at max_order_notional = 20,000 USDT" in found.reason
    assert "not the market" in found.reason
    _, deep = scene(Hourly(), frame(steps(), volume=2e3, wick=0.002))
    assert "max_order_notional" not in capacity_check(deep(AS_IT_WAS), deep, QUICK, order_limit=1e12).reason


def test_sizes_must_ascend() -> None:
    _, rerun = scene(Holder(), frame(steps()))
    base = rerun(AS_IT_WAS)
    with pytest.raises(ValueError, match="ascend"):
        capacity(base, [base, base])
    with pytest.raises(ValueError, match="ascend"):
        capacity(base, [])
