"""Does a VaR forecast cover what it says? The tests of the literature on one series of returns and forecasts.

A failure is a return below -VaR. Each test gives its statistic, its p-value under the hypothesis that the forecast is
right, and what it rests on; what cannot be tested (no failure at all) is NaN with a warning, never a pass. The tests of
expected shortfall are in `seakeep.stats.shortfall`.
"""

import math
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, chdtrc, ndtri, xlogy

from seakeep.core.errors import DataError, NotEnoughHistory
from seakeep.core.jit import kernel
from seakeep.core.market import Float64
from seakeep.stats.quantiles import checked_confidence

__all__ = [
    "Coverage",
    "TrafficLight",
    "conditional",
    "dynamic_quantile",
    "failures",
    "independence",
    "kupiec",
    "projection",
    "regressors",
    "traffic_light",
    "transitions",
    "weibull_duration",
]

PLUS_FACTORS = (0.4, 0.5, 0.65, 0.75, 0.85)
"""Supplement for five to nine failures in 250 days at 99 % (Basel Committee, 1996, table 2)."""
BASE_MULTIPLIER = 3.0
NO_FAILURES = "no failure: nothing is known about how failures follow each other"


class Coverage(msgspec.Struct, frozen=True):
    """One test: statistic, p-value, degrees of freedom, failures in n forecasts. NaN is "cannot be tested"."""

    test: str
    statistic: float
    p_value: float
    df: int
    failures: int
    n: int
    warnings: tuple[str, ...] = ()


class TrafficLight(msgspec.Struct, frozen=True):
    """Zone of the Basel Committee; `probability` is that of no more failures if the forecast is right.

    `multiplier` is 3 plus the supplement; limits are to be taken times 3 / multiplier (`limit_share`).
    """

    zone: Literal["green", "yellow", "red"]
    failures: int
    n: int
    expected: float
    probability: float
    plus_factor: float

    @property
    def multiplier(self) -> float:
        """Capital multiplier, 3 to 4."""
        return BASE_MULTIPLIER + self.plus_factor

    @property
    def limit_share(self) -> float:
        """What is left of a limit: 1 in the green zone, 0.75 in the red one."""
        return BASE_MULTIPLIER / self.multiplier


def failures(returns: Float64, var: Float64) -> NDArray[np.bool_]:
    """Whether each return (n,) fell below -VaR (n,), VaR a positive loss known before it.

    Raises: ValueError if shapes differ, DataError if a number is missing.
    """
    if returns.shape != var.shape or returns.ndim != 1:
        raise ValueError(f"returns and VaR must be columns of one length, got {returns.shape} and {var.shape}")
    if not (np.isfinite(returns).all() and np.isfinite(var).all()):
        row = int(np.argmin(np.isfinite(returns) & np.isfinite(var)))
        raise DataError(f"return or VaR {row} is not a finite number", remedy="test only days with a forecast")
    return np.asarray(returns < -var)


def _count(x: int, n: int) -> None:
    if not 0 <= x <= n or n < 1:
        raise ValueError(f"failures must be between 0 and n >= 1, got {x} of {n}")


def kupiec(x: int, n: int, confidence: float) -> Coverage:
    """Kupiec's proportion of failures: x failures in n against n (1 - c) (Journal of Derivatives 3, 1995).

    >>> round(kupiec(57, 1043, 0.95).p_value, 5)
    0.49694
    """
    _count(x, n)
    p, rate = 1 - checked_confidence(confidence), x / n
    against = xlogy(n - x, 1 - p) + xlogy(x, p)
    statistic = max(0.0, -2 * float(against - xlogy(n - x, 1 - rate) - xlogy(x, rate)))
    return Coverage("kupiec", statistic, float(chdtrc(1, statistic)), 1, x, n)


