"""Weights that opinions earn: exponential weights with a regret bound, or Beta arms.

A round lasts `horizon` bars: the votes of an instant, and what following each of them would have paid when the round is
over. Rounds follow one another, so the weights of a round are made of all rounds before it, which is what the bound
asks for. Who abstains is neither punished nor rewarded: it is counted as having done what the others did [2]_.

.. [1] Cesa-Bianchi and Lugosi, "Prediction, Learning, and Games" (2006), theorem 2.2.
.. [2] Freund, Schapire, Singer and Warmuth, "Using and combining predictors that specialize", STOC (1997).
"""

import math
from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

import numpy as np
from pydantic import Field

from seakeep.core.config import Section
from seakeep.core.market import Float64

__all__ = ["Arms", "Hedge", "Learner", "Weighting", "payoff", "regret_bound"]


class Weighting(Section):
    """How voices are weighed: by the weights of their groups, or by what they have earned, in each regime."""

    method: Literal["static", "hedge", "beta"] = Field(
        "static", description="static: by group; hedge: exponential weights; beta: Beta arms"
    )
    horizon: int = Field(24, ge=1, le=10_000, description="bars after which a vote is held against what came")
    rounds: int = Field(500, ge=1, le=1_000_000, description="rounds the learning rate of hedge is made for")
    least: int = Field(10, ge=1, description="rounds in a regime before it has weights of its own")
    reach: float = Field(2.0, gt=0, le=10, description="deviations of a horizon's return that pay in full")
    tilts: dict[str, dict[str, float]] = Field(
        {}, description="factors on the weights of groups by regime", examples=[{"ranging": {"momentum": 0.5}}]
    )


def payoff(score: float, moved: float, usual: float) -> float:
    """What following a vote paid, in [-1, 1]: its score times the move in units of `usual`, at most one.

    >>> payoff(-0.5, -0.02, 0.01), payoff(1.0, 0.005, 0.01)
    (0.5, 0.5)
    """
    return score * min(1.0, max(-1.0, moved / usual))


def regret_bound(rounds: int, voices: int) -> float:
    """Most that exponential weights lose against the best voice in so many rounds of losses in [0, 1].

    >>> round(regret_bound(200, 8), 6)
    14.420269
    """
    return math.sqrt(rounds * math.log(voices) / 2)


class Hedge:
    """Exponential weights of n voices; `rounds` fixes the rate sqrt(8 ln n / rounds), for which the bound holds."""

    def __init__(self, n: int, rounds: int) -> None:
        if n < 1 or rounds < 1:
            raise ValueError(f"hedge needs a voice and a round, got {n} and {rounds}")
        self.rate = math.sqrt(8.0 * math.log(n) / rounds)
        self.loss, self.seen = np.zeros(n), 0

    def weights(self) -> Float64:
        """Shares (n,), which add up to 1."""
        odds = np.exp(-self.rate * (self.loss - self.loss.min()))
        return np.asarray(odds / odds.sum())

    def update(self, payoffs: Float64) -> None:
        """Take in what each voice was paid (n,) in [-1, 1]; NaN abstained."""
        awake = ~np.isnan(payoffs)
        if not awake.any():
            return
        losses = (1.0 - payoffs) / 2.0
        shares = self.weights()[awake]
        losses[~awake] = float(shares @ losses[awake] / shares.sum())
        self.loss += losses
        self.seen += 1


class Arms:
    """Beta(1, 1) arms of n voices: a vote paid above nothing is a success; the weight is the mean, normalised."""

    def __init__(self, n: int) -> None:
        self.successes, self.failures, self.seen = np.ones(n), np.ones(n), 0

    def weights(self) -> Float64:
        """Shares (n,), which add up to 1."""
        means = self.successes / (self.successes + self.failures)
        return np.asarray(means / means.sum())

    def update(self, payoffs: Float64) -> None:
        """Take in what each voice was paid (n,); NaN abstained, and a vote that paid nothing at all is no trial."""
        self.successes += payoffs > 0
        self.failures += payoffs < 0
        self.seen += not np.isnan(payoffs).all()


class _Learning(Protocol):
    seen: int

    def weights(self) -> Float64: ...

    def update(self, payoffs: Float64) -> None: ...


class Learner:
    """Weights by voice, learnt over all markets and in each regime by itself."""

    def __init__(self, voices: Sequence[str], params: Weighting) -> None:
        self.voices, self.params = tuple(voices), params
        self._row = {name: i for i, name in enumerate(self.voices)}
        self.pooled = self._blank()
        self.by_regime: dict[str, _Learning] = {}

    def _blank(self) -> _Learning:
        n = len(self.voices)
        return Arms(n) if self.params.method == "beta" else Hedge(n, self.params.rounds)

    def shares(self, regime: str) -> dict[str, float]:
        """Weight of each voice in that regime; that of all regimes before it has seen enough rounds."""
        own = self.by_regime.get(regime)
        chosen = self.pooled if own is None or own.seen < self.params.least else own
        return dict(zip(self.voices, chosen.weights().tolist(), strict=True))

    def settle(self, rounds: Sequence[tuple[str, Mapping[str, float]]]) -> None:
        """Take in one round: for each market its regime when it began, and what each voice was paid there."""
        if not rounds:
            return
        labels = dict.fromkeys(label for label, _ in rounds)
        self.pooled.update(self._mean([paid for _, paid in rounds]))
        for label in labels:
            own = self.by_regime.setdefault(label, self._blank())
            own.update(self._mean([paid for mine, paid in rounds if mine == label]))

    def _mean(self, rounds: Sequence[Mapping[str, float]]) -> Float64:
        """Mean payoff of each voice (n,) over the markets it spoke on; NaN where it spoke on none."""
        total, count = np.zeros(len(self.voices)), np.zeros(len(self.voices))
        for paid in rounds:
            for voice, value in paid.items():
                total[self._row[voice]] += value
                count[self._row[voice]] += 1
        return np.asarray(np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0))
