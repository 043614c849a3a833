"""Why a score is what it is: parts that add up to it, sentences with their numbers, and the record of a signal.

Nothing is said that was not measured: what is not known is None, and a word such as HIGH has its rule written here.
"""

import math
from collections.abc import Mapping, Sequence

import msgspec

from seakeep.core.beliefs import Sentiment
from seakeep.core.units import iso
from seakeep.core.verdicts import Decision, Outcome, RiskVerdict

__all__ = [
    "USUAL",
    "Explanation",
    "FactorWeights",
    "Part",
    "Reasons",
    "SelectedStrategy",
    "TradingSignal",
    "Voice",
    "by_group",
    "divide",
    "sentences",
    "trading_signal",
]


USUAL = "usual"
"""Name of the part that is there whatever the moment is."""


_FAINT = 0.0005
"""A smaller part of a score is not worth a word."""


class Part(msgspec.Struct, frozen=True):
    """What one input of a voice added to the score: its value, its contribution, and the standard error of that (0:
    exact). The part `USUAL` is what the voice says when it knows nothing of the moment."""

    name: str
    group: str
    value: float | None
    contribution: float
    error: float = 0.0


class Voice(msgspec.Struct, frozen=True):
    """One source of the blend: its `contribution` to the score, and the parts that add up to it; `mean` and `std` are
    of the log return it forecasts, None where it does not forecast. `method` says how the parts were found."""

    source: str
    group: str
    contribution: float
    confidence: float
    mean: float | None = None
    std: float | None = None
    prob_up: float | None = None
    parts: tuple[Part, ...] = ()
    method: str = ""


class Reasons(msgspec.Struct, frozen=True):
    """The score of one symbol at one instant; contributions of the voices add up to it. `silent` are who had nothing
    to say, with why."""

    symbol: str
    ts: int
    score: float
    confidence: float
    voices: tuple[Voice, ...]
    silent: tuple[tuple[str, str], ...] = ()


def divide(
    contribution: float, values: Sequence[float], base: float, errors: Sequence[float]
) -> list[tuple[float, float]]:
    """(contribution, error) of each value and, last, of the base, in proportion: together exactly `contribution`.

    A forecast of zero, whose parts cancel, gives all to the base.

    >>> divide(0.6, [0.02, -0.01], 0.01, [0.0, 0.0])
    [(0.6, 0.0), (-0.3, 0.0), (0.3, 0.0)]
    """
    whole = math.fsum([*values, base])
    factor = contribution / whole if whole and math.isfinite(contribution / whole) else 0.0
    parts = [(value * factor, abs(error * factor)) for value, error in zip(values, errors, strict=True)]
    return [*parts, (contribution - math.fsum(part for part, _ in parts), 0.0)]


def by_group(reasons: Reasons) -> tuple[tuple[str, float], ...]:
    """Contributions summed over the groups of the inputs, the largest in size first; they add up to the score."""
    sums: dict[str, float] = {}
    for voice in reasons.voices:
        for part in voice.parts or (Part(voice.source, voice.group, None, voice.contribution),):
            sums[part.group] = sums.get(part.group, 0.0) + part.contribution
    return tuple(sorted(sums.items(), key=lambda pair: -abs(pair[1])))


def sentences(reasons: Reasons, most: int = 3) -> tuple[str, ...]:
    """The score in words: who pushed it where, by which inputs, and who was silent."""
    when = f"{reasons.symbol} at {iso(reasons.ts)}"
    if not reasons.voices:
        return (f"{when}: nobody had an opinion.", *_silence(reasons))
    said = [f"{when}: score {reasons.score:+.3f}, confidence {reasons.confidence:.2f}."]
    said += [_voice(voice, most) for voice in sorted(reasons.voices, key=lambda v: -abs(v.contribution))]
    against = [v for v in reasons.voices if v.contribution * reasons.score < 0]
    if against:
        weight = math.fsum(v.contribution for v in against)
        said.append(f"Against it: {', '.join(v.source for v in against)}, {weight:+.3f} together.")
    return (*said, *_silence(reasons))


def _voice(voice: Voice, most: int) -> str:
    text = f"{voice.source} ({voice.group}) adds {voice.contribution:+.3f}"
    if voice.mean is not None and voice.std is not None:
        text += f": it expects {voice.mean:+.2%} within {voice.std:.2%}"
        text += "" if voice.prob_up is None else f", a rise with probability {voice.prob_up:.0%}"
    seen = [p for p in voice.parts if abs(p.contribution) >= _FAINT]
    largest = sorted(seen, key=lambda p: -abs(p.contribution))[:most]
    if largest:
        text += f"; most from {', '.join(map(_part, largest))}"
    return text + "."


def _part(part: Part) -> str:
    seen = "" if part.value is None else f" at {part.value:.4g}"
    unsure = f" (+-{1.96 * part.error:.3f})" if part.error else ""
    return f"{part.name}{seen} {part.contribution:+.3f}{unsure}"


