"""Extreme value theory: the generalised Pareto law of losses beyond a high threshold, by maximum likelihood.

For a loss above the threshold u, P(loss - u > y) = (1 + xi y / beta)^(-1 / xi). The likelihood is maximised over one
number (Grimshaw's reduction [1]_): with theta = xi / beta, the best shape is the mean of log(1 + theta y).

.. [1] Grimshaw, "Computing maximum likelihood estimates for the generalized Pareto distribution", Technometrics 35
   (1993). VaR and CVaR: McNeil, Frey and Embrechts, "Quantitative Risk Management" (2005), section 7.2.3.
"""

import math

import msgspec
import numpy as np

from seakeep.core.errors import ConfigError, ConvergenceError, NotEnoughHistory
from seakeep.core.jit import kernel
from seakeep.core.market import Float64

__all__ = ["MIN_EXCEEDANCES", "Pareto", "fit_pareto", "fit_tail", "pareto_loglik"]

MIN_EXCEEDANCES = 20
"""Fewer losses beyond the threshold do not fix two parameters."""


class Pareto(msgspec.Struct, frozen=True):
    """A fitted tail: shape `xi`, scale `beta` and their standard errors (observed information) and covariance.

    `exceedances` of `n` losses lie above `threshold`. Errors are NaN below xi = -1/2, where the usual theory ends.
    """

    xi: float
    beta: float
    threshold: float
    exceedances: int
    n: int
    xi_error: float = math.nan
    beta_error: float = math.nan
    covariance: float = math.nan
    loglik: float = math.nan

    @property
    def share(self) -> float:
        """Fraction of losses beyond the threshold."""
        return self.exceedances / self.n

    def tail(self, confidence: float) -> tuple[float, float]:
        """(VaR, CVaR); CVaR is infinite for xi >= 1.

        Raises: ConfigError if VaR would lie below the threshold, where the law says nothing.
        """
        if 1 - confidence > self.share:
            raise ConfigError(
                f"a tail of {self.exceedances} in {self.n} losses says nothing below confidence {1 - self.share:.4g}",
                value=confidence,
                remedy="ask for a higher confidence or take a larger tail share",
            )
        rate = math.log(self.share / (1 - confidence))
        beyond = self.beta * (math.expm1(self.xi * rate) / self.xi if abs(self.xi) > 1e-9 else rate)
        shortfall = math.inf if self.xi >= 1 else (beyond + self.beta) / (1 - self.xi)
        return self.threshold + beyond, self.threshold + shortfall

    def errors(self, confidence: float) -> tuple[float, float]:
        """Standard errors of (VaR, CVaR), by the delta method over xi, beta and the share of exceedances."""
        slopes = np.empty((3, 2))
        for i, step in enumerate((1e-5, 1e-5 * self.beta)):
            ends = [np.array(self._moved(i, sign * step).tail(confidence)) for sign in (1, -1)]
            slopes[i] = (ends[0] - ends[1]) / (2 * step) if np.isfinite(ends).all() else math.nan
        slopes[2] = self._share_slopes(confidence)
        cover = np.zeros((3, 3))
        cover[:2, :2] = [[self.xi_error**2, self.covariance], [self.covariance, self.beta_error**2]]
        cover[2, 2] = (1 - self.share) / self.exceedances
        variances = np.einsum("ik,ij,jk->k", slopes, cover, slopes)
        return float(np.sqrt(variances[0])), float(np.sqrt(variances[1]))

    def _moved(self, which: int, step: float) -> "Pareto":
        xi, beta = (self.xi + step, self.beta) if which == 0 else (self.xi, self.beta + step)
        return Pareto(xi, beta, self.threshold, self.exceedances, self.n)

    def _share_slopes(self, confidence: float) -> tuple[float, float]:
        """Slopes in the log of the share: beta (share / (1 - c))^xi, divided by 1 - xi for CVaR."""
        slope = self.beta * (self.share / (1 - confidence)) ** self.xi
        return slope, slope / (1 - self.xi) if self.xi < 1 else math.nan


@kernel
def _profile(excesses: Float64, theta: float) -> float:
    """Mean log-likelihood at its best shape for this theta; the limit at 0 is the exponential law."""
    total = 0.0
    for y in excesses:
        inside = 1.0 + theta * y
        if inside <= 0.0:
            return -np.inf
        total += math.log(inside)
    xi = total / len(excesses)
    if abs(theta) < 1e-12:
        return -math.log(excesses.mean()) - 1.0
    return -math.log(xi / theta) - xi - 1.0


