"""What the tone of the crowd may change: size, stop, target and correlation threshold of a decision, within the limits.

The score is in [0, 1], 0.5 neutral. It fades toward neutral by half-life, activity scales how sure it is and never its
direction, and thin or old data change nothing. A bearish tone helps a short as a bullish one helps a long, and no tone
widens a stop. The review comes after the overlay, so nothing here can pass a limit.
"""

import math
from typing import Literal

import msgspec
from pydantic import Field

from seakeep.core.beliefs import Sentiment
from seakeep.core.config import Section
from seakeep.core.units import HOUR_MS

__all__ = ["NEUTRAL", "Adjustment", "OverlayParams", "Tone", "adjust", "excitement", "faded", "quality"]

NEUTRAL = 0.5
_OLD_MS, _VERY_OLD_MS = 24 * HOUR_MS, 48 * HOUR_MS
_MISSING, _THIN, _OLD, _VERY_OLD = 0.3, 0.2, 0.2, 0.5
"""What a sentiment without a count or a confidence, on few texts, over a day and over two days old loses in quality."""


_TEXTS = 0.3
"""Share of the count of texts in how excited the crowd is."""


class OverlayParams(Section):
    """How far the tone may move a decision; effects are per unit of f in [-0.5, 0.5]."""

    enabled: bool = Field(default=False, description="whether sentiment adjusts decisions")
    size: float = Field(0.3, ge=0, le=1, description="effect on the weight")
    stop: float = Field(-0.2, ge=-1, le=0, description="effect on the distance of the stop; never widens it")
    take_profit: float = Field(0.4, ge=0, le=1, description="effect on the distance of the target")
    correlation: float = Field(0.25, ge=0, le=1, description="effect on the correlation threshold; never loosens it")
    volatility: float = Field(
        0.15, ge=0, le=1, description="how much more volatile a market is taken to be when the crowd is loudest"
    )
    loud: float = Field(20_000.0, gt=0, description="texts from which on the crowd is as loud as it counts")
    high: float = Field(0.65, gt=0.5, le=1, description="bullish above this score")
    low: float = Field(0.35, ge=0, lt=0.5, description="bearish below this score")
    half_life_ms: int = Field(
        6 * HOUR_MS, gt=0, description="time in which the score loses half of its distance from neutral"
    )
    min_quality: float = Field(0.5, ge=0, le=1, description="data of less quality change nothing")
    thin_volume: float = Field(10.0, ge=0, description="fewer texts than this are thin")


class Tone(msgspec.Struct, frozen=True):
    """The score now, faded and in [0, 1], what it is called, and how good the data behind it are."""

    score: float
    label: Literal["BULLISH", "BEARISH", "NEUTRAL"]
    confidence: float
    quality: float


class Adjustment(msgspec.Struct, frozen=True):
    """Factors on the weight, the stop's and the targets' distance, and on the correlation threshold.

    `volatility` is the factor by which a loud crowd lets the market be taken as more volatile; `size` has it in it.
    """

    size: float = 1.0
    stop: float = 1.0
    take_profit: float = 1.0
    correlation: float = 1.0
    volatility: float = 1.0
    tone: Tone = Tone(NEUTRAL, "NEUTRAL", 0.0, 0.0)


def faded(score: float, age_ms: int, half_life_ms: int) -> float:
    """A score in [0, 1] after `age_ms`: half of its distance from neutral is gone after each half-life.

    >>> faded(0.9, 6, 6)
    0.7
    """
    return NEUTRAL + (score - NEUTRAL) * math.exp2(-max(0, age_ms) / half_life_ms)


def quality(sentiment: Sentiment, ts: int, params: OverlayParams) -> float:
    """From 1 down to 0: what is missing, thin or old takes away; a score that is no number, or of the future, has 0."""
    age = ts - sentiment.ts
    if not (-1.0 <= sentiment.score <= 1.0) or age < 0:
        return 0.0
    left = 1.0
    known = math.isfinite(sentiment.volume) and sentiment.volume > 0
    left -= 0.0 if known else _MISSING
    left -= 0.0 if 0.0 < sentiment.confidence <= 1.0 else _MISSING
    left -= _THIN if known and sentiment.volume < params.thin_volume else 0.0
    left -= _VERY_OLD if age > _VERY_OLD_MS else _OLD if age > _OLD_MS else 0.0
    return max(0.0, round(left, 12))


def excitement(sentiment: Sentiment, params: OverlayParams) -> float:
    """The factor on volatility for how loud the crowd is, whatever it says: 1 + volatility x 0.3 min(1, volume / loud).

    0.3 is the share of the count of texts; the 0.7 of how many react to them is not measured here, and counts as none.
    """
    heard = max(0.0, sentiment.volume) if math.isfinite(sentiment.volume) else 0.0
    return 1.0 + params.volatility * _TEXTS * min(1.0, heard / params.loud)


def adjust(sentiment: Sentiment | None, target: float, ts: int, params: OverlayParams) -> Adjustment:
    """What the tone does to a decision of that sign; nothing without sentiment, or when it is poor or near neutral.

    f = (score - 0.5), turned round for a short and scaled by the confidence of the data: weight x (1 + size f), stop
    distance x (1 + stop |f|), target distance x (1 + take_profit f), threshold x (1 - correlation |f|) when f < 0. A
    loud crowd makes the market more volatile, and the weight that much smaller.
    """
    if sentiment is None or not params.enabled or target == 0.0:
        return Adjustment()
    good = quality(sentiment, ts, params)
    if good < params.min_quality:
        return Adjustment()
    score = faded(0.5 + 0.5 * sentiment.score, ts - sentiment.ts, params.half_life_ms)
    label: Literal["BULLISH", "BEARISH", "NEUTRAL"] = "NEUTRAL"
    if score > params.high:
        label = "BULLISH"
    elif score < params.low:
        label = "BEARISH"
    sure = min(1.0, max(0.0, sentiment.confidence)) if math.isfinite(sentiment.confidence) else 0.0
    tone = Tone(score, label, 2.0 * abs(score - NEUTRAL) * sure, good)
    wild = excitement(sentiment, params)
    if label == "NEUTRAL":
        return Adjustment(size=1.0 / wild, volatility=wild, tone=tone)
    f = (score - NEUTRAL) * sure * (1.0 if target > 0 else -1.0)
    return Adjustment(
        size=(1.0 + params.size * f) / wild,
        stop=1.0 + params.stop * abs(f),
        take_profit=1.0 + params.take_profit * f,
        correlation=1.0 + min(0.0, params.correlation * f),
        volatility=wild,
        tone=tone,
    )
