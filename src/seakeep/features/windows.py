"""Rolling windows in O(n) that neither drift nor let a NaN out of its window.

A window of `length` rows always spans at most two blocks of `length` rows: the end of one and the start of the next
(van Herk 1992). So its sum is a suffix sum of the first plus a prefix sum of the second: nothing is ever subtracted,
a row depends on the rows of its window alone, and a NaN is in a result only if it is in the window.
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
    """Sum of the last `length` rows (n,); NaN in the first length - 1."""
    n = len(x)
    out = np.full(n, np.nan)
    suffix = np.empty(length)
    for end in range(length - 1, n, length):
        total = 0.0
        for k in range(length):
            total += x[end - k]
            suffix[length - 1 - k] = total
        out[end] = total
        total = 0.0
        for i in range(end + 1, min(end + length, n)):
            total += x[i]
            out[i] = suffix[i - end] + total
    return out


@compiled
def rolling_mean(x: Float64, length: int) -> Float64:
    """Mean of the last `length` rows (n,); NaN in the first length - 1."""
    return rolling_sum(x, length) / length


@compiled
def rolling_weighted(x: Float64, length: int) -> Float64:
    """Sum of the last `length` rows weighted 1 (oldest) to `length` (newest) (n,); NaN in the first length - 1."""
    n = len(x)
    out = np.full(n, np.nan)
    suffix = np.empty(length)
    for end in range(length - 1, n, length):
        total = weighted = 0.0
        for k in range(length):
            total += x[end - k]
            weighted += total
            suffix[length - 1 - k] = weighted
        out[end] = weighted
        total = aged = 0.0
        for i in range(end + 1, min(end + length, n)):
            aged += total
            total += x[i]
            out[i] = suffix[i - end] + (length * total - aged)
    return out


@compiled
def rolling_std(x: Float64, length: int, ddof: int) -> Float64:
    """Standard deviation of the last `length` rows (n,), divisor length - ddof; NaN in the first length - 1.

    Squares are taken of distances to a row inside the window, so a high level costs no digits.
    """
    n = len(x)
    out = np.full(n, np.nan)
    first, second = np.empty(length), np.empty(length)
    for end in range(length - 1, n, length):
        origin = x[end]
        total = squares = 0.0
        for k in range(length):
            distance = x[end - k] - origin
            total += distance
            squares += distance * distance
            first[length - 1 - k], second[length - 1 - k] = total, squares
        out[end] = squares - total * total / length
        total = squares = 0.0
        for i in range(end + 1, min(end + length, n)):
            distance = x[i] - origin
            total += distance
            squares += distance * distance
            both = first[i - end] + total
            out[i] = second[i - end] + squares - both * both / length
    divisor = length - ddof
    for i in range(length - 1, n):
        out[i] = np.sqrt((out[i] if not out[i] < 0.0 else 0.0) / divisor)
    return out


@compiled
def rolling_max(x: Float64, length: int) -> Float64:
    """Largest of the last `length` rows (n,); NaN in the first length - 1 and where the window holds one."""
    n = len(x)
    out = np.full(n, np.nan)
    suffix = np.empty(length)
    for end in range(length - 1, n, length):
        top = -np.inf
        for k in range(length):
            if x[end - k] > top or np.isnan(x[end - k]):
                top = x[end - k]
            suffix[length - 1 - k] = top
        out[end] = top
        top = -np.inf
        for i in range(end + 1, min(end + length, n)):
            if x[i] > top or np.isnan(x[i]):
                top = x[i]
            out[i] = top if top > suffix[i - end] or np.isnan(top) else suffix[i - end]
    return out


@compiled
def rolling_min(x: Float64, length: int) -> Float64:
    """Smallest of the last `length` rows (n,); NaN in the first length - 1 and where the window holds one."""
    n = len(x)
    out = np.full(n, np.nan)
    suffix = np.empty(length)
    for end in range(length - 1, n, length):
        low = np.inf
        for k in range(length):
            if x[end - k] < low or np.isnan(x[end - k]):
                low = x[end - k]
            suffix[length - 1 - k] = low
        out[end] = low
        low = np.inf
        for i in range(end + 1, min(end + length, n)):
            if x[i] < low or np.isnan(x[i]):
                low = x[i]
            out[i] = low if low < suffix[i - end] or np.isnan(low) else suffix[i - end]
    return out


@compiled
def rolling_age(x: Float64, length: int) -> Float64:
    """Rows since the largest of the last `length` rows, the latest of equals (n,); NaN where the window holds one."""
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
