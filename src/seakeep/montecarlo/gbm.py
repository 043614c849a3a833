"""Level 1: geometric Brownian motion. Its factors are drift and volatility, and nothing else.

A step of length dt has the normal log return (drift - volatility^2 / 2) dt + volatility sqrt(dt) z, so the mean value
after T years is exp(drift T) [1]_. Drift and volatility are annual; a year is 365 days.

.. [1] Hull, "Options, Futures, and Other Derivatives", the lognormal property of stock prices.
"""

import math
from statistics import NormalDist
from typing import Any

import msgspec
import numpy as np
from numba import prange

from seakeep.core.jit import kernel
from seakeep.core.market import Float64
from seakeep.core.units import YEAR_MS, interval_ms
from seakeep.montecarlo.lanes import Job, follow, open_lanes, settle
from seakeep.montecarlo.sample import checked_returns
from seakeep.montecarlo.streams import LANES, fill_normals, seed_block

__all__ = ["Gbm", "fit_gbm"]


@kernel
def _block(job: Any, b: Any) -> None:
    stream, z, paths = seed_block(job, job.first + b), np.empty((4, LANES), np.float32), open_lanes(0.0)
    for t in range(0, job.steps, 4):
        fill_normals(job, job.first + b, t, stream, z)
        follow(job, t, b * LANES, z, paths)
    settle(job, b * LANES, paths)


@kernel(parallel=True)
def _blocks(job: Any, blocks: Any) -> None:
    for b in prange(blocks):
        _block(job, b)


class Gbm(msgspec.Struct, frozen=True):
    """Annual drift (of the expected value) and volatility, walked in steps of `interval`."""

    drift: float
    volatility: float
    interval: str = "1d"

    def __post_init__(self) -> None:
        if not (math.isfinite(self.drift) and 0 < self.volatility < math.inf):
            raise ValueError(f"drift must be finite and volatility positive, got {self.drift} and {self.volatility}")

    @property
    def additive(self) -> bool:
        """The log value is the sum of the log returns."""
        return True

    @property
    def dt(self) -> float:
        """Length of a step in years."""
        return interval_ms(self.interval) / YEAR_MS

    def spread(self) -> Float64:
        """Standard deviation of a step's log return (1,)."""
        return np.array([self.volatility * math.sqrt(self.dt)])

    def means(self, steps: int) -> Float64:
        """Expected log return of each step (1, steps)."""
        return np.full((1, steps), (self.drift - self.volatility**2 / 2) * self.dt)

    def launch(self, job: Job, blocks: int) -> None:
        """Simulate `blocks` blocks as `job` says."""
        tilt = job.tilt.astype(np.float64) + job.factor * self.means(1)[0, 0]
        scale = job.factor * self.spread()[0]
        _blocks(job._replace(tilt=tilt.astype(np.float32), factor=scale.astype(np.float32)), blocks)

    def terminal(self, steps: int, confidence: float = 0.95) -> dict[str, float]:
        """Closed forms of the value after `steps`: mean, variance, and VaR and CVaR as fractions of the start.

        >>> closed = Gbm(0.10, 0.80).terminal(30)
        >>> round(closed["var"], 3)
        0.327

        Raises: ValueError if the confidence is not inside (0, 1).
        """
        if not 0 < confidence < 1:
            raise ValueError(f"confidence must be inside (0, 1), got {confidence}")
        m, s = float(self.means(1)[0, 0]) * steps, float(self.spread()[0]) * math.sqrt(steps)
        mean, z = math.exp(m + s * s / 2), NormalDist().inv_cdf(1 - confidence)
        tail = mean * NormalDist().cdf(z - s) / (1 - confidence)
        spread = mean * mean * math.expm1(s * s)
        return {"mean": mean, "variance": spread, "var": 1 - math.exp(m + s * z), "cvar": 1 - tail}


def fit_gbm(returns: Float64, interval: str = "1d") -> Gbm:
    """Drift and volatility of log returns (n,) of bars of `interval`, annualised by 365 days.

    Raises: NotEnoughHistory below 30 returns; DataError if they are not finite or do not vary.
    """
    sample = checked_returns(returns, 30)
    dt = interval_ms(interval) / YEAR_MS
    variance = float(np.var(sample, ddof=1)) / dt
    return Gbm(float(np.mean(sample)) / dt + variance / 2, math.sqrt(variance), interval)
