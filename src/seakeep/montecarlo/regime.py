"""Level 2: regimes that switch. Its factors are how likely each regime is now and how long regimes last.

A step's log return is normal with the mean and deviation of the regime it falls in; regimes follow a Markov chain
(Hamilton; Hardy's RSLN in insurance [1]_). Two or three regimes.

.. [1] Hardy, "A regime-switching model of long-term stock returns", North American Actuarial Journal 5 (2001).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import prange, uint32
from numpy.typing import ArrayLike, NDArray

from seakeep.core.errors import ConvergenceError
from seakeep.core.jit import FUSED, kernel
from seakeep.core.market import Float64
from seakeep.montecarlo.bits import as_int, shr32
from seakeep.montecarlo.lanes import Job, follow, open_lanes, settle
from seakeep.montecarlo.sample import checked_returns
from seakeep.montecarlo.streams import LANES, fill_normals, fill_words, seed_block
from seakeep.stats.hmm import HmmFit, HmmSettings, fit_hmm

__all__ = ["Regimes", "fit_regimes"]


@kernel(inline=True)
def _number(word: Any) -> Any:
    """The upper 24 bits of a word, the whole number its uniform is made of."""
    return as_int(shr32(word, uint32(8)))


@kernel(fastmath=FUSED, inline=True)
def _switch(table: Any, limit: Any, words: Any, z: Any, below: Any) -> None:
    """Move each lane's regime by a word, and turn its standard normal into that regime's log return: four steps.

    `table` (2, 3) mean and deviation by regime; `limit` (2, 3) the numbers below which a lane of a regime moves to the
    first, and to one of the first two. A lane's regime is kept as its column of `limit`, in `below` (2, LANES).
    """
    m0, m1, m2 = table[0, 0], table[0, 1], table[0, 2]
    s0, s1, s2 = table[1, 0], table[1, 1], table[1, 2]
    a0, a1, a2 = limit[0, 0], limit[0, 1], limit[0, 2]
    b0, b1, b2 = limit[1, 0], limit[1, 1], limit[1, 2]
    for j in range(LANES):
        a, b = below[0, j], below[1, j]
        for k in range(4):
            u = _number(words[k, j])
            first, early = u < a, u < b
            a = a0 if first else (a1 if early else a2)
            b = b0 if first else (b1 if early else b2)
            mean, deviation = m0 if first else (m1 if early else m2), s0 if first else (s1 if early else s2)
            z[k, j] = mean + deviation * z[k, j]
        below[0, j], below[1, j] = a, b


@kernel
def _begin(start: Any, limit: Any, words: Any, below: Any) -> None:
    """Draw the regime of each lane at the start."""
    for j in range(LANES):
        u = _number(words[j])
        regime = 0 if u < start[0] else (1 if u < start[1] else 2)
        below[0, j], below[1, j] = limit[0, regime], limit[1, regime]


@kernel
def _block(job: Any, table: Any, limit: Any, start: Any, b: Any) -> None:
    stream, z, paths = seed_block(job, job.first + b), np.empty((4, LANES), np.float32), open_lanes(0.0)
    words, below = np.empty((4, LANES), np.uint32), np.empty((2, LANES), np.int32)
    fill_words(job, job.first + b, 0, 2, stream, words)
    _begin(start, limit, words[0], below)
    for t in range(0, job.steps, 4):
        fill_normals(job, job.first + b, t, stream, z)
        fill_words(job, job.first + b, t, 1, stream, words)
        _switch(table, limit, words, z, below)
        follow(job, t, b * LANES, z, paths)
    settle(job, b * LANES, paths)


@kernel(parallel=True)
def _blocks(job: Any, table: Any, limit: Any, start: Any, blocks: Any) -> None:
    for b in prange(blocks):
        _block(job, table, limit, start, b)


def _numbers(chances: Float64) -> NDArray[np.int32]:
    """How many of the 2^24 numbers of a word make a uniform that is not above each chance: `unit_f32` undone.

    >>> _numbers(np.array([0.0, 0.25, 1.0]))
    array([       0,  4194304, 16777216], dtype=int32)
    """
    found = np.zeros(chances.shape, np.int64)
    for bit in range(24, -1, -1):
        more = found + 2**bit
        uniform = ((2 * more - 1) / 2**25).astype(np.float32)
        found = np.where((more <= 2**24) & (uniform <= chances.astype(np.float32)), more, found)
    return found.astype(np.int32)


@dataclass(frozen=True, slots=True, eq=False)
class Regimes:
    """Mean and deviation of a step in each regime (k,), transition (k, k) rows from, `now` (k,) the probability of
    each regime before the first simulated step. k is two or three."""

    mean: Float64
    sd: Float64
    transition: Float64
    now: Float64
    interval: str = "1d"

    def __post_init__(self) -> None:
        k = len(self.mean)
        if k not in (2, 3) or not len(self.sd) == len(self.now) == k or self.transition.shape != (k, k):
            raise ValueError(f"two or three regimes are needed, each with its row, got transition {self.transition}")
        rows = np.vstack([self.transition, self.now])
        if not (rows >= 0).all() or not np.allclose(rows.sum(axis=1), 1, atol=1e-9):
            raise ValueError(f"rows of transition and now must be probabilities that sum to 1, got {rows.tolist()}")
        if not (np.isfinite(self.mean).all() and (self.sd > 0).all() and np.isfinite(self.sd).all()):
            raise ValueError(f"means must be finite and deviations positive, got {self.mean} and {self.sd}")

    @property
    def additive(self) -> bool:
        """The log value is the sum of the log returns."""
        return True

    @property
    def stationary(self) -> Float64:
        """Share of time spent in each regime in the long run (k,)."""
        k = len(self.mean)
        system = np.vstack([self.transition.T - np.eye(k), np.ones(k)])
        return np.asarray(np.linalg.lstsq(system, np.append(np.zeros(k), 1.0))[0])

    def means(self, steps: int) -> Float64:
        """Expected log return of each step (1, steps)."""
        chance, found = self.now, np.empty((1, steps))
        for t in range(steps):
            chance = chance @ self.transition
            found[0, t] = chance @ self.mean
        return found

    def spread(self) -> Float64:
        """Long-run standard deviation of a step (1,)."""
        share = self.stationary
        centre = share @ self.mean
        return np.array([np.sqrt(share @ (self.sd**2 + (self.mean - centre) ** 2))])

    def launch(self, job: Job, blocks: int) -> None:
        """Simulate `blocks` blocks as `job` says."""
        table, chances, k = np.zeros((2, 3), np.float32), np.ones((2, 3)), len(self.mean)
        table[0, :k], table[1, :k] = self.mean, self.sd
        chances[:, :k] = np.cumsum(self.transition, axis=1)[:, :2].T
        start = np.cumsum(self.now)[:2]
        if k == 2:
            chances[1], start[1] = 1.0, 1.0
        _blocks(job, table, _numbers(chances), _numbers(start), blocks)


def fit_regimes(returns: ArrayLike, states: int = 2, interval: str = "1d") -> tuple[Regimes, HmmFit]:
    """Regimes of log returns (n,) by maximum likelihood, as they stand after the last return, and the fit itself.

    Raises: NotEnoughHistory below 100 returns a regime; DataError if they are not finite or do not vary;
    ConvergenceError if the likelihood does not settle; ValueError if states is not 2 or 3.
    """
    if states not in (2, 3):
        raise ValueError(f"states must be 2 or 3, got {states}")
    fit = fit_hmm(checked_returns(returns, 100 * states), states, seed=0, settings=_FIXED_STARTS)
    if not fit.converged:
        remedy = "take a longer history or fewer states"
        raise ConvergenceError(f"no fit of {states} regimes in {fit.iterations} sweeps", value=fit.n, remedy=remedy)
    sd = np.sqrt(fit.covariances[:, 0, 0])
    return Regimes(fit.means[:, 0], sd, fit.transition, fit.now, interval), fit


_FIXED_STARTS = HmmSettings(starts=0)
