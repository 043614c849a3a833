"""The probability of overfitting over families, and over what was counted, whose truth is known."""

import numpy as np
import pytest

from seakeep.backtest.integrity.overfit import OverfittingParams, overfitting_check
from seakeep.backtest.integrity.tried import Tried
from seakeep.core.errors import NotEnoughHistory
from tests.unit.backtest.families import noise, of, with_best


def test_a_set_that_is_always_best_cannot_be_overfitted() -> None:
    check = overfitting_check(of(with_best(300, 6, best=4), own=4))
    figures = dict(check.figures)
    assert figures["probability of overfitting, 6 sets of parameters"] == 0
    assert figures["rank of the run"] == "1 of 6"
    assert check.status == "pass"
    assert check.plot is not None
    assert sum(check.plot.series[0].y) == pytest.approx(1)


def test_sets_that_mirror_each_other_are_overfitted_for_sure() -> None:
    one = noise(320, 1)[:, 0]
    check = overfitting_check(of(np.column_stack([one, -one])))
    # Bailey et al. (2017): with no mean overall, the better half is paid for by the other.
    assert dict(check.figures)["probability of overfitting, 2 sets of parameters"] == 1
    assert dict(check.figures)["share that loses out of sample, 2 sets of parameters"] == 1
    assert check.status == "fail"


def test_sets_that_are_alike_are_a_coin_toss_without_harm() -> None:
    days = noise(320, 1, size=0.001) + 0.01 + noise(320, 8, seed=2, size=1e-4)
    check = overfitting_check(of(days))
    assert dict(check.figures)["share that loses out of sample, 8 sets of parameters"] == 0
    assert check.status in ("pass", "warn")


def test_what_was_counted_decides_where_it_is_worse() -> None:
    members, one = of(with_best(320, 6, best=4)), noise(320, 3)
    tried = Tried(np.column_stack([one, -one]), 6)
    check = overfitting_check(members, tried)
    assert check.status == "fail"
    assert "6 trials that were counted" in check.reason
    assert overfitting_check(members, Tried(one, 3)).status == "pass"


def test_few_days_are_not_enough() -> None:
    with pytest.raises(NotEnoughHistory, match="80 days do"):
        overfitting_check(of(with_best(79, 3, 1)))
    assert overfitting_check(of(with_best(79, 3, 1)), params=OverfittingParams(blocks=4)).status == "pass"
