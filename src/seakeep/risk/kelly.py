"""How much to hold: Kelly for one bet and for many assets, less what the estimates may be wrong.

Means, variances and covariances are those of one period, of simple excess returns; weights are fractions of equity, may
exceed 1 (leverage) and may be negative. Full Kelly maximises growth only if the parameters are known: with estimated
ones it is too much by a factor that `kelly_portfolio` takes off and says.
"""

import math
from dataclasses import dataclass

import msgspec
import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import betainc, betaln

from seakeep.core.errors import DataError, NotEnoughHistory
from seakeep.core.market import Float64
from seakeep.risk.allocation import checked_covariance, checked_table
from seakeep.stats.bootstrap import percentile_interval, resample

__all__ = [
    "KellyPortfolio",
    "KellyWeights",
    "bet_growth",
    "continuous_kelly",
    "double_before_half",
    "estimation_haircut",
    "fractional_growth",
    "kelly_portfolio",
    "loss_bounded_share",
    "optimal_f",
    "reach_first",
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
    profits = checked_table(trades)[:, 0]
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
    excess, matrix = np.atleast_1d(np.asarray(mean, np.float64)) - risk_free, checked_covariance(covariance)
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
    table = checked_table(returns)
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
