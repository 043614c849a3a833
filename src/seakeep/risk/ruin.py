"""Will I be ruined? Probabilities of loss, of drawdown, of survival and of the breaker, never without an interval.

Two kinds of answer. `gbm_odds`: the laws of `stats.passage` averaged over what a history lets mean and variance be.
`ruin_odds`, `survival` and `breaker_odds`: the returns or trades themselves, drawn again in blocks, twice: `worlds`
histories as long as the one we have, each of which might have been ours, and `paths` futures from each. The mean over
worlds is the probability; their spread is what we do not know about it (`low` to `high`, 95 %); `error` is the Monte
Carlo error of the mean.

Losses are positive fractions. A period is whatever one return spans: a day, an hour, a trade.
"""

import math
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np
from pydantic import Field

from seakeep.core.config import Section
from seakeep.core.errors import DataError, NotEnoughHistory
from seakeep.core.jit import FUSED, kernel
from seakeep.core.market import Float64, Int64
from seakeep.risk.limits import Limits
from seakeep.stats.bootstrap import block_length, stationary_rows
from seakeep.stats.passage import loss_probability
from seakeep.stats.recovery import PERCENTILES, Percentiles, drawdown_probability

__all__ = [
    "BreakerOdds",
    "Odds",
    "Probability",
    "Ruin",
    "RuinParams",
    "Stakes",
    "Survival",
    "breaker_odds",
    "drawdown_odds",
    "gbm_odds",
    "ruin_odds",
    "share_odds",
    "survival",
]

MIN_RETURNS = 30
"""Fewer returns than this say nothing about a tail."""
_LEVEL = 0.95
_BATCHES = 20


class RuinParams(Section):
    """What is asked of a history, and with how much work."""

    horizons: tuple[int, ...] = Field((30, 90, 365), min_length=1, description="periods ahead, ascending")
    levels: tuple[float, ...] = Field((0.1, 0.2, 0.3, 0.5), min_length=1, description="losses, fractions in (0, 1)")
    worlds: int = Field(200, ge=40, le=20_000, description="histories drawn for what is not known of the returns")
    paths: int = Field(500, ge=50, le=1_000_000, description="futures drawn from each")
    block: float | None = Field(None, ge=1, description="mean block length; 1 for trades; n^(1/3) if not given")
    daily: int = Field(1, ge=1, le=1440, description="periods in a UTC day, for the daily limit")


class Stakes(Section):
    """What capital has to survive."""

    floor: float = Field(0.0, ge=0, description="capital at which it is over, quote units")
    drain: float = Field(0.0, ge=0, description="taken out every period, quote units")
    fixed: bool = Field(False, description="outcomes are profits in quote units, not returns of equity")


