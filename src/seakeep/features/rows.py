"""Row by row: the small pieces that several families are made of. All (n,); NaN where a row they need is missing."""

import numpy as np

from seakeep.core.market import Float64
from seakeep.features.base import compiled

__all__ = ["STILL", "change", "log_return", "ratio", "reach", "typical_price"]

STILL = 1e-10
"""A movement smaller than this share of the price is none: oscillators are then neutral."""


@compiled
def ratio(part: Float64, whole: Float64, otherwise: float) -> Float64:
    """part / whole, and `otherwise` where the whole is zero; written into `part`, which is returned."""
    for i in range(len(part)):
        if whole[i] != 0.0:
            part[i] /= whole[i]
        elif not np.isnan(part[i]):
            part[i] = otherwise
    return part


@compiled
def change(x: Float64, lag: int) -> Float64:
    """x minus x `lag` rows before."""
    out = np.empty(len(x))
    out[:lag] = np.nan
    now, before, moved = x[lag:], x[: max(len(x) - lag, 0)], out[lag:]
    for i in range(len(moved)):
        moved[i] = now[i] - before[i]
    return out


@compiled
def log_return(close: Float64, lag: int) -> Float64:
    """Log return over `lag` rows."""
    out = np.empty(len(close))
    out[:lag] = np.nan
    for i in range(lag, len(close)):
        out[i] = np.log(close[i] / close[i - lag])
    return out


@compiled
def reach(high: float, low: float, before: float) -> float:
    """True range of one bar: what it and the close before it span."""
    return max(high, before) - min(low, before)


@compiled
def typical_price(high: Float64, low: Float64, close: Float64) -> Float64:
    """Mean of high, low and close."""
    out = np.empty(len(close))
    for i in range(len(close)):
        out[i] = (high[i] + low[i] + close[i]) / 3.0
    return out
