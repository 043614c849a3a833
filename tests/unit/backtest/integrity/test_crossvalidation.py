"""Cross-validation over families whose truth is known."""

import numpy as np
import pytest

from seakeep.backtest.integrity.crossvalidation import CrossValidationParams, cross_validation_check, paths
from seakeep.core.errors import NotEnoughHistory
from tests.unit.backtest.families import noise, of, with_best


def test_a_set_that_is_always_best_makes_every_path_its_own_history() -> None:
    members = of(with_best(300, 4, best=2))
    found = paths(members, CrossValidationParams())
    # Lopez de Prado (2018), 12.3: C(10, 2) = 45 splits make 45 * 2 / 10 = 9 paths.
    assert (found.n_splits, len(found.ratios)) == (45, 9)
    days = members.returns[:, 2]
    own = days.mean() / days.std(ddof=1) * np.sqrt(members.a_year)
    np.testing.assert_allclose([*found.ratios, found.kfold], own, rtol=1e-9)
    assert set(found.chosen) == {2}
    assert cross_validation_check(members).status == "pass"


def test_sets_that_mirror_each_other_earn_the_least_where_they_were_chosen() -> None:
    one = noise(400, 1)[:, 0]
    members = of(np.column_stack([one, -one]))
    check = cross_validation_check(members)
    # Without a mean, what earned on the other blocks must lose on these.
    assert check.status == "fail"
    assert dict(check.figures)["highest path"] < 0 < dict(check.figures)["in sample, middle of the splits"]


def test_what_overlaps_a_test_is_not_learnt_from() -> None:
    short, long = (paths(of(with_best(300, 3, 1), held_days=days), CrossValidationParams()) for days in (0, 7))
    assert 0 < short.purged < long.purged < 0.5
    with pytest.raises(NotEnoughHistory, match="holdings last 250d"):
        paths(of(with_best(300, 3, 1), held_days=250), CrossValidationParams())


def test_an_embargo_leaves_out_as_many_days_after_each_block() -> None:
    params = CrossValidationParams(folds=3, tests=1, kfold=3, embargo=0.0)
    none, ten = (paths(of(with_best(300, 2, 1)), p) for p in (params, params.model_copy(update={"embargo": 0.1 / 3})))
    # Two of three blocks have an embargo of ten days that is not theirs; each trains on 200 days.
    assert (ten.purged - none.purged) * 600 == pytest.approx(20)


def test_few_days_are_not_enough() -> None:
    with pytest.raises(NotEnoughHistory, match="100 days do"):
        paths(of(with_best(99, 3, 1)), CrossValidationParams())
