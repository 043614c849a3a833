"""Trend following: long above the slow average, with the size of the distance as conviction."""

from collections.abc import Mapping
from functools import cached_property

import numpy as np

from seakeep.core.beliefs import FeatureFrame
from seakeep.core.market import Float64
from seakeep.strategy.base import STRATEGIES, Strategy

__all__ = ["Trend"]


@STRATEGIES.register("trend")
class Trend(Strategy):
    """Fast average against slow average, in average true ranges; `full` ranges apart is full conviction."""

    fast: int = 50
    slow: int = 200
    unit: int = 50
    full: float = 4.0

    @cached_property
    def features(self) -> tuple[str, ...]:  # type: ignore[override]
        """Two averages and the range that scales them."""
        return (f"ema:{self.fast}", f"ema:{self.slow}", f"atr:{self.unit}")

    def score(self, frame: FeatureFrame, forecasts: Mapping[str, Float64]) -> Float64:
        """Distance of the averages over `full` ranges, clipped to [-1, 1] (n,)."""
        fast, slow, unit = (frame[name] for name in self.features)
        distance = np.divide(fast - slow, self.full * unit, out=np.zeros(len(frame)), where=unit != 0)
        return np.minimum(1.0, np.maximum(-1.0, distance))
