"""What the account may never exceed. Fractions of equity; the defaults are those of the gate."""

from pydantic import Field

from seakeep.core.config import Section

__all__ = ["Limits"]


class Limits(Section):
    """Limits of `risk.review` and `risk.pretrade`."""

    max_weight: float = Field(0.10, gt=0, le=10, description="largest position, as a share of equity")
    max_gross: float = Field(1.0, gt=0, le=20, description="largest sum of absolute positions, as a share of equity")
    max_daily_loss: float = Field(0.05, gt=0, le=1, description="loss since 00:00 UTC that stops new risk for the day")
    max_drawdown: float = Field(0.20, gt=0, le=1, description="loss from the peak that closes everything and halts")
    max_open_orders: int = Field(10, ge=1, le=1000, description="open orders a symbol")
    min_order_gap_ms: int = Field(30_000, ge=0, description="least time between orders that add risk, a symbol")
    min_weight: float = Field(0.001, ge=0, lt=1, description="a resized target below this is refused instead")
