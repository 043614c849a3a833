"""History as the kernel reads it: bars of all symbols on one grid of instants, funding, delays, block extremes.

A row is an instant at which something became known, as in `data.feed`; a symbol without a bar at that instant keeps
its last close and cannot trade.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seakeep.backtest.kernel.delays import delays
from seakeep.brokers.latency import LatencyParams
from seakeep.core.errors import ConfigError, DataError
from seakeep.core.jit import kernel
from seakeep.core.market import BarFrame, Float64, Int64, Observation
from seakeep.core.units import interval_ms, iso
from seakeep.execution.costs import range_variance

__all__ = ["BLOCK", "CLOSE", "HIGH", "LOW", "MEAN", "OPEN", "SIGMA", "TIME", "VOLUME", "History", "Tape", "frozen"]
__all__ += ["LIMIT", "MARKET", "ROUTES", "STOP", "TRAILING"]

OPEN, HIGH, LOW, CLOSE, VOLUME, TIME, SIGMA, MEAN = range(8)
"""Columns of the bars: prices, volume, when the row became known (UTC ms), and over the window of the impact the
deviation of log returns and the mean volume."""
MARKET, STOP, TRAILING, LIMIT = range(4)
"""Kinds of orders."""
BLOCK = 16
"""Rows that share one lowest low and one highest high, so that a search skips them together."""
ROUTES = 9
"""Delays of a row: by kind and side of what is sent, the last that of a cancel."""

_KINDS = [(kind, side) for kind in ("MARKET", "STOP", "TRAILING", "LIMIT") for side in ("BUY", "SELL")]
_PRICES = ("open", "high", "low", "close", "volume")


class Tape(NamedTuple):
    """What compiled code sees: k symbols, n rows; all read-only.

    `bars` (k, n, 8), a row together; where a symbol has no bar its open is NaN, its last close stands and its range
    meets nothing. `lines` (k, 3, n) repeat low, high and close for the loops over many rows. `blocks` (k, 2, b): lowest
    low and highest high of each block. `delay` (k, 1 or n, 9) in ms. `paid` (f, 4): row, due time, symbol and rate.
    """

    bars: Float64
    lines: Float64
    blocks: Float64
    delay: Int64
    paid: Float64


@kernel
def _lay(columns: Float64, bars: Float64, blocks: Float64) -> None:
    """Columns (8, n) as rows (n, 8), and lowest low and highest high of each block (2, b)."""
    n = columns.shape[1]
    for b in range(blocks.shape[1]):
        low, high = np.inf, -np.inf
        for i in range(b * BLOCK, min(n, (b + 1) * BLOCK)):
            for c in range(8):
                bars[i, c] = columns[c, i]
            low, high = min(low, columns[LOW, i]), max(high, columns[HIGH, i])
        blocks[0, b], blocks[1, b] = low, high


@kernel
def _activity(frame: Float64, window: int, out: Float64) -> None:
    """Deviation and mean volume (2, n) over the last `window` bars (3, n) of high, low, volume; fewer at the start.

    Each window is summed from its oldest bar on, as the venue of the driver does it.
    """
    n = frame.shape[1]
    variance = np.empty(n)
    for i in range(n):
        variance[i] = range_variance(frame[0, i], frame[1, i])
    out[:] = 0.0
    for lag in range(window - 1, -1, -1):
        for i in range(lag, n):
            out[0, i] += variance[i - lag]
            out[1, i] += frame[2, i - lag]
    for i in range(n):
        bars = min(window, i + 1)
        out[0, i], out[1, i] = math.sqrt(out[0, i] / bars), out[1, i] / bars


@dataclass(frozen=True, eq=False)
class History:
    """Bars ready for any number of runs. `ts` (n,) are the instants at which a bar of some symbol became known.

    Signals have one row for each of them and one column for each of `symbols`, which are sorted.
    """

    symbols: tuple[str, ...]
    interval: str
    ts: Int64
    rows: Int64
    frames: tuple[BarFrame, ...]
    _arrays: dict[str, Any] = field(repr=False)
    _delays: dict[tuple[LatencyParams, int], Int64] = field(default_factory=dict, repr=False)
    _windows: dict[int, Float64] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, frames: Sequence[BarFrame], observations: Iterable[Observation] = ()) -> "History":
        """Put the bars of one interval on one grid; of the observations the funding rates of these symbols.

        Raises: DataError if there are no bars, times do not ascend, a value is not a finite number, or two frames
        are of one symbol; ConfigError if the intervals differ.
        """
        ordered = tuple(sorted(frames, key=lambda frame: frame.symbol))
        symbols = tuple(frame.symbol for frame in ordered)
        _check(ordered)
        known = [frame.known_at for frame in ordered]
        due = sorted((o for o in observations if o.name == "funding_rate" and o.symbol in symbols), key=_by_instant)
        bars = known[0] if all(np.array_equal(known[0], k) for k in known) else np.unique(np.concatenate(known))
        stamps = np.array([o.known_at for o in due], np.int64)
        grid = np.union1d(bars, stamps) if len(stamps) else bars
        tables = [_table(frame, times, grid) for frame, times in zip(ordered, known, strict=True)]
        arrays = _stack(tables) | {"paid": _funding(due, symbols, grid), "grid": frozen(grid)}
        rows = np.arange(len(bars)) if len(grid) == len(bars) else np.searchsorted(grid, bars)
        return cls(symbols, ordered[0].interval, bars, rows, ordered, arrays)

    def __len__(self) -> int:
        return len(self.ts)

    @property
    def grid(self) -> Int64:
        """When each row of the tape became known (rows,): `ts`, and the instants of funding between them."""
        return np.asarray(self._arrays["grid"])

    def prefix_sums(self) -> tuple[Float64, Int64, Int64]:
        """Sums of closes less the first (k, m + 1), the tape's row of each bar (k, m), and how many bars there are."""
        if "sums" not in self._arrays:
            longest = max(map(len, self.frames))
            sums, at = np.zeros((len(self.frames), longest + 1)), np.zeros((len(self.frames), longest), np.int64)
            for j, frame in enumerate(self.frames):
                sums[j, 1 : len(frame) + 1] = np.cumsum(frame.close - frame.close[0])
                at[j, : len(frame)] = np.searchsorted(self.grid, frame.known_at)
            self._arrays.update(sums=frozen(sums), at=frozen(at))
        return self._arrays["sums"], self._arrays["at"], np.array([len(frame) for frame in self.frames])

    @property
    def bar_ms(self) -> int:
        """Length of a bar."""
        return interval_ms(self.interval)

    def tape(self, latency: LatencyParams, seed: int, window: int) -> Tape:
        """The tape for venues of that latency whose impact is measured over `window` bars; 0: there is no impact.

        Raises: ConfigError if delays are drawn and may exceed a bar.
        """
        key = (latency, seed)
        if key not in self._delays:
            self._delays[key] = frozen(self._delay(latency, seed))
        if window and window not in self._windows:
            self._windows[window] = frozen(self._with_activity(window))
        bars, arrays = self._windows[window] if window else self._arrays["bars"], self._arrays
        return Tape(bars, arrays["lines"], arrays["blocks"], self._delays[key], arrays["paid"])

    def _with_activity(self, window: int) -> Float64:
        bars: Float64 = self._arrays["bars"].copy()
        for table, frame in zip(bars, self.frames, strict=True):
            found = np.full((2, len(frame) + 1), np.nan)
            _activity(np.array([frame.high, frame.low, frame.volume]), window, found[:, 1:])
            table[:, SIGMA:] = found[:, np.searchsorted(frame.known_at, table[:, TIME], "right")].T
        return bars

    def _delay(self, latency: LatencyParams, seed: int) -> Int64:
        """What the venue of the driver draws for an order of that symbol, instant, side and kind."""
        if latency.model == "fixed":
            return np.full((len(self.symbols), 1, ROUTES), latency.low_ms, np.int64)
        if latency.high_ms >= self.bar_ms:
            remedy = 'set latency.model to "fixed", or use longer bars'
            raise ConfigError("drawn delays must be shorter than a bar", value=latency.high_ms, remedy=remedy)
        drawn = [[delays(latency, seed, route, self.grid) for route in _routes(symbol)] for symbol in self.symbols]
        return np.ascontiguousarray(np.array(drawn).transpose(0, 2, 1))


