"""Weights of many assets: the most growth seen, equal risk, least variance, least CVaR; and a scale to a volatility.

Returns are simple and of one period, covariances of one period too; weights are fractions of equity. Those that come
from a covariance alone are for who does not trust a mean.
"""

import math
from collections.abc import Callable

import numpy as np
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.optimize import Bounds, LinearConstraint, linprog, minimize
from scipy.sparse import csr_array, eye_array, hstack
from scipy.spatial.distance import pdist

from seakeep.core.errors import ConvergenceError, DataError
from seakeep.core.market import Float64, Int64

__all__ = [
    "checked_covariance",
    "checked_table",
    "growth_weights",
    "hierarchical_parity",
    "min_cvar",
    "min_variance",
    "risk_parity",
    "volatility_scale",
]


def growth_weights(returns: Float64, *, gross: float = 1.0, short: bool = False) -> tuple[Float64, float]:
    """Weights (k,) with the largest mean log(1 + R w) over the returns (n, k) seen, and that growth a period.

    The sum of absolute weights is at most `gross`; none is negative unless `short`. What is not invested earns 0.

    Raises: DataError for values that are not numbers; ConvergenceError if the optimiser stops short.
    """
    if not gross > 0:
        raise ValueError(f"gross must be > 0, got {gross}")
    table = checked_table(returns)
    k = table.shape[1]
    wide = np.hstack([table, -table]) if short else table

    def lost(w: Float64) -> tuple[float, Float64]:
        wealth = np.maximum(1 + wide @ w, 1e-9)
        return -float(np.log(wealth).mean()) * 1e3, -(wide / wealth[:, None]).mean(axis=0) * 1e3

    parts = _minimum(lost, wide.shape[1], gross, [LinearConstraint(np.ones(wide.shape[1]), 0, gross)])
    return (parts[:k] - parts[k:] if short else parts), -lost(parts)[0] / 1e3


def _minimum(
    objective: Callable[[Float64], tuple[float, Float64]], size: int, most: float, rules: list[LinearConstraint]
) -> Float64:
    """Where a smooth convex objective (value and gradient) of parts in [0, most] is smallest, under linear rules."""
    start, bounds = np.full(size, most / size), Bounds(np.zeros(size), np.full(size, most))
    best = minimize(
        objective,
        start,
        jac=True,
        method="SLSQP",
        bounds=bounds,
        constraints=rules,
        options={"ftol": 1e-14, "maxiter": 500},
    )
    if not best.success:
        raise ConvergenceError("no optimal weights were found", value=best.message, remedy="loosen what is asked")
    return np.asarray(best.x, np.float64)


def volatility_scale(weights: Float64, covariance: Float64, target: float, periods: float = 365.0) -> float:
    """Factor on the weights (k,) at which the portfolio's own yearly volatility is `target`.

    `covariance` is that of one period, `periods` of them a year: hedges count.

    >>> round(volatility_scale(np.array([1.0]), np.array([[0.04]]), 0.1, 1), 12)
    0.5

    Raises: DataError for a covariance that is not one; ValueError for a target <= 0 or a portfolio without risk.
    """
    matrix = checked_covariance(covariance)
    variance = float(weights @ matrix @ weights) * periods
    if not (target > 0 and variance > 0):
        raise ValueError(f"a target > 0 and a portfolio that varies are needed, got {target} and variance {variance}")
    return target / math.sqrt(variance)


def risk_parity(covariance: Float64, budgets: Float64 | None = None) -> Float64:
    """Long-only weights (k,), sum 1, whose shares of the variance are `budgets` (equal if not given).

    Cyclical coordinate descent on the log barrier form [1]_, whose one solution the equal contributions [2]_ are.

    .. [1] Griveau-Billion, Richard and Roncalli, "A fast algorithm for computing high-dimensional risk parity
       portfolios" (2013).
    .. [2] Maillard, Roncalli and Teiletche, Journal of Portfolio Management 36 (2010).
    """
    matrix = checked_covariance(covariance)
    k = len(matrix)
    shares = np.full(k, 1 / k) if budgets is None else np.asarray(budgets, np.float64)
    if shares.shape != (k,) or not ((shares > 0).all() and math.isclose(shares.sum(), 1, abs_tol=1e-9)):
        raise ValueError(f"budgets must be {k} positive shares that add up to 1, got {shares.tolist()}")
    weights = 1 / np.sqrt(matrix.diagonal())
    for _ in range(2000):
        for i in range(k):
            others = matrix[i] @ weights - matrix[i, i] * weights[i]
            weights[i] = (math.sqrt(others**2 + 4 * matrix[i, i] * shares[i]) - others) / (2 * matrix[i, i])
        if np.abs(weights * (matrix @ weights) - shares).max() < 1e-12:
            return np.asarray(weights / weights.sum())
    raise ConvergenceError("risk parity did not settle in 2000 sweeps", remedy="shrink the covariance")


