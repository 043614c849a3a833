"""Protective prices that travel with a verdict."""

from pydantic import Field

from seakeep.core.config import Section

__all__ = ["StopParams", "protect"]


class StopParams(Section):
    """Distances from the decision price, as fractions of it; 0 switches one off."""

    stop_loss: float = Field(0.0, ge=0, lt=1, description="distance of the stop")
    take_profit: float = Field(0.0, ge=0, description="distance of the target")
    trailing: float = Field(0.0, ge=0, lt=1, description="the stop follows the best price at this distance")


def protect(mark: float, target: float, params: StopParams) -> tuple[float | None, float | None]:
    """Stop and take-profit price for a position of that sign opened near `mark`; None where switched off.

    >>> protect(100.0, -0.1, StopParams(stop_loss=0.02, take_profit=0.05))
    (102.0, 95.0)
    """
    if target == 0:
        return None, None
    side = 1.0 if target > 0 else -1.0
    distance = params.trailing or params.stop_loss
    stop = mark * (1 - side * distance) if distance else None
    take = mark * (1 + side * params.take_profit) if params.take_profit else None
    return stop, take
