"""Walk-forward with nested tuning: in each window the parameters are chosen on the past and judged on what follows.

The judged periods lie end to end and make one curve of which nothing was fitted on itself. All parameter sets are
followed out of sample too, so that what the choice was worth can be told: against their average, and by CSCV.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import msgspec
import numpy as np

from seakeep.backtest.search.folds import WalkForward, Window
from seakeep.core.errors import ConfigError, DataError
from seakeep.core.market import Float64, Int64
from seakeep.stats.bootstrap import percentile_interval, resample
from seakeep.stats.performance import Estimate, sharpe

__all__ = ["Choice", "Curve", "Evaluate", "Param", "Params", "Study", "grid_points", "walk_forward"]

Param = int | float | bool | str
Params = Mapping[str, Param]

MAX_RUNS = 20_000
"""More evaluations than this are refused: the driver would take days."""
_MIN_WINDOWS = 5


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Simple returns (n,) of a run and the instants they are known at, `ts` (n,), ascending UTC ms."""

    ts: Int64
    returns: Float64


Evaluate = Callable[[Params, int, int], Curve]
"""`evaluate(params, start_ts, end_ts)`: what these parameters earn in [start, end), from a fresh account."""
Job = tuple[Params, int, int]


class Choice(msgspec.Struct, frozen=True):
    """One window: the parameters that were best in it, their Sharpe ratio per bar there and in the test that followed.

    `average` is that of all parameter sets in the test; `agreement` the rank correlation of all sets in and out of
    sample. `point` and `params` are None where no set earned anything that can be measured: the test is spent in cash.
    """

    window: Window
    point: int | None
    params: Params | None
    inside: float
    outside: float
    average: float
    agreement: float


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """A finished walk-forward over k parameter sets and n judged bars.

    `curve` is the stitched out-of-sample curve of the choices, `family` (n, k) the same for each of the `points`.
    `efficiency` is what a bar out of sample earned over what it earned in sample (1: nothing was lost; NaN: nothing was
    earned in sample). `stability` says for each parameter how little its choice moved: 1 never, 0 as much as chance.
    """

    points: tuple[Params, ...]
    choices: tuple[Choice, ...]
    curve: Curve
    family: Float64
    efficiency: Estimate
    stability: tuple[tuple[str, float], ...]


def grid_points(grid: Mapping[str, Sequence[Param]], windows: int = 1) -> tuple[Params, ...]:
    """Every combination of the values, the last parameter changing fastest.

    >>> grid_points({"fast": (10, 20), "slow": (50,)})
    ({'fast': 10, 'slow': 50}, {'fast': 20, 'slow': 50})

    Raises: ConfigError for an empty grid, a repeated value, or more than `MAX_RUNS` evaluations over so many windows.
    """
    for name, values in grid.items():
        if not values or len(set(values)) < len(values):
            raise ConfigError(f"{name} needs values, each once", value=list(values), remedy="write fast=10:50:10")
    if not grid:
        raise ConfigError("there is nothing to choose from", remedy="write --grid fast=10:50:10")
    runs = 2 * windows * math.prod(len(values) for values in grid.values())
    if runs > MAX_RUNS:
        sizes = " x ".join(str(len(values)) for values in grid.values())
        message = f"{sizes} parameter sets in {windows:,} windows are {runs:,} runs"
        raise ConfigError(message, remedy=f"{MAX_RUNS:,} are the most: take wider steps or longer test periods")
    return tuple(dict(zip(grid, values, strict=True)) for values in product(*grid.values()))


def walk_forward(
    evaluate: Evaluate,
    grid: Mapping[str, Sequence[Param]],
    scheme: WalkForward,
    span: tuple[int, int],
    each: Callable[[Callable[[Job], Curve], Sequence[Job]], Iterable[Curve]] = map,
) -> Study:
    """Choose by Sharpe ratio in each window of `scheme` over history [start, end), judge on what follows.

    `each` runs the evaluations, like `map`: hand over the one of a pool of processes to use several cores; the order
    and so the result is the same.

    Raises: ConfigError for an impossible grid; NotEnoughHistory if no window fits; DataError if parameter sets are not
    judged on the same bars.
    """
    windows = scheme.windows(*span)
    points = grid_points(grid, len(windows))
    jobs = [(p, w.train_start, w.train_end) for w in windows for p in points]
    jobs += [(p, w.test_start, w.test_end) for w in windows for p in points]
    curves = list(each(_Run(evaluate), jobs))
    k, half = len(points), len(windows) * len(points)
    learnt = [curves[i : i + k] for i in range(0, half, k)]
    tested = [curves[i : i + k] for i in range(half, 2 * half, k)]
    choices = tuple(_choose(w, points, *halves) for w, *halves in zip(windows, learnt, tested, strict=True))
    earned, held = zip(*(_held(*parts) for parts in zip(choices, learnt, tested, strict=True)), strict=True)
    ts = np.concatenate([one[0].ts for one in tested])
    return Study(
        points=points,
        choices=choices,
        curve=Curve(ts, np.concatenate(held)),
        family=np.concatenate([_side_by_side(one) for one in tested]),
        efficiency=_efficiency(held, np.array(earned)),
        stability=tuple((name, _stability(name, values, choices)) for name, values in grid.items()),
    )


