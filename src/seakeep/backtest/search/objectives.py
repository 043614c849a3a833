"""What a candidate is worth, pessimistically: the lower end of its score over periods that follow one another.

History is cut into walk-forward windows, each a training and, after a gap that purges what reaches over the border, a
test. A candidate has a score in each test, and its objective is the lower end of the one-sided 95 % interval of their
mean: a single lucky period lowers it, because it widens the spread. The trainings serve the nested choice, which tells
what choosing like this was worth on days that came after each choice.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from seakeep.backtest.search.folds import WalkForward, Window
from seakeep.core.errors import NotEnoughHistory
from seakeep.core.market import Float64, Int64
from seakeep.core.units import DAY_MS, YEAR_MS
from seakeep.stats.performance import LEVEL
from seakeep.stats.returns import max_drawdown

__all__ = ["OBJECTIVES", "Days", "Objective", "Periods", "cut", "front", "lower_bound", "returns_by_day", "scores"]

Objective = Literal["sharpe", "return", "calmar"]
OBJECTIVES: tuple[Objective, ...] = ("sharpe", "return", "calmar")
"""Per year: mean over deviation of daily returns; mean log growth; growth over the largest loss from a peak."""

LEAST_DRAWDOWN = 0.01
"""A smaller loss counts as one of this size: periods without any would have a Calmar ratio without end."""
MIN_DAYS = 10
"""Fewer days in a test say nothing."""

Days = Float64
"""Returns by day (d,), all candidates of a search over the same days."""


@dataclass(frozen=True, eq=False)
class Periods:
    """Windows over days that end at `ts` (d,), and the rows of training and test of each."""

    ts: Int64
    windows: tuple[Window, ...]
    train: tuple[slice, ...]
    test: tuple[slice, ...]

    @property
    def periods(self) -> float:
        """Days a year."""
        return YEAR_MS / float(np.median(np.diff(self.ts)))


def returns_by_day(ts: Int64, equity: Float64) -> tuple[Int64, Float64]:
    """Instants (d,) at which UTC days end and the simple returns (d,) over them; ruin is -1, then nothing.

    The first day begins with the first row. Raises: ValueError below two rows.

    >>> returns_by_day(np.array([0, DAY_MS, 2 * DAY_MS]), np.array([100.0, 110.0, 99.0]))[1].round(3).tolist()
    [0.1, -0.1]
    """
    if len(ts) < 2 or ts.shape != equity.shape:
        raise ValueError(f"need an account over time, got {ts.shape} and {equity.shape}")
    ends = np.flatnonzero(np.diff((ts - 1) // DAY_MS, append=np.iinfo(np.int64).max))
    ends = ends[ends > 0]
    alive = np.where(np.minimum.accumulate(equity) > 0, equity, 0.0)
    marks = alive[np.append(0, ends)]
    return ts[ends], np.divide(marks[1:], marks[:-1], out=np.ones(len(ends)), where=marks[:-1] > 0) - 1


def cut(ts: Int64, folds: int, gap_ms: int = DAY_MS) -> Periods:
    """So many tests over days that end at `ts` (d,), each after a training of twice its length.

    Raises: NotEnoughHistory if a test would last fewer than ten days.
    """
    part = int(ts[-1] - ts[0]) // (folds + 2) if len(ts) else 0
    if part // DAY_MS < MIN_DAYS:
        needed = (folds + 2) * MIN_DAYS
        raise NotEnoughHistory(
            f"{len(ts)} days are too few for {folds} tests", remedy=f"{needed} days, or fewer --folds"
        )
    scheme = WalkForward(train_ms=2 * part - gap_ms, test_ms=part, gap_ms=gap_ms)
    windows = scheme.windows(int(ts[0]) - DAY_MS, int(ts[-1]) + 1)
    return Periods(
        ts,
        windows,
        tuple(_rows(ts, w.train_start, w.train_end) for w in windows),
        tuple(_rows(ts, w.test_start, w.test_end) for w in windows),
    )


def _rows(ts: Int64, start: int, end: int) -> slice:
    """Days that end in (start, end]."""
    return slice(int(np.searchsorted(ts, start, "right")), int(np.searchsorted(ts, end, "right")))


def scores(days: Float64, rows: Sequence[slice], objective: Objective, periods: float) -> Float64:
    """Score of each period (f, ...) of daily returns (d, ...); 0 where nothing moved."""
    score = _SCORES[objective]
    return np.array([score(days[part], periods) for part in rows])


def _sharpe(days: Float64, periods: float) -> Float64:
    spread = days.std(axis=0, ddof=1)
    moved = spread > 1e-12
    return np.asarray(np.where(moved, days.mean(axis=0) / np.where(moved, spread, 1.0) * np.sqrt(periods), 0.0))


def _growth(days: Float64, periods: float) -> Float64:
    return np.asarray(np.log(np.maximum(1.0 + days, 1e-12)).mean(axis=0) * periods)


def _calmar(days: Float64, periods: float) -> Float64:
    lost = np.apply_along_axis(lambda one: max_drawdown(np.append(1.0, np.cumprod(1.0 + one))), 0, days)
    return np.asarray(_growth(days, periods) / np.maximum(lost, LEAST_DRAWDOWN))


_SCORES: dict[Objective, Callable[[Float64, float], Float64]] = {
    "sharpe": _sharpe,
    "return": _growth,
    "calmar": _calmar,
}


def lower_bound(found: Float64) -> Float64:
    """Lower end of the one-sided interval of the mean of scores (f, ...) over periods, Student's t; NaN below two.

    >>> float(lower_bound(np.array([1.0, 1.0, 1.0])))
    1.0
    """
    n = len(found)
    if n < 2:
        return np.full(found.shape[1:], np.nan)
    return np.asarray(found.mean(axis=0) - _quantile(n - 1) * found.std(axis=0, ddof=1) / np.sqrt(n))


def _quantile(freedom: int) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(freedom, LEVEL))


def front(table: Float64) -> Int64:
    """Rows of a table (k, m), larger is better, that no other row beats in one column and matches in the rest.

    Rows with NaN are not on it; of equal rows the first is. Sorted by the first column, best first.

    >>> front(np.array([[1.0, 2.0], [2.0, 1.0], [1.0, 1.0]])).tolist()
    [1, 0]
    """
    known = np.flatnonzero(np.isfinite(table).all(axis=1))
    order = known[np.lexsort((*(-table[known].T[::-1]),))]
    kept: list[int] = []
    for i in order:
        if not any((table[j] >= table[i]).all() for j in kept):
            kept.append(int(i))
    return np.array(kept, np.int64)


def objective_of(tests: Periods, objective: Objective) -> Callable[[Days], Float64]:
    """The objective as a function of daily returns (d,) or (d, k)."""
    return partial(_worth, tests=tests, objective=objective)


def _worth(days: Days, tests: Periods, objective: Objective) -> Float64:
    return lower_bound(scores(days, tests.test, objective, tests.periods))
