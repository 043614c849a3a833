"""Parts that are late: a strategy and experts whose opinions are some bars old when they are heard."""

from collections.abc import Mapping
from typing import Self

import numpy as np

from seakeep.core.beliefs import FeatureFrame
from seakeep.core.market import Float64
from seakeep.models import Expert
from seakeep.strategy import Strategy

__all__ = ["Wrapped", "tardy"]


def tardy(strategy: Strategy, experts: Mapping[str, Expert], bars: int) -> tuple[Strategy, Mapping[str, Expert]]:
    """The same parts with every opinion `bars` bars late, NaN (which abstains) before the first; 0: as they are."""
    if not bars:
        return strategy, experts
    return _LateStrategy(inner=strategy, bars=bars), {
        name: _LateExpert(horizon=expert.horizon, inner=expert, bars=bars) for name, expert in experts.items()
    }


def _early(frame: FeatureFrame, bars: int) -> FeatureFrame:
    """The frame without its last `bars` rows."""
    rows = max(len(frame) - bars, 0)
    return FeatureFrame(frame.symbol, frame.ts[:rows], frame.names, frame.values[:rows])


class _LateStrategy(Strategy):
    """Hands out the scores of `inner` late; it is heard together with experts that are as late."""

    inner: Strategy
    bars: int

    @property
    def features(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.inner.features

    @property
    def group(self) -> str:  # type: ignore[override]
        return self.inner.group

    @property
    def lookback(self) -> int:  # type: ignore[override]
        return self.inner.lookback + self.bars

    def score(self, frame: FeatureFrame, forecasts: Mapping[str, Float64]) -> Float64:
        scores = np.full(len(frame), np.nan)
        if len(frame) > self.bars:
            heard = {name: table[self.bars :] for name, table in forecasts.items()}
            scores[self.bars :] = self.inner.score(_early(frame, self.bars), heard)
        return scores


class Wrapped(Expert):
    """An expert behind another: what it does not say itself, `inner` says."""

    inner: Expert

    @property
    def group(self) -> str:  # type: ignore[override]
        return self.inner.group

    @property
    def features(self) -> tuple[str, ...]:
        return self.inner.features

    @property
    def confidence(self) -> float:
        return self.inner.confidence

    @property
    def scale(self) -> float:
        return self.inner.scale

    def fit(self, frame: FeatureFrame, y: Float64, seed: int) -> Self:
        self.inner.fit(frame, y, seed)
        return self


class _LateExpert(Wrapped):
    """Hands out the forecasts of `inner` late."""

    bars: int

    @property
    def lookback(self) -> int:  # type: ignore[override]
        return self.inner.lookback + self.bars

    def predict(self, frame: FeatureFrame) -> Float64:
        forecasts = np.full((len(frame), 2), np.nan)
        if len(frame) > self.bars:
            forecasts[self.bars :] = self.inner.predict(_early(frame, self.bars))
        return forecasts
