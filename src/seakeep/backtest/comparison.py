"""Saved runs side by side, and whether the difference between two of them is more than noise.

Both are seen on the stamps they share, so that the same market moves both; what is only in one is left out and said.
Sharpe ratios are compared by the test of Ledoit and Wolf, every other figure by a paired stationary bootstrap of days:
the same days of both runs, drawn again. Several runs are each held against the first, and the p-values of a figure are
then corrected for their number by Holm's method.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from seakeep.backtest.saving import load_equity, load_summary
from seakeep.backtest.sharpetest import MIN_DAYS, sharpe_difference
from seakeep.core.errors import DataError, NotEnoughHistory
from seakeep.core.market import Float64, Int64
from seakeep.core.units import DAY_MS, YEAR_MS, iso
from seakeep.stats.bootstrap import percentile_interval, resample
from seakeep.stats.folding import fold, unfold
from seakeep.stats.performance import Estimate
from seakeep.stats.returns import simple_returns

__all__ = ["Comparison", "Contrast", "Difference", "SavedRun", "compare", "contrast", "load_run"]

_FIGURES = ("cagr", "volatility", "max_drawdown", "sortino", "calmar")
_NAN = math.nan


@dataclass(frozen=True, eq=False)
class SavedRun:
    """What a comparison reads of a run: who it was, its metrics, and its equity (n,) at times (n,) UTC ms."""

    run_id: str
    strategy: str
    symbols: tuple[str, ...]
    interval: str
    quote: str
    metrics: Mapping[str, Estimate]
    ts: Int64
    equity: Float64


class Difference(msgspec.Struct, frozen=True):
    """A figure of both runs on the days they share, first less other with 95 % interval, and p-value of no difference.

    `p_adjusted` counts how many runs were compared with the first. NaN is "not known".
    """

    metric: str
    first: float
    other: float
    difference: float
    low: float
    high: float
    p_value: float
    p_adjusted: float
    method: str


class Contrast(msgspec.Struct, frozen=True):
    """The first run against another: the time they share, what was left out, and the differences."""

    first: str
    other: str
    start: str
    end: str
    bars: int
    days: int
    notes: tuple[str, ...]
    differences: tuple[Difference, ...]


class Comparison(msgspec.Struct, frozen=True):
    """Metrics of each run over its own time, by run and name, and each later run against the first."""

    runs: tuple[str, ...]
    strategies: tuple[str, ...]
    metrics: tuple[Mapping[str, Estimate], ...]
    contrasts: tuple[Contrast, ...]


def load_run(folder: Path) -> SavedRun:
    """A run that `save` wrote. Raises: DataError if it is not there, not readable, or not as it was saved."""
    told = load_summary(folder)
    ts, equity = load_equity(folder)
    try:
        plain: dict[str, Any] = told
        metrics = {name: _estimate(entry) for name, entry in plain["metrics"].items()}
        names = tuple(str(plain[key]) for key in ("run_id", "strategy", "interval", "quote"))
        symbols = tuple(str(symbol) for symbol in plain["symbols"])
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise DataError(
            f"{folder.name}/summary.json is not a result: {error!r}", remedy="run the backtest again"
        ) from error
    return SavedRun(names[0], names[1], symbols, names[2], names[3], metrics, ts, equity)


def _estimate(entry: Mapping[str, float | None]) -> Estimate:
    value, low, high = (_NAN if (x := entry[key]) is None else float(x) for key in ("value", "low", "high"))
    return Estimate(value, low, high, int(entry["n"] or 0))


def compare(runs: Sequence[SavedRun], *, samples: int = 1000, seed: int = 0) -> Comparison:
    """Hold every later run against the first.

    Raises: ValueError below two runs; NotEnoughHistory if a run shares fewer than 30 days with the first; DataError if
    an equity is not positive throughout.
    """
    if len(runs) < 2:
        raise ValueError(f"a comparison needs two runs, got {len(runs)}")
    found = [contrast(runs[0], run, samples=samples, seed=seed) for run in runs[1:]]
    names = tuple(run.run_id for run in runs)
    strategies, metrics = tuple(run.strategy for run in runs), tuple(run.metrics for run in runs)
    return Comparison(names, strategies, metrics, _corrected(found))


def contrast(first: SavedRun, other: SavedRun, *, samples: int = 1000, seed: int = 0) -> Contrast:
    """One run against another on the stamps they share. Raises: as `compare`."""
    shared, rows, others = np.intersect1d(first.ts, other.ts, return_indices=True)
    day = (shared[1:] - 1) // DAY_MS
    starts = np.flatnonzero(np.diff(day, prepend=-1))
    if len(starts) < MIN_DAYS:
        message = f"{first.run_id} and {other.run_id} share fewer than {MIN_DAYS} days"
        raise NotEnoughHistory(message, value=len(starts), remedy="compare runs over the same time")
    returns = [_returns(first, rows), _returns(other, others)]
    years = float(shared[-1] - shared[0]) / YEAR_MS
    periods = YEAR_MS / float(np.median(np.diff(shared)))
    sharpe = _sharpe(returns, day, periods, samples=samples, seed=seed)
    folds = [fold(one, starts) for one in returns]
    rest = _bootstrapped(folds, (periods, years), samples=samples, seed=seed)
    ends = (iso(int(shared[0])), iso(int(shared[-1])))
    notes = _notes(first, other, len(shared))
    return Contrast(first.run_id, other.run_id, *ends, len(shared), len(starts), notes, (sharpe, *rest))


def _returns(run: SavedRun, rows: Int64) -> Float64:
    equity = run.equity[rows]
    if not (np.isfinite(equity).all() and (equity > 0).all()):
        raise DataError(f"the equity of {run.run_id} is not positive throughout", remedy="leave this run out")
    return simple_returns(equity)


def _sharpe(returns: Sequence[Float64], day: Int64, periods: float, *, samples: int, seed: int) -> Difference:
    found, year = sharpe_difference(returns[0], returns[1], day, samples=samples, seed=seed), math.sqrt(periods)
    method = "Ledoit-Wolf, studentised bootstrap"
    pair, ends = (found.first * year, found.second * year), (found.low * year, found.high * year)
    return Difference("sharpe", *pair, found.difference * year, *ends, found.p_value, found.p_value, method)


def _bootstrapped(
    folds: Sequence[Float64], year: tuple[float, float], *, samples: int, seed: int
) -> tuple[Difference, ...]:
    """Differences of `_FIGURES`; p is how often a centred difference is as large, 1 where there is none.

    Equal CAGR is equal log growth, whose difference is far less skewed: that is what its p-value looks at.
    """

    def both(rows: Int64) -> Float64:
        return np.concatenate([_figures(unfold(days, rows), *year) for days in folds])

    k, d = len(_FIGURES), len(folds[0])
    values = both(np.arange(d))
    drawn = resample(both, d, samples=samples, seed=seed)
    apart, spread = values[:k] - values[k:], drawn[:, :k] - drawn[:, k:]
    growth = np.log1p(values[0]) - np.log1p(values[k]), np.log1p(drawn[:, 0]) - np.log1p(drawn[:, k])
    found = []
    for j, metric in enumerate(_FIGURES):
        p = _centred(*growth) if metric == "cagr" else _centred(float(apart[j]), spread[:, j])
        ends = percentile_interval(spread[:, j])
        pair = (float(values[j]), float(values[k + j]), float(apart[j]))
        found.append(Difference(metric, *pair, *ends, p, p, "paired stationary bootstrap of days"))
    return tuple(found)


def _centred(difference: float, drawn: Float64) -> float:
    """Share of bootstrap differences (b,) that are as far from the one seen as that is from zero."""
    if not (math.isfinite(difference) and np.isfinite(drawn).all()):
        return _NAN
    as_large = np.abs(drawn - difference) >= abs(difference) * (1 - 1e-12)
    return float((1 + np.count_nonzero(as_large)) / (1 + len(drawn)))


def _figures(folded: Float64, periods: float, years: float) -> Float64:
    """CAGR, volatility, largest drawdown, Sortino and Calmar of an unfolded history; NaN where they are not known."""
    mean, spread, short, _, _, growth, fall = folded.tolist()
    annual, worst = math.expm1(min(growth / years, 700.0)), -math.expm1(-fall)
    long_enough = years * YEAR_MS >= MIN_DAYS * DAY_MS
    sortino = mean / short * math.sqrt(periods) if short > 0 else _NAN
    calmar = annual / worst if worst > 0 and long_enough else _NAN
    return np.array([annual if long_enough else _NAN, spread * math.sqrt(periods), worst, sortino, calmar])


def _notes(first: SavedRun, other: SavedRun, shared: int) -> tuple[str, ...]:
    """What is not alike, and what was left out."""
    said = [
        f"{run.run_id}: {len(run.ts) - shared:,} of {len(run.ts):,} bars are not in the other run and are left out"
        for run in (first, other)
        if len(run.ts) > shared
    ]
    pairs = (
        ("symbols", first.symbols, other.symbols),
        ("interval", first.interval, other.interval),
        ("quote", first.quote, other.quote),
    )
    return (*said, *(f"the {what} differ: {_text(a)} and {_text(b)}" for what, a, b in pairs if a != b))


def _text(value: str | tuple[str, ...]) -> str:
    return value if isinstance(value, str) else ", ".join(value)


def _corrected(found: Sequence[Contrast]) -> tuple[Contrast, ...]:
    """The contrasts with p-values by Holm's method, over the runs, figure by figure (NaN counts as no test)."""
    table = np.array([[one.p_value for one in contrast.differences] for contrast in found])
    adjusted = np.column_stack([_holm(column) for column in table.T])
    return tuple(_adjusted(contrast, row) for contrast, row in zip(found, adjusted, strict=True))


def _adjusted(contrast: Contrast, p_values: Float64) -> Contrast:
    pairs = zip(contrast.differences, p_values.tolist(), strict=True)
    found = tuple(msgspec.structs.replace(one, p_adjusted=p) for one, p in pairs)
    return msgspec.structs.replace(contrast, differences=found)


def _holm(p_values: Float64) -> Float64:
    """Adjusted p-values (m,): the smallest times m, the next times m - 1, ..., never falling and at most 1.

    >>> _holm(np.array([0.01, 0.04, 0.03])).round(6).tolist()
    [0.03, 0.06, 0.06]

    References: Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6
    (1979).
    """
    out, known = p_values.copy(), np.flatnonzero(np.isfinite(p_values))
    order = known[np.argsort(p_values[known], kind="stable")]
    steps = np.maximum.accumulate(p_values[order] * np.arange(len(order), 0, -1))
    out[order] = np.minimum(steps, 1.0)
    return out
