"""Maximum likelihood by Fisher scoring: steps of score over expected information, kept inside linear bounds.

A step that would leave the bounds is replaced by the best one inside them: the quadratic programme with the same score
and information, by Hildreth's sweeps over its few multipliers [1]_. So a maximum on the edge (a zero coefficient, a
unit persistence) is reached exactly, and a step is only ever shortened to raise the likelihood.

.. [1] Hildreth, "A quadratic programming procedure", Naval Research Logistics Quarterly 4 (1957).
"""

import numpy as np

from seakeep.core.jit import kernel
from seakeep.core.market import Float64
from seakeep.stats.recursions import likelihood

__all__ = ["CONVERGED", "STALLED", "UNFINISHED", "ascend", "bounded_step"]

CONVERGED, STALLED, UNFINISHED = 0, 1, 2
"""How an ascent ended: at a maximum, where no step helps, or out of passes."""

GAIN = 1e-9
"""An ascent ends when the next step promises less log-likelihood than this, plus 1e-12 an observation of rounding."""
PASSES = 300


@kernel
def bounded_step(score: Float64, information: Float64, bounds: Float64, room: Float64) -> Float64:
    """The step d (k,) that maximises score d - d information d / 2 subject to bounds (m, k) d <= room (m,)."""
    k, m = len(score), len(room)
    ridged = information.copy()
    for i in range(k):
        ridged[i, i] += 1e-10 * information[i, i] + 1e-12
    right = np.empty((k, m + 1))
    right[:, 0], right[:, 1:] = score, bounds.T
    solved = np.linalg.solve(ridged, right)
    step = solved[:, 0].copy()
    over, mixed = np.empty(m), np.zeros((m, m))
    for i in range(m):
        over[i] = (bounds[i] * step).sum() - room[i]
        for j in range(m):
            mixed[i, j] = (bounds[i] * solved[:, j + 1]).sum()
    if over.max() <= 0.0:
        return step
    pressure = np.zeros(m)
    for _ in range(500):
        moved = 0.0
        for i in range(m):
            change = max(-pressure[i], (over[i] - (mixed[i] * pressure).sum()) / mixed[i, i])
            pressure[i] += change
            moved = max(moved, abs(change) * mixed[i, i])
        if moved < 1e-14:
            break
    for i in range(k):
        step[i] -= (solved[i, 1:] * pressure).sum()
    return step


@kernel
def ascend(
    x: Float64,
    start: Float64,
    design: Float64,
    bounds: Float64,
    limits: Float64,
    egarch: bool,
    presample: Float64,
) -> tuple[Float64, float, int, int]:
    """Climb from free parameters `start` (k,): the maximum, its log-likelihood, the passes taken, how it ended.

    `design` (6, k) makes `theta` of the free parameters; they stay where `bounds` (m, k) free <= `limits` (m,).
    """
    work, score, information = np.empty((8, len(x))), np.empty(6), np.empty((6, 6))
    free, passes = start.copy(), 1
    best = likelihood(x, (design * free).sum(axis=1), egarch, presample, work, score, information)
    while passes < PASSES:
        slope = (design.T * score).sum(axis=1)
        curvature = _through(design, information)
        step = bounded_step(slope, curvature, bounds, limits - (bounds * free).sum(axis=1))
        promise = 0.5 * (slope * step).sum()
        if not promise > GAIN + 1e-12 * len(x):
            return free, best, passes, CONVERGED if promise == promise else STALLED
        length, value = 1.0, -np.inf
        while length > 1e-8 and not value > best:
            trial = free + length * step
            value = likelihood(x, (design * trial).sum(axis=1), egarch, presample, work, score, information)
            length *= 0.5
            passes += 1
        if not value > best:
            return free, best, passes, CONVERGED if promise < 1e-7 else STALLED
        free, best = trial, value
    return free, best, passes, UNFINISHED


@kernel
def _through(design: Float64, information: Float64) -> Float64:
    """Information (k, k) of the free parameters."""
    k = design.shape[1]
    out = np.zeros((k, k))
    for i in range(6):
        for j in range(6):
            for p in range(k):
                for q in range(k):
                    out[p, q] += design[i, p] * information[i, j] * design[j, q]
    return out
