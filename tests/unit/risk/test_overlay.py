"""The overlay against the numbers of the original, and the three things it may never do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seakeep.core.beliefs import Sentiment
from seakeep.risk.overlay import Adjustment, OverlayParams, adjust, faded, quality

ON = OverlayParams(enabled=True, volatility=0.0)
LOUD = OverlayParams(enabled=True)
HOUR = 3_600_000


def tone(score: float, volume: float = 100.0, confidence: float = 1.0, ts: int = 0) -> Sentiment:
    """A sentiment whose score is given in [0, 1], as the original has it."""
    return Sentiment("A/U", ts, 2 * score - 1, volume, confidence)


def test_a_bullish_tone_moves_size_stop_and_target_as_the_original_does() -> None:
    # f = (0.9 - 0.5) * 2 * 0.5 = 0.4: size +0.12, stop -0.08, target +0.16; confidence |0.4| * 2 = 0.8.
    found = adjust(tone(0.9), 0.1, 0, ON)
    assert (found.size, found.stop, found.take_profit) == pytest.approx((1.12, 0.92, 1.16))
    assert (found.tone.label, found.tone.confidence) == ("BULLISH", pytest.approx(0.8))


def test_a_bearish_tone_helps_a_short_as_much_as_it_hurts_a_long() -> None:
    long, short = (adjust(tone(0.1), target, 0, ON) for target in (0.1, -0.1))
    assert (long.size, short.size) == pytest.approx((0.88, 1.12))
    assert long.stop == short.stop == pytest.approx(0.92)
    assert (long.correlation, short.correlation) == pytest.approx((0.9, 1.0))


@pytest.mark.parametrize("score", [0.9, 0.5, 0.1])
@pytest.mark.parametrize(("volume", "factor"), [(10_000, 1.0225), (20_000, 1.045), (1e9, 1.045)])
def test_a_loud_crowd_makes_the_market_more_volatile_whatever_it_says(
    score: float, volume: float, factor: float
) -> None:
    # The original: 0.15 * (0.7 * reactions + 0.3 * min(1, volume / 20000)), without the reactions.
    loud, plain = (adjust(tone(score, volume=volume), 0.1, 0, params) for params in (LOUD, ON))
    assert (loud.volatility, loud.size) == pytest.approx((factor, plain.size / factor))
    assert (loud.stop, loud.take_profit, loud.correlation) == (plain.stop, plain.take_profit, plain.correlation)


@pytest.mark.parametrize(
    ("score", "label"), [(0.65, "NEUTRAL"), (0.35, "NEUTRAL"), (0.6501, "BULLISH"), (0.3499, "BEARISH")]
)
def test_both_thresholds_are_strict(score: float, label: str) -> None:
    assert adjust(tone(score), 0.1, 0, ON).tone.label == label


def test_the_score_loses_half_of_its_distance_in_six_hours() -> None:
    assert faded(0.9, 6 * HOUR, ON.half_life_ms) == pytest.approx(0.7)
    assert adjust(tone(0.9), 0.1, 6 * HOUR, ON).size == pytest.approx(1.06)
    assert adjust(tone(0.9), 0.1, 12 * HOUR, ON).tone.label == "NEUTRAL"


@pytest.mark.parametrize(
    ("seen", "age", "left"),
    [
        (tone(0.9), 0, 1.0),
        (tone(0.9, volume=float("nan")), 0, 0.7),
        (tone(0.9, volume=0), 0, 0.7),
        (tone(0.9, volume=3), 0, 0.8),
        (tone(0.9), 25 * HOUR, 0.8),
        (tone(0.9), 49 * HOUR, 0.5),
        (tone(0.9, volume=0, confidence=float("nan")), 0, 0.4),
        (tone(float("nan")), 0, 0.0),
        (tone(1.5), 0, 0.0),
        (tone(0.9, ts=1), 0, 0.0),
    ],
)
def test_quality_falls_with_what_is_missing_thin_or_old(seen: Sentiment, age: int, left: float) -> None:
    assert quality(seen, age, ON) == left


def test_poor_data_no_data_and_a_switch_that_is_off_change_nothing() -> None:
    assert adjust(tone(0.9, volume=0, confidence=float("nan")), 0.1, 0, ON) == Adjustment()
    assert adjust(None, 0.1, 0, ON) == Adjustment()
    assert adjust(tone(0.9), 0.1, 0, OverlayParams()) == Adjustment()


numbers = st.floats(allow_nan=True, allow_infinity=True)


@given(numbers, numbers, numbers, st.integers(-10, 10**10), st.floats(-1, 1))
def test_no_tone_widens_a_stop_loosens_a_correlation_or_moves_a_size_by_more_than_its_share(
    score: float, volume: float, confidence: float, ts: int, target: float
) -> None:
    found = adjust(Sentiment("A/U", 0, score, volume, confidence), target, ts, ON)
    assert 0.9 <= found.stop <= 1.0
    assert 0.875 <= found.correlation <= 1.0
    assert abs(found.size - 1.0) <= 0.15
    assert abs(found.take_profit - 1.0) <= 0.2
