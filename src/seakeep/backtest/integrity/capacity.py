"""How much money an idea can carry: slippage and what is left of its growth as the same run starts with more cash.

Nothing is assumed about impact here. In the reruns the gate cuts orders to the market's volume, the venue charges by
the square-root law and fills no more than a share of each bar: large orders become small, dear, late or unfilled.
"""

import math
from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise

import msgspec
import numpy as np
from pydantic import Field

from seakeep.backtest.integrity.curvefits import fit, power
from seakeep.backtest.integrity.daily import daily_returns, growths, paired_samples
from seakeep.backtest.integrity.judgement import Check, Plot, Series, Status
from seakeep.backtest.integrity.variation import Rerun, Variation
from seakeep.backtest.notation import compact
from seakeep.backtest.result import Result
from seakeep.core.config import Section
from seakeep.core.errors import ConvergenceError, NotEnoughHistory, SeakeepError
from seakeep.core.market import Float64
from seakeep.core.orders import Status as OrderStatus
from seakeep.stats.performance import Estimate

__all__ = ["Capacity", "CapacityParams", "SizeCost", "capacity", "capacity_check", "half_size", "planned", "size_cost"]


_LIMIT = "max_order_notional"


class CapacityParams(Section):
    """The sizes that are tried, and how much a run should be able to carry."""

    sizes: tuple[float, ...] = Field(
        (1e5, 3e5, 1e6, 3e6, 1e7, 3e7, 1e8), min_length=2, description="cash at the start, quote units, ascending"
    )
    samples: int = Field(1000, ge=100, le=100_000, description="bootstrap samples")
    wanted: float = Field(1e6, gt=0, description="a run that keeps half of its growth at this size passes")
    needed: float = Field(1e5, gt=0, description="one that does not keep half at this size fails")


class SizeCost(msgspec.Struct, frozen=True):
    """What trading cost at one size: slippage of value traded (a fraction), and the mean share of an order that filled.

    `held` is the mean exposure over that at the run's own size: what the gate and the venue let through. `growth` is
    log growth a year; `retained` how much of the growth at the run's own size is left (1 is all).
    """

    size: float
    slippage: Estimate
    filled: float
    held: float
    growth: float
    retained: Estimate


class Capacity(msgspec.Struct, frozen=True):
    """Costs by size, and the size at which half of the growth is gone (inf: beyond the largest tried; 0: below all).

    `exponent` is that of slippage above the level at the run's own size, 0.5 under the square-root law; NaN where fewer
    than three sizes are let through.
    """

    base: SizeCost
    sizes: tuple[SizeCost, ...]
    half: Estimate
    exponent: float


def size_cost(result: Result, base: Result, growth: float, retained: Estimate) -> SizeCost:
    """What trading cost in one run; the interval of the slippage is that of a mean over fills, weighed by value."""
    mids = np.array([float(fill.mid * fill.qty) for fill in result.fills])
    paid = np.array([float((fill.price - fill.mid) * fill.qty * fill.side.sign) for fill in result.fills])
    traded, n = float(mids.sum()), len(mids)
    value = float(paid.sum()) / traded if traded > 0 else math.nan
    error = math.sqrt(float(((paid - value * mids) ** 2).sum()) * n / (n - 1)) / traded if n > 1 else math.nan
    asked = [o for o in result.orders if o.status is not OrderStatus.REJECTED and not o.reduce_only]
    filled = float(np.mean([float(o.filled / o.qty) for o in asked])) if asked else math.nan
    slippage = Estimate(value, value - 1.96 * error, value + 1.96 * error, n)
    own = float(base.curves.gross.mean())
    held = float(result.curves.gross.mean()) / own if own > 0 else math.nan
    return SizeCost(result.initial_cash, slippage, filled, held, growth, retained)


def capacity(result: Result, runs: Sequence[Result], *, samples: int = 1000, seed: int = 0) -> Capacity:
    """Hold runs of ascending size against the run at its own size.

    Intervals draw the same days of all runs. Raises: NotEnoughHistory below 30 days; ValueError if the base does not
    grow, or sizes do not ascend.
    """
    sizes = np.array([run.initial_cash for run in runs])
    if not (np.diff(sizes) > 0).all() or not len(sizes):
        raise ValueError(f"sizes must ascend, got {sizes.tolist()}")
    returns, periods = daily_returns([result.curves, *(run.curves for run in runs)])
    d = returns.shape[1]
    base, *grown = growths(returns, periods).tolist()
    if not base > 0:
        raise ValueError(f"a run that does not grow has no capacity, got {base:.4g} a year")
    drawn = np.array([growths(sample, periods) for sample in paired_samples(returns, samples=samples, seed=seed)])
    kept = drawn[:, 1:] / np.where(drawn[:, :1] > 0, drawn[:, :1], np.nan)
    halves = np.array([half_size(sizes, row) for row in kept[np.isfinite(kept).all(axis=1)]])
    rows = [
        size_cost(run, result, growth, Estimate(growth / base, *_ends(column[np.isfinite(column)], samples), d))
        for run, growth, column in zip(runs, grown, kept.T, strict=True)
    ]
    half = Estimate(half_size(sizes, np.array(grown) / base), *_ends(halves, samples), d)
    own = size_cost(result, result, base, Estimate(1.0, n=d))
    return Capacity(own, tuple(rows), half, _exponent(own, rows))


