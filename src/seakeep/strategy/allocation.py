"""How much of the largest position a regime leaves."""

from pydantic import Field

from seakeep.core.config import Section

__all__ = ["RegimeLimits"]


class RegimeLimits(Section):
    """Share of `max_weight` that is left in each regime; it is never more than the limit itself."""

    bull: float = Field(1.0, gt=0, le=1, description="share of max_weight in a bull market")
    bear: float = Field(0.5, gt=0, le=1, description="share of max_weight in a bear market")
    ranging: float = Field(0.8, gt=0, le=1, description="share of max_weight in a ranging market")
    volatile: float = Field(0.5, gt=0, le=1, description="share of max_weight in a volatile market")
    unknown: float = Field(0.5, gt=0, le=1, description="share of max_weight while the regime is not known")

    def share(self, label: str) -> float:
        """The share in that regime; that of an unknown one for any other label."""
        known: float = getattr(self, label) if label in type(self).model_fields else self.unknown
        return known
