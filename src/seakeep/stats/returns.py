"""Returns and drawdowns of a price or an equity curve. Drawdowns are positive fractions: 0.2 is a fifth lost."""

from dataclasses import dataclass

import numpy as np

from seakeep.core.errors import DataError
from seakeep.core.market import Float64, Int64

__all__ = ["Drawdowns", "cumulative_returns", "drawdown", "drawdowns", "log_returns", "max_drawdown", "simple_returns"]


def simple_returns(prices: Float64) -> Float64:
    """Change from each price to the next as a fraction: (n,) prices to (n - 1,); NaN stays NaN.

    >>> simple_returns(np.array([100.0, 110.0, 99.0])).round(6).tolist()
    [0.1, -0.1]
    """
    return np.asarray(prices[1:] / prices[:-1] - 1)


def log_returns(prices: Float64) -> Float64:
    """Log of each price over the one before: (n,) positive prices to (n - 1,); they add up over time.

    Raises: DataError naming the first price that is not positive and finite.
    """
    wrong = ~(np.isfinite(prices) & (prices > 0))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataError(f"price {row} must be positive and finite", value=float(prices[row]), remedy="drop the bar")
    return np.diff(np.log(prices))


def cumulative_returns(returns: Float64) -> Float64:
    """Total return up to and including each simple return, (n,).

    >>> cumulative_returns(np.array([0.1, -0.1])).round(6).tolist()
    [0.1, -0.01]
    """
    return np.asarray(np.cumprod(1 + returns) - 1)


def drawdown(equity: Float64) -> Float64:
    """Loss from the highest equity so far (n,), a fraction >= 0; NaN until equity has been positive.

    >>> drawdown(np.array([100.0, 80.0, 120.0, 90.0])).tolist()
    [0.0, 0.2, 0.0, 0.25]
    """
    peak = np.maximum.accumulate(equity)
    return np.asarray((peak - equity) / np.where(peak > 0, peak, np.nan))


def max_drawdown(equity: Float64) -> float:
    """Largest loss from a peak, a fraction; above 1 if equity went below zero. NaN if there is no equity.

    >>> max_drawdown(np.array([100.0, 80.0, 120.0, 90.0]))
    0.25
    """
    return float(drawdown(equity).max()) if len(equity) else float("nan")


@dataclass(frozen=True, slots=True, eq=False)
class Drawdowns:
    """Every stay below an earlier peak, in order of time: columns (k,), rows counted in the equity curve.

    `peak` is the last row at the top, `trough` the lowest row, `recovered` the first row back at the top (the number
    of rows if that never came), `depth` the loss at the trough as a fraction of the peak.
    """

    peak: Int64
    trough: Int64
    recovered: Int64
    depth: Float64

    def __len__(self) -> int:
        return len(self.peak)


def drawdowns(equity: Float64) -> Drawdowns:
    """The stays below a peak of an equity curve (n,), whose first row counts as a peak.

    >>> found = drawdowns(np.array([100.0, 80.0, 90.0, 120.0, 90.0]))
    >>> found.peak.tolist(), found.trough.tolist(), found.recovered.tolist(), found.depth.tolist()
    ([0, 3], [1, 4], [3, 5], [0.2, 0.25])
    """
    loss = drawdown(equity)
    below = loss > 0
    edges = np.diff(below.astype(np.int8), prepend=0, append=0)
    first, stop = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    if not len(first):
        return Drawdowns(first, first, first, np.empty(0))
    depth = np.maximum.reduceat(loss, first)
    stay = np.repeat(np.arange(len(first)), stop - first)
    lowest = loss[below] == depth[stay]
    _, at = np.unique(stay[lowest], return_index=True)
    return Drawdowns(first - 1, np.flatnonzero(below)[lowest][at], stop, depth)
