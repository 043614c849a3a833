"""Exponential smoothing, seeded by a simple mean as TA-Lib and Wilder do; a NaN ends the memory, warming up anew.

An average is a level and an age, the count of numbers in a row it has been given. Whoever smooths keeps both in local
variables, so that a chain of averages is one pass over the rows, without an array between one average and the next.
"""

import numpy as np

from seakeep.core.market import Float64
from seakeep.features.base import compiled

__all__ = ["blend", "ema", "smooth", "wilder"]


@compiled
def blend(level: float, value: float, age: int, length: int, alpha: float) -> float:
    """The level after one value more, the `age`-th in a row: the mean of the first `length`, then s += alpha (x - s).

    Before `age` is `length` it is a part of that mean and nobody's average yet; at age 0 and less it is 0.
    """
    if age > length:
        return (1.0 - alpha) * level + alpha * value
    return level + value / length if age > 0 else 0.0


@compiled
def smooth(x: Float64, length: int, alpha: float) -> Float64:
    """`blend` over the rows (n,); NaN until `length` numbers in a row were seen."""
    out = np.empty(len(x))
    age, level = 0, 0.0
    for i in range(len(x)):
        age = age + 1 if np.isfinite(x[i]) else 0
        level = blend(level, x[i], age, length, alpha)
        out[i] = level if age >= length else np.nan
    return out


@compiled
def ema(x: Float64, length: int) -> Float64:
    """Exponential average, alpha 2 / (length + 1) (n,)."""
    return smooth(x, length, 2.0 / (length + 1.0))


@compiled
def wilder(x: Float64, length: int) -> Float64:
    """Wilder's average, alpha 1 / length (n,)."""
    return smooth(x, length, 1.0 / length)
