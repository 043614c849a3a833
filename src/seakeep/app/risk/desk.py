"""From a portfolio and stored bars to a book that can be measured: one table of returns, on bars all assets have."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path

import msgspec
import numpy as np

from seakeep.app.places import configured_store
from seakeep.app.risk.holdings import Holdings, parse_order
from seakeep.backtest.pages.riskfindings import Measured, Order
from seakeep.core.errors import ConfigError, DataError, NotEnoughHistory
from seakeep.core.market import BarFrame, Float64, Int64
from seakeep.core.units import DAY_MS, interval_ms, iso, parse_timerange
from seakeep.data.store import ParquetStore
from seakeep.features.resampling import resample
from seakeep.stats.returns import simple_returns

__all__ = ["Desk", "History", "open_desk", "stored_bars"]

MIN_RETURNS = 50
_STALE_MS = 2 * DAY_MS


class History(msgspec.Struct, frozen=True):
    """Which bars to measure on: interval, range of times, and the user folder they are in."""

    userdir: Path
    interval: str = "1d"
    timerange: str | None = None
    candidate: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Desk:
    """A book and simple returns (n, k) of its assets; the candidate order's symbol has a column too.

    `opened` (n,) are the opens of the bars the returns belong to; `frames` the bars of each asset.
    """

    measured: Measured
    table: Float64
    opened: Int64
    frames: Mapping[str, BarFrame]
    store: ParquetStore
    drawdown: float

    @property
    def outcome(self) -> Float64:
        """Returns (n,) the book would have had at today's weights."""
        return self.measured.returns

    @property
    def order(self) -> Float64 | None:
        """The candidate order as weights (k,), or None."""
        order = self.measured.order
        if order is None:
            return None
        return np.array([order.weight if symbol == order.symbol else 0.0 for symbol in self.measured.symbols])

    def after(self) -> "Desk | None":
        """The desk with the order filled; None without an order. Raises: ConfigError if nothing would be left."""
        if self.order is None:
            return None
        weights = self.measured.weights + self.order
        if not np.abs(weights).max() > 1e-12:
            raise ConfigError("the candidate order closes the whole book", remedy="ask about the book without it")
        filled = replace(self.measured, weights=weights, returns=self.table @ weights)
        return replace(self, measured=filled)

    def per_day(self) -> int:
        """Bars in a day. Raises: ConfigError if bars are longer than a day or do not divide it."""
        length = interval_ms(self.measured.interval)
        if DAY_MS % length:
            raise ConfigError("bars must divide a day", value=self.measured.interval, remedy="use 1d or 1h")
        return DAY_MS // length

    def bars(self, days: float, name: str = "--horizon") -> int:
        """That many days, said by the option `name`, in bars. Raises: ConfigError unless they are a whole number."""
        count = days * DAY_MS / interval_ms(self.measured.interval)
        if not (math.isfinite(count) and count >= 1 and abs(count - round(count)) < 1e-9):
            remedy = f"a horizon is a whole number of {self.measured.interval} bars"
            raise ConfigError(f"{name} does not fit the interval", value=days, remedy=remedy)
        return round(count)


def open_desk(held: Holdings, history: History) -> Desk:
    """Read the bars of everything held, and of the candidate order; value the book at the last common close.

    Raises: ConfigError, DataError (nothing stored, a price that is not positive) or NotEnoughHistory.
    """
    store = configured_store(history.userdir)
    order = None if history.candidate is None else Order(*parse_order(history.candidate, held.quote))
    symbols = tuple(sorted({*held.symbols, *([order.symbol] if order else [])}))
    start, end = parse_timerange(history.timerange) if history.timerange else (None, None)
    frames = {symbol: stored_bars(store, symbol, history.interval, start, end) for symbol in symbols}
    rows = _common([frames[symbol] for symbol in symbols])
    closes = np.column_stack([frames[symbol].close[row] for symbol, row in zip(symbols, rows, strict=True)])
    _check_prices(symbols, closes)
    opened = frames[symbols[0]].ts[rows[0]]
    step = interval_ms(history.interval)
    follows = np.flatnonzero(np.diff(opened) == step)
    if len(follows) < MIN_RETURNS:
        raise NotEnoughHistory(
            f"{', '.join(symbols)} have {len(follows)} {history.interval} returns in common",
            remedy=f"at least {MIN_RETURNS} are needed: widen --timerange or import more bars",
        )
    table = simple_returns(closes)[follows]
    weights, equity = _weights(held, symbols, closes[-1])
    known = opened[1:][follows] + step
    cautions = _cautions(held, [frames[s] for s in symbols], opened, len(follows), int(known[-1]), weights)
    measured = Measured(
        source=held.source,
        quote=held.quote,
        symbols=symbols,
        weights=weights,
        prices=closes[-1],
        equity=equity,
        interval=history.interval,
        ts=known,
        returns=table @ weights,
        order=order,
        cautions=cautions,
    )
    return Desk(measured, table, opened[1:][follows], frames, store, held.drawdown)


