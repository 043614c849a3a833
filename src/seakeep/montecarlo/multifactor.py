"""Level 4: many assets that move together. Its factors are the covariance, the degrees of freedom and the weights.

The log returns of a step are mean + B f + d e with standard normal f and e: a full covariance has B its Cholesky
factor and no d, a factor model has few columns in B and the specific deviations d. With `nu` they are multivariate t
of that many degrees, scaled to the same covariance, so assets crash together (t copula [1]_): each step draws one
sqrt((nu - 2) / chi2) for all of them, as a polynomial in a normal (relative error below 3e-5) that is cut at one
in a hundred thousand: uncut, the exponential of a Student t has no mean; cut, the CVaR of a step at 99.9 % is right to
0.5 % from three degrees on. The portfolio is bought at the start and held; what the weights leave is cash. Nothing is
liquidated: with leverage or shorts a value can fall below zero, and the summary says so.

.. [1] McNeil, Frey and Embrechts, "Quantitative Risk Management", Princeton 2015, chapters 6 and 7.
"""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numba import float32, prange
from numpy.polynomial import chebyshev
from numpy.typing import ArrayLike
from scipy import optimize, special

from seakeep.core.errors import DataError
from seakeep.core.jit import FUSED, kernel
from seakeep.core.market import Float64, Int64
from seakeep.montecarlo.lanes import END, ROWS, Float32, Job, mark, open_lanes, settle_values
from seakeep.montecarlo.paths import Run, order, threads_of
from seakeep.montecarlo.sample import checked_matrix
from seakeep.montecarlo.scenarios import BASE, Scenario, overlay
from seakeep.montecarlo.streams import LANES, exp_f32, fill_normals, seed_block

__all__ = ["Multifactor", "asset_values", "fit_multifactor"]

_SPAN, _DEGREE = 4.265, 16
"""The normal behind the multiplier is cut at one in a hundred thousand; degree of its polynomial."""


class _Shape(NamedTuple):
    """Loadings (assets, columns padded to four), used columns (assets,), specific deviations (assets,), the first
    specific normal, normals a step, steps drawn at once, mixing polynomial (none: normal), weights (assets,), cash."""

    loads: Float32
    used: Int64
    own: Float32
    offset: int
    normals: int
    chunk: int
    mixing: Float32
    weights: Float32
    cash: float


@kernel(fastmath=FUSED)
def _mix(mixing: Any, z: Any, rows: Any) -> None:
    """Scale the first rows of z by the heavy-tailed multiplier drawn from the row after them."""
    draw = z[rows]
    for j in range(LANES):
        u = min(max(draw[j] * float32(1.0 / _SPAN), float32(-1.0)), float32(1.0))
        value = mixing[_DEGREE]
        for k in range(_DEGREE):
            value = value * u + mixing[_DEGREE - 1 - k]
        draw[j] = exp_f32(value)
    for i in range(rows):
        row = z[i]
        for j in range(LANES):
            row[j] *= draw[j]


@kernel(fastmath=FUSED)
def _move(job: Any, shape: Any, t: Any, z: Any, x: Any) -> None:
    """One step of the log prices x (assets, LANES)."""
    pull, factor = job.pull[t], job.factor[t]
    for a in range(x.shape[0]):
        level, tilt, keep = x[a], job.tilt[a, t], pull
        for k in range(0, shape.used[a], 4):
            z0, z1, z2, z3 = z[k], z[k + 1], z[k + 2], z[k + 3]
            c0, c1 = factor * shape.loads[a, k], factor * shape.loads[a, k + 1]
            c2, c3 = factor * shape.loads[a, k + 2], factor * shape.loads[a, k + 3]
            for j in range(LANES):
                level[j] = keep * level[j] + (tilt + c0 * z0[j] + c1 * z1[j] + c2 * z2[j] + c3 * z3[j])
            tilt, keep = float32(0.0), float32(1.0)
        if shape.own[a] > float32(0.0):
            own, c0 = z[shape.offset + a], factor * shape.own[a]
            for j in range(LANES):
                level[j] += c0 * own[j]


@kernel(fastmath=FUSED)
def _worth(shape: Any, x: Any, value: Any) -> None:
    """Value of the portfolio of each lane."""
    value[:] = float32(shape.cash)
    for a in range(x.shape[0]):
        level, weight = x[a], shape.weights[a]
        for j in range(LANES):
            value[j] += weight * exp_f32(level[j])