def _ends(drawn: Float64, samples: int) -> tuple[float, float]:
    """95 % of what was drawn; unknown where the base grew in fewer than half of the samples."""
    if len(drawn) <= samples / 2:
        return math.nan, math.nan
    low, high = np.quantile(drawn, (0.025, 0.975), method="inverted_cdf").tolist()
    return low, high


def half_size(sizes: Float64, retained: Float64) -> float:
    """Size at which half is retained, by straight lines in the log of ascending sizes (k,): the first crossing.

    >>> round(half_size(np.array([1e5, 1e7]), np.array([0.75, 0.25])))
    1000000
    """
    if retained[0] <= 0.5:
        return 0.0
    for (small, much), (large, little) in pairwise(zip(sizes.tolist(), retained.tolist(), strict=True)):
        if little <= 0.5:
            share = (much - 0.5) / (much - little) if math.isfinite(little) else 1.0
            return float(math.exp(math.log(small) + share * math.log(large / small)))
    return math.inf


def _exponent(base: SizeCost, rows: Sequence[SizeCost]) -> float:
    """Power of size by which slippage grows above that of the run's own size, while orders are still let through."""
    through = [row for row in rows if row.held > 0.9 and row.filled > 0.99]
    x = np.array([row.size for row in through]) / base.size
    y = np.array([row.slippage.value for row in through]) - base.slippage.value
    if len(x) < 3 or not np.isfinite(y).all() or not (y > 0).all():
        return math.nan
    try:
        return fit(x / x[0], y, power, np.linspace(0.05, 2.0, 40)).rate
    except ConvergenceError:
        return math.nan


def planned(result: Result, params: CapacityParams) -> tuple[tuple[float, Variation], ...]:
    """Every size, ascending, and the rerun that starts with so much cash."""
    own = Decimal(repr(result.initial_cash))
    return tuple((size, Variation(cash_scale=Decimal(repr(size)) / own)) for size in sorted(set(params.sizes)))


def capacity_check(
    result: Result, rerun: Rerun, params: CapacityParams | None = None, *, order_limit: float = math.inf, seed: int = 0
) -> Check:
    """The capacity of a run: passes if it keeps half of its growth at the size wanted, fails if not at that needed.

    `order_limit` is the gate's max_order_notional: where it cuts orders before half is gone, it is said to be the end.
    """
    asked, name = params or CapacityParams(), "capacity"
    if not result.fills:
        return Check(name=name, status="not judged", reason="nothing was traded")
    runs: list[Result] = []
    failed: list[str] = []
    for size, variation in planned(result, asked):
        try:
            runs.append(rerun(variation))
        except SeakeepError as error:
            failed.append(f"{compact(size)} could not be run: {error}")
    try:
        found = capacity(result, runs, samples=asked.samples, seed=seed)
    except (NotEnoughHistory, ValueError) as error:
        return Check(name=name, status="not judged", reason="; ".join([str(error), *failed]))
    return _judged(found, asked, result.quote, [*_gated(found, runs, order_limit, result.quote), *failed])


def _gated(found: Capacity, runs: Sequence[Result], order_limit: float, quote: str) -> list[str]:
    """That the gate and not the market ends it: half is still there at the largest size whose orders it let through."""
    cut = [any(hit.rule == _LIMIT for verdict in run.verdicts for hit in verdict.hits) for run in runs]
    if True not in cut or found.half.value == math.inf:
        return []
    first = cut.index(True)
    if any(row.retained.value <= 0.5 for row in found.sizes[:first]):
        return []
    limit, size = compact(order_limit), compact(found.sizes[first].size)
    cuts = f"from {size} on the gate cuts orders at {_LIMIT} = {limit} {quote}"
    return [f"{cuts}: this limit ends it, not the market, whose own end shows when it is raised under [risk.limits]"]


def _judged(found: Capacity, asked: CapacityParams, quote: str, failed: Sequence[str]) -> Check:
    half = found.half
    status: Status = "pass" if half.value >= asked.wanted else "fail" if half.value < asked.needed else "warn"
    reason = (
        f"half of the growth is gone at {_size(half.value, found)} {quote} "
        f"({_size(half.low, found)} to {_size(half.high, found)})"
    )
    figures: list[tuple[str, float | str]] = [("half of the growth gone at", _size(half.value, found))]
    for row in (found.base, *found.sizes):
        cost, low, high = (1e4 * x for x in (row.slippage.value, row.slippage.low, row.slippage.high))
        told = f"slippage {cost:.1f} bp ({low:.1f} to {high:.1f}), {row.filled:.0%} filled, holds {row.held:.0%} of"
        figures.append((compact(row.size), f"{told} the weight, keeps {row.retained.value:.0%} of the growth"))
    figures.append(("exponent of the extra slippage", found.exponent))
    names = tuple(compact(row.size) for row in found.sizes)
    lines = (Series("growth kept", tuple(row.retained.value for row in found.sizes)),)
    text = "; ".join([reason, *failed])
    return Check(name="capacity", status=status, reason=text, figures=tuple(figures), plot=Plot(quote, names, lines))


def _size(value: float, found: Capacity) -> str:
    if math.isinf(value):
        return f"more than {compact(found.sizes[-1].size)}"
    if value == 0:
        return f"less than {compact(found.sizes[0].size)}"
    return compact(float(f"{value:.3g}")) if math.isfinite(value) else "unknown"
