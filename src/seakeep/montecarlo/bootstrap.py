"""Paths made of what happened: historical, block and stationary bootstrap, and blocks from chosen places.

`iid` draws single returns; `block` draws runs of a fixed length; `stationary` runs of random length with that mean
[1]_. History is wrapped into a circle, so every return is as likely at every step. With `starts` blocks begin only at
those rows: the windows that resemble now (see `news`).

.. [1] Politis and Romano, "The stationary bootstrap", Journal of the American Statistical Association 89 (1994).
"""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numba import float32, prange, uint32
from numpy.typing import ArrayLike

from seakeep.core.jit import FUSED, kernel
from seakeep.core.market import Float64, Int64
from seakeep.montecarlo.bits import add32, to_int
from seakeep.montecarlo.lanes import Job, follow, open_lanes, settle
from seakeep.montecarlo.sample import checked_returns
from seakeep.montecarlo.streams import LANES, fill_words, seed_block, unit_f32

__all__ = ["Bootstrap", "bootstrap"]

Method = Literal["iid", "block", "stationary"]


@kernel(fastmath=FUSED, inline=True)
def _row(word: Any, size: Any, last: Any) -> Any:
    """Row of a table with `last` + 1 of them: the uniform of a word times `size`. Unsigned, so that it is not checked
    for counting from the end."""
    return uint32(to_int(min(unit_f32(word) * size, last)))


@kernel(fastmath=FUSED, inline=True)
def _draw(history: Any, words: Any, row: Any, r: Any) -> None:
    """A return from anywhere for each lane."""
    n, last = float32(len(history)), float32(len(history) - 1)
    for j in range(LANES):
        row[j] = _row(words[j], n, last)
    for j in range(LANES):
        r[j] = history[row[j]]


@kernel(fastmath=FUSED, inline=True)
def _place(starts: Any, rows: Any, chance: Any, words: Any, place: Any) -> None:
    """Where a new run of each lane would begin: of a word below `chance` its share of it, else the last place."""
    last = float32((len(starts) if len(starts) else rows) - 1)
    size = (last + float32(1.0)) / float32(chance)
    for j in range(LANES):
        place[j] = _row(words[j], size, last)
    if len(starts):
        for j in range(LANES):
            place[j] = starts[place[j]]


@kernel(fastmath=FUSED, inline=True)
def _run_on(history: Any, chance: Any, words: Any, place: Any, row: Any, r: Any) -> None:
    """The next return of each lane's run, or with that chance the first of a new one."""
    share, ends = float32(chance), uint32(len(history))
    for j in range(LANES):
        following = add32(row[j], uint32(1))
        following = uint32(0) if following == ends else following
        row[j] = place[j] if unit_f32(words[j]) <= share else following
    for j in range(LANES):
        r[j] = history[row[j]]


@kernel
def _block(job: Any, history: Any, starts: Any, length: Any, random: Any, b: Any) -> None:
    stream, r, paths = seed_block(job, job.first + b), np.empty((4, LANES), np.float32), open_lanes(0.0)
    words, place, row = np.empty((4, LANES), np.uint32), np.zeros(LANES, np.uint32), np.zeros(LANES, np.uint32)
    for t in range(0, job.steps, 4):
        fill_words(job, job.first + b, t, 0, stream, words)
        for k in range(4):
            if length == 1.0:
                _draw(history, words[k], row, r[k])
                continue
            fresh = t + k == 0 or (not random and (t + k) % int(length) == 0)
            chance = 1.0 if fresh else (1.0 / length if random else 0.0)
            if chance > 0.0:
                _place(starts, len(history), chance, words[k], place)
            _run_on(history, chance, words[k], place, row, r[k])
        follow(job, t, b * LANES, r, paths)
    settle(job, b * LANES, paths)


@kernel(parallel=True)
def _blocks(job: Any, history: Any, starts: Any, length: Any, random: Any, blocks: Any) -> None:
    for b in prange(blocks):
        _block(job, history, starts, length, random, b)


@dataclass(frozen=True, slots=True, eq=False)
class Bootstrap:
    """Log returns (n,) to draw from, rows (k,) where blocks may start, length of a block (mean, if random)."""

    returns: Float64
    starts: Int64
    length: float
    random: bool
    interval: str = "1d"

    @property
    def additive(self) -> bool:
        """The log value is the sum of the log returns."""
        return True

    def means(self, steps: int) -> Float64:
        """Expected log return of each step (1, steps)."""
        if len(self.starts) == len(self.returns):
            return np.full((1, steps), self.returns.mean())
        offsets = np.arange(steps) % int(self.length)
        table: Float64 = self.returns[(self.starts[:, None] + offsets) % len(self.returns)]
        return np.asarray(table.mean(axis=0, keepdims=True))

    def spread(self) -> Float64:
        """Standard deviation of the returns (1,)."""
        return np.array([self.returns.std(ddof=1)])

    def launch(self, job: Job, blocks: int) -> None:
        """Simulate `blocks` blocks as `job` says."""
        iid = self.length == 1
        history = np.sort(self.returns[self.starts]) if iid else self.returns
        everywhere = len(self.starts) == len(self.returns)
        starts = self.starts[:0] if everywhere else self.starts
        _blocks(job, history.astype(np.float32), starts.astype(np.uint32), float(self.length), self.random, blocks)


def bootstrap(
    returns: ArrayLike,
    method: Method = "stationary",
    *,
    length: float | None = None,
    starts: ArrayLike | None = None,
    interval: str = "1d",
) -> Bootstrap:
    """Bootstrap of log returns (n,); `length` is n^(1/3) if not given, a whole number for `block`.

    Raises: NotEnoughHistory below 30 returns; DataError if they are not finite or do not vary; ValueError if the method
    is none of the three, the length is not in 1 .. n, a start is not a row, or starts are given for anything but blocks
    that fit behind them.
    """
    sample = checked_returns(returns, 30)
    n = len(sample)
    if method not in get_args(Method):
        raise ValueError(f"method must be one of {', '.join(get_args(Method))}, got {method!r}")
    size = 1.0 if method == "iid" else (length or max(1.0, n ** (1 / 3)))
    size = float(round(size)) if method == "block" else size
    if not 1 <= size <= n:
        raise ValueError(f"the length of a block must be in 1 .. {n}, got {size}")
    rows = np.arange(n) if starts is None else np.asarray(starts, np.int64)
    if starts is not None and (method != "block" or not len(rows) or rows.min() < 0 or rows.max() + size > n):
        raise ValueError(f"starts need method block and rows in 0 .. {n - int(size)}, got {method} and {rows.tolist()}")
    return Bootstrap(sample, rows, size, method == "stationary", interval)
