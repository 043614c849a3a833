import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seakeep.backtest.search.folds import WalkForward
from seakeep.backtest.search.walkforward import Curve, grid_points, walk_forward
from seakeep.core.errors import ConfigError, DataError, NotEnoughHistory
from seakeep.core.units import DAY_MS

SCHEME = WalkForward(train_ms=60 * DAY_MS, test_ms=30 * DAY_MS)
SPAN = (0, 300 * DAY_MS)
NOISE = np.random.default_rng(1).normal(0, 0.01, 400)


def table(gain, step=DAY_MS):
    """An evaluation that earns `gain(params, day)` beside shared noise."""

    def evaluate(params, start, end):
        ts = np.arange(start // step + 1, end // step + 1, dtype=np.int64)
        return Curve(ts * step, NOISE[ts] + np.array([gain(params, day) for day in ts.tolist()]))

    return evaluate


def test_the_stitched_curve_holds_every_bar_after_the_first_training_once():
    study = walk_forward(table(lambda p, day: 0.0), {"a": (1, 2)}, SCHEME, SPAN)
    assert study.curve.ts.tolist() == [day * DAY_MS for day in range(61, 301)]
    assert study.curve.returns == pytest.approx(NOISE[61:301])
    assert study.family.shape == (240, 2)


def test_what_is_best_in_sample_is_held_out_of_sample():
    """Set 3 is better by a wide margin until day 140, set 1 after it."""
    study = walk_forward(
        table(lambda p, day: 0.01 * (p["a"] == (3 if day <= 140 else 1))), {"a": (1, 2, 3)}, SCHEME, SPAN
    )
    chosen = [(c.window.train_start // DAY_MS, c.params["a"]) for c in study.choices]
    assert chosen == [(0, 3), (30, 3), (60, 3), (90, 3), (120, 1), (150, 1), (180, 1), (210, 1)]


def test_the_choice_sees_nothing_of_its_test():
    """The test of each window is spoilt for whatever was chosen; the choices stay what they were."""
    honest = walk_forward(table(lambda p, day: 0.001 * p["a"]), {"a": (1, 2, 3)}, SCHEME, SPAN)
    clean = table(lambda p, day: 0.001 * p["a"])

    def spoilt(params, start, end):
        curve = clean(params, start, end)
        return curve if end - start > 45 * DAY_MS else Curve(curve.ts, curve.returns - 0.01 * params["a"])

    found = walk_forward(spoilt, {"a": (1, 2, 3)}, SCHEME, SPAN)
    assert [c.params for c in found.choices] == [c.params for c in honest.choices] == [{"a": 3}] * 8
    assert found.curve.returns == pytest.approx(honest.curve.returns - 0.03)


def test_efficiency_is_the_share_of_the_gain_that_is_left():
    def gain(params, day):
        return 0.02 - NOISE[day]

    study = walk_forward(table(gain), {"a": (1,)}, SCHEME, SPAN)
    assert study.efficiency.value == pytest.approx(1.0)
    halves = walk_forward(_halved(gain), {"a": (1,)}, SCHEME, SPAN)
    assert (halves.efficiency.value, halves.efficiency.low, halves.efficiency.high) == pytest.approx((0.5, 0.5, 0.5))


def _halved(gain):
    whole = table(gain)

    def evaluate(params, start, end):
        curve = whole(params, start, end)
        return Curve(curve.ts, curve.returns * (0.5 if end - start < 45 * DAY_MS else 1.0))

    return evaluate


def test_efficiency_of_what_lost_in_sample_is_not_known():
    study = walk_forward(table(lambda p, day: -0.05), {"a": (1,)}, SCHEME, SPAN)
    assert math.isnan(study.efficiency.value)


def test_parameters_that_never_move_are_stable_and_those_at_random_are_not():
    fixed = walk_forward(table(lambda p, day: 0.01 * (p["a"] == 2)), {"a": (1, 2, 3), "b": (1,)}, SCHEME, SPAN)
    assert fixed.stability[0] == ("a", 1.0)
    assert math.isnan(fixed.stability[1][1])
    draws = np.random.default_rng(2).random((400, 7))
    scheme = WalkForward(train_ms=DAY_MS * 3, test_ms=DAY_MS * 2)
    random = walk_forward(table(lambda p, day: draws[day, p["a"]]), {"a": tuple(range(7))}, scheme, (0, 399 * DAY_MS))
    assert random.stability[0][1] == pytest.approx(0.0, abs=0.25)


def test_agreement_is_spearmans_rank_correlation():
    from scipy.stats import spearmanr

    draws = np.random.default_rng(3).normal(0, 0.004, (400, 12))
    study = walk_forward(table(lambda p, day: draws[day, p["a"]]), {"a": tuple(range(12))}, SCHEME, SPAN)
    returns = NOISE[:, None] + draws
    inside, outside = (returns[a:b].mean(axis=0) / returns[a:b].std(axis=0, ddof=1) for a, b in ((1, 61), (61, 91)))
    assert study.choices[0].agreement == pytest.approx(spearmanr(inside, outside).statistic)
    assert study.choices[0].average == pytest.approx(outside.mean())


def test_where_nothing_can_be_measured_the_test_is_spent_in_cash():
    def never(params, start, end):
        ts = np.arange(start // DAY_MS + 1, end // DAY_MS + 1, dtype=np.int64) * DAY_MS
        return Curve(ts, np.zeros(len(ts)))

    study = walk_forward(never, {"a": (1, 2)}, SCHEME, SPAN)
    assert {c.params for c in study.choices} == {None}
    assert not study.curve.returns.any()


def test_the_order_of_work_does_not_change_the_study():
    def backwards(call, jobs):
        done = {id(job): call(job) for job in reversed(jobs)}
        return [done[id(job)] for job in jobs]

    evaluate = table(lambda p, day: 0.001 * p["a"] * math.sin(day))
    here = walk_forward(evaluate, {"a": (1, 2, 3)}, SCHEME, SPAN)
    there = walk_forward(evaluate, {"a": (1, 2, 3)}, SCHEME, SPAN, backwards)
    assert here.curve.returns.tolist() == there.curve.returns.tolist()


@given(st.lists(st.integers(1, 6), min_size=1, max_size=4))
def test_a_grid_has_every_combination_once(sizes):
    grid = {f"p{i}": tuple(range(size)) for i, size in enumerate(sizes)}
    points = grid_points(grid)
    assert len({tuple(point.values()) for point in points}) == len(points) == math.prod(sizes)


def test_impossible_grids_are_refused_before_anything_runs():
    with pytest.raises(ConfigError, match=r"1000 x 1000 x 1000 parameter sets in 6 windows are 12,000,000,000 runs"):
        grid_points({name: range(1000) for name in "abc"}, 6)
    for grid in ({}, {"a": ()}, {"a": (1, 1)}):
        with pytest.raises(ConfigError):
            grid_points(grid)


def test_history_too_short_and_sets_on_different_bars_are_said():
    with pytest.raises(NotEnoughHistory, match="no room"):
        walk_forward(table(lambda p, day: 0.0), {"a": (1,)}, SCHEME, (0, 60 * DAY_MS))

    def late(params, start, end):
        return table(lambda p, day: 0.0)(params, start + params["a"] * DAY_MS, end)

    with pytest.raises(DataError, match="different bars"):
        walk_forward(late, {"a": (1, 2)}, SCHEME, SPAN)
