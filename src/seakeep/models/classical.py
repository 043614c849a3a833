"""The three classical experts. Each is a one-variable regression, so its direction is learnt and not assumed."""

from abc import abstractmethod
from functools import cached_property
from typing import ClassVar, Self

import numpy as np

from seakeep.core.beliefs import FeatureFrame
from seakeep.core.errors import NotEnoughHistory, NotFitted
from seakeep.core.market import Float64
from seakeep.models.base import EXPERTS, Expert
from seakeep.models.proof import JudgedExpert

__all__ = ["MovingAverageExpert", "RsiExpert", "VolatilityExpert"]

_MIN_EPISODES = 10
"""Independent horizons that a slope needs before it says anything."""


def _fit_slope(x: Float64, y: Float64, horizon: int) -> tuple[float, float]:
    """Least squares through the origin: slope and residual deviation."""
    seen = np.isfinite(x) & np.isfinite(y)
    x, y = x[seen], y[seen]
    if len(x) < _MIN_EPISODES * horizon:
        needed = _MIN_EPISODES * horizon
        raise NotEnoughHistory(f"a fit over {horizon} bars needs {needed} rows", value=len(x), remedy="train longer")
    power = float(x @ x)
    slope = float(x @ y) / power if power > 0 else 0.0
    return slope, float(np.sqrt(np.mean((y - slope * x) ** 2)))


class _SlopeExpert(JudgedExpert):
    """Mean forecast = learnt slope x one standardised feature."""

    @abstractmethod
    def _x(self, frame: FeatureFrame) -> Float64:
        """The feature it regresses on (n,)."""

    def fit(self, frame: FeatureFrame, y: Float64, seed: int) -> Self:
        """Learn slope and residual deviation from (n, k) features and forward log returns (n,), and be judged."""
        self.slope_, self.deviation_ = _fit_slope(self._x(frame), y, self.horizon)
        self.judge(frame, y, float(np.nanstd(y)) or 1.0, seed)
        return self

    def predict(self, frame: FeatureFrame) -> Float64:
        """Mean and deviation (n, 2); NaN if no price moved while it learnt."""
        if not hasattr(self, "slope_"):
            raise NotFitted(f"{type(self).__name__} must be fitted before it predicts")
        out = np.full((len(frame), 2), np.nan)
        if self.deviation_ > 0:
            out[:, 0], out[:, 1] = self.slope_ * self._x(frame), self.deviation_
        return out


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
        """Zero mean and the learnt multiple of the recent deviation (n, 2); NaN where the price has stood still."""
        if not hasattr(self, "factor_"):
            raise NotFitted("VolatilityExpert must be fitted before it predicts")
        out = np.zeros((len(frame), 2))
        out[:, 1] = self.factor_ * frame[self.features[0]]
        out[~(out[:, 1] > 0)] = np.nan
        return out

    @property
    def confidence(self) -> float:
        """It never votes on direction."""
        return 0.0

    @property
    def scale(self) -> float:
        """It has no mean forecast."""
        return 0.0
