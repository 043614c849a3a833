"""The four laws every indicator, expert and strategy obeys, as functions that report what breaks them.

prefix: adding the future never changes the past. lookback: the last row needs only the last `lookback` rows. shape: n
rows in, n rows out, NaN only while warming up. seed: the same seed gives the same bits. What is under test is handed
over as a function of a row range, so one form fits bars, feature frames and forecasts alike.
"""

from collections.abc import Callable, Iterable

import msgspec
import numpy as np

from seakeep.core.market import Float64

__all__ = ["Rows", "Violation", "lookback_law", "prefix_law", "seed_law", "shape_law"]

Rows = Callable[[int, int], Float64]
"""The output (m,) or (m, k) over rows [start, stop) of some fixed history, m = stop - start."""

RTOL = 1e-8
"""Of the value, or of the typical size of its column where the value is nearer to zero."""


class Violation(msgspec.Struct, frozen=True):
    """One broken law: at this row, `got` stands where `expected` should (numbers, or lengths for the shape law)."""

    law: str
    name: str
    row: int
    expected: float
    got: float


def prefix_law(name: str, over: Rows, n: int, cuts: Iterable[int]) -> list[Violation]:
    """Compares the rows before each cut, computed without the rest, to those of the whole (n rows), bit by bit."""
    whole = _table(over(0, n))
    found = []
    for cut in cuts:
        part = _table(over(0, cut))
        wrong = np.argwhere((part != whole[:cut]) & ~(np.isnan(part) & np.isnan(whole[:cut])))
        if len(wrong):
            row, column = (int(x) for x in wrong[0])
            found.append(Violation("prefix", name, row, whole[row, column], part[row, column]))
    return found


def lookback_law(
    name: str, over: Rows, n: int, lookback: int, cuts: Iterable[int], *, differences: bool = False
) -> list[Violation]:
    """Compares the last row over [cut - lookback, cut) to that over [0, cut), to 1e-8.

    With `differences` the last change is compared instead of the last value: for running totals. `n` rows are the
    history; each cut is in lookback .. n.
    """
    whole = _table(over(0, n))
    found = []
    for cut in cuts:
        window = _table(over(cut - lookback, cut))
        want, got = (np.diff(x, axis=0)[-1] if differences else x[-1] for x in (whole[:cut], window))
        typical = _typical(np.diff(whole, axis=0) if differences else whole)
        close = np.abs(got - want) <= RTOL * np.maximum(np.abs(want), typical)
        wrong = np.flatnonzero(~(close | (np.isnan(want) & np.isnan(got))))
        found += [Violation("lookback", name, cut - 1, float(want[c]), float(got[c])) for c in wrong[:1]]
    return found


def shape_law(name: str, over: Rows, n: int, warmup: int) -> list[Violation]:
    """Checks the number of rows for short histories, none included, and that no NaN is left from row `warmup` on."""
    found = []
    for length in (*range(min(warmup, n, 64) + 1), n):
        rows = len(over(0, length))
        if rows != length:
            found.append(Violation("shape", name, length, length, rows))
    holes = np.flatnonzero(np.isnan(_table(over(0, n))).any(axis=1))
    late = holes[holes >= warmup]
    return found + [Violation("shape", name, int(row), 0.0, float("nan")) for row in late[:1]]


def seed_law(name: str, run: Callable[[int], Float64], seed: int) -> list[Violation]:
    """Runs twice with the same seed and compares the results bit by bit."""
    first, second = _table(run(seed)), _table(run(seed))
    wrong = np.argwhere((first != second) & ~(np.isnan(first) & np.isnan(second)))
    return [Violation("seed", name, int(row), first[row, column], second[row, column]) for row, column in wrong[:1]]


def _table(x: Float64) -> Float64:
    return np.asarray(x, dtype=np.float64).reshape(len(x), -1)


def _typical(columns: Float64) -> Float64:
    """Median absolute value of each column (k,), 0 where there is none."""
    seen = [column[np.isfinite(column)] for column in np.abs(columns.T)]
    return np.array([np.median(column) if len(column) else 0.0 for column in seen])
