"""ARMA(p, q) with a mean, fitted by exact maximum likelihood over the Kalman filter of its state space form.

    x[t] - mu = phi[0] (x[t-1] - mu) + ... + e[t] + theta[0] e[t-1] + ...

The variance of e is concentrated out; coefficients are searched through partial autocorrelations, which keeps every
trial stationary and invertible [2]_.

.. [1] Harvey, Forecasting, Structural Time Series Models and the Kalman Filter (1989), sections 3.3 and 3.4.
.. [2] Monahan, "A note on enforcing stationarity in autoregressive-moving average models", Biometrika 71 (1984).
"""

import math
from dataclasses import dataclass

import numpy as np

from seakeep.core.errors import ConvergenceError, DataError, NotEnoughHistory
from seakeep.core.jit import kernel
from seakeep.core.market import Float64

__all__ = ["ArmaFit", "arma_likelihood", "fit_arma", "sum_variance", "sum_weights"]

LEAST_ROWS = 50
"""Fewer rows cannot tell coefficients from noise."""
_SETTLED = 1e-13
_EDGE = 1 - 1e-8
"""Largest root of a process that counts as stationary."""


@dataclass(frozen=True, slots=True, eq=False)
class ArmaFit:
    """`phi` (p,), `theta` (q,), mean and variance of the shocks, in the units of the data; `n` rows."""

    phi: Float64
    theta: Float64
    mean: float
    variance: float
    log_likelihood: float
    n: int

    @property
    def bic(self) -> float:
        """Schwarz's criterion, mean and variance counted: lower is better."""
        return math.log(self.n) * (len(self.phi) + len(self.theta) + 2) - 2 * self.log_likelihood

    @property
    def mean_error(self) -> float:
        """Standard error of the mean, from the long-run variance of the process."""
        gain = (1 + self.theta.sum()) / (1 - self.phi.sum())
        return float(abs(gain) * math.sqrt(self.variance / self.n))


def fit_arma(x: Float64, p: int, q: int, start: ArmaFit | None = None) -> ArmaFit:
    """The ARMA(p, q) of largest likelihood over x (n,), oldest first; `start`, an earlier fit, is where to climb from.

    >>> rng = np.random.default_rng(1)
    >>> fit = fit_arma(rng.normal(0.1, 1.0, 2000), 0, 0)
    >>> round(fit.mean, 1), round(fit.variance, 1)
    (0.1, 1.0)

    Raises: NotEnoughHistory below 50 rows; DataError for rows that are not finite or do not vary; ValueError for a
    negative order or one above 5; ConvergenceError if no start leads to a maximum.
    """
    from scipy.optimize import minimize

    rows, centre, width = _checked(x, p, q)

    def loss(free: Float64) -> float:
        phi, theta = _stationary(free[1 : p + 1]), -_stationary(free[p + 1 :])
        value, _ = arma_likelihood(rows, phi, theta, float(free[0]))
        return -value / len(rows) if math.isfinite(value) else 1e10

    climbs = [minimize(loss, free, method="BFGS", options={"gtol": 1e-7}) for free in _starts(rows, p, q, start)]
    best = min(climbs, key=lambda climb: float(climb.fun))
    if not float(best.fun) < 1e9:
        raise ConvergenceError(
            f"ARMA({p}, {q}) on {len(rows)} rows: no start leads to a maximum", remedy="lower p or q"
        )
    phi, theta = _stationary(best.x[1 : p + 1]), -_stationary(best.x[p + 1 :])
    value, variance = arma_likelihood(rows, phi, theta, float(best.x[0]))
    mean = float(best.x[0]) * width + centre
    return ArmaFit(phi, theta, mean, variance * width**2, value - len(rows) * math.log(width), len(rows))


def _checked(x: Float64, p: int, q: int) -> tuple[Float64, float, float]:
    """Rows of mean 0 and variance 1, and what they were."""
    rows = np.asarray(x, np.float64)
    if rows.ndim != 1 or not (0 <= p <= 5 and 0 <= q <= 5):
        raise ValueError(f"rows (n,) and orders in 0 .. 5 are needed, got {rows.shape} and ({p}, {q})")
    if len(rows) < LEAST_ROWS:
        raise NotEnoughHistory(f"an ARMA fit needs at least {LEAST_ROWS} rows", value=len(rows), remedy="load more")
    if not np.isfinite(rows).all():
        row = int(np.argmin(np.isfinite(rows)))
        raise DataError(f"row {row} is not a finite number", value=float(rows[row]), remedy="fill or drop the gap")
    centre, width = float(rows.mean()), float(rows.std())
    if not width > 1e-12 * abs(centre):
        raise DataError("the rows do not vary", value=width, remedy="check the prices")
    return (rows - centre) / width, centre, width


