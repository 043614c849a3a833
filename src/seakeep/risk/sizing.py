"""How large a full-conviction position may be, before the gate."""

import math
from typing import Literal

from pydantic import Field

from seakeep.core.config import Section

__all__ = ["Sizing", "binary_kelly", "full_weight", "kelly_weight", "volatility_weight"]


class Sizing(Section):
    """How a stance becomes a weight of equity."""

    method: Literal["fixed", "volatility", "kelly"] = Field(
        "fixed", description="rule that sets the weight; volatility and kelly need an expert"
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
    if sizing.method == "kelly":
        return kelly_weight(mean, std, sizing)
    return volatility_weight(std * math.sqrt(horizons_per_year), sizing)
