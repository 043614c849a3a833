"""What trading costs beside fees: half the spread and square-root impact."""

import math
from typing import NamedTuple

from pydantic import Field

from seakeep.core.config import Section
from seakeep.core.jit import kernel

__all__ = ["CostParams", "CostRates", "SymbolCosts", "range_variance", "taker_price"]

_PARKINSON = 1.0 / (4.0 * math.log(2.0))


class SymbolCosts(Section):
    """Costs of one symbol."""

    half_spread_bps: float = Field(1.0, ge=0, le=5_000, description="half the bid-ask spread, 1/10000 of the price")
    temporary: float = Field(0.10, ge=0, le=100, description="impact that fades, in sigma at 100 % of the volume")
    permanent: float = Field(0.05, ge=0, le=100, description="impact that stays, in sigma at 100 % of the volume")


class CostParams(SymbolCosts):
    """Costs of every symbol, with overrides for some."""

    symbols: dict[str, SymbolCosts] = Field(default_factory=dict, description="costs of single symbols instead")

    def rates(self, symbol: str) -> "CostRates":
        """The costs of that symbol as plain fractions.

        >>> CostParams(half_spread_bps=2).rates("BTC/USDT")
        CostRates(half_spread=0.0002, impact=0.15000000000000002)
        """
        own = self.symbols.get(symbol, self)
        return CostRates(own.half_spread_bps / 10_000.0, own.temporary + own.permanent)


class CostRates(NamedTuple):
    """Half spread as a fraction of the price; impact in sigma at 100 % of the volume.

    History cannot be moved, so the permanent part is charged in full to the fill that causes it.
    """

    half_spread: float
    impact: float


@kernel
def taker_price(mid: float, side: int, share: float, sigma: float, rates: CostRates) -> float:
    """Price a taker gets: mid x (1 + side x (half spread + impact x sigma x sqrt(share))), never below zero.

    `side` is +1 or -1; `share` is quantity / volume and `sigma` the deviation of log returns, both over the same
    window. Rises for a buyer and falls for a seller with every argument of the cost (Grinold and Kahn 2000, ch. 16).
    """
    cost = rates.half_spread + rates.impact * sigma * math.sqrt(share)
    return max(mid * (1.0 + side * cost), 0.0)


@kernel
def range_variance(high: float, low: float) -> float:
    """Variance of a bar's log return from its range: ln(high / low)^2 / (4 ln 2) (Parkinson 1980); one bar suffices."""
    reach = math.log(high / low)
    return _PARKINSON * (reach * reach)
