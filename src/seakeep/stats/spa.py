"""Is the best of many strategies better than a benchmark, given that it is the best of many?

White's reality check [1]_, Hansen's test of superior predictive ability [2]_, and its stepwise form [3]_ that names
every strategy which is better. All three compare the best mean with its law under the hypothesis that no strategy is
better, drawn by the stationary bootstrap, so that correlated strategies need no correction of their own.

.. [1] White, "A reality check for data snooping", Econometrica 68 (2000).
.. [2] Hansen, "A test for superior predictive ability", Journal of Business and Economic Statistics 23 (2005).
.. [3] Hsu, Hsu and Kuan, "Testing the predictive ability of technical analysis using a new stepwise test without data
   snooping bias", Journal of Empirical Finance 17 (2010).
"""

import math
from dataclasses import dataclass

import numpy as np

from seakeep.core.errors import NotEnoughHistory
from seakeep.core.market import Float64, Int64
from seakeep.stats.blocks import automatic_block
from seakeep.stats.bootstrap import stationary_rows

__all__ = ["Snooping", "long_run_deviation", "spa", "stepwise"]

MIN_ROWS = 30
_CELLS = 1 << 21
_COLUMNS = 64


@dataclass(frozen=True, slots=True, eq=False)
class Snooping:
    """The test of k strategies: `statistic` of the best of them (column `best`), and three p-values.

    `lower` takes strategies that are worse than the benchmark for as bad as they look, `upper` takes all for just as
    good as it (without studentizing that is White's reality check), `consistent` drops those that are clearly worse.
    `better` lists the columns that are better than the benchmark at the level asked for (stepwise).
    """

    statistic: float
    best: int
    lower: float
    consistent: float
    upper: float
    better: Int64
    samples: int


def spa(
    differences: Float64,
    *,
    block: float | None = None,
    samples: int = 1000,
    studentize: bool = True,
    level: float = 0.05,
    seed: int,
) -> Snooping:
    """Test of k strategies whose performance over the benchmark's is `differences` (n, k), a row a bar.

    `block` is the mean length of a bootstrap block; the mean of what each column needs if not given. With `studentize`
    each mean is divided by its long-run deviation (Hansen); without, the largest mean counts (White). Same seed, same
    bits.

    Raises: ValueError for a wrong shape, numbers that are not finite, or fewer than 99 samples; NotEnoughHistory below
    30 rows.
    """
    table = _checked(differences, samples)
    n = len(table)
    mean_block = float(automatic_block(table).mean()) if block is None else block
    if not mean_block >= 1:
        raise ValueError(f"a block holds at least one bar, got {block}")
    mean, omega = table.mean(axis=0), long_run_deviation(table, mean_block)
    scale = math.sqrt(n) / (np.where(omega > 0, omega, np.inf) if studentize else np.ones_like(omega))
    drawn = _means(table - mean, mean_block, samples, seed) * scale
    ours = mean * scale
    clearly_worse = mean < -omega * math.sqrt(2 * math.log(math.log(n)) / n)
    centres = (np.minimum(mean, 0.0), np.where(clearly_worse, mean, 0.0), np.zeros_like(mean))
    best = int(ours.argmax())
    statistic = max(0.0, float(ours[best]))
    lower, consistent, upper = (_p_value(drawn + centre * scale, statistic) for centre in centres)
    better = stepwise(drawn + centres[1] * scale, ours, level)
    return Snooping(statistic, best, lower, consistent, upper, better, samples)


def stepwise(drawn: Float64, ours: Float64, level: float = 0.05) -> Int64:
    """Columns whose statistic in `ours` (k,) is above what luck reaches in `drawn` (b, k), at most `level` of the time.

    Those that are found are taken out and the rest is held to what is left of luck, until none is found.
    """
    left = np.ones(len(ours), bool)
    while left.any():
        limit = np.quantile(np.maximum(drawn[:, left].max(axis=1), 0.0), 1 - level)
        found = left & (ours > limit)
        if not found.any():
            break
        left &= ~found
    return np.flatnonzero(~left)


def long_run_deviation(table: Float64, block: float) -> Float64:
    """Deviation (k,) of sqrt(n) times each column's mean, (n, k), under the stationary bootstrap of that mean block."""
    n, keep = len(table), 1 - 1 / block
    lags = np.arange(1, n)
    weights = (1 - lags / n) * keep**lags + lags / n * keep ** (n - lags)
    found = np.empty(table.shape[1])
    for j in range(0, table.shape[1], _COLUMNS):
        centred = table[:, j : j + _COLUMNS] - table[:, j : j + _COLUMNS].mean(axis=0)
        power = np.abs(np.fft.rfft(centred, 2 * n, axis=0)) ** 2
        covariance = np.fft.irfft(power, axis=0)[:n] / n
        found[j : j + _COLUMNS] = covariance[0] + 2 * weights @ covariance[1:]
    return np.sqrt(np.maximum(found, 0.0))


def _checked(differences: Float64, samples: int) -> Float64:
    table = np.ascontiguousarray(differences, dtype=np.float64)
    if table.ndim != 2 or not table.shape[1] or not np.isfinite(table).all():
        raise ValueError(f"differences must be finite numbers (n, k), got shape {table.shape}")
    if samples < 99:
        raise ValueError(f"a p-value of one per cent needs at least 99 samples, got {samples}")
    if len(table) < MIN_ROWS:
        raise NotEnoughHistory("too few bars to resample", value=len(table), remedy=f"{MIN_ROWS} are needed")
    return table


def _means(centred: Float64, block: float, samples: int, seed: int) -> Float64:
    """Means (samples, k) of bootstrap samples: how often each row is drawn, times the rows."""
    rng, n = np.random.default_rng(seed), len(centred)
    found = np.empty((samples, centred.shape[1]))
    batch = max(1, _CELLS // n)
    for first in range(0, samples, batch):
        size = min(batch, samples - first)
        draws = (stationary_rows(*rng.random((2, n)), block) for _ in range(size))
        counts = np.array([np.bincount(rows, minlength=n) for rows in draws], np.float64)
        found[first : first + size] = counts @ centred / n
    return found


def _p_value(drawn: Float64, statistic: float) -> float:
    """Share of samples whose best is at least ours, ours among them: never 0."""
    return float((1 + (np.maximum(drawn.max(axis=1), 0.0) >= statistic).sum()) / (1 + len(drawn)))
