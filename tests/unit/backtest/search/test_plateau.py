import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seakeep.backtest.search.objectives import cut
from seakeep.backtest.search.plateau import choose, neighbourhoods, nested, reach, robust, surroundings
from seakeep.backtest.search.space import Space, propose
from seakeep.core.errors import DataError
from seakeep.core.units import DAY_MS

LINE = Space.of({"a": tuple(range(100, 200, 10))})
GRID = Space.of({"a": tuple(range(1, 8)), "b": tuple(range(1, 8))})
POINTS = np.array(list(propose(GRID, "grid", 0, 1)))


def test_a_plateau_is_chosen_over_a_higher_peak():
    values = np.array([0.0, 0.0, 9.0, 0.0, 2.0, 3.0, 3.0, 3.0, 2.0, 0.0])
    around = neighbourhoods(LINE, np.arange(10)[:, None], 0.0)
    for rule in ("worst", "mean"):
        pick = choose(values, robust(values, around, rule))
        assert (pick.chosen, pick.peak) == ((6, 2) if rule == "worst" else (pick.chosen, 2))
    assert choose(values, robust(values, around, "peak")).chosen == 2


@given(st.lists(st.floats(-5, 5), min_size=49, max_size=49))
def test_a_neighbourhood_is_never_worth_more_by_its_worst_than_by_its_mean_or_its_middle(values):
    table, around = np.array(values), neighbourhoods(GRID, POINTS, 0.0)
    worst, mean = robust(table, around, "worst"), robust(table, around, "mean")
    assert (worst <= mean + 1e-12).all()
    assert (worst <= table).all()
    assert all(worst[i] == min(table[rows]) for i, rows in enumerate(around))


def test_neighbours_lie_within_the_share_and_at_least_one_step_away():
    assert reach(LINE, 0, 5, 0.1) == (4, 6)
    assert reach(LINE, 0, 5, 0.2) == (2, 8)
    assert reach(LINE, 0, 0, 0.0) == (0, 1)
    assert reach(Space.of({"w": ("x", "y", "z")}), 0, 1, 0.9) == (1, 1)


def test_inside_a_grid_there_are_nine_neighbours_at_a_corner_four():
    around = neighbourhoods(GRID, POINTS, 0.0)
    sizes = np.array([len(rows) for rows in around]).reshape(7, 7)
    assert (sizes[1:-1, 1:-1] == 9).all()
    assert sizes[0, 0] == 4


def test_what_is_not_tried_around_a_point_cannot_hold_it_up():
    kept = POINTS[(POINTS != [3, 4]).any(axis=1)]
    around = neighbourhoods(GRID, kept, 0.0)
    lacking = [tuple(p) for p, rows in zip(kept.tolist(), around, strict=True) if not len(rows)]
    assert set(lacking) == set(surroundings(GRID, (3, 4), 0.0)) - {(3, 4)}
    assert np.isnan(robust(np.ones(len(kept)), around, "mean")).sum() == 8


def test_a_lone_point_is_said_to_rest_on_nothing():
    pick = choose(np.array([1.0, 2.0]), np.array([np.nan, np.nan]))
    assert (pick.chosen, pick.rests) == (1, False)
    with pytest.raises(DataError, match="no candidate traded"):
        choose(np.array([np.nan]), np.array([np.nan]))


def test_the_nested_choice_sees_only_what_came_before_it():
    draw = np.random.default_rng(1)
    days = draw.normal(0, 0.01, (400, 10))
    tests = cut(DAY_MS * np.arange(1, 401, dtype=np.int64), 8)
    around = neighbourhoods(LINE, np.arange(10)[:, None], 0.0)
    held, chosen = nested(days, tests, around, "sharpe", "worst")
    for f, rows in enumerate(tests.test):
        changed = days.copy()
        changed[rows.start :] = draw.normal(0, 0.5, changed[rows.start :].shape)
        assert nested(changed, tests, around, "sharpe", "worst")[1][f] == chosen[f]
    assert held.tolist() == np.concatenate([days[r, c] for r, c in zip(tests.test, chosen, strict=True)]).tolist()


def test_choosing_among_noise_is_worth_nothing_and_a_planted_plateau_is_found_each_time():
    draw = np.random.default_rng(4)
    days = draw.normal(0, 0.01, (3000, 10))
    tests = cut(DAY_MS * np.arange(1, 3001, dtype=np.int64), 8)
    around = neighbourhoods(LINE, np.arange(10)[:, None], 0.0)
    noise, _ = nested(days, tests, around, "sharpe", "worst")
    assert abs(noise.mean() / noise.std() * len(noise) ** 0.5) < 2.6
    days[:, 5:8] += 0.003
    _, chosen = nested(days, tests, around, "sharpe", "worst")
    assert set(chosen.tolist()) == {6}


def test_nothing_traded_is_cash():
    tests = cut(DAY_MS * np.arange(1, 401, dtype=np.int64), 8)
    held, chosen = nested(np.zeros((400, 2)), tests, [np.array([0]), np.array([1])], "sharpe", "worst")
    assert set(chosen.tolist()) == {-1}
    assert not held.any()
