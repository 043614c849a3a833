"""What one candidate may have on its own: reasons to refuse an addition, and ceilings on its weight."""

import math

import msgspec

from seakeep.core.market import InstrumentKind
from seakeep.core.units import iso
from seakeep.core.verdicts import RuleHit
from seakeep.risk.breaker import BreakerState
from seakeep.risk.case import Candidate, Case
from seakeep.risk.liquidity import order_rooms
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
_INF = math.inf
_NORMAL, _SPOT, _PERPETUAL = BreakerState.NORMAL, InstrumentKind.SPOT, InstrumentKind.PERPETUAL
_ORDER_RULES = (
    ("max_order_notional", "largest order in quote units"),
    ("max_order_share", "share of an hour's volume (quote units) in one order"),
    ("max_participation", "share of this hour's volume (quote units) that is left to us"),
)
_MEASURED = ("target", "equity", "price", "position", "exposure", "stop")


class Ceiling(msgspec.Struct, frozen=True, gc=False):
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
        return self.offset + self.slope * abs(weight) <= self.limit * _EXACT

    @property
    def weight(self) -> float:
        """Largest absolute weight within the limit."""
        return max(0.0, (self.limit - self.offset) / self.slope) if self.slope > 0 else math.inf


def blocks(candidate: Candidate, case: Case) -> list[RuleHit]:
    """Why no addition of this candidate may pass at all; nothing if it may."""
    found, symbol, target = _measurable(candidate, case), candidate.decision.symbol, candidate.decision.target
    first = case.candidates[0]
    if first is not candidate and next(c for c in case.candidates if c.symbol == symbol) is not candidate:
        found.append(_block("asked_twice", 0.0, 0.0, f"another decision of this slice is on {symbol}"))
    if case.breaker is not _NORMAL:
        found.append(_breaker(case))
    market, limits = case.markets.get(symbol), case.limits
    if market is None:
        found.append(_block("market_unknown", 0.0, 0.0, f"nothing is known about the market of {symbol}"))
    elif not market.age_bars <= limits.max_age_bars:
        message = f"the last bar is of {iso(market.seen)}: no addition on a stale price"
        found.append(_block("max_age_bars", market.age_bars, limits.max_age_bars, message))
    for model in case.models:
        if model.symbol == symbol and not model.share >= limits.min_model_health:
            message = f"expert {model.expert} answers too seldom to be trusted"
            found.append(_block("min_model_health", model.share, limits.min_model_health, message))
    if target < 0 and candidate.instrument.kind is _SPOT:
        found.append(_block("spot_short", target, 0.0, "spot cannot be sold short"))
    return found


def _measurable(candidate: Candidate, case: Case) -> list[RuleHit]:
    target, held, gross = candidate.decision.target, candidate.held, case.snapshot.gross
    mark, stop, equity = candidate.mark, candidate.stop, case.snapshot.equity
    sound = (
        -_INF < target < _INF,
        0.0 < equity < _INF,
        0.0 < mark < _INF,
        -_INF < held < _INF,
        -_INF < gross < _INF,
        stop is None or 0.0 < stop < _INF,
    )
    found = []
    if False in sound:
        values = (target, equity, mark, held, gross, stop)
        for name, value, fine in zip(_MEASURED, values, sound, strict=True):
            if not fine:
                found.append(
                    _block(
                        "unmeasurable", value, 0.0, f"the {name} is {value}: what cannot be measured is not added to"
                    )
                )
    if stop is not None and (mark - stop) * target <= 0:
        message = f"the stop {stop:g} lies on the winning side of {mark:g}: it protects nothing"
        found.append(_block("stop_side", stop, _number(mark), message))
    return found


def _block(rule: str, value: float | None, limit: float, message: str) -> RuleHit:
    return RuleHit(rule, "block", _number(value), limit, message)


def _number(value: float | None) -> float:
    """The value as the journal can keep it."""
    return value if value is not None and math.isfinite(value) else 0.0


def _breaker(case: Case) -> RuleHit:
    until = _UNTIL[case.breaker]
    cause = _CAUSE.get(case.breaker)
    if cause is None:
        return _block("stale_book", 0.0, 0.0, f"a position has no fresh price: only reductions {until}")
    rule, measured, limit = cause
    value, most = getattr(case.snapshot, measured), getattr(case.limits, limit)
    return _block(rule, value, most, f"the breaker is {case.breaker}: only reductions {until}")


def stop_distance(candidate: Candidate, case: Case) -> float:
    """Share of the price lost at the stop; `assumed_stop` without one."""
    if candidate.stop is None:
        return case.limits.assumed_stop
    return abs(candidate.mark - candidate.stop) / candidate.mark


def ceilings(candidate: Candidate, case: Case, *, tail_known: bool) -> list[Ceiling]:
    """The limits on this candidate alone that it meets or nearly meets, in the order they are named to people."""
    limits, instrument, asked, found = case.limits, candidate.instrument, abs(candidate.decision.target), []
    if asked >= NEAR * limits.max_weight:
        found.append(Ceiling("max_weight", 0.0, 1.0, limits.max_weight, "position cut to the largest allowed"))
    if not tail_known and limits.unknown_tail_share < 1.0:
        left = limits.max_weight * limits.unknown_tail_share
        if asked >= NEAR * left:
            message = f"fewer than {limits.min_tail_days} days of returns: the tail is not known"
            found.append(Ceiling("tail_unknown", 0.0, 1.0, left, message))
    if instrument.kind is _PERPETUAL:
        most = float(instrument.max_leverage)
        if asked >= NEAR * most:
            found.append(Ceiling("instrument_leverage", 0.0, 1.0, most, "the venue lends no more on this contract"))
    distance = stop_distance(candidate, case)
    if distance * asked >= NEAR * limits.max_trade_loss:
        at = "at its stop" if candidate.stop is not None else f"if it falls by {distance:.0%}, having no stop"
        message = f"what the position may lose {at}"
        found.append(Ceiling("max_trade_loss", 0.0, distance, limits.max_trade_loss, message))
    market, equity = case.markets[candidate.decision.symbol], case.snapshot.equity
    before = -abs(candidate.base) * equity
    moved, rooms = before + equity * asked, order_rooms(market, limits)
    if moved >= NEAR * min(rooms):
        spoken = zip(_ORDER_RULES, rooms, strict=True)
        found += [Ceiling(rule, before, equity, room, said) for (rule, said), room in spoken if moved >= NEAR * room]
    return found