def _starts(rows: Float64, p: int, q: int, start: ArmaFit | None) -> list[Float64]:
    """Mean and unbounded partial autocorrelations (1 + p + q,) to climb from."""
    if start is not None and (len(start.phi), len(start.theta)) == (p, q):
        return [np.concatenate([[0.0], _unbound(start.phi), _unbound(-start.theta)])]
    first = float(rows[1:] @ rows[:-1]) / len(rows)
    leads = [(first, 0.0)] if not (p and q) else [(first, 0.0), (0.6, 0.4), (-0.6, -0.4)]
    found = []
    for ar, ma in leads:
        free = np.zeros(1 + p + q)
        free[1 : 1 + min(p, 1)] = math.atanh(max(-0.9, min(0.9, ar)))
        free[1 + p : 1 + p + min(q, 1)] = math.atanh(max(-0.9, min(0.9, ma if p else -ar)))
        found.append(free)
    return found


def _stationary(free: Float64) -> Float64:
    """Coefficients (p,) of a stationary autoregression from any numbers (p,)."""
    partial, coefficients = np.tanh(free), np.empty(0)
    for r in partial.tolist():
        coefficients = np.append(coefficients - r * coefficients[::-1], r)
    return coefficients


def _unbound(coefficients: Float64) -> Float64:
    """The numbers (p,) that `_stationary` makes these coefficients of."""
    left, partial = np.array(coefficients, np.float64), []
    while len(left):
        r = max(-0.999, min(0.999, float(left[-1])))
        partial.append(r)
        left = (left[:-1] + r * left[:-1][::-1]) / (1 - r * r)
    return np.arctanh(partial[::-1])


def arma_likelihood(x: Float64, phi: Float64, theta: Float64, mean: float) -> tuple[float, float]:
    """Exact log-likelihood of x (n,) at the variance of the shocks that makes it largest, and that variance.

    -inf and NaN for coefficients whose process has no variance, since it is not stationary.
    """
    r = max(len(phi), len(theta) + 1)
    step = np.eye(r, k=1)
    step[: len(phi), 0] = phi
    shock = np.zeros(r)
    shock[0], shock[1 : len(theta) + 1] = 1.0, theta
    if not np.abs(np.linalg.eigvals(step)).max() < _EDGE:
        return -math.inf, math.nan
    spread = np.linalg.solve(np.eye(r * r) - np.kron(step, step), np.outer(shock, shock).ravel()).reshape(r, r)
    squares, logs = _innovations(x - mean, step, shock, spread)
    n = len(x)
    if not (squares > 0 and math.isfinite(squares + logs)):
        return -math.inf, math.nan
    return -0.5 * (n * (math.log(2 * math.pi * squares / n) + 1) + logs), squares / n


@kernel
def _innovations(x: Float64, step: Float64, shock: Float64, spread: Float64) -> tuple[float, float]:
    """Sums of v^2 / F and log F over the innovations v and their variances F; the gain is kept once it has settled."""
    r, squares, logs = len(shock), 0.0, 0.0
    state, ahead, gain, settled = np.zeros(r), np.zeros(r), np.zeros(r), False
    for t in range(len(x)):
        v = x[t] - state[0]
        if not settled:
            f = spread[0, 0]
            logs += math.log(f)
            for i in range(r):
                gain[i] = 0.0
                for j in range(r):
                    gain[i] += step[i, j] * spread[j, 0]
                gain[i] /= f
            moved = step @ spread @ step.T
            for i in range(r):
                for j in range(r):
                    spread[i, j] = moved[i, j] + shock[i] * shock[j] - gain[i] * gain[j] * f
            settled = abs(f - 1.0) < _SETTLED
            squares += v * v / f
        else:
            squares += v * v
        for i in range(r):
            ahead[i] = step[i, 0] * state[0] + gain[i] * v
            if i + 1 < r:
                ahead[i] += state[i + 1]
        state[:] = ahead
    return squares, logs


def sum_weights(phi: Float64, theta: Float64, horizon: int) -> Float64:
    """Weights (4,) of x, x before, shock and shock before in the forecast of the sum of the next `horizon` values.

    `phi` and `theta` (2,), of a process of mean zero.
    """
    weights, states = np.zeros(4), np.eye(4)
    values, shocks = states[:, :2], states[:, 2:]
    for _ in range(horizon):
        ahead = values @ phi + shocks @ theta
        weights += ahead
        values = np.column_stack([ahead, values[:, 0]])
        shocks = np.column_stack([np.zeros(4), shocks[:, 0]])
    return weights


def sum_variance(phi: Float64, theta: Float64, horizon: int) -> float:
    """Variance of the error of that forecast, for shocks of variance 1; `phi` and `theta` (2,).

    >>> sum_variance(np.zeros(2), np.zeros(2), 48)
    48.0
    """
    psi = np.zeros(horizon)
    psi[0] = 1.0
    for j in range(1, horizon):
        psi[j] = phi[0] * psi[j - 1] + (phi[1] * psi[j - 2] if j > 1 else 0.0) + (theta[j - 1] if j <= 2 else 0.0)
    return float((np.cumsum(psi) ** 2).sum())
