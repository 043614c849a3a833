"""Value at risk and expected shortfall of a law whose parameters are known, and the sample rules behind "historical".

Every function returns (VaR, CVaR) as positive losses in the unit of what it is given. `confidence` is the probability
of no larger loss: 0.95 means one period in twenty is worse than VaR; CVaR is the mean loss in those periods.
"""

import math
from typing import Literal, TypeVar

import numpy as np
from scipy.special import gammaln, ndtri, stdtrit

from seakeep.core.errors import ConfigError, DataError, NotEnoughHistory
from seakeep.core.market import Float64

__all__ = [
    "Rule",
    "age_weights",
    "checked_confidence",
    "checked_returns",
    "cornish_fisher_domain",
    "cornish_fisher_quantile",
    "cornish_fisher_tail",
    "empirical_tail",
    "moments",
    "normal_tail",
    "shortfall_polynomial",
    "skewed_t_quantile",
    "split_rank",
    "student_tail",
    "weighted_tail",
]

Number = TypeVar("Number", float, Float64)
Rule = Literal["interpolated", "order"]
"""Where a historical quantile lies: between two observations (numpy's default), or on the ceil(n (1 - c))-th worst."""


def checked_confidence(confidence: float) -> float:
    """The confidence, if it is inside (0.5, 1).

    Raises: ConfigError otherwise.
    """
    if not 0.5 < confidence < 1:
        raise ConfigError("confidence must be above 0.5 and below 1", value=confidence, remedy="write 0.95 or 0.99")
    return float(confidence)


def checked_returns(returns: Float64, need: int, what: str) -> Float64:
    """Returns (n,) as floats, if there are at least `need`, all are finite and they vary.

    Raises: NotEnoughHistory, DataError, or ValueError if they are not one column.
    """
    values = np.ascontiguousarray(returns, np.float64)
    if values.ndim != 1:
        raise ValueError(f"{what} needs one column of returns, got shape {values.shape}")
    if len(values) < need:
        raise NotEnoughHistory(f"{what} needs at least {need} returns", value=len(values), remedy="pass more history")
    if not np.isfinite(values).all():
        row = int(np.argmin(np.isfinite(values)))
        raise DataError(
            f"{what}: return {row} is not a finite number", value=float(values[row]), remedy="drop or repair it"
        )
    if not np.ptp(values) > 1e-12 * np.abs(values).max():
        raise DataError(f"{what}: the returns do not vary", value=float(values[0]), remedy="pass a series that moves")
    return values


def _phi(x: float) -> float:
    return math.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)


def normal_tail(mean: float, std: float, confidence: float) -> tuple[float, float]:
    """(VaR, CVaR) of a normal return.

    >>> [round(x, 4) for x in normal_tail(0.0, 1.0, 0.99)]
    [2.3263, 2.6652]
    """
    z = float(ndtri(confidence))
    return std * z - mean, std * _phi(z) / (1 - confidence) - mean


def student_tail(location: float, scale: float, nu: float, confidence: float) -> tuple[float, float]:
    """(VaR, CVaR) of location + scale x T, T Student with `nu` degrees of freedom (McNeil, Frey and Embrechts, 2.2.4).

    The standard deviation is scale x sqrt(nu / (nu - 2)). CVaR is infinite for nu <= 1.
    """
    q = float(stdtrit(nu, confidence))
    if nu <= 1:
        return scale * q - location, math.inf
    log_density = gammaln((nu + 1) / 2) - gammaln(nu / 2) - 0.5 * math.log(nu * math.pi)
    density = math.exp(float(log_density) - (nu + 1) / 2 * math.log1p(q * q / nu))
    return scale * q - location, scale * density / (1 - confidence) * (nu + q * q) / (nu - 1) - location


def skewed_t_quantile(probability: float, eta: float, skew: float) -> float:
    """Quantile of Hansen's skewed t [1]_ of mean 0 and variance 1; `eta` > 2 degrees of freedom, `skew` in (-1, 1).

    .. [1] Hansen, "Autoregressive conditional density estimation", International Economic Review 35 (1994).
    """
    constant = math.exp(gammaln((eta + 1) / 2) - gammaln(eta / 2)) / math.sqrt(math.pi * (eta - 2))
    a = 4 * skew * constant * (eta - 2) / (eta - 1)
    b, left = math.sqrt(1 + 3 * skew**2 - a**2), probability < (1 - skew) / 2
    side = 1 - skew if left else 1 + skew
    inner = probability / side if left else 0.5 + (probability - (1 - skew) / 2) / side
    return float((side * math.sqrt(1 - 2 / eta) * stdtrit(eta, inner) - a) / b)


