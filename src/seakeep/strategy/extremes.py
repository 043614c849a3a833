"""What the price's own path says: momentum that persists, and extremes that revert."""

import math
from typing import ClassVar

import numpy as np

from seakeep.core.errors import ConfigError
from seakeep.core.market import Float64
from seakeep.core.units import DAY_MS
from seakeep.strategy.alphas import SIGNALS, Alpha, Reading, Scene, Silence, clipped, stretch

__all__ = ["MeanReversion", "MomentumPersistence", "variance_ratio_z"]

_SQRT2 = math.sqrt(2.0)


def variance_ratio_z(returns: Float64, lag: int) -> float:
    """Lo and MacKinlay's test of a random walk, robust to changing variance: above 0 returns (n,) follow each other.

    NaN where the price stands still or there are fewer than two lags.

    References: Lo and MacKinlay, "Stock market prices do not follow random walks", Review of Financial Studies 1
    (1988), equations 18 to 20; the variance ratio is 1 + 2 sum (1 - j / lag) rho_j to first order.
    """
    x = returns - returns.mean()
    squares = x * x
    power = float(squares.sum())
    if not power > 0 or len(x) < 2 * lag:
        return math.nan
    excess, spread = 0.0, 0.0
    for j in range(1, lag):
        share = 2.0 * (1.0 - j / lag)
        excess += share * float(x[j:] @ x[:-j]) / power
        spread += share**2 * float(squares[j:] @ squares[:-j]) / power**2
    return excess / math.sqrt(spread) if spread > 0 else math.nan


@SIGNALS.register("momentum_persistence")
class MomentumPersistence(Alpha):
    """A trend in an asset whose returns follow each other.

    score = min(1, max(-1, z / full)), z the move of the last `window` bars in its own deviations. Confidence is the
    one-sided confidence 2 Phi(v) - 1 that the variance ratio at `lag` exceeds 1 (v, robust); silent where it does not.
    """

    group: ClassVar[str] = "momentum"

    window: int = 96
    lag: int = 8
    full: float = 2.0
    half_life_ms: int = 5 * DAY_MS

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 2 <= self.lag <= self.window // 2:
            raise ConfigError("momentum_persistence.lag must be from 2 to half the window", value=self.lag)

    @property
    def bars(self) -> int:
        """The window."""
        return self.window

    def read(self, scene: Scene) -> Reading | Silence:
        """Silent where bars are missing, and where moves do not continue."""
        returns = scene.own(self.window)
        if returns is None:
            return Silence("bars are missing")
        moved, follows = stretch(returns), variance_ratio_z(returns, self.lag)
        if moved is None or math.isnan(follows):
            return Silence("the price stands still")
        if follows <= 0:
            return Silence(f"moves do not continue (variance ratio z {follows:.2f})")
        return Reading(clipped(moved / self.full), math.erf(follows / _SQRT2), scene.ts)


@SIGNALS.register("mean_reversion")
class MeanReversion(Alpha):
    """A price far from its mean while it moves more than usual.

    With z the distance of the log price from its mean over `window` bars in deviations: score = -sign(z) min(1,
    (|z| - extreme) / (full - extreme)), silent within `extreme`. Confidence is min(1, log2 of the deviation of the last
    `burst` returns over that of the window): certain at twice the usual volatility, silent at less than the usual.
    """

    group: ClassVar[str] = "technical"

    window: int = 96
    burst: int = 12
    extreme: float = 1.5
    full: float = 3.0
    half_life_ms: int = 10 * DAY_MS

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.extreme < self.full and self.burst <= self.window):
            remedy = "full must exceed extreme, and window burst"
            raise ConfigError("mean_reversion cannot tell an extreme", value=self.extreme, remedy=remedy)

    @property
    def bars(self) -> int:
        """The window."""
        return self.window

    def read(self, scene: Scene) -> Reading | Silence:
        """Silent where bars are missing, and where nothing is extreme."""
        returns = scene.own(self.window)
        if returns is None:
            return Silence("bars are missing")
        path = np.cumsum(returns)
        spread, usual = float(path.std()), float(np.sqrt(np.mean(returns**2)))
        if not (spread > 0 and usual > 0):
            return Silence("the price stands still")
        z = float(path[-1] - path.mean()) / spread
        wild = float(np.sqrt(np.mean(returns[-self.burst :] ** 2))) / usual
        if abs(z) <= self.extreme or wild <= 1.0:
            return Silence(f"nothing extreme ({z:+.1f} deviations at {wild:.1f} times the usual volatility)")
        far = min(1.0, (abs(z) - self.extreme) / (self.full - self.extreme))
        return Reading(-math.copysign(far, z), min(1.0, math.log2(wild)), scene.ts)
