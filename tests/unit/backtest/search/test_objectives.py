import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from seakeep.backtest.search.objectives import cut, front, lower_bound, returns_by_day, scores
from seakeep.core.errors import NotEnoughHistory
from seakeep.core.units import DAY_MS, HOUR_MS
from seakeep.stats.performance import calmar, sharpe

TS = DAY_MS * np.arange(1, 401, dtype=np.int64)


def test_the_lower_bound_is_that_of_students_t():
    found = np.array([1.2, 0.4, -0.3, 0.9, 0.1, 0.8])
    low = stats.t.interval(0.90, len(found) - 1, found.mean(), stats.sem(found))[0]
    assert float(lower_bound(found)) == pytest.approx(low)
    assert math.isnan(lower_bound(found[:1]))


def test_scores_are_those_of_the_performance_figures():
    days = np.random.default_rng(3).normal(0.001, 0.02, (200, 3))
    part = [slice(0, 100), slice(100, 200)]
    by_hand = [[sharpe(days[p, j], 365) for j in range(3)] for p in part]
    assert scores(days, part, "sharpe", 365.0) == pytest.approx(np.array(by_hand))
    growth = scores(days, part, "return", 365.0)
    assert growth[0, 0] == pytest.approx(np.log1p(days[:100, 0]).sum() * 3.65)
    lost = math.log1p(calmar(days[:100, 0], 365) * (growth[0, 0] / scores(days, part, "calmar", 365.0)[0, 0]))
    assert lost == pytest.approx(growth[0, 0])


def test_cash_scores_nothing_and_never_by_accident():
    assert scores(np.zeros((50, 1)), [slice(0, 25), slice(25, 50)], "sharpe", 365.0).tolist() == [[0.0], [0.0]]
    assert scores(np.full((50, 1), 0.001), [slice(0, 50)], "calmar", 365.0)[0, 0] == pytest.approx(
        np.log1p(0.001) * 365 / 0.01
    )


def test_each_day_after_the_first_training_is_tested_once_and_training_ends_a_gap_before():
    tests = cut(TS, 8, 2 * DAY_MS)
    rows = np.concatenate([np.arange(len(TS))[part] for part in tests.test])
    assert (np.diff(rows) == 1).all()
    assert rows[-1] == len(TS) - 1
    assert len(tests.windows) == 8
    for train, test in zip(tests.train, tests.test, strict=True):
        assert TS[test.start] - TS[train.stop - 1] >= 3 * DAY_MS
        assert train.stop - train.start >= 70


def test_too_few_days_are_no_test():
    with pytest.raises(NotEnoughHistory, match="100 days, or fewer --folds"):
        cut(TS[:60], 8)


def test_days_compound_to_the_account():
    ts = HOUR_MS * np.arange(0, 24 * 30 + 1, dtype=np.int64)
    equity = 100 * np.exp(np.cumsum(np.random.default_rng(1).normal(0, 0.01, len(ts))))
    ends, days = returns_by_day(ts, equity)
    assert np.prod(1 + days) == pytest.approx(equity[-1] / equity[0])
    assert (ends % DAY_MS == 0).all()
    assert len(days) == 30


def test_ruin_is_lost_once_and_nothing_is_earned_after_it():
    _, days = returns_by_day(TS[:4], np.array([100.0, -5.0, 40.0, 50.0]))
    assert days.tolist() == [-1.0, 0.0, 0.0]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=30))
def test_the_front_is_what_no_other_beats(rows):
    table = np.array(rows, np.float64)
    kept = front(table)
    for i in range(len(table)):
        beaten = [(table[j] >= table[i]).all() and (table[j] > table[i]).any() for j in range(len(table))]
        assert any(beaten) or any((table[j] == table[i]).all() for j in kept)
    assert all(not (table[j] > table[i]).all() for i in kept for j in range(len(table)))
    assert (np.diff(table[kept, 0]) <= 0).all()


def test_what_is_not_known_is_not_on_the_front():
    assert front(np.array([[np.nan, 9.0], [1.0, 1.0]])).tolist() == [1]
