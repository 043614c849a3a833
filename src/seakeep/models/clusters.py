"""Regimes that are learnt: k-means, a Gaussian mixture, a hidden Markov chain over two numbers of the recent past.

The two are the drift over `span` points (log change over its usual size, from the long deviation) and the volatility of
the last `recent` ones (log of its ratio to the long one). What a state counts for follows from its own means, so no
order of the states, start or seed can swap the labels. What lies far from all that was learnt is "unknown".
"""

import math
from abc import abstractmethod
from functools import cached_property
from typing import Self

import numpy as np

from seakeep.core.beliefs import FeatureFrame
from seakeep.core.errors import NotEnoughHistory
from seakeep.core.market import Float64, Int64
from seakeep.models.regimes import LABELS, REGIMES, RegimeModel
from seakeep.stats.filtering import filter_windows, scaled_densities
from seakeep.stats.hmm import HmmSettings, fit_hmm
from seakeep.stats.kmeans import fit_kmeans, nearest_centre
from seakeep.stats.mixture import fit_mixture

__all__ = ["ClusterRegimes", "HmmRegimes", "KmeansRegimes", "MixtureRegimes", "anchor"]

DRIFT = 0.5
"""Mean drift, in deviations, at which a state is as much bull or bear as ranging."""
WILD = math.log(1.25)
"""Log volatility above the average at which a state is as much volatile as ranging."""
_FAR = 2.0
"""How many times further than nearly all training rows a row must lie from every state to be an anomaly."""
_NEARLY_ALL = 0.999
_APART = 6
"""Points between the rows that are learnt from: nearer ones repeat each other."""
_LEAST_POINTS = 60


def anchor(means: Float64, shares: Float64) -> Float64:
    """How far each state is of each label (k, 4), from mean drift and volatility (k, 2) and shares (k,) of the states.

    A state speaks for bull or bear by the square of its drift over `DRIFT`, for volatile by that of its log volatility
    above the average over `WILD`, for ranging by 1.

    >>> anchor(np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 0.0]]), np.ones(3) / 3).round(2)[:2].tolist()
    [[0.0, 0.0, 1.0, 0.0], [0.94, 0.0, 0.06, 0.0]]
    """
    drift, excess = means[:, 0] / DRIFT, (means[:, 1] - np.average(means[:, 1], weights=shares)) / WILD
    pull = np.stack([np.maximum(drift, 0), np.maximum(-drift, 0), np.ones(len(means)), np.maximum(excess, 0)], axis=1)
    return np.asarray(pull**2 / (pull**2).sum(axis=1, keepdims=True))


