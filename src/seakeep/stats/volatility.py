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

from seakeep.core.errors import ConfigError, ConvergenceError, DataError, NotEnoughHistory, NotFitted
from seakeep.core.market import Float64
from seakeep.core.registry import nearest
from seakeep.stats.forecasting import TermStructure, expected_variances, rescale
from seakeep.stats.recursions import ROWS, ewma_variances, lanes, likelihood, moments, standardised
from seakeep.stats.scoring import CONVERGED, STALLED, ascend, curvature
from seakeep.stats.specification import Garch, Specification, specify

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

LEAST_PRESAMPLE = 1e-8
"""Smallest presample variance as a share of the variance: a series may begin with a standstill."""

RIVAL = 6.0
"""A start of GARCH or GJR is climbed from if its log-likelihood is not further below that of the best."""

_ALPHAS = np.tile([0.03, 0.08, 0.15, 0.3], 5)
_BETAS = np.maximum(np.repeat([0.0, 0.6, 0.9, 0.97, 0.995], 4) - _ALPHAS, 0.01)
_FAMILIES = (slice(0, 4), slice(4, 12), slice(12, 20))
"""The starts with hardly any memory, with some and with a long one: each family may hold a maximum of its own."""
_SHORT = 1_000
"""On fewer returns there are more maxima, and passes are cheap: every memory is climbed from."""
_EACH = tuple(slice(i, i + 4) for i in range(0, 20, 4))
_EGARCH_STARTS = ((0.2, 0.0, 0.95), (0.1, -0.05, 0.98), (0.3, 0.0, 0.8))
"""(alpha, gamma, beta) to climb from."""


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
        return expected_variances(Garch(0.0, 1 - self.decay, self.decay), self.next_variance, h)


@dataclass(frozen=True, slots=True, eq=False)
class StandardErrors:
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
        """Expected variances of the next h bars, (h,); see `expected_variances`. Raises: ValueError if h is below 1."""
        return expected_variances(self.params, self.next_variance, h, self.residuals)

    def standard_errors(self, robust: bool = True) -> StandardErrors:
        """Errors of the parameters: sandwich (right for any error distribution) or inverse Hessian.

        The Hessian is the central difference of the analytic score. A parameter on its bound has no error.

        Raises: ConvergenceError if the likelihood is flat in some direction, NotFitted for given parameters.
        """
        if not self.passes:
            raise NotFitted("parameters that were given have no standard errors", remedy="estimate them by fit_garch")
        form, found = self._specification, np.array(moments(self.returns))
        scale = float(found[1])
        free, presample = form.free(self.params, scale), _presample(self.presample, found)
        hessian, scores = curvature(self.returns / scale, free, form.design, form.egarch, presample)
        touched = form.touched(free)
        inside = null_space(touched) if len(touched) else np.eye(len(free))
        inner = inside.T @ hessian @ inside
        sizes = np.sqrt(np.abs(np.diag(inner)))
        if not (np.isfinite(inner).all() and np.linalg.eigvalsh(inner / np.outer(sizes, sizes)).min() > 1e-10):
            raise ConvergenceError("the likelihood is flat at its maximum", value=form.names, remedy="use more returns")
        slopes = form.slopes(free, scale) @ inside @ np.linalg.inv(inner) @ inside.T
        covariance = slopes @ (scores.T @ scores if robust else hessian) @ slopes.T
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

    >>> ewma(np.array([0.02, -0.02] * 10), 0.9, first=0.01**2).sigma[1].round(4).item()
    0.0114

    Raises: NotEnoughHistory below 20 returns, DataError if one is not finite or they do not vary, ValueError for a
    decay outside (0, 1).
    """
    x, _ = _checked(returns, MIN_EWMA, "an exponentially weighted volatility")
    if not 0 < decay < 1:
        raise ValueError(f"decay must be in (0, 1), got {decay}")
    squares = x * x
    recent = squares[:75]
    start = float(np.average(recent, weights=0.94 ** np.arange(len(recent)))) if first is None else first
    if not start > 0:
        raise DataError("no variance to start from: the first returns are all zero", value=start, remedy="pass first")
    variances = ewma_variances(squares, decay, start)
    sigma = np.sqrt(variances[:-1])
    residuals = x / sigma
    kurtosis = float((residuals**4).mean() / (residuals**2).mean() ** 2)
    error = 0.5 * math.sqrt(max(kurtosis - 1, 0.0) * (1 - decay) / (1 + decay))
    sigma.flags.writeable = residuals.flags.writeable = False
    return Ewma(sigma, residuals, float(variances[-1]), decay, len(x), error)


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
    >>> round(float(fit.residuals.std()), 2), fit.n
    (1.0, 1000)

    Raises: NotEnoughHistory below 100 returns, DataError if one is not finite or they do not vary, ConfigError for an
    unknown name, ConvergenceError if no maximum is reached from any start.
    """
    form = specify(model, errors, max_persistence)
    x, found = _checked(returns, MIN_GARCH, "a GARCH fit")
    scale = float(found[1])
    y, before, work = x / scale, _presample(presample, found), np.empty((ROWS, len(x) + 1))
    warm = start is not None and (start.model, start.errors) == (model, errors)
    climbs = [_climb(y, form.free(start, scale), form, before, work)] if start and warm else []
    for free in [] if climbs and climbs[0][-1] == CONVERGED else _starts(y, form, before, work):
        climbs.append(_climb(y, free, form, before, work))
        if form.egarch and climbs[-1][-1] == CONVERGED:
            break
    peak, best, _, ended = max(climbs, key=lambda climb: (climb[-1] == CONVERGED, climb[1]))
    if ended != CONVERGED or not math.isfinite(best):
        why = "no step raises the likelihood" if ended == STALLED else "the passes were used up"
        raise ConvergenceError(f"{model} with {errors} errors on {len(x)} returns: {why}", remedy="try model='garch'")
    if len(climbs) > 1:
        likelihood(y, form.design @ peak, form.egarch, before, work, np.empty(6), np.empty((6, 6)))
    peak[np.abs(peak) < 1e-12] = 0.0
    params, columns = form.garch(peak, scale), _columns(x, scale, peak[0], work)
    total, state = best - len(x) * math.log(scale), (len(x), sum(climb[2] for climb in climbs))
    return GarchFit(params, total, *columns, *state, presample, form.edges(peak), x, max_persistence)


