"""Protective prices that travel with a verdict: fixed, by range or volatility, trailing, and a ladder of targets."""

import math

from pydantic import Field, model_validator

from seakeep.core.config import Section

__all__ = ["Protection", "StopParams", "adaptive_factor", "protect", "stop_distance"]

Protection = tuple[float | None, tuple[tuple[float, float], ...]]
"""Stop price or None, and target prices with their share of the position, nearest first."""

_CALM, _WILD, _YEARLY = 0.5, 1.5, 0.5
_LEAST, _MOST = 0.0001, 0.99
"""A stop is at least a basis point away, and never at zero."""


class StopParams(Section):
    """Distances from the decision price, as fractions of it; 0 switches one off."""

    stop_loss: float = Field(0.0, ge=0, lt=1, description="distance of the stop")
    take_profit: float = Field(0.0, ge=0, description="distance of the target")
    trailing: float = Field(0.0, ge=0, lt=1, description="the stop follows the best price at this distance")
    atr_multiple: float = Field(0.0, ge=0, le=100, description="distance of the stop in average true ranges instead")
    atr_bars: int = Field(14, ge=2, le=500, description="bars of the average true range")
    adaptive: bool = Field(default=False, description="scale the stop by yearly volatility: half to twice the distance")
    activation: float = Field(
        0.0, ge=0, description="trailing begins once the price has gained this much; until then the stop stays"
    )
    min_distance: float = Field(0.0, ge=0, lt=1, description="no stop nearer than this")
    ladder: tuple[tuple[float, float], ...] = Field(
        (), description="several targets: (distance, share of the position), instead of take_profit"
    )

    @model_validator(mode="after")
    def _climbing(self) -> "StopParams":
        distances, shares = [d for d, _ in self.ladder], [s for _, s in self.ladder]
        if any(d <= 0 for d in distances) or distances != sorted(set(distances)):
            raise ValueError("ladder: distances must be above 0 and rise")
        if any(not 0 < s <= 1 for s in shares) or sum(shares) > 1 + 1e-9:
            raise ValueError("ladder: shares must be above 0 and add up to at most 1")
        if self.activation and not self.trailing:
            raise ValueError("activation needs trailing")
        return self


def adaptive_factor(yearly_volatility: float) -> float:
    """Factor on a stop's distance: 0.5 when nothing moves, 2 from a yearly volatility of 50 % on.

    >>> adaptive_factor(0.0), adaptive_factor(0.25), adaptive_factor(3.0)
    (0.5, 1.25, 2.0)
    """
    return _CALM + _WILD * min(1.0, yearly_volatility / _YEARLY)


def stop_distance(params: StopParams, atr: float | None = None, yearly_volatility: float | None = None) -> float | None:
    """Distance of the stop as a fraction of the price, None where there is none.

    `atr` is the average true range as a fraction of the price. A figure that is not known gives the tighter stop: the
    fixed distance without a range, half of it without a volatility.
    """
    distance = params.stop_loss or (0.0 if params.activation else params.trailing)
    if params.atr_multiple and atr is not None and math.isfinite(atr):
        ranged = params.atr_multiple * atr
        distance = ranged or distance
    if not distance:
        return None
    if params.adaptive:
        known = yearly_volatility is not None and math.isfinite(yearly_volatility)
        distance *= adaptive_factor(yearly_volatility) if known and yearly_volatility is not None else _CALM
    return min(max(distance, params.min_distance, _LEAST), _MOST)


def protect(
    mark: float, target: float, params: StopParams, atr: float | None = None, yearly_volatility: float | None = None
) -> Protection:
    """Stop and target prices for a position of that sign opened near `mark`.

    >>> protect(100.0, -0.1, StopParams(stop_loss=0.02, take_profit=0.05))
    (102.0, ((95.0, 1.0),))
    """
    if target == 0 or math.isnan(target):
        return None, ()
    side = 1.0 if target > 0 else -1.0
    distance = params.trailing if params.trailing and not params.activation else None
    distance = distance or stop_distance(params, atr, yearly_volatility)
    stop = None if distance is None else mark * (1 - side * distance)
    rungs = params.ladder or (((params.take_profit, 1.0),) if params.take_profit else ())
    targets = tuple((mark * (1 + side * d), share) for d, share in rungs)
    return stop, tuple((price, share) for price, share in targets if price > 0)
