"""Sweeps against single runs, threads against each other, and grids that make no sense."""

import tracemalloc
from dataclasses import replace
from decimal import Decimal

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seakeep.backtest.kernel.simulator import History, KernelParams, Opinions, simulate
from seakeep.backtest.kernel.sweep import Cross, SweepTable, sweep
from seakeep.brokers.latency import LatencyParams
from seakeep.brokers.sim import SimParams
from seakeep.core.market import BarFrame
from seakeep.execution.costs import CostParams
from seakeep.risk.limits import Limits
from seakeep.risk.stops import StopParams
from seakeep.strategy.decide import Thresholds
from tests.parity.pair import HOUR, OTHER, SPOT, walk

PARAMS = KernelParams(
    instruments={SPOT.symbol: SPOT, OTHER.symbol: OTHER},
    cash=Decimal(100_000),
    weight=0.9,
    stops=StopParams(stop_loss=0.03),
    sim=SimParams(participation=1.0),
)
MARKET = walk(SPOT.symbol, 1_500, 1, volume=1e5)


def columns(table: SweepTable) -> dict[str, bytes]:
    return {name: column.tobytes() for name, column in table.columns.items()}


def alike(one: SweepTable, other: SweepTable) -> None:
    """Equal to the bit where things are counted, to 1e-9 where they are summed in another order."""
    for name, column in one.columns.items():
        np.testing.assert_allclose(other[name], column, rtol=1e-9, atol=1e-9, err_msg=name)
    for name in ("equity", "trades", "fills", "fees", "refused", "max_drawdown"):
        np.testing.assert_allclose(other[name], one[name], rtol=1e-13, err_msg=name)


def averages(frame: BarFrame, fast: int, slow: int) -> np.ndarray:
    """The stance of a cross, from averages worked out on their own."""
    quick, long = (np.convolve(frame.close, np.ones(w) / w, "valid")[-(len(frame) - slow + 1) :] for w in (fast, slow))
    above = np.zeros(len(frame), np.int8)
    above[slow - 1 :] = quick > long
    first = slow - 1 + int(np.argmax(above[slow - 1 :] != above[slow - 1]))
    above[:first] = 0
    return above


def test_a_family_of_crosses_is_the_same_runs_one_by_one() -> None:
    fast, slow = np.array([3, 5, 20, 40]), np.array([10, 30, 50, 200])
    table = sweep([MARKET], Cross(fast, slow), PARAMS)
    for p in range(4):
        alone = simulate([MARKET], averages(MARKET, int(fast[p]), int(slow[p])), PARAMS, details=True)
        assert (table["fills"][p], table["trades"][p]) == (len(alone.fills), alone.metrics["trades"])
        assert table["equity"][p] == alone.metrics["equity"]
        assert table["sharpe"][p] == pytest.approx(alone.metrics["sharpe"], rel=1e-9)
    assert table["fast"].tolist() == [3, 5, 20, 40]


def test_crosses_of_a_market_with_gaps_are_on_the_rows_of_its_bars() -> None:
    whole, kept = walk(OTHER.symbol, 400, 3), np.random.default_rng(9).random(400) > 0.2
    columns = (getattr(whole, name)[kept] for name in ("ts", "open", "high", "low", "close", "volume"))
    frames = [walk(SPOT.symbol, 400, 2), BarFrame(OTHER.symbol, "1h", *columns)]
    stances = np.stack([averages(frames[0], 3, 20), np.zeros(400, np.int8)], axis=1)
    stances[kept, 1] = averages(frames[1], 3, 20)
    for row in np.flatnonzero(~kept):
        stances[row, 1] = stances[row - 1, 1]
    told = replace(PARAMS, weight=0.4)
    table, alone = sweep(frames, Cross(np.array([3]), np.array([20])), told), simulate(frames, stances, told)
    assert table["fills"][0] == alone.metrics["fills"] > 20
    assert table["equity"][0] == alone.metrics["equity"]


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    stop=st.sampled_from([0.0, 0.004, 0.03]),
    volume=st.sampled_from([50.0, 1e5]),
    weight=st.sampled_from([0.1, 0.9, 1.0]),
    delay=st.sampled_from([0, 250, HOUR]),
    spread=st.sampled_from([0.0, 20.0]),
)
def test_the_short_way_is_the_way_of_every_row(
    seed: int, stop: float, volume: float, weight: float, delay: int, spread: float
) -> None:
    market = walk(SPOT.symbol, 300, seed, volume=volume)
    params = replace(
        PARAMS,
        weight=weight,
        stops=StopParams(stop_loss=stop),
        costs=CostParams(half_spread_bps=spread, temporary=spread / 20, permanent=0.0),
        latency=LatencyParams(model="fixed", low_ms=delay),
        limits=Limits.static(max_weight=0.95),
        trade_from=seed % 3 * 40 * HOUR,
    )
    rule = Cross(np.array([2, 5, 10]), np.array([5, 20, 40]))
    alike(sweep([market], rule, params), sweep([market], rule, replace(params, sparse=False)))


