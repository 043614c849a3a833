"""From signals to a stance: weighted blend, thresholds, hysteresis."""

import math
from collections.abc import Mapping, Sequence

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
    """The weighted opinion; `contributions` add up to `score`.

    `dissent` is the deviation of the voices' scores around it, each as loud as it was heard: 0 if all say the same, 1
    if halves say the opposite at full conviction.
    """

    score: float
    confidence: float
    contributions: tuple[tuple[str, float], ...]
    dissent: float = 0.0


def blend(signals: Sequence[Signal], weights: Mapping[str, float], learnt: Mapping[str, float] | None = None) -> Blend:
    """Confidence-weighted mean of the signals, each group at its weight; or each voice at what it has learnt.

    Within a group signals share the group's weight. score = sum(w c s) / sum(w c), and the confidence is that of who
    was heard, sum(w c c) / sum(w c): a voice that is hardly sure moves neither. With nothing to blend both are 0. A
    voice of a group that weighs nothing is not heard, whatever it has earned.

    >>> up, down = Signal("a", "technical", "X", 0, 1.0, 1.0, 1), Signal("b", "momentum", "X", 0, -1.0, 0.5, 1)
    >>> blend((up, down), {"technical": 0.5, "momentum": 0.5}).score == 1 / 3
    True
    """
    members: dict[str, int] = {}
    for signal in signals:
        members[signal.group] = members.get(signal.group, 0) + 1
    parts, voice, sure, square = [], 0.0, 0.0, 0.0
    for signal in signals:
        said, confidence = signal.score, signal.confidence
        share = weights.get(signal.group, 0.0) / members[signal.group]
        if share:
            loudness = (share if learnt is None else learnt[signal.source]) * confidence
            part = loudness * said
            voice += loudness
            sure += loudness * confidence
            square += part * said
            parts.append((signal.source, part))
    if voice <= 0:
        return Blend(0.0, 0.0, ())
    score, contributions = 0.0, []
    for source, part in parts:
        score += part / voice
        contributions.append((source, part / voice))
    apart = square / voice - score * score
    return Blend(score, sure / voice, tuple(contributions), math.sqrt(apart) if apart > 0.0 else 0.0)


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
