"""From signals to a stance: weighted blend, thresholds, hysteresis."""

from collections.abc import Sequence

import msgspec
from pydantic import Field, model_validator

from seakeep.core.beliefs import Signal
from seakeep.core.config import Section

__all__ = ["Blend", "Thresholds", "Weights", "blend", "stance"]


class Thresholds(Section):
    """When a blended score becomes a stance, and when a stance is given up again."""

    long: float = Field(0.60, gt=0, le=1, description="enter long at or above this score")
    short: float = Field(-0.60, lt=0, ge=-1, description="enter short at or below this score (perpetuals only)")
    exit: float = Field(0.20, ge=0, lt=1, description="leave when the score falls under this share of conviction")
    min_confidence: float = Field(0.50, ge=0, le=1, description="no entry below this confidence")

    @model_validator(mode="after")
    def _exit_inside(self) -> "Thresholds":
        if self.exit >= min(self.long, -self.short):
            raise ValueError("exit must be nearer to zero than both entry thresholds")
        return self


class Weights(Section):
    """What each group of opinions weighs in the blend; groups that abstain do not dilute the others."""

    technical: float = Field(0.30, ge=0)
    momentum: float = Field(0.25, ge=0)
    correlation: float = Field(0.20, ge=0)
    sentiment: float = Field(0.15, ge=0)
    ml: float = Field(0.10, ge=0)


class Blend(msgspec.Struct, frozen=True):
    """The weighted opinion; `contributions` add up to `score`."""

    score: float
    confidence: float
    contributions: tuple[tuple[str, float], ...]


def blend(signals: Sequence[Signal], weights: dict[str, float]) -> Blend:
    """Confidence-weighted mean of the signals, each group at its weight.

    Within a group signals share the group's weight. score = sum(w c s) / sum(w c), and the confidence is that of who
    was heard, sum(w c c) / sum(w c): a voice that is hardly sure moves neither. With nothing to blend both are 0.

    >>> up, down = Signal("a", "technical", "X", 0, 1.0, 1.0, 1), Signal("b", "momentum", "X", 0, -1.0, 0.5, 1)
    >>> blend((up, down), {"technical": 0.3, "momentum": 0.2}).score
    0.5
    """
    members: dict[str, int] = {}
    for signal in signals:
        members[signal.group] = members.get(signal.group, 0) + 1
    parts, voice, sure = [], 0.0, 0.0
    for signal in signals:
        share = weights.get(signal.group, 0.0) / members[signal.group]
        if share:
            loudness = share * signal.confidence
            voice, sure = voice + loudness, sure + loudness * signal.confidence
            parts.append((signal.source, loudness * signal.score))
    if voice <= 0:
        return Blend(0.0, 0.0, ())
    contributions = tuple([(source, part / voice) for source, part in parts])
    return Blend(sum([value for _, value in contributions]), sure / voice, contributions)


def stance(opinion: Blend, held: int, thresholds: Thresholds, *, can_short: bool) -> int:
    """What to hold: +1 long, 0 flat, -1 short, given what is `held` now.

    Entering takes the entry threshold and the minimum confidence; staying only takes a score beyond `exit`.
    """
    score = opinion.score
    sure = opinion.confidence >= thresholds.min_confidence
    if score >= thresholds.long and sure:
        return 1
    if score <= thresholds.short and sure and can_short:
        return -1
    return held if held * score > thresholds.exit else 0
