"""Probability of backtest overfitting by combinatorially symmetric cross-validation (CSCV) [1]_.

The history is cut into an even number of blocks; every half of them is once in sample and the rest out of sample. The
strategy that is best in sample is overfitted where it is no better than the median out of sample.

.. [1] Bailey, Borwein, Lopez de Prado and Zhu, "The probability of backtest overfitting", Journal of Computational
   Finance 20 (2017).
"""

import math
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from seakeep.core.errors import NotEnoughHistory
from seakeep.core.jit import kernel
from seakeep.core.market import Float64, Int64

__all__ = ["Cscv", "cscv"]


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
    counts, sums, squares = _sums(returns - risk_free, blocks)
    halves = np.array(list(combinations(range(blocks), blocks // 2)))
    chosen, rank, inside, outside = (np.empty(len(halves), kind) for kind in (np.int64, *3 * [np.float64]))
    _choose(halves, (counts, sums, squares), (chosen, rank, inside, outside))
    slope, intercept = _line(inside, outside)
    return Cscv(chosen, rank, inside, outside, slope, intercept, k)


def _sums(returns: Float64, blocks: int) -> tuple[Float64, Float64, Float64]:
    """Rows (blocks,), sums and sums of squares (blocks, k) by block."""
    parts = np.array_split(returns, blocks)
    counts = np.array([float(len(part)) for part in parts])
    return (
        counts,
        np.array([part.sum(axis=0) for part in parts]),
        np.array([(part * part).sum(axis=0) for part in parts]),
    )


@kernel
def _ratios(count: float, sums: Float64, squares: Float64, ratios: Float64) -> None:
    """Sharpe ratios (k,) from a count, sums and sums of squares (k,); of what never moved 0, or infinite."""
    for i in range(len(ratios)):
        mean = sums[i] / count
        variance = max(squares[i] - sums[i] * mean, 0.0) / (count - 1.0)
        still = 0.0 if mean == 0.0 else math.copysign(math.inf, mean)
        ratio = mean / math.sqrt(variance)
        ratios[i] = ratio if variance > 1e-14 * squares[i] / count else still


@kernel
def _choice(here: Float64, there: Float64) -> tuple[int, float]:
    """The best by its ratio here (k,), the first of equals, and its rank by the ratios there (k,)."""
    best = 0
    for i in range(1, len(here)):
        if here[i] > here[best]:
            best = i
    own, below, equal = there[best], 0, 0
    for i in range(len(there)):
        below += there[i] < own
        equal += there[i] == own
    return best, below + (equal + 1) / 2


@kernel
def _halve(half: Int64, blocks: Float64, sides: Float64) -> None:
    """Add up the blocks (b, k) of a half, which are numbered, and those it leaves, as two rows (2, k)."""
    sides[:] = 0.0
    at = 0
    for b in range(len(blocks)):
        within = at < len(half) and half[at] == b
        row, block = sides[0 if within else 1], blocks[b]
        at += within
        for i in range(len(row)):
            row[i] += block[i]


@kernel
def _choose(halves: Int64, table: Any, found: Any) -> None:
    """Choose in each half (c, b / 2), and in what it leaves, which is the half as far from the end of all halves.

    The table has rows (b,), sums and sums of squares (b, k) by block; `found` are choice, rank and both ratios (c,).
    """
    (counts, sums, squares), (chosen, rank, inside, outside) = table, found
    k = sums.shape[1]
    here, there, total, square = np.empty(k), np.empty(k), np.empty((2, k)), np.empty((2, k))
    for c in range(len(halves) // 2):
        other, count = len(halves) - 1 - c, 0.0
        for b in halves[c]:
            count += counts[b]
        _halve(halves[c], sums, total)
        _halve(halves[c], squares, square)
        _ratios(count, total[0], square[0], here)
        _ratios(counts.sum() - count, total[1], square[1], there)
        chosen[c], rank[c] = _choice(here, there)
        chosen[other], rank[other] = _choice(there, here)
        inside[c], outside[c] = here[chosen[c]], there[chosen[c]]
        inside[other], outside[other] = there[chosen[other]], here[chosen[other]]


def _line(x: Float64, y: Float64) -> tuple[float, float]:
    """Least-squares slope and intercept; NaN where x does not vary or a ratio is infinite."""
    if not (np.isfinite(x).all() and np.isfinite(y).all()) or np.ptp(x) == 0:
        return math.nan, math.nan
    slope = float(((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum())
    return slope, float(y.mean() - slope * x.mean())
