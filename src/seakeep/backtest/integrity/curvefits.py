"""A curve y = scale x shape(x, rate) through points, by least squares: decay of skill, growth of impact."""

import math
from collections.abc import Callable

import msgspec
import numpy as np

from seakeep.core.errors import ConvergenceError
from seakeep.core.market import Float64

__all__ = ["Fit", "decaying", "fit", "power"]

Shape = Callable[[Float64, float], Float64]


class Fit(msgspec.Struct, frozen=True):
    """Scale and rate with their standard errors (NaN below three points), and the residual sum of squares."""

    scale: float
    rate: float
    scale_error: float
    rate_error: float
    residual: float


def decaying(x: Float64, rate: float) -> Float64:
    """exp(-rate x): what is left of an effect that halves every ln 2 / rate."""
    return np.asarray(np.exp(-rate * x))


def power(x: Float64, rate: float) -> Float64:
    """x ** rate: 0.5 is the square-root law of impact."""
    return np.asarray(x**rate)


def fit(x: Float64, y: Float64, shape: Shape, rates: Float64) -> Fit:
    """Least squares of y (n,) on scale x shape(x, rate), begun at the best of `rates` (g,).

    For each rate the best scale is a projection, so the start is the best of a line search; errors are those of the
    linearised model, by n - 2.

    >>> x = np.arange(1.0, 9.0)
    >>> found = fit(x, 0.05 * np.exp(-x / 4), decaying, np.geomspace(0.01, 10, 40))
    >>> round(found.scale, 6), round(math.log(2) / found.rate, 6)
    (0.05, 2.772589)

    Raises: ValueError below two points or if one is not finite; ConvergenceError if no curve is found.
    """
    from scipy.optimize import curve_fit

    if x.shape != y.shape or x.ndim != 1 or len(x) < 2 or not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError(f"a curve needs two finite points (n,) or more, got {x.shape} and {y.shape}")
    columns = np.array([shape(x, float(rate)) for rate in rates])
    sizes = np.maximum((columns**2).sum(axis=1), 1e-300)
    best = int(np.argmax((columns @ y) ** 2 / sizes))
    start = (float(columns[best] @ y / sizes[best]), float(rates[best]))
    try:
        (scale, rate), covariance = curve_fit(
            lambda at, a, k: a * shape(at, k), x, y, start, method="lm", ftol=1e-13, xtol=1e-13, gtol=0.0, maxfev=5000
        )
    except RuntimeError as error:
        raise ConvergenceError(
            "no curve fits these points", remedy="look at them; is there an effect at all?"
        ) from error
    rest = y - float(scale) * shape(x, float(rate))
    known = len(x) > 2 and bool(np.isfinite(covariance).all())
    errors = np.sqrt(np.diag(covariance)).tolist() if known else [math.nan, math.nan]
    return Fit(float(scale), float(rate), errors[0], errors[1], float(rest @ rest))
