"""Whether forecasts of rows that were never seen have skill, and how far that may be believed.

The measure is the information coefficient: the rank correlation of forecasts and outcomes within each fold, so that no
fold's level counts. Labels overlap and symbols move together, so rows are not independent: sums over blocks of time of
`BLOCK` horizons are, nearly, and Student's t of the blocks gives the interval and the p-value.

Where folds also learn from rows after those they judge, what two blocks have in common by chance is counted twice: once
when the first is learnt from and the second judged, and once the other way round. The variance of the sum is then twice
that of independent blocks, and the error is taken as much larger; no estimate from the folds themselves could tell
[1]_. Walk-forward folds do not have this.

.. [1] Bengio and Grandvalet, "No unbiased estimator of the variance of K-fold cross-validation", Journal of Machine
   Learning Research 5 (2004).
"""

import math

import msgspec
import numpy as np

from seakeep.core.market import Float64, Int64
from seakeep.models.folding import Folds

__all__ = ["BLOCK", "Skill", "belief", "measure"]

BLOCK = 5
"""Horizons in a block of time."""


class Skill(msgspec.Struct, frozen=True):
    """Information coefficient `ic` with its 95 % interval, one-sided p-value of an IC <= 0, blocks of time, rows."""

    ic: float
    low: float
    high: float
    p_value: float
    blocks: int
    n: int

    @property
    def confidence(self) -> float:
        """`belief` in the skill."""
        return belief(self.p_value)


def belief(p_value: float) -> float:
    """What a p-value may move an even bet that there is nothing to: 2 P - 1, with P the probability of something.

    By the bound -e p ln p of the odds for nothing [1]_: no evidence (p >= 1 / e) gives 0, p = 0.036 a half. A p-value
    itself would not do: where there is nothing, half of all are below one half.

    >>> round(belief(0.05), 3), round(belief(0.001), 3), belief(0.5)
    (0.421, 0.963, 0.0)

    .. [1] Sellke, Bayarri and Berger, "Calibration of p values for testing precise null hypotheses", The American
       Statistician 55 (2001).
    """
    if not p_value < 1 / math.e:
        return 0.0
    odds = -math.e * p_value * math.log(p_value) if p_value > 0 else 0.0
    return (1 - odds) / (1 + odds)


def measure(forecast: Float64, outcome: Float64, ts: Int64, folds: Folds, horizon_ms: int) -> Skill:
    """Skill of out-of-fold means (n,) on outcomes (n,), both free of scale, of rows known at `ts` (n,).

    Rows with a NaN are left out. Below three blocks of time, or where a side does not vary, nothing is known: NaN, p 1.
    Raises: ValueError for a horizon below 1 ms.
    """
    if horizon_ms < 1:
        raise ValueError(f"the horizon must be at least 1 ms, got {horizon_ms}")
    seen = np.isfinite(forecast) & np.isfinite(outcome)
    payoff = np.full(len(ts), np.nan)
    for _, test in folds:
        rows = test[seen[test]]
        if len(rows) > 1:
            payoff[rows] = _standard(_ranks(forecast[rows])) * _standard(_ranks(outcome[rows]))
    rows = np.flatnonzero(np.isfinite(payoff))
    sums = _block_sums(payoff[rows], ts[rows], BLOCK * horizon_ms)
    blocks, n = len(sums), len(rows)
    spread = float(sums.std(ddof=1)) if blocks > 2 else 0.0
    if not spread > 0:
        return Skill(math.nan, math.nan, math.nan, 1.0, blocks, n)
    twice = any(len(train) and ts[train].max() > ts[test].min() for train, test in folds)
    error = spread * math.sqrt(blocks * (2 if twice else 1)) / n
    return _tested(float(payoff[rows].mean()), error, blocks, n)


def _tested(ic: float, error: float, blocks: int, n: int) -> Skill:
    from scipy.special import stdtr, stdtrit

    reach = float(stdtrit(blocks - 1, 0.975)) * error
    return Skill(ic, ic - reach, ic + reach, float(stdtr(blocks - 1, -ic / error)), blocks, n)


def _block_sums(x: Float64, ts: Int64, block_ms: int) -> Float64:
    """Sums of x (n,) over equal stretches of time, those without a row left out."""
    if not len(x):
        return x
    _, where = np.unique((ts - ts.min()) // block_ms, return_inverse=True)
    return np.asarray(np.bincount(where, weights=x), np.float64)


def _ranks(x: Float64) -> Float64:
    """Rank of each value (n,), ties sharing theirs."""
    _, where, counts = np.unique(x, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[where], np.float64)


def _standard(ranks: Float64) -> Float64:
    spread = float(ranks.std())
    return (ranks - ranks.mean()) / spread if spread > 0 else np.zeros(len(ranks))
