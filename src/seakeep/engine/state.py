"""What the engine remembers between events. Floats mirror the Decimal book so that a slice costs no Decimal."""

from dataclasses import dataclass, field

from seakeep.core.account import Portfolio, Position
from seakeep.core.beliefs import FeatureFrame
from seakeep.core.market import Instrument
from seakeep.core.orders import Order
from seakeep.core.units import DAY_MS
from seakeep.features.frame import LiveFeatures
from seakeep.risk.breaker import BreakerState

__all__ = ["EngineState", "Market"]


@dataclass(slots=True)
class Market:
    """One symbol: its window of features, its last price, our holding, our open orders."""

    instrument: Instrument
    features: LiveFeatures
    mark: float = 0.0
    qty: float = 0.0
    orders: dict[str, Order] = field(default_factory=dict)
    last_added_ts: int | None = None

    def frame(self) -> FeatureFrame:
        """The newest features of this symbol; overwritten at its next bar."""
        stamps, values = self.features.rows()
        return FeatureFrame(self.instrument.symbol, stamps, self.features.names, values)

    @property
    def held(self) -> int:
        """Sign of what we hold or are about to hold: a working order that adds risk counts as held."""
        for order in self.orders.values():
            if not order.reduce_only:
                return order.side.sign
        return (self.qty > 0) - (self.qty < 0)


@dataclass(slots=True)
class EngineState:
    """The account and the markets. `sequence` numbers decisions and orders, so a replay repeats their ids."""

    portfolio: Portfolio
    markets: dict[str, Market]
    cash: float
    peak: float
    day_open: float
    day: int = -1
    sequence: int = 0
    breaker: BreakerState = BreakerState.NORMAL
    paused: bool = False

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

    def book(self, portfolio: Portfolio) -> None:
        """Take over a new portfolio and refresh the float mirrors."""
        self.portfolio = portfolio
        self.cash = float(portfolio.cash[portfolio.quote])
        for symbol, market in self.markets.items():
            market.qty = float(portfolio.positions.get(symbol, _NOTHING).qty)


_NOTHING = Position(symbol="")
