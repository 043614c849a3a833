"""Batches against single runs: the same fills, days, moments; and what a batch must not remember."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from seakeep.backtest.kernel.bulk import Course, Runs, try_all
from seakeep.backtest.kernel.simulator import History, KernelParams, Opinions, simulate
from seakeep.backtest.kernel.terms import account_record
from seakeep.backtest.search.objectives import returns_by_day
from seakeep.brokers.latency import LatencyParams
from seakeep.brokers.sim import SimParams
from seakeep.core.market import Float64
from seakeep.core.units import DAY_MS
from seakeep.risk.stops import StopParams
from seakeep.stats.overfitting import sharpe_sample
from seakeep.stats.returns import simple_returns
from tests.parity.pair import HOUR, OTHER, SPOT, walk

PARAMS = KernelParams(
    instruments={SPOT.symbol: SPOT, OTHER.symbol: OTHER},
    cash=Decimal(100_000),
    weight=0.4,
    stops=StopParams(stop_loss=0.03, take_profit=0.05),
    sim=SimParams(participation=0.1),
    trade_from=50 * HOUR,
)
ONE = [walk(SPOT.symbol, 1_500, 1, volume=3e3)]
TWO = [*ONE, walk(OTHER.symbol, 1_500, 2, volume=1e5)]


def ends(history: History) -> np.ndarray:
    lived = history.ts[history.ts >= PARAMS.trade_from]
    return returns_by_day(lived, np.ones(len(lived)))[0]


def scores(p: int, history: History, seed: int) -> Float64:
    """Opinions that last for a while, (p, k, n)."""
    drawn = np.random.default_rng(seed).uniform(-1, 1, (p, len(history.symbols), len(history) // 30 + 1))
    return np.repeat(drawn, 30, axis=2)[:, :, : len(history)]


def tried(history: History, params: KernelParams, table: Float64, *, whole: bool = True) -> Runs:
    days = ends(history) if whole else ends(history)[:20]
    accounts = np.repeat(account_record(params, history), len(table))
    return try_all(Course.of(history, params, days, whole), accounts, table, np.full(len(table), 0.3))


@pytest.mark.parametrize("frames", [ONE, TWO], ids=["one symbol", "two"])
@pytest.mark.parametrize("stop", [0.0, 0.03], ids=["curve from fills", "curve from the pass"])
@pytest.mark.parametrize("low_ms", [250, 0])
def test_a_run_of_a_batch_is_that_run_alone(frames: list, stop: float, low_ms: int) -> None:
    history = History.of(frames)
    latency = LatencyParams(model="fixed", low_ms=low_ms)
    params = replace(PARAMS, latency=latency, stops=StopParams(stop_loss=stop, take_profit=stop))
    table = scores(7, history, 3)
    found = tried(history, params, table)
    for i in range(7):
        alone = simulate(history, Opinions(score=((0.3 * table[i]) / 0.3).T), params, details=True)
        assert (found.fills[i], found.drawdown[i]) == (alone.metrics["fills"], alone.metrics["max_drawdown"])
        assert (found.days[i] == returns_by_day(alone.ts, alone.equity)[1]).all()
        returns, day = simple_returns(alone.equity), (alone.ts[1:] - 1) // DAY_MS
        assert found.sums[i] == pytest.approx(np.bincount(day - day[0], weights=returns), abs=1e-14)
        ours, theirs = found.sample(i), sharpe_sample(returns)
        assert ours.n == theirs.n
        assert (ours.ratio, ours.skew, ours.kurtosis) == pytest.approx(
            (theirs.ratio, theirs.skew, theirs.kurtosis), rel=1e-9
        )
    assert found.fills.min() > 10


def test_a_batch_leaves_its_accounts_as_they_were_and_gives_the_same_again() -> None:
    history = History.of(ONE)
    table, course = scores(5, history, 4), Course.of(history, PARAMS, ends(history))
    accounts = np.repeat(account_record(PARAMS, history), 5)
    before = accounts.tobytes()
    first, again = (try_all(course, accounts, table, np.ones(5)) for _ in range(2))
    assert accounts.tobytes() == before
    assert first.days.tobytes() == again.days.tobytes()
    assert (first.moments == again.moments).all()


def test_a_course_that_is_cut_off_knows_nothing_of_what_follows() -> None:
    history = History.of(TWO)
    table = scores(6, history, 5)
    begun, whole = tried(history, PARAMS, table, whole=False), tried(history, PARAMS, table)
    assert begun.days.shape == (6, 20)
    assert (begun.days == whole.days[:, :20]).all()
    after = table.copy()
    after[:, :, 24 * 30 :] = 0.9
    assert (tried(history, PARAMS, after, whole=False).days == begun.days).all()


def test_who_abstains_has_no_return_and_no_ratio() -> None:
    history = History.of(ONE)
    found = tried(history, PARAMS, np.full((2, 1, len(history)), np.nan))
    assert not found.days.any()
    assert found.fills.tolist() == [0, 0]
    assert np.isnan(found.sample(0).ratio)