@kernel
def _block(job: Any, shape: Any, ends: Any, b: Any) -> None:
    x, paths = np.zeros((len(shape.weights), LANES), np.float32), open_lanes(1.0)
    stream, z = seed_block(job, job.first + b), np.zeros((shape.chunk * shape.normals + 3, LANES), np.float32)
    heavy = len(shape.mixing) > 0
    for start in range(0, job.steps, shape.chunk):
        for q in range(0, shape.chunk * shape.normals, 4):
            fill_normals(job, job.first + b, start * shape.normals + q, stream, z[q : q + 4])
        for t in range(start, min(start + shape.chunk, job.steps)):
            drawn = z[(t - start) * shape.normals :]
            if heavy:
                _mix(shape.mixing, drawn, shape.normals - 1)
            _move(job, shape, t, drawn, x)
            if job.detail > END or job.kept.shape[0]:
                _worth(shape, x, paths[0])
                mark(job, t, b * LANES, paths)
    _worth(shape, x, paths[0])
    settle_values(job, b * LANES, paths)
    for a in range(len(ends)):
        ends[a, b * LANES : (b + 1) * LANES] = x[a]


@kernel(parallel=True)
def _blocks(job: Any, shape: Any, ends: Any, blocks: Any) -> None:
    for b in prange(blocks):
        _block(job, shape, ends, b)


