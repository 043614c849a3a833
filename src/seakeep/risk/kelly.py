"""How much to hold: Kelly for one bet and for many assets, less what the estimates may be wrong, and never so much that
a drawdown becomes likely; and weights from a covariance, for who does not trust a mean.

Means, variances and covariances are those of one period, of simple excess returns; weights are fractions of equity, may
exceed 1 (leverage) and may be negative. Full Kelly maximises growth only if the parameters are known: with estimated
ones it is too much by a factor that `kelly_portfolio` takes off and says.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import numpy as np
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.optimize import Bounds, LinearConstraint, brentq, linprog, minimize, minimize_scalar
from scipy.sparse import csr_array, eye_array, hstack
from scipy.spatial.distance import pdist
from scipy.special import betainc, betaln

from seakeep.core.errors import ConvergenceError, DataError, NotEnoughHistory
from seakeep.core.market import Float64, Int64
from seakeep.risk.ruin import Probability, RuinParams, drawdown_odds
from seakeep.stats.bootstrap import percentile_interval, resample

__all__ = [
    "BoundedFraction",
    "KellyPortfolio",
    "KellyWeights",
    "bet_growth",
    "bounded_fraction",
    "continuous_kelly",
    "double_before_half",
    "estimation_haircut",
    "fractional_growth",
    "growth_weights",
    "hierarchical_parity",
    "kelly_portfolio",
    "loss_bounded_share",
    "min_cvar",
    "min_variance",
    "optimal_f",
    "reach_first",
    "risk_parity",
    "volatility_scale",
]


class KellyWeights(msgspec.Struct, frozen=True):
    """Kelly fractions of known parameters, the growth rate they give and the Sharpe ratio, per period."""

    weights: tuple[float, ...]
    growth: float
    sharpe: float


@dataclass(frozen=True, slots=True, eq=False)
class KellyPortfolio:
    """Kelly fractions (k,) of estimated parameters.

    `weights` = `full` x `haircut` x `fraction`; `low` to `high` is the 95 % bootstrap interval of the weights, each
    sample with its own haircut; `growth` the growth a period the estimates promise for them, which is itself too good.
    """

    weights: Float64
    low: Float64
    high: Float64
    full: Float64
    haircut: float
    fraction: float
    growth: float
    n: int
    method: str
    warnings: tuple[str, ...] = ()


class BoundedFraction(msgspec.Struct, frozen=True):
    """Largest share of a position that keeps P(drawdown >= depth) at or below a bound.

    `low` and `high` are the shares at which the upper and the lower end of that probability meet the bound, `error`
    what a Monte Carlo error of the probability moves the share by; `odds` the probability at `value`.
    """

    value: float
    low: float
    high: float
    error: float
    odds: Probability
    n: int
    method: str
    warnings: tuple[str, ...] = ()


def bet_growth(fraction: float, win_rate: float, payoff: float) -> float:
    """Expected log growth of a bet: p log(1 + b f) + q log(1 - f) (Kelly, 1956).

    >>> round(bet_growth(0.2, 0.6, 1.0), 6)
    0.020136

    Raises: ValueError unless 0 <= f < 1, 0 <= p <= 1, b > 0.
    """
    if not (0 <= fraction < 1 and 0 <= win_rate <= 1 and payoff > 0):
        raise ValueError(f"a bet needs 0 <= f < 1, 0 <= p <= 1, b > 0, got {fraction}, {win_rate} and {payoff}")
    return win_rate * math.log1p(payoff * fraction) + (1 - win_rate) * math.log1p(-fraction)


def fractional_growth(share: float, mean: float, std: float, risk_free: float = 0.0) -> float:
    """Growth rate at a share c of full Kelly: r + (m - r)^2 / (2 s^2) c (2 - c) (Thorp, 2006, section 7.3).

    >>> round(fractional_growth(0.5, 0.12, 0.25, 0.02), 12)
    0.08
    """
    if not std > 0:
        raise ValueError(f"std must be > 0, got {std}")
    return risk_free + (mean - risk_free) ** 2 / (2 * std * std) * share * (2 - share)


def reach_first(share: float, up: float, down: float) -> float:
    """Probability that wealth at a share c of full Kelly is multiplied by `up` before it is by `down` (MacLean et al.).

    >>> round(reach_first(1.0, 2.0, 0.5), 6)
    0.666667

    Raises: ValueError unless share > 0 and 0 < down < 1 < up.

    References: MacLean, Ziemba and Blazenko, "Growth versus security", Management Science 38 (1992).
    """
    if not (share > 0 and 0 < down < 1 < up):
        raise ValueError(f"share > 0 and 0 < down < 1 < up are needed, got {share}, {down} and {up}")
    tilt, rise, fall = 2 / share - 1, math.log(up), -math.log(down)
    if abs(tilt) < 1e-9:
        return fall / (rise + fall)
    if tilt > 0:
        return math.expm1(-tilt * fall) / math.expm1(-tilt * (rise + fall))
    return math.exp(tilt * rise) * math.expm1(tilt * fall) / math.expm1(tilt * (rise + fall))


def double_before_half(share: float) -> float:
    """Probability of doubling before halving at that share of full Kelly."""
    return reach_first(share, 2.0, 0.5)


def loss_bounded_share(loss: float, probability: float) -> float:
    """Largest share of full Kelly with P(wealth ever falls by `loss`) <= `probability`, if the parameters are known.

    P = (1 - loss)^(2 / c - 1), so c = 2 / (1 + log(probability) / log(1 - loss)) (Thorp, 2006, section 7).

    >>> round(loss_bounded_share(0.5, 0.125), 12)
    0.5
    """
    if not (0 < loss < 1 and 0 < probability < 1):
        raise ValueError(f"loss and probability must be in (0, 1), got {loss} and {probability}")
    return 2 / (1 + math.log(probability) / math.log1p(-loss))


def optimal_f(trades: Float64) -> tuple[float, float]:
    """Vince's optimal f and the terminal wealth it gives: the largest of prod(1 + f x trade / worst loss).

    f is a share of what is lost in the worst trade, not of equity.

    Raises: DataError if no trade lost, or the trades lose on the whole.
    """
    profits = _matrix(trades)[:, 0]
    worst = -float(profits.min())
    if worst <= 0 or profits.sum() <= 0:
        raise DataError("optimal f needs trades with a loss among them and a profit in sum", value=float(profits.sum()))

    def lost(f: float) -> float:
        return -float(np.log1p(f * profits / worst).sum())

    best = minimize_scalar(lost, bounds=(0.0, 1 - 1e-9), method="bounded", options={"xatol": 1e-10})
    return float(best.x), math.exp(-float(best.fun))


def continuous_kelly(mean: Float64, covariance: Float64, risk_free: float = 0.0) -> KellyWeights:
    """Kelly fractions C^-1 (m - r), of equity, the growth r + S^2 / 2 and the Sharpe ratio S, all of one period.

    >>> round(continuous_kelly(np.array([0.1123]), np.array([[0.1691**2]]), 0.04).weights[0], 3)
    2.528

    Raises: DataError if the covariance is not one or is singular.

    References: Thorp, "The Kelly criterion in blackjack, sports betting and the stock market" (2006), section 7.
    """
    excess, matrix = np.atleast_1d(np.asarray(mean, np.float64)) - risk_free, _covariance(covariance)
    if excess.shape != matrix.shape[:1] or not np.isfinite(excess).all():
        raise DataError("one finite mean for each row of the covariance is needed", value=excess.tolist())
    weights = np.linalg.solve(matrix, excess)
    squared = float(excess @ weights)
    return KellyWeights(tuple(weights.tolist()), risk_free + squared / 2, math.sqrt(max(squared, 0.0)))


def estimation_haircut(squared_sharpe: float, n: int, assets: int) -> float:
    """Share of the estimated full Kelly that grows fastest, given that mean and covariance come from n returns.

    (n-k-1)(n-k-4) / (n (n-2)) x t / (t + k/n) of the maximum likelihood weights, with t the adjusted estimate of the
    true squared Sharpe ratio, restated for the covariance by n - 1 [1]_. `squared_sharpe` is the sample's, one period,
    by n - 1. Always in (0, 1): noise alone leaves almost nothing.

    Raises: NotEnoughHistory unless n > assets + 4.

    .. [1] Kan and Zhou, "Optimal portfolio choice with parameter uncertainty", Journal of Financial and Quantitative
       Analysis 42 (2007).
    """
    k = assets
    if n <= k + 4:
        raise NotEnoughHistory(f"a haircut for {k} assets needs more than {k + 4} returns of each", value=n)
    raw = max(squared_sharpe, 1e-12) * n / (n - 1)
    edge, x = k / 2, raw / (1 + raw)
    mass, bonus = float(betainc(edge, (n - k) / 2, x)), k / n
    if mass > 1e-290:
        tail = edge * math.log(raw) - (n - 2) / 2 * math.log1p(raw) - float(betaln(edge, (n - k) / 2))
        bonus = 2 / n * math.exp(tail - math.log(mass))
    true = max(((n - k - 2) * raw - k) / n + bonus, 0.0)
    shrink = (n - k - 1) * (n - k - 4) / (n * (n - 2)) * n / (n - 1)
    return shrink * true / (true + k / n)


def kelly_portfolio(
    returns: Float64, *, seed: int, fraction: float = 1.0, risk_free: float = 0.0, samples: int = 500
) -> KellyPortfolio:
    """Kelly fractions from simple returns (n, k), with the haircut for estimation error and a share of what is left.

    Raises: NotEnoughHistory below k + 30 rows; DataError for values that are not numbers or a singular covariance;
    ValueError unless 0 < fraction <= 1.
    """
    if not 0 < fraction <= 1:
        raise ValueError(f"fraction must be in (0, 1], got {fraction}")
    table = _matrix(returns)
    n, k = table.shape
    if n < k + 30:
        raise NotEnoughHistory(f"Kelly weights of {k} assets need at least {k + 30} returns of each", value=n)
    flat = np.flatnonzero(table.min(axis=0) == table.max(axis=0))
    if len(flat):
        raise DataError(f"the returns of asset {int(flat[0])} never vary", value=float(table[0, flat[0]]))
    weights, full, haircut = _shrunk(table, fraction, risk_free)
    drawn = resample(lambda rows: _shrunk(table[rows], fraction, risk_free)[0], n, samples=samples, seed=seed)
    low, high = np.array([percentile_interval(column) for column in drawn.T]).T
    excess, covariance = table.mean(axis=0) - risk_free, np.cov(table.T).reshape(k, k)
    growth = risk_free + float(weights @ excess - weights @ covariance @ weights / 2)
    warnings = () if haircut > 0.2 else (f"{n} returns hardly tell these means from noise: haircut {haircut:.2f}",)
    return KellyPortfolio(
        weights, low, high, full, haircut, fraction, growth, n, "Kan-Zhou haircut, stationary bootstrap", warnings
    )


def _shrunk(table: Float64, fraction: float, risk_free: float) -> tuple[Float64, Float64, float]:
    n, k = table.shape
    full = continuous_kelly(table.mean(axis=0), np.cov(table.T).reshape(k, k), risk_free)
    haircut = estimation_haircut(full.sharpe**2, n, k)
    weights = np.array(full.weights)
    return weights * haircut * fraction, weights, haircut


def growth_weights(returns: Float64, *, gross: float = 1.0, short: bool = False) -> tuple[Float64, float]:
    """Weights (k,) with the largest mean log(1 + R w) over the returns (n, k) seen, and that growth a period.

    The sum of absolute weights is at most `gross`; none is negative unless `short`. What is not invested earns 0.

    Raises: DataError for values that are not numbers; ConvergenceError if the optimiser stops short.
    """
    if not gross > 0:
        raise ValueError(f"gross must be > 0, got {gross}")
    table = _matrix(returns)
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


def bounded_fraction(
    returns: Float64, depth: float, probability: float, horizon: int, params: RuinParams, *, seed: int
) -> BoundedFraction:
    """Largest share f of a position, up to 10, with P(largest drawdown >= depth within horizon) <= probability.

    `returns` (n,) are those of the position held at a share of 1, rebalanced every period, so a share f earns f x r;
    a period that would lose more than everything is ruin. Every share meets the same futures of `ruin.ruin_odds`.

    Raises: as `ruin_odds`; ValueError unless depth and probability are in (0, 1) and the futures can tell that
    probability.
    """
    if not (0 < depth < 1 and 0 < probability < 1):
        raise ValueError(f"depth and probability must be in (0, 1), got {depth} and {probability}")
    if probability * params.worlds * params.paths < 100:
        futures = params.worlds * params.paths
        raise ValueError(f"{futures} futures cannot tell a probability of {probability}; raise worlds or paths")
    base = _matrix(returns)[:, 0]

    def odds(share: float) -> Probability:
        return drawdown_odds(np.maximum(base * share, -1.0), depth, horizon, params, seed=seed)

    value = _largest(lambda share: odds(share).value - probability, _MOST)
    low = _largest(lambda share: odds(share).high - probability, value)
    high = _largest(lambda share: odds(share).low - probability, _MOST)
    at = odds(value)
    error = at.error * (high - low) / (at.high - at.low)
    warnings = (*at.warnings, *((f"the bound is not met even at {_MOST}",) if value >= _MOST else ()))
    return BoundedFraction(value, low, high, error, at, len(base), "root over common futures", warnings)


_MOST = 10.0


def _largest(excess: Callable[[float], float], most: float) -> float:
    """Share in (0, most] at which `excess` passes zero, to a two hundredth of itself."""
    return most if excess(most) <= 0 else float(brentq(excess, 1e-6, most, xtol=1e-5, rtol=5e-3))


def volatility_scale(weights: Float64, covariance: Float64, target: float, periods: float = 365.0) -> float:
    """Factor on the weights (k,) at which the portfolio's own yearly volatility is `target`.

    `covariance` is that of one period, `periods` of them a year: hedges count.

    >>> round(volatility_scale(np.array([1.0]), np.array([[0.04]]), 0.1, 1), 12)
    0.5

    Raises: DataError for a covariance that is not one; ValueError for a target <= 0 or a portfolio without risk.
    """
    matrix = _covariance(covariance)
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
    matrix = _covariance(covariance)
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
    matrix = _covariance(covariance)
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
    table = _matrix(returns)
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
    matrix = _covariance(covariance)
    unit, k = float(matrix.diagonal().mean()), len(matrix)
    rules = [LinearConstraint(np.ones(k), 1, 1)]
    if mean is not None and least is not None:
        rules.append(LinearConstraint(np.asarray(mean) / math.sqrt(unit), least / math.sqrt(unit), np.inf))

    def variance(w: Float64) -> tuple[float, Float64]:
        return float(w @ matrix @ w) / unit, np.asarray(2 * matrix @ w / unit)

    return _minimum(variance, k, 1.0, rules)


def _matrix(values: Float64) -> Float64:
    table = np.asarray(values, np.float64)
    table = table[:, None] if table.ndim == 1 else table
    if table.ndim != 2 or not table.size:
        raise DataError("returns must be one row a period and one column an asset", value=table.shape)
    if not np.isfinite(table).all():
        row, column = np.argwhere(~np.isfinite(table))[0].tolist()
        raise DataError(f"return at row {row}, column {column} is not a finite number", value=float(table[row, column]))
    return table


def _covariance(covariance: Float64) -> Float64:
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
