"""Blend, thresholds, hysteresis."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from seakeep.core.beliefs import Forecast, Signal
from seakeep.strategy.decide import Blend, Thresholds, Weights, blend, stance
from seakeep.strategy.signals import from_forecast, from_score

WEIGHTS = Weights().model_dump()


def say(source: str, group: str, score: float, confidence: float = 1.0) -> Signal:
    return Signal(source, group, "A", 0, score, confidence, 1)


def test_the_default_weights_are_those_of_the_mission() -> None:
    # 0.30 technical, 0.25 momentum, 0.20 correlation, 0.15 sentiment, 0.10 machine learning: seed 001's README.
    groups = [say(g, g, 1.0 if g == "technical" else 0.0) for g in WEIGHTS]
    assert blend(groups, WEIGHTS).score == pytest.approx(0.30)


def test_who_abstains_does_not_dilute() -> None:
    assert blend([say("a", "ml", 0.8)], WEIGHTS).score == pytest.approx(0.8)
    assert blend([], WEIGHTS) == Blend(0.0, 0.0, ())


def test_a_voice_that_is_hardly_sure_moves_neither_score_nor_confidence() -> None:
    opinion = blend([say("rule", "technical", 1.0), say("noise", "momentum", -1.0, 0.004)], WEIGHTS)
    assert opinion.score == pytest.approx(1.0, abs=0.01)
    assert opinion.confidence == pytest.approx(1.0, abs=0.01)
    assert blend([say("a", "ml", 1.0, 0.3), say("b", "momentum", 1.0, 0.3)], WEIGHTS).confidence == pytest.approx(0.3)


def test_two_voices_of_a_group_share_its_weight() -> None:
    opinion = blend([say("a", "ml", 1.0), say("b", "ml", 0.0), say("c", "ml", 0.5)], WEIGHTS)
    assert opinion.score == pytest.approx(0.5)


signals = st.lists(
    st.builds(say, st.text(max_size=3), st.sampled_from(list(WEIGHTS)), st.floats(-1, 1), st.floats(0.01, 1)),
    max_size=8,
)


@given(signals)
def test_contributions_add_up_and_the_blend_stays_inside_its_voices(voices: list[Signal]) -> None:
    opinion = blend(voices, WEIGHTS)
    assert sum(value for _, value in opinion.contributions) == pytest.approx(opinion.score)
    assert -1 - 1e-9 <= opinion.score <= 1 + 1e-9
    assert 0 <= opinion.confidence <= 1 + 1e-9


@pytest.mark.parametrize(
    ("score", "confidence", "held", "can_short", "expected"),
    [
        (0.60, 0.5, 0, False, 1),
        (0.59, 1.0, 0, False, 0),
        (0.90, 0.4, 0, False, 0),
        (0.30, 0.1, 1, False, 1),
        (0.20, 1.0, 1, False, 0),
        (-0.70, 1.0, 1, True, -1),
        (-0.70, 1.0, 1, False, 0),
        (-0.30, 1.0, -1, True, -1),
        (0.00, 0.0, -1, True, 0),
    ],
)
def test_entering_takes_more_than_staying(
    score: float, confidence: float, held: int, can_short: bool, expected: int
) -> None:
    assert stance(Blend(score, confidence, ()), held, Thresholds(), can_short=can_short) == expected


def test_thresholds_that_cannot_hold_a_position_are_refused() -> None:
    with pytest.raises(ValidationError, match="exit must be nearer to zero"):
        Thresholds(long=0.3, exit=0.4)


def test_a_forecast_twice_as_strong_as_usual_is_full_conviction() -> None:
    belief = Forecast("ma", "1", "A", 0, 60_000, 0.02, 0.05, 0.66, 0.9)
    signal = from_forecast(belief, "technical", 0.01)
    assert signal is not None
    assert (signal.score, signal.confidence) == (1.0, 0.9)
    assert from_forecast(belief, "technical", 0.0) is None
    assert from_score("s", "technical", "A", 0, float("nan"), 1) is None