@dataclass(frozen=True, slots=True, eq=False)
class Multifactor:
    """Log returns of a step: mean (assets,), factor loadings (assets, factors), specific deviations (assets,).

    `weights` (assets,) are fractions of the start, negative for a short; `nu` degrees of freedom above 2, None for
    normal. Make one with `from_covariance` or `from_factors`.
    """

    mean: Float64
    loadings: Float64
    specific: Float64
    weights: Float64
    nu: float | None
    interval: str

    @classmethod
    def from_covariance(
        cls,
        mean: ArrayLike,
        covariance: ArrayLike,
        weights: ArrayLike,
        *,
        nu: float | None = None,
        interval: str = "1d",
    ) -> Self:
        """From the mean (assets,) and the full covariance (assets, assets) of a step.

        Raises: DataError if the covariance is not symmetric positive definite; ValueError if shapes disagree.
        """
        table = np.asarray(covariance, np.float64)
        if table.ndim != 2 or not np.allclose(table, table.T, rtol=1e-10, atol=0):
            raise DataError("the covariance is not a symmetric table", value=table.shape)
        try:
            root: Float64 = np.asarray(np.linalg.cholesky(table), np.float64)
        except np.linalg.LinAlgError:
            lowest = float(np.linalg.eigvalsh(table)[0])
            remedy = "shrink it, repair it, use fewer assets, or take from_factors"
            raise DataError("the covariance is not positive definite", value=lowest, remedy=remedy) from None
        return cls._checked(mean, root, np.zeros(len(root)), weights, nu, interval)

    @classmethod
    def from_factors(
        cls,
        mean: ArrayLike,
        loadings: ArrayLike,
        specific: ArrayLike,
        weights: ArrayLike,
        *,
        nu: float | None = None,
        interval: str = "1d",
    ) -> Self:
        """From loadings (assets, factors) on unit factors and specific deviations (assets,) of a step.

        Raises: ValueError if shapes disagree, a number is not finite or a specific deviation is not positive.
        """
        table, own = np.asarray(loadings, np.float64), np.asarray(specific, np.float64)
        if not (own > 0).all():
            raise ValueError(f"specific deviations must be positive, got {own.tolist()}")
        return cls._checked(mean, table, own, weights, nu, interval)

    @classmethod
    def _checked(
        cls, mean: ArrayLike, table: Float64, own: Float64, weights: ArrayLike, nu: float | None, interval: str
    ) -> Self:
        m, w = np.asarray(mean, np.float64), np.asarray(weights, np.float64)
        if table.ndim != 2 or not m.shape == w.shape == own.shape == table.shape[:1] or not table.size:
            shapes = f"mean {m.shape}, weights {w.shape}, specific {own.shape}, loadings {table.shape}"
            raise ValueError(f"one row for each asset is needed, got {shapes}")
        if not all(np.isfinite(part).all() for part in (m, w, table, own)):
            raise ValueError("mean, weights and covariance must be finite")
        if nu is not None and not 2 < nu < math.inf:
            raise ValueError(f"degrees of freedom must be above 2 for a covariance to exist, got {nu}")
        return cls(m, table, own, w, nu, interval)

    @property
    def additive(self) -> bool:
        """The log value is the sum of the log returns only of one asset that is held whole."""
        return tuple(self.weights) == (1.0,)

    def covariance(self) -> Float64:
        """Covariance (assets, assets) of a step."""
        return np.asarray(self.loadings @ self.loadings.T + np.diag(self.specific**2))

    def means(self, steps: int) -> Float64:
        """Expected log return of each step (assets, steps)."""
        return np.repeat(self.mean[:, None], steps, axis=1)

    def spread(self) -> Float64:
        """Standard deviation of a step's log return (assets,)."""
        return np.asarray(np.sqrt(np.diag(self.covariance())))

    def launch(self, job: Job, blocks: int) -> None:
        """Simulate `blocks` blocks as `job` says."""
        self.launch_assets(job, blocks, np.empty((0, 0), np.float32))

    def launch_assets(self, job: Job, blocks: int, ends: Float32) -> None:
        """As `launch`, and the log price of each asset at the end into `ends` (assets, paths) if it has rows."""
        tilt = job.tilt + job.factor * self.mean[:, None]
        _blocks(job._replace(tilt=tilt.astype(np.float32)), self._shape(), ends, blocks)

    def _shape(self) -> _Shape:
        assets, columns = self.loadings.shape
        loads = np.zeros((assets, -(-columns // 4) * 4), np.float32)
        loads[:, :columns] = self.loadings
        full = not self.specific.any()
        used = np.arange(1, assets + 1) if full else np.full(assets, columns)
        rows = columns + (0 if full else assets) + (0 if self.nu is None else 1)
        mixing = np.empty(0) if self.nu is None else _mixing(self.nu)
        own, weights = self.specific.astype(np.float32), self.weights.astype(np.float32)
        cash = float(1 - self.weights.sum())
        chunk = 4 // math.gcd(4, rows)
        return _Shape(loads, used, own, columns, rows, chunk, mixing.astype(np.float32), weights, cash)


def _mixing(nu: float) -> Float64:
    """Polynomial in z / _SPAN of log sqrt((nu - 2) / chi2), chi2 the quantile at the normal probability of z."""
    u = chebyshev.chebpts1(400)
    low = special.gammaincinv(nu / 2, special.ndtr(np.minimum(_SPAN * u, 0)))
    high = special.gammainccinv(nu / 2, special.ndtr(np.minimum(-_SPAN * u, 0)))
    logs = 0.5 * np.log((nu - 2) / (2 * np.where(u < 0, low, high)))
    return np.asarray(chebyshev.cheb2poly(chebyshev.chebfit(u, logs, _DEGREE)))


def asset_values(model: Multifactor, run: Run, scene: Scenario = BASE) -> Float32:
    """End value of each asset (assets, paths), relative to a start of 1, on the same paths as `simulate`.

    The mean loss of an asset over the worst paths of the portfolio is its part of the CVaR.
    """
    layer = overlay(scene, model.means(run.steps), model.spread(), model.interval)
    paths = run.blocks * LANES
    ends, out = np.empty((len(model.weights), paths), np.float32), np.empty((ROWS, paths), np.float32)
    job = order(run, layer, 0, out, np.empty((0, 0), np.float32), ())
    with threads_of(run.threads):
        model.launch_assets(job, run.blocks, ends)
    return np.exp(ends)


def fit_multifactor(
    returns: ArrayLike, weights: ArrayLike, *, factors: int = 0, heavy: bool = True, interval: str = "1d"
) -> Multifactor:
    """Mean, covariance and degrees of freedom of log returns (n, assets).

    `factors` 0 keeps the full sample covariance; otherwise the leading principal components and what they leave to
    each asset. `heavy` fits the degrees of freedom of a multivariate t by maximum likelihood.

    Raises: NotEnoughHistory below 30 rows or twice the assets; DataError for gaps, a constant column or a singular
    covariance; ValueError if factors are not fewer than assets.
    """
    table = np.asarray(returns, np.float64)
    sample = checked_matrix(table, max(30, 2 * table.shape[-1]))
    assets = sample.shape[1]
    if not 0 <= factors < max(assets, 1):
        raise ValueError(f"factors must be fewer than the {assets} assets, got {factors}")
    mean, covariance = sample.mean(axis=0), np.atleast_2d(np.cov(sample.T))
    if np.linalg.cond(covariance) > 1e14:
        remedy = "drop the asset that repeats others"
        raise DataError("the covariance is singular", value=float(np.linalg.eigvalsh(covariance)[0]), remedy=remedy)
    nu = _degrees(sample - mean, covariance) if heavy else None
    if not factors:
        return Multifactor.from_covariance(mean, covariance, weights, nu=nu, interval=interval)
    values, vectors = np.linalg.eigh(covariance)
    loadings = vectors[:, -factors:] * np.sqrt(values[-factors:])
    rest = np.diag(covariance) - (loadings**2).sum(axis=1)
    return Multifactor.from_factors(mean, loadings, np.sqrt(rest), weights, nu=nu, interval=interval)


def _degrees(deviations: Float64, covariance: Float64) -> float:
    """Degrees of freedom of largest likelihood for a multivariate t of that covariance, between 2.1 and 200."""
    d = deviations.shape[1]
    squared = (deviations * np.linalg.solve(covariance, deviations.T).T).sum(axis=1)

    def loss(log_nu: float) -> float:
        nu = 2 + math.exp(log_nu)
        constant = special.gammaln((nu + d) / 2) - special.gammaln(nu / 2) - d / 2 * math.log(nu - 2)
        return float((nu + d) / 2 * np.log1p(squared / (nu - 2)).mean() - constant)

    found = optimize.minimize_scalar(loss, bounds=(math.log(0.1), math.log(198)), method="bounded")
    return 2 + math.exp(found.x)
