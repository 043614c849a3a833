"""Value at risk and expected shortfall of a series of returns, at any confidence and horizon, with their intervals.

    estimate(returns, 0.99, "filtered")                                    one period ahead
    estimate(returns, 0.99, "student_t", horizon=10, scaling="sqrt")       the one-period figures times sqrt(10)
    estimate(returns, 0.99, "student_t", horizon=10, scaling="simulated")  the law of ten compounded periods

A horizon needs one of the two scalings by name. The square root is exact only for independent normal returns without a
mean; the simulation draws every period from the fitted law (a filtered law moves its volatility along the path) and
compounds simple returns, so a long position never loses more than all. Losses are positive fractions; returns simple,
one row a period, oldest first.
"""

import math
from collections.abc import Callable
from typing import Literal

import msgspec
import numpy as np
from pydantic import Field
from scipy.special import ndtri

from seakeep.core.errors import ConfigError, ModelError
from seakeep.core.market import Float64, Int64
from seakeep.stats.bootstrap import percentile_interval, resample
from seakeep.stats.laws import (
    LAWS,
    Empirical,
    Extreme,
    Filtered,
    Law,
    LawSettings,
    Normal,
    StudentT,
    Weighted,
    fit_law,
    law_named,
)
from seakeep.stats.performance import LEVEL, Estimate
from seakeep.stats.quantiles import checked_confidence, checked_returns, empirical_tail

__all__ = ["METHODS", "Z_LEVEL", "Scaling", "Tail", "TailSettings", "estimate", "simulate", "tail_errors"]

METHODS = tuple(LAWS)
"""historical, age_weighted, normal, student_t, cornish_fisher, evt, filtered."""
Scaling = Literal["sqrt", "simulated"]
Z_LEVEL = float(ndtri((1 + LEVEL) / 2))
"""Standard errors from the value to either end of an interval."""


class TailSettings(LawSettings):
    """How the figures and their intervals are made."""

    samples: int = Field(500, ge=50, le=100_000, description="bootstrap samples of an interval")
    paths: int = Field(50_000, ge=1000, le=10_000_000, description="paths of a simulated horizon")
    seed: int = Field(0, ge=0, description="seed of bootstrap and simulation")


class Tail(msgspec.Struct, frozen=True, kw_only=True):
    """VaR and CVaR as positive losses over `horizon` periods, each with an interval of confidence `LEVEL`.

    `interval` says how it was made; `mc_error` are the standard errors of (VaR, CVaR) left by the number of paths,
    None where nothing was simulated; `warnings` say where the method is outside its domain.
    """

    method: str
    confidence: float
    horizon: int
    scaling: str
    var: Estimate
    cvar: Estimate
    n: int
    interval: str
    mc_error: tuple[float, float] | None = None
    warnings: tuple[str, ...] = ()


def estimate(
    returns: Float64,
    confidence: float = 0.95,
    method: str = "historical",
    *,
    horizon: int = 1,
    scaling: Scaling | None = None,
    settings: TailSettings | None = None,
) -> Tail:
    """VaR and CVaR of simple returns (n,), oldest first.

    >>> found = estimate(np.random.default_rng(1).normal(0, 0.04, 5000), 0.99, "normal")
    >>> bool(found.var.low < 0.04 * 2.3263 < found.var.high), found.scaling
    (True, 'one period')

    Raises: ConfigError (confidence, method, a horizon without a scaling), NotEnoughHistory, DataError (NaN, constant).
    """
    chosen, level = settings or TailSettings(), checked_confidence(confidence)
    need, fit = law_named(method)
    x = checked_returns(returns, need, f"{method} VaR")
    _check_horizon(horizon, scaling)
    law = fit(x, chosen)
    law.tail(level)
    if horizon == 1:
        return _one_period(x, law, level, method, chosen)
    if scaling == "sqrt":
        return _square_root(_one_period(x, law, level, method, chosen), horizon)
    return _simulated(x, law, level, method, horizon, chosen)


def _check_horizon(horizon: int, scaling: str | None) -> None:
    if horizon < 1:
        raise ConfigError("the horizon must be at least one period", value=horizon, remedy="write 1, 10 or 30")
    if horizon > 1 and scaling not in ("sqrt", "simulated"):
        raise ConfigError(
            "a horizon of several periods needs a scaling", value=scaling, remedy='choose "sqrt" or "simulated"'
        )


def _one_period(x: Float64, law: Law, level: float, method: str, settings: TailSettings) -> Tail:
    values = law.tail(level)
    if isinstance(law, Normal | StudentT | Extreme):
        made, half = "asymptotic: delta method on the maximum likelihood fit", Z_LEVEL * np.array(law.errors(level))
        ends = [(value - h, value + h) for value, h in zip(values, half, strict=True)]
    else:
        made, ends = _bootstrapped(x, law, lambda other: other.tail(level), method, settings)
    var, cvar = (Estimate(value, *both, len(x)) for value, both in zip(values, ends, strict=True))
    return Tail(
        method=method,
        confidence=level,
        horizon=1,
        scaling="one period",
        var=var,
        cvar=cvar,
        n=len(x),
        interval=made,
        warnings=_warnings(law, level),
    )


def _warnings(law: Law, level: float) -> tuple[str, ...]:
    """Those of the law, and whether VaR is a loss at all, and of a fraction."""
    var, cvar = law.tail(level)
    found = law.warnings(level)
    if var <= 0:
        found += ("VaR is not above zero: the period ends with no loss at this confidence",)
    return (*found, "a loss above 100 %: are the returns fractions?") if cvar > 1 else found


