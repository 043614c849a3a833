"""p-values of coverage tests by simulation, where the chi-squared law is a poor guide.

With 18 failures expected in 1,825 days the dynamic quantile test rejects a right forecast six times as often as it
says, and at 95 % the duration test three times, because durations are whole days. Under the hypothesis failures are
independent draws of known probability, so that law can be simulated exactly and the p-values are right for any number
of samples (Dufour, "Monte Carlo tests with nuisance parameters", Journal of Econometrics 133, 2006).
"""

import math

import msgspec
import numpy as np

from seakeep.core.market import Float64
from seakeep.stats.coverage import Coverage, projection, regressors, weibull_duration
from seakeep.stats.quantiles import checked_confidence

__all__ = ["duration_null", "quantile_null", "resampled"]


def duration_null(n: int, confidence: float, samples: int = 999, seed: int = 0) -> Float64:
    """Duration statistics, ascending, of n days of independent failures; samples with fewer than two are left out.

    Raises: ValueError if samples is below 99.
    """
    p, rng = _share(confidence, samples), np.random.default_rng(seed)
    found = np.array([weibull_duration(rng.random(n) < p)[0].statistic for _ in range(samples)])
    return np.sort(found[np.isfinite(found)])


def quantile_null(var: Float64, confidence: float, lags: int = 4, samples: int = 999, seed: int = 0) -> Float64:
    """Dynamic quantile statistics, ascending, of independent failures beside these VaR forecasts (n,).

    Raises: ValueError if samples is below 99.
    """
    p, rng, n = _share(confidence, samples), np.random.default_rng(seed), len(var)
    rows, found = regressors(np.zeros(n), var, lags), np.empty(samples)
    for i in range(samples):
        excess = (rng.random(n) < p) - p
        for lag in range(1, lags + 1):
            rows[lag] = excess[lags - lag : n - lag]
        found[i] = projection(excess[lags:], rows)[0] / (p * (1 - p))
    return np.sort(found)


def _share(confidence: float, samples: int) -> float:
    if samples < 99:
        raise ValueError(f"a p-value of one per cent needs at least 99 samples, got {samples}")
    return 1 - checked_confidence(confidence)


def resampled(test: Coverage, null: Float64) -> Coverage:
    """The test with the p-value its simulated law (samples,) gives; one that could not be made stays NaN."""
    if not math.isfinite(test.statistic):
        return test
    above = len(null) - int(np.searchsorted(null, test.statistic * (1 - 1e-12)))
    return msgspec.structs.replace(test, p_value=(1 + above) / (1 + len(null)), df=0)
