"""The family of a run: the same strategy with its parameters moved up and down, each member followed day by day.

One pass of the kernel makes a member, over the whole history from one account; windows, folds and halves are cut out of
it, so that walk-forward, cross-validation and the probability of overfitting look at the same numbers. Where the kernel
does not repeat the run itself, the driver makes a smaller family. Members are never shown as results: they are there to
be chosen from.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from pydantic import Field

from seakeep.backtest.integrity.daily import sharpes
from seakeep.backtest.integrity.robustness import parameters
from seakeep.backtest.integrity.tardy import Wrapped
from seakeep.backtest.integrity.variation import Param, Rerun, Variation
from seakeep.backtest.kernel.candidates import Venue, from_pipeline
from seakeep.backtest.kernel.tape import History
from seakeep.backtest.result import Result
from seakeep.backtest.search.objectives import returns_by_day
from seakeep.backtest.search.walkforward import Params, grid_points
from seakeep.core.beliefs import FeatureFrame
from seakeep.core.config import Section
from seakeep.core.errors import NotEnoughHistory, SeakeepError
from seakeep.core.market import Float64, Int64
from seakeep.core.units import DAY_MS, YEAR_MS
from seakeep.engine.pipeline import Pipeline

__all__ = ["Family", "FamilyParams", "axes", "family", "picked"]


class FamilyParams(Section):
    """How far the parameters are moved, and how many sets are tried."""

    reach: float = Field(0.4, gt=0, lt=1, description="each parameter is moved up and down by at most this share")
    most: int = Field(128, ge=3, le=5000, description="parameter sets by the kernel, at most")
    most_by_driver: int = Field(9, ge=3, le=100, description="parameter sets where only the driver will do, at most")
    alike: float = Field(
        0.98, gt=0, le=1, description="correlation with the driver's run below which the kernel is not believed"
    )


@dataclass(frozen=True, eq=False)
class Family:
    """k members over d days: `axes` their values by parameter, `points` (k,) their sets in the order of `grid_points`.

    `ts` (d,) are the instants at which days end, `returns` (d, k) what each earned over them (by the kernel: under the
    static limits of the gate); a set that cannot be built holds cash. `own` is the column of the run itself. `held_ms`
    is how long 95 of 100 of its holdings lasted at most; `made_by` says kernel or driver; `alike` how the kernel's run
    correlates with the driver's.
    """

    axes: Mapping[str, tuple[Param, ...]]
    points: tuple[Params, ...]
    ts: Int64
    returns: Float64
    own: int
    held_ms: int
    made_by: str
    alike: float

    @property
    def a_year(self) -> float:
        """Days a year."""
        return YEAR_MS / float(np.median(np.diff(self.ts)))

    @property
    def figures(self) -> tuple[tuple[str, float | str], ...]:
        """What a reader is told of the family."""
        moved = "; ".join(f"{name} {values[0]:.4g} to {values[-1]:.4g}" for name, values in self.axes.items())
        how = f"by the {self.made_by}" + (f", alike {self.alike:.3f}" if self.made_by == "kernel" else "")
        return ("parameter sets", f"{len(self.points)} {how}"), ("parameters moved", moved)


def axes(current: Mapping[str, Param], reach: float, most: int) -> dict[str, tuple[Param, ...]]:
    """Values of each number among the parameters, its own in the middle, so that there are at most `most` sets.

    With too many numbers for three values each the first are moved and the rest stay.

    >>> axes({"fast": 50, "on": True, "full": 4.0}, 0.4, 9)
    {'fast': (30, 50, 70), 'full': (2.4, 4.0, 5.6)}
    """
    numbers = {n: v for n, v in current.items() if isinstance(v, int | float) and not isinstance(v, bool) and v}
    moved = list(numbers)[: max(1, int(np.log(most + 0.5) / np.log(3)))]
    if not moved:
        return {}
    half = min(4, (int((most + 0.5) ** (1 / len(moved))) - 1) // 2)
    found = {name: _spread(numbers[name], reach, half) for name in moved}
    return {name: values for name, values in found.items() if len(values) > 1}


def _spread(value: int | float, reach: float, half: int) -> tuple[Param, ...]:
    """The value and `half` steps to each side, ascending, each once; whole numbers stay whole and keep their sign."""
    steps = [reach * i / half for i in range(-half, half + 1)]
    if isinstance(value, float):
        return tuple(sorted({float(f"{value * (1 + step):.6g}") if step else value for step in steps}))
    near = {round(value * (1 + step)) for step in steps}
    near = near if len(near) > 1 else {value - 1, value, value + 1}
    return tuple(sorted(one for one in near if one * value > 0))


def family(
    result: Result, rerun: Rerun, pipeline: Pipeline, history: History, venue: Venue, params: FamilyParams | None = None
) -> Family:
    """The family around a finished run of this pipeline over these bars.

    Raises: NotEnoughHistory if the run traded nothing, is shorter than two days or has no parameter that is a number.
    """
    asked, current = params or FamilyParams(), parameters(pipeline.strategy)
    if not result.fills:
        raise NotEnoughHistory("nothing was traded")
    ts, driven = _days(result.curves.ts, result.curves.equity)
    alike = _alike(driven, _on(ts, _kernel(pipeline, history, venue), {}))
    by_kernel = alike >= asked.alike
    grid = axes(current, asked.reach, asked.most if by_kernel else asked.most_by_driver)
    if not grid:
        raise NotEnoughHistory(f"the strategy {pipeline.strategy_name} has no parameter that is a number to vary")
    points = grid_points(grid)
    run = _kernel(_once(pipeline, history), history, venue) if by_kernel else _driver(rerun)
    own = next(i for i, point in enumerate(points) if all(current[name] == value for name, value in point.items()))
    columns = [driven if i == own and not by_kernel else _on(ts, run, point) for i, point in enumerate(points)]
    returns = np.column_stack(columns)
    held = [trip.duration_ms for trip in result.trips]
    held_ms = int(np.quantile(held, 0.95)) if held else DAY_MS
    return Family(grid, points, ts, returns, own, held_ms, "kernel" if by_kernel else "driver", alike)


def _days(ts: Int64, equity: Float64) -> tuple[Int64, Float64]:
    if len(ts) < 2 or ts[-1] - ts[0] < 2 * DAY_MS:
        raise NotEnoughHistory("the run is shorter than two days")
    return returns_by_day(ts, equity)


Run = Callable[[Params], tuple[Int64, Float64]]
"""Makes the account of a member: instants and equity (n,)."""


def _on(ts: Int64, run: Run, point: Params) -> Float64:
    """Returns (d,) of a member on the days of the run; cash where the set cannot be built."""
    try:
        days, returns = returns_by_day(*run(point))
    except (SeakeepError, ValueError, TypeError):
        return np.zeros(len(ts))
    found, at = np.zeros(len(ts)), np.searchsorted(ts, days)
    there = at < len(ts)
    found[at[there]] = returns[there]
    return found


def _kernel(pipeline: Pipeline, history: History, venue: Venue) -> Run:
    def run(point: Params) -> tuple[Int64, Float64]:
        moved = replace(pipeline, strategy=replace(pipeline.strategy, **point))  # type: ignore[type-var]
        found = from_pipeline(moved, history, venue, strict=False, details=True)
        return found.ts, found.equity

    return run


def _driver(rerun: Rerun) -> Run:
    def run(point: Params) -> tuple[Int64, Float64]:
        found = rerun(Variation(params=tuple(point.items())))
        return found.curves.ts, found.curves.equity

    return run


def _alike(driven: Float64, mine: Float64) -> float:
    """Correlation of the driver's days with the kernel's; 0 where one of them does not vary, or could not be run."""
    return float(np.corrcoef(mine, driven)[0, 1]) if mine.std() > 0 and driven.std() > 0 else 0.0


def _once(pipeline: Pipeline, history: History) -> Pipeline:
    """The pipeline with experts that say again what they said, for they do not depend on the strategy."""
    experts = {name: _Recorded(horizon=e.horizon, inner=e) for name, e in pipeline.experts.items()}
    return replace(pipeline, experts=experts) if experts else pipeline


class _Recorded(Wrapped):
    """Hands out the forecasts of `inner`, made once for each symbol."""

    def __post_init__(self) -> None:
        self._said: dict[tuple[str, int], Float64] = {}

    def predict(self, frame: FeatureFrame) -> Float64:
        key = (frame.symbol, len(frame))
        if key not in self._said:
            self._said[key] = self.inner.predict(frame)
        return self._said[key]


def picked(returns: Float64, rows: Int64 | slice) -> int:
    """Column of daily returns (d, k) with the best Sharpe ratio over these rows; the first of equals."""
    return int(np.argmax(sharpes(returns[rows].T, 1.0)))