def test_threads_do_not_change_a_bit() -> None:
    rule = Cross(np.arange(2, 42), np.full(40, 50))
    threads = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        alone = columns(sweep([MARKET], rule, PARAMS))
        numba.set_num_threads(min(2, numba.config.NUMBA_NUM_THREADS))
        assert columns(sweep([MARKET], rule, PARAMS)) == alone
    finally:
        numba.set_num_threads(threads)


def test_memory_does_not_grow_with_the_runs() -> None:
    history = History.of([MARKET])
    peaks = []
    for runs in (20, 2_000):
        rule = Cross(np.full(runs, 5), np.full(runs, 20))
        sweep(history, rule, PARAMS)
        tracemalloc.start()
        sweep(history, rule, PARAMS)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 2_000 * 2_000


def test_stances_of_two_markets_with_shared_cash_are_single_runs() -> None:
    frames = [walk(SPOT.symbol, 300, 3), walk(OTHER.symbol, 300, 4)]
    stances = np.random.default_rng(5).integers(0, 2, (6, 300, 2)).astype(np.int8)
    params = replace(PARAMS, weight=0.6)
    table = sweep(frames, stances, params)
    for p in range(6):
        alone = simulate(frames, stances[p], params)
        assert {name: table[name][p] for name in ("equity", "fills", "fees")} == {
            name: alone.metrics[name] for name in ("equity", "fills", "fees")
        }


def test_what_is_varied_is_what_single_runs_are_told() -> None:
    stops, takes, weights = np.array([0.0, 0.02, 0.05]), np.array([0.05, 0.0, 0.02]), np.array([0.2, 0.5, 0.9])
    signals = np.repeat(averages(MARKET, 5, 20)[None], 3, axis=0)
    table = sweep([MARKET], signals, PARAMS, {"stop_loss": stops, "take_profit": takes, "weight": weights})
    for p in range(3):
        told = replace(PARAMS, stops=StopParams(stop_loss=stops[p], take_profit=takes[p]), weight=weights[p])
        assert table["equity"][p] == simulate([MARKET], signals[p], told).metrics["equity"]


def test_thresholds_are_varied_over_shared_opinions() -> None:
    score = np.clip(np.cumsum(np.random.default_rng(6).normal(0, 0.1, 1_500)), -1, 1)
    longs = np.array([0.3, 0.6, 0.9])
    table = sweep([MARKET], Opinions(score=score), PARAMS, {"long": longs, "exit": np.full(3, 0.1)})
    for p, long in enumerate(longs.tolist()):
        told = replace(PARAMS, thresholds=Thresholds(long=long, short=-0.6, exit=0.1))
        assert table["equity"][p] == simulate([MARKET], Opinions(score=score), told).metrics["equity"]


def test_the_best_run_is_the_largest_that_is_known() -> None:
    table = SweepTable({"equity": np.array([1.0, 2.0]), "sharpe": np.array([np.nan, -1.0])})
    assert table.best() == 1
    with pytest.raises(ValueError, match="no run has a sortino"):
        SweepTable({"equity": np.zeros(1), "sortino": np.full(1, np.nan)}).best("sortino")
    with pytest.raises(KeyError, match="there are equity, sharpe"):
        table["beta"]


@pytest.mark.parametrize(
    ("signals", "varied", "message"),
    [
        (Cross(np.zeros(0, int), np.zeros(0, int)), {}, "at least one parameter set"),
        (Cross(np.array([5]), np.array([5])), {}, "1 <= fast < slow"),
        (Cross(np.array([0.5]), np.array([5])), {}, "whole numbers"),
        (Cross(np.array([2, 3]), np.array([5, 6])), {"stop_loss": np.zeros(3)}, "as many of each"),
        (np.zeros((0, 1_500), np.int8), {}, "at least one parameter set"),
        (np.zeros((2, 7), np.int8), {}, "must have shape"),
        (np.full((2, 1_500), np.inf), {}, "finite"),
        (Opinions(score=np.zeros(1_500)), {}, "at least one parameter set"),
        (Opinions(score=np.zeros(1_500)), {"leverage": np.ones(2)}, "cannot be varied"),
        (Opinions(score=np.zeros(1_500)), {"stop_loss": np.array([0.1, np.nan])}, "must lie in"),
    ],
)
def test_grids_that_make_no_sense_are_refused(signals: object, varied: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sweep([MARKET], signals, PARAMS, varied)  # type: ignore[arg-type]


def test_averages_longer_than_the_history_never_trade() -> None:
    assert sweep([MARKET], Cross(np.array([5]), np.array([5_000])), PARAMS)["fills"].tolist() == [0]
