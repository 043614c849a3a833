"""No training row knows what a test row is asked."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seakeep.backtest.search.folds import purged_kfold
from seakeep.core.errors import NotEnoughHistory
from seakeep.models.classical import RsiExpert
from seakeep.models.folding import label_ms, out_of_fold, part_of, purged_folds
from tests.unit.models.planted import HOUR, rows


@given(st.lists(st.integers(0, 60), min_size=8, max_size=60), st.integers(0, 8), st.integers(2, 5), st.integers(0, 6))
def test_no_training_label_overlaps_a_test_label_of_any_symbol(
    times: list[int], horizon: int, k: int, embargo: int
) -> None:
    ts = np.array(times)
    try:
        folds = purged_folds(ts, horizon, k, embargo)
    except NotEnoughHistory:
        return
    assert sorted(np.concatenate([test for _, test in folds])) == list(range(len(ts)))
    for train, test in folds:
        first, last = ts[test].min(), ts[test].max()
        before, after = ts[train][ts[train] < first], ts[train][ts[train] >= first]
        assert (before + horizon <= first).all()
        assert (after >= last + horizon + embargo).all()


@pytest.mark.parametrize("horizon", [0, 1, 7])
def test_for_one_symbol_they_are_the_folds_of_the_backtest(horizon: int) -> None:
    ts = np.arange(50)
    theirs = purged_kfold(5).split(ts, ts + horizon)
    for (train, test), fold in zip(purged_folds(ts, horizon, 5), theirs, strict=True):
        np.testing.assert_array_equal(train, fold.train)
        np.testing.assert_array_equal(test, fold.test)


def test_rows_of_one_instant_are_never_on_two_sides() -> None:
    ts = np.tile(np.arange(30), 3)
    for train, test in purged_folds(ts, 0, 4):
        assert not set(ts[train]) & set(ts[test])


def test_a_label_that_spans_a_hole_in_the_bars_is_as_long_as_the_hole() -> None:
    ts = np.array([0, 1, 2, 9, 10, 0, 1, 2])
    assert label_ms(ts, 2).tolist() == [2, 8, 8, 2, 2, 2, 2, 2]


def test_poison_in_a_test_block_and_after_it_reaches_no_forecast_of_it() -> None:
    frame, y = rows(600, 0.5, 1, horizon=3)
    params = {"horizon": 3}
    clean = out_of_fold(RsiExpert(**params), frame, y, 1, k=4)
    for train, test in purged_folds(frame.ts, label_ms(frame.ts, 3), 4, 3 * HOUR):
        wrong = np.setdiff1d(np.arange(len(y)), train)
        poisoned, values = y.copy(), frame.values.copy()
        poisoned[wrong] = 1e6
        values[np.setdiff1d(wrong, test)] = 1e6
        other = type(frame)(frame.symbol, frame.ts, frame.names, values)
        np.testing.assert_array_equal(out_of_fold(RsiExpert(**params), other, poisoned, 1, k=4)[test], clean[test])


def test_too_few_rows_are_said() -> None:
    with pytest.raises(NotEnoughHistory, match="5 purged folds"):
        purged_folds(np.arange(10), 100)
    with pytest.raises(NotEnoughHistory):
        purged_folds(np.empty(0, np.int64), 1)
    with pytest.raises(ValueError, match="k >= 2"):
        purged_folds(np.arange(10), 1, 1)


def test_a_part_keeps_names_and_symbol() -> None:
    frame, _ = rows(5, 0.0, 1)
    part = part_of(frame, np.array([3, 1]))
    assert (part.symbol, part.names, part.ts.tolist()) == (frame.symbol, frame.names, frame.ts[[3, 1]].tolist())
