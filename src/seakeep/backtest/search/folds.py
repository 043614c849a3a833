"""Which rows may teach and which may judge: walk-forward windows, purged K-fold, combinatorial purged folds.

A row is known at `ts` and its label is decided by what happens until `ends`. A training row whose label overlaps that
of a test row knows the answer, so it is purged; an embargo also leaves out rows that follow a test block, whose
features remember it. Labels that only touch (one ends at the instant the other begins) share no price move and do not
overlap, unless `closed` says that both include that instant.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from math import comb

import msgspec
import numpy as np
from numpy.typing import NDArray

from seakeep.core.errors import NotEnoughHistory
from seakeep.core.market import Float64, Int64
from seakeep.core.units import MINUTE_MS, YEAR_MS, iso

__all__ = ["Combinatorial", "Fold", "WalkForward", "Window", "overlapping", "purged_kfold", "stitch"]


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """One split: rows to learn from (m,), rows to be judged on (q,), both ascending; `groups` are the test blocks."""

    train: Int64
    test: Int64
    groups: tuple[int, ...] = (0,)

    def __post_init__(self) -> None:
        self.train.flags.writeable = self.test.flags.writeable = False


class Window(msgspec.Struct, frozen=True):
    """Learn on [train_start, train_end), be judged on [test_start, test_end); UTC ms."""

    train_start: int
    train_end: int
    test_start: int
    test_end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WalkForward:
    """Learn on the last `train_ms` (or, anchored, on everything so far), be judged on the `test_ms` that follow.

    The test periods lie end to end, so that together they are one history nobody was fitted on. `gap_ms` keeps the two
    apart; make it the longest label.
    """

    train_ms: int = YEAR_MS // 2
    test_ms: int = YEAR_MS // 12
    anchored: bool = False
    gap_ms: int = 0

    def __post_init__(self) -> None:
        if self.train_ms < 1 or self.test_ms < 1 or self.gap_ms < 0:
            raise ValueError("training and test must last at least a millisecond, and a gap cannot be negative")

    def windows(self, first: int, end: int) -> tuple[Window, ...]:
        """The windows of history [first, end); the last test period takes the rest, from half a length to one and a
        half. Raises: NotEnoughHistory if there is no room for one.

        >>> [w.test_start for w in WalkForward(train_ms=50, test_ms=20).windows(0, 100)]
        [50, 70, 90]
        """
        begin = first + self.train_ms + self.gap_ms
        count = (2 * (end - begin) + self.test_ms) // (2 * self.test_ms)
        if count < 1:
            needed = iso(-(-(begin + (self.test_ms + 1) // 2) // MINUTE_MS) * MINUTE_MS)
            raise NotEnoughHistory("no room for a first test period", value=iso(end), remedy=f"bars to {needed} do")
        edges = [begin + i * self.test_ms for i in range(count)] + [end]
        return tuple(
            Window(first if self.anchored else a - self.gap_ms - self.train_ms, a - self.gap_ms, a, b)
            for a, b in pairwise(edges)
        )

    def split(self, ts: Int64, ends: Int64) -> tuple[Fold, ...]:
        """The same over rows known at `ts` (n,), ascending, whose labels end at `ends` (n,).

        A row whose label reaches into the test period is purged. Raises: NotEnoughHistory.
        """
        _check(ts, ends)
        folds = []
        for i, window in enumerate(self.windows(int(ts[0]), int(ts[-1]) + 1) if len(ts) else ()):
            rows = np.flatnonzero((ts >= window.train_start) & (ts < window.train_end) & (ends <= window.test_start))
            test = np.flatnonzero((ts >= window.test_start) & (ts < window.test_end))
            folds.append(Fold(rows, test, (i,)))
        return tuple(folds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Combinatorial:
    """Combinatorial purged cross-validation [1]_: every choice of `tests` of the `folds` blocks is once the test.

    Each block is judged in several splits; taking one judgement of each block makes a path through all of history, and
    there are `n_paths` of them: a distribution of results, not one. `embargo` counts rows.

    >>> Combinatorial(folds=6, tests=2).n_splits, Combinatorial(folds=6, tests=2).n_paths
    (15, 5)

    .. [1] Lopez de Prado, "Advances in Financial Machine Learning", chapters 7 and 12 (2018).
    """

    folds: int = 6
    tests: int = 2
    embargo: int = 0
    closed: bool = False

    def __post_init__(self) -> None:
        if not (0 < self.tests < self.folds <= 100) or self.embargo < 0 or self.n_splits > 100_000:
            raise ValueError("need 1 <= tests < folds <= 100, at most 100,000 splits and an embargo >= 0")

    @property
    def n_splits(self) -> int:
        """How many splits there are."""
        return comb(self.folds, self.tests)

    @property
    def n_paths(self) -> int:
        """How many paths they make."""
        return self.n_splits * self.tests // self.folds

    def paths(self) -> Int64:
        """The split that supplies each block (rows) of each path (columns), (folds, n_paths)."""
        found = np.empty((self.folds, self.n_paths), np.int64)
        used = [0] * self.folds
        for split, groups in enumerate(combinations(range(self.folds), self.tests)):
            for group in groups:
                found[group, used[group]] = split
                used[group] += 1
        return found

    def split(self, ts: Int64, ends: Int64) -> tuple[Fold, ...]:
        """Every split of rows known at `ts` (n,), ascending, whose labels end at `ends` (n,).

        Raises: NotEnoughHistory if there are fewer rows than folds; ValueError if times do not ascend.
        """
        _check(ts, ends)
        if len(ts) < self.folds:
            raise NotEnoughHistory("fewer rows than folds", value=len(ts), remedy=f"{self.folds} are needed")
        blocks = np.array_split(np.arange(len(ts)), self.folds)
        barred = [self._barred(ts, ends, block) for block in blocks]
        folds = []
        for groups in combinations(range(self.folds), self.tests):
            out = np.logical_or.reduce([barred[group] for group in groups])
            folds.append(Fold(np.flatnonzero(~out), np.concatenate([blocks[group] for group in groups]), groups))
        return tuple(folds)

    def _barred(self, ts: Int64, ends: Int64, block: Int64) -> NDArray[np.bool_]:
        """Rows (n,) that may not teach when this block is judged: its own, the overlapping, the embargoed."""
        first, last = int(block[0]), int(block[-1])
        stop = int(ends[first : last + 1].max())
        out = overlapping(ts, ends, int(ts[first]), stop, closed=self.closed)
        free = max(last + 1, int(np.searchsorted(ts, stop, "right" if self.closed else "left")))
        out[first : free + self.embargo] = True
        return out


def purged_kfold(folds: int = 5, *, embargo: int = 0, closed: bool = False) -> Combinatorial:
    """K-fold with purging and an embargo of so many rows: each block is the test once, one path."""
    return Combinatorial(folds=folds, tests=1, embargo=embargo, closed=closed)


def overlapping(starts: Int64, ends: Int64, first: int, last: int, *, closed: bool = False) -> NDArray[np.bool_]:
    """Which labels [starts, ends) (n,) share time with [first, last); with `closed` both ends belong to both.

    >>> overlapping(np.array([0, 2, 4]), np.array([2, 4, 6]), 2, 4).tolist()
    [False, True, False]
    """
    return (starts <= last) & (ends >= first) if closed else (starts < last) & (ends > first)


def stitch(scheme: Combinatorial, folds: Sequence[Fold], judged: Sequence[Float64]) -> Float64:
    """Every path (n, n_paths) from what each split found on its test rows: `judged[i]` belongs to `folds[i].test`.

    Raises: ValueError if they do not fit together.
    """
    if len(folds) != scheme.n_splits or any(len(v) != len(f.test) for v, f in zip(judged, folds, strict=True)):
        raise ValueError(f"need {scheme.n_splits} splits and one number for each of their test rows")
    n = 1 + max(int(fold.test[-1]) for fold in folds)
    blocks = np.array_split(np.arange(n), scheme.folds)
    table = np.empty((n, scheme.n_paths))
    full = np.empty(n)
    paths = scheme.paths()
    for split, (fold, values) in enumerate(zip(folds, judged, strict=True)):
        full[fold.test] = values
        for group in fold.groups:
            path = int(np.flatnonzero(paths[group] == split)[0])
            table[blocks[group], path] = full[blocks[group]]
    return table


def _check(ts: Int64, ends: Int64) -> None:
    if ts.shape != ends.shape or ts.ndim != 1:
        raise ValueError(f"ts and ends must be (n,) both, got {ts.shape} and {ends.shape}")
    if (np.diff(ts) <= 0).any() or (ends < ts).any():
        raise ValueError("times must ascend, and a label cannot end before it begins")
