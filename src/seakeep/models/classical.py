"""The three classical experts. Each is a one-variable regression, so its direction is learnt and not assumed."""

import math
from abc import abstractmethod
from functools import cached_property
from typing import ClassVar, Self

import numpy as np

from seakeep.core.beliefs import FeatureFrame
from seakeep.core.errors import NotEnoughHistory, NotFitted
from seakeep.core.market import Float64
from seakeep.models.base import EXPERTS, Expert

__all__ = ["MovingAverageExpert", "RsiExpert", "VolatilityExpert"]

_MIN_EPISODES = 10
"""Independent horizons that a slope needs before it says anything."""


def _fit_slope(x: Float64, y: Float64, horizon: int) -> tuple[float, float, float, float]:
    """Least squares through the origin: slope, residual deviation, confidence, deviation of the fitted mean.

    Overlapping horizons repeat each other, so the standard error counts n / horizon observations (Hansen & Hodrick 1980
    give the exact covariance; this is its conservative simplification). Confidence is 1 minus the two-sided p-value.
    """
    seen = np.isfinite(x) & np.isfinite(y)
    x, y = x[seen], y[seen]
    episodes = len(x) / horizon
    if episodes < _MIN_EPISODES:
        needed = _MIN_EPISODES * horizon
        raise NotEnoughHistory(f"a fit over {horizon} bars needs {needed} rows", value=len(x), remedy="train longer")
    power = float(x @ x)
    slope = float(x @ y) / power if power > 0 else 0.0
    deviation = float(np.sqrt(np.mean((y - slope * x) ** 2)))
    error = deviation / math.sqrt(power / len(x) * episodes) if power > 0 else math.inf
    p_value = math.erfc(abs(slope) / error / math.sqrt(2)) if error > 0 else 1.0
    return slope, deviation, 1 - p_value, float(np.sqrt(np.mean((slope * x) ** 2)))


class _SlopeExpert(Expert):
    """Mean forecast = learnt slope x one standardised feature."""

    @abstractmethod
    def _x(self, frame: FeatureFrame) -> Float64:
        """The feature it regresses on (n,)."""

    def fit(self, frame: FeatureFrame, y: Float64, seed: int) -> Self:
        """Learn slope and residual deviation from (n, k) features and forward log returns (n,)."""
        self.slope_, self.deviation_, self.confidence_, self.scale_ = _fit_slope(self._x(frame), y, self.horizon)
        return self

    def predict(self, frame: FeatureFrame) -> Float64:
        """Mean and deviation (n, 2)."""
        if not hasattr(self, "slope_"):
            raise NotFitted(f"{type(self).__name__} must be fitted before it predicts")
        out = np.empty((len(frame), 2))
        out[:, 0] = self.slope_ * self._x(frame)
        out[:, 1] = self.deviation_
        return out

    @property
    def confidence(self) -> float:
        """One minus the p-value of the slope."""
        return self.confidence_

    @property
    def scale(self) -> float:
        """Root mean square of the fitted mean."""
        return self.scale_


@EXPERTS.register("ma")
class MovingAverageExpert(_SlopeExpert):
    """Distance between a fast and a slow average, in average true ranges."""

    group: ClassVar[str] = "technical"

    fast: int = 20
    slow: int = 50
    unit: int = 50

    @cached_property
    def features(self) -> tuple[str, ...]:
        """Two averages and the range that scales them."""
        return (f"ema:{self.fast}", f"ema:{self.slow}", f"atr:{self.unit}")

    def _x(self, frame: FeatureFrame) -> Float64:
        fast, slow, unit = (frame[name] for name in self.features)
        return np.divide(fast - slow, unit, out=np.zeros(len(frame)), where=unit != 0)


@EXPERTS.register("rsi")
class RsiExpert(_SlopeExpert):
    """Relative strength away from 50; whether that continues or reverts is learnt."""

    group: ClassVar[str] = "momentum"

    period: int = 14

    @cached_property
    def features(self) -> tuple[str, ...]:
        """One oscillator."""
        return (f"rsi:{self.period}",)

    def _x(self, frame: FeatureFrame) -> Float64:
        return (frame[self.features[0]] - 50.0) / 50.0


@EXPERTS.register("volatility")
class VolatilityExpert(Expert):
    """How far the price will move, not where: the deviation scales with the recent one. It has no direction.

    A deviation over the horizon is regressed on the deviation of the last bars (through the origin, in squares), so
    position sizes shrink when the market is wild: high volatility is never a reason to buy.
    """

    group: ClassVar[str] = "volatility"

    period: int = 48

    @cached_property
    def features(self) -> tuple[str, ...]:
        """Deviation of log returns per bar."""
        return (f"return_std:{self.period}",)

    def fit(self, frame: FeatureFrame, y: Float64, seed: int) -> Self:
        """Learn by what factor the variance over the horizon exceeds the variance of one recent bar."""
        recent = frame[self.features[0]]
        seen = np.isfinite(recent) & np.isfinite(y) & (recent > 0)
        if seen.sum() < _MIN_EPISODES * self.horizon:
            needed = _MIN_EPISODES * self.horizon
            raise NotEnoughHistory(f"a fit over {self.horizon} bars needs {needed} rows", value=int(seen.sum()))
        self.factor_ = float(np.sqrt(np.mean(y[seen] ** 2) / np.mean(recent[seen] ** 2)))
        return self

    def predict(self, frame: FeatureFrame) -> Float64:
        """Zero mean and the learnt multiple of the recent deviation (n, 2)."""
        if not hasattr(self, "factor_"):
            raise NotFitted("VolatilityExpert must be fitted before it predicts")
        out = np.zeros((len(frame), 2))
        out[:, 1] = self.factor_ * frame[self.features[0]]
        return out

    @property
    def confidence(self) -> float:
        """It never votes on direction."""
        return 0.0

    @property
    def scale(self) -> float:
        """It has no mean forecast."""
        return 0.0
