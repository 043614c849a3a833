"""Kernels of the conditional variance models: recursion, log-likelihood, score and information in one pass.

Parameters `theta` (6,) are mu, omega, a, b, beta, eta; eta is 1 / degrees of freedom, 0 for normal errors. With
e[t] = x[t] - mu and z[t] = e[t] / sqrt(h[t]) the next variance is

    h' = omega + a e^2 [e >= 0] + b e^2 [e < 0] + beta h                GARCH (a = b) and GJR
    log h' = omega + a (|z| - sqrt(2 / pi)) + b z + beta log h          EGARCH

The slope of log h with respect to theta follows h by a recursion of its own, so score and expected information cost
little more than the likelihood [1]_. The pass leaves its rows behind: they are the scores of single observations.

.. [1] Fiorentini, Calzolari and Panattoni, "Analytic derivatives and the computation of GARCH estimates", Journal of
   Applied Econometrics 11 (1996).
"""

import math

import numpy as np

from seakeep.core.jit import FUSED, kernel
from seakeep.core.market import Float64

__all__ = ["MEAN_ABS", "ROWS", "ewma_variances", "lanes", "likelihood", "moments", "polygamma", "standardised", "sweep"]

MEAN_ABS = math.sqrt(2 / math.pi)
"""Mean of |z| for a standard normal."""
ROWS = 8
"""Rows of the work array (8, n + 1): five slopes of log h, the weight of a slope in the score, the score of mu itself,
and h, of which the last column holds the next."""


@kernel
def ewma_variances(squares: Float64, decay: float, first: float) -> Float64:
    """Variances (n + 1,) before each of the squared returns (n,) and after the last; `first` is the first of them."""
    out = np.empty(len(squares) + 1)
    out[0] = first
    for t in range(len(squares)):
        out[t + 1] = decay * out[t] + (1 - decay) * squares[t]
    return out


@kernel
def moments(x: Float64) -> tuple[float, float, float, float]:
    """Mean, standard deviation (by n), the variance before the first row (weighted average of 75 squares), largest |x|.

    The deviation is not finite if a row is not.
    """
    mean = x.mean()
    total = first = weights = largest = 0.0
    weight = 1.0
    for t in range(len(x)):
        square = (x[t] - mean) ** 2
        total += square
        largest = max(largest, abs(x[t]))
        if t < 75:
            first += weight * square
            weights += weight
            weight *= 0.94
    return mean, math.sqrt(total / len(x)), first / weights, largest


@kernel
def lanes(squares: Float64, alpha: Float64, beta: Float64, first: float) -> Float64:
    """Log-likelihoods (k,), without the constant, of k GARCH(1,1) side by side, each with long-run variance `first`."""
    k = len(alpha)
    omega, h = (1 - alpha - beta) * first, np.full(k, first)
    product, loss = np.ones(k), np.zeros(k)
    for t in range(len(squares)):
        square = squares[t]
        for i in range(k):
            loss[i] += square / h[i]
            product[i] *= h[i]
            h[i] = omega[i] + alpha[i] * square + beta[i] * h[i]
        if t & 7 == 7:
            loss += np.log(product)
            product[:] = 1.0
    return -0.5 * (loss + np.log(product))


@kernel
def standardised(x: Float64, mean: float, scale: float, variances: Float64) -> tuple[Float64, Float64]:
    """Volatility (n,) in the units of x, and residuals (n,), from variances in units of `scale`."""
    sigma, residuals = np.empty(len(x)), np.empty(len(x))
    for t in range(len(x)):
        sigma[t] = math.sqrt(variances[t]) * scale
        residuals[t] = (x[t] - mean) / sigma[t]
    return sigma, residuals


@kernel(fastmath=FUSED)
def sweep(x: Float64, theta: Float64, egarch: bool, presample: Float64, work: Float64) -> tuple[float, ...]:
    """Fill `work` (8, n + 1); return the sums of log h, log q, the score of mu, 1 / h and the weights.

    `presample` is (v, s, m): the variance before the first row is v + s (m - mu)^2. q is what Student's t makes of z:
    1 + z^2 / (nu - 2).
    """
    mu, omega, a, b, beta, eta = theta
    student, nu = eta > 0.0, 1.0 / max(eta, 1e-9)
    before, before_slope = (
        presample[0] + presample[1] * (presample[2] - mu) ** 2,
        -2 * presample[1] * (presample[2] - mu),
    )
    persistence = beta if egarch else beta + 0.5 * (a + b)
    log_h = omega + beta * math.log(before) if egarch else 0.0
    h = math.exp(log_h) if egarch else omega + persistence * before
    g0 = persistence * before_slope / (before if egarch else h)
    g1 = 1.0 if egarch else 1.0 / h
    g2 = g3 = 0.0 if egarch else 0.5 * before / h
    g4 = math.log(before) if egarch else before / h
    sum_log_h = sum_log_q = sum_direct = sum_inverse = sum_weight = 0.0
    product_h = product_q = 1.0
    inverse, root = 1.0 / h, 1.0 / math.sqrt(h)
    for t in range(len(x)):
        e = x[t] - mu
        z2 = e * e * inverse
        pull = 1.0
        if student:
            pull = (nu + 1.0) / (nu - 2.0 + z2)
            product_q *= 1.0 + z2 / (nu - 2.0)
        product_h *= h
        if t & 7 == 7:
            sum_log_h += math.log(product_h)
            sum_log_q += math.log(product_q)
            product_h = product_q = 1.0
        weight, direct = 0.5 * (pull * z2 - 1.0), pull * e * inverse
        work[0, t], work[1, t], work[2, t], work[3, t], work[4, t] = g0, g1, g2, g3, g4
        work[5, t], work[6, t], work[7, t] = weight, direct, h
        sum_direct, sum_inverse, sum_weight = sum_direct + direct, sum_inverse + inverse, sum_weight + weight
        if egarch:
            z, size = e * root, abs(e * root)
            carry = beta - 0.5 * (a * size + b * z)
            g0 = carry * g0 - (b + math.copysign(a, e)) * root
            g1, g2, g3, g4 = carry * g1 + 1.0, carry * g2 + size - MEAN_ABS, carry * g3 + z, carry * g4 + log_h
            log_h = omega + a * (size - MEAN_ABS) + b * z + beta * log_h
            root = math.exp(-0.5 * log_h)
            inverse = root * root
            h = 1.0 / inverse
        else:
            rise = 1.0 * (e >= 0.0)
            up, down = rise * e * e, (1.0 - rise) * e * e
            after = omega + a * up + b * down + beta * h
            inverse = 1.0 / after
            carry = beta * h * inverse
            g0 = carry * g0 - 2.0 * inverse * (b + rise * (a - b)) * e
            g1, g2, g3 = carry * g1 + inverse, carry * g2 + up * inverse, carry * g3 + down * inverse
            g4 = carry * g4 + h * inverse
            h = after
    sum_log_h, sum_log_q = sum_log_h + math.log(product_h), sum_log_q + math.log(product_q)
    work[7, len(x)] = h
    return sum_log_h, sum_log_q, sum_direct, sum_inverse, sum_weight


