"""What the engine remembers between events. Floats mirror the Decimal book so that a slice costs no Decimal."""

from collections import deque
from dataclasses import dataclass, field

from seakeep.core.account import Portfolio, Position
from seakeep.core.beliefs import FeatureFrame, Sentiment
from seakeep.core.market import Bar, Instrument
from seakeep.core.orders import Order, OrderType, Side
from seakeep.core.units import DAY_MS, MINUTE_MS
from seakeep.engine.daily import DailyReturns
from seakeep.engine.outlook import Outlook
from seakeep.features.frame import LiveFeatures
from seakeep.risk.breaker import BreakerState
from seakeep.risk.case import History
from seakeep.risk.limits import Limits
from seakeep.risk.ratchet import Ratchet

__all__ = ["EngineState", "Forecast", "Market"]

_MARKET, _BUY = OrderType.MARKET, Side.BUY
_THURSDAY = 3
"""Days from Monday to 1970-01-01."""


@dataclass(slots=True)
class Market:
    """One symbol: its window of features, its last price, our holding, our open orders, and what the gate looks at.

    `recent` are its last bars, `volumes` (quote units) those of a day, `closes` its price at the start of each UTC day
    (NaN without a bar that day), `volatility` the deviation of its daily returns, kept until the next day; `traded` our
    fills as (ts, quote units), `health` how often each expert lately had an answer, `told` the last refusal,
    `newest` the frame that was read last.
    """

    instrument: Instrument
    features: LiveFeatures
    recent: deque[Bar]
    volumes: deque[float]
    closes: deque[float]
    mark: float = 0.0
    seen: int = 0
    qty: float = 0.0
    spread: float | None = None
    volatility: float | None = None
    volatility_day: int = -1
    orders: dict[str, Order] = field(default_factory=dict)
    last_added_ts: int | None = None
    traded: deque[tuple[int, float]] = field(default_factory=deque)
    health: dict[str, float] = field(default_factory=dict)
    told: tuple[object, ...] = ()
    newest: FeatureFrame | None = None

    def frame(self) -> FeatureFrame:
        """The newest features of this symbol; overwritten at its next bar."""
        stamps, values = self.features.rows()
        if self.newest is None or self.newest.ts is not stamps or self.newest.values is not values:
            self.newest = FeatureFrame(self.instrument.symbol, stamps, self.features.names, values)
        return self.newest

    @property
    def leaving(self) -> bool:
        """Whether an order that closes is on its way: a second one would only take its place."""
        return _MARKET in [order.type for order in self.orders.values() if order.reduce_only]

    @property
    def held(self) -> int:
        """Sign of what we hold or are about to hold: a working order that adds risk, or that closes, counts as done."""
        for order in self.orders.values():
            if not order.reduce_only:
                return 1 if order.side is _BUY else -1
        return 0 if self.orders and self.leaving else (self.qty > 0) - (self.qty < 0)


@dataclass(slots=True)
class Forecast:
    """The VaR that was forecast for a book at the start of a day, and its weights by symbol."""

    var: float
    weights: tuple[tuple[str, float], ...]


@dataclass(slots=True)
class EngineState:
    """The account and the markets. `sequence` numbers decisions and orders, so a replay repeats their ids.

    `exceedances` are the latest days' forecasts, True where the loss was larger; `limit_share` is what they leave of
    the tail limits, `oldest` when the oldest price of a position became known. `outlook` is what it has come to
    believe, None where nothing looks at it. `daily` holds the returns between the `closes` of all markets.
    """

    portfolio: Portfolio
    markets: dict[str, Market]
    cash: float
    peak: float
    day_open: float
    week_open: float
    ratchet: Ratchet
    exceedances: deque[bool]
    daily: DailyReturns
    day: int = -1
    week: int = -1
    sequence: int = 0
    breaker: BreakerState = BreakerState.NORMAL
    paused: bool = False
    limit_share: float = 1.0
    oldest: int = 0
    forecast: Forecast | None = None
    history: History | None = None
    sentiment: dict[str, Sentiment] = field(default_factory=dict)
    added: deque[int] = field(default_factory=deque)
    outlook: Outlook | None = None

    @property
    def limits(self) -> Limits:
        """The limits in force."""
        return self.ratchet.limits

    @property
    def equity(self) -> float:
        """Cash plus the market value of every position, in quote units."""
        return self.cash + sum([m.qty * m.mark for m in self.markets.values() if m.qty])

    def next_id(self, run_id: str, kind: str) -> str:
        """An id that is a pure function of the run and of how many came before."""
        self.sequence += 1
        return f"{run_id}-{kind}{self.sequence}"

    def starts_day(self, ts: int) -> bool:
        """Whether `ts` opens a new UTC day; remembers it."""
        day = ts // DAY_MS
        if day == self.day:
            return False
        self.day = day
        return True

    def starts_week(self) -> bool:
        """Whether the day that has just begun opens a new week (Monday); remembers it."""
        week = (self.day + _THURSDAY) // 7
        if week == self.week:
            return False
        self.week = week
        return True

    def book(self, portfolio: Portfolio) -> None:
        """Take over a new portfolio and refresh the float mirrors."""
        self.portfolio = portfolio
        self.cash = float(portfolio.cash[portfolio.quote])
        for symbol, market in self.markets.items():
            market.qty = float(portfolio.positions.get(symbol, _NOTHING).qty)

    def adding(self) -> list[Order]:
        """Open orders that may still add risk."""
        return [o for market in self.markets.values() for o in market.orders.values() if not o.reduce_only]

    def added_since(self, ts: int) -> int:
        """Orders that added risk in the minute before `ts`."""
        while self.added and self.added[0] <= ts - MINUTE_MS:
            self.added.popleft()
        return len(self.added)

    def open_orders(self) -> tuple[Order, ...]:
        """Every open order."""
        found: list[Order] = []
        for market in self.markets.values():
            found += market.orders.values()
        return tuple(found)


_NOTHING = Position(symbol="")
