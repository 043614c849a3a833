"""Student's t fitted to returns by maximum likelihood: location, scale and degrees of freedom, with their covariance.

For given degrees of freedom the EM algorithm of Lange, Little and Taylor [1]_ finds location and scale; the degrees of
freedom follow by golden section on the profile, over 1 / nu so that the normal law is the near end.

.. [1] Lange, Little and Taylor, "Robust statistical modeling using the t distribution", Journal of the American
   Statistical Association 84 (1989).
"""

import math

import msgspec
import numpy as np

from seakeep.core.errors import ConvergenceError
from seakeep.core.jit import kernel
from seakeep.core.market import Float64

__all__ = ["Student", "fit_student", "student_loglik"]

NEAR_NORMAL, HEAVIEST = 0.005, 0.95
"""Ends of 1 / nu: 200 degrees of freedom are as good as normal, and below about one there is no mean."""


class Student(msgspec.Struct, frozen=True):
    """A fitted law and the covariance of (location, log scale, 1 / nu), row by row; `at_edge` if nu met its limit."""

    location: float
    scale: float
    nu: float
    n: int
    covariance: tuple[float, ...]
    loglik: float
    at_edge: bool


@kernel
def student_loglik(x: Float64, location: float, scale: float, nu: float) -> float:
    """Log-likelihood of x (n,)."""
    n, total = len(x), 0.0
    for value in x:
        z = (value - location) / scale
        total += math.log1p(z * z / nu)
    constant = math.lgamma(0.5 * (nu + 1.0)) - math.lgamma(0.5 * nu) - 0.5 * math.log(nu * math.pi) - math.log(scale)
    return float(n * constant - 0.5 * (nu + 1.0) * total)


@kernel
def _location_scale(x: Float64, nu: float, location: float, scale: float) -> tuple[float, float]:
    n = len(x)
    for _ in range(500):
        weights = moment = spread = 0.0
        for value in x:
            z = (value - location) / scale
            weight = (nu + 1.0) / (nu + z * z)
            weights += weight
            moment += weight * (value - location)
            spread += weight * z * z
        step = moment / weights
        growth = math.sqrt(spread / n)
        location += step
        scale *= growth
        if abs(step) < 1e-9 * scale and abs(growth - 1.0) < 1e-9:
            break
    return location, scale


@kernel
def _fit(x: Float64, near: float, far: float) -> tuple[float, float, float]:
    location, scale = np.median(x), x.std()
    ratio = 0.5 * (math.sqrt(5.0) - 1.0)
    low, high = near, far
    left, right = high - ratio * (high - low), low + ratio * (high - low)
    values = np.empty(2)
    for i, eta in enumerate((left, right)):
        location, scale = _location_scale(x, 1.0 / eta, location, scale)
        values[i] = student_loglik(x, location, scale, 1.0 / eta)
    while high - low > 1e-7:
        if values[0] >= values[1]:
            high, right, values[1] = right, left, values[0]
            left = high - ratio * (high - low)
            location, scale = _location_scale(x, 1.0 / left, location, scale)
            values[0] = student_loglik(x, location, scale, 1.0 / left)
        else:
            low, left, values[0] = left, right, values[1]
            right = low + ratio * (high - low)
            location, scale = _location_scale(x, 1.0 / right, location, scale)
            values[1] = student_loglik(x, location, scale, 1.0 / right)
    eta = 0.5 * (low + high)
    location, scale = _location_scale(x, 1.0 / eta, location, scale)
    return location, scale, 1.0 / eta


def fit_student(returns: Float64) -> Student:
    """Maximum likelihood over returns (n,), which must be finite and vary.

    At the near-normal edge of the degrees of freedom their error is not defined: the covariance holds them fixed.

    Raises: ConvergenceError if the likelihood has no maximum with a mean, as when many returns are equal.
    """
    x = np.ascontiguousarray(returns, np.float64)
    location, scale, nu = _fit(x, NEAR_NORMAL, HEAVIEST)
    if not (1 / nu < HEAVIEST - 1e-5 and scale > 1e-9 * x.std()):
        raise ConvergenceError(
            "Student's t has no likelihood maximum with a mean", value=nu, remedy="look for many equal returns"
        )
    at_edge = 1 / nu <= NEAR_NORMAL + 1e-5
    covariance = _covariance(x, location, scale, nu, at_edge)
    loglik = float(student_loglik(x, location, scale, nu))
    return Student(location, scale, nu, len(x), tuple(covariance.ravel().tolist()), loglik, at_edge)


def _covariance(x: Float64, location: float, scale: float, nu: float, at_edge: bool) -> Float64:
    """Inverse observed information of (location, log scale, 1 / nu), by central differences."""
    at, free = np.array([location, math.log(scale), 1 / nu]), 2 if at_edge else 3
    steps = np.array([1e-3 * scale, 1e-3, min(1e-3, 0.1 / nu)])

    def value(point: Float64) -> float:
        return float(student_loglik(x, point[0], math.exp(point[1]), 1 / point[2]))

    curvature = np.empty((free, free))
    moves = np.diag(steps)
    for i in range(free):
        for j in range(free):
            a, b = moves[i], moves[j]
            rise = value(at + a + b) - value(at + a - b) - value(at - a + b) + value(at - a - b)
            curvature[i, j] = rise / (4 * steps[i] * steps[j])
    out = np.zeros((3, 3))
    out[:free, :free] = np.linalg.inv(-curvature)
    return out