def _bootstrapped(
    x: Float64, law: Law, statistic: Callable[[Law], tuple[float, float]], method: str, settings: TailSettings
) -> tuple[str, list[tuple[float, float]]]:
    """How it was made, and both intervals."""
    made, block, again = _redraw(x, law, method, settings)
    found = resample(
        lambda rows: np.array(statistic(again(rows))), len(x), block=block, samples=settings.samples, seed=settings.seed
    )
    return f"{made}, {settings.samples} samples", [percentile_interval(column, LEVEL) for column in found.T]


def _redraw(
    x: Float64, law: Law, method: str, settings: TailSettings
) -> tuple[str, float | None, Callable[[Int64], Law]]:
    """What is drawn again: residuals one by one, as many observations as the weights are worth, or blocks of days."""
    if isinstance(law, Filtered):

        def rescaled(rows: Int64) -> Law:
            drawn = law.residuals[rows]
            return Filtered(law.params, law.sigma, drawn, Empirical(np.sort(drawn), settings.rule))

        return "bootstrap of the residuals, filter held", 1.0, rescaled
    if isinstance(law, Weighted):
        size = int(law.count + 1e-9)

        def reweighted(rows: Int64) -> Law:
            return Weighted(law.quantile((rows[:size] + 0.5) / len(rows)), np.full(size, 1 / size))

        return f"bootstrap of the {size} observations the weights are worth", 1.0, reweighted
    return "stationary bootstrap", None, lambda rows: fit_law(x[rows], method, settings)


def _square_root(one: Tail, horizon: int) -> Tail:
    root = math.sqrt(horizon)
    notes = [*one.warnings, "square root of time: exact only for independent normal returns without a mean"]
    if one.cvar.value * root > 1 >= one.cvar.value:
        notes.append("the scaled loss is above 100 %: the square root has left its domain")
    var, cvar = (Estimate(e.value * root, e.low * root, e.high * root, e.n) for e in (one.var, one.cvar))
    scaled = {"horizon": horizon, "scaling": "square root of time", "var": var, "cvar": cvar, "warnings": tuple(notes)}
    return msgspec.structs.replace(one, **scaled)


def _simulated(x: Float64, law: Law, level: float, method: str, horizon: int, settings: TailSettings) -> Tail:
    outcomes = np.sort(simulate(law, horizon, settings.paths, settings.seed))
    values, few = empirical_tail(outcomes, level), max(1000, settings.paths // 25)
    outer = settings.model_copy(update={"samples": max(50, settings.samples // 5)})

    def again(other: Law) -> tuple[float, float]:
        return empirical_tail(np.sort(simulate(other, horizon, few, settings.seed)), level)

    made, ends = _bootstrapped(x, law, again, method, outer)
    var, cvar = (Estimate(value, *both, len(x)) for value, both in zip(values, ends, strict=True))
    return Tail(
        method=method,
        confidence=level,
        horizon=horizon,
        scaling="simulated",
        var=var,
        cvar=cvar,
        n=len(x),
        interval=f"{made}, {few} paths each",
        mc_error=tail_errors(outcomes, level),
        warnings=_warnings(law, level),
    )


def simulate(law: Law, horizon: int, paths: int, seed: int) -> Float64:
    """Compounded return (paths,) over `horizon` periods drawn from the law; -1, all lost, is absorbing.

    Same seed, same bits. Raises: ModelError if wealth cannot be followed (a return that is not a number).
    """
    rng, wealth = np.random.default_rng(seed), np.ones(paths)
    sigma = np.full(paths, law.sigma) if isinstance(law, Filtered) else None
    for _ in range(horizon):
        draws = rng.random(paths) * (1 - 2**-52) + 2**-53
        if isinstance(law, Filtered) and sigma is not None:
            shock = sigma * law.law.quantile(draws)
            step = law.params.mu + shock
            sigma = np.sqrt(law.params.omega + law.params.alpha * shock**2 + law.params.beta * sigma**2)
        else:
            step = law.quantile(draws)
        wealth *= np.maximum(1 + step, 0.0)
    if np.isnan(wealth).any():
        raise ModelError("the simulated horizon is not a number", remedy="shorten it or use another method")
    return wealth - 1


def tail_errors(ordered: Float64, confidence: float) -> tuple[float, float]:
    """Standard errors of the empirical (VaR, CVaR) of n independent returns in ascending order (n,).

    VaR: half the distance between the order statistics one binomial deviation either side. CVaR: Manistre and Hancock,
    "Variance of the CTE estimator", North American Actuarial Journal 9 (2005).

    Raises: NotEnoughHistory if fewer than two losses lie beyond VaR.
    """
    n, share = len(ordered), 1 - confidence
    law = Empirical(ordered)
    var, cvar = law.tail(confidence)
    spread = math.sqrt(n * share * confidence)
    low, high = (int(np.clip(round(n * share + sign * spread), 0, n - 1)) for sign in (-1, 1))
    beyond = -ordered[: max(2, int(np.searchsorted(ordered, -var, "right")))]
    variance = (beyond.var(ddof=1) + confidence * (cvar - var) ** 2) / (n * share)
    return float(ordered[high] - ordered[low]) / 2, math.sqrt(variance)
