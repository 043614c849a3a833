"""Hidden Markov chain of normal states: fitted by expectation and maximisation, filtered forward.

Row t of the data, x[t] (d,), is normal with the mean and covariance of the state the chain is in; states follow one
another by `transition`. The fit is Baum and Welch's with a scaled forward and backward pass [1]_, the use in markets
Hamilton's [2]_. States come in the order of their total variance, the calmest first.

.. [1] Rabiner, "A tutorial on hidden Markov models", Proceedings of the IEEE 77 (1989).
.. [2] Hamilton, "Analysis of time series subject to changes in regime", Journal of Econometrics 45 (1990).
"""

import math
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np

from seakeep.core.errors import ConvergenceError, DataError, NotEnoughHistory
from seakeep.core.jit import FUSED, kernel
from seakeep.core.market import Float64

__all__ = ["HmmFit", "HmmSettings", "filter_probs", "fit_hmm"]

LEAST_ROWS = 10
"""Rows a state needs for each of its columns, at the least."""
LEAST_VARIANCE = 1e-6
"""A state whose variance in some direction falls to this share of the sample's has shrunk to a point."""
_SPREADS = (0.3, 1.0, 2.0)


class HmmSettings(msgspec.Struct, frozen=True):
    """How an HMM is fitted: shape of the covariances, when a climb ends (sweeps, gain in log-likelihood), and from how
    many random starts it is tried beside the three fixed ones."""

    covariance: Literal["full", "diag"] = "full"
    iterations: int = 2000
    tolerance: float = 1e-7
    starts: int = 3

    def __post_init__(self) -> None:
        if self.covariance not in ("full", "diag"):
            raise ValueError(f"covariance must be full or diag, got {self.covariance!r}")
        if self.iterations < 1 or self.starts < 0 or not self.tolerance > 0:
            raise ValueError(f"iterations must be >= 1, starts >= 0 and tolerance > 0, got {self}")


