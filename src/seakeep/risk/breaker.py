"""The circuit breaker: a literal table, driven by mark-to-market loss, latched until what set it off is over.

A day's loss holds until the next UTC day, a week's until Monday, a drawdown until a written reset; a loss from the peak
that is too large closes everything and halts. Numbers that are not there count as met.
"""

from enum import StrEnum

from seakeep.core.verdicts import RiskSnapshot
from seakeep.risk.limits import Limits

__all__ = ["PEOPLE", "TRANSITIONS", "Breach", "BreakerState", "breach", "step"]


class BreakerState(StrEnum):
    """What is still allowed: everything in NORMAL, else nothing but reductions.

    BLIND ends with fresh prices, REDUCE_ONLY with the UTC day, REDUCE_WEEK with the week, REDUCE_LATCHED and HALTED by
    a written reset; FLATTEN closes everything, then halts.
    """

    NORMAL = "NORMAL"
    BLIND = "BLIND"
    REDUCE_ONLY = "REDUCE_ONLY"
    REDUCE_WEEK = "REDUCE_WEEK"
    REDUCE_LATCHED = "REDUCE_LATCHED"
    FLATTEN = "FLATTEN"
    HALTED = "HALTED"


class Breach(StrEnum):
    """What the breaker is told: limits met, prices stale or fresh, flat, a new day or week, and what people order."""

    NONE = "NONE"
    STALE = "STALE"
    FRESH = "FRESH"
    DAILY_LOSS = "DAILY_LOSS"
    WEEKLY_LOSS = "WEEKLY_LOSS"
    REDUCE_DRAWDOWN = "REDUCE_DRAWDOWN"
    DRAWDOWN = "DRAWDOWN"
    FLAT = "FLAT"
    NEW_DAY = "NEW_DAY"
    NEW_WEEK = "NEW_WEEK"
    REDUCE_ORDER = "REDUCE_ORDER"
    FLATTEN_ORDER = "FLATTEN_ORDER"
    HALT_ORDER = "HALT_ORDER"
    RESET = "RESET"


_NONE = Breach.NONE
_S, _B = BreakerState, Breach
TRANSITIONS: dict[tuple[BreakerState, Breach], BreakerState] = {
    (_S.NORMAL, _B.STALE): _S.BLIND,
    (_S.NORMAL, _B.DAILY_LOSS): _S.REDUCE_ONLY,
    (_S.NORMAL, _B.WEEKLY_LOSS): _S.REDUCE_WEEK,
    (_S.NORMAL, _B.REDUCE_DRAWDOWN): _S.REDUCE_LATCHED,
    (_S.NORMAL, _B.DRAWDOWN): _S.FLATTEN,
    (_S.NORMAL, _B.REDUCE_ORDER): _S.REDUCE_LATCHED,
    (_S.NORMAL, _B.FLATTEN_ORDER): _S.FLATTEN,
    (_S.NORMAL, _B.HALT_ORDER): _S.HALTED,
    (_S.BLIND, _B.FRESH): _S.NORMAL,
    (_S.BLIND, _B.DAILY_LOSS): _S.REDUCE_ONLY,
    (_S.BLIND, _B.WEEKLY_LOSS): _S.REDUCE_WEEK,
    (_S.BLIND, _B.REDUCE_DRAWDOWN): _S.REDUCE_LATCHED,
    (_S.BLIND, _B.DRAWDOWN): _S.FLATTEN,
    (_S.BLIND, _B.REDUCE_ORDER): _S.REDUCE_LATCHED,
    (_S.BLIND, _B.FLATTEN_ORDER): _S.FLATTEN,
    (_S.BLIND, _B.HALT_ORDER): _S.HALTED,
    (_S.REDUCE_ONLY, _B.NEW_DAY): _S.NORMAL,
    (_S.REDUCE_ONLY, _B.WEEKLY_LOSS): _S.REDUCE_WEEK,
    (_S.REDUCE_ONLY, _B.REDUCE_DRAWDOWN): _S.REDUCE_LATCHED,
    (_S.REDUCE_ONLY, _B.DRAWDOWN): _S.FLATTEN,
    (_S.REDUCE_ONLY, _B.REDUCE_ORDER): _S.REDUCE_LATCHED,
    (_S.REDUCE_ONLY, _B.FLATTEN_ORDER): _S.FLATTEN,
    (_S.REDUCE_ONLY, _B.HALT_ORDER): _S.HALTED,
    (_S.REDUCE_ONLY, _B.RESET): _S.NORMAL,
    (_S.REDUCE_WEEK, _B.NEW_WEEK): _S.NORMAL,
    (_S.REDUCE_WEEK, _B.REDUCE_DRAWDOWN): _S.REDUCE_LATCHED,
    (_S.REDUCE_WEEK, _B.DRAWDOWN): _S.FLATTEN,
    (_S.REDUCE_WEEK, _B.REDUCE_ORDER): _S.REDUCE_LATCHED,
    (_S.REDUCE_WEEK, _B.FLATTEN_ORDER): _S.FLATTEN,
    (_S.REDUCE_WEEK, _B.HALT_ORDER): _S.HALTED,
    (_S.REDUCE_WEEK, _B.RESET): _S.NORMAL,
    (_S.REDUCE_LATCHED, _B.DRAWDOWN): _S.FLATTEN,
    (_S.REDUCE_LATCHED, _B.FLATTEN_ORDER): _S.FLATTEN,
    (_S.REDUCE_LATCHED, _B.HALT_ORDER): _S.HALTED,
    (_S.REDUCE_LATCHED, _B.RESET): _S.NORMAL,
    (_S.FLATTEN, _B.FLAT): _S.HALTED,
    (_S.HALTED, _B.FLATTEN_ORDER): _S.FLATTEN,
    (_S.HALTED, _B.RESET): _S.NORMAL,
}
"""Pairs that are not listed leave the state as it is: nothing leads out of FLATTEN or HALTED but these."""

PEOPLE = {
    "reduce": Breach.REDUCE_ORDER,
    "flatten": Breach.FLATTEN_ORDER,
    "halt": Breach.HALT_ORDER,
    "reset-breaker": Breach.RESET,
}
"""The orders of people that go to the breaker, by the name of the control."""


def step(state: BreakerState, told: Breach) -> BreakerState:
    """The state after being told something.

    >>> step(BreakerState.HALTED, Breach.NEW_DAY).value
    'HALTED'
    """
    return TRANSITIONS.get((state, told), state)


def breach(snapshot: RiskSnapshot, limits: Limits) -> Breach:
    """The worst limit the account has met; a number that is not there counts as met (fails closed).

    >>> breach(RiskSnapshot(0, 100.0, 0.0, float("nan"), 0.0, ()), Limits()).value
    'DAILY_LOSS'
    """
    if not snapshot.drawdown < limits.max_drawdown:
        return Breach.DRAWDOWN
    if not snapshot.drawdown < limits.reduce_drawdown:
        return Breach.REDUCE_DRAWDOWN
    if not snapshot.weekly_loss < limits.max_weekly_loss:
        return Breach.WEEKLY_LOSS
    if not snapshot.daily_loss < limits.max_daily_loss:
        return Breach.DAILY_LOSS
    return _NONE
