"""Where one symbol's rows end and the next one's begin, in the pooled rows of models."""

import numpy as np

from seakeep.core.market import Float64, Int64

__all__ = ["complete", "first_rows", "newest"]

BREAK = 1.05
"""A window whose rows span more than this multiple of its nominal time has holes in it."""


def first_rows(ts: Int64) -> Int64:
    """Index of the first row of each row's symbol (n,): a time that does not increase begins a new symbol.

    >>> first_rows(np.array([1, 2, 3, 2, 3])).tolist()
    [0, 0, 0, 3, 3]
    """
    rows = np.arange(len(ts))
    begins = np.append(True, np.diff(ts) <= 0)[: len(ts)]
    return np.asarray(np.maximum.accumulate(np.where(begins, rows, 0)), np.int64)


def complete(ts: Int64, rows: Int64, lookback: int, bar_ms: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Whether the `lookback` rows that end at each of `rows` (m,) are of one symbol, and without holes in time."""
    begin = rows - (lookback - 1)
    whole = begin >= first_rows(ts)[rows] if len(ts) else np.zeros(0, np.bool_)
    spans = ts[rows] - ts[np.maximum(begin, 0)]
    return np.asarray(whole & (spans <= BREAK * (lookback - 1) * bar_ms))


def newest(x: Float64, ts: Int64, most: int) -> Float64:
    """The finite ones of values (n,), the newest `most` in equal parts of each symbol, symbol after symbol.

    >>> newest(np.array([1.0, 2.0, np.nan, 7.0, 8.0]), np.array([1, 2, 3, 2, 3]), 2).tolist()
    [2.0, 8.0]
    """
    begins = np.unique(first_rows(ts))
    share = max(most // max(len(begins), 1), 1)
    parts = [part[np.isfinite(part)][-share:] for part in np.split(x, begins[1:])]
    return np.concatenate(parts)
