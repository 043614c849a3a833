"""The circuit breaker: a literal table, driven by mark-to-market loss, latched until a written reset."""

from enum import StrEnum

from seakeep.core.verdicts import RiskSnapshot
from seakeep.risk.limits import Limits

__all__ = ["TRANSITIONS", "Breach", "BreakerState", "breach", "step"]


class BreakerState(StrEnum):
    """What is still allowed: everything, only reductions, closing everything, nothing but reductions until reset."""

    NORMAL = "NORMAL"
    REDUCE_ONLY = "REDUCE_ONLY"
    FLATTEN = "FLATTEN"
    HALTED = "HALTED"


class Breach(StrEnum):
    """What the breaker is told: limits met, the account is flat, a new UTC day, a written reset."""

    NONE = "NONE"
    DAILY_LOSS = "DAILY_LOSS"
    DRAWDOWN = "DRAWDOWN"
    FLAT = "FLAT"
    NEW_DAY = "NEW_DAY"
    RESET = "RESET"


_S, _B = BreakerState, Breach
TRANSITIONS: dict[tuple[BreakerState, Breach], BreakerState] = {
    (_S.NORMAL, _B.DAILY_LOSS): _S.REDUCE_ONLY,
    (_S.NORMAL, _B.DRAWDOWN): _S.FLATTEN,
    (_S.REDUCE_ONLY, _B.NEW_DAY): _S.NORMAL,
    (_S.REDUCE_ONLY, _B.DRAWDOWN): _S.FLATTEN,
    (_S.FLATTEN, _B.FLAT): _S.HALTED,
    (_S.HALTED, _B.RESET): _S.NORMAL,
}
"""Pairs that are not listed leave the state as it is: there is no way from FLATTEN or HALTED but these."""


def step(state: BreakerState, told: Breach) -> BreakerState:
    """The state after being told something.

    >>> step(BreakerState.HALTED, Breach.NEW_DAY).value
    'HALTED'
    """
    return TRANSITIONS.get((state, told), state)


def breach(snapshot: RiskSnapshot, limits: Limits) -> Breach:
    """The worst limit the account has met; a number that is not there counts as met (fails closed)."""
    if not snapshot.drawdown < limits.max_drawdown:
        return Breach.DRAWDOWN
    if not snapshot.daily_loss < limits.max_daily_loss:
        return Breach.DAILY_LOSS
    return Breach.NONE
