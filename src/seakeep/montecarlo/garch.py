"""Level 3: GARCH(1,1) with normal or Student t errors. Its factor is how volatile the market is now.

    r = mu + e,   e = sqrt(h) z,   h' = omega + alpha e^2 + beta h

with z of unit variance: Student t of `nu` degrees, or normal without [1]_. The exponential of a Student t has no
finite mean: draws are cut where their probability is one in a million, so a mean value exists, but where volatility is
high it may rest on a few paths (the summary says so). Percentiles, VaR, CVaR and drawdowns do not.

.. [1] Bollerslev, "A conditionally heteroskedastic time series model for speculative prices and rates of return",
   Review of Economics and Statistics 69 (1987).
"""

import math
from typing import Any

import msgspec
import numpy as np
from numba import float32, prange
from numpy.typing import ArrayLike

from seakeep.core.jit import FUSED, kernel
from seakeep.core.market import Float64
from seakeep.montecarlo.lanes import Job, follow, open_lanes, settle
from seakeep.montecarlo.sample import checked_returns
from seakeep.montecarlo.streams import LANES, fill_normals, fill_students, seed_block

__all__ = ["Garch", "GarchParams", "next_variance"]


class GarchParams(msgspec.Struct, frozen=True):
    """Per step: mean, omega, alpha, beta, and degrees of freedom of the errors (None: normal)."""

    mu: float
    omega: float
    alpha: float
    beta: float
    nu: float | None = None

    def __post_init__(self) -> None:
        sound = self.omega >= 0 and self.alpha >= 0 and self.beta >= 0 and self.alpha + self.beta <= 1
        if not sound or not math.isfinite(self.mu + self.omega):
            raise ValueError(f"omega, alpha and beta must be >= 0 and alpha + beta <= 1, got {self}")
        if self.nu is not None and not 2 < self.nu < math.inf:
            raise ValueError(f"degrees of freedom must be above 2 for a variance to exist, got {self.nu}")

    @property
    def long_run(self) -> float:
        """Unconditional variance of a step; infinite if alpha + beta is 1."""
        rest = 1 - self.alpha - self.beta
        return self.omega / rest if rest > 0 else math.inf


@kernel(fastmath=FUSED, inline=True)
def _vary(coefficients: Any, z: Any, variance: Any) -> None:
    """Turn four standard errors of each lane into log returns, moving its variance along."""
    mu, omega, alpha, beta = coefficients[0], coefficients[1], coefficients[2], coefficients[3]
    z0, z1, z2, z3, unit = z[0], z[1], z[2], z[3], coefficients[4]
    for j in range(LANES):
        h, w = variance[j], unit * z0[j]
        z0[j] = mu + math.sqrt(h) * w
        h = omega + (alpha * (w * w) + beta) * h
        w = unit * z1[j]
        z1[j] = mu + math.sqrt(h) * w
        h = omega + (alpha * (w * w) + beta) * h
        w = unit * z2[j]
        z2[j] = mu + math.sqrt(h) * w
        h = omega + (alpha * (w * w) + beta) * h
        w = unit * z3[j]
        z3[j] = mu + math.sqrt(h) * w
        variance[j] = omega + (alpha * (w * w) + beta) * h


@kernel
def _block(job: Any, coefficients: Any, start: Any, nu: Any, b: Any) -> None:
    stream, z, paths = seed_block(job, job.first + b), np.empty((4, LANES), np.float32), open_lanes(0.0)
    words, variance = np.empty((4, LANES), np.uint32), np.full(LANES, float32(start))
    for t in range(0, job.steps, 4):
        if nu > 0:
            fill_students(job, job.first + b, t, stream, words, nu, z)
        else:
            fill_normals(job, job.first + b, t, stream, z)
        _vary(coefficients, z, variance)
        follow(job, t, b * LANES, z, paths)
    settle(job, b * LANES, paths)


@kernel(parallel=True)
def _blocks(job: Any, coefficients: Any, start: Any, nu: Any, blocks: Any) -> None:
    for b in prange(blocks):
        _block(job, coefficients, start, nu, b)


class Garch(msgspec.Struct, frozen=True):
    """GARCH paths from now on: `variance` is that of the first simulated step."""

    params: GarchParams
    variance: float
    interval: str = "1d"

    def __post_init__(self) -> None:
        if not 0 < self.variance < math.inf:
            raise ValueError(f"the variance of the first step must be positive, got {self.variance}")

    @property
    def additive(self) -> bool:
        """The log value is the sum of the log returns."""
        return True

    def means(self, steps: int) -> Float64:
        """Expected log return of each step (1, steps)."""
        return np.full((1, steps), self.params.mu)

    def spread(self) -> Float64:
        """Long-run standard deviation of a step (1,); that of the first step if there is no long run."""
        long_run = self.params.long_run
        return np.array([math.sqrt(long_run if 0 < long_run < math.inf else self.variance)])

    def variances(self, steps: int) -> Float64:
        """Expected variance of each step (steps,)."""
        p, found, h = self.params, np.empty(steps), self.variance
        for t in range(steps):
            found[t] = h
            h = p.omega + (p.alpha + p.beta) * h
        return found

    def launch(self, job: Job, blocks: int) -> None:
        """Simulate `blocks` blocks as `job` says."""
        p = self.params
        unit = 1.0 if p.nu is None else math.sqrt((p.nu - 2) / p.nu)
        coefficients = np.array([p.mu, p.omega, p.alpha, p.beta, unit], np.float32)
        _blocks(job, coefficients, self.variance, p.nu or 0.0, blocks)


def next_variance(params: GarchParams, returns: ArrayLike) -> float:
    """Variance of the step after log returns (n,), filtered from their sample variance on.

    Raises: NotEnoughHistory below 30 returns; DataError if they are not finite or do not vary.
    """
    errors = checked_returns(returns, 30) - params.mu
    h = float(np.mean(errors**2))
    for e in errors.tolist():
        h = params.omega + params.alpha * e * e + params.beta * h
    return h