@kernel
def _best_theta(excesses: Float64) -> float:
    """A scan over both signs of theta, then golden section around the best; excesses have mean 1."""
    largest = excesses.max()
    grid = np.empty(120)
    for i in range(60):
        grid[i] = -(1.0 - 10.0 ** (-4.0 + 4.0 * i / 60.0)) / largest
        grid[60 + i] = 10.0 ** (-4.0 + 6.0 * i / 59.0)
    grid = np.sort(grid)
    best, value = 0, -np.inf
    for i in range(120):
        found = _profile(excesses, grid[i])
        if found > value:
            best, value = i, found
    low, high = grid[max(best - 1, 0)], grid[min(best + 1, 119)]
    ratio = 0.5 * (math.sqrt(5.0) - 1.0)
    left, right = high - ratio * (high - low), low + ratio * (high - low)
    at_left, at_right = _profile(excesses, left), _profile(excesses, right)
    while high - low > 1e-10 * (1.0 + abs(high)):
        if at_left >= at_right:
            high, right, at_right = right, left, at_left
            left = high - ratio * (high - low)
            at_left = _profile(excesses, left)
        else:
            low, left, at_left = left, right, at_right
            right = low + ratio * (high - low)
            at_right = _profile(excesses, right)
    return float(0.5 * (low + high))


def pareto_loglik(excesses: Float64, xi: float, beta: float) -> float:
    """Log-likelihood of excesses (k,) >= 0; -inf outside the support."""
    inside = 1 + xi * excesses / beta
    if beta <= 0 or inside.min() <= 0:
        return -math.inf
    grown = np.log1p(xi * excesses / beta)
    body = excesses / beta if abs(xi) < 1e-9 else grown / xi
    return float(-len(excesses) * math.log(beta) - grown.sum() - body.sum())


def fit_pareto(losses: Float64, threshold: float) -> Pareto:
    """Maximum likelihood over the losses (n,) strictly above `threshold`.

    Raises: NotEnoughHistory below `MIN_EXCEEDANCES`; ConvergenceError where the likelihood has no inner maximum.
    """
    excesses = losses[losses > threshold] - threshold
    count = len(excesses)
    if count < MIN_EXCEEDANCES:
        raise NotEnoughHistory(
            f"a Pareto tail needs {MIN_EXCEEDANCES} losses beyond the threshold",
            value=count,
            remedy="pass more history or a lower threshold",
        )
    unit = float(excesses.mean())
    theta = float(_best_theta(excesses / unit))
    xi = float(np.log1p(theta * excesses / unit).mean())
    beta = unit * (xi / theta if abs(theta) > 1e-12 else 1.0)
    if not (-1 < xi < 10 and beta > 0):
        raise ConvergenceError("the Pareto likelihood has no inner maximum", value=xi, remedy="take a larger tail")
    spread = _covariance(excesses, xi, beta) if xi > -0.5 else np.full((2, 2), math.nan)
    xi_error, beta_error = np.sqrt(np.diag(spread)).tolist()
    loglik = pareto_loglik(excesses, xi, beta)
    return Pareto(xi, beta, threshold, count, len(losses), xi_error, beta_error, float(spread[0, 1]), loglik)


def fit_tail(losses: Float64, share: float = 0.10) -> Pareto:
    """The tail beyond the (1 - share) quantile of the losses (n,).

    Raises: ConfigError if share is outside (0, 0.5), NotEnoughHistory if it holds too few losses.
    """
    if not 0 < share < 0.5:
        raise ConfigError("the tail share must be in (0, 0.5)", value=share, remedy="write 0.05 to 0.15")
    count = int(len(losses) * share)
    if count < MIN_EXCEEDANCES:
        need = math.ceil(MIN_EXCEEDANCES / share)
        raise NotEnoughHistory(f"a Pareto tail of {share:g} needs at least {need} returns", value=len(losses))
    return fit_pareto(losses, float(np.partition(losses, len(losses) - count - 1)[len(losses) - count - 1]))


def _covariance(excesses: Float64, xi: float, beta: float) -> Float64:
    """Inverse of the observed information (2, 2), by central differences of the log-likelihood."""
    at, steps = np.array([xi, beta]), np.array([1e-4, 1e-4 * beta])
    curvature = np.empty((2, 2))
    for i in range(2):
        for j in range(2):
            di, dj = np.eye(2)[i] * steps, np.eye(2)[j] * steps
            corners = [
                pareto_loglik(excesses, *(at + a * di + b * dj)) for a, b in ((1, 1), (1, -1), (-1, 1), (-1, -1))
            ]
            curvature[i, j] = (corners[0] - corners[1] - corners[2] + corners[3]) / (4 * steps[i] * steps[j])
    if not np.isfinite(curvature).all():
        return np.full((2, 2), math.nan)
    return np.asarray(np.linalg.inv(-curvature))