def _routes(symbol: str) -> list[tuple[str, str]]:
    """What stands before and behind the instant in the routes of a symbol."""
    return [*((f"{symbol} ", f" {side} {kind}") for kind, side in _KINDS), (f"cancel {symbol} ", "")]


def _by_instant(observation: Observation) -> tuple[Any, ...]:
    return (observation.known_at, observation.source, observation.name, observation.symbol, observation.ts)


def _check(frames: Sequence[BarFrame]) -> None:
    if not frames or not any(map(len, frames)):
        raise DataError("the kernel needs bars", remedy="pass at least one frame with a bar")
    if len({frame.interval for frame in frames}) > 1:
        raise ConfigError("all bars of a run have one interval", value=sorted({f.interval for f in frames}))
    for before, frame in zip([None, *frames], frames, strict=False):
        if before is not None and before.symbol == frame.symbol:
            raise DataError(f"{frame.symbol} bars were given twice", remedy="merge them into one frame")
        if (np.diff(frame.ts) < interval_ms(frame.interval)).any():
            row = int(np.argmax(np.diff(frame.ts) < interval_ms(frame.interval))) + 1
            when = iso(int(frame.ts[row]))
            raise DataError(f"{frame.symbol}: bar overlaps the one before", value=when, remedy="sort, drop duplicates")


