"""How large a full-conviction position may be, before the gate."""

import math
from typing import Literal

import numpy as np
from pydantic import Field

from seakeep.core.config import Section
from seakeep.core.errors import DataError, NotEnoughHistory
from seakeep.core.market import Float64

__all__ = ["Sizing", "binary_kelly", "full_weight", "kelly_weight", "portfolio_weights", "volatility_weight"]


class Sizing(Section):
    """How a stance becomes a weight of equity."""

    method: Literal["fixed", "volatility", "kelly", "kelly_portfolio"] = Field(
        "fixed", description="rule that sets the weight; all but fixed need an expert; kelly_portfolio sizes together"
    )
    fixed_weight: float = Field(0.10, gt=0, le=10, description="weight of the fixed rule")
    target_volatility: float = Field(0.04, gt=0, le=5, description="yearly volatility a position may bring")
    kelly_fraction: float = Field(0.25, gt=0, le=1, description="share of the Kelly weight that is taken")
    max_kelly: float = Field(0.50, gt=0, le=10, description="full Kelly is cut here before the fraction")


def binary_kelly(win_rate: float, payoff: float) -> float:
    """Kelly fraction of a bet won with probability p at payoff b: (p b - q) / b, never below 0 (Kelly, 1956).

    >>> round(binary_kelly(0.6, 1.0), 12)
    0.2

    Raises: ValueError outside 0 <= p <= 1, b > 0.
    """
    if not (0 <= win_rate <= 1 and payoff > 0):
        raise ValueError(f"Kelly needs a win rate in [0, 1] and a payoff above 0, got {win_rate} and {payoff}")
    return max(0.0, (win_rate * payoff - (1 - win_rate)) / payoff)


def kelly_weight(mean: float, std: float, sizing: Sizing) -> float:
    """Fractional Kelly of a normal log return: fraction x min(max_kelly, |drift| / variance).

    The drift is the mean log return plus half the variance (Thorp, 2006). NaN or no deviation gives 0.
    """
    if not (std > 0 and math.isfinite(mean)):
        return 0.0
    return sizing.kelly_fraction * min(sizing.max_kelly, abs(mean + 0.5 * std * std) / (std * std))


def volatility_weight(yearly_std: float, sizing: Sizing) -> float:
    """Weight at which the position's own yearly volatility is the target; 0 if the volatility is not known."""
    return sizing.target_volatility / yearly_std if yearly_std > 0 else 0.0


def full_weight(mean: float, std: float, horizons_per_year: float, sizing: Sizing) -> float:
    """Weight of a full-conviction stance from the forecast's mean and deviation over one horizon.

    An unknown forecast (NaN) gives 0: what cannot be measured is not sized.
    """
    if sizing.method == "fixed":
        return sizing.fixed_weight
    if sizing.method in ("kelly", "kelly_portfolio"):
        return kelly_weight(mean, std, sizing)
    return volatility_weight(std * math.sqrt(horizons_per_year), sizing)


def portfolio_weights(drift: Float64, covariance: Float64, n: int, sizing: Sizing) -> Float64:
    """Fractional Kelly across assets (k,), none negative: argmax of w d - w C w / 2 over w >= 0, cut and scaled.

    `drift` (k,) is what each asset is expected to make on the side it is wanted, `covariance` (k, k) that of those
    sides, both of one period and estimated from `n` returns: for that the weights are scaled by (n-k-1)(n-k-4) / (n
    (n-2)), the share that grows fastest when only the covariance is estimated [1]_. Then the Kelly fraction is taken,
    each weight cut at `max_kelly` first.

    Raises: NotEnoughHistory unless n > k + 4; DataError if the covariance is not positive definite.

    .. [1] Kan and Zhou, "Optimal portfolio choice with parameter uncertainty", Journal of Financial and Quantitative
       Analysis 42 (2007).
    """
    from scipy.optimize import nnls

    k = len(drift)
    if n <= k + 4:
        raise NotEnoughHistory(f"Kelly weights of {k} assets need more than {k + 4} returns of each", value=n)
    try:
        root = np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:
        raise DataError("the covariance of what is wanted is not positive definite") from None
    full, _ = nnls(root.T, np.linalg.solve(root, drift))
    haircut = (n - k - 1) * (n - k - 4) / (n * (n - 2))
    return np.asarray(sizing.kelly_fraction * np.minimum(sizing.max_kelly, haircut * full))
