"""What one candidate may have on its own: reasons to refuse an addition, and ceilings on its weight."""

import math
from collections.abc import Iterator
from typing import NamedTuple

from seakeep.core.market import InstrumentKind
from seakeep.core.units import iso
from seakeep.core.verdicts import RuleHit
from seakeep.risk.breaker import BreakerState
from seakeep.risk.case import Candidate, Case
from seakeep.risk.liquidity import order_room, participation_room
from seakeep.risk.room import NEAR

__all__ = ["Ceiling", "blocks", "ceilings", "stop_distance"]

_UNTIL = {
    BreakerState.BLIND: "until every position has a fresh price",
    BreakerState.REDUCE_ONLY: "until 00:00 UTC",
    BreakerState.REDUCE_WEEK: "until Monday 00:00 UTC",
    BreakerState.REDUCE_LATCHED: "until a written reset",
    BreakerState.FLATTEN: "until everything is closed and the breaker is reset in writing",
    BreakerState.HALTED: "until a written reset",
}
_CAUSE = {
    BreakerState.REDUCE_ONLY: ("max_daily_loss", "daily_loss", "max_daily_loss"),
    BreakerState.REDUCE_WEEK: ("max_weekly_loss", "weekly_loss", "max_weekly_loss"),
    BreakerState.REDUCE_LATCHED: ("reduce_drawdown", "drawdown", "reduce_drawdown"),
    BreakerState.FLATTEN: ("max_drawdown", "drawdown", "max_drawdown"),
    BreakerState.HALTED: ("max_drawdown", "drawdown", "max_drawdown"),
}


_EXACT = 1.0 + 1e-12
_MEASURED = ("target", "equity", "price", "position", "exposure", "stop")


class Ceiling(NamedTuple):
    """A limit on a figure that grows with the weight: value = offset + slope x |weight|."""

    rule: str
    offset: float
    slope: float
    limit: float
    message: str

    def value(self, weight: float) -> float:
        """The figure at that weight."""
        return self.offset + self.slope * abs(weight)

    def allows(self, weight: float) -> bool:
        """Whether that weight is within the limit, but for the last bits of a product."""
        return self.value(weight) <= self.limit * _EXACT

    @property
    def weight(self) -> float:
        """Largest absolute weight within the limit."""
        return max(0.0, (self.limit - self.offset) / self.slope) if self.slope > 0 else math.inf


def blocks(candidate: Candidate, case: Case) -> Iterator[RuleHit]:
    """Why no addition of this candidate may pass at all; nothing if it may."""
    yield from _measurable(candidate, case)
    first = case.candidates[0]
    if first is not candidate and next(c for c in case.candidates if c.symbol == candidate.symbol) is not candidate:
        yield RuleHit("asked_twice", "block", 0.0, 0.0, f"another decision of this slice is on {candidate.symbol}")
    if case.breaker is not BreakerState.NORMAL:
        yield _breaker(case)
    market = case.markets.get(candidate.symbol)
    if market is None:
        yield RuleHit("market_unknown", "block", 0.0, 0.0, f"nothing is known about the market of {candidate.symbol}")
    elif not market.age_bars <= case.limits.max_age_bars:
        message = f"the last bar is of {iso(market.seen)}: no addition on a stale price"
        yield RuleHit("max_age_bars", "block", _number(market.age_bars), case.limits.max_age_bars, message)
    for model in case.models:
        if model.symbol == candidate.symbol and not model.share >= case.limits.min_model_health:
            message = f"expert {model.expert} answers too seldom to be trusted"
            yield RuleHit("min_model_health", "block", _number(model.share), case.limits.min_model_health, message)
    if candidate.decision.target < 0 and candidate.instrument.kind is InstrumentKind.SPOT:
        yield RuleHit("spot_short", "block", candidate.decision.target, 0.0, "spot cannot be sold short")


def _measurable(candidate: Candidate, case: Case) -> Iterator[RuleHit]:
    target, mark, stop, equity = candidate.decision.target, candidate.mark, candidate.stop, case.snapshot.equity
    finite, gross = math.isfinite, case.snapshot.gross
    sound = (
        finite(target),
        finite(equity) and equity > 0,
        finite(mark) and mark > 0,
        finite(candidate.held),
        finite(gross),
        stop is None or (finite(stop) and stop > 0),
    )
    if not all(sound):
        values = (target, equity, mark, candidate.held, gross, stop)
        for name, value, fine in zip(_MEASURED, values, sound, strict=True):
            if not fine:
                message = f"the {name} is {value}: what cannot be measured is not added to"
                yield RuleHit("unmeasurable", "block", _number(value), 0.0, message)
    if stop is not None and (mark - stop) * target <= 0:
        message = f"the stop {stop:g} lies on the winning side of {mark:g}: it protects nothing"
        yield RuleHit("stop_side", "block", _number(stop), _number(mark), message)


def _number(value: float | None) -> float:
    """The value as the journal can keep it."""
    return value if value is not None and math.isfinite(value) else 0.0


def _breaker(case: Case) -> RuleHit:
    until = _UNTIL[case.breaker]
    cause = _CAUSE.get(case.breaker)
    if cause is None:
        return RuleHit("stale_book", "block", 0.0, 0.0, f"a position has no fresh price: only reductions {until}")
    rule, measured, limit = cause
    value, most = getattr(case.snapshot, measured), getattr(case.limits, limit)
    return RuleHit(rule, "block", _number(value), most, f"the breaker is {case.breaker}: only reductions {until}")


def stop_distance(candidate: Candidate, case: Case) -> float:
    """Share of the price lost at the stop; `assumed_stop` without one."""
    if candidate.stop is None:
        return case.limits.assumed_stop
    return abs(candidate.mark - candidate.stop) / candidate.mark


def ceilings(candidate: Candidate, case: Case, *, tail_known: bool) -> Iterator[Ceiling]:
    """The limits on this candidate alone that it meets or nearly meets, in the order they are named to people."""
    limits, equity, asked = case.limits, case.snapshot.equity, abs(candidate.decision.target)
    if asked >= NEAR * limits.max_weight:
        yield Ceiling("max_weight", 0.0, 1.0, limits.max_weight, "position cut to the largest allowed")
    left = limits.max_weight * limits.unknown_tail_share
    if not tail_known and limits.unknown_tail_share < 1.0 and asked >= NEAR * left:
        message = f"fewer than {limits.min_tail_days} days of returns: the tail is not known"
        yield Ceiling("tail_unknown", 0.0, 1.0, left, message)
    most = float(candidate.instrument.max_leverage)
    if candidate.instrument.kind is InstrumentKind.PERPETUAL and asked >= NEAR * most:
        yield Ceiling("instrument_leverage", 0.0, 1.0, most, "the venue lends no more on this contract")
    distance = stop_distance(candidate, case)
    if distance * asked >= NEAR * limits.max_trade_loss:
        at = "at its stop" if candidate.stop is not None else f"if it falls by {distance:.0%}, having no stop"
        yield Ceiling("max_trade_loss", 0.0, distance, limits.max_trade_loss, f"what the position may lose {at}")
    market, before = case.markets[candidate.symbol], -abs(candidate.base) * equity
    moved = before + equity * asked
    for rule, limit, message in (
        ("max_order_notional", limits.max_order_notional, "largest order in quote units"),
        ("max_order_share", order_room(market, limits), "share of an hour's volume (quote units) in one order"),
        (
            "max_participation",
            participation_room(market, limits),
            "share of this hour's volume (quote units) that is left to us",
        ),
    ):
        if moved >= NEAR * limit:
            yield Ceiling(rule, before, equity, limit, message)
