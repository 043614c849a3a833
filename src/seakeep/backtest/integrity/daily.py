"""Runs side by side, day by day: the same days of each, so that differences between runs are seen through one noise."""

import math
from collections.abc import Sequence

import numpy as np

from seakeep.backtest.result import Curves
from seakeep.core.errors import NotEnoughHistory
from seakeep.core.market import Float64
from seakeep.core.units import DAY_MS, YEAR_MS
from seakeep.stats.bootstrap import resample

__all__ = ["MIN_DAYS", "daily_returns", "growths", "paired_samples", "sharpes"]

MIN_DAYS = 30


def daily_returns(runs: Sequence[Curves]) -> tuple[Float64, float]:
    """Simple returns (r, d) of each run over the UTC days of the first, and how many such days make a year.

    A day ends at the first run's last bar in it (a longer bar is a day of its own); another run's equity there is the
    last it had, its first before that. Equity that was ever at or below zero stays at zero: a return of -1.

    Raises: NotEnoughHistory below 30 days.
    """
    ts = runs[0].ts
    ends = np.flatnonzero(np.diff((ts - 1) // DAY_MS, append=np.iinfo(np.int64).max))
    marks = np.append(ts[:1], ts[ends]) if len(ts) else ts
    if len(marks) <= MIN_DAYS:
        raise NotEnoughHistory(f"the run must cover at least {MIN_DAYS} days", value=max(0, len(marks) - 1))
    rows = []
    for run in runs:
        left = np.where(np.minimum.accumulate(run.equity) > 0, run.equity, 0.0)
        alive = left[np.maximum(np.searchsorted(run.ts, marks, "right") - 1, 0)]
        rows.append(np.divide(alive[1:], alive[:-1], out=np.ones(len(alive) - 1), where=alive[:-1] > 0) - 1)
    return np.array(rows), YEAR_MS / float(np.median(np.diff(marks)))


def sharpes(returns: Float64, periods: float) -> Float64:
    """Sharpe ratio a year (r,) of each row of returns (r, d); 0 for one that never varies: it has earned nothing."""
    spread = returns.std(axis=1, ddof=1)
    ratios = np.divide(returns.mean(axis=1), spread, out=np.zeros(len(returns)), where=spread > 1e-15)
    return np.asarray(ratios * math.sqrt(periods))


def growths(returns: Float64, periods: float) -> Float64:
    """Mean log growth a year (r,) of each row of returns (r, d); a total loss is -inf."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.log1p(returns).mean(axis=1) * periods)


def paired_samples(returns: Float64, *, samples: int, seed: int) -> list[Float64]:
    """Bootstrap samples of returns (r, d): every run on the same days, drawn in blocks (stationary bootstrap)."""
    rows = resample(lambda drawn: drawn.astype(np.float64), returns.shape[1], samples=samples, seed=seed)
    return [returns[:, drawn] for drawn in rows.astype(np.int64)]
