"""Exponential smoothing, seeded by a simple mean as TA-Lib and Wilder do; a NaN ends the memory, warming up anew."""

import numpy as np

from seakeep.core.market import Float64
from seakeep.features.base import compiled

__all__ = ["ema", "nested", "nested_into", "smooth", "smooth_into", "wilder"]


@compiled
def smooth(x: Float64, length: int, alpha: float) -> Float64:
    """s += alpha (x - s), s starting as the mean of the first `length` numbers in a row (n,); NaN before that."""
    return smooth_into(np.empty(len(x)), x, length, alpha)


@compiled
def smooth_into(out: Float64, x: Float64, length: int, alpha: float) -> Float64:
    """`smooth`, written into `out`, which may be `x` itself: a large array less to allocate."""
    seen, level = 0, 0.0
    for i in range(len(x)):
        value, out[i] = x[i], np.nan
        if not np.isfinite(value):
            seen, level = 0, 0.0
        elif seen < length:
            seen += 1
            level += value
            if seen == length:
                level /= length
                out[i] = level
        else:
            level += alpha * (value - level)
            out[i] = level
    return out


@compiled
def ema(x: Float64, length: int) -> Float64:
    """Exponential average, alpha 2 / (length + 1) (n,)."""
    return smooth(x, length, 2.0 / (length + 1.0))


@compiled
def wilder(x: Float64, length: int) -> Float64:
    """Wilder's average, alpha 1 / length (n,)."""
    return smooth(x, length, 1.0 / length)


@compiled
def nested(x: Float64, lengths: tuple[int, ...], weights: tuple[float, ...]) -> Float64:
    """Weighted sum of exponential averages of exponential averages, `lengths` from the innermost outwards (n,)."""
    return nested_into(np.empty(len(x)), x, lengths, weights)


@compiled
def nested_into(out: Float64, x: Float64, lengths: tuple[int, ...], weights: tuple[float, ...]) -> Float64:
    """`nested`, written into `out`, which may be `x` itself."""
    folds = len(lengths)
    level, seen = np.zeros(folds), np.zeros(folds, np.int64)
    for i in range(len(x)):
        value, total = x[i], 0.0
        if not np.isfinite(value):
            level[:], seen[:], total = 0.0, 0, np.nan
        for k in range(folds if np.isfinite(value) else 0):
            if seen[k] < lengths[k]:
                seen[k] += 1
                level[k] += value
                if seen[k] < lengths[k]:
                    total = np.nan
                    break
                level[k] /= lengths[k]
            else:
                level[k] += 2.0 / (lengths[k] + 1.0) * (value - level[k])
            value = level[k]
            total += weights[k] * value
        out[i] = total
    return out
