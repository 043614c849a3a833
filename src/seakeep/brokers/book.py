"""What the simulated venue keeps of one market: its last bars, its mark, the orders that work in it."""

import math
from collections import deque
from dataclasses import dataclass, field
from decimal import Decimal

from seakeep.core.errors import DataError
from seakeep.core.market import Bar, Instrument, InstrumentKind
from seakeep.core.orders import Order, OrderType, TimeInForce
from seakeep.core.units import iso, quantise_down, quantise_up
from seakeep.execution.costs import CostRates, range_variance, taker_price
from seakeep.execution.matching import AT_OPEN, NEVER, Candle, Touch, meet_limit, meet_stop, meet_stop_limit, trail

__all__ = ["Market", "Working", "exact"]


def exact(price: float) -> Decimal:
    """The shortest decimal that reads back as this float; NumPy's floats are taken as their value.

    >>> exact(0.1)
    Decimal('0.1')
    """
    return Decimal(repr(float(price)))


@dataclass(slots=True, eq=False)
class Working:
    """An order at the venue. `sent` and `arrival` bound the first price it may meet; NaN is a price it lacks."""

    order: Order
    sent: int
    arrival: int
    sequence: int
    limit: float
    stop: float
    fresh: bool = True
    triggered: bool = False
    fills: int = 0

    @classmethod
    def of(cls, order: Order, sent: int, arrival: int, sequence: int) -> "Working":
        """Take up an order that was sent at `sent` and reached the venue at `arrival`."""
        return cls(order, sent, arrival, sequence, _float(order.price), _float(order.stop_price))

    def may_meet(self, bar: Bar) -> bool:
        """Whether the bar's open can come after the order.

        A delay shorter than the bar cannot be seen on bars: the order meets the first open at or after it was sent.
        A longer one waits for the first open at or after its arrival.
        """
        short = self.arrival - self.sent < bar.close_time - bar.open_time
        return bar.open_time >= (self.sent if short else self.arrival)

    def meet(self, candle: Candle, touch_fills: bool) -> Touch:
        """How this bar meets the order; remembers a trigger, and where a trailing stop stands for the next bar.

        What a bar's volume leaves of a triggered stop goes at later opens, never better than the trigger.
        """
        side, arriving, self.fresh = self.order.side.sign, self.fresh, False
        match self.order.type:
            case OrderType.LIMIT:
                touch: Touch = meet_limit(side, self.limit, candle, arriving, touch_fills)
            case OrderType.STOP_LIMIT if not self.triggered:
                self.triggered, touch = meet_stop_limit(side, self.stop, self.limit, candle)
            case OrderType.STOP_LIMIT:
                touch = meet_limit(side, self.limit, candle, False, touch_fills)
            case OrderType.STOP | OrderType.TRAILING if not self.triggered:
                touch = self._meet_stop(side, candle)
            case OrderType.MARKET:
                touch = Touch(AT_OPEN, candle.open, False)
            case _:
                worse = max(self.stop, candle.open) if side > 0 else min(self.stop, candle.open)
                touch = Touch(AT_OPEN, worse, False)
        return touch

    def _meet_stop(self, side: int, candle: Candle) -> Touch:
        if math.isnan(self.stop):
            self.stop = candle.open * (1.0 + side * float(self.order.trail or 0))
        touch: Touch = meet_stop(side, self.stop, candle)
        self.triggered = touch.when != NEVER
        if self.order.type is OrderType.TRAILING and not self.triggered:
            self.stop = trail(side, self.stop, candle, float(self.order.trail or 0))
        return touch

    @property
    def expires(self) -> bool:
        """Whether it is gone unless it trades at once."""
        return self.order.tif is TimeInForce.IOC and (self.triggered or self.order.type in _AT_ONCE)

    @property
    def protects(self) -> bool:
        """Whether it is a stop of some kind, which pessimism lets go first."""
        return self.order.type not in (OrderType.LIMIT, OrderType.MARKET)


_AT_ONCE = (OrderType.MARKET, OrderType.LIMIT)


def _float(price: Decimal | None) -> float:
    return math.nan if price is None else float(price)


@dataclass(slots=True, eq=False)
class Market:
    """One instrument at the venue. `qty` mirrors the position as a float; `taken` is our volume in the present bar."""

    instrument: Instrument
    rates: CostRates
    window: deque[Bar]
    bar: Bar | None = None
    length: int = 0
    taken: float = 0.0
    qty: float = 0.0
    since: int = 0
    funded_ts: int = -1
    orders: dict[str, Working] = field(default_factory=dict)
    _activity: tuple[float, float] | None = None

    @property
    def margined(self) -> bool:
        """Whether this is a perpetual with an open position."""
        return self.qty != 0.0 and self.instrument.kind is InstrumentKind.PERPETUAL

    def take(self, bar: Bar) -> bool:
        """Take in a bar of the shortest interval seen; longer ones tell the same story again. True if it counts.

        Raises: DataError if it overlaps the bar before.
        """
        length = bar.close_time - bar.open_time
        if length != self.length:
            if self.length and length > self.length:
                return False
            self.length = length
            self.window.clear()
        elif bar.open_time < self.bar.close_time:  # type: ignore[union-attr]
            remedy = "feed each bar once, in time order"
            raise DataError(f"{bar.symbol}: bar overlaps the one before", value=iso(bar.open_time), remedy=remedy)
        self.bar = bar
        self.taken = 0.0
        self._activity = None
        self.window.append(bar)
        return True

    def activity(self) -> tuple[float, float]:
        """Sigma of a bar's log return and mean volume of a bar, over the same window, the present bar included."""
        if self._activity is None:
            variance = volume = 0.0
            for bar in self.window:
                variance += range_variance.py_func(bar.high, bar.low)
                volume += bar.volume
            self._activity = math.sqrt(variance / len(self.window)), volume / len(self.window)
        return self._activity

    def taker(self, mid: float, side: int, qty: float) -> Decimal:
        """Price after half the spread and impact, to the tick that is worse for us; at least one tick."""
        sigma, volume = self.activity()
        share = qty / volume if volume > 0 else 1.0
        price = taker_price(mid, side, share, sigma, self.rates)
        rounded = (quantise_up if side > 0 else quantise_down)(price, self.instrument.tick)
        return max(rounded, self.instrument.tick)