@dataclass(frozen=True, slots=True)
class _Run:
    """The evaluation as a function of one job, so that a pool can send it."""

    evaluate: Evaluate

    def __call__(self, job: Job) -> Curve:
        params, start, end = job
        return self.evaluate(params, start, end)


def _choose(window: Window, points: Sequence[Params], learnt: Sequence[Curve], tested: Sequence[Curve]) -> Choice:
    inside, outside = (np.array([sharpe(curve.returns, 1) for curve in half]) for half in (learnt, tested))
    average = float(np.nanmean(outside)) if np.isfinite(outside).any() else math.nan
    agreement = _agreement(inside, outside)
    if not np.isfinite(inside).any():
        return Choice(window, None, None, math.nan, math.nan, average, agreement)
    best = int(np.nanargmax(inside))
    return Choice(window, best, points[best], float(inside[best]), float(outside[best]), average, agreement)


def _held(choice: Choice, learnt: Sequence[Curve], tested: Sequence[Curve]) -> tuple[float, Float64]:
    """What the choice earned a bar in sample, and its returns in the test; nothing where nothing was chosen."""
    if choice.point is None:
        return 0.0, np.zeros(len(tested[0].ts))
    return float(learnt[choice.point].returns.mean()), tested[choice.point].returns


def _agreement(inside: Float64, outside: Float64) -> float:
    """Spearman's rank correlation over the sets known in both; NaN if fewer than three are, or they are all alike."""
    both = np.isfinite(inside) & np.isfinite(outside)
    if both.sum() < 3:
        return math.nan
    a, b = (_ranks(half[both]) for half in (inside, outside))
    spread = a.std() * b.std()
    return float(((a - a.mean()) * (b - b.mean())).mean() / spread) if spread > 0 else math.nan


def _ranks(values: Float64) -> Float64:
    """Ranks (m,) from 1, equal values sharing theirs."""
    _, where, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[where])


def _side_by_side(curves: Sequence[Curve]) -> Float64:
    """Returns (n, k) of curves on the same instants."""
    for curve in curves:
        if not np.array_equal(curve.ts, curves[0].ts):
            raise DataError(
                "parameter sets were judged on different bars", remedy="start later: some need more warm-up"
            )
    return np.column_stack([curve.returns for curve in curves])


def _efficiency(held: Sequence[Float64], earned: Float64) -> Estimate:
    """Mean return of a bar out of sample over that in sample, windows weighed by their length, resampled by window."""
    bars = np.array([len(one) for one in held], np.float64)
    gained = np.array([one.sum() for one in held])
    base = bars * earned

    def ratio(rows: Int64) -> float:
        return float(gained[rows].sum() / base[rows].sum()) if base[rows].sum() > 0 else math.nan

    n = len(held)
    value = ratio(np.arange(n))
    if n < _MIN_WINDOWS or math.isnan(value):
        return Estimate(value, n=n)
    return Estimate(value, *percentile_interval(resample(ratio, n, block=1, seed=0)[:, 0]), n)


def _stability(name: str, values: Sequence[Param], choices: Sequence[Choice]) -> float:
    """1 less the mean step from choice to choice over the step that random choices make; NaN if there is no step."""
    order = sorted(values) if all(isinstance(v, int | float) for v in values) else list(values)
    at = np.array([order.index(c.params[name]) for c in choices if c.params is not None])
    m = len(values)
    if m < 2 or len(at) < 2:
        return math.nan
    return float(1 - np.abs(np.diff(at)).mean() / ((m * m - 1) / (3 * m)))
