"""Maximum likelihood by Fisher scoring: steps of score over expected information, kept inside linear bounds.

A step that would leave the bounds is replaced by the best one inside them: the quadratic programme with the same score
and information, by Hildreth's sweeps over its few multipliers [1]_. So a maximum on the edge (a zero coefficient, a
unit persistence) is reached exactly, and a step is only ever shortened to raise the likelihood.

.. [1] Hildreth, "A quadratic programming procedure", Naval Research Logistics Quarterly 4 (1957).
"""

import math

import numpy as np
from scipy.special import digamma

from seakeep.core.jit import kernel
from seakeep.core.market import Float64
from seakeep.stats.recursions import ROWS, likelihood

__all__ = ["CONVERGED", "STALLED", "UNFINISHED", "ascend", "bounded_step", "curvature"]

CONVERGED, STALLED, UNFINISHED = 0, 1, 2
"""How an ascent ended: at a maximum, where no step helps, or out of passes."""

GAIN, SLACK = 1e-7, 1e-7
"""An ascent ends when the next step promises less log-likelihood than `GAIN`, plus 1e-12 an observation of rounding,
or when no step raises it and the promise is below `SLACK`."""
PASSES = 300
SWEEPS = 10_000


@kernel
def bounded_step(score: Float64, information: Float64, bounds: Float64, room: Float64) -> Float64:
    """The step d (k,) that maximises score d - d information d / 2 subject to bounds (m, k) d <= room (m,).

    NaN if the sweeps do not settle inside the bounds, as they may not where the information is indefinite.
    """
    k, m = len(score), len(room)
    ridged = information.copy()
    for i in range(k):
        ridged[i, i] += 1e-10 * information[i, i] + 1e-12
    right = np.empty((k, m + 1))
    right[:, 0], right[:, 1:] = score, bounds.T
    solved = np.linalg.solve(ridged, right)
    step, over, mixed = np.empty(k), np.empty(m), np.zeros((m, m))
    step[:] = solved[:, 0]
    for i in range(m):
        over[i] = (bounds[i] * step).sum() - room[i]
        for j in range(m):
            mixed[i, j] = (bounds[i] * solved[:, j + 1]).sum()
    if over.max() <= 0.0:
        return step
    pressure = np.zeros(m)
    for _ in range(SWEEPS):
        moved = 0.0
        for i in range(m):
            change = max(-pressure[i], (over[i] - (mixed[i] * pressure).sum()) / mixed[i, i])
            pressure[i] += change
            moved = max(moved, abs(change) * mixed[i, i])
        if not moved > 1e-13:
            break
    for i in range(k):
        step[i] -= (solved[i, 1:] * pressure).sum()
    if not (_times(bounds, step) - room).max() < 1e-9:
        step[:] = np.nan
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
    work: Float64,
) -> tuple[Float64, float, int, int]:
    """Climb from free parameters `start` (k,): the maximum, its log-likelihood, the passes taken, how it ended.

    `design` (6, k) makes `theta` of the free parameters; they stay where `bounds` (m, k) free <= `limits` (m,). `work`
    (8, n + 1) is left as the pass at the maximum made it.
    """
    k, score, information = len(start), np.empty(6), np.empty((6, 6))
    free, passes, rest, enough = start.copy(), 1, np.zeros((k, k)), GAIN + 1e-12 * len(x)
    best = likelihood(x, _times(design, free), egarch, presample, work, score, information)
    slope, expected = _times(design.T, score), _through(design, information)
    while passes < PASSES:
        room = limits - _times(bounds, free)
        step = bounded_step(slope, expected + rest, bounds, room)
        if not 0.5 * (slope * step).sum() > enough or passes % 20 == 0:
            rest[:] = 0.0
            step = bounded_step(slope, expected, bounds, room)
        promise = 0.5 * (slope * step).sum()
        if not promise > enough:
            return free, best, passes, STALLED if math.isnan(promise) else CONVERGED
        length, value, trial = 1.0, -np.inf, free
        while length > 1e-8 and not value > best:
            trial = free + length * step
            value = likelihood(x, _times(design, trial), egarch, presample, work, score, information)
            length *= 0.5
            passes += 1
        if not value > best:
            best = likelihood(x, _times(design, free), egarch, presample, work, score, information)
            return free, best, passes, CONVERGED if promise < SLACK else STALLED
        before, slope = slope, _times(design.T, score)
        expected = _through(design, information)
        _learn(rest, trial - free, before - slope, expected)
        free, best = trial, value
    return free, best, passes, UNFINISHED


@kernel
def _learn(rest: Float64, step: Float64, turned: Float64, expected: Float64) -> None:
    """Update what the curvature has beyond the expected information, so that it explains how the score turned."""
    missing = turned - _times(expected, step) - _times(rest, step)
    along = (turned * step).sum()
    if not along > 0.0:
        rest[:] = 0.0
        return
    twice = (missing * step).sum() / along
    for i in range(len(step)):
        for j in range(len(step)):
            rest[i, j] += (missing[i] * turned[j] + turned[i] * missing[j] - twice * turned[i] * turned[j]) / along


@kernel
def _times(matrix: Float64, vector: Float64) -> Float64:
    out: Float64 = np.zeros(len(matrix))
    for i in range(len(matrix)):
        for j in range(len(vector)):
            out[i] += matrix[i, j] * vector[j]
    return out


@kernel
def _through(design: Float64, information: Float64) -> Float64:
    """Information (k, k) of the free parameters."""
    k = design.shape[1]
    half = np.zeros((6, k))
    for i in range(6):
        half[i] = _times(design.T, information[i])
    out: Float64 = np.zeros((k, k))
    for p in range(k):
        out[:, p] = _times(design.T, half[:, p])
    return out


def curvature(x: Float64, free: Float64, design: Float64, egarch: bool, presample: Float64) -> tuple[Float64, Float64]:
    """Minus the Hessian (k, k) of the log-likelihood, by central differences of its score, and the scores (n, k)."""
    work, score, information = np.empty((ROWS, len(x) + 1)), np.empty(6), np.empty((6, 6))
    likelihood(x, design @ free, egarch, presample, work, score, information)
    scores = _rows(x, design @ free, work) @ design
    sizes = 1e-4 / np.sqrt(np.diag(design.T @ information @ design))
    hessian = np.empty((len(free), len(free)))
    for i, size in enumerate(sizes):
        ends = []
        for sign in (1.0, -1.0):
            moved = free.copy()
            moved[i] += sign * size
            likelihood(x, design @ moved, egarch, presample, work, score, information)
            ends.append(design.T @ score)
        hessian[i] = (ends[1] - ends[0]) / (2 * size)
    return 0.5 * (hessian + hessian.T), scores


def _rows(x: Float64, theta: Float64, work: Float64) -> Float64:
    """Scores (n, 6) of single observations, from the rows a pass left behind."""
    slopes, weight, direct, h = work[:5, :-1], work[5, :-1], work[6, :-1], work[7, :-1]
    scores = np.zeros((len(x), 6))
    scores[:, :5] = (slopes * weight).T
    scores[:, 0] += direct
    if theta[5] > 0:
        nu = 1 / theta[5]
        excess = 2 * weight + 1 - (nu - 2) * np.log1p((x - theta[0]) ** 2 / h / (nu - 2)) - 1
        scores[:, 5] = -0.5 * nu**2 * (digamma((nu + 1) / 2) - digamma(nu / 2) + excess / (nu - 2))
    return scores
