"""Runs side by side on the same days."""

import numpy as np
import pytest

from seakeep.backtest.integrity.daily import daily_returns, growths, paired_samples, sharpes
from seakeep.backtest.result import Curves
from seakeep.core.errors import NotEnoughHistory
from seakeep.core.market import Float64
from seakeep.core.units import DAY_MS, HOUR_MS
from seakeep.stats.performance import annual_return, sharpe


def curve(equity: Float64, every: int = HOUR_MS, first: int = HOUR_MS) -> Curves:
    n = len(equity)
    return Curves(first + every * np.arange(n, dtype=np.int64), np.array(equity), np.zeros(n), np.zeros((n, 1)))


def walk(n: int, seed: int = 1) -> Float64:
    return 100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.01, n)))


def test_daily_returns_multiply_to_the_whole_and_use_the_last_bar_of_each_day() -> None:
    equity = walk(24 * 40)
    returns, periods = daily_returns([curve(equity)])
    assert returns.shape == (1, 40)
    assert np.prod(1 + returns) == pytest.approx(equity[-1] / equity[0])
    assert returns[0, 1] == pytest.approx(equity[47] / equity[23] - 1)
    assert periods == 365


def test_a_day_without_a_bar_of_the_other_run_keeps_its_equity() -> None:
    equity, other = walk(24 * 40), walk(24 * 40, 2)
    gone = np.r_[0 : 24 * 5, 24 * 6 : 24 * 40]
    holed = Curves(HOUR_MS * (1 + gone), other[gone], np.zeros(len(gone)), np.zeros((len(gone), 1)))
    returns, _ = daily_returns([curve(equity), holed])
    assert returns[1, 5] == 0
    assert returns[1, 6] == pytest.approx(other[24 * 7 - 1] / other[24 * 5 - 1] - 1)


def test_equity_that_is_lost_stays_lost() -> None:
    equity = np.append(walk(24 * 35), [-5.0, 80.0])
    returns, _ = daily_returns([curve(equity)])
    assert returns[0, -1] == -1
    assert growths(returns, 365)[0] == -np.inf


def test_ratios_of_rows_are_those_of_single_runs() -> None:
    table = np.random.default_rng(4).normal(0.001, 0.01, (3, 50))
    assert sharpes(table, 365).tolist() == pytest.approx([sharpe(row, 365) for row in table])
    assert np.expm1(growths(table, 365)).tolist() == pytest.approx([annual_return(row, 365) for row in table])
    assert sharpes(np.zeros((1, 40)), 365)[0] == 0


def test_samples_keep_the_runs_paired() -> None:
    table = np.vstack([np.arange(60.0), 2 * np.arange(60.0)])
    for sample in paired_samples(table, samples=5, seed=3):
        assert (sample[1] == 2 * sample[0]).all()


def test_weekly_bars_are_days_of_their_own_and_a_short_run_is_refused() -> None:
    returns, periods = daily_returns([curve(walk(40), 7 * DAY_MS)])
    assert returns.shape == (1, 40)
    assert periods == pytest.approx(365 / 7)
    with pytest.raises(NotEnoughHistory, match="30 days"):
        daily_returns([curve(walk(1))])
