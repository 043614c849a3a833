"""What simulated paths say, each figure with its Monte Carlo error, and whether there were enough of them.

Errors come from 32 batches of whole blocks: the standard deviation of a statistic over the batches, over the root of
their number. That holds for any statistic, and for antithetic paths too, since blocks are independent. Losses are
fractions of the start; VaR and CVaR below zero are gains.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from seakeep.core.market import Float64
from seakeep.montecarlo.lanes import Float32
from seakeep.montecarlo.paths import BATCH, Model, Outcomes, Run, trace
from seakeep.montecarlo.scenarios import BASE, Scenario
from seakeep.montecarlo.streams import LANES

__all__ = [
    "Convergence",
    "Fan",
    "Figure",
    "Summary",
    "controlled_mean",
    "convergence",
    "fan",
    "figure",
    "summarise",
    "tail",
]

PERCENTILES = (1, 5, 10, 25, 50, 75, 90, 95, 99)
DEPTHS = (50, 75, 90, 95, 99)
_BATCHES = BATCH // LANES
_LARGEST = 0.005
"""A path that holds more of the total than this makes the mean doubtful."""


class Figure(msgspec.Struct, frozen=True):
    """A statistic of n paths and its standard error; infinite if a time did not end within the horizon."""

    value: float
    error: float
    n: int


class Convergence(msgspec.Struct, frozen=True):
    """Whether the worst error is within tolerance and both halves of the paths agree; else how many would do."""

    converged: bool
    worst: str
    error: float
    tolerance: float
    paths_needed: int
    halves_agree: bool


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """The risk of a portfolio by simulation. Pairs hold the percentile, confidence or stop and its figure.

    `touch`: the probability that the value was at or below a stop (a fraction of the start) at some step. Times are
    in steps; they and the drawdown are empty where the run did not measure them.
    """

    model: str
    scenario: str
    interval: str
    steps: int
    seed: int
    n: int
    method: str
    expected: Figure
    percentiles: tuple[tuple[int, Figure], ...]
    var: tuple[tuple[float, Figure], ...]
    cvar: tuple[tuple[float, Figure], ...]
    profit: Figure
    touch: tuple[tuple[float, Figure], ...]
    mean_drawdown: Figure | None
    drawdown: tuple[tuple[int, Figure], ...]
    under_water: tuple[tuple[int, Figure], ...]
    recovery: tuple[tuple[int, Figure], ...]
    not_recovered: Figure | None
    convergence: Convergence
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Fan:
    """Percentiles (p,) of the value after steps (g,): values and standard errors (g, p)."""

    steps: tuple[int, ...]
    percentiles: tuple[int, ...]
    values: Float64
    errors: Float64
    n: int


def figure(values: Any, statistic: Callable[[Any], Any]) -> Figure:
    """`statistic(values)` of outcomes (n,), n a multiple of `BATCH`; it must work along the last axis.

    >>> found = figure(np.arange(8192.0), lambda x: x.mean(axis=-1))
    >>> found.value
    4095.5

    Raises: ValueError if n is not a multiple of `BATCH`.
    """
    with np.errstate(invalid="ignore"):
        parts = np.asarray(statistic(_batched(values)), np.float64)
        error = float(parts.std(ddof=1)) / math.sqrt(_BATCHES)
    return Figure(float(statistic(np.asarray(values))), error if math.isfinite(error) else math.inf, len(values))


def _batched(values: Any) -> Any:
    if not len(values) or len(values) % BATCH:
        raise ValueError(f"outcomes come in multiples of {BATCH}, got {len(values)}")
    return np.asarray(values).reshape(_BATCHES, -1)


def controlled_mean(values: Any, control: Any, expectation: float) -> Figure:
    """Mean of outcomes (n,) with the error of a control (n,) of known expectation taken out of it.

    The coefficient is that of the regression on the control; the more they are correlated, the smaller the error.
    """
    y, x = np.asarray(values, np.float64), np.asarray(control, np.float64)
    centred = x - x.mean()
    square = float(centred @ centred)
    slope = float(centred @ y) / square if square > 0 else 0.0
    return figure(y - slope * (x - expectation), lambda z: z.mean(axis=-1))


def tail(values: Float32, confidence: float = 0.95) -> tuple[Figure, Figure]:
    """VaR and CVaR of end values (n,) relative to a start of 1, as positive losses; exact order statistics.

    VaR interpolates linearly between neighbours; CVaR is the mean of the worst n (1 - confidence) outcomes.

    Raises: ValueError if the confidence is not inside (0, 1) or leaves less than one outcome a batch in the tail.
    """
    share = 1 - confidence
    if not 0 < confidence < 1 or share * len(values) < _BATCHES:
        raise ValueError(f"confidence must be inside (0, 1) with {_BATCHES} outcomes beyond it, got {confidence}")
    parts, reach = _tail(_batched(values), len(values) // _BATCHES, share)
    near = np.asarray(values)[np.asarray(values) <= reach]
    whole, _ = _tail(near[None], len(values), share)
    errors = parts.std(axis=1, ddof=1) / math.sqrt(_BATCHES)
    var, cvar = (Figure(1 - float(v[0]), float(e), len(values)) for v, e in zip(whole, errors, strict=True))
    return var, cvar


def _tail(values: Any, n: int, share: float) -> tuple[Float64, float]:
    """Quantile and mean below it (2, rows) of each row of `n` values, of which only the lowest need be here, and the
    largest value that was looked at."""
    at, whole = share * (n - 1), max(1, int(share * n))
    low = min(int(at), n - 2)
    ordered = np.partition(values, low + 1, axis=1)
    above, worst = ordered[:, low + 1].astype(np.float64), ordered[:, : low + 1]
    below = worst.max(axis=1).astype(np.float64)
    total = worst.sum(axis=1, dtype=np.float64) - (low + 1 - whole) * below
    return np.stack([below + (at - low) * (above - below), total / whole]), float(above.max())


def summarise(
    outcomes: Outcomes,
    *,
    model: str = "",
    levels: tuple[float, ...] = (0.95, 0.99),
    stops: tuple[float, ...] = (),
    tolerance: float = 0.005,
) -> Summary:
    """Every statistic of the outcomes. `tolerance` is the largest standard error that is good enough, of the start.

    Raises: ValueError for a level not inside (0, 1) or a stop given to a run that measured ends only.
    """
    values, n = outcomes.value, len(outcomes)
    if stops and outcomes.low is None:
        raise ValueError("whether a stop was touched needs a run of detail path or times")
    tails = [tail(values, level) for level in levels]
    expected = _mean(outcomes, values)
    var = tuple((level, pair[0]) for level, pair in zip(levels, tails, strict=True))
    cvar = tuple((level, pair[1]) for level, pair in zip(levels, tails, strict=True))
    judged = {"expected": expected, **{f"cvar {level:g}": f for level, f in cvar}}
    check = convergence(values, judged, tolerance)
    recovery = outcomes.recovery
    touched = [] if outcomes.low is None else [(stop, _share(outcomes.low <= stop)) for stop in stops]
    return Summary(
        model=model,
        scenario=outcomes.scenario,
        interval=outcomes.interval,
        steps=outcomes.run.steps,
        seed=outcomes.run.seed,
        n=n,
        method=_method(outcomes),
        expected=expected,
        percentiles=_percentiles(values, PERCENTILES),
        var=var,
        cvar=cvar,
        profit=_share(values > 1),
        touch=tuple(touched),
        mean_drawdown=None if outcomes.drawdown is None else _mean(outcomes, outcomes.drawdown),
        drawdown=_percentiles(outcomes.drawdown, DEPTHS),
        under_water=_percentiles(outcomes.under, DEPTHS),
        recovery=_percentiles(recovery, DEPTHS),
        not_recovered=None if recovery is None else _share(np.isinf(recovery)),
        convergence=check,
        warnings=_warnings(outcomes, check),
    )


def _method(outcomes: Outcomes) -> str:
    stream = "xoshiro128++" if outcomes.run.fast else "Philox4x32-10"
    control = "" if outcomes.expected_log is None else ", means controlled by the log value"
    return f"{stream}{', antithetic' if outcomes.run.antithetic else ''}{control}, errors by {_BATCHES} batches"


def _warnings(outcomes: Outcomes, check: Convergence) -> tuple[str, ...]:
    found = []
    if not check.converged:
        found.append(f"not converged: the error of {check.worst} is {check.error:.2g}, take {check.paths_needed} paths")
    largest = float(outcomes.value.max()) / float(outcomes.value.sum(dtype=np.float64))
    if largest > _LARGEST:
        found.append(
            f"the expected value rests on a few paths: one holds {largest:.1%} of it; heavy tails may have none"
        )
    if outcomes.value.min() <= 0:
        found.append("some paths lost everything: shorts or leverage took the value to zero or below")
    return tuple(found)


def _mean(outcomes: Outcomes, values: Float32) -> Figure:
    """Mean with the log value as control where its expectation is known exactly."""
    if outcomes.expected_log is None or outcomes.value.min() <= 0:
        return figure(values, lambda x: x.mean(axis=-1, dtype=np.float64))
    return controlled_mean(values, np.log(outcomes.value.astype(np.float64)), outcomes.expected_log)


def _share(hits: Any) -> Figure:
    return figure(hits, lambda x: x.mean(axis=-1))


def _percentiles(values: Float32 | None, wanted: tuple[int, ...]) -> tuple[tuple[int, Figure], ...]:
    """Linear between neighbours; the higher neighbour where times are infinite."""
    if values is None:
        return ()
    whole, parts = np.sort(values), np.sort(_batched(values), axis=1)
    return tuple((p, _ordered(whole, parts, p / 100)) for p in wanted)


def _ordered(whole: Any, parts: Any, share: float) -> Figure:
    with np.errstate(invalid="ignore"):
        error = float(_quantile(parts, share).std(ddof=1)) / math.sqrt(_BATCHES)
        value = float(_quantile(whole, share))
    return Figure(value, error if math.isfinite(error) else math.inf, len(whole))


def _quantile(ordered: Any, share: float) -> Any:
    at = share * (ordered.shape[-1] - 1)
    low = min(int(at), ordered.shape[-1] - 2)
    below, above = ordered[..., low].astype(np.float64), ordered[..., low + 1].astype(np.float64)
    return np.where(np.isinf(above), above, below + (at - low) * (above - below))


def convergence(values: Float32, figures: dict[str, Figure], tolerance: float = 0.005) -> Convergence:
    """Judge the figures of end values (n,): the worst error against the tolerance, and half against half."""
    worst = max(figures, key=lambda name: figures[name].error)
    error, n = figures[worst].error, len(values)
    parts = _batched(values).mean(axis=1, dtype=np.float64)
    half = _BATCHES // 2
    apart = abs(parts[:half].mean() - parts[half:].mean())
    agree = bool(apart <= 4 * 2 * parts.std(ddof=1) / math.sqrt(_BATCHES))
    needed = math.ceil(n * (error / tolerance) ** 2 / BATCH) * BATCH if math.isfinite(error) else 0
    return Convergence(error <= tolerance and agree, worst, error, tolerance, max(needed, BATCH), agree)


def fan(
    model: Model, run: Run, scene: Scenario = BASE, *, points: int = 60, percentiles: tuple[int, ...] = PERCENTILES
) -> Fan:
    """Percentiles of the value at up to `points` steps, from at most 65,536 of the run's paths (the same bits)."""
    count = min(points, run.steps)
    steps = tuple(sorted({round(x) for x in np.linspace(1, run.steps, count).tolist()}))
    fewer = msgspec.structs.replace(run, paths=min(run.paths, 8 * BATCH), detail="end")
    kept = trace(model, fewer, scene, at=steps)
    table = [_percentiles(np.ascontiguousarray(kept[:, i]), percentiles) for i in range(len(steps))]
    values = np.array([[f.value for _, f in row] for row in table])
    errors = np.array([[f.error for _, f in row] for row in table])
    return Fan(steps, percentiles, values, errors, len(kept))
