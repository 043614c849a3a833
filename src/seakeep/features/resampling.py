"""Bars of a longer interval out of bars of a shorter one."""

import numpy as np

from seakeep.core.errors import ConfigError, DataError
from seakeep.core.market import BarFrame, Float64, Int64
from seakeep.core.units import DAY_MS, interval_ms, iso
from seakeep.features.base import compiled

__all__ = ["bars_per_bucket", "bucket_origin", "check_order", "resample"]


def bars_per_bucket(base: str, interval: str) -> int:
    """How many bars of `base` make one of `interval`.

    >>> bars_per_bucket("5m", "15m")
    3

    Raises: ConfigError unless `interval` is a whole multiple of `base`.
    """
    count, rest = divmod(interval_ms(interval), interval_ms(base))
    if rest or count < 1:
        raise ConfigError(f"{interval} is no multiple of the bars' interval {base}", remedy=f"use a multiple of {base}")
    return count


def bucket_origin(size: int) -> int:
    """A time (ms) at which a bucket of `size` ms starts: weeks start on Monday, all else at midnight of 1970-01-01."""
    return 4 * DAY_MS if size % (7 * DAY_MS) == 0 else 0


def check_order(ts: Int64) -> None:
    """Raises: DataError naming the first row whose time is not after the one before it."""
    wrong = np.flatnonzero(ts[1:] <= ts[:-1])
    if len(wrong):
        row = int(wrong[0]) + 1
        raise DataError(
            f"bar {row} ({iso(int(ts[row]))}) is not after bar {row - 1} ({iso(int(ts[row - 1]))})",
            remedy="sort the bars by time and drop the duplicates",
        )


def resample(bars: BarFrame, interval: str) -> BarFrame:
    """The closed bars of `interval` in `bars`: first open, highest high, lowest low, last close, summed volume.

    A first bucket that does not start with its own first bar is dropped, and so is a last one that is still open. A
    bucket with missing bars inside is made of those there are. Raises: ConfigError unless `interval` is a multiple.
    """
    bars_per_bucket(bars.interval, interval)
    check_order(bars.ts)
    size = interval_ms(interval)
    origin = bucket_origin(size)
    opens = (bars.ts - origin) // size * size + origin
    starts = np.flatnonzero(np.diff(opens, prepend=opens[:1] - 1))
    stops = np.append(starts[1:], len(opens))
    keep = slice(0, 0)
    if len(opens):
        is_open = opens[-1] + size > bars.known_at[-1]
        keep = slice(int(bars.ts[0] != opens[0]), max(len(starts) - int(is_open), 0))
    starts, stops = starts[keep], stops[keep]
    sums = [None if x is None else _sums(x, starts, stops) for x in (bars.volume, bars.quote_volume, bars.n_trades)]
    highs, lows = _extremes(bars.high, bars.low, starts, stops)
    return BarFrame(
        bars.symbol, interval, opens[starts], bars.open[starts], highs, lows, bars.close[stops - 1],
        _sums(bars.volume, starts, stops), *sums[1:],
    )  # fmt: skip


@compiled
def _extremes(high: Float64, low: Float64, starts: Int64, stops: Int64) -> tuple[Float64, Float64]:
    highs, lows = np.empty(len(starts)), np.empty(len(starts))
    for bucket in range(len(starts)):
        highs[bucket] = high[starts[bucket] : stops[bucket]].max()
        lows[bucket] = low[starts[bucket] : stops[bucket]].min()
    return highs, lows


@compiled
def _sums(x: Float64, starts: Int64, stops: Int64) -> Float64:
    """Added up in the order of time, as a running total would."""
    out = np.empty(len(starts))
    for bucket in range(len(starts)):
        total = 0.0
        for i in range(starts[bucket], stops[bucket]):
            total += x[i]
        out[bucket] = total
    return out