def moments(returns: Float64, rule: Literal["population", "unbiased"] = "population") -> tuple[float, ...]:
    """Mean, standard deviation, skewness and excess kurtosis of (n,); by n, or with the usual bias corrections.

    Raises: DataError if the returns do not vary.
    """
    n, mean = len(returns), float(np.mean(returns))
    deviations = returns - mean
    variance = float(np.mean(deviations**2))
    if not variance > 0:
        raise DataError("the returns do not vary, so they have no shape", value=mean)
    skew = float(np.mean(deviations**3)) / variance**1.5
    excess = float(np.mean(deviations**4)) / variance**2 - 3
    if rule == "unbiased":
        skew *= math.sqrt(n * (n - 1)) / (n - 2)
        excess = (n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * excess + 6)
        variance *= n / (n - 1)
    return mean, math.sqrt(variance), skew, excess


def cornish_fisher_quantile(z: Number, skew: float, excess: float) -> Number:
    """Normal quantile z, or a column of them, corrected for skewness and excess kurtosis (Cornish and Fisher, 1938)."""
    shift = (z * z - 1) * skew / 6 + (z**3 - 3 * z) * excess / 24
    return z + shift - (2 * z**3 - 5 * z) * skew * skew / 36


def cornish_fisher_domain(skew: float, excess: float) -> bool:
    """Whether the corrected quantile rises with z everywhere, without which it is no quantile (Maillard, 2012).

    >>> cornish_fisher_domain(-0.3, 1.0), cornish_fisher_domain(-3.0, 15.0)
    (True, False)
    """
    curve, level = excess / 8 - skew * skew / 6, 1 - excess / 8 + 5 * skew * skew / 36
    return curve >= 0 and level > 0 and skew * skew / 9 <= 4 * curve * level


def shortfall_polynomial(h: float, skew: float, excess: float) -> float:
    """Factor on phi(h) / (1 - c) in the shortfall of the Edgeworth law below its quantile h (Boudt et al., 2008)."""
    of_square = h**6 - 9 * h**4 + 9 * h**2 + 3
    return 1 + h**3 * skew / 6 + of_square * skew * skew / 72 + (h**4 - 2 * h**2 - 1) * excess / 24


def cornish_fisher_tail(mean: float, std: float, skew: float, excess: float, confidence: float) -> tuple[float, float]:
    """Modified (VaR, CVaR) [1]_; where the expansion gives a CVaR below VaR, CVaR is VaR (see `cornish_fisher_domain`).

    .. [1] Boudt, Peterson and Croux, "Estimation and decomposition of downside risk for portfolios with non-normal
       returns", Journal of Risk 11 (2008).
    """
    h = cornish_fisher_quantile(float(ndtri(1 - confidence)), skew, excess)
    beyond = _phi(h) / (1 - confidence) * shortfall_polynomial(h, skew, excess)
    return -mean - std * h, -mean + std * max(beyond, -h)


def empirical_tail(ordered: Float64, confidence: float, rule: Rule = "interpolated") -> tuple[float, float]:
    """Historical (VaR, CVaR) of returns (n,) in ascending order.

    Interpolated: CVaR is the mean of the returns below the quantile (of the worst, if none is). Order: VaR is the
    ceil(n (1 - c))-th worst and CVaR the mean of as many.

    >>> empirical_tail(np.arange(-10.0, 10.0), 0.9, "order")
    (9.0, 9.5)
    """
    n = len(ordered)
    if rule == "order":
        count = max(1, math.ceil(round(n * (1 - confidence), 9)))
        return 0.0 - float(ordered[count - 1]), 0.0 - float(ordered[:count].mean())
    below, part = split_rank(n, confidence)
    quantile = ordered[below] + part * (ordered[below + 1] - ordered[below])
    count = max(1, int(np.searchsorted(ordered, quantile)))
    return 0.0 - float(quantile), 0.0 - float(ordered[:count].mean())


def split_rank(n: int, confidence: float) -> tuple[int, float]:
    """Row of the ascending returns below the 1 - c quantile of n, and the part of the way to the next row."""
    place = round((n - 1) * (1 - confidence), 9)
    below = min(int(place), n - 2)
    return below, place - below


def age_weights(n: int, decay: float) -> Float64:
    """Weights (n,) that add up to one, oldest first, each `decay` times the next (Boudoukh et al., 1998).

    Raises: ConfigError if decay is outside (0, 1).
    """
    if not 0 < decay < 1:
        raise ConfigError("age decay must be in (0, 1)", value=decay, remedy="write 0.98 to 0.999")
    weights = decay ** np.arange(n - 1, -1, -1, dtype=np.float64)
    return np.asarray(weights * (1 - decay) / -math.expm1(n * math.log(decay)))


def weighted_tail(returns: Float64, weights: Float64, confidence: float) -> tuple[float, float]:
    """(VaR, CVaR) of returns (n,) with weights (n,): the worst whose weights reach 1 - c, the last one in part."""
    order = np.argsort(returns, kind="stable")
    reached = np.cumsum(weights[order])
    last = min(int(np.searchsorted(reached, (1 - confidence) * (1 - 1e-12))), len(order) - 1)
    worst, shares = returns[order[: last + 1]], weights[order[: last + 1]].copy()
    shares[-1] -= reached[last] - (1 - confidence)
    return 0.0 - float(worst[-1]), 0.0 - float(worst @ shares / (1 - confidence))
