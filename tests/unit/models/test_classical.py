"""The classical experts learn what is there, and say how sure they are."""

import numpy as np
import pytest

from seakeep.core.beliefs import FeatureFrame
from seakeep.core.errors import ConfigError, NotEnoughHistory, NotFitted
from seakeep.core.market import Float64
from seakeep.models import EXPERTS
from seakeep.models.classical import MovingAverageExpert, RsiExpert, VolatilityExpert

CLASSICAL = ("ma", "rsi", "volatility")


def rsi_frame(x: Float64) -> FeatureFrame:
    """A frame whose standardised RSI is x."""
    return FeatureFrame("A/B", np.arange(len(x)), ("rsi:14",), (50 + 50 * x)[:, None])


def test_the_slope_is_that_of_least_squares_through_the_origin() -> None:
    rng = np.random.default_rng(1)
    x, noise = rng.uniform(-1, 1, 3_000), rng.normal(0, 0.01, 3_000)
    expert = RsiExpert(horizon=1).fit(rsi_frame(x), 0.02 * x + noise, 1)
    slope, *_ = np.linalg.lstsq(x[:, None], 0.02 * x + noise, rcond=None)
    mean, std = expert.predict(rsi_frame(np.array([0.5])))[0]
    assert mean == pytest.approx(0.5 * slope[0], rel=1e-12)
    assert std == pytest.approx(0.01, rel=0.05)
    assert expert.confidence > 0.999


def test_reversion_is_learnt_as_readily_as_continuation() -> None:
    x = np.random.default_rng(2).uniform(-1, 1, 2_000)
    assert RsiExpert(horizon=1).fit(rsi_frame(x), -0.03 * x, 1).predict(rsi_frame(np.array([1.0])))[0, 0] < 0


def test_in_noise_it_is_seldom_believed_and_on_training_rows_alone_never() -> None:
    rng = np.random.default_rng(3)
    drawn = []
    for _ in range(200):
        x, y = rng.uniform(-1, 1, 300), rng.normal(0, 1, 300)
        drawn.append(RsiExpert(horizon=1).fit(rsi_frame(x), y, 1).confidence)
    # P(p < 0.036), where belief is a half, is at most 3.6 % per draw: below 17 of 200 with probability 0.999.
    assert np.mean(np.array(drawn) > 0.5) < 17 / 200
    assert RsiExpert(horizon=1, folds=0).fit(rsi_frame(x), 0.1 * x, 1).confidence == 0.0


def test_a_slope_that_held_only_in_one_fifth_of_the_time_is_not_believed() -> None:
    x, noise = np.random.default_rng(8).uniform(-1, 1, 2_000), np.random.default_rng(9).normal(0, 0.02, 2_000)
    there, once = 0.02 * x + noise, np.where(np.arange(2_000) < 400, 0.1 * x, 0.0) + noise
    always, seldom = (RsiExpert(horizon=1).fit(rsi_frame(x), y, 1) for y in (there, once))
    slope, *_ = np.linalg.lstsq(x[:, None], once, rcond=None)
    assert seldom.slope_ == pytest.approx(slope[0])
    assert seldom.slope_ > 0.01
    assert always.confidence > 0.99 > seldom.confidence


def test_overlapping_horizons_do_not_count_twice() -> None:
    rng = np.random.default_rng(4)
    x, y = rng.uniform(-1, 1, 4_000), rng.normal(0, 1, 4_000)
    once, overlapping = (RsiExpert(horizon=h).fit(rsi_frame(x), y + 0.1 * x, 1).confidence for h in (1, 100))
    assert 0 <= overlapping < once


@pytest.mark.parametrize("folds", [1, -1, 21])
def test_folds_that_cannot_be_are_refused(folds: int) -> None:
    with pytest.raises(ConfigError, match="folds must be 0, or 2"):
        RsiExpert(folds=folds)


def test_the_volatility_expert_scales_with_the_market_and_has_no_direction() -> None:
    rng = np.random.default_rng(5)
    level = np.exp(rng.normal(0, 0.5, 5_000))
    frame = FeatureFrame("A/B", np.arange(5_000), ("return_std:48",), level[:, None])
    expert = VolatilityExpert().fit(frame, 7.0 * level * rng.normal(0, 1, 5_000), 1)
    mean, std = expert.predict(frame)[10]
    assert (mean, expert.confidence, expert.scale) == (0.0, 0.0, 0.0)
    assert std == pytest.approx(7.0 * level[10], rel=0.05)


@pytest.mark.parametrize("name", CLASSICAL)
def test_an_expert_that_has_not_learnt_does_not_speak(name: str) -> None:
    expert = EXPERTS[name]()
    with pytest.raises(NotFitted):
        expert.predict(FeatureFrame("A/B", np.arange(1), expert.features, np.ones((1, len(expert.features)))))


@pytest.mark.parametrize("name", CLASSICAL)
def test_too_little_history_is_said_with_the_need(name: str) -> None:
    expert = EXPERTS[name]()
    values = np.full((100, len(expert.features)), np.nan)
    with pytest.raises(NotEnoughHistory, match="480"):
        expert.fit(FeatureFrame("A/B", np.arange(100), expert.features, values), np.ones(100), 1)


def test_a_still_market_gives_no_opinion_and_no_error() -> None:
    frame = FeatureFrame("A/B", np.arange(600), ("ema:20", "ema:50", "atr:50"), np.tile([10.0, 10.0, 0.0], (600, 1)))
    expert = MovingAverageExpert(horizon=1).fit(frame, np.zeros(600), 1)
    assert (expert.confidence, expert.scale) == (0.0, 0.0)
    assert np.isnan(expert.predict(frame)).all()
