"""What every level shares: the order a kernel is given, and how it follows the log values of a block of paths.

A path starts at log value 0. At each step its log return r becomes `pull * x + tilt + factor * r`: plain paths have
pull 1, tilt 0 and factor 1; a scenario sets them (see `scenarios`). Steps are padded to a multiple of four with pull
1, tilt 0 and factor 0, which changes nothing. Only the present state of a path is kept: its level, its lowest and
highest level so far, its deepest fall and, when asked for, how long it stayed down.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import float32
from numpy.typing import NDArray

from seakeep.core.jit import FUSED, kernel
from seakeep.montecarlo.streams import LANES, exp_f32

__all__ = [
    "DROP",
    "END",
    "LOW",
    "PATH",
    "RECOVERY",
    "ROWS",
    "TERMINAL",
    "TIMES",
    "UNDER",
    "Float32",
    "Job",
    "follow",
    "mark",
    "open_lanes",
    "settle",
    "settle_values",
]

Float32 = NDArray[np.float32]
Int32 = NDArray[np.int32]

TERMINAL, LOW, DROP, UNDER, RECOVERY = range(5)
ROWS = 5
"""Rows of what a path leaves: end value, lowest value, largest drawdown, longest time below a peak, time it took to
recover from the deepest fall (steps; infinite if it did not)."""

END, PATH, TIMES = range(3)
"""How much of a path is measured."""

_X, _LOW, _PEAK, _DROP, _SINCE, _LONGEST, _TROUGH, _BACK = range(8)


class Job(NamedTuple):
    """An order to a kernel. `tilt` (assets, padded steps), `factor` and `pull` (padded steps,), float32.

    `out` (rows, paths) takes the results; `kept` (rows, paths) the values after the steps whose `row` (padded steps,)
    is not negative, or has no rows. `first` is the number of the first block, `detail` how much is measured: END, PATH
    or TIMES.
    """

    seed: np.uint64
    fast: bool
    mirror: bool
    first: int
    steps: int
    detail: int
    tilt: Float32
    factor: Float32
    pull: Float32
    out: Float32
    kept: Float32
    row: Int32


@kernel
def open_lanes(start: Any) -> Any:
    """State (8, LANES) of a block of paths at their start: 0 if they are followed in logs, 1 if in values."""
    state = np.zeros((8, LANES), np.float32)
    state[: _PEAK + 1] = float32(start)
    return state


@kernel(fastmath=FUSED, inline=True)
def _four(tilt: Any, factor: Any, pull: Any, t: Any, r: Any, state: Any) -> None:
    """Four steps in one pass over the lanes."""
    x, low, peak, drop = state[_X], state[_LOW], state[_PEAK], state[_DROP]
    k0, k1, k2, k3 = pull[t], pull[t + 1], pull[t + 2], pull[t + 3]
    d0, d1, d2, d3 = tilt[t], tilt[t + 1], tilt[t + 2], tilt[t + 3]
    f0, f1, f2, f3 = factor[t], factor[t + 1], factor[t + 2], factor[t + 3]
    for j in range(LANES):
        y = k0 * x[j] + (d0 + f0 * r[0, j])
        lowest, highest = min(low[j], y), max(peak[j], y)
        fall = max(drop[j], highest - y)
        y = k1 * y + (d1 + f1 * r[1, j])
        lowest, highest = min(lowest, y), max(highest, y)
        fall = max(fall, highest - y)
        y = k2 * y + (d2 + f2 * r[2, j])
        lowest, highest = min(lowest, y), max(highest, y)
        fall = max(fall, highest - y)
        y = k3 * y + (d3 + f3 * r[3, j])
        x[j] = y
        low[j], peak[j] = min(lowest, y), max(highest, y)
        drop[j] = max(fall, peak[j] - y)


@kernel(fastmath=FUSED)
def _time(t: Any, before: Any, state: Any) -> None:
    """Times of the lanes after step t; `before` (2, LANES) holds peak and fall before it."""
    now, one, zero = float32(t + 1), float32(1.0), float32(0.0)
    x, old_peak, since, longest = state[_X], before[0], state[_SINCE], state[_LONGEST]
    for j in range(LANES):
        longer = since[j] + one
        below = zero if x[j] >= old_peak[j] else longer
        since[j] = below
        longest[j] = max(longest[j], below)
    drop, old_drop, trough, back = state[_DROP], before[1], state[_TROUGH], state[_BACK]
    for j in range(LANES):
        lowest, waited, under = trough[j], back[j], since[j]
        deeper = drop[j] > old_drop[j]
        lowest = now if deeper else lowest
        waited = zero if deeper else waited
        returned = now - lowest if under == zero else zero
        back[j] = returned if waited == zero else waited
        trough[j] = lowest


@kernel(fastmath=FUSED)
def _one(tilt: Any, factor: Any, pull: Any, t: Any, r: Any, state: Any) -> None:
    """One step: the same arithmetic as in `_four`."""
    k, d, f = pull[t], tilt[t], factor[t]
    x, low, peak, drop = state[_X], state[_LOW], state[_PEAK], state[_DROP]
    for j in range(LANES):
        y = k * x[j] + (d + f * r[j])
        x[j] = y
        low[j], peak[j] = min(low[j], y), max(peak[j], y)
        drop[j] = max(drop[j], peak[j] - y)


@kernel
def _each(job: Any, t: Any, place: Any, r: Any, state: Any) -> None:
    """Steps t .. t + 3 one by one, for times and kept values."""
    before = np.empty((2, LANES), np.float32)
    for k in range(min(4, job.steps - t)):
        before[0], before[1] = state[_PEAK], state[_DROP]
        _one(job.tilt[0], job.factor, job.pull, t + k, r[k], state)
        if job.detail == TIMES:
            _time(t + k, before, state)
        if job.kept.shape[0] and job.row[t + k] >= 0:
            x, kept = state[_X], job.kept[job.row[t + k], place : place + LANES]
            for j in range(LANES):
                kept[j] = exp_f32(x[j])


@kernel(inline=True)
def follow(job: Any, t: Any, place: Any, r: Any, state: Any) -> None:
    """Take the log returns `r` (4, LANES) of steps t .. t + 3; `place` is where the block's paths lie in `out`."""
    if job.detail < TIMES and job.kept.shape[0] == 0:
        _four(job.tilt[0], job.factor, job.pull, t, r, state)
    else:
        _each(job, t, place, r, state)


