"""Forecasts of variance: the term structure of the next bars, and volatilities per bar, day and year.

A day has 24 hours and a year 365 days. Reference for EGARCH: Nelson, "Conditional heteroskedasticity in asset returns",
Econometrica 59 (1991), theorem A1.2.
"""

import math
from dataclasses import dataclass

import numpy as np

from seakeep.core.market import Float64
from seakeep.core.units import DAY_MS, YEAR_MS
from seakeep.stats.recursions import MEAN_ABS
from seakeep.stats.specification import Garch

__all__ = ["TermStructure", "expected_variances", "rescale"]


def rescale(sigma: Float64 | float, from_ms: int, to_ms: int = YEAR_MS) -> Float64 | float:
    """Volatility of a period of `to_ms` from that of one of `from_ms`, by the square root of time.

    Holds for returns that do not depend on each other and have one variance; a `TermStructure` needs neither.

    >>> round(rescale(0.80, YEAR_MS, DAY_MS), 6)
    0.041874

    Raises: ValueError for a period that is not positive.
    """
    if not (from_ms > 0 and to_ms > 0):
        raise ValueError(f"periods must be positive, got {from_ms} and {to_ms} ms")
    return sigma * math.sqrt(to_ms / from_ms)


@dataclass(frozen=True, slots=True, eq=False)
class TermStructure:
    """Expected variance of each of the next h bars, (h,), in the square of the returns' unit."""

    variance: Float64
    warnings: tuple[str, ...] = ()

    @property
    def cumulative(self) -> Float64:
        """Variance of the sum of the next 1, 2, ... h returns (h,)."""
        return np.asarray(np.cumsum(self.variance))

    @property
    def horizon(self) -> Float64:
        """Volatility of the sum of the next 1, 2, ... h returns (h,)."""
        return np.sqrt(self.cumulative)

    @property
    def per_bar(self) -> Float64:
        """Root of the average variance of the next 1, 2, ... h bars (h,): a volatility per bar."""
        return np.asarray(np.sqrt(self.cumulative / np.arange(1, len(self.variance) + 1)))

    def per_day(self, interval_ms: int) -> Float64:
        """`per_bar` in units of a day of 24 hours, for bars of `interval_ms`."""
        return np.asarray(rescale(self.per_bar, interval_ms, DAY_MS))

    def per_year(self, interval_ms: int) -> Float64:
        """`per_bar` in units of a year of 365 days, for bars of `interval_ms`."""
        return np.asarray(rescale(self.per_bar, interval_ms, YEAR_MS))


def expected_variances(garch: Garch, next_variance: float, h: int, residuals: Float64 | None = None) -> TermStructure:
    """Expected variances of the next h bars, of which the first is `next_variance`.

    GARCH and GJR: omega + persistence times the one before. EGARCH with normal errors: Nelson's closed form. With t
    errors no finite expectation exists beyond one bar: standardised `residuals` (n,) stand for the errors.

    >>> hull = Garch(omega=1.3465e-6, alpha=0.083394, beta=0.910116)
    >>> expected_variances(hull, 0.0003, 11).variance[10].round(7).item()
    0.0002942

    Raises: ValueError if h is below 1, or if residuals are needed and not given.
    """
    if h < 1:
        raise ValueError(f"the horizon must be at least 1 bar, got {h}")
    if garch.model == "egarch":
        return _log_variances(garch, next_variance, h, residuals)
    variance = np.empty(h)
    variance[0], p = next_variance, garch.persistence
    for k in range(1, h):
        variance[k] = garch.omega + p * variance[k - 1]
    unsettled = ("the persistence is not below 1: the forecast returns to no long-run level",)
    return TermStructure(variance, () if garch.settles else unsettled)


def _log_variances(garch: Garch, next_variance: float, h: int, residuals: Float64 | None) -> TermStructure:
    student, weights = garch.errors == "t", np.asarray(garch.beta ** np.arange(h - 1), np.float64)
    if student and residuals is None and h > 1:
        raise ValueError("an egarch forecast with t errors beyond one bar needs the residuals")
    news = np.empty(0) if residuals is None else garch.alpha * (np.abs(residuals) - MEAN_ABS) + garch.gamma * residuals
    logs = [math.log(np.exp(w * news).mean()) for w in weights] if student else np.log(garch.news_moment(weights))
    drift = np.concatenate([[0.0], np.cumsum(garch.omega * weights + np.asarray(logs))])
    variance = np.exp(garch.beta ** np.arange(h) * math.log(next_variance) + drift)
    replaced = "t errors have no finite expected variance here: the residuals of the sample stand for them"
    return TermStructure(variance, (replaced,) if student and h > 1 else ())