def stored_bars(
    store: ParquetStore, symbol: str, interval: str, start: int | None = None, end: int | None = None
) -> BarFrame:
    """Bars that open in [start, end): those held at the interval, else made of the longest that divide it.

    Raises: DataError if nothing is held that could make them.
    """
    wanted, held = interval_ms(interval), {entry.interval for entry in store.held(symbol)}
    finer = [name for name in held if wanted % interval_ms(name) == 0]
    if interval in held or not finer:
        return store.read(symbol, interval, start, end)
    bars = resample(store.read(symbol, max(finer, key=interval_ms), start, end), interval)
    if not len(bars):
        raise DataError(f"no whole {interval} bar of this symbol", value=symbol, remedy="widen --timerange")
    return bars


def _common(frames: Sequence[BarFrame]) -> list[Int64]:
    """Rows of each frame at the opens all of them have. Raises: DataError naming what does not overlap."""
    shared = reduce(np.intersect1d, (frame.ts for frame in frames))
    if not len(shared):
        spans = "; ".join(f"{f.symbol} {iso(int(f.ts[0]))[:10]} to {iso(int(f.ts[-1]))[:10]}" for f in frames)
        raise DataError(f"no bar is common to all symbols: {spans}", remedy="import more bars or drop a symbol")
    return [np.searchsorted(frame.ts, shared) for frame in frames]


def _check_prices(symbols: Sequence[str], closes: Float64) -> None:
    bad = np.argwhere(~(np.isfinite(closes) & (closes > 0)))
    if len(bad):
        row, column = bad[0].tolist()
        raise DataError(
            f"{symbols[column]} has a close that is not a positive number",
            value=float(closes[row, column]),
            remedy="see `seakeep check-data`, and correct or leave out those bars",
        )
    still = np.flatnonzero(np.ptp(closes, axis=0) == 0)
    if len(still):
        raise DataError(f"{symbols[still[0]]} never moves in this history", value=float(closes[0, still[0]]))


def _weights(held: Holdings, symbols: Sequence[str], last: Float64) -> tuple[Float64, float | None]:
    """Signed shares of equity (k,), and equity where it is known."""
    if held.weights:
        return np.array([held.weights.get(symbol, 0.0) for symbol in symbols]), held.equity
    values = np.array([held.quantities.get(symbol, 0.0) for symbol in symbols]) * last
    equity = held.cash + float(values.sum())
    if not equity > 1e-9 * float(np.abs(values).sum()):
        remedy = "losses cannot be shares of nothing: correct cash or quantities"
        raise ConfigError(f"{held.source}: equity at the last prices is not positive", value=equity, remedy=remedy)
    return values / equity, equity


def _cautions(
    held: Holdings, frames: Sequence[BarFrame], opened: Int64, n: int, last: int, weights: Float64
) -> tuple[str, ...]:
    """What a reader must know of the history before believing a number."""
    said = list(held.notes)
    youngest = max(frames, key=lambda frame: int(frame.ts[0]))
    lost = max(len(frame) for frame in frames) - 1 - n
    if lost > 0.02 * n:
        since = f"{iso(int(opened[0]))[:10]}, where {youngest.symbol} begins"
        said.append(f"{lost:,} returns of the longest history are not used: all assets are there only from {since}")
    if held.as_of is not None and abs(last - held.as_of) > _STALE_MS:
        said.append(f"the book is that of {iso(held.as_of)}, the newest bar closed {iso(last)}")
    gross = float(np.abs(weights).sum())
    if gross > 1 + 1e-9:
        said.append(f"positions add up to {gross:.0%} of equity: borrowing and margin calls are not modelled")
    if held.source == "--symbols" and len(held.weights) > 1 and len(set(held.weights.values())) == 1:
        said.append(f"equal weights of {next(iter(held.weights.values())):.2%} each")
    return tuple(said)
