"""Windows of rows that sequence models read, their split in time, and what a direction has proven on unseen rows."""

from dataclasses import dataclass

import numpy as np

from seakeep.core.errors import NotEnoughHistory
from seakeep.core.market import Float64, Int64
from seakeep.models.folding import label_ms
from seakeep.models.segments import complete

__all__ = ["Parts", "bar_length", "proven", "split_in_time", "window_ends"]

_MIN_ROWS = 50
"""Windows that each part of a split needs."""
_MIN_BLOCKS = 6
"""Independent stretches of time without which a direction has no record."""


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """Last rows of windows, in order of time: to learn from, to stop learning by, and to be judged on."""

    learn: Int64
    stop: Int64
    judge: Int64


def bar_length(ts: Int64) -> int:
    """Usual time between two rows (n,) of one symbol, ms; 0 if there are no two.

    >>> bar_length(np.array([0, 5, 10, 0, 5, 25]))
    5
    """
    steps = np.diff(ts)
    steps = steps[steps > 0]
    return int(np.median(steps)) if len(steps) else 0


def window_ends(ts: Int64, x: Float64, window: int, bar_ms: int) -> Int64:
    """Rows (m,) whose last `window` rows of x (n, d) are of one symbol, without holes in time and without a NaN.

    >>> window_ends(np.array([1, 2, 3, 1, 2]), np.ones((5, 1)), 2, 1).tolist()
    [1, 2, 4]
    """
    bad = np.concatenate([[0], np.cumsum(~np.isfinite(x).all(axis=1))])
    rows = np.arange(window - 1, len(ts))
    rows = rows[bad[rows + 1] == bad[rows + 1 - window]]
    return np.asarray(rows[complete(ts, rows, window, bar_ms)], np.int64)


def split_in_time(ts: Int64, ends: Int64, horizon: int, tail: float, most: int) -> Parts:
    """Split the windows that end at `ends` (m,) into an older part and two halves of the newest share `tail`.

    At most the `most` newest are used. No label of a part reaches into the next: rows whose label does are left out.

    Raises: NotEnoughHistory.
    """
    chosen = ends[np.argsort(ts[ends], kind="stable")][-most:]
    known, until = ts[chosen], ts[chosen] + label_ms(ts, horizon)[chosen]
    parts = [chosen[:0]] * 3
    if len(chosen):
        first, second = (known[min(int(len(chosen) * share), len(chosen) - 1)] for share in (1 - tail, 1 - tail / 2))
        older, middle = until <= first, (known >= first) & (until <= second)
        parts = [chosen[older], chosen[middle], chosen[known >= second]]
    if min(len(part) for part in parts) < _MIN_ROWS:
        remedy = "use more history or a shorter horizon"
        raise NotEnoughHistory(f"a network needs {_MIN_ROWS} windows to learn, stop and be judged", remedy=remedy)
    return Parts(*parts)


def proven(mean: Float64, y: Float64, ts: Int64, horizon_ms: int) -> float:
    """How much of a direction is no accident, in [0, 1], from forecasts (n,) of rows it had not seen and outcomes (n,).

    Stein's share 1 - 1 / t^2, where t is that of the outcome's slope on the forecast; 0 where the slope is negative or
    within one error of zero. The error sums over blocks of two horizons and all symbols at once [1]_, so overlapping
    labels and symbols that move together do not count twice.

    .. [1] Driscoll and Kraay, "Consistent covariance matrix estimation with spatially dependent panel data" (1998).
    """
    power = float(mean @ mean)
    blocks = (ts - ts.min()) // (2 * max(horizon_ms, 1)) if len(ts) else ts
    labels, block = np.unique(blocks, return_inverse=True)
    free = len(labels) - 1
    if free + 1 < _MIN_BLOCKS or not power > 0:
        return 0.0
    slope = float(mean @ y) / power
    sums = np.bincount(block, weights=mean * (y - slope * mean))
    spread = float(sums @ sums) * (free + 1) / free
    signal = (slope * power) ** 2
    if slope <= 0 or signal <= 0:
        return 0.0
    return max(0.0, 1.0 - spread / signal * free / (free - 2))