@kernel
def _settle_times(job: Any, place: Any, state: Any) -> None:
    """Write the two times of the paths of a block."""
    for j in range(LANES):
        waited = float32(np.inf) if state[_BACK, j] == float32(0.0) else state[_BACK, j]
        job.out[UNDER, place + j] = state[_LONGEST, j]
        job.out[RECOVERY, place + j] = waited if state[_TROUGH, j] > float32(0.0) else float32(0.0)


@kernel(fastmath=FUSED)
def settle(job: Any, place: Any, state: Any) -> None:
    """Write what the paths of a block leave: values relative to a start of 1, drawdown as a positive fraction."""
    for j in range(LANES):
        job.out[TERMINAL, place + j] = exp_f32(state[_X, j])
    if job.detail >= PATH:
        for j in range(LANES):
            job.out[LOW, place + j] = exp_f32(state[_LOW, j])
            job.out[DROP, place + j] = float32(1.0) - exp_f32(-state[_DROP, j])
    if job.detail == TIMES:
        _settle_times(job, place, state)


@kernel(fastmath=FUSED)
def mark(job: Any, t: Any, place: Any, state: Any) -> None:
    """Take a value, rather than log returns, after step t: the lanes of `state[0]` hold it already."""
    before = np.empty((2, LANES), np.float32)
    before[0], before[1] = state[_PEAK], state[_DROP]
    x, low, peak, drop = state[_X], state[_LOW], state[_PEAK], state[_DROP]
    for j in range(LANES):
        low[j], peak[j] = min(low[j], x[j]), max(peak[j], x[j])
        drop[j] = max(drop[j], float32(1.0) - x[j] / peak[j])
    if job.detail == TIMES:
        _time(t, before, state)
    if job.kept.shape[0] and job.row[t] >= 0:
        job.kept[job.row[t], place : place + LANES] = x


@kernel
def settle_values(job: Any, place: Any, state: Any) -> None:
    """As `settle`, for lanes that hold values."""
    job.out[TERMINAL, place : place + LANES] = state[_X]
    if job.detail >= PATH:
        job.out[LOW, place : place + LANES] = state[_LOW]
        job.out[DROP, place : place + LANES] = state[_DROP]
    if job.detail == TIMES:
        _settle_times(job, place, state)