def _silence(reasons: Reasons) -> tuple[str, ...]:
    return tuple(f"{source} was silent: {why}." for source, why in reasons.silent)


class SelectedStrategy(msgspec.Struct, frozen=True):
    """The strategy behind a signal."""

    name: str
    type: str
    market_regime: str | None = None
    social_optimization: bool | None = None
    performance_score: float | None = None
    risk_profile: str | None = None
    social_correlation: float | None = None
    time_period: str | None = None
    selection_factors: Mapping[str, float] | None = None


class Explanation(msgspec.Struct, frozen=True):
    """The same signal in words."""

    summary: str
    technical_factors: str
    social_factors: str | None
    social_lead_lag: str | None
    correlation_strength: str | None
    key_indicators: tuple[str, ...]
    risk_assessment: str | None


class FactorWeights(msgspec.Struct, frozen=True):
    """Shares of the sum of absolute contributions, by input, of what is and what is not social."""

    technical_indicators: Mapping[str, float]
    social_metrics: Mapping[str, float]
    market_regime: float | None = None
    strategy_performance: float | None = None
    social_correlation: float | None = None


class TradingSignal(msgspec.Struct, frozen=True):
    """A decision as the message that other programs read. `decision` is BUY, SELL or HOLD; `risk_level` is HIGH where
    the gate refused or halted, MEDIUM where it cut or nearly spoke, LOW where it passed, None where it was not asked.
    """

    decision: str
    confidence: float
    reasoning: str
    risk_level: str | None
    key_indicators: tuple[str, ...]
    social_impact: str | None
    timestamp: str
    symbol: str
    model_version: str | None
    model_id: str | None
    selected_strategy: SelectedStrategy
    explanation: Explanation
    factor_weights: FactorWeights


def trading_signal(
    reasons: Reasons,
    strategy: SelectedStrategy,
    decision: Decision | None = None,
    verdict: RiskVerdict | None = None,
    sentiment: Sentiment | None = None,
) -> TradingSignal:
    """The record of a signal; without a decision it is HOLD."""
    said, keys = sentences(reasons), _keys(reasons)
    leader = max(reasons.voices, key=lambda v: abs(v.contribution), default=None)
    social = _social(sentiment)
    return TradingSignal(
        decision=_word(decision),
        confidence=reasons.confidence,
        reasoning=said[1] if reasons.voices else said[0],
        risk_level=_risk_level(verdict),
        key_indicators=keys,
        social_impact=social,
        timestamp=iso(reasons.ts),
        symbol=reasons.symbol,
        model_version=None if leader is None else leader.source,
        model_id=None if decision is None else decision.id,
        selected_strategy=strategy,
        explanation=Explanation(
            summary=said[0],
            technical_factors=" ".join(said[1:]),
            social_factors=social,
            social_lead_lag=None,
            correlation_strength=None,
            key_indicators=keys,
            risk_assessment=_risk(verdict),
        ),
        factor_weights=_weights(reasons),
    )


def _word(decision: Decision | None) -> str:
    """A decision to hold nothing sells what is held."""
    if decision is None:
        return "HOLD"
    return "BUY" if decision.target > 0 else "SELL"


def _keys(reasons: Reasons, most: int = 5) -> tuple[str, ...]:
    sums = _by_input(reasons)
    return tuple(sorted(sums, key=lambda name: -sums[name])[:most])


def _by_input(reasons: Reasons, social: bool | None = None) -> dict[str, float]:
    """Sum of absolute contributions by input; only those that are, or are not, social."""
    sums: dict[str, float] = {}
    for voice in reasons.voices:
        for part in voice.parts or (Part(voice.source, voice.group, None, voice.contribution),):
            if part.name != USUAL and social in (None, part.group in ("social", "sentiment")):
                sums[part.name] = sums.get(part.name, 0.0) + abs(part.contribution)
    return sums


def _weights(reasons: Reasons) -> FactorWeights:
    whole = math.fsum(_by_input(reasons).values())
    technical, social = (
        {name: value / whole for name, value in _by_input(reasons, social).items()} if whole else {}
        for social in (False, True)
    )
    return FactorWeights(technical, social)


def _risk_level(verdict: RiskVerdict | None) -> str | None:
    if verdict is None:
        return None
    if not verdict.allowed:
        return "HIGH"
    return "MEDIUM" if verdict.outcome is Outcome.RESIZED or verdict.near_misses else "LOW"


def _risk(verdict: RiskVerdict | None) -> str | None:
    if verdict is None:
        return None
    spoken = "; ".join(f"{hit.rule}: {hit.message} ({hit.value:g} against {hit.limit:g})" for hit in verdict.hits)
    return f"{verdict.outcome}, target {verdict.target:.2%}" + (f"; {spoken}" if spoken else "")


def _social(sentiment: Sentiment | None) -> str | None:
    if sentiment is None or math.isnan(sentiment.score):
        return None
    return f"sentiment {sentiment.score:+.2f} of {sentiment.volume:g} texts"
