"""Rolling windows in O(n) that neither drift nor let a NaN out of its window.

The rows are cut into blocks of `length`. A window is then the end of one block and the start of the next (van Herk
1992): a suffix sum of the older plus a running sum of the newer. Nothing is ever subtracted, a row depends on the rows
of its window alone, and a NaN is in a result only if it is in the window. The block before the first row is NaN, so
the first length - 1 rows are. One loop walks a block forwards for the results and backwards for its suffixes.
"""

import numpy as np

from seakeep.core.market import Float64
from seakeep.features.base import compiled

__all__ = [
    "rolling_age",
    "rolling_max",
    "rolling_mean",
    "rolling_min",
    "rolling_std",
    "rolling_sum",
    "rolling_weighted",
]


@compiled
def rolling_sum(x: Float64, length: int) -> Float64:
    """Sum of the last `length` rows (n,)."""
    n = len(x)
    out = np.empty(n)
    suffixes = _suffixes(length, np.nan, 0.0)
    for start in range(0, n, length):
        new = start // length % 2
        stop = min(start + length, n)
        running = suffix = 0.0
        for k in range(stop - start):
            running += x[start + k]
            out[start + k] = suffixes[1 - new, k + 1] + running
            suffix += x[stop - 1 - k]
            suffixes[new, length - 1 - k] = suffix
    return out


@compiled
def _suffixes(length: int, before: float, empty: float) -> Float64:
    """Two blocks of suffixes by turns (2, length + 1); the older starts as `before`, the one of no row is `empty`."""
    table = np.full((2, length + 1), before)
    table[:, length] = empty
    return table


@compiled
def rolling_mean(x: Float64, length: int) -> Float64:
    """Mean of the last `length` rows (n,)."""
    out = rolling_sum(x, length)
    for i in range(len(out)):
        out[i] /= length
    return out


@compiled
def rolling_weighted(x: Float64, length: int) -> Float64:
    """Sum of the last `length` rows weighted 1 (oldest) to `length` (newest) (n,)."""
    n = len(x)
    out = np.empty(n)
    suffixes = _suffixes(length, np.nan, 0.0)
    for start in range(0, n, length):
        new = start // length % 2
        stop = min(start + length, n)
        running = aged = suffix = weighted = 0.0
        for k in range(stop - start):
            aged += running
            running += x[start + k]
            out[start + k] = suffixes[1 - new, k + 1] + (length * running - aged)
            suffix += x[stop - 1 - k]
            weighted += suffix
            suffixes[new, length - 1 - k] = weighted
    return out


@compiled
def rolling_std(x: Float64, length: int, ddof: int) -> Float64:
    """Standard deviation of the last `length` rows, divisor length - ddof (n,).

    Squares are taken of distances to a row inside the window, so a high level costs no digits.
    """
    n = len(x)
    out = np.full(n, np.nan)
    first, second = np.empty(length), np.empty(length)
    divisor = float(length - ddof)
    for end in range(length - 1, n, length):
        origin = x[end]
        total = squares = 0.0
        for k in range(length):
            distance = x[end - k] - origin
            total += distance
            squares += distance * distance
            first[length - 1 - k], second[length - 1 - k] = total, squares
        out[end] = np.sqrt(_positive(squares - total * total / length) / divisor)
        total = squares = 0.0
        for i in range(end + 1, min(end + length, n)):
            distance = x[i] - origin
            total += distance
            squares += distance * distance
            both = first[i - end] + total
            out[i] = np.sqrt(_positive(second[i - end] + squares - both * both / length) / divisor)
    return out


@compiled
def _positive(x: float) -> float:
    return 0.0 if x < 0.0 else x


@compiled
def _extreme(x: Float64, length: int, sign: float) -> Float64:
    """Largest (sign 1) or smallest (sign -1); no comparison picks a NaN, so windows with one are blanked at the end."""
    n = len(x)
    out = np.empty(n)
    suffixes = _suffixes(length, -np.inf, -np.inf)
    for start in range(0, n, length):
        new = start // length % 2
        stop = min(start + length, n)
        running = suffix = -np.inf
        for k in range(stop - start):
            late, early = sign * x[start + k], sign * x[stop - 1 - k]
            running = late if late > running else running
            older = suffixes[1 - new, k + 1]
            out[start + k] = sign * (older if older > running else running)
            suffix = early if early > suffix else suffix
            suffixes[new, length - 1 - k] = suffix
    hole = -1
    for i in range(n):
        if np.isnan(x[i]):
            hole = i
        if i - hole < length:
            out[i] = np.nan
    return out


@compiled
def rolling_max(x: Float64, length: int) -> Float64:
    """Largest of the last `length` rows (n,)."""
    return _extreme(x, length, 1.0)


@compiled
def rolling_min(x: Float64, length: int) -> Float64:
    """Smallest of the last `length` rows (n,)."""
    return _extreme(x, length, -1.0)


@compiled
def rolling_age(x: Float64, length: int) -> Float64:
    """Rows since the largest of the last `length` rows, the latest of equals (n,)."""
    n = len(x)
    out = np.full(n, np.nan)
    suffix = np.empty(length, np.int64)
    for end in range(length - 1, n, length):
        top = end
        for k in range(length):
            if x[end - k] > x[top] or np.isnan(x[end - k]):
                top = end - k
            suffix[length - 1 - k] = top
        out[end] = np.nan if np.isnan(x[top]) else end - top
        top = min(end + 1, n - 1)
        for i in range(end + 1, min(end + length, n)):
            if x[i] >= x[top] or np.isnan(x[i]):
                top = i
            older = suffix[i - end]
            best = older if x[older] > x[top] else top
            out[i] = np.nan if np.isnan(x[older]) or np.isnan(x[top]) else i - best
    return out
