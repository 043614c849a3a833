"""Which position carries the risk: marginal, component and incremental VaR and CVaR of a portfolio.

The marginal figure is the slope of the portfolio's VaR or CVaR in one weight; times the weight it is the component, and
the components add up to the total (Euler: both are homogeneous of degree one). A hedge has a negative component. The
incremental figure is the change of the total when a whole order is added, not its slope.

normal          mean and sample covariance
cornish_fisher  the modified VaR and CVaR differentiated through the co-moments [1]_
historical      CVaR: the mean of what each position lost on the days beyond VaR; VaR: what it lost on the days at VaR,
                one or two days only, so its error is large and CVaR is the better guide

Returns are simple, (n, k), one column an asset; weights (k,) are signed shares of equity. A singular covariance is no
obstacle (nothing is inverted), but a portfolio whose value does not move has no components.

.. [1] Boudt, Peterson and Croux, "Estimation and decomposition of downside risk for portfolios with non-normal
   returns", Journal of Risk 11 (2008).
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
import numpy as np
from scipy.special import ndtri

from seakeep.core.errors import ConfigError, DataError, NotEnoughHistory
from seakeep.core.market import Float64, Int64
from seakeep.core.registry import nearest
from seakeep.stats.bootstrap import percentile_interval, resample
from seakeep.stats.performance import LEVEL, Estimate
from seakeep.stats.quantiles import (
    checked_confidence,
    cornish_fisher_domain,
    cornish_fisher_quantile,
    shortfall_polynomial,
    split_rank,
)

__all__ = [
    "Components",
    "Incremental",
    "Slopes",
    "checked_portfolio",
    "components",
    "covariance_slopes",
    "incremental",
    "tail_slopes",
]

MIN_ROWS = 50


class Slopes(NamedTuple):
    """VaR and CVaR of a portfolio and their slopes (k,) in its weights."""

    var: float
    cvar: float
    var_slopes: Float64
    cvar_slopes: Float64


@dataclass(frozen=True, slots=True, eq=False)
class Components:
    """VaR and CVaR with an interval; per asset (k,) the component, the marginal figure, and the component's error.

    Components add up to the total. `standalone_var` (k,) are the VaRs of the positions alone.
    """

    method: str
    confidence: float
    var: Estimate
    cvar: Estimate
    weights: Float64
    var_marginal: Float64
    cvar_marginal: Float64
    var_error: Float64
    cvar_error: Float64
    standalone_var: Float64
    interval: str
    warnings: tuple[str, ...]

    @property
    def var_component(self) -> Float64:
        """What each position adds to VaR (k,)."""
        return self.weights * self.var_marginal

    @property
    def cvar_component(self) -> Float64:
        """What each position adds to CVaR (k,)."""
        return self.weights * self.cvar_marginal


class Incremental(msgspec.Struct, frozen=True):
    """Change of VaR and CVaR when an order is added, and what the slopes alone would say of it."""

    method: str
    confidence: float
    var: Estimate
    cvar: Estimate
    var_slope: float
    cvar_slope: float
    interval: str


def checked_portfolio(returns: Float64, weights: Float64) -> tuple[Float64, Float64]:
    """Returns (n, k) and weights (k,) as floats. Raises: ValueError (shapes), NotEnoughHistory, DataError."""
    table, shares = np.ascontiguousarray(returns, np.float64), np.ascontiguousarray(weights, np.float64)
    if table.ndim != 2 or shares.shape != table.shape[1:]:
        raise ValueError(f"need returns (n, k) and weights (k,), got {table.shape} and {shares.shape}")
    if len(table) < MIN_ROWS:
        raise NotEnoughHistory(f"components need at least {MIN_ROWS} rows of returns", value=len(table))
    if not (np.isfinite(table).all() and np.isfinite(shares).all()):
        raise DataError("a return or a weight is not a finite number", remedy="drop the rows that are not complete")
    outcome = table @ shares
    if not np.ptp(outcome) > 1e-12 * max(1.0, float(np.abs(outcome).max())):
        raise DataError("the portfolio's value does not move", value=shares.tolist(), remedy="pass weights that differ")
    return table, shares


def covariance_slopes(covariance: Float64, weights: Float64, multiple: float) -> tuple[float, Float64]:
    """`multiple` standard deviations of a portfolio and its slopes (k,), from a covariance (k, k) alone.

    >>> total, slopes = covariance_slopes(np.diag([0.05**2, 0.12**2]), np.array([2e6, 1e6]), 1.65)
    >>> round(total), slopes.round(4).tolist()
    (257738, [0.0528, 0.1521])

    Raises: ValueError if the matrix is not symmetric and positive semidefinite, or the portfolio has no variance.
    """
    matrix = np.asarray(covariance, np.float64)
    if matrix.shape != (len(weights), len(weights)) or not np.allclose(matrix, matrix.T, rtol=1e-9, atol=0):
        raise ValueError(f"need a symmetric covariance for {len(weights)} weights, got shape {matrix.shape}")
    smallest, largest = np.linalg.eigvalsh(matrix)[[0, -1]]
    if not smallest >= -1e-10 * largest:
        raise ValueError(f"the covariance is not positive semidefinite: eigenvalue {smallest:.3g}; repair it first")
    deviation = math.sqrt(max(0.0, float(weights @ matrix @ weights)))
    if deviation == 0:
        raise ValueError("the portfolio has no variance, so its risk has no components")
    return multiple * deviation, multiple * (matrix @ weights) / deviation


def _normal_slopes(returns: Float64, weights: Float64, confidence: float) -> Slopes:
    z = float(ndtri(confidence))
    density = math.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
    means = returns.mean(axis=0)
    outcome = returns @ weights
    deviations = (outcome - outcome.mean()) @ (returns - means) / (len(returns) - 1)
    sigma = float(outcome.std(ddof=1))
    mean, slopes = float(outcome.mean()), deviations / sigma
    wide = density / (1 - confidence)
    return Slopes(z * sigma - mean, wide * sigma - mean, z * slopes - means, wide * slopes - means)


def _cornish_fisher_slopes(returns: Float64, weights: Float64, confidence: float) -> Slopes:
    means = returns.mean(axis=0)
    centred = returns - means
    x = centred @ weights
    n, mean = len(x), float(means @ weights)
    sigma = float(np.sqrt((x @ x) / (n - 1)))
    d_sigma = x @ centred / (n - 1) / sigma
    skew, excess = float((x**3).mean()) / sigma**3, float((x**4).mean()) / sigma**4 - 3
    d_skew = 3 * (x**2) @ centred / n / sigma**3 - 3 * skew * d_sigma / sigma
    d_excess = 4 * (x**3) @ centred / n / sigma**4 - 4 * (excess + 3) * d_sigma / sigma
    z = float(ndtri(1 - confidence))
    h = cornish_fisher_quantile(z, skew, excess)
    d_h = ((z * z - 1) / 6 - (2 * z**3 - 5 * z) * skew / 18) * d_skew + (z**3 - 3 * z) / 24 * d_excess
    var, var_slopes = -mean - sigma * h, -means - h * d_sigma - sigma * d_h
    wide, d_wide = _modified_shortfall(h, d_h, (skew, d_skew), (excess, d_excess), 1 - confidence)
    if wide <= -h:
        return Slopes(var, var, var_slopes, var_slopes)
    return Slopes(var, -mean + sigma * wide, var_slopes, -means + wide * d_sigma + sigma * d_wide)


def _modified_shortfall(
    h: float, d_h: Float64, skew: tuple[float, Float64], excess: tuple[float, Float64], share: float
) -> tuple[float, Float64]:
    """Standardised modified CVaR and its slopes, from the quantile h, the moments and their slopes."""
    (s, d_s), (k, d_k) = skew, excess
    factor = shortfall_polynomial(h, s, k)
    by_h = s * h * h / 2 + s * s / 72 * (6 * h**5 - 36 * h**3 + 18 * h) + k / 6 * (h**3 - h)
    by_s = h**3 / 6 + s / 36 * (h**6 - 9 * h**4 + 9 * h * h + 3)
    by_k = (h**4 - 2 * h * h - 1) / 24
    density = math.exp(-0.5 * h * h) / math.sqrt(2 * math.pi) / share
    return density * factor, density * ((by_h - h * factor) * d_h + by_s * d_s + by_k * d_k)


def _historical_slopes(returns: Float64, weights: Float64, confidence: float) -> Slopes:
    outcome = returns @ weights
    below, part = split_rank(len(returns), confidence)
    order = np.argpartition(outcome, (below, below + 1))
    low, high = order[below], order[below + 1]
    quantile = outcome[low] + part * (outcome[high] - outcome[low])
    worse = outcome < quantile
    var_slopes = -(returns[low] + part * (returns[high] - returns[low]))
    cvar_slopes = -returns[worse if worse.any() else outcome <= quantile].mean(axis=0)
    return Slopes(-float(quantile), float(cvar_slopes @ weights), var_slopes, cvar_slopes)


_SLOPES: Mapping[str, Callable[[Float64, Float64, float], Slopes]] = {
    "historical": _historical_slopes,
    "normal": _normal_slopes,
    "cornish_fisher": _cornish_fisher_slopes,
}


def tail_slopes(returns: Float64, weights: Float64, confidence: float, method: str = "historical") -> Slopes:
    """VaR, CVaR and their slopes for checked returns (n, k) and weights (k,). Raises: ConfigError, NotEnoughHistory."""
    if method not in _SLOPES:
        raise ConfigError("unknown component method", value=method, remedy=nearest(method, list(_SLOPES)))
    if method == "historical" and len(returns) * (1 - checked_confidence(confidence)) < 1 - 1e-9:
        need = math.ceil(round(1 / (1 - confidence), 6))
        raise NotEnoughHistory(f"confidence {confidence:g} needs at least {need} rows", value=len(returns))
    return _SLOPES[method](returns, weights, checked_confidence(confidence))


def components(
    returns: Float64,
    weights: Float64,
    confidence: float = 0.95,
    method: str = "historical",
    samples: int = 200,
    seed: int = 0,
) -> Components:
    """Component and marginal VaR and CVaR with stationary-bootstrap errors; see the module for the methods.

    Raises: ConfigError (method, confidence), NotEnoughHistory, DataError, ValueError (shapes).
    """
    table, shares = checked_portfolio(returns, weights)
    found = tail_slopes(table, shares, confidence, method)
    k = len(shares)

    def again(rows: Int64) -> Float64:
        other = tail_slopes(table[rows], shares, confidence, method)
        return np.concatenate([[other.var, other.cvar], other.var_slopes * shares, other.cvar_slopes * shares])

    drawn = resample(again, len(table), samples=samples, seed=seed)
    errors = drawn.std(axis=0, ddof=1)
    alone = [tail_slopes(table[:, [i]], shares[[i]], confidence, method).var if shares[i] else 0.0 for i in range(k)]
    return Components(
        method,
        confidence,
        Estimate(found.var, *percentile_interval(drawn[:, 0], LEVEL), len(table)),
        Estimate(found.cvar, *percentile_interval(drawn[:, 1], LEVEL), len(table)),
        shares,
        found.var_slopes,
        found.cvar_slopes,
        errors[2 : 2 + k],
        errors[2 + k :],
        np.array(alone),
        f"stationary bootstrap, {samples} samples",
        _warnings(table @ shares, confidence, method),
    )


def _warnings(outcome: Float64, confidence: float, method: str) -> tuple[str, ...]:
    if method == "historical" and len(outcome) * (1 - confidence) < 10:
        return (f"only {len(outcome) * (1 - confidence):.1f} observed losses lie beyond VaR",)
    if method == "cornish_fisher":
        x = (outcome - outcome.mean()) / outcome.std(ddof=1)
        skew, excess = float((x**3).mean()), float((x**4).mean()) - 3
        if not cornish_fisher_domain(skew, excess):
            return (f"skewness {skew:.2f} and excess kurtosis {excess:.2f} are outside the Cornish-Fisher domain",)
    return ()


def incremental(
    returns: Float64,
    weights: Float64,
    order: Float64,
    confidence: float = 0.95,
    method: str = "historical",
    samples: int = 200,
    seed: int = 0,
) -> Incremental:
    """Change of VaR and CVaR when weights (k,) become weights + order (k,), both measured on the same rows.

    An empty book (all weights zero) has no risk and no slope: the change is then the risk of the order alone.

    Raises: as `components`; DataError if the book after the order does not move.
    """
    after = np.asarray(weights, np.float64) + np.asarray(order, np.float64)
    table, final = checked_portfolio(returns, after)
    held = np.asarray(weights, np.float64)

    def change(rows: Int64 | slice) -> Float64:
        new = tail_slopes(table[rows], final, confidence, method)
        if not held.any():
            return np.array([new.var, new.cvar, np.nan, np.nan])
        old = tail_slopes(table[rows], held, confidence, method)
        slopes = (float(old.var_slopes @ order), float(old.cvar_slopes @ order))
        return np.array([new.var - old.var, new.cvar - old.cvar, *slopes])

    if held.any():
        checked_portfolio(table, held)
    values = change(slice(None))
    drawn = resample(change, len(table), samples=samples, seed=seed)
    ends = [percentile_interval(drawn[:, i], LEVEL) for i in (0, 1)]
    var, cvar = (Estimate(float(values[i]), *ends[i], len(table)) for i in (0, 1))
    made = f"stationary bootstrap of the same rows before and after, {samples} samples"
    return Incremental(method, confidence, var, cvar, float(values[2]), float(values[3]), made)
