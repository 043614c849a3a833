"""Windows of rows that sequence models read, and their split in time."""

from dataclasses import dataclass

import numpy as np

from seakeep.core.errors import NotEnoughHistory
from seakeep.core.market import Float64, Int64
from seakeep.models.folding import label_ms
from seakeep.models.segments import complete

__all__ = ["Parts", "bar_length", "split_in_time", "window_ends"]

_MIN_ROWS = 50
"""Windows that each part of a split needs."""


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

    At most `most` are used, evenly spread. Rows whose label reaches into the next part are left out.

    Raises: NotEnoughHistory.
    """
    chosen = ends[np.argsort(ts[ends], kind="stable")]
    chosen = chosen[np.linspace(0, len(chosen) - 1, min(most, len(chosen))).astype(np.int64)]
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