class ClusterRegimes(RegimeModel):
    """States over drift and volatility. Their odds count by how much there is to see: with z the two in deviations,
    their weight against even odds is `trust` + (1 - `trust`) z^2 / (z^2 + `doubt`).

    Both defaults are those of least log loss on synthetic markets of known regimes (benchmarks/regimes.py).
    """

    span: int = 96
    recent: int = 24
    long: int = 336
    states: int = 5
    trust: float = 0.1
    doubt: float = 4.0

    @cached_property
    def features(self) -> tuple[str, ...]:
        """Log return over the span, deviation over half of it, and over the long past."""
        names = (f"log_return:{self.span}", f"return_std:{self.recent}", f"return_std:{self.long}")
        return tuple(self.spec(name) for name in names)

    @property
    def points(self) -> int:
        """One: its features hold the past."""
        return 1

    def fit(self, frame: FeatureFrame, seed: int) -> Self:
        """Learn the states from the points of the frame. Raises: NotEnoughHistory, ConvergenceError."""
        x = self._numbers(frame)[:: self.stride * _APART]
        x = x[np.isfinite(x).all(axis=1)]
        if len(x) < _LEAST_POINTS:
            remedy = f"{self.long} points pass before the first is known: load a longer history"
            raise NotEnoughHistory(f"regimes need {_LEAST_POINTS} points {_APART} apart", value=len(x), remedy=remedy)
        self.centre_, self.width_ = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-9)
        shares, self.means_, self.deviations_ = self._learn((x - self.centre_) / self.width_, seed)
        self.anchors_ = anchor(self.means_ * self.width_ + self.centre_, shares)
        scaled = (x - self.centre_) / self.width_
        self.edge_ = _FAR * float(np.quantile(self._distance(scaled), _NEARLY_ALL))
        return self

    def beliefs(self, frame: FeatureFrame, rows: Int64) -> Float64:
        """Odds of the states by label, drawn towards even odds (m, 5); all on "unknown" when far off."""
        self._needs("edge_")
        x = (self._numbers(frame) - self.centre_) / self.width_
        states = self._odds(x, rows)
        probs = np.zeros((len(rows), len(LABELS)))
        probs[:, :4] = states @ self.anchors_
        seen = (x[rows] ** 2).sum(axis=1, keepdims=True)
        weight = self.trust + (1 - self.trust) * seen / (seen + self.doubt)
        probs[:, :4] = weight * probs[:, :4] + (1 - weight) / 4
        probs[self._distance(x[rows]) > self.edge_] = np.eye(len(LABELS))[-1]
        return probs

    def _numbers(self, frame: FeatureFrame) -> Float64:
        """Drift and volatility (n, 2); NaN while warming up and where the price stands still."""
        change, recent, usual = (frame[name] for name in self.features)
        still = ~((recent > 0) & (usual > 0))
        usual = np.where(still, 1.0, usual)
        x = np.stack([change / (usual * math.sqrt(self.span)), np.log(np.where(still, 1.0, recent) / usual)], axis=1)
        x[still] = np.nan
        return x

    def _distance(self, x: Float64) -> Float64:
        """Squared distance (m,) to the nearest state, in its own deviations."""
        off = (x[:, None, :] - self.means_) / self.deviations_
        return np.asarray((off * off).sum(axis=2).min(axis=1))

    @abstractmethod
    def _learn(self, x: Float64, seed: int) -> tuple[Float64, Float64, Float64]:
        """Fit the states: their shares (k,), means (k, 2) and deviations (k, 2)."""

    @abstractmethod
    def _odds(self, x: Float64, rows: Int64) -> Float64:
        """Probability of each state (m, k) at `rows` of x (n, 2)."""


@REGIMES.register("kmeans")
class KmeansRegimes(ClusterRegimes):
    """The nearest of k centres."""

    def _learn(self, x: Float64, seed: int) -> tuple[Float64, Float64, Float64]:
        found = fit_kmeans(x, self.states, seed)
        each = [x[found.labels == j].std(axis=0) for j in range(self.states)]
        return found.sizes / len(x), found.centres, np.maximum(each, 0.1)

    def _odds(self, x: Float64, rows: Int64) -> Float64:
        owner = np.zeros(len(rows), np.int64)
        nearest_centre(np.ascontiguousarray(x[rows]), self.means_, owner)
        odds = np.eye(self.states)[owner]
        odds[np.isnan(x[rows]).any(axis=1)] = np.nan
        return odds


@REGIMES.register("gmm")
class MixtureRegimes(ClusterRegimes):
    """The odds of each component of a Gaussian mixture."""

    def _learn(self, x: Float64, seed: int) -> tuple[Float64, Float64, Float64]:
        found = fit_mixture(x, self.states, seed, "diag", tolerance=1e-3)
        self.weights_ = found.weights
        return found.weights, found.means, np.sqrt(np.diagonal(found.covariances, axis1=1, axis2=2))

    def _odds(self, x: Float64, rows: Int64) -> Float64:
        odds = scaled_densities(np.ascontiguousarray(x[rows]), self.means_, self.deviations_) * self.weights_
        return np.asarray(odds / odds.sum(axis=1, keepdims=True))


@REGIMES.register("hmm")
class HmmRegimes(ClusterRegimes):
    """A chain whose states last: filtered over `steps` rows as far apart as those learnt from, begun at its shares."""

    steps: int = 8

    @property
    def points(self) -> int:
        """The points from the first step to the last."""
        return (self.steps - 1) * _APART + 1

    def _learn(self, x: Float64, seed: int) -> tuple[Float64, Float64, Float64]:
        found = fit_hmm(x, self.states, seed, settings=HmmSettings(covariance="diag", tolerance=1e-5))
        self.transition_, self.start_ = found.transition, found.odds
        return found.stationary, found.means, np.sqrt(np.diagonal(found.covariances, axis1=1, axis2=2))

    def _odds(self, x: Float64, rows: Int64) -> Float64:
        density = scaled_densities(x, self.means_, self.deviations_)
        return np.asarray(
            filter_windows(density, self.transition_, self.start_, rows, _APART * self.stride, self.steps)
        )
