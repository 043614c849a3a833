"""Gaussian mixtures fitted by expectation and maximisation, from the clusters of k-means.

.. [1] Dempster, Laird and Rubin, "Maximum likelihood from incomplete data via the EM algorithm", JRSS B 39 (1977).
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from seakeep.core.errors import ConvergenceError, DataError
from seakeep.core.market import Float64, Int64
from seakeep.stats.kmeans import checked_rows, fit_kmeans

__all__ = ["Mixture", "fit_mixture", "log_densities"]

LEAST_VARIANCE = 1e-6
"""A component whose variance in some direction falls to this share of the sample's has shrunk to a point."""
_SWEEPS = 2000


@dataclass(frozen=True, slots=True, eq=False)
class Mixture:
    """Components by their first mean: `weights` (k,), `means` (k, d), `covariances` (k, d, d)."""

    weights: Float64
    means: Float64
    covariances: Float64
    log_likelihood: float
    n: int
    covariance: str

    @property
    def parameters(self) -> int:
        """Free parameters."""
        k, d = self.means.shape
        one = d if self.covariance == "diag" else d * (d + 1) // 2
        return int(k - 1 + k * d + (one if self.covariance == "tied" else k * one))

    @property
    def bic(self) -> float:
        """Schwarz's criterion: lower is better."""
        return math.log(self.n) * self.parameters - 2 * self.log_likelihood

    def probs(self, x: Float64) -> Float64:
        """Probability of each component (n, k) given each row of x (n, d) or (n,)."""
        logs = log_densities(checked_rows(x, 1), self.means, self.covariances) + np.log(self.weights)
        return _shares(logs)[0]


def log_densities(rows: Float64, means: Float64, covariances: Float64) -> Float64:
    """Log density (n, k) of rows (n, d) in each component. Raises: numpy.linalg.LinAlgError if one is singular."""
    out = np.empty((len(rows), len(means)))
    for j, (mean, covariance) in enumerate(zip(means, covariances, strict=True)):
        root = np.linalg.cholesky(covariance)
        z = np.linalg.inv(root) @ (rows - mean).T
        logs = np.log(np.diag(root)).sum() + 0.5 * len(mean) * math.log(2 * math.pi)
        out[:, j] = -logs - 0.5 * (z * z).sum(axis=0)
    return out


def fit_mixture(
    x: Float64,
    k: int,
    seed: int,
    covariance: Literal["full", "diag", "tied"] = "full",
    starts: int = 5,
    tolerance: float = 1e-7,
) -> Mixture:
    """The mixture of k normal components of largest likelihood over rows x (n, d), or (n,) for one column.

    "tied" gives all components one covariance. Each of `starts` climbs begins at clusters of its own and ends where a
    sweep gains less log-likelihood than `tolerance`.

    >>> rng = np.random.default_rng(1)
    >>> found = fit_mixture(np.concatenate([rng.normal(-3, 1, 500), rng.normal(3, 1, 500)]), 2, seed=1)
    >>> found.means.round(0).ravel().tolist()
    [-3.0, 3.0]

    Raises: ValueError for k < 1, a wrong shape or covariance; NotEnoughHistory below k rows; DataError for what is not
    finite or does not vary; ConvergenceError if a component shrinks to a point from every start.
    """
    if covariance not in ("full", "diag", "tied"):
        raise ValueError(f"covariance must be full, diag or tied, got {covariance!r}")
    rows = checked_rows(x, k)
    centre, width = rows.mean(axis=0), rows.std(axis=0)
    if not (width > 1e-12 * np.abs(centre)).all():
        raise DataError(f"column {int(width.argmin())} does not vary", remedy="drop it")
    scaled = (rows - centre) / width
    climbs = [_climb(scaled, fit_kmeans(scaled, k, seed + i, 1).labels, covariance, tolerance) for i in range(starts)]
    reached = [climb for climb in climbs if climb is not None]
    if not reached:
        remedy = "take more rows or fewer components"
        raise ConvergenceError(
            f"a component of {k} shrinks to a point from every start", value=len(rows), remedy=remedy
        )
    score, weights, means, covariances = max(reached, key=lambda climb: climb[0])
    order = np.lexsort(means.T[::-1])
    return Mixture(
        weights[order],
        means[order] * width + centre,
        covariances[order] * np.outer(width, width),
        score - len(rows) * float(np.log(width).sum()),
        len(rows),
        covariance,
    )


def _shares(logs: Float64) -> tuple[Float64, float]:
    """Shares (n, k) of the components in each row, and the log-likelihood, from log weight + log density."""
    top = logs.max(axis=1, keepdims=True)
    parts = np.exp(logs - top)
    total = parts.sum(axis=1, keepdims=True)
    return parts / total, float((np.log(total) + top).sum())


def _climb(x: Float64, labels: Int64, kind: str, gain: float) -> tuple[float, Float64, Float64, Float64] | None:
    """Sweeps from these labels (n,): log-likelihood, weights, means, covariances; None if a component shrinks."""
    share = np.eye(int(labels.max()) + 1)[labels]
    before = -math.inf
    for _ in range(_SWEEPS):
        mass = share.sum(axis=0)
        if mass.min() < 1e-9 * len(x):
            return None
        weights, means = mass / len(x), share.T @ x / mass[:, None]
        covariances = _spreads(x, share, means, kind)
        if np.linalg.eigvalsh(covariances).min() < LEAST_VARIANCE:
            return None
        share, score = _shares(log_densities(x, means, covariances) + np.log(weights))
        if score - before < gain:
            break
        before = score
    return score, weights, means, covariances


def _spreads(x: Float64, share: Float64, means: Float64, kind: str) -> Float64:
    mass, d = share.sum(axis=0), x.shape[1]
    off = x[:, None, :] - means
    each = np.stack([(off[:, j] * share[:, j, None]).T @ off[:, j] for j in range(len(mass))])
    if kind == "tied":
        return np.repeat((each.sum(axis=0) / len(x))[None], len(mass), axis=0)
    each /= mass[:, None, None]
    return each if kind == "full" else each * np.eye(d)
