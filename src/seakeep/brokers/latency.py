"""How long an order travels. A pure function of seed and order: the order of calls does not matter."""

from hashlib import blake2b
from typing import Literal, Self

from pydantic import Field, model_validator

from seakeep.core.config import Section

__all__ = ["LatencyParams", "delay_ms"]


class LatencyParams(Section):
    """Milliseconds from our desk to the venue: always `low_ms`, or drawn evenly from [low_ms, high_ms]."""

    model: Literal["fixed", "uniform"] = Field("uniform", description="fixed, or uniform: drawn for each order")
    low_ms: int = Field(100, ge=0, le=86_400_000, description="the shortest, and the fixed one")
    high_ms: int = Field(500, ge=0, le=86_400_000, description="the longest")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.model == "uniform" and self.high_ms < self.low_ms:
            raise ValueError(f"high_ms {self.high_ms} must not be below low_ms {self.low_ms}")
        return self


def delay_ms(params: LatencyParams, seed: int, route: str) -> int:
    """Delay of what takes that route in milliseconds; the same seed and route give the same delay.

    >>> delay_ms(LatencyParams(model="fixed", low_ms=250), 7, "o1")
    250
    """
    if params.model == "fixed":
        return params.low_ms
    drawn = int.from_bytes(blake2b(f"{seed}:{route}".encode(), digest_size=8).digest(), "big")
    return params.low_ms + drawn % (params.high_ms - params.low_ms + 1)
