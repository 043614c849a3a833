from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seakeep.backtest.search.space import Estimated, Space, ask, propose
from seakeep.core.errors import ConfigError

SPACE = Space.of({"fast": (10, 20, 30), "slow": (50, 100), "kind": ("a", "b")})


def test_a_grid_is_every_combination_once_in_order():
    points = list(propose(SPACE, "grid", 0, 1))
    assert len(points) == len(set(points)) == SPACE.size == 12
    assert SPACE.params(points[0]) == {"fast": 10, "slow": 50, "kind": "a"}
    assert list(propose(SPACE, "grid", 5, 1)) == points[:5]


@given(trials=st.integers(1, 20), seed=st.integers(0, 1000))
def test_a_random_search_draws_without_replacement_and_a_longer_one_goes_on_where_a_shorter_ended(trials, seed):
    points = list(propose(SPACE, "random", trials, seed))
    assert len(set(points)) == len(points) == min(trials, 12)
    assert list(propose(SPACE, "random", 12, seed))[: len(points)] == points


def test_a_space_of_a_billion_is_never_laid_out():
    huge = Space.of({name: tuple(range(1000)) for name in "abc"})
    assert huge.size == 10**9
    assert len(list(islice(propose(huge, "grid", 0, 1), 3))) == 3
    drawn = list(propose(huge, "random", 50, 1))
    assert len(set(drawn)) == 50


def test_a_billion_candidates_are_refused_with_their_time_and_memory():
    huge = Space.of({name: tuple(range(1000)) for name in "abc"})
    with pytest.raises(
        ConfigError, match=r"1,000,000,000 candidates of a space of 1000 x 1000 x 1000 would take about"
    ):
        Estimated(0.01, 4000).refuse(huge, huge.size, 1 << 30)
    with pytest.raises(ConfigError, match=r"11d 13h and 3,725\.3 GiB"):
        Estimated(0.001, 4000).refuse(huge, huge.size, 1 << 30)
    Estimated(0.01, 4000).refuse(SPACE, SPACE.size, 1 << 20)


def test_memory_is_capped_even_for_few_candidates():
    with pytest.raises(ConfigError, match="within --memory 1"):
        Estimated(0.01, 1 << 20).refuse(SPACE, 12, 1 << 20)


@pytest.mark.parametrize("given", [{}, {"a": ()}, {"a": (1, 1)}, {"a": tuple(range(10_001))}])
def test_a_space_of_nothing_is_no_space(given):
    with pytest.raises(ConfigError):
        Space.of(given)


def bowl(point):
    return [-float((point[0] - 20) ** 2 + (point[1] - 5) ** 2)]


def test_a_bayesian_search_finds_the_bottom_of_a_bowl_with_a_tenth_of_the_grid():
    space = Space.of({"x": tuple(range(40)), "y": tuple(range(25))})
    best = max(bowl(p)[0] for points in ask(space, "tpe", 100, 1, bowl, 1) for p in points)
    drawn = max(bowl(p)[0] for p in propose(space, "random", 20, 1))
    assert best >= -2
    assert best > drawn


@pytest.mark.parametrize("method", ["tpe", "nsga2"])
def test_a_sampler_told_the_same_asks_the_same(method):
    sides = 2 if method == "nsga2" else 1

    def tell(point):
        return [bowl(point)[0], -float(point[0])][:sides] if point[1] != 3 else None

    space = Space.of({"x": tuple(range(40)), "y": tuple(range(25))})

    def asked(trials):
        return [point for points in ask(space, method, trials, 7, tell, sides) for point in points]

    first = asked(60)
    assert asked(60) == first
    assert asked(30) == first[:30]


@pytest.mark.parametrize(("method", "sizes"), [("tpe", [20, 1, 1, 1]), ("nsga2", [40, 40, 7])])
def test_points_that_do_not_depend_on_each_other_are_asked_together(method, sizes):
    space = Space.of({"x": tuple(range(40)), "y": tuple(range(25))})
    assert [len(points) for points in ask(space, method, sum(sizes), 7, bowl, 1)] == sizes


def test_corners_hold_the_ends_of_every_parameter():
    assert set(Space.of({"a": (1, 2, 3), "b": (1, 2)}).corners()) == {(0, 0), (0, 1), (2, 0), (2, 1)}
    many = list(Space.of(dict.fromkeys("abcdefgh", (1, 2, 3))).corners())
    assert len(many) == 9
    assert np.max(many) == 2
