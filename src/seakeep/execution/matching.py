"""Orders against a bar: when each is met, and at which price before costs.

The functions take and give plain numbers, so that a compiled sweep runs this same source. `side` is +1 for a buy and
-1 for a sell. A bar shows four prices but not their order: where the order matters the worse one for us is assumed,
unless `first` is told otherwise.
"""

from typing import NamedTuple

from seakeep.core.jit import kernel

__all__ = ["AT_OPEN", "BEST", "EXPECTED", "INSIDE", "NEVER", "WORST", "Candle", "Touch"]
__all__ += ["first", "meet_limit", "meet_stop", "meet_stop_limit", "room", "trail"]

NEVER, AT_OPEN, INSIDE = -1, 0, 1
"""When an order is met: not in this bar, at its open, or somewhere inside."""

WORST, EXPECTED, BEST = 0, 1, 2
"""Which of two protective orders comes first when one bar touches both."""


class Candle(NamedTuple):
    """Prices of a bar."""

    open: float
    high: float
    low: float
    close: float


class Touch(NamedTuple):
    """When an order is met, at which price before costs, and whether we were the maker."""

    when: int
    price: float
    maker: bool


@kernel
def meet_limit(side: int, limit: float, candle: Candle, arriving: bool, touch_fills: bool) -> Touch:
    """A limit order fills at its price when price trades through it, at the touch only if `touch_fills`.

    `arriving`: this bar's open is the first price it meets; if that is beyond the limit it crosses as a taker there.
    """
    if arriving and side * (limit - candle.open) > 0.0:
        return Touch(AT_OPEN, candle.open, False)
    extreme = candle.low if side > 0 else candle.high
    beyond = side * (limit - extreme)
    if beyond > 0.0 or (touch_fills and beyond == 0.0):
        return Touch(INSIDE, limit, True)
    return Touch(NEVER, limit, True)


@kernel
def meet_stop(side: int, stop: float, candle: Candle) -> Touch:
    """A stop triggers on the bar's range; its price before costs is the worse of trigger and open."""
    if side * (candle.open - stop) >= 0.0:
        return Touch(AT_OPEN, candle.open, False)
    extreme = candle.high if side > 0 else candle.low
    if side * (extreme - stop) >= 0.0:
        return Touch(INSIDE, stop, False)
    return Touch(NEVER, stop, False)


@kernel
def meet_stop_limit(side: int, stop: float, limit: float, candle: Candle) -> tuple[bool, Touch]:
    """Whether the stop triggers in this bar, and how the limit order it becomes is met in the same bar.

    Triggered at the open, the whole bar lies ahead. Triggered inside, only the trigger price is known to follow: it
    crosses there if the limit is beyond the trigger, else it rests until the next bar.
    """
    trigger = meet_stop(side, stop, candle)
    if trigger.when == NEVER:
        return False, Touch(NEVER, limit, True)
    if trigger.when == AT_OPEN:
        return True, meet_limit(side, limit, candle, True, False)
    if side * (limit - stop) > 0.0:
        return True, Touch(INSIDE, stop, False)
    return True, Touch(NEVER, limit, True)


@kernel
def trail(side: int, stop: float, candle: Candle, fraction: float) -> float:
    """Trigger of a trailing stop after a bar that did not meet it; it follows the best price and never goes back.

    It counts from the next bar on: inside a bar it is unknown whether the best price came before the worst.
    """
    if side > 0:
        return min(stop, candle.low * (1.0 + fraction))
    return max(stop, candle.high * (1.0 - fraction))


@kernel
def first(path: int, is_stop: bool, price: float, open_price: float) -> float:
    """Sort key of an order met inside a bar, smaller first: who comes first is unknown when several are met.

    WORST: stops before limits. BEST: limits before stops. EXPECTED: the price nearer to the open, which a driftless
    walk meets first more often.
    """
    if path == EXPECTED:
        return abs(price - open_price)
    return 0.0 if is_stop == (path == WORST) else 1.0


@kernel
def room(volume: float, participation: float, taken: float) -> float:
    """Quantity that may still trade in a bar of this volume: participation x volume less what was taken."""
    return max(participation * volume - taken, 0.0)
