"""Conditional volatility: EWMA, GARCH(1,1), GJR and EGARCH by maximum likelihood, their errors and their forecasts.

Returns are of one bar, as fractions or in percent: variances are in the square of that unit and per bar, and only
`TermStructure` and `rescale` turn bars into days (24 hours) and years (365 days). `sigma[t]` is known before bar t
opens, up to the parameters, which are those of the whole sample.

References: Bollerslev, "Generalized autoregressive conditional heteroskedasticity", Journal of Econometrics 31 (1986);
Glosten, Jagannathan and Runkle, Journal of Finance 48 (1993); Nelson, "Conditional heteroskedasticity in asset
returns", Econometrica 59 (1991); Bollerslev and Wooldridge, Econometric Reviews 11 (1992) for the robust errors.
"""

import math
from dataclasses import dataclass

import msgspec
import numpy as np
from scipy.linalg import null_space

from seakeep.core.errors import ConfigError, ConvergenceError, DataError, NotEnoughHistory
from seakeep.core.market import Float64
from seakeep.core.registry import nearest
from seakeep.core.units import DAY_MS, YEAR_MS
from seakeep.stats.recursions import ROWS, ewma_variances, lanes, likelihood, sweep
from seakeep.stats.scoring import CONVERGED, STALLED, ascend
from seakeep.stats.specification import LEAST_NU, MOST_NU, Garch, Specification, specify

__all__ = [
    "MIN_EWMA",
    "MIN_GARCH",
    "Ewma",
    "Garch",
    "GarchFit",
    "StandardErrors",
    "TermStructure",
    "ewma",
    "filter_garch",
    "fit_garch",
    "rescale",
]

MIN_GARCH = 100
"""Fewer returns cannot tell how persistent a variance is."""
MIN_EWMA = 20
"""Fewer returns leave an average that is mostly its first value."""
PRESAMPLES = ("backcast", "sample")

_ALPHAS = np.tile([0.03, 0.08, 0.15, 0.3], 5)
_BETAS = np.repeat([0.4, 0.7, 0.9, 0.97, 0.995], 4) - np.minimum(_ALPHAS, 0.35)


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


@dataclass(frozen=True, slots=True, eq=False)
class Ewma:
    """Exponentially weighted volatility: `sigma` (n,) before each return, `residuals` (n,) = returns / sigma.

    `error` is the standard error of the next volatility as a fraction of it, from the kurtosis of the residuals.
    """

    sigma: Float64
    residuals: Float64
    next_variance: float
    decay: float
    n: int
    error: float

    def forecast(self, h: int) -> TermStructure:
        """The same variance for every bar: an average that forgets has no level to return to."""
        return TermStructure(np.full(_horizon(h), self.next_variance))


class StandardErrors(msgspec.Struct, frozen=True):
    """Standard errors by parameter name, and the matrix (k, k) they come from; NaN for a parameter on its bound."""

    method: str
    errors: dict[str, float]
    covariance: Float64

    def __getitem__(self, name: str) -> float:
        return self.errors[name]


@dataclass(frozen=True, slots=True, eq=False)
class GarchFit:
    """A variance model on n returns: `sigma` (n,) per bar, `residuals` (n,) = (returns - mu) / sigma.

    `next_variance` is that of the bar after the last; `passes` over the data were needed to reach the maximum (0 for
    given parameters); `warnings` name every bound that holds a parameter.
    """

    params: Garch
    loglikelihood: float
    sigma: Float64
    residuals: Float64
    next_variance: float
    n: int
    passes: int
    presample: str
    warnings: tuple[str, ...]
    returns: Float64
    max_persistence: float = 1.0

    @property
    def aic(self) -> float:
        """Akaike's information criterion; smaller is better."""
        return 2 * len(self._specification.names) - 2 * self.loglikelihood

    @property
    def bic(self) -> float:
        """Schwarz's information criterion; smaller is better."""
        return math.log(self.n) * len(self._specification.names) - 2 * self.loglikelihood

    @property
    def _specification(self) -> Specification:
        return specify(self.params.model, self.params.errors, self.max_persistence)

    def forecast(self, h: int) -> TermStructure:
        """Expected variances of the next h bars, (h,).

        GARCH and GJR: omega + persistence times the one before. EGARCH with normal errors: Nelson's closed form. With
        t errors no finite expectation exists beyond one bar: the residuals of the sample stand for the errors.

        Raises: ValueError if h is below 1.
        """
        if self.params.model == "egarch":
            return self._log_forecast(_horizon(h))
        variance = np.empty(_horizon(h))
        variance[0], p = self.next_variance, self.params.persistence
        for k in range(1, h):
            variance[k] = self.params.omega + p * variance[k - 1]
        unsettled = ("the persistence is not below 1: the forecast returns to no long-run level",) if p >= 1 else ()
        return TermStructure(variance, unsettled)

    def _log_forecast(self, h: int) -> TermStructure:
        garch, ahead = self.params, np.arange(h)
        weights = garch.beta ** ahead[:-1]
        student = garch.errors == "t"
        moments = garch.news_moment(weights) if not student else _sample_moment(garch, self.residuals, weights)
        drift = np.concatenate([[0.0], np.cumsum(garch.omega * weights + np.log(moments))])
        variance = np.exp(garch.beta**ahead * math.log(self.next_variance) + drift)
        replaced = ("t errors have no finite expected variance here: the residuals of the sample stand for them",)
        return TermStructure(variance, replaced if student and h > 1 else ())

    def standard_errors(self, robust: bool = True) -> StandardErrors:
        """Errors of the parameters: sandwich (right for any error distribution) or inverse Hessian.

        The Hessian is the central difference of the analytic score. A parameter on its bound has no error.

        Raises: ConvergenceError if the likelihood is flat in some direction.
        """
        form, scale = self._specification, float(self.returns.std())
        free = form.free(self.params, scale)
        x, start = self.returns / scale, _presample(self.returns, self.presample, scale)
        hessian, scores = _curvature(x, free, form, start)
        inside = null_space(form.touched(free)) if len(form.touched(free)) else np.eye(len(free))
        curvature = inside.T @ hessian @ inside
        if not np.isfinite(curvature).all() or np.linalg.eigvalsh(curvature).min() <= 0:
            raise ConvergenceError("the likelihood is flat at its maximum", value=form.names, remedy="use more returns")
        bread = inside @ np.linalg.inv(curvature) @ inside.T
        covariance = bread @ (scores.T @ scores) @ bread if robust else bread
        slopes = form.slopes(free, scale)
        covariance = slopes @ covariance @ slopes.T
        variances = np.where(np.abs(inside).max(axis=1) > 1e-9, np.diag(covariance), np.nan)
        errors = dict(zip(form.names, np.sqrt(variances).tolist(), strict=True))
        return StandardErrors("sandwich" if robust else "hessian", errors, covariance)

    def forecast_errors(self, h: int, robust: bool = True) -> Float64:
        """Standard error (h,) of the forecast's `per_bar`, from that of the parameters (delta method)."""
        covariance, form = self.standard_errors(robust).covariance, self._specification
        slopes = np.empty((h, len(form.names)))
        for i, name in enumerate(form.names):
            size = 1e-3 * math.sqrt(covariance[i, i])
            ends = [self._moved(name, sign * size).forecast(h).per_bar for sign in (1, -1)] if size > 0 else [0.0, 0.0]
            slopes[:, i] = (ends[0] - ends[1]) / (2 * size) if size > 0 else 0.0
        return np.asarray(np.sqrt(np.einsum("hi,ij,hj->h", slopes, covariance, slopes)))

    def _moved(self, name: str, by: float) -> "GarchFit":
        moved = msgspec.structs.replace(self.params, **{name: getattr(self.params, name) + by})
        return filter_garch(self.returns, moved, self.presample)


