"""How returns move together: covariance estimates, their error, and who leads whom.

Rows are observations (oldest first), columns are assets: returns (n, k). Every estimate keeps the covariance per bar
in the square of the returns' unit; correlations have a unit diagonal.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from seakeep.core.errors import ConfigError, DataError, NotEnoughHistory
from seakeep.core.market import Float64, Int64
from seakeep.core.registry import nearest

__all__ = [
    "Covariance",
    "LeadLag",
    "covariance",
    "denoise",
    "ewma_covariance",
    "lead_lag",
    "marchenko_pastur",
    "shrink",
]

TARGETS = ("identity", "constant")
MIN_ROWS = 10
"""Fewer observations say next to nothing about a correlation."""


@dataclass(frozen=True, slots=True, eq=False)
class Covariance:
    """An estimate of the covariance `matrix` (k, k) of k assets from `n` observations by `method`.

    `effective_n` counts equally weighted observations that would be as exact; `shrinkage` is the weight in [0, 1] of
    a shrinkage target; `signals` the number of eigenvalues told from noise, k where nothing was denoised.
    """

    matrix: Float64
    n: int
    method: str
    effective_n: float
    shrinkage: float = 0.0
    signals: int = 0
    warnings: tuple[str, ...] = ()

    @property
    def volatility(self) -> Float64:
        """Standard deviations (k,) per bar."""
        return np.sqrt(np.diag(self.matrix))

    @property
    def correlation(self) -> Float64:
        """Correlations (k, k)."""
        return _unit(self.matrix)

    def interval(self, level: float = 0.95) -> tuple[Float64, Float64]:
        """Lower and upper ends (k, k) of each correlation: Fisher's z, for returns near normal and independent in time.

        Raises: ValueError for a level outside (0, 1).
        """
        if not 0 < level < 1:
            raise ValueError(f"level must be in (0, 1), got {level}")
        half = float(ndtri((1 + level) / 2)) / math.sqrt(max(self.effective_n - 3, 1e-9))
        z = np.arctanh(np.clip(self.correlation, -1 + 1e-15, 1 - 1e-15))
        low, high = np.tanh(z - half), np.tanh(z + half)
        np.fill_diagonal(low, 1.0)
        np.fill_diagonal(high, 1.0)
        return low, high


def covariance(returns: Float64) -> Covariance:
    """The sample covariance (k, k), by n - 1.

    Raises: NotEnoughHistory below 10 rows, DataError for a number that is not finite or an asset that does not vary.
    """
    x = _checked(returns)
    return _described(x.T @ x / (len(x) - 1), len(x), "sample", float(len(x)))


def ewma_covariance(returns: Float64, decay: float = 0.94) -> Covariance:
    """Exponentially weighted covariance about a mean of zero, the newest row weighing most; weights sum to 1.

    Raises: as `covariance`; ValueError for a decay outside (0, 1).
    """
    _checked(returns)
    if not 0 < decay < 1:
        raise ValueError(f"decay must be in (0, 1), got {decay}")
    weights = decay ** np.arange(len(returns) - 1, -1, -1)
    weights /= weights.sum()
    x = np.asarray(returns, np.float64)
    return _described((x * weights[:, None]).T @ x, len(x), "ewma", float(1 / (weights @ weights)))


def shrink(returns: Float64, target: str = "constant") -> Covariance:
    """Ledoit and Wolf's shrinkage of the sample covariance (by n, as published) to a target with few parameters.

    "identity" is the average variance on the diagonal [1]_, "constant" keeps the variances and gives every pair the
    average correlation [2]_. The intensity is estimated from the data.

    Raises: as `covariance`; ConfigError for an unknown target.

    .. [1] Ledoit and Wolf, "A well-conditioned estimator for large-dimensional covariance matrices", Journal of
       Multivariate Analysis 88 (2004).
    .. [2] Ledoit and Wolf, "Honey, I shrunk the sample covariance matrix", Journal of Portfolio Management 30 (2004).
    """
    if target not in TARGETS:
        raise ConfigError("unknown shrinkage target", value=target, remedy=nearest(target, TARGETS))
    x = _checked(returns)
    n, k = x.shape
    sample = x.T @ x / n
    noise = (x * x).T @ (x * x) / n - sample**2
    if target == "identity":
        aim, shared = np.eye(k) * np.trace(sample) / k, 0.0
    else:
        aim, shared = _constant_target(x, sample, noise)
    distance = float(((sample - aim) ** 2).sum())
    weight = min(1.0, max(0.0, (float(noise.sum()) - shared) / (n * distance))) if distance > 0 else 1.0
    return _described(weight * aim + (1 - weight) * sample, n, f"shrunk to {target}", float(n), weight)


def _constant_target(x: Float64, sample: Float64, noise: Float64) -> tuple[Float64, float]:
    """The constant-correlation target, and the covariance (times n) of its errors with those of the sample."""
    n, k = x.shape
    deviation = np.sqrt(np.diag(sample))
    mean = (_unit(sample).sum() - k) / (k * (k - 1)) if k > 1 else 0.0
    aim = mean * np.outer(deviation, deviation)
    np.fill_diagonal(aim, np.diag(sample))
    cubes = (x**3).T @ x / n - np.diag(sample)[:, None] * sample
    np.fill_diagonal(cubes, 0.0)
    shared = float(np.trace(noise) + mean * (cubes * deviation / deviation[:, None]).sum())
    return aim, shared


def marchenko_pastur(eigenvalues: Float64, variance: float, ratio: float) -> Float64:
    """Density (m,) of the eigenvalues of a correlation matrix of noise with `variance`, ratio = assets / observations.

    >>> marchenko_pastur(np.array([0.2, 1.0, 3.0]), 1.0, 0.25).round(4).tolist()
    [0.0, 0.6164, 0.0]
    """
    root = math.sqrt(ratio)
    low, high = variance * (1 - root) ** 2, variance * (1 + root) ** 2
    inside = np.sqrt(np.maximum((high - eigenvalues) * (eigenvalues - low), 0.0))
    return np.asarray(inside / (2 * math.pi * variance * ratio * np.maximum(eigenvalues, 1e-300)))


def denoise(returns: Float64, bandwidth: float = 0.01) -> Covariance:
    """The sample covariance with the eigenvalues of its correlation that noise explains replaced by their mean.

    The variance of the noise is the one whose Marchenko-Pastur density is nearest to a kernel estimate (Gaussian, of
    `bandwidth`) of the eigenvalues' density; what lies above that law's upper end is signal [1]_. Trace and signals
    are kept, the diagonal is rescaled to 1.

    Raises: as `covariance`; NotEnoughHistory unless there are more rows than assets.

    .. [1] Lopez de Prado, "Machine Learning for Asset Managers" (Cambridge, 2020), section 2.
    """
    x = _checked(returns)
    n, k = x.shape
    if n <= k:
        raise NotEnoughHistory(f"denoising {k} assets needs more than {k} returns", value=n, remedy="use shrink")
    if not bandwidth > 0:
        raise ValueError(f"bandwidth must be positive, got {bandwidth}")
    sample = x.T @ x / (n - 1)
    values, vectors = np.linalg.eigh(_unit(sample))
    high = _noise_variance(values, k / n, bandwidth) * (1 + math.sqrt(k / n)) ** 2
    noisy = values <= high
    cleaned = np.where(noisy, values[noisy].mean() if noisy.any() else 0.0, values)
    correlation = _unit((vectors * cleaned) @ vectors.T)
    deviation = np.sqrt(np.diag(sample))
    matrix = correlation * np.outer(deviation, deviation)
    return _described(matrix, n, "denoised", float(n), signals=int((~noisy).sum()))


def _noise_variance(values: Float64, ratio: float, bandwidth: float) -> float:
    """The best variance of the noise, to 0.001, among those from 0.025 to 1."""

    def misfit(variance: float) -> float:
        ends = variance * (1 - math.sqrt(ratio)) ** 2, variance * (1 + math.sqrt(ratio)) ** 2
        grid = np.linspace(*ends, 1000)
        kernels = np.exp(-0.5 * ((grid[:, None] - values) / bandwidth) ** 2).mean(axis=1)
        density = kernels / (bandwidth * math.sqrt(2 * math.pi))
        return float(((marchenko_pastur(grid, variance, ratio) - density) ** 2).sum())

    coarse = np.linspace(0.05, 1.0, 39)
    best = float(coarse[int(np.argmin([misfit(guess) for guess in coarse]))])
    fine = np.minimum(best + np.linspace(-0.025, 0.025, 51), 1.0)
    return float(fine[int(np.argmin([misfit(guess) for guess in fine]))])


@dataclass(frozen=True, slots=True, eq=False)
class LeadLag:
    """Cross-correlations of two series; at a positive lag the first leads the second.

    `correlation[i]` is that of x[t] with y[t + lags[i]], `error[i]` its standard error if the series did not lead each
    other, as their own autocorrelations (Bartlett) and common changes of variance (White) make it. `lag` is the lag
    other than 0 furthest from none, `p_value` the chance of so much at any of the lags tested, `leader` "first",
    "second", or "neither" at the 5 % level.
    """

    lags: Int64
    correlation: Float64
    error: Float64
    lag: int
    value: float
    p_value: float
    leader: str
    n: int


def lead_lag(first: Float64, second: Float64, max_lag: int = 10) -> LeadLag:
    """Cross-correlation of two return series (n,) at lags of -max_lag to max_lag bars, with a test over all but lag 0.

    The largest of 2 max_lag standardised correlations is judged by Sidak's correction.

    Raises: NotEnoughHistory below 4 max_lag + 10 rows, DataError for a number that is not finite or a series that does
    not vary, ValueError for different lengths or a max_lag below 1.

    References: Box, Jenkins, Reinsel and Ljung, "Time Series Analysis", 5th ed. (2015), section 12.1; White,
    Econometrica 48 (1980).
    """
    if len(first) != len(second) or max_lag < 1:
        raise ValueError(f"two series of one length and max_lag >= 1 are needed, got {len(first)}, {len(second)}")
    x = _checked(np.column_stack([first, second]), 4 * max_lag + 10)
    n, (a, b) = len(x), (x / np.sqrt((x * x).mean(axis=0))).T
    lags = np.arange(-max_lag, max_lag + 1)
    products = [a[max(0, -j) : n - max(0, j)] * b[max(0, j) : n - max(0, -j)] for j in lags.tolist()]
    found = np.array([product.sum() / n for product in products])
    both = sum(float(a[j:] @ a[: n - j]) * float(b[j:] @ b[: n - j]) for j in range(1, max_lag + 1)) / n**2
    error = np.sqrt([max((product**2).mean() + 2 * both, 1 / n) / len(product) for product in products])
    scores = np.where(lags == 0, 0.0, np.abs(found) / error)
    at = int(scores.argmax())
    p_value = -math.expm1(2 * max_lag * math.log1p(-2 * float(ndtr(-scores[at]))))
    leader = "neither" if p_value >= 0.05 else ("first" if lags[at] > 0 else "second")
    return LeadLag(lags, found, error, int(lags[at]), float(found[at]), p_value, leader, n)


def _checked(returns: Float64, least: int = MIN_ROWS) -> Float64:
    """The returns (n, k), less their means."""
    x = np.array(returns, np.float64)
    if x.ndim != 2 or not x.shape[1]:
        raise ValueError(f"returns must have shape (n, k), got {x.shape}")
    if len(x) < least:
        raise NotEnoughHistory(f"a dependence needs at least {least} rows", value=len(x), remedy="load more history")
    if not np.isfinite(x).all():
        row, column = np.argwhere(~np.isfinite(x))[0].tolist()
        raise DataError(f"row {row} of asset {column} is not a finite number", value=x[row, column].item())
    centred: Float64 = x - x.mean(axis=0)
    size = np.abs(centred).max(axis=0)
    still = (size <= 1e-12 * np.abs(x).max(axis=0)) | (size < 1e-100) | (size > 1e100)
    if still.any():
        column = int(still.argmax())
        raise DataError(f"asset {column} does not vary, or beyond measure", value=float(size[column]), remedy="drop it")
    return centred


def _described(
    matrix: Float64, n: int, method: str, effective_n: float, shrinkage: float = 0.0, signals: int | None = None
) -> Covariance:
    matrix = 0.5 * (matrix + matrix.T)
    k = len(matrix)
    least = float(np.linalg.eigvalsh(_unit(matrix))[0])
    singular = (f"the matrix is singular: {k} assets from {effective_n:.0f} observations",) if least < 1e-10 else ()
    matrix.flags.writeable = False
    return Covariance(matrix, n, method, effective_n, shrinkage, k if signals is None else signals, singular)


def _unit(matrix: Float64) -> Float64:
    """A covariance scaled to a unit diagonal."""
    deviation = np.sqrt(np.diag(matrix))
    out = matrix / np.outer(deviation, deviation)
    np.fill_diagonal(out, 1.0)
    return np.asarray(out)
