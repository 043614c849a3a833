"""Purged, embargoed folds in time over pooled rows of several symbols, and what an expert says of rows it never saw.

A row is known at `ts`, its label is decided by what happens until `ts + horizon_ms`. A training row whose label shares
time with that of a test row knows the answer and is purged, whichever symbol it is of, since symbols move together; an
embargo also leaves out rows that follow a test block, whose features remember it. Labels that only touch share no move.
After M. Lopez de Prado, Advances in Financial Machine Learning (2018), chapter 7.
"""

from dataclasses import fields
from typing import Protocol, runtime_checkable

import numpy as np

from seakeep.core.beliefs import FeatureFrame
from seakeep.core.errors import NotEnoughHistory
from seakeep.core.market import Float64, Int64
from seakeep.models.base import Expert
from seakeep.models.segments import first_rows

__all__ = ["Folds", "fresh", "label_ms", "out_of_fold", "part_of", "purged_folds"]

Folds = tuple[tuple[Int64, Int64], ...]
"""(rows to learn from, rows to be judged on) of each fold, both ascending."""


def purged_folds(ts: Int64, horizon_ms: int | Int64, k: int = 5, embargo: int = 0) -> Folds:
    """Folds of rows known at `ts` (n,) UTC ms, in any order; `horizon_ms` is how long labels last, one for all or (n,).

    The instants are cut into `k` blocks of about as many rows; each is once the test. `embargo` is in ms, counted from
    the end of the last label of the block.

    >>> purged_folds(np.arange(6), 1, 3)[1][0].tolist(), purged_folds(np.arange(6), 2, 3)[1][0].tolist()
    ([0, 1, 4, 5], [0, 5])

    Raises: NotEnoughHistory if a fold has nothing to learn from; ValueError for k below 2 or a negative duration.
    """
    if k < 2 or embargo < 0 or (np.asarray(horizon_ms) < 0).any():
        raise ValueError(f"need k >= 2 folds, horizon_ms >= 0 and embargo >= 0, got k={k} and embargo={embargo}")
    ends = ts + horizon_ms
    instants = np.sort(ts)
    edges = np.unique([int(part[0]) for part in np.array_split(instants, k) if len(part)])
    block = np.searchsorted(edges, ts, "right") - 1
    folds = []
    for i, first in enumerate(edges):
        test = block == i
        free = int(ends[test].max())
        train = ~test & ((ends <= first) | (ts >= free + embargo))
        folds.append((np.flatnonzero(train), np.flatnonzero(test)))
    if len(edges) < k or not all(len(train) for train, _ in folds):
        remedy = "use more history, fewer folds or a shorter horizon"
        raise NotEnoughHistory(f"{k} purged folds leave nothing to learn from", value=len(ts), remedy=remedy)
    return tuple(folds)


def label_ms(ts: Int64, horizon: int) -> Int64:
    """How long the label of each pooled row (n,) lasts, ms: to the row `horizon` later of the same symbol.

    Where rows are missing that is longer than the horizon's nominal time. Rows without a label get the usual length.

    >>> label_ms(np.array([0, 5, 20, 0, 5]), 1).tolist()
    [5, 15, 5, 5, 5]
    """
    n = len(ts)
    later = np.minimum(np.arange(n) + horizon, n - 1)
    known = (first_rows(ts)[later] == first_rows(ts)) & (np.arange(n) + horizon < n)
    lasts = np.where(known, ts[later] - ts, 0)
    usual = horizon * int(np.median(np.diff(ts)[np.diff(ts) > 0])) if (np.diff(ts) > 0).any() else 0
    return np.asarray(np.where(known, lasts, usual), np.int64)


def part_of(frame: FeatureFrame, rows: Int64) -> FeatureFrame:
    """Those rows (m,) of a frame."""
    return FeatureFrame(frame.symbol, frame.ts[rows], frame.names, frame.values[rows])


def out_of_fold(
    expert: Expert, frame: FeatureFrame, y: Float64, seed: int, k: int = 5, embargo: int | None = None
) -> Float64:
    """Mean and deviation (n, 2) of every pooled row by a copy of `expert` that learnt from the other folds.

    The expert is left as it is. The embargo is the usual horizon if not given, ms. Copies of a fitted learning expert
    take its proof over, which is quick and good for calibration; those of one that is not fitted prove themselves on
    the rows they learn from, which is what its skill must be judged by. Raises: NotEnoughHistory.
    """
    lasts = label_ms(frame.ts, expert.horizon)
    wait = int(np.median(lasts)) if embargo is None and len(lasts) else embargo or 0
    out = np.full((len(frame), 2), np.nan)
    for train, test in purged_folds(frame.ts, lasts, k, wait):
        copy = fresh(expert).fit(part_of(frame, train), y[train], seed)
        seen = test if expert.lookback == 1 else np.arange(len(frame))
        forecast = copy.predict(part_of(frame, seen))
        out[test] = forecast if expert.lookback == 1 else forecast[test]
    return out


@runtime_checkable
class _Proven(Protocol):
    def unproven(self) -> Expert: ...


def fresh(expert: Expert) -> Expert:
    """An unfitted expert of the same kind and parameters; one that need not prove itself again where that is kept."""
    if isinstance(expert, _Proven):
        return expert.unproven()
    return type(expert)(**{field.name: getattr(expert, field.name) for field in fields(expert)})