class Probability(msgspec.Struct, frozen=True):
    """A probability, its 95 % interval, its Monte Carlo error, the observations it rests on, and how it was found."""

    value: float
    low: float
    high: float
    error: float
    n: int
    method: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Odds:
    """Probabilities (h, l) by horizon (h,) in periods and loss (l,), each with its interval and Monte Carlo error."""

    horizons: Float64
    levels: Float64
    value: Float64
    low: Float64
    high: Float64
    error: Float64
    n: int
    method: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Ruin:
    """Odds of a loss from the start and of a drawdown from a peak, and percentiles of the largest drawdown and of the
    periods from its trough back to its peak, one `Percentiles` a horizon (inf: not within it)."""

    loss: Odds
    drawdown: Odds
    max_drawdown: tuple[Percentiles, ...]
    recovery: tuple[Percentiles, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Survival:
    """Probabilities (c, h) that capital (c,) has stayed above the floor through period (h,)."""

    capitals: Float64
    periods: Float64
    value: Float64
    low: Float64
    high: Float64
    error: Float64
    n: int
    method: str
    warnings: tuple[str, ...] = ()


class BreakerOdds(msgspec.Struct, frozen=True):
    """Probabilities that the breaker trips within the horizon: on a day's loss, on drawdown, on either."""

    horizon: int
    daily_loss: Probability
    drawdown: Probability
    either: Probability


def gbm_odds(
    returns: Float64, of: Literal["loss", "drawdown"], params: RuinParams, *, seed: int, draws: int = 2000
) -> Odds:
    """Odds by the laws of a geometric Brownian motion, over the posterior of its mean and variance.

    `returns` (n,) are simple; the prior is the flat one of a normal sample [1]_, so the variance is an inverse chi
    square of n - 1 degrees and the mean a normal around the sample's. Normal returns have thin tails: hold the answer
    against `ruin_odds`.

    Raises: NotEnoughHistory below 30 returns; DataError, ValueError for what cannot be measured.

    .. [1] Gelman et al., "Bayesian Data Analysis", 3rd ed. (2013), section 3.2.
    """
    logs, (horizons, levels) = _log_returns(returns), _asked(params)
    if np.isinf(logs).any():
        raise DataError("a return of -1 has no log; use ruin_odds")
    rng, n = np.random.default_rng(seed), len(logs)
    spread = np.sqrt((n - 1) * logs.var(ddof=1) / rng.chisquare(n - 1, draws))
    drift = logs.mean() + spread / math.sqrt(n) * rng.standard_normal(draws)
    chances = np.empty((draws, len(horizons), len(levels)))
    for i, horizon in enumerate(horizons):
        for j, level in enumerate(levels):
            law = loss_probability if of == "loss" else _drawdown_law
            chances[:, i, j] = law(float(level), drift, spread, float(horizon))
    return Odds(horizons, levels, *_spread(chances, 1e9), n, "gbm, posterior", _reach(n, horizons))


def _drawdown_law(level: float, mean: Float64, std: Float64, horizon: float) -> float | Float64:
    return drawdown_probability(-math.log1p(-level), mean, std, horizon)


def ruin_odds(returns: Float64, params: RuinParams, *, seed: int) -> Ruin:
    """Odds of every loss and drawdown by every horizon, from the returns (n,) themselves, simple and >= -1.

    A level is met when equity is at it or below at the end of a period. Blocks keep how returns follow each other; a
    bootstrap knows no period worse than the worst it was given, and says so.

    Raises: NotEnoughHistory below 30 returns; DataError for a value that is not a return, or returns that never vary;
    ValueError for levels outside (0, 1) or horizons that do not ascend.
    """
    logs, (horizons, levels) = _log_returns(returns), _asked(params)
    futures = _futures(logs, horizons.astype(np.int64), params, seed)
    n, warnings = len(logs), (*_reach(len(logs), horizons), _worst(returns))
    depths, shares = -np.log1p(-levels) - 1e-12, np.array(PERCENTILES) / 100
    loss, drawdown = (
        Odds(horizons, levels, *_spread((column[..., None] >= depths).mean(axis=1), params.paths), n, _METHOD, warnings)
        for column in (futures[..., 0], futures[..., 1])
    )
    with np.errstate(invalid="ignore"):
        tables = [-np.expm1(-futures[..., 1]), futures[..., 2]]
    falls, recoveries = (
        tuple(_percentiles(table[..., h], shares, n, warnings) for h in range(len(horizons))) for table in tables
    )
    return Ruin(loss, drawdown, falls, recoveries)


def drawdown_odds(returns: Float64, depth: float, horizon: int, params: RuinParams, *, seed: int) -> Probability:
    """Probability that the largest drawdown reaches `depth` within `horizon`: one number of `ruin_odds`."""
    _log_returns(returns)
    return share_odds(returns, np.ones(1), depth, horizon, params, seed=seed)[0]


def share_odds(
    returns: Float64, shares: Float64, depth: float, horizon: int, params: RuinParams, *, seed: int
) -> tuple[Probability, ...]:
    """`drawdown_odds` of each of `shares` (s,) of a position with these returns, all in one pass over the same futures.

    A share f, rebalanced every period, earns f x r; a period that would lose more than everything is ruin.

    Raises: as `ruin_odds`; ValueError unless depth is in (0, 1) and the horizon at least 1.
    """
    if not (0 < depth < 1 and horizon >= 1):
        raise ValueError(f"depth must be in (0, 1) and horizon >= 1, got {depth} and {horizon}")
    base = _finite(returns)
    with np.errstate(divide="ignore"):
        table = np.log1p(np.maximum(np.outer(base, shares), -1.0))
    rng, block, met = np.random.default_rng(seed), _block(params, len(base)), np.empty((params.worlds, len(shares)))
    for w in range(params.worlds):
        falls = _deepest(_world(table, block, rng), rng, block, params.paths, horizon)
        met[w] = (falls >= -math.log1p(-depth) - 1e-12).mean(axis=0)
    n = len(base)
    warnings = [(*_reach(n, np.array([horizon])), _worst(share * base)) for share in shares]
    rows = np.stack(_spread(met, params.paths), axis=1).tolist()
    return tuple(
        Probability(value, low, high, error, n, _METHOD, said)
        for (value, low, high, error), said in zip(rows, warnings, strict=True)
    )


@kernel(fastmath=FUSED)
def _deepest(table: Float64, rng: np.random.Generator, block: float, paths: int, last: int) -> Float64:
    """Largest fall (paths, s) of each column of log returns (n, s), drawn as in `_walk`."""
    n, s = table.shape
    found, level, peak, row, left = np.zeros((paths, s)), np.empty(s), np.empty(s), 0, 0
    for p in range(paths):
        fall = found[p]
        level[:] = 0.0
        peak[:] = 0.0
        left = 0
        for _ in range(last):
            if left == 0:
                row, left = _next_block(rng, n, block)
            step = table[row]
            for c in range(s):
                now = level[c] + step[c]
                level[c] = now
                peak[c] = max(peak[c], now)
                fall[c] = max(fall[c], peak[c] - now)
            row = row + 1 if row + 1 < n else 0
            left -= 1
    return found


_METHOD = "stationary bootstrap of worlds and paths"


def _futures(logs: Float64, horizons: Int64, params: RuinParams, seed: int) -> Float64:
    """What happened in every future (worlds, paths, h, 3): depth below the start, largest fall, its recovery."""
    rng = np.random.default_rng(seed)
    block = _block(params, len(logs))
    return np.stack([_walk(_world(logs, block, rng), rng, block, params.paths, horizons) for _ in range(params.worlds)])


def _world(series: Float64, block: float, rng: np.random.Generator) -> Float64:
    return np.asarray(series[stationary_rows(*rng.random((2, len(series))), block)])


@kernel
def _next_block(rng: np.random.Generator, n: int, block: float) -> tuple[int, int]:
    """Row a block starts at and its length, geometric with mean `block`."""
    row = int(rng.random() * n)
    return row, 1 if block <= 1.0 else 1 + int(np.log(1.0 - rng.random()) / np.log(1.0 - 1.0 / block))


@kernel
def _walk(logs: Float64, rng: np.random.Generator, block: float, paths: int, horizons: Int64) -> Float64:
    """Of each path by each horizon (paths, h, 3): lowest point below 0, largest fall, periods from its trough up."""
    n, last = len(logs), horizons[-1]
    found = np.empty((paths, len(horizons), 3))
    for p in range(paths):
        level, peak, low, fall = 0.0, 0.0, 0.0, 0.0
        trough, top, recovery, row, left, h = 0, 0.0, 0.0, 0, 0, 0
        for t in range(1, last + 1):
            if left == 0:
                row, left = _next_block(rng, n, block)
            level += logs[row]
            row = row + 1 if row + 1 < n else 0
            left -= 1
            peak, low = max(peak, level), min(low, level)
            if peak - level > fall:
                fall, trough, top, recovery = peak - level, t, peak, np.inf
            elif recovery == np.inf and level >= top:
                recovery = float(t - trough)
            if t == horizons[h]:
                found[p, h, 0], found[p, h, 1], found[p, h, 2] = -low, fall, recovery
                h += 1
    return found


def survival(outcomes: Float64, capitals: Float64, stakes: Stakes, params: RuinParams, *, seed: int) -> Survival:
    """Survival curves: the probability that each starting capital stays above the floor through each horizon.

    `outcomes` (n,) are simple returns of equity, or with `stakes.fixed` profits in quote units that do not depend on
    the capital. All capitals meet the same futures, so more capital never survives less.

    Raises: as `ruin_odds`; ValueError unless every capital is above the floor.
    """
    series = _finite(outcomes) if stakes.fixed else np.expm1(_log_returns(outcomes))
    start, (horizons, _) = np.asarray(capitals, np.float64), _asked(params)
    if not (start.ndim == 1 and len(start) and np.isfinite(start).all() and (start > stakes.floor).all()):
        raise ValueError(f"capitals must be above the floor {stakes.floor}, got {capitals}")
    rng, block, rules = np.random.default_rng(seed), _block(params, len(series)), (stakes.floor, stakes.drain)
    lasting = np.empty((params.worlds, len(start), len(horizons)))
    for w in range(params.worlds):
        futures = (_world(series, block, rng), rng, block, params.paths, int(horizons[-1]))
        ended = _endings(futures, start, rules, stakes.fixed)
        lasting[w] = (ended[..., None] > horizons).mean(axis=0)
    n = len(series)
    return Survival(start, horizons, *_spread(lasting, params.paths), n, _METHOD, _reach(n, horizons))


_Futures = tuple[Float64, np.random.Generator, float, int, int]
"""A world, its stream, the mean block, how many paths, and how many periods each."""


@kernel
def _endings(futures: _Futures, capitals: Float64, rules: tuple[float, float], fixed: bool) -> Int64:
    """Period at whose end each path and capital (paths, c) is at the floor or below; last + 1 if it never is."""
    series, rng, block, paths, last = futures
    n, (floor, drain) = len(series), rules
    ended = np.full((paths, len(capitals)), last + 1)
    for p in range(paths):
        equity, row, left = capitals.copy(), 0, 0
        for t in range(1, last + 1):
            if left == 0:
                row, left = _next_block(rng, n, block)
            x = series[row]
            row = row + 1 if row + 1 < n else 0
            left -= 1
            for c in range(len(equity)):
                equity[c] += (x if fixed else equity[c] * x) - drain
                ended[p, c] = min(ended[p, c], t) if equity[c] <= floor else ended[p, c]
    return ended


def breaker_odds(
    returns: Float64, limits: Limits, params: RuinParams, *, seed: int, horizon: int = 30, drawdown: float = 0.0
) -> BreakerOdds:
    """Probability that the breaker trips within `horizon` days, from the account's own returns (n,).

    `params.daily` returns make a UTC day, the first starts now; `drawdown` is the loss from the peak the account has
    already. Only ends of periods are seen: finer returns see more, and the true odds are never lower.

    Raises: as `ruin_odds`; ValueError if `drawdown` is outside [0, 1) or horizon below 1.
    """
    logs = _log_returns(returns)
    if not (0 <= drawdown < 1 and horizon >= 1):
        raise ValueError(f"drawdown must be in [0, 1) and horizon >= 1, got {drawdown} and {horizon}")
    rng, block = np.random.default_rng(seed), _block(params, len(logs))
    losses = np.minimum([limits.max_daily_loss, limits.max_drawdown, drawdown], 1 - 1e-15)
    daily, fall, now = (-np.log1p(-losses) - [1e-12, 1e-12, 0]).tolist()
    tripped = np.empty((params.worlds, 3))
    for w in range(params.worlds):
        futures = (_world(logs, block, rng), rng, block, params.paths, horizon * params.daily)
        met = _trips(futures, params.daily, (daily, fall), now)
        tripped[w] = (*met.mean(axis=0), met.any(axis=1).mean())
    n, warnings = len(logs), (*_reach(len(logs), np.array([horizon * params.daily])), _worst(returns))
    table = np.stack(_spread(tripped, params.paths), axis=1).tolist()
    daily_loss, halt, either = (Probability(v, low, high, e, n, _METHOD, warnings) for v, low, high, e in table)
    return BreakerOdds(horizon, daily_loss, halt, either)


@kernel
def _trips(futures: _Futures, daily: int, falls: tuple[float, float], now: float) -> Int64:
    """Whether each path (paths, 2) met the daily limit and the drawdown limit, given as falls of log equity."""
    logs, rng, block, paths, last = futures
    n = len(logs)
    met = np.zeros((paths, 2), np.int64)
    for p in range(paths):
        level, peak, opened, row, left = 0.0, now, 0.0, 0, 0
        for t in range(last):
            if left == 0:
                row, left = _next_block(rng, n, block)
            opened = level if t % daily == 0 else opened
            level += logs[row]
            row = row + 1 if row + 1 < n else 0
            left -= 1
            peak = max(peak, level)
            if opened - level >= falls[0]:
                met[p, 0] = 1
            if peak - level >= falls[1]:
                met[p, 1] = 1
    return met


def _finite(values: Float64) -> Float64:
    series = np.ascontiguousarray(values, np.float64)
    if series.ndim != 1 or len(series) < MIN_RETURNS:
        raise NotEnoughHistory(
            f"odds need at least {MIN_RETURNS} outcomes in one column",
            value=series.shape,
            remedy="pass a longer history",
        )
    bad = np.flatnonzero(~np.isfinite(series))
    if len(bad):
        raise DataError(f"outcome {int(bad[0])} is not a finite number", value=float(series[bad[0]]))
    if series.min() == series.max():
        raise DataError("the outcomes never vary, so they say nothing about risk", value=float(series[0]))
    return series


def _log_returns(returns: Float64) -> Float64:
    series = _finite(returns)
    if series.min() < -1:
        raise DataError("a simple return cannot be below -1", value=float(series.min()), remedy="pass fractions")
    with np.errstate(divide="ignore"):
        return np.log1p(series)


def _asked(params: RuinParams) -> tuple[Float64, Float64]:
    horizons, levels = np.array(params.horizons, np.float64), np.array(params.levels, np.float64)
    if not (horizons[0] >= 1 and (np.diff(horizons) > 0).all()):
        raise ValueError(f"horizons must be >= 1 and ascend, got {params.horizons}")
    if not ((levels > 0) & (levels < 1)).all():
        raise ValueError(f"levels must be in (0, 1), got {params.levels}")
    return horizons, levels


def _block(params: RuinParams, n: int) -> float:
    block = block_length(n) if params.block is None else params.block
    if block > n / 2:
        raise ValueError(f"a block of {block} leaves fewer than two of them in {n} outcomes; shorten it")
    return block


def _reach(n: int, horizons: Float64) -> tuple[str, ...]:
    far = f"the horizon of {horizons[-1]:g} periods is longer than the history of {n}"
    return (far,) if horizons[-1] > n else ()


def _worst(returns: Float64) -> str:
    return f"no period here is worse than {float(np.min(returns)):.2%}; a worse one would add to these odds"


def _spread(chances: Float64, paths: float) -> tuple[Float64, Float64, Float64, Float64]:
    """Mean, ends and Monte Carlo error over worlds, the first axis, of shares of `paths` futures.

    No end is nearer than two errors, and an error is never 0: what was not seen in N draws may have odds near 1 / N.
    """
    worlds = len(chances)
    value, total = chances.mean(axis=0), worlds * paths
    smooth = (value * total + 1) / (total + 2)
    error = np.maximum(chances.std(axis=0, ddof=1) / math.sqrt(worlds), np.sqrt(smooth * (1 - smooth) / total))
    low, high = np.quantile(chances, ((1 - _LEVEL) / 2, (1 + _LEVEL) / 2), axis=0)
    low, high = np.minimum(low, value - 2 * error), np.maximum(high, value + 2 * error)
    return value, np.maximum(low, 0.0), np.minimum(high, 1.0), error


def _percentiles(table: Float64, shares: Float64, n: int, warnings: tuple[str, ...]) -> Percentiles:
    """Percentiles of all futures (worlds, paths); the ends are those of the worlds' own percentiles."""
    value = np.quantile(table, shares, method="inverted_cdf")
    own = np.quantile(table, shares, axis=1, method="inverted_cdf")
    low, high = np.quantile(own, ((1 - _LEVEL) / 2, (1 + _LEVEL) / 2), axis=1, method="inverted_cdf")
    batches = np.array_split(table, _BATCHES)
    means = np.array([np.quantile(batch, shares, method="inverted_cdf") for batch in batches])
    with np.errstate(invalid="ignore"):
        error = means.std(axis=0, ddof=1) / math.sqrt(_BATCHES)
    return Percentiles(shares * 100, value, low, high, error, n, _METHOD, warnings)
