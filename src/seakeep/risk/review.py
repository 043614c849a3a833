"""The first gate: all decisions of a slice are judged together, at portfolio level, before any order exists."""

import math
from collections.abc import Sequence

from seakeep.core.verdicts import Decision, Outcome, RiskSnapshot, RiskVerdict, RuleHit
from seakeep.risk.breaker import BreakerState
from seakeep.risk.limits import Limits

__all__ = ["review"]

_NEAR = 0.8
"""A limit used to this share is a near miss."""

Protection = tuple[float | None, float | None]


def review(
    decisions: Sequence[Decision],
    protections: Sequence[Protection],
    snapshot: RiskSnapshot,
    limits: Limits,
    breaker: BreakerState,
) -> tuple[RiskVerdict, ...]:
    """One verdict per decision, in order; `protections` are the stop and take-profit price of each.

    Reductions always pass, and free room for the others. Additions share what is left under `max_gross` in
    proportion to what they ask. A review that cannot be computed refuses additions and says why.
    """
    held = dict(snapshot.exposure)
    rulings = [_judge(d, held.get(d.symbol, 0.0), snapshot, limits, breaker) for d in decisions]
    room = _gross_scale(decisions, [target for target, _ in rulings], held, limits)
    return tuple(
        _verdict(decision, prices, held.get(decision.symbol, 0.0), target, hits, room, limits, breaker)
        for decision, prices, (target, hits) in zip(decisions, protections, rulings, strict=True)
    )


def _reduces(now: float, target: float) -> bool:
    return target == 0.0 or (now * target > 0 and abs(target) <= abs(now))


def _judge(
    decision: Decision, now: float, snapshot: RiskSnapshot, limits: Limits, breaker: BreakerState
) -> tuple[float, tuple[RuleHit, ...]]:
    """The target this decision may have on its own, and the rules that spoke."""
    target = decision.target
    if _reduces(now, target):
        return target, ()
    closed = 0.0 if now * target < 0 else now
    """A flip that may not open the other side still closes this one."""
    if not math.isfinite(target) or not (math.isfinite(snapshot.equity) and snapshot.equity > 0):
        hit = RuleHit("unmeasurable", "block", target, snapshot.equity, "target or equity is not a finite number")
        return closed, (hit,)
    if breaker is not BreakerState.NORMAL:
        return closed, (_breaker_hit(snapshot, limits, breaker),)
    if abs(target) > limits.max_weight:
        hit = RuleHit("max_weight", "warn", abs(target), limits.max_weight, "position cut to the largest allowed")
        return math.copysign(limits.max_weight, target), (hit,)
    return target, ()


def _breaker_hit(snapshot: RiskSnapshot, limits: Limits, breaker: BreakerState) -> RuleHit:
    if breaker is BreakerState.REDUCE_ONLY:
        message = "the day's loss limit is met: only reductions until 00:00 UTC"
        return RuleHit("max_daily_loss", "block", snapshot.daily_loss, limits.max_daily_loss, message)
    message = f"the breaker is {breaker}: only reductions until a written reset"
    return RuleHit("max_drawdown", "block", snapshot.drawdown, limits.max_drawdown, message)


def _gross_scale(
    decisions: Sequence[Decision], targets: Sequence[float], held: dict[str, float], limits: Limits
) -> float:
    """Share of every addition that fits under `max_gross`, in [0, 1]."""
    after = dict(held)
    added = 0.0
    for decision, target in zip(decisions, targets, strict=True):
        now = held.get(decision.symbol, 0.0)
        after[decision.symbol] = target
        if not _reduces(now, target):
            added += abs(target) - (abs(now) if now * target > 0 else 0.0)
    excess = sum(abs(weight) for weight in after.values()) - limits.max_gross
    return 1.0 if excess <= 0 or added <= 0 else max(0.0, 1.0 - excess / added)


def _verdict(
    decision: Decision,
    prices: Protection,
    now: float,
    target: float,
    hits: tuple[RuleHit, ...],
    room: float,
    limits: Limits,
    breaker: BreakerState,
) -> RiskVerdict:
    if room < 1.0 and not _reduces(now, target):
        base = now if now * target > 0 else 0.0
        target = base + (target - base) * room
        message = "additions of this slice share what is left of the gross limit"
        hits = (*hits, RuleHit("max_gross", "warn", 1.0 - room, limits.max_gross, message))
        if abs(target - base) < limits.min_weight:
            target = base
    blocked = any(hit.severity == "block" for hit in hits)
    outcome = _outcome(decision.target, now, target, blocked=blocked, breaker=breaker)
    stop, take = prices if outcome in (Outcome.APPROVED, Outcome.RESIZED) else (None, None)
    return RiskVerdict(
        decision.id, decision.symbol, decision.ts, outcome, target, stop, take, hits, _near_misses(target, hits, limits)
    )


def _outcome(asked: float, now: float, given: float, *, blocked: bool, breaker: BreakerState) -> Outcome:
    if given == asked:
        return Outcome.APPROVED
    if given != now:
        return Outcome.RESIZED
    return Outcome.HALTED if blocked and breaker in (BreakerState.FLATTEN, BreakerState.HALTED) else Outcome.REFUSED


def _near_misses(target: float, hits: tuple[RuleHit, ...], limits: Limits) -> tuple[RuleHit, ...]:
    if hits or abs(target) < _NEAR * limits.max_weight:
        return ()
    message = f"{abs(target) / limits.max_weight:.0%} of the largest position"
    return (RuleHit("max_weight", "info", abs(target), limits.max_weight, message),)
