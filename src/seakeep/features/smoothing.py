"""Exponential smoothing, seeded by a simple mean as TA-Lib and Wilder do; a NaN ends the memory, warming up anew."""

import numpy as np

from seakeep.core.market import Float64
from seakeep.features.base import compiled

__all__ = ["ema", "smooth", "wilder", "wilder_sum"]


@compiled
def smooth(x: Float64, length: int, alpha: float) -> Float64:
    """s += alpha (x - s), s starting as the mean of the first `length` numbers in a row (n,); NaN before that."""
    out = np.full(len(x), np.nan)
    seen, level = 0, 0.0
    for i in range(len(x)):
        if not np.isfinite(x[i]):
            seen, level = 0, 0.0
        elif seen < length:
            seen += 1
            level += x[i]
            if seen == length:
                level /= length
                out[i] = level
        else:
            level += alpha * (x[i] - level)
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
def wilder_sum(x: Float64, length: int) -> Float64:
    """S += x - S / length, S starting as the sum of length - 1 numbers (n,); first value with the `length`-th number.

    The seed of TA-Lib's directional movement: one number short of Wilder's own.
    """
    out = np.full(len(x), np.nan)
    seen, total = 0, 0.0
    for i in range(len(x)):
        if not np.isfinite(x[i]):
            seen, total = 0, 0.0
            continue
        seen += 1
        total += x[i] if seen < length else x[i] - total / length
        if seen >= length:
            out[i] = total
    return out
