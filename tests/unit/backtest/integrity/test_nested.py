"""Walk-forward over families whose truth is known: what is best stays best, what alternates is always chosen late."""

from dataclasses import replace

import numpy as np
import pytest

from seakeep.backtest.integrity.nested import WalkForwardParams, studies, walk_forward_check
from seakeep.core.errors import NotEnoughHistory
from tests.unit.backtest.families import noise, of, with_best

MONTHLY = WalkForwardParams(train_days=30, test_days=30)


def test_a_set_that_is_always_best_is_always_chosen_and_nothing_is_lost() -> None:
    members = of(with_best(400, 5, best=3))
    found = studies(members, WalkForwardParams())
    for study in found.values():
        assert {choice.point for choice in study.choices} == {3}
        rows = np.searchsorted(members.ts, study.curve.ts)
        np.testing.assert_array_equal(study.curve.returns, members.returns[rows, 3])
        assert study.efficiency.value == pytest.approx(1, abs=0.05)
        assert study.stability == (("speed", 1.0),)
    assert walk_forward_check(members).status == "pass"


def test_sets_that_take_turns_by_the_month_lose_what_they_earned_in_sample() -> None:
    turns = np.where(np.arange(420) // 30 % 2 == 0, 0.01, -0.01)
    members = of(noise(420, 2, size=1e-4) + np.column_stack([turns, -turns]))
    check = walk_forward_check(members, MONTHLY)
    figures = dict(check.figures)
    assert figures["rolling: efficiency"] == pytest.approx(-1, abs=0.02)
    assert figures["rolling: stability of speed"] == pytest.approx(-1)
    assert check.status == "fail"
    assert "the choice of speed (rolling)" in check.reason


def test_anchored_windows_learn_from_everything_so_far() -> None:
    found = studies(of(with_best(400, 3, best=0)), MONTHLY)
    lengths = {n: [c.window.train_end - c.window.train_start for c in s.choices] for n, s in found.items()}
    assert len(set(lengths["rolling"])) == 1
    assert np.diff(lengths["anchored"]).min() > 0
    np.testing.assert_array_equal(found["rolling"].curve.ts, found["anchored"].curve.ts)


def test_what_earns_nothing_in_sample_does_not_pass() -> None:
    members = of(-np.abs(noise(400, 3)) - 0.001)
    check = walk_forward_check(members)
    assert check.status == "fail"
    assert "nothing was earned in sample" in check.reason


def test_little_left_of_much_is_a_warning() -> None:
    late = with_best(400, 3, best=1)
    late[182:] *= 0.1
    assert walk_forward_check(of(late), WalkForwardParams(enough=0.99)).status == "warn"


@pytest.mark.parametrize("days", [3, 100, 182 + 2 * 30])
def test_a_history_too_short_for_three_windows_says_how_long_it_must_be(days: int) -> None:
    with pytest.raises(NotEnoughHistory, match=r"272 days|bars to"):
        walk_forward_check(of(with_best(days, 3, best=1)))


def test_the_run_itself_is_shown_on_the_same_days() -> None:
    members = of(with_best(400, 3, best=1), own=1)
    shown, hidden = (dict(walk_forward_check(m).figures) for m in (members, replace(members, own=0)))
    assert shown["as it is, Sharpe on the judged days"] > 0 > hidden["as it is, Sharpe on the judged days"]
