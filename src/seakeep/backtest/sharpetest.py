"""Is one Sharpe ratio larger than another? The test of Ledoit and Wolf [1]_: fat tails and dependence do not fool it.

Both runs are seen on the same periods. Returns are added up by day (by period where that is longer), so that the cost
does not depend on the length of a bar; a bootstrap sample draws whole days, of both runs at once.

.. [1] Ledoit and Wolf, "Robust performance hypothesis testing with the Sharpe ratio", Journal of Empirical Finance 15
   (2008).
"""

import math

import msgspec
import numpy as np

from seakeep.core.errors import NotEnoughHistory
from seakeep.core.market import Float64, Int64
from seakeep.stats.bootstrap import block_length

__all__ = ["SharpeDifference", "long_run_variance", "sharpe_difference"]

MIN_DAYS = 30
_LEVEL = 0.95


class SharpeDifference(msgspec.Struct, frozen=True):
    """Sharpe ratios per period of the first and the second, first less second, its 95 % interval, error and p-value.

    `p_normal` takes the error as that of a normal; `p_value` studentises every bootstrap sample by its own error, and
    is the one to believe. NaN where a run does not vary.
    """

    first: float
    second: float
    difference: float
    low: float
    high: float
    error: float
    p_value: float
    p_normal: float
    n: int
    days: int


def sharpe_difference(
    first: Float64, second: Float64, day: Int64 | None = None, *, samples: int = 1000, seed: int = 0
) -> SharpeDifference:
    """Test that two series of simple returns (n,), paired by time, have the same Sharpe ratio.

    `day` (n,) numbers, not falling, say which returns are resampled together; each for itself if not given.

    >>> same = sharpe_difference(np.array([0.01, -0.02, 0.03] * 10), np.array([0.01, -0.02, 0.03] * 10))
    >>> same.difference, same.p_value
    (0.0, 1.0)

    Raises: ValueError if shapes differ or a return is not finite; NotEnoughHistory below 30 days (or returns).
    """
    if first.shape != second.shape or first.ndim != 1 or (day is not None and day.shape != first.shape):
        raise ValueError(f"paired returns need one shape (n,), got {first.shape} and {second.shape}")
    moments = np.column_stack([first, second, first**2, second**2, np.ones(len(first))])
    if not np.isfinite(moments).all():
        raise ValueError("a return is not a finite number")
    days = moments if day is None else np.add.reduceat(moments, np.flatnonzero(np.diff(day, prepend=day[:1] - 1)))
    if len(days) < MIN_DAYS:
        raise NotEnoughHistory(f"a test of two Sharpe ratios needs {MIN_DAYS} days", value=len(days))
    return _tested(days, samples, np.random.default_rng(seed))


def _tested(days: Float64, samples: int, rng: np.random.Generator) -> SharpeDifference:
    n, d = int(days[:, 4].sum()), len(days)
    ratios, influence = _influence(days)
    first, second = float(ratios[0]), float(ratios[1])
    difference = first - second
    error = math.sqrt(d * long_run_variance(influence)) / n
    if not math.isfinite(difference) or error <= 1e-15:
        p = math.nan if not math.isfinite(difference) else float(difference == 0)
        return SharpeDifference(first, second, difference, difference, difference, 0.0, p, p, n, d)
    block = max(1, round(block_length(d)))
    drawn = np.array([_studentised(days, _circular(d, block, rng), block, difference) for _ in range(samples)])
    p_value = (1 + np.count_nonzero(drawn >= abs(difference) / error)) / (1 + samples)
    half = float(np.quantile(drawn, _LEVEL)) * error
    normal = math.erfc(abs(difference) / error / math.sqrt(2))
    low, high = difference - half, difference + half
    return SharpeDifference(first, second, difference, low, high, error, float(p_value), normal, n, d)


def _influence(days: Float64) -> tuple[Float64, Float64]:
    """Both Sharpe ratios (2,), and what each day (d,) moves their difference, n times over: gradient x deviation."""
    total = days.sum(axis=0)
    mean, square = total[:2] / total[4], total[2:4] / total[4]
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.sqrt(np.maximum(square - mean**2, 0.0))
        spread = np.where(spread > 1e-12 * np.sqrt(square), spread, np.nan)
        ratios = mean / spread * math.sqrt((total[4] - 1) / total[4])
        slopes = np.concatenate([square / spread**3 * [1, -1], -mean / (2 * spread**3) * [1, -1]])
    return ratios, (days[:, :4] - days[:, 4:] * np.concatenate([mean, square])) @ slopes


def _circular(d: int, block: int, rng: np.random.Generator) -> Int64:
    """Rows (d,) of a circular block bootstrap: blocks of one length from random places, the last cut short."""
    starts = rng.integers(0, d, -(-d // block))
    return np.asarray((starts[:, None] + np.arange(block)).reshape(-1)[:d] % d)


def _studentised(days: Float64, rows: Int64, block: int, difference: float) -> float:
    """How far a sample's difference is from the true one, in its own errors; infinite if it does not vary."""
    sample = days[rows]
    ratios, influence = _influence(sample)
    whole = len(rows) // block * block
    sums = influence[:whole].reshape(-1, block).sum(axis=1)
    error = math.sqrt(len(rows) * float(np.mean(sums**2)) / block) / float(sample[:, 4].sum())
    distance = abs(float(ratios[0] - ratios[1]) - difference)
    return distance / error if error > 0 and math.isfinite(distance) else math.inf


def long_run_variance(series: Float64, bandwidth: float | None = None) -> float:
    """Variance of a mean of dependent observations (n,), times n: autocovariances under Parzen's window.

    The bandwidth is that of Andrews [1]_ for a first-order autoregression if not given. The mean is taken off.

    .. [1] Andrews, "Heteroskedasticity and autocorrelation consistent covariance matrix estimation", Econometrica 59
       (1991).
    """
    n, x = len(series), series - series.mean()
    power = float(x @ x)
    if power == 0 or n < 2:
        return 0.0
    if bandwidth is None:
        rho = min(0.97, max(-0.97, float(x[1:] @ x[:-1]) / power))
        bandwidth = 2.6614 * (4 * rho**2 / (1 - rho) ** 4 * n) ** 0.2
    total = power
    for lag in range(1, min(n - 1, math.floor(bandwidth)) + 1):
        z = lag / bandwidth
        weight = 1 - 6 * z**2 + 6 * z**3 if z <= 0.5 else 2 * (1 - z) ** 3
        total += 2 * weight * float(x[lag:] @ x[:-lag])
    return max(total / n, 0.0)
