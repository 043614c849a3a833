"""How much a rule book of a user's own may take before it is stopped."""

from pydantic import Field

from seakeep.core.config import Section

__all__ = ["RuleBudget"]


class RuleBudget(Section):
    """Bounds of one judgement by a book that did not come with Seakeep."""

    seconds: float = Field(1.0, gt=0, le=60, description="time a rule book may take to judge before it is stopped")
    memory_mb: int = Field(512, ge=128, le=16_384, description="memory a rule book's own process may have")
