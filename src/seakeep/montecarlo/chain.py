"""Hidden Markov chain of normal returns, fitted by expectation and maximisation (Baum-Welch [1]_, Hamilton [2]_).

.. [1] Rabiner, "A tutorial on hidden Markov models", Proceedings of the IEEE 77 (1989).
.. [2] Hamilton, "Analysis of time series subject to changes in regime", Journal of Econometrics 45 (1990).
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from seakeep.core.errors import ConvergenceError
from seakeep.core.jit import kernel
from seakeep.core.market import Float64

__all__ = ["Chain", "fit_chain"]


@dataclass(frozen=True, slots=True, eq=False)
class Chain:
    """States sorted by deviation: mean, deviation (k,), transition (k, k) rows from, `now` (k,) the probability of
    each state at the last return, how the fit went, number and variance of the returns."""

    mean: Float64
    sd: Float64
    transition: Float64
    now: Float64
    log_likelihood: float
    iterations: int
    n: int
    variance: float

    @property
    def bic(self) -> float:
        """Schwarz's criterion: lower is better."""
        k = len(self.mean)
        return -2 * self.log_likelihood + (k * k + 2 * k - 1) * math.log(self.n)

    @property
    def gain(self) -> float:
        """How much lower the criterion is than that of one normal; not above zero: history shows no such regimes."""
        alone = self.n * (math.log(2 * math.pi * self.variance) + 1) + 2 * math.log(self.n)
        return alone - self.bic


@kernel
def _sweep(x: Any, mean: Any, variance: Any, transition: Any, start: Any, alpha: Any, weight: Any) -> Any:
    """One expectation and maximisation, in place; the log-likelihood of the parameters before it."""
    n, k = alpha.shape
    scale, found = np.empty(n), 0.0
    for t in range(n):
        top = -np.inf
        for j in range(k):
            weight[t, j] = -0.5 * ((x[t] - mean[j]) ** 2 / variance[j] + math.log(2 * math.pi * variance[j]))
            top = max(top, weight[t, j])
        total = 0.0
        for j in range(k):
            weight[t, j] = math.exp(weight[t, j] - top)
            before = start[j]
            if t > 0:
                before = 0.0
                for i in range(k):
                    before += alpha[t - 1, i] * transition[i, j]
            alpha[t, j] = before * weight[t, j]
            total += alpha[t, j]
        alpha[t] /= total
        scale[t] = total
        found += math.log(total) + top
    _maximise(x, mean, variance, transition, start, alpha, weight, scale)
    return found


@kernel
def _maximise(
    x: Any, mean: Any, variance: Any, transition: Any, start: Any, alpha: Any, weight: Any, scale: Any
) -> None:
    """Backward pass and new parameters."""
    n, k = alpha.shape
    beta, moves = np.ones(k), np.zeros((k, k))
    mass, first, second, after = np.zeros(k), np.zeros(k), np.zeros(k), np.empty(k)
    for t in range(n - 1, -1, -1):
        for j in range(k):
            share = alpha[t, j] * beta[j]
            mass[j] += share
            first[j] += share * x[t]
            second[j] += share * x[t] * x[t]
            after[j] = weight[t, j] * beta[j] / scale[t]
            if t == 0:
                start[j] = share
        if t > 0:
            for i in range(k):
                beta[i] = 0.0
                for j in range(k):
                    step = transition[i, j] * after[j]
                    beta[i] += step
                    moves[i, j] += alpha[t - 1, i] * step
    for j in range(k):
        mean[j] = first[j] / mass[j]
        variance[j] = max(second[j] / mass[j] - mean[j] ** 2, 1e-6)
        transition[j] = moves[j] / moves[j].sum()


def fit_chain(returns: Float64, states: int, *, iterations: int = 2000, tolerance: float = 1e-7) -> Chain:
    """The chain of largest likelihood from three starts; returns (n,) are checked by the caller.

    Raises: ConvergenceError if no start gains less than `tolerance` in log-likelihood within `iterations` sweeps, or
    if a state shrinks to a point.
    """
    centre, width = float(returns.mean()), float(returns.std())
    x, best = (returns - centre) / width, None
    for spread in (0.3, 1.0, 2.0):
        found = _ascend(x, states, spread, iterations, tolerance)
        if found is not None and (best is None or found[0] > best[0]):
            best = found
    if best is None:
        remedy = "take a longer history or fewer states"
        raise ConvergenceError(f"no fit of {states} regimes in {iterations} sweeps", value=len(x), remedy=remedy)
    score, sweeps, mean, variance, transition, now = best
    order = np.argsort(variance)
    return Chain(
        mean[order] * width + centre,
        np.sqrt(variance[order]) * width,
        transition[np.ix_(order, order)],
        now[order],
        score - len(x) * math.log(width),
        sweeps,
        len(x),
        width**2,
    )


def _ascend(x: Float64, k: int, spread: float, iterations: int, tolerance: float) -> Any:
    """Log-likelihood, sweeps, means, variances, transition and last filtered probabilities; None if it fails."""
    mean, variance = spread * np.linspace(0.2, -0.2, k), np.geomspace(0.25, 2.5, k) * max(spread, 0.5)
    transition = np.full((k, k), 0.05 / max(k - 1, 1)) + np.eye(k) * (0.95 - 0.05 / max(k - 1, 1))
    start, alpha, weight = np.full(k, 1 / k), np.empty((len(x), k)), np.empty((len(x), k))
    before = -math.inf
    for sweep in range(1, iterations + 1):
        score = _sweep(x, mean, variance, transition, start, alpha, weight)
        if not math.isfinite(score) or variance.min() <= 1e-6:
            return None
        if score - before < tolerance:
            return score, sweep, mean, variance, transition, alpha[-1].copy()
        before = score
    return None