def _climb(
    y: Float64, free: Float64, form: Specification, before: Float64, work: Float64
) -> tuple[Float64, float, int, int]:
    """`ascend`; where the |z| of egarch folds the likelihood along mu, the other parameters go on without it."""
    peak, best, passes, ended = ascend(y, free, form.design, form.bounds, form.limits, form.egarch, before, work)
    if ended == STALLED and form.egarch:
        peak, best, more, ended = ascend(y, peak, form.design, *form.holding_mean(peak), True, before, work)
        passes += more
    return peak, best, passes, ended


def filter_garch(returns: Float64, params: Garch, presample: str = "backcast") -> GarchFit:
    """Run given parameters over returns (n,) without estimating: `sigma`, `residuals` and the next variance.

    Raises: NotEnoughHistory below 2 returns, DataError if one is not finite, they do not vary or the parameters make
    a variance that is not positive.
    """
    x, found = _checked(returns, 2, "a GARCH filter")
    scale, most = float(found[1]), max(1.0, params.persistence)
    form, work = specify(params.model, params.errors, most), np.empty((ROWS, len(x) + 1))
    theta, before = form.design @ form.free(params, scale), _presample(presample, found)
    value = likelihood(x / scale, theta, form.egarch, before, work, np.empty(6), np.empty((6, 6)))
    if not math.isfinite(value):
        raise DataError("the parameters make a variance that is not positive and finite", value=params)
    columns = _columns(x, scale, params.mu / scale, work)
    return GarchFit(params, value - len(x) * math.log(scale), *columns, len(x), 0, presample, (), x, most)


def _columns(x: Float64, scale: float, mean: float, work: Float64) -> tuple[Float64, Float64, float]:
    """Volatility (n,), residuals (n,) and the next variance, from the rows of the last pass."""
    sigma, residuals = standardised(x, mean * scale, scale, work[7])
    for column in (sigma, residuals, x):
        column.flags.writeable = False
    return sigma, residuals, float(work[7, -1]) * scale**2


def _checked(returns: Float64, least: int, what: str) -> tuple[Float64, Float64]:
    """A copy of the returns, and their `moments`."""
    x = np.array(returns, np.float64)
    if x.ndim != 1:
        raise ValueError(f"{what} needs returns of shape (n,), got {x.shape}")
    if len(x) < least:
        raise NotEnoughHistory(f"{what} needs at least {least} returns", value=len(x), remedy="load a longer history")
    found = np.array(moments(x))
    if not math.isfinite(found[1]) and not np.isfinite(x).all():
        row = int(np.argmin(np.isfinite(x)))
        raise DataError(f"return {row} is not a finite number", value=float(x[row]), remedy="fill or drop the gap")
    if not max(1e-100, 1e-12 * found[3]) < found[1] < 1e100:
        raise DataError("the returns do not vary, or beyond measure", value=float(found[1]), remedy="check the prices")
    return x, found


def _presample(kind: str, found: Float64) -> Float64:
    """(v, s, m) such that the variance before the first scaled return is v + s (m - mu)^2, from the `moments`."""
    if kind not in PRESAMPLES:
        raise ConfigError("unknown presample", value=kind, remedy=nearest(kind, PRESAMPLES))
    mean, scale, first, _ = found
    if kind == "sample":
        return np.array([1.0, 1.0, mean / scale])
    return np.array([max(first / scale**2, LEAST_PRESAMPLE), 0.0, 0.0])


def _starts(y: Float64, form: Specification, before: Float64, work: Float64) -> list[Float64]:
    """Free parameters to climb from, the most likely first, without those that are much less so."""
    mean, nu = float(y.mean()), 8.0 if "nu" in form.names else math.inf
    if form.egarch:
        guesses = [Garch((1 - b) * -0.1, a, b, g, mean, nu, "egarch") for a, g, b in _EGARCH_STARTS]
        starts = [form.free(guess, 1.0) for guess in guesses]
        empty = np.empty(6), np.empty((6, 6))
        values = [likelihood(y, form.design @ free, True, before, work, *empty) for free in starts]
    else:
        tilt, found = float(form.model == "gjr"), lanes((y - mean) ** 2, _ALPHAS, _BETAS, 1.0)
        families = _EACH if len(y) < _SHORT else _FAMILIES
        places = [family.start + int(found[family].argmax()) for family in families]
        pairs = [(float(_ALPHAS[i]), float(_BETAS[i])) for i in places]
        guesses = [Garch(1 - a - b, a * (1 - tilt / 2), b, a * tilt, mean, nu, form.model) for a, b in pairs]
        starts, values = [form.free(guess, 1.0) for guess in guesses], [float(found[i]) for i in places]
    order = sorted(range(len(starts)), key=lambda i: -values[i])
    return [starts[i] for i in order if form.egarch or values[i] > max(values) - RIVAL]