@kernel(fastmath=FUSED)
def _dot(x: Float64, y: Float64) -> float:
    """Inner product in pieces too short for the algebra library to split between threads: always the same bits."""
    total = 0.0
    for t in range(0, len(x), 4096):
        total += np.dot(x[t : t + 4096], y[t : t + 4096])
    return total


@kernel
def polygamma(x: float) -> tuple[float, float]:
    """Digamma and trigamma of x > 0: recurrence up to 10, then the asymptotic series (errors below 1e-12)."""
    first = second = 0.0
    while x < 10.0:
        first -= 1.0 / x
        second += 1.0 / (x * x)
        x += 1.0
    r = 1.0 / (x * x)
    first += math.log(x) - 0.5 / x - r * (1 / 12 - r * (1 / 120 - r * (1 / 252 - r * (1 / 240 - r / 132))))
    series = 1 / 6 - r * (1 / 30 - r * (1 / 42 - r * (1 / 30 - r * 5 / 66)))
    return first, second + 1.0 / x + 0.5 * r + series * r / x


@kernel
def _student(n: int, nu: float, log_q: float, pulled: float) -> tuple[float, ...]:
    """Share of t errors in the log-likelihood, its slope in eta, and expected information per observation.

    The last four: of log h, of mu times h, of log h with eta, of eta. `pulled` is the sum of pull * z^2.
    """
    k = nu - 2.0
    upper, upper2 = polygamma(0.5 * (nu + 1.0))
    lower, lower2 = polygamma(0.5 * nu)
    constant = math.lgamma(0.5 * (nu + 1.0)) - math.lgamma(0.5 * nu) - 0.5 * math.log(math.pi * k)
    total = n * constant - 0.5 * (nu + 1.0) * log_q
    slope = 0.5 * (n * (upper - lower - 1.0 / k) - log_q + pulled / k)
    spread, step = nu / (2.0 * (nu + 3.0)), 2.0 / (nu * k)
    cross = -1.0 / ((nu + 1.0) * (nu + 3.0))
    own = 0.25 * (lower2 - upper2) - (nu + 5.0) / (2.0 * nu * (nu + 1.0) * (nu + 3.0))
    own += 2.0 * step * cross + step * step * spread
    cross += step * spread
    return total, -nu * nu * slope, spread, nu * (nu + 1.0) / (k * (nu + 3.0)), -nu * nu * cross, nu**4 * own


@kernel
def likelihood(
    x: Float64, theta: Float64, egarch: bool, presample: Float64, work: Float64, score: Float64, information: Float64
) -> float:
    """Log-likelihood of x (n,); fills `score` (6,), the expected `information` (6, 6) and `work` (8, n + 1)."""
    n = len(x)
    log_h, log_q, direct, inverse, weight = sweep(x, theta, egarch, presample, work)
    pulled = 2.0 * weight + n
    total, by_eta = -0.5 * (pulled + n * math.log(2.0 * math.pi)), 0.0
    spread, location, cross, own = 0.5, 1.0, 0.0, 1.0
    if theta[5] > 0.0:
        total, by_eta, spread, location, cross, own = _student(n, 1.0 / theta[5], log_q, pulled)
    ones = np.ones(n if cross != 0.0 else 0)
    for i in range(5):
        score[i] = _dot(work[i, :n], work[5, :n])
        information[i, 5] = information[5, i] = cross * _dot(work[i, :n], ones) if cross != 0.0 else 0.0
        for j in range(i + 1):
            information[i, j] = information[j, i] = spread * _dot(work[i, :n], work[j, :n])
    score[0] += direct
    information[0, 0] += location * inverse
    score[5], information[5, 5] = by_eta, n * own
    return float(total - 0.5 * log_h)
