"""How much of a Sharpe ratio is the search that found it.

Ratios are per bar unless a name says a year; the kurtosis of a normal is 3. A ratio that cannot be estimated (fewer
than two returns, or returns that do not vary) is NaN, and so is everything that would follow from it.
"""

import math
from statistics import NormalDist

import msgspec
import numpy as np

from seakeep.core.market import Float64, Int64
from seakeep.stats.performance import LEVEL, probabilistic_sharpe, sharpe, sharpe_error

__all__ = [
    "COPIES",
    "Search",
    "SharpeSample",
    "deflated_sharpe",
    "expected_max",
    "groups",
    "min_backtest_years",
    "min_track_record",
    "sharpe_sample",
]

COPIES = 0.5
"""Returns that correlate at least this much count as one idea tried twice."""

_NORMAL = NormalDist()
_NAN = float("nan")


class SharpeSample(msgspec.Struct, frozen=True):
    """A Sharpe ratio per bar and what its error rests on: number of returns, their skew and kurtosis."""

    ratio: float
    n: int
    skew: float = 0.0
    kurtosis: float = 3.0

    @property
    def error(self) -> float:
        """Standard error of the ratio."""
        return sharpe_error(self.ratio, self.n, self.skew, self.kurtosis)

    def above(self, benchmark: float = 0.0) -> float:
        """Probability that the true ratio is above the benchmark (probabilistic Sharpe ratio)."""
        return probabilistic_sharpe(self.ratio, self.n, self.skew, self.kurtosis, benchmark)


class Search(msgspec.Struct, frozen=True):
    """What was tried before a result was shown: evaluations, how many of them are ideas of their own, and the variance
    of their annual Sharpe ratios. One evaluation is no search."""

    trials: int = 1
    effective: float = 1.0
    variance: float = 0.0

    @property
    def best_of_luck(self) -> float:
        """The annual Sharpe ratio that the best of so many worthless ideas is expected to show."""
        return math.sqrt(self.variance) * expected_max(self.effective)


def sharpe_sample(returns: Float64) -> SharpeSample:
    """Sharpe ratio of returns (n,) per bar, with its moments (population, as Bailey and Lopez de Prado use them).

    Raises: ValueError if a return is not a finite number.
    """
    if not np.isfinite(returns).all():
        raise ValueError(f"return {int(np.argmin(np.isfinite(returns)))} is not a finite number")
    ratio = sharpe(returns, 1)
    if not math.isfinite(ratio):
        return SharpeSample(_NAN, len(returns), _NAN, _NAN)
    deviations = (returns - returns.mean()) / returns.std()
    squares = deviations * deviations
    return SharpeSample(ratio, len(returns), float((squares * deviations).mean()), float((squares * squares).mean()))


def expected_max(n_trials: float) -> float:
    """Expected largest of n independent standard normals, by the approximation of the False Strategy theorem [1]_.

    >>> round(expected_max(100), 4)
    2.5306

    Nothing was chosen from a single trial: its expected maximum is 0. Raises: ValueError below 1.

    .. [1] Bailey, Borwein, Lopez de Prado and Zhu, "Pseudo-mathematics and financial charlatanism", Notices of the AMS
       61 (2014).
    """
    if not 1 <= n_trials < math.inf:
        raise ValueError(f"a search has at least one trial, got {n_trials}")
    if n_trials == 1:
        return 0.0
    high, higher = _NORMAL.inv_cdf(1 - 1 / n_trials), _NORMAL.inv_cdf(1 - 1 / (n_trials * math.e))
    return float((1 - np.euler_gamma) * high + np.euler_gamma * higher)


def deflated_sharpe(sample: SharpeSample, n_trials: float, variance: float) -> float:
    """Probability that the true ratio is above 0 although it is the best of `n_trials` [1]_.

    `variance` is that of the trials' ratios, in the unit of the sample (per bar).

    >>> round(deflated_sharpe(SharpeSample(2.5 / 250**0.5, 1250, -3, 10), 100, 0.5 / 250), 4)
    0.9004

    Raises: ValueError if the variance is negative or there is no trial.

    .. [1] Bailey and Lopez de Prado, "The deflated Sharpe ratio", Journal of Portfolio Management 40 (2014).
    """
    if not variance >= 0:
        raise ValueError(f"the variance of the trials must be >= 0, got {variance}")
    return sample.above(math.sqrt(variance) * expected_max(n_trials))


def min_track_record(sample: SharpeSample, benchmark: float = 0.0, confidence: float = LEVEL) -> float:
    """Returns needed until a ratio like this one is above the benchmark with `confidence` [1]_; infinite if it is not
    above it, NaN if it is not known.

    >>> round(min_track_record(SharpeSample(1.14, 250), 1.0), 3)
    228.735

    .. [1] Bailey and Lopez de Prado, "The Sharpe ratio efficient frontier", Journal of Risk 15 (2012).
    """
    if not math.isfinite(sample.ratio):
        return _NAN
    if sample.ratio <= benchmark:
        return math.inf
    spread = 1 - sample.skew * sample.ratio + (sample.kurtosis - 1) / 4 * sample.ratio**2
    return float(1 + spread * (_NORMAL.inv_cdf(confidence) / (sample.ratio - benchmark)) ** 2)


def min_backtest_years(n_trials: float, annual_ratio: float = 1.0) -> float:
    """Years of history below which the best of n worthless strategies is expected to show this annual ratio.

    >>> round(min_backtest_years(45), 1)
    5.0

    Raises: ValueError if the ratio is not positive.
    """
    if not annual_ratio > 0:
        raise ValueError(f"the ratio must be positive, got {annual_ratio}")
    return (expected_max(n_trials) / annual_ratio) ** 2


def groups(returns: Float64, threshold: float = COPIES) -> Int64:
    """First column each column is a copy of (k,), itself if of none: returns (n, k) of k strategies, in trial order.

    A strategy is a copy if it correlates at least `threshold` with one that came before and is no copy. Those that
    never varied are copies of the first such. The number of distinct values is the effective number of trials; the
    correlations left among them only make it too large, which is the cautious side.

    >>> groups(np.array([[1.0, 2.0, -1.0], [2.0, 4.1, 1.0], [3.0, 6.0, -1.0]])).tolist()
    [0, 0, 2]
    """
    centred = returns - returns.mean(axis=0)
    length = np.sqrt((centred * centred).sum(axis=0))
    alive = length > 1e-12 * np.abs(returns).max(initial=0.0)
    unit = np.where(alive, centred / np.where(alive, length, 1.0), 0.0)
    alike = unit.T @ unit >= threshold
    alike[np.ix_(~alive, ~alive)] = True
    first = np.empty(len(alike), np.int64)
    leads = np.zeros(len(alike), bool)
    for j, row in enumerate(alike):
        older = np.flatnonzero(row[:j] & leads[:j])
        first[j] = older[0] if len(older) else j
        leads[j] = not len(older)
    return first
