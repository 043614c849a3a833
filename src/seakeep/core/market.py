"""What the market says: instruments, bars, trades, books, observations, news.

Times are UTC milliseconds. `known_at` is the first instant a datum may be used.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from seakeep.core.units import interval_ms

__all__ = [
    "Bar",
    "BarFrame",
    "Float64",
    "Instrument",
    "InstrumentKind",
    "Int64",
    "NewsItem",
    "Observation",
    "OrderBook",
    "Trade",
]

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]


class InstrumentKind(StrEnum):
    """Spot is owned; a perpetual is a margined contract that can be sold short and pays funding."""

    SPOT = "spot"
    PERPETUAL = "perpetual"


class Instrument(msgspec.Struct, frozen=True, kw_only=True):
    """What can be traded. `symbol` is in ccxt form ("BTC/USDT", a perpetual "BTC/USDT:USDT"); fees are fractions."""

    symbol: str
    venue: str = "sim"
    base: str
    quote: str
    kind: InstrumentKind = InstrumentKind.SPOT
    tick: Decimal = Decimal("0.01")
    lot: Decimal = Decimal("0.00001")
    min_notional: Decimal = Decimal("5")
    maker_fee: Decimal = Decimal("0.001")
    taker_fee: Decimal = Decimal("0.001")
    max_leverage: Decimal = Decimal("1")
    maintenance_margin: Decimal = Decimal("0")


class Bar(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One candle. Prices in quote units, `volume` in base units; it is known at `close_time` (open + interval)."""

    symbol: str
    interval: str
    open_time: int
    close_time: int
    open: float
    high: float
    low: float
    close: float
    volume: float

    @property
    def known_at(self) -> int:
        """First instant this bar may be used."""
        return self.close_time


@dataclass(frozen=True, slots=True, eq=False)
class BarFrame:
    """Bars of one symbol and interval as columns: `ts` (n,) int64 bar opens, the rest (n,) float64, all read-only.

    `quote_volume` and `n_trades` are None where the source does not have them.
    """

    symbol: str
    interval: str
    ts: Int64
    open: Float64
    high: Float64
    low: Float64
    close: Float64
    volume: Float64
    quote_volume: Float64 | None = None
    n_trades: Float64 | None = None

    def __post_init__(self) -> None:
        for name in ("ts", "open", "high", "low", "close", "volume", "quote_volume", "n_trades"):
            column = getattr(self, name)
            if column is None:
                continue
            if column.shape != self.ts.shape or column.ndim != 1:
                raise ValueError(f"{self.symbol} {name} has shape {column.shape}, ts has {self.ts.shape}")
            column.flags.writeable = False

    def __len__(self) -> int:
        return len(self.ts)

    @property
    def known_at(self) -> Int64:
        """First instant each bar may be used (n,): its open plus the interval."""
        return self.ts + interval_ms(self.interval)

    def rows(self, start: int, stop: int) -> Self:
        """Bars [start, stop) by position; views, no copy."""
        optional = {
            name: None if (column := getattr(self, name)) is None else column[start:stop]
            for name in ("quote_volume", "n_trades")
        }
        return type(self)(
            self.symbol,
            self.interval,
            self.ts[start:stop],
            self.open[start:stop],
            self.high[start:stop],
            self.low[start:stop],
            self.close[start:stop],
            self.volume[start:stop],
            **optional,
        )

    def between(self, start: int | None, end: int | None) -> Self:
        """Bars that open in [start, end); None leaves that side open. Needs ascending `ts`."""
        first = 0 if start is None else int(np.searchsorted(self.ts, start, "left"))
        last = len(self.ts) if end is None else int(np.searchsorted(self.ts, end, "left"))
        return self.rows(first, max(first, last))

    def to_pandas(self) -> Any:
        """A pandas DataFrame indexed by bar open (UTC), columns open, high, low, close, volume."""
        import pandas as pd

        index = pd.to_datetime(self.ts, unit="ms", utc=True).rename("ts")
        names = ("open", "high", "low", "close", "volume")
        return pd.DataFrame({name: getattr(self, name) for name in names}, index=index)

    @classmethod
    def from_rows(cls, symbol: str, interval: str, rows: Sequence[Sequence[float]]) -> Self:
        """From (open time ms, open, high, low, close, volume) rows, the shape ccxt and most feeds return."""
        table = np.array(rows, dtype=np.float64).reshape(-1, 6)
        columns = [np.ascontiguousarray(table[:, i]) for i in range(1, 6)]
        return cls(symbol, interval, table[:, 0].astype(np.int64), *columns)


class Trade(msgspec.Struct, frozen=True, gc=False):
    """A public trade; `side` is the aggressor's. Ours is a `Fill`."""

    symbol: str
    ts: int
    price: float
    qty: float
    side: str
    id: str


class OrderBook(msgspec.Struct, frozen=True):
    """Depth at one instant: (price, quantity) levels, best first."""

    symbol: str
    ts: int
    bids: tuple[tuple[float, float], ...]
    asks: tuple[tuple[float, float], ...]


class Observation(msgspec.Struct, frozen=True):
    """A scalar from outside the order book: a funding rate, an index, a social count. `symbol` None: market-wide."""

    source: str
    name: str
    symbol: str | None
    ts: int
    known_at: int
    value: float


class NewsItem(msgspec.Struct, frozen=True):
    """A headline. It may be used from `known_at` on, which is never before it was published at `ts`."""

    source: str
    title: str
    body: str
    symbols: tuple[str, ...]
    url: str
    ts: int
    known_at: int