def _table(frame: BarFrame, known: Int64, grid: Int64) -> Float64:
    """The bars of one symbol on the grid as columns (8, n), without activity."""
    _refuse_unknown(frame)
    own = [getattr(frame, name) for name in _PRICES]
    table = np.empty((8, len(grid)))
    table[TIME], table[SIGMA:] = grid, 0.0
    if len(known) == len(grid):
        table[:TIME] = own
        return table
    table[OPEN], table[HIGH], table[LOW], table[VOLUME] = np.nan, -np.inf, np.inf, 0.0
    table[CLOSE] = np.append(np.nan, frame.close)[np.searchsorted(known, grid, "right")]
    table[:TIME, np.searchsorted(grid, known)] = own
    return table


def _stack(tables: Sequence[Float64]) -> dict[str, Any]:
    """All symbols together, row by row, and the lines and extremes of their blocks."""
    k, n = len(tables), tables[0].shape[1]
    bars, blocks = np.empty((k, n, 8)), np.empty((k, 2, -(-n // BLOCK)))
    for table, rows, extremes in zip(tables, bars, blocks, strict=True):
        _lay(table, rows, extremes)
    lines = np.array([table[HIGH : CLOSE + 1] for table in tables])
    return {"bars": frozen(bars), "lines": frozen(lines), "blocks": frozen(blocks)}


def _refuse_unknown(frame: BarFrame) -> None:
    for name in _PRICES:
        column = getattr(frame, name)
        bad = ~np.isfinite(column) if name == "volume" else ~(np.isfinite(column) & (column > 0))
        if bad.any():
            row = int(np.argmax(bad))
            what = "a finite number" if name == "volume" else "a positive number"
            raise DataError(
                f"{frame.symbol} at {iso(int(frame.ts[row]))}: {name} must be {what}",
                value=float(column[row]),
                remedy="drop the bar",
            )


def _funding(due: Sequence[Observation], symbols: tuple[str, ...], grid: Int64) -> Float64:
    """Funding (f, 4) in the order in which the venue sees it."""
    rows = [(int(np.searchsorted(grid, o.known_at)), o.ts, symbols.index(o.symbol or ""), o.value) for o in due]
    return frozen(np.array(rows, np.float64).reshape(-1, 4))


def frozen(array: NDArray[Any]) -> NDArray[Any]:
    """The array, made read-only: compiled code is compiled once for one kind of array."""
    array.flags.writeable = False
    return array