def transitions(hits: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Numbers of (none then none, none then failure, failure then none, failure then failure)."""
    pairs = np.bincount(2 * hits[:-1].astype(np.int64) + hits[1:], minlength=4)
    return int(pairs[0]), int(pairs[1]), int(pairs[2]), int(pairs[3])


def independence(n00: int, n01: int, n10: int, n11: int) -> Coverage:
    """Christoffersen's test that a failure makes the next no likelier (International Economic Review 39, 1998).

    >>> round(independence(932, 53, 53, 4).statistic, 5)
    0.25866
    """
    n, x = n00 + n01 + n10 + n11, n01 + n11
    _count(x, n)
    if x == 0 or n00 + n01 == 0 or n10 + n11 == 0:
        return Coverage("independence", math.nan, math.nan, 1, x, n, (NO_FAILURES,))
    calm, after, both = n01 / (n00 + n01), n11 / (n10 + n11), x / n
    apart = xlogy(n00, 1 - calm) + xlogy(n01, calm) + xlogy(n10, 1 - after) + xlogy(n11, after)
    statistic = max(0.0, 2 * float(apart - xlogy(n00 + n10, 1 - both) - xlogy(x, both)))
    return Coverage("independence", statistic, float(chdtrc(1, statistic)), 1, x, n)


def conditional(coverage: Coverage, independent: Coverage) -> Coverage:
    """Christoffersen's conditional coverage: Kupiec's statistic plus that of independence, two degrees of freedom."""
    statistic = coverage.statistic + independent.statistic
    p = float(chdtrc(2, statistic)) if math.isfinite(statistic) else math.nan
    return Coverage("conditional", statistic, p, 2, coverage.failures, coverage.n, independent.warnings)


def dynamic_quantile(
    returns: Float64, var: Float64, confidence: float, lags: int = 4, *, squares: bool = False
) -> Coverage:
    """Engle and Manganelli's DQ test: failures must not be foretold by past failures or by the forecast itself.

    Regressors are a constant, `lags` earlier failures and the VaR of the day (Journal of Business and Economic
    Statistics 22, 2004), with `squares` also the squared return of the day before, as in R's GAS. A forecast that
    never moves adds no regressor: the degrees of freedom are the rank. Units do not matter: columns are standardised.

    Raises: NotEnoughHistory with fewer than 10 forecasts a regressor.
    """
    hits = failures(returns, var)
    p, n = 1 - checked_confidence(confidence), len(hits)
    if n < 10 * (lags + 2):
        raise NotEnoughHistory(f"the DQ test needs at least {10 * (lags + 2)} forecasts", value=n)
    excess = hits.astype(np.float64) - p
    rows = regressors(excess, var, lags)
    if squares:
        rows = np.vstack([rows, _standardised(np.asarray(returns, np.float64) ** 2)[lags - 1 : n - 1]])
    projected, rank = projection(excess[lags:], rows)
    statistic, notes = projected / (p * (1 - p)), () if hits.any() else (NO_FAILURES,)
    return Coverage("dynamic_quantile", statistic, float(chdtrc(rank, statistic)), rank, int(hits.sum()), n, notes)


def regressors(excess: Float64, var: Float64, lags: int) -> Float64:
    """A constant, the `lags` earlier excess failures and the standardised VaR of each day after them, (2 + lags, m)."""
    n = len(excess)
    level = _standardised(var)[lags:]
    return np.stack([np.ones(n - lags), *(excess[lags - i : n - i] for i in range(1, lags + 1)), level])


def _standardised(column: Float64) -> Float64:
    """Less its mean and over its deviation; zeros if it never moves."""
    spread = float(column.std())
    still = spread <= 1e-12 * float(np.abs(column).max())
    return np.zeros(len(column)) if still else np.asarray((column - column.mean()) / spread)


@kernel
def projection(y: Float64, rows: Float64) -> tuple[float, int]:
    """Square of the part of y (m,) that rows (k, m) explain, and their rank, by elimination of the normal equations."""
    k = len(rows)
    left, right = np.empty((k, k)), np.empty(k)
    for i in range(k):
        right[i] = (rows[i] * y).sum()
        for j in range(i + 1):
            left[i, j] = left[j, i] = (rows[i] * rows[j]).sum()
    total, rank, whole = 0.0, 0, np.diag(left).copy()
    for i in range(k):
        if left[i, i] <= 1e-10 * whole[i]:
            continue
        rank += 1
        total += right[i] * right[i] / left[i, i]
        for j in range(i + 1, k):
            share = left[j, i] / left[i, i]
            right[j] -= share * right[i]
            for c in range(i + 1, k):
                left[j, c] -= share * left[i, c]
    return total, rank


@kernel
def _weibull_shape(logs: Float64, ended: NDArray[np.bool_]) -> float:
    """Where the slope of the log-likelihood, which falls with b, is zero: bisection of (0.01, 20)."""
    whole, known = ended.sum(), 0.0
    for i in range(len(logs)):
        known += logs[i] if ended[i] else 0.0
    low, high = 0.01, 20.0
    for _ in range(50):
        b = 0.5 * (low + high)
        total = weighted = 0.0
        for value in logs:
            power = math.exp(b * value)
            total += power
            weighted += power * value
        if whole / b + known - whole * weighted / total > 0.0:
            low = b
        else:
            high = b
    return 0.5 * (low + high)


def weibull_duration(hits: NDArray[np.bool_]) -> tuple[Coverage, float]:
    """Christoffersen and Pelletier's duration test, and the Weibull shape b: 1 is no memory, below 1 is clustering.

    The first and last durations are censored unless a failure is there (Journal of Financial Econometrics 2, 2004).
    """
    at, n = np.flatnonzero(hits), len(hits)
    if len(at) < 2:
        note = "fewer than two failures: there is no duration between them"
        return Coverage("weibull_duration", math.nan, math.nan, 1, len(at), n, (note,)), math.nan
    lengths, ended = np.diff(at).astype(np.float64), np.ones(len(at) - 1, np.bool_)
    if not hits[0]:
        lengths, ended = np.append(at[0] + 1.0, lengths), np.append(False, ended)
    if not hits[-1]:
        lengths, ended = np.append(lengths, n - 1.0 - at[-1]), np.append(ended, False)
    logs, whole = np.log(lengths), int(ended.sum())

    def loglik(b: float) -> float:
        total = float(np.exp(b * logs).sum())
        return whole * math.log(whole * b / total) + (b - 1) * float(logs[ended].sum()) - whole

    shape = float(_weibull_shape(logs, ended))
    statistic = max(0.0, 2 * (loglik(shape) - loglik(1.0)))
    return Coverage("weibull_duration", statistic, float(chdtrc(1, statistic)), 1, len(at), n), shape


def traffic_light(x: int, n: int, confidence: float = 0.99) -> TrafficLight:
    """The Basel zone of x failures in n days: yellow from 95 %, red from 99.99 % of the binomial law.

    The supplement is the table's for 250 days at 99 %; elsewhere 3 (z(c) / z(1 - x / n) - 1), the rule the table was
    drawn up with, and in the red zone 1.

    >>> traffic_light(6, 250).zone, traffic_light(6, 250).plus_factor
    ('yellow', 0.5)
    """
    _count(x, n)
    p = 1 - checked_confidence(confidence)
    probability = float(bdtr(x, n, p))
    if probability < 0.95:
        return TrafficLight("green", x, n, n * p, probability, 0.0)
    if probability >= 0.9999:
        return TrafficLight("red", x, n, n * p, probability, 1.0)
    if (n, round(p, 9)) == (250, 0.01):
        plus = PLUS_FACTORS[x - 5]
    else:
        reached = float(ndtri(1 - x / n))
        plus = min(1.0, BASE_MULTIPLIER * (float(ndtri(confidence)) / reached - 1)) if reached > 0 else 1.0
    return TrafficLight("yellow", x, n, n * p, probability, plus)
