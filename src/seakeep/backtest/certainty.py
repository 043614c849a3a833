"""How often an opinion was right, by how certain it was: accuracy and share of the candles it speaks on."""

from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from seakeep.core.errors import DataError
from seakeep.core.market import BarFrame, Float64, Int64

__all__ = ["BINS", "Certainty", "Row", "by_certainty", "first_touch"]

Bool = NDArray[np.bool_]

BINS = 50
_Z = 1.959963984540054
_ROUNDING = 1e-12


class Row(msgspec.Struct, frozen=True):
    """Opinions at least `certainty` away from 0.5: how many, their share of all, how many were right, and the share
    right with its 95 % interval (Wilson 1927); NaN where nobody spoke."""

    certainty: float
    n: int
    share: float
    right: int
    accuracy: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Certainty:
    """Counts (50,) of opinions in equal bins of p and how many of each rose, and the rows by certainty: of those that
    said up, that said down, and of both. `unknown` candles touched neither barrier and are left out."""

    counts: Int64
    rose: Int64
    up: tuple[Row, ...]
    down: tuple[Row, ...]
    both: tuple[Row, ...]
    unknown: int


def first_touch(bars: BarFrame, target: float, horizon: int) -> Float64:
    """1 where a later high first lies `target` above the close, 0 where a low first lies that far below, (n,).

    NaN where neither happened within `horizon` bars, where one bar did both, and where the bars end first.
    Raises: ValueError if target <= 0 or horizon < 1.
    """
    if target <= 0 or horizon < 1:
        raise ValueError(f"target must be > 0 and horizon >= 1, got {target} and {horizon}")
    n, label = len(bars), np.full(len(bars), np.nan)
    waiting = np.ones(n, bool)
    up, down = bars.close * (1 + target), bars.close * (1 - target)
    for ahead in range(1, min(horizon, n - 1) + 1):
        rose, fell = np.zeros(n, bool), np.zeros(n, bool)
        rose[:-ahead] = bars.high[ahead:] >= up[:-ahead]
        fell[:-ahead] = bars.low[ahead:] <= down[:-ahead]
        label[waiting & rose & ~fell] = 1.0
        label[waiting & fell & ~rose] = 0.0
        waiting &= ~(rose | fell)
    return label


def by_certainty(prob_up: Float64, label: Float64, bins: int = BINS) -> Certainty:
    """Judge probabilities (n,) against labels (n,) of 0, 1 or NaN (unknown); p = 0.5 says nothing.

    Raises: ValueError if lengths differ; DataError if no candle has both an opinion and a label.
    """
    if prob_up.shape != label.shape:
        raise ValueError(f"probabilities {prob_up.shape} and labels {label.shape} differ in length")
    known = np.isfinite(prob_up) & np.isfinite(label)
    p, rose = prob_up[known], label[known] == 1.0
    if not len(p):
        raise DataError("no candle has both an opinion and an outcome", remedy="more bars, or a nearer target")
    cell = np.minimum((p * bins).astype(np.int64), bins - 1)
    counts = np.bincount(cell, minlength=bins)
    steps = np.arange(bins // 2) / bins
    sides = {"up": (p - 0.5, rose), "down": (0.5 - p, ~rose), "both": (np.abs(p - 0.5), (p > 0.5) == rose)}
    rows = {
        name: tuple(_row(float(step), distance, right, len(p)) for step in steps)
        for name, (distance, right) in sides.items()
    }
    unknown = int((np.isfinite(prob_up) & ~np.isfinite(label)).sum())
    return Certainty(
        counts,
        np.bincount(cell, rose, minlength=bins).astype(np.int64),
        rows["up"],
        rows["down"],
        rows["both"],
        unknown,
    )


def _row(step: float, distance: Float64, right: Bool, total: int) -> Row:
    spoke = (distance > 0) & (distance >= step - _ROUNDING)
    n, k = int(spoke.sum()), int((spoke & right).sum())
    low, high = _wilson(k, n)
    return Row(step, n, n / total, k, k / n if n else float("nan"), low, high)


def _wilson(k: int, n: int) -> tuple[float, float]:
    """95 % interval of k successes in n; NaN of none."""
    if not n:
        return float("nan"), float("nan")
    share, square = k / n, _Z * _Z
    middle = (share + square / (2 * n)) / (1 + square / n)
    half = _Z * np.sqrt(share * (1 - share) / n + square / (4 * n * n)) / (1 + square / n)
    return float(middle - half), float(middle + half)
