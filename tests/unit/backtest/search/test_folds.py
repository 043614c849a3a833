import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seakeep.backtest.search.folds import Combinatorial, WalkForward, overlapping, purged_kfold, stitch
from seakeep.core.errors import NotEnoughHistory
from seakeep.core.units import DAY_MS, YEAR_MS

SHARED = Path(__file__).parents[4] / "../shared/reference/cross_validation"


def case(name):
    path = SHARED / f"{name}.json"
    if not path.exists():
        pytest.skip(f"the reference numbers cross_validation/{name}.json are not beside this checkout")
    return json.loads(path.read_text())


def rows(ranges):
    return [row for first, last in ranges for row in range(first, last + 1)]


def labels(n, span):
    ts = np.arange(n, dtype=np.int64)
    return ts, ts + span


def test_twelve_observations_split_as_in_skfolios_own_tests():
    """Their purge of p rows on both sides is a label of p + 1 rows here."""
    found = case("cpcv_skfolio_12_obs")
    for row, expected in zip(found["inputs"]["rows"], found["expected"]["splits"], strict=True):
        scheme = Combinatorial(folds=row["n_folds"], tests=row["n_test_folds"], embargo=row["embargo"])
        folds = scheme.split(*labels(row["n"], row["purge"] + 1))
        assert [fold.train.tolist() for fold in folds] == [split["train"] for split in expected]
        assert [fold.test.tolist() for fold in folds] == [
            [r for block in split["test"] for r in block] for split in expected
        ]
        assert scheme.paths().tolist() == found["expected"]["recombined_paths"]
        assert (scheme.n_splits, scheme.n_paths) == (found["expected"]["n_splits"], found["expected"]["n_test_paths"])


def test_sixty_observations_split_as_skfolio_does():
    found = case("cpcv_purge_embargo_60obs")
    given_, expected = found["inputs"], found["expected"]
    scheme = Combinatorial(folds=given_["n_folds"], tests=given_["n_test_folds"], embargo=given_["embargo"])
    folds = scheme.split(*labels(given_["n"], given_["purge"] + 1))
    assert [fold.train.tolist() for fold in folds] == [rows(r) for r in expected["train_ranges_inclusive"]]
    assert [fold.test.tolist() for fold in folds] == [rows(r) for r in expected["test_ranges_inclusive"]]
    assert scheme.paths().tolist() == expected["recombined_paths"]


def test_splits_and_paths_are_as_many_as_the_book_says():
    found = case("cpcv_split_and_path_counts")
    schemes = [Combinatorial(folds=row["N"], tests=row["k"]) for row in found["inputs"]["rows"]]
    assert [s.n_splits for s in schemes] == found["expected"]["n_splits"]
    assert [s.n_paths for s in schemes] == found["expected"]["n_paths"]


def test_labels_are_purged_as_in_mlfinlabs_own_tests():
    found = case("purge_train_times_start_and_end")
    starts, ends = (np.array(found["inputs"][name]) for name in ("label_start", "label_end"))
    kept = [np.flatnonzero(~overlapping(starts, ends, *test, closed=True)) for test in found["inputs"]["tests"]]
    assert [k.tolist() for k in kept] == found["expected"]["train_indices"]


def test_purged_folds_are_those_of_the_book():
    found = case("purged_kfold_embargo_20obs")
    given_ = found["inputs"]
    scheme = purged_kfold(given_["n_splits"], embargo=int(given_["n"] * given_["pct_embargo"]))
    folds = scheme.split(*labels(given_["n"], given_["label_span"]))
    expected = found["expected"]["folds"]
    assert [fold.test.tolist() for fold in folds] == [rows([f["test"]]) for f in expected]
    assert [fold.train.tolist() for fold in folds] == [rows(f["train_afml_7_3"]) for f in expected]


def test_labels_that_touch_are_purged_where_ends_are_closed():
    scheme = purged_kfold(4, closed=True)
    assert scheme.split(*labels(20, 2))[1].train.tolist() == [0, 1, 2, *range(12, 20)]


@given(st.integers(8, 60), st.integers(1, 6), st.integers(0, 4), st.integers(2, 6), st.data())
def test_no_training_label_overlaps_a_test_label(n, span, embargo, folds, data):
    tests = data.draw(st.integers(1, folds - 1))
    steps = data.draw(st.lists(st.integers(1, 5), min_size=n, max_size=n))
    ts = np.cumsum(steps)
    ends = ts + span * np.arange(1, n + 1) % 7
    for fold in Combinatorial(folds=folds, tests=tests, embargo=embargo).split(ts, ends):
        assert not np.intersect1d(fold.train, fold.test).size
        for row in fold.test.tolist():
            assert not overlapping(ts[fold.train], ends[fold.train], ts[row], ends[row]).any()


@given(st.integers(3, 8), st.data())
def test_every_path_judges_every_row_once_and_no_judgement_is_used_twice(folds, data):
    scheme = Combinatorial(folds=folds, tests=data.draw(st.integers(1, folds - 1)))
    splits = scheme.split(*labels(5 * folds + 2, 1))
    paths = stitch(scheme, splits, [np.full(len(fold.test), float(i)) for i, fold in enumerate(splits)])
    assert paths.shape == (5 * folds + 2, scheme.n_paths)
    for row, judges in enumerate(paths.tolist()):
        assert sorted(judges) == [i for i, fold in enumerate(splits) if row in fold.test]


def test_rolling_windows_lie_end_to_end_and_learn_from_six_months():
    windows = WalkForward().windows(0, YEAR_MS)
    assert [w.test_end for w in windows[:-1]] == [w.test_start for w in windows[1:]]
    assert (windows[0].test_start, windows[-1].test_end) == (YEAR_MS // 2, YEAR_MS)
    assert {w.train_end - w.train_start for w in windows} == {YEAR_MS // 2}
    assert len(windows) == 6


def test_anchored_windows_learn_from_everything_before():
    windows = WalkForward(anchored=True, gap_ms=DAY_MS).windows(5 * DAY_MS, YEAR_MS)
    assert {w.train_start for w in windows} == {5 * DAY_MS}
    assert {w.test_start - w.train_end for w in windows} == {DAY_MS}


def test_walk_forward_purges_labels_that_reach_into_the_test():
    ts, ends = labels(100, 5)
    folds = WalkForward(train_ms=40, test_ms=20).split(ts, ends)
    assert [(f.train[0], f.train[-1], f.test[0], f.test[-1]) for f in folds] == [
        (0, 35, 40, 59),
        (20, 55, 60, 79),
        (40, 75, 80, 99),
    ]


@pytest.mark.parametrize(("end", "lengths"), [(89, [20, 19]), (91, [20, 21]), (105, [20, 20, 15]), (60, [10])])
def test_the_last_test_takes_what_is_left(end, lengths):
    windows = WalkForward(train_ms=50, test_ms=20).windows(0, end)
    assert [w.test_end - w.test_start for w in windows] == lengths


def test_too_little_history_is_said():
    with pytest.raises(NotEnoughHistory, match="no room"):
        WalkForward().windows(0, YEAR_MS // 2)
    with pytest.raises(NotEnoughHistory, match="6 are needed"):
        Combinatorial().split(*labels(5, 1))


@pytest.mark.parametrize("wrong", [{"folds": 3, "tests": 3}, {"folds": 90, "tests": 30}, {"embargo": -1}])
def test_schemes_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValueError, match="tests < folds"):
        Combinatorial(**wrong)


def test_rows_out_of_order_are_refused():
    with pytest.raises(ValueError, match="ascend"):
        Combinatorial().split(np.arange(10)[::-1], np.arange(10)[::-1] + 1)
