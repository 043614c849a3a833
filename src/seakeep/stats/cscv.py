"""Probability of backtest overfitting by combinatorially symmetric cross-validation (CSCV) [1]_.

The history is cut into an even number of blocks; every half of them is once in sample and the rest out of sample. The
strategy that is best in sample is overfitted where it is no better than the median out of sample.

.. [1] Bailey, Borwein, Lopez de Prado and Zhu, "The probability of backtest overfitting", Journal of Computational
   Finance 20 (2017).
"""

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from seakeep.core.errors import NotEnoughHistory
from seakeep.core.market import Float64, Int64

__all__ = ["Cscv", "cscv"]

_CELLS = 1 << 22


@dataclass(frozen=True, slots=True, eq=False)
class Cscv:
    """What c choices in sample were worth out of sample; k strategies.

    `chosen` (c,) the column that was best in sample, `rank` (c,) its rank out of sample (1 worst, k best, ties share),
    `inside` and `outside` (c,) its Sharpe ratios per bar. `slope` and `intercept` are of the line of outside on inside:
    a slope below zero says that the better it looked the worse it was.
    """

    chosen: Int64
    rank: Float64
    inside: Float64
    outside: Float64
    slope: float
    intercept: float
    k: int

    @property
    def logits(self) -> Float64:
        """Log odds (c,) of the relative rank rank / (k + 1)."""
        share = self.rank / (self.k + 1)
        return np.log(share / (1 - share))

    @property
    def pbo(self) -> float:
        """Share of choices that were no better than the median out of sample."""
        return float((self.logits <= 0).mean())

    @property
    def loss(self) -> float:
        """Share of choices that lost out of sample."""
        return float((self.outside < 0).mean())


def cscv(returns: Float64, blocks: int = 16, risk_free: float = 0.0) -> Cscv:
    """CSCV of returns (n, k) of k strategies by their Sharpe ratios; `risk_free` is the rate of one bar.

    Blocks differ by at most one row. A strategy that did nothing in a half has ratio 0 there. 16 blocks make 12,870
    choices, each from two halves of the history.

    Raises: ValueError for one strategy, an odd number of blocks or numbers that are not finite; NotEnoughHistory if a
    block would hold fewer than two rows.
    """
    n, k = returns.shape
    if k < 2 or blocks < 2 or blocks % 2 or blocks > 20:
        raise ValueError(f"need at least 2 strategies and an even number of 2 .. 20 blocks, got {k} and {blocks}")
    if n < 2 * blocks:
        raise NotEnoughHistory("too few returns for this many blocks", value=n, remedy=f"{2 * blocks} are needed")
    if not np.isfinite(returns).all():
        raise ValueError("returns must be finite numbers")
    table = _sums(returns - risk_free, blocks)
    halves = np.array(list(combinations(range(blocks), blocks // 2)))
    step = max(1, _CELLS // k)
    parts = [_choices(table, halves[i : i + step]) for i in range(0, len(halves), step)]
    chosen, rank, inside, outside = (np.concatenate(column) for column in zip(*parts, strict=True))
    slope, intercept = _line(inside, outside)
    return Cscv(chosen.astype(np.int64), rank, inside, outside, slope, intercept, k)


def _sums(returns: Float64, blocks: int) -> Float64:
    """Count, sum and sum of squares by block, (3, blocks, k)."""
    parts = np.array_split(returns, blocks)
    counts = np.array([np.full(returns.shape[1], len(part), np.float64) for part in parts])
    return np.array([counts, [part.sum(axis=0) for part in parts], [(part * part).sum(axis=0) for part in parts]])


def _choices(table: Float64, halves: Int64) -> tuple[Int64, Float64, Float64, Float64]:
    """Best in sample, its rank out of sample, and its ratio in both, each (c,), for these in-sample halves (c, h)."""
    weights = np.zeros((len(halves), table.shape[1]))
    np.put_along_axis(weights, halves, 1.0, axis=1)
    inside, outside = _ratios(weights @ table), _ratios((1 - weights) @ table)
    chosen = inside.argmax(axis=1)
    rows = np.arange(len(halves))
    own = outside[rows, chosen][:, None]
    below, equal = (outside < own).sum(axis=1), (outside == own).sum(axis=1)
    return chosen, below + (equal + 1) / 2, inside[rows, chosen], own[:, 0]


def _ratios(sums: Float64) -> Float64:
    """Sharpe ratios (c, k) from counts, sums and sums of squares (3, c, k)."""
    count, total, squares = sums
    mean = total / count
    variance = np.maximum(squares - total * mean, 0.0) / (count - 1)
    moved = variance > 1e-14 * squares / count
    still = np.where(mean == 0, 0.0, np.copysign(np.inf, mean))
    return np.asarray(np.where(moved, mean / np.sqrt(np.where(moved, variance, 1.0)), still))


def _line(x: Float64, y: Float64) -> tuple[float, float]:
    """Least-squares slope and intercept; NaN where x does not vary or a ratio is infinite."""
    if not (np.isfinite(x).all() and np.isfinite(y).all()) or np.ptp(x) == 0:
        return math.nan, math.nan
    slope = float(((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum())
    return slope, float(y.mean() - slope * x.mean())
