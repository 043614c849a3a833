"""The engine's fast path: one symbol's windows, pushed bar by bar, recomputed by the functions research uses."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from seakeep.core.errors import ConfigError, DataError
from seakeep.core.market import Float64, Int64
from seakeep.core.units import interval_ms, iso
from seakeep.features.base import COLUMNS
from seakeep.features.resampling import bars_per_bucket, bucket_origin
from seakeep.features.spec import Spec, lookback, parse

__all__ = ["LiveFeatures"]


class _Window:
    """The last `capacity` bars as contiguous read-only views of buffers twice as long, shifted when full."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.end = 0
        self._table: dict[str, Any] = {name: np.empty(2 * capacity) for name in COLUMNS}
        self._table["ts"] = np.empty(2 * capacity, np.int64)
        self.views = {name: column.view() for name, column in self._table.items()}
        for view in self.views.values():
            view.flags.writeable = False
        self.cells: dict[str, Any] = {name: memoryview(self._table[name]) for name in COLUMNS}
        self._ts, self._open, self._high, self._low, self._close, self._volume = self.cells.values()

    def push(self, ts: int, open: float, high: float, low: float, close: float, volume: float) -> None:  # noqa: A002
        end = self.end
        if end == 2 * self.capacity:
            end = self.capacity
            for column in self._table.values():
                column[:end] = column[end:]
        self._ts[end], self._open[end], self._high[end] = ts, open, high
        self._low[end], self._close[end], self._volume[end] = low, close, volume
        self.end = end + 1


class _Bound:
    """A spec tied to a window: the last value(s) of its function over its own lookback and no more.

    So its bits do not depend on which other specs are in use.
    """

    def __init__(self, spec: Spec, column: int, window: _Window, tail: int) -> None:
        self.column = column
        self._call = spec.function
        self._views = tuple(window.views[name] for name in spec.inputs)
        self._params = spec.params
        self._span = spec.lookback + tail - 1
        self._window = window
        self._cells = window.cells[spec.text] if spec.inputs == (spec.text,) else None

    def compute(self) -> Float64:
        end = self._window.end
        start = end - self._span if end > self._span else 0
        return self._call(*[view[start:end] for view in self._views], *self._params)

    def newest(self) -> float:
        """The last value; of a bar column straight from the window."""
        if self._cells is not None:
            return float(self._cells[self._window.end - 1])
        return float(self.compute()[-1])


class _Bucket:
    """A longer bar in the making, and the window and latest values of the specs computed on its kind."""

    def __init__(self, step: int, interval: str, specs: list[tuple[int, Spec]]) -> None:
        self.step = step
        self.size = interval_ms(interval)
        self.origin = bucket_origin(self.size)
        self.window = _Window(max(spec.lookback for _, spec in specs))
        self.bound = [_Bound(spec, column, self.window, 1) for column, spec in specs]
        self.open_time = -1
        self.known = False
        self.whole = False
        self.bar: list[float] = []

    def push(self, open_time: int, bar: tuple[float, ...]) -> bool:
        """Add a bar; True if a bucket has closed."""
        start = (open_time - self.origin) // self.size * self.size + self.origin
        closed = start != self.open_time and self._close()
        if not self.bar:
            self.whole = self.known or start == open_time
            self.known, self.open_time, self.bar = True, start, list(bar)
        else:
            _, high, low, close, volume = bar
            now = self.bar
            now[1:] = max(now[1], high), min(now[2], low), close, now[4] + volume
        return (open_time + self.step >= start + self.size and self._close()) or closed

    def _close(self) -> bool:
        if self.bar and self.whole:
            self.window.push(self.open_time, *self.bar)
        closed, self.bar = bool(self.bar) and self.whole, []
        return closed


class LiveFeatures:
    """Features of one symbol, bar by bar: `push` a closed bar, then read `rows`.

    Each spec is computed on the last `lookback` (+ tail - 1) bars by the function that `build` uses, so the last row
    has the bits of `build` over just those bars, whatever came before them: `lookback` bars are enough to restart.

    Raises: ConfigError for a spec that cannot be read, or is anchored at the first row there ever was.
    """

    def __init__(self, interval: str, specs: Sequence[str], tail: int = 1) -> None:
        if tail < 1:
            raise ValueError(f"tail must be >= 1, got {tail}")
        parsed = [parse(text) for text in dict.fromkeys(specs)]
        for spec in parsed:
            if spec.instead:
                raise ConfigError(
                    f"feature {spec.text!r} starts at the first bar there ever was, so it cannot be computed live",
                    remedy=f"use {spec.instead}",
                )
        self.names = tuple(spec.text for spec in parsed)
        self.lookback = lookback(self.names, interval) + tail - 1
        self._step = interval_ms(interval)
        self._tail, self._last, self._count = tail, -1, 0
        groups: dict[str | None, list[tuple[int, Spec]]] = {}
        for column, spec in enumerate(parsed):
            longer = spec.interval if spec.interval and bars_per_bucket(interval, spec.interval) > 1 else None
            groups.setdefault(longer, []).append((column, spec))
        own = groups.pop(None, [])
        self._window = _Window(max((spec.lookback for _, spec in own), default=1) + tail - 1)
        self._bound = [_Bound(spec, column, self._window, tail) for column, spec in own]
        self._buckets = [_Bucket(self._step, longer, members) for longer, members in groups.items() if longer]
        values: Any = np.full((tail, len(parsed)), np.nan)
        known: Any = np.empty(1, np.int64)
        self._values: Float64 = values
        self._known: Int64 = known
        self._cells: Any = memoryview(values)
        self._known_cell: Any = memoryview(known)

    def __len__(self) -> int:
        """Bars pushed so far."""
        return self._count

    def push(self, open_time: int, open: float, high: float, low: float, close: float, volume: float) -> None:  # noqa: A002
        """Add the next closed bar; times are its open in ms. Raises: DataError if it is not after the last one."""
        if open_time <= self._last:
            raise DataError(f"bar {iso(open_time)} is not after bar {iso(self._last)}", remedy="push bars in order")
        self._last = open_time
        self._count += 1
        self._window.push(open_time, open, high, low, close, volume)
        if self._buckets:
            self._push_buckets(open_time, (open, high, low, close, volume))

    def _push_buckets(self, open_time: int, bar: tuple[float, ...]) -> None:
        values = self._values
        if self._tail > 1:
            values[:-1] = values[1:]
        for bucket in self._buckets:
            if bucket.push(open_time, bar):
                for bound in bucket.bound:
                    values[-1, bound.column] = bound.newest()

    def rows(self) -> tuple[Int64, Float64]:
        """When the last `tail` rows became known (m,), and their values (m, k); m < tail until that many were pushed.

        They are overwritten by the next call.
        """
        tail, values = self._tail, self._values
        if tail == 1 and self._count:
            return self._newest()
        for bound in self._bound if self._count else ():
            latest = bound.compute()[-tail:]
            values[tail - len(latest) :, bound.column] = latest
        count = min(tail, self._count)
        end = self._window.end
        known: Int64 = self._window.views["ts"][end - count : end] + self._step
        return known, values[tail - count :]

    def _newest(self) -> tuple[Int64, Float64]:
        """The last row, in the same two arrays every time."""
        self._known_cell[0] = self._last + self._step
        for bound in self._bound:
            self._cells[0, bound.column] = bound.newest()
        return self._known, self._values
