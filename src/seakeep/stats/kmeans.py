"""k-means: clusters of least squared distance, from several starts.

Starts are drawn by k-means++ [1]_; each is moved by Lloyd's steps until no row changes its cluster.

.. [1] Arthur and Vassilvitskii, "k-means++: the advantages of careful seeding", SODA (2007).
"""

from dataclasses import dataclass

import numpy as np

from seakeep.core.errors import DataError, NotEnoughHistory
from seakeep.core.jit import kernel
from seakeep.core.market import Float64, Int64

__all__ = ["Clusters", "checked_rows", "fit_kmeans", "nearest_centre"]

_MOST_STEPS = 300


@dataclass(frozen=True, slots=True, eq=False)
class Clusters:
    """`centres` (k, d) in the order of their first column, `labels` (n,), and the sum of squared distances."""

    centres: Float64
    labels: Int64
    inertia: float

    @property
    def sizes(self) -> Int64:
        """Rows in each cluster (k,)."""
        return np.bincount(self.labels, minlength=len(self.centres))


def checked_rows(x: Float64, k: int) -> Float64:
    """Rows (n, d) of x, (n,) made a column.

    Raises: ValueError for k < 1 or a wrong shape, NotEnoughHistory below k rows, DataError for what is not finite.
    """
    rows = np.asarray(x, np.float64)
    rows = np.ascontiguousarray(rows[:, None] if rows.ndim == 1 else rows)
    if k < 1 or rows.ndim != 2 or not rows.shape[1]:
        raise ValueError(f"k >= 1 and rows of shape (n, d) are needed, got {k} and {rows.shape}")
    if len(rows) < k:
        raise NotEnoughHistory(f"{k} clusters need at least {k} rows", value=len(rows), remedy="load more of them")
    if not np.isfinite(rows).all():
        row, column = np.argwhere(~np.isfinite(rows))[0].tolist()
        raise DataError(f"row {row}, column {column} is not a finite number", value=float(rows[row, column]))
    return rows


def fit_kmeans(x: Float64, k: int, seed: int, starts: int = 20) -> Clusters:
    """The best of `starts` searches for k clusters of rows x (n, d), or (n,) for one column.

    >>> fit_kmeans(np.array([1.0, 1.2, 5.0, 5.4]), 2, seed=1).centres.round(1).ravel().tolist()
    [1.1, 5.2]

    Raises: ValueError for k or starts < 1, NotEnoughHistory below k rows, DataError for what is not finite.
    """
    rows = checked_rows(x, k)
    if starts < 1:
        raise ValueError(f"starts must be >= 1, got {starts}")
    rng = np.random.default_rng(seed)
    best, centres, labels = np.inf, np.empty(0), np.empty(0, np.int64)
    for _ in range(starts):
        tried, owner = _spread(rows, k, rng.random(k)), np.empty(len(rows), np.int64)
        inertia = _lloyd(rows, tried, owner)
        if inertia < best:
            best, centres, labels = inertia, tried, owner
    order = np.lexsort(centres.T[::-1])
    return Clusters(centres[order], np.argsort(order)[labels], float(best))


@kernel
def nearest_centre(rows: Float64, centres: Float64, owner: Int64) -> float:
    """Index of the nearest centre into `owner` (n,), and the sum of squared distances to it."""
    total = 0.0
    for t in range(len(rows)):
        least = np.inf
        for j in range(len(centres)):
            distance = 0.0
            for a in range(rows.shape[1]):
                distance += (rows[t, a] - centres[j, a]) ** 2
            if distance < least:
                least, owner[t] = distance, j
        total += least
    return total


@kernel
def _spread(rows: Float64, k: int, draws: Float64) -> Float64:
    """Centres (k, d) drawn one after the other, each with odds of its squared distance to those before."""
    n = len(rows)
    centres = np.empty((k, rows.shape[1]))
    centres[0] = rows[min(int(draws[0] * n), n - 1)]
    least = np.full(n, np.inf)
    for j in range(1, k):
        for t in range(n):
            least[t] = min(least[t], ((rows[t] - centres[j - 1]) ** 2).sum())
        sums = np.cumsum(least)
        centres[j] = rows[min(np.searchsorted(sums, draws[j] * sums[-1]), n - 1)]
    return centres


@kernel
def _lloyd(rows: Float64, centres: Float64, owner: Int64) -> float:
    """Move the centres to the means of their rows, in place, until nothing changes; the sum of squared distances."""
    before = np.inf
    for _ in range(_MOST_STEPS):
        total = nearest_centre(rows, centres, owner)
        if not total < before:
            break
        before = total
        sums, counts = np.zeros(centres.shape), np.zeros(len(centres))
        for t in range(len(rows)):
            counts[owner[t]] += 1
            sums[owner[t]] += rows[t]
        for j in range(len(centres)):
            if counts[j] > 0:
                centres[j] = sums[j] / counts[j]
    return before
