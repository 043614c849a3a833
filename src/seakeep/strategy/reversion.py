"""Mean reversion: buy what has fallen out of its band, sell what has risen out of it."""

from collections.abc import Mapping
from functools import cached_property

import numpy as np

from seakeep.core.beliefs import FeatureFrame
from seakeep.core.market import Float64
from seakeep.strategy.base import STRATEGIES, Strategy

__all__ = ["Reversion"]


@STRATEGIES.register("reversion")
class Reversion(Strategy):
    """Position inside the Bollinger band and the RSI, both counted against their direction."""

    band: int = 20
    period: int = 14

    @cached_property
    def features(self) -> tuple[str, ...]:  # type: ignore[override]
        """Band position (0 at the lower band, 1 at the upper) and RSI."""
        return (f"bb_position:{self.band}", f"rsi:{self.period}")

    def score(self, frame: FeatureFrame, forecasts: Mapping[str, Float64]) -> Float64:
        """Mean of both distances from the middle, negated and clipped to [-1, 1] (n,)."""
        position, rsi = (frame[name] for name in self.features)
        stretch = (2.0 * position - 1.0 + (rsi - 50.0) / 25.0) / 2.0
        return np.minimum(1.0, np.maximum(-1.0, -stretch))