@dataclass(frozen=True, slots=True, eq=False)
class HmmFit:
    """States by total variance: means (k, d), covariances (k, d, d), transition (k, k) rows from, `start` (k,) the
    probability of each state at the first row, `now` (k,) at the last, given all rows before it and itself.

    `converged` is false where the sweeps were used up; `one_state` is the log-likelihood of a single normal.
    """

    means: Float64
    covariances: Float64
    transition: Float64
    start: Float64
    now: Float64
    log_likelihood: float
    one_state: float
    iterations: int
    converged: bool
    n: int
    covariance: str

    @property
    def bic(self) -> float:
        """Schwarz's criterion: lower is better."""
        k, d = self.means.shape
        return float(math.log(self.n) * (k * k - 1 + k * self._moments(d)) - 2 * self.log_likelihood)

    @property
    def gain(self) -> float:
        """How much lower the criterion is than that of one normal; not above zero: the data show no such states."""
        return float(math.log(self.n) * self._moments(self.means.shape[1]) - 2 * self.one_state - self.bic)

    @property
    def stationary(self) -> Float64:
        """Share of time spent in each state in the long run (k,)."""
        k = len(self.means)
        system = np.vstack([self.transition.T - np.eye(k), np.ones(k)])
        shares = np.maximum(np.linalg.lstsq(system, np.append(np.zeros(k), 1.0))[0], 0.0)
        return np.asarray(shares / shares.sum())

    @property
    def odds(self) -> Float64:
        """Probabilities (k,) to begin a filter with where nothing is known of the past: the long-run shares, but none
        below about 1 %, since a state that the chain leaves for good may be the one now."""
        shares = np.maximum(self.stationary, 0.01)
        return np.asarray(shares / shares.sum())

    def _moments(self, d: int) -> int:
        return d + (d * (d + 1) // 2 if self.covariance == "full" else d)


@kernel(fastmath=FUSED)
def _log_densities(x: Float64, means: Float64, roots: Float64, constants: Float64, out: Float64) -> None:
    """Log density (n, k) of every row in every state; `roots` (k, d, d) are inverse Cholesky factors."""
    n, d = x.shape
    for j in range(len(means)):
        for t in range(n):
            total = 0.0
            for a in range(d):
                z = 0.0
                for b in range(a + 1):
                    z += roots[j, a, b] * (x[t, b] - means[j, b])
                total += z * z
            out[t, j] = constants[j] - 0.5 * total


@kernel(fastmath=FUSED)
def _exp(x: Float64, power: Float64) -> None:
    """Exponentials (n,) of numbers not above 0, in place and at least 1e-307; `power` (n,) is scratch.

    With x = m ln 2 + r the sum m + 3 x 2^51 holds m in its last bits, which are moved to where an exponent is; e^r is
    its Taylor polynomial, right to 2e-16. Only such a loop is vectorised: a call of exp is not.
    """
    bits = power.view(np.int64)
    for i in range(len(x)):
        y = max(x[i], -706.0)
        power[i] = y * 1.4426950408889634 + 6755399441055744.0
        m = power[i] - 6755399441055744.0
        r = (y - m * 0.693147180369123816490) - m * 1.90821492927058770002e-10
        p = 2.08767569878681e-09
        p = p * r + 2.505210838544172e-08
        p = p * r + 2.755731922398589e-07
        p = p * r + 2.7557319223985893e-06
        p = p * r + 2.48015873015873e-05
        p = p * r + 1.984126984126984e-04
        p = p * r + 1.388888888888889e-03
        p = p * r + 8.333333333333333e-03
        p = p * r + 4.1666666666666664e-02
        p = p * r + 1.6666666666666666e-01
        p = p * r + 0.5
        x[i] = (p * r + 1.0) * r + 1.0
    for i in range(len(x)):
        bits[i] = (bits[i] + 1023) << 52
    for i in range(len(x)):
        x[i] *= power[i]


@kernel(fastmath=FUSED)
def _forward(density: Float64, transition: Float64, start: Float64, alpha: Float64, scale: Float64) -> float:
    """Filtered probabilities `alpha` (n, k), and the log-likelihood.

    Log densities (n, k) become densities over the largest of their row, `scale` (n,) what they then add up to.
    """
    n, k = density.shape
    before, found, product = start.copy(), 0.0, 1.0
    for t in range(n):
        top = density[t, 0]
        for j in range(1, k):
            top = max(top, density[t, j])
        for j in range(k):
            density[t, j] -= top
        found += top
    _exp(density.ravel(), alpha.ravel())
    for t in range(n):
        total = 0.0
        for j in range(k):
            alpha[t, j] = before[j] * density[t, j]
            total += alpha[t, j]
        share = 1.0 / total
        for j in range(k):
            alpha[t, j] *= share
        for j in range(k):
            ahead = 0.0
            for i in range(k):
                ahead += alpha[t, i] * transition[i, j]
            before[j] = ahead
        scale[t] = share
        product *= total
        if t & 7 == 7 or product < 1e-100:
            found += math.log(product)
            product = 1.0
    return found + math.log(product)


@kernel(fastmath=FUSED)
def _backward(density: Float64, transition: Float64, alpha: Float64, scale: Float64, moves: Float64) -> None:
    """Smoothed probabilities in place of `alpha` (n, k), and the expected moves (k, k) from state to state."""
    n, k = alpha.shape
    beta, after = np.ones(k), np.empty(k)
    moves[:] = 0.0
    for t in range(n - 2, -1, -1):
        for j in range(k):
            after[j] = density[t + 1, j] * beta[j] * scale[t + 1]
            alpha[t + 1, j] *= beta[j]
        for i in range(k):
            ahead = 0.0
            for j in range(k):
                step = transition[i, j] * after[j]
                ahead += step
                moves[i, j] += alpha[t, i] * step
            beta[i] = ahead
    for j in range(k):
        alpha[0, j] *= beta[j]


@kernel(fastmath=FUSED)
def _moments(x: Float64, share: Float64, means: Float64, covariances: Float64, diagonal: bool) -> None:
    """Means (k, d) and covariances (k, d, d) of the rows x (n, d), weighted by `share` (n, k)."""
    n, d = x.shape
    for j in range(len(means)):
        mass, first, second = 0.0, np.zeros(d), np.zeros((d, d))
        for t in range(n):
            w = share[t, j]
            mass += w
            for a in range(d):
                v = w * x[t, a]
                first[a] += v
                for b in range(a + 1):
                    second[a, b] += v * x[t, b]
        for a in range(d):
            means[j, a] = first[a] / mass
        for a in range(d):
            for b in range(a + 1):
                c = second[a, b] / mass - means[j, a] * means[j, b]
                c = 0.0 if diagonal and a != b else c
                covariances[j, a, b] = covariances[j, b, a] = c


@kernel
def _factors(covariances: Float64, roots: Float64, constants: Float64) -> bool:
    """Inverse Cholesky factors (k, d, d) and log constants (k,); False if a state has shrunk to a point."""
    k, d = covariances.shape[0], covariances.shape[1]
    for j in range(k):
        lower, constants[j] = np.zeros((d, d)), -0.5 * d * math.log(2.0 * math.pi)
        for a in range(d):
            for b in range(a + 1):
                rest = covariances[j, a, b]
                for c in range(b):
                    rest -= lower[a, c] * lower[b, c]
                if a == b:
                    if not rest > LEAST_VARIANCE:
                        return False
                    lower[a, a] = math.sqrt(rest)
                    constants[j] -= 0.5 * math.log(rest)
                else:
                    lower[a, b] = rest / lower[b, b]
        for a in range(d):
            for b in range(a + 1):
                total = 1.0 if a == b else 0.0
                for c in range(b, a):
                    total -= lower[a, c] * roots[j, c, b]
                roots[j, a, b] = total / lower[a, a]
    return True


@kernel
def _climb(
    x: Float64,
    means: Float64,
    covariances: Float64,
    chances: tuple[Float64, Float64],
    diagonal: bool,
    limits: tuple[int, float],
) -> tuple[float, int, bool, Float64]:
    """Sweeps of expectation and maximisation, in place: log-likelihood, sweeps, whether it settled, last `alpha`.

    The parameters are left as they were when the log-likelihood was found; -inf if a state has shrunk to a point.
    """
    (transition, start), (most, tolerance) = chances, limits
    n, k, d = len(x), len(means), x.shape[1]
    density, alpha, scale, moves = np.empty((n, k)), np.empty((n, k)), np.empty(n), np.empty((k, k))
    roots, constants, before = np.zeros((k, d, d)), np.empty(k), -np.inf
    for sweep in range(1, most + 1):
        if not _factors(covariances, roots, constants):
            return -np.inf, sweep, False, start
        _log_densities(x, means, roots, constants, density)
        found = _forward(density, transition, start, alpha, scale)
        if not math.isfinite(found):
            return -np.inf, sweep, False, start
        if found - before < tolerance or sweep == most:
            return found, sweep, found - before < tolerance, alpha[-1].copy()
        before = found
        _backward(density, transition, alpha, scale, moves)
        start[:] = alpha[0]
        for i in range(k):
            transition[i] = moves[i] / moves[i].sum()
        _moments(x, alpha, means, covariances, diagonal)
    return before, most, False, start


def fit_hmm(x: Float64, k: int, seed: int, start: HmmFit | None = None, settings: HmmSettings | None = None) -> HmmFit:
    """The HMM of k states of largest likelihood over rows x (n, d), or (n,) for one column, oldest first.

    It is climbed to from three fixed starts and `settings.starts` random ones drawn by `seed`; with `start`, an earlier
    fit of the same k and d, from there alone, unless a state shrinks to a point.

    >>> rng = np.random.default_rng(1)
    >>> x = np.concatenate([rng.normal(0, 0.01, 300), rng.normal(0, 0.04, 200)])
    >>> fit = fit_hmm(x, 2, seed=1)
    >>> np.sqrt(fit.covariances[:, 0, 0]).round(2).tolist(), fit.converged
    ([0.01, 0.04], True)

    Raises: NotEnoughHistory below 10 rows a state and column; DataError if a value is not finite or a column does not
    vary; ConvergenceError if from every start a state shrinks to a point; ValueError for k < 1 or a wrong shape.
    """
    rules = settings or HmmSettings()
    rows = _checked(x, k)
    centre, width = rows.mean(axis=0), rows.std(axis=0)
    scaled = np.ascontiguousarray((rows - centre) / width)
    best = _best(scaled, [_warm(start, scaled, k, centre, width)], rules) if start is not None else None
    if best is None:
        best = _best(scaled, _starts(scaled, k, rules.starts, seed), rules)
    if best is None:
        remedy = "take a longer history or fewer states"
        raise ConvergenceError(f"a state of {k} shrinks to a point from every start", value=len(rows), remedy=remedy)
    return _ordered(best, centre, width)


_Start = tuple[Float64, Float64, Float64, Float64]
"""Means, covariances, transition, start."""


def _checked(x: Float64, k: int) -> Float64:
    rows = np.asarray(x, np.float64)
    rows = rows[:, None] if rows.ndim == 1 else rows
    if k < 1 or rows.ndim != 2 or not rows.shape[1]:
        raise ValueError(f"k >= 1 and rows of shape (n, d) are needed, got {k} and {rows.shape}")
    least = LEAST_ROWS * k * rows.shape[1]
    if len(rows) < least:
        raise NotEnoughHistory(f"{k} states need at least {least} rows", value=len(rows), remedy="load more of them")
    bad = np.argwhere(~np.isfinite(rows))
    if len(bad):
        row, column = bad[0].tolist()
        raise DataError(f"row {row}, column {column} is not a finite number", value=float(rows[row, column]))
    still = np.flatnonzero(rows.max(axis=0) == rows.min(axis=0))
    if len(still):
        raise DataError(f"column {int(still[0])} does not vary", remedy="drop it")
    return rows


def _starts(x: Float64, k: int, random: int, seed: int) -> list[_Start]:
    """Three with states of growing variance, and random ones around rows of the data."""
    d, rng, found = x.shape[1], np.random.default_rng(seed), []
    levels = np.geomspace(0.25, 2.5, k) if k > 1 else np.ones(1)
    for spread in _SPREADS:
        means = np.repeat(spread * np.linspace(0.2, -0.2, k)[:, None], d, axis=1)
        found.append((means, levels[:, None, None] * max(spread, 0.5) * np.eye(d)))
    rows = [rng.integers(len(x), size=k) for _ in range(random if k > 1 else 0)]
    found += [(x[row], np.repeat(0.5 * np.eye(d)[None], k, axis=0)) for row in rows]
    leave = 0.05 / max(k - 1, 1)
    transition = np.full((k, k), leave) + np.eye(k) * (1 - leave * k)
    return [(means.copy(), spreads.copy(), transition.copy(), np.full(k, 1 / k)) for means, spreads in found]


def _warm(start: HmmFit, x: Float64, k: int, centre: Float64, width: Float64) -> _Start:
    if start.means.shape != (k, x.shape[1]):
        raise ValueError(f"start has (states, columns) {start.means.shape}, needed are {(k, x.shape[1])}")
    covariances = start.covariances / np.outer(width, width)
    return (start.means - centre) / width, covariances, start.transition.copy(), start.start.copy()


@dataclass(frozen=True, slots=True, eq=False)
class _Peak:
    at: _Start
    score: float
    one_state: float
    sweeps: int
    converged: bool
    now: Float64
    n: int
    covariance: str


def _best(x: Float64, starts: list[_Start], rules: HmmSettings) -> _Peak | None:
    """The highest of the climbs, those that settled first; None if all of them fail."""
    peaks, limits, diagonal = [], (rules.iterations, rules.tolerance), rules.covariance == "diag"
    logs = 0.0 if diagonal else float(np.linalg.slogdet(np.einsum("ta,tb->ab", x, x) / len(x))[1])
    one_state = -0.5 * len(x) * (x.shape[1] * (math.log(2 * math.pi) + 1) + logs)
    for means, covariances, transition, first in starts:
        score, sweeps, settled, now = _climb(x, means, covariances, (transition, first), diagonal, limits)
        if math.isfinite(score):
            at = (means, covariances, transition, first)
            peaks.append(_Peak(at, score, one_state, sweeps, settled, now, len(x), rules.covariance))
    return max(peaks, key=lambda peak: (peak.converged, peak.score), default=None)


def _ordered(peak: _Peak, centre: Float64, width: Float64) -> HmmFit:
    means, covariances, transition, start = peak.at
    covariances = covariances * np.outer(width, width)
    order = np.argsort(np.trace(covariances, axis1=1, axis2=2), kind="stable")
    stretched = peak.n * float(np.log(width).sum())
    return HmmFit(
        means=means[order] * width + centre,
        covariances=covariances[order],
        transition=transition[np.ix_(order, order)],
        start=start[order],
        now=peak.now[order],
        log_likelihood=peak.score - stretched,
        one_state=peak.one_state - stretched,
        iterations=peak.sweeps,
        converged=peak.converged,
        n=peak.n,
        covariance=peak.covariance,
    )


def filter_probs(fit: HmmFit, x: Float64, prior: Float64 | None = None) -> Float64:
    """Probability of each state (n, k) at every row of x (n, d) or (n,), from the rows up to it and no later one.

    `prior` (k,) is the probability before the first row, `fit.start` if not given; rows that do not follow the start of
    the fitted data are better begun with `fit.odds`.

    Raises: DataError if a value is not finite or no state can have made a row; ValueError for a wrong shape.
    """
    rows = np.asarray(x, np.float64)
    rows = rows[:, None] if rows.ndim == 1 else rows
    k, d = fit.means.shape
    before = fit.start if prior is None else np.asarray(prior, np.float64)
    if rows.ndim != 2 or rows.shape[1] != d or before.shape != (k,):
        raise ValueError(f"rows (n, {d}) and a prior ({k},) are needed, got {rows.shape} and {before.shape}")
    if not np.isfinite(rows).all():
        row, column = np.argwhere(~np.isfinite(rows))[0].tolist()
        raise DataError(f"row {row}, column {column} is not a finite number", value=float(rows[row, column]))
    width = np.sqrt(fit.covariances.diagonal(axis1=1, axis2=2).mean(axis=0))
    roots, constants = np.zeros((k, d, d)), np.empty(k)
    if not _factors(fit.covariances / np.outer(width, width), roots, constants):
        raise DataError("a covariance of the fit is singular", remedy="fit it again")
    density, alpha, scale = np.empty((len(rows), k)), np.empty((len(rows), k)), np.empty(len(rows))
    _log_densities(np.ascontiguousarray(rows / width), fit.means / width, roots, constants, density)
    if not math.isfinite(_forward(density, fit.transition, before, alpha, scale)):
        raise DataError("no state can have made some row", remedy="check the rows, or the prior")
    return alpha