def hierarchical_parity(covariance: Float64) -> Float64:
    """Hierarchical risk parity weights (k,), sum 1, as published [1]_.

    Single linkage on the Euclidean distances between columns of sqrt((1 - rho) / 2); halves of the ordered list share
    in inverse proportion to the variance of their inverse-variance portfolios.

    .. [1] Lopez de Prado, "Building diversified portfolios that outperform out of sample", Journal of Portfolio
       Management 42 (2016).
    """
    matrix = checked_covariance(covariance)
    deviations = np.sqrt(matrix.diagonal())
    if len(matrix) == 1:
        return np.ones(1)
    apart = np.sqrt(np.clip((1 - matrix / np.outer(deviations, deviations)) / 2, 0, 1))
    weights, parts = np.ones(len(matrix)), [leaves_list(linkage(pdist(apart), "single")).astype(np.int64)]
    while parts:
        halves = [(part[: len(part) // 2], part[len(part) // 2 :]) for part in parts if len(part) > 1]
        for left, right in halves:
            one, other = _cluster_variance(matrix, left), _cluster_variance(matrix, right)
            weights[left] *= other / (one + other)
            weights[right] *= one / (one + other)
        parts = [half for pair in halves for half in pair]
    return weights


def _cluster_variance(matrix: Float64, rows: Int64) -> float:
    inner = matrix[np.ix_(rows, rows)]
    weights = 1 / inner.diagonal()
    weights /= weights.sum()
    return float(weights @ inner @ weights)


def min_cvar(returns: Float64, level: float = 0.95) -> tuple[Float64, float]:
    """Long-only weights (k,), sum 1, with the smallest CVaR over the returns (n, k) seen, and that CVaR, a loss.

    The linear programme of Rockafellar and Uryasev, "Optimization of conditional value-at-risk", Journal of Risk 2
    (2000). The CVaR of the weights it found is optimistic out of sample.

    Raises: DataError for values that are not numbers; ValueError unless 0 < level < 1.
    """
    if not 0 < level < 1:
        raise ValueError(f"level must be in (0, 1), got {level}")
    table = checked_table(returns)
    n, k = table.shape
    cost = np.concatenate([np.zeros(k), [1.0], np.full(n, 1 / ((1 - level) * n))])
    beyond = hstack([csr_array(-table), csr_array(-np.ones((n, 1))), -eye_array(n)], format="csr")
    whole = np.concatenate([np.ones(k), np.zeros(n + 1)])[None]
    bounds = [(0, None)] * k + [(None, None)] + [(0, None)] * n
    best = linprog(cost, beyond, np.zeros(n), whole, [1.0], bounds, method="highs")
    if best.status != 0:
        raise ConvergenceError("the minimum CVaR was not found", value=best.message)
    found = np.asarray(best.x, np.float64)
    return found[:k], float(cost @ found)


def min_variance(covariance: Float64, mean: Float64 | None = None, least: float | None = None) -> Float64:
    """Long-only weights (k,), sum 1, of least variance, with a mean return of at least `least` if that is asked.

    For normal returns and a mean that binds they have the least VaR and CVaR too.

    Raises: DataError for a covariance that is not one; ConvergenceError if no weights can reach `least`.
    """
    matrix = checked_covariance(covariance)
    unit, k = float(matrix.diagonal().mean()), len(matrix)
    rules = [LinearConstraint(np.ones(k), 1, 1)]
    if mean is not None and least is not None:
        rules.append(LinearConstraint(np.asarray(mean) / math.sqrt(unit), least / math.sqrt(unit), np.inf))

    def variance(w: Float64) -> tuple[float, Float64]:
        return float(w @ matrix @ w) / unit, np.asarray(2 * matrix @ w / unit)

    return _minimum(variance, k, 1.0, rules)


def checked_table(values: Float64) -> Float64:
    """Returns as a table (n, k). Raises: DataError for a wrong shape or a value that is not finite."""
    table = np.asarray(values, np.float64)
    table = table[:, None] if table.ndim == 1 else table
    if table.ndim != 2 or not table.size:
        raise DataError("returns must be one row a period and one column an asset", value=table.shape)
    if not np.isfinite(table).all():
        row, column = np.argwhere(~np.isfinite(table))[0].tolist()
        raise DataError(f"return at row {row}, column {column} is not a finite number", value=float(table[row, column]))
    return table


def checked_covariance(covariance: Float64) -> Float64:
    """A covariance (k, k). Raises: DataError unless it is finite, symmetric and not singular."""
    matrix = np.atleast_2d(np.asarray(covariance, np.float64))
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not np.isfinite(matrix).all():
        raise DataError("a covariance must be a square of finite numbers", value=matrix.shape)
    if not np.allclose(matrix, matrix.T, rtol=1e-9, atol=0):
        raise DataError("a covariance must be symmetric", remedy="average it with its transpose")
    if (matrix.diagonal() <= 0).any():
        raise DataError("a variance is not positive", value=float(matrix.diagonal().min()), remedy="drop that asset")
    deviations = np.sqrt(matrix.diagonal())
    smallest = float(np.linalg.eigvalsh(matrix / np.outer(deviations, deviations))[0])
    if smallest < 1e-10:
        raise DataError(
            "the covariance is singular", value=smallest, remedy="use more rows, shrink it, or drop an asset"
        )
    return matrix
