"""Protective prices: fixed, by range, by volatility, with a ladder."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from seakeep.risk.stops import StopParams, adaptive_factor, protect, stop_distance


def test_protection_lies_on_the_losing_and_the_winning_side() -> None:
    params = StopParams(stop_loss=0.1, take_profit=0.2)
    assert protect(100.0, 0.5, params) == (90.0, ((120.0, 1.0),))
    assert protect(100.0, -0.5, params) == (pytest.approx(110.0), ((80.0, 1.0),))
    assert protect(100.0, 0.0, params) == (None, ())
    assert protect(100.0, math.nan, params) == (None, ())


def test_a_range_sets_the_stop_and_without_one_the_fixed_distance_does() -> None:
    params = StopParams(stop_loss=0.02, atr_multiple=2.5)
    assert stop_distance(params, atr=0.03) == pytest.approx(0.075)
    assert stop_distance(params) == 0.02


@pytest.mark.parametrize(("yearly", "factor"), [(0.0, 0.5), (0.25, 1.25), (0.5, 2.0), (3.0, 2.0)])
def test_the_adaptive_factor_is_the_published_line_and_at_most_two(yearly: float, factor: float) -> None:
    # The factor of the original: 0.5 + 1.5 min(1, yearly volatility / 0.5).
    assert adaptive_factor(yearly) == factor
    assert stop_distance(StopParams(stop_loss=0.02, adaptive=True), None, yearly) == pytest.approx(0.02 * factor)


def test_a_volatility_that_is_not_known_gives_the_nearer_stop() -> None:
    assert stop_distance(StopParams(stop_loss=0.02, adaptive=True)) == 0.01


def test_no_stop_is_nearer_than_the_least_distance() -> None:
    assert stop_distance(StopParams(stop_loss=0.02, adaptive=True, min_distance=0.015)) == 0.015


def test_until_it_is_active_the_fixed_stop_stands() -> None:
    assert protect(100.0, 0.1, StopParams(stop_loss=0.05, trailing=0.02))[0] == 98.0
    assert protect(100.0, 0.1, StopParams(stop_loss=0.05, trailing=0.02, activation=0.01))[0] == 95.0


def test_a_ladder_climbs_on_either_side() -> None:
    params = StopParams(ladder=((0.02, 0.5), (0.05, 0.5)))
    assert protect(100.0, 0.1, params)[1] == ((102.0, 0.5), (105.0, 0.5))
    assert protect(100.0, -0.1, params)[1] == ((98.0, 0.5), (95.0, 0.5))


@pytest.mark.parametrize(
    "ladder", [((0.05, 0.5), (0.02, 0.5)), ((0.02, 0.7), (0.05, 0.7)), ((0.0, 1.0),), ((0.1, 0.0),)]
)
def test_a_ladder_that_does_not_climb_or_sells_too_much_is_refused(ladder: object) -> None:
    with pytest.raises(ValidationError, match="ladder"):
        StopParams.model_validate({"ladder": ladder})


@given(st.floats(0.001, 0.9), st.floats(0, 5), st.floats(0, 10), st.booleans(), st.sampled_from([-0.1, 0.1]))
def test_a_stop_is_always_on_the_losing_side_of_the_price(
    loss: float, atr: float, yearly: float, adaptive: bool, target: float
) -> None:
    params = StopParams(stop_loss=loss, atr_multiple=1.0, adaptive=adaptive)
    stop, _ = protect(100.0, target, params, atr, yearly)
    if stop is not None:
        assert stop > 0
        assert (100.0 - stop) * target > 0