def ewma(returns: Float64, decay: float = 0.94, first: float | None = None) -> Ewma:
    """Exponentially weighted volatility: the next variance is decay * variance + (1 - decay) * return^2.

    `first` is the variance before the first return; not given, the exponentially weighted average of the first 75
    squares, as in RiskMetrics practice. The mean return is taken as zero.

    >>> ewma(np.full(20, 0.02), 0.9, first=0.01**2).sigma[1].round(4).item()
    0.0114

    Raises: NotEnoughHistory below 20 returns, DataError if one is not finite or all are zero, ValueError for a decay
    outside (0, 1).
    """
    x = _checked(returns, MIN_EWMA, "an exponentially weighted volatility")
    if not 0 < decay < 1:
        raise ValueError(f"decay must be in (0, 1), got {decay}")
    squares = x * x
    start = float(_backcast(squares)) if first is None else first
    if not (start > 0 and squares.any()):
        raise DataError("no variance to start from: the first returns are all zero", remedy="pass first > 0")
    variances = ewma_variances(squares, decay, start)
    sigma = np.sqrt(variances[:-1])
    residuals = x / sigma
    kurtosis = float((residuals**4).mean() / (residuals**2).mean() ** 2)
    error = 0.5 * math.sqrt(max(kurtosis - 1, 0.0) * (1 - decay) / (1 + decay))
    return Ewma(_frozen(sigma), _frozen(residuals), float(variances[-1]), decay, len(x), error)


def fit_garch(
    returns: Float64,
    model: str = "garch",
    errors: str = "t",
    start: Garch | None = None,
    presample: str = "backcast",
    max_persistence: float = 1.0,
) -> GarchFit:
    """Maximum likelihood of a variance model with a constant mean, on returns (n,) of one bar each, oldest first.

    `model` is garch, gjr or egarch, `errors` normal or t. `start` (the last fit's `params`) saves the search for a
    start. `presample` is the variance before the first bar: "backcast", the exponentially weighted average of the
    first 75 squares, or "sample", the mean square of all. A `max_persistence` above 1 admits explosive variances.

    >>> rng = np.random.default_rng(7)
    >>> fit = fit_garch(rng.normal(0, 0.02, 1000), errors="normal")
    >>> bool(abs(fit.sigma.mean() - 0.02) < 0.001), fit.n
    (True, 1000)

    Raises: NotEnoughHistory below 100 returns, DataError if one is not finite or they do not vary, ConfigError for an
    unknown name, ConvergenceError if no maximum is reached from any start.
    """
    form = specify(model, errors, max_persistence)
    x = _checked(returns, MIN_GARCH, "a GARCH fit")
    scale = float(x.std())
    if not scale > 1e-12 * float(np.abs(x).max()):
        raise DataError("the returns do not vary", value=float(x[0]), remedy="a volatility model needs moving prices")
    y, before, ended = x / scale, _presample(x, presample, scale), STALLED
    known = start is not None and start.model == model and start.errors == errors
    starts = [form.free(start, scale)] if start is not None and known else []
    for free in [*starts, *(_starts(y, form) if not starts else [])]:
        found, best, passes, ended = ascend(y, free, form.design, form.bounds, form.limits, form.egarch, before)
        if ended == CONVERGED and math.isfinite(best):
            warnings = _edges(form.garch(found, scale), form, found)
            return _describe(x, form, found, (scale, presample, max_persistence, passes, warnings))
    if starts:
        return fit_garch(returns, model, errors, None, presample, max_persistence)
    why = "no step raises the likelihood" if ended == STALLED else "the passes were used up"
    raise ConvergenceError(f"{model} with {errors} errors: {why}", value=f"n={len(x)}", remedy="try model='garch'")
