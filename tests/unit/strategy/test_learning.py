"""What voices earn: the regret bound, sleepers, arms, regimes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from seakeep.core.beliefs import Signal
from seakeep.strategy.decide import Weights, blend
from seakeep.strategy.learning import Arms, Hedge, Learner, Weighting, payoff, regret_bound

tables = st.integers(2, 6).flatmap(
    lambda n: arrays(np.float64, st.tuples(st.integers(1, 60), st.just(n)), elements=st.floats(-1, 1))
)


@given(tables)
def test_the_weights_never_lose_more_than_the_bound_against_the_best_voice(payoffs: np.ndarray) -> None:
    # Cesa-Bianchi and Lugosi (2006), theorem 2.2, for losses (1 - payoff) / 2: whatever comes, and for any number n.
    rounds, n = payoffs.shape
    hedge, earned = Hedge(n, rounds), 0.0
    for row in payoffs:
        earned += float(hedge.weights() @ row)
        hedge.update(row.copy())
    regret = (payoffs.sum(axis=0).max() - earned) / 2
    assert regret <= regret_bound(rounds, n) + 1e-9


def test_an_adversary_who_pays_the_least_trusted_voice_comes_near_the_bound_and_not_beyond() -> None:
    hedge, earned, totals = Hedge(2, 4000), 0.0, np.zeros(2)
    for _ in range(4000):
        shares = hedge.weights()
        row = np.where(np.arange(2) == shares.argmin(), 1.0, -1.0)
        earned, totals = earned + float(shares @ row), totals + row
        hedge.update(row)
    regret = (totals.max() - earned) / 2
    assert 0.2 * regret_bound(4000, 2) < regret <= regret_bound(4000, 2)


def test_who_sleeps_neither_gains_nor_loses_against_the_blend() -> None:
    hedge = Hedge(3, 100)
    for _ in range(50):
        hedge.update(np.array([1.0, -1.0, np.nan]))
    good, bad, asleep = hedge.weights()
    assert good > asleep > bad
    silent = Hedge(3, 100)
    silent.update(np.full(3, np.nan))
    assert silent.weights() == pytest.approx(np.full(3, 1 / 3))


def test_arms_weigh_by_the_mean_of_their_beta_law() -> None:
    # Beta(1, 1) after 3 successes and 1 failure has mean 4/6, after none 1/2: seed 004.
    arms = Arms(2)
    for paid in (0.5, 0.1, 1.0, -0.2):
        arms.update(np.array([paid, np.nan]))
    assert arms.weights() == pytest.approx(np.array([4 / 6, 1 / 2]) / (4 / 6 + 1 / 2))


def test_a_vote_is_paid_by_its_own_direction() -> None:
    assert payoff(-1.0, -0.04, 0.02) == 1.0
    assert payoff(1.0, -0.01, 0.02) == -0.5
    assert payoff(0.0, 0.5, 0.02) == 0.0


def test_a_regime_has_weights_of_its_own_once_it_has_seen_enough() -> None:
    learner = Learner(("trend", "mean"), Weighting(method="hedge", least=10))
    for _ in range(10):
        learner.settle([("bull", {"trend": 1.0, "mean": -1.0})])
    for _ in range(9):
        learner.settle([("ranging", {"trend": -1.0, "mean": 1.0})])
    assert learner.shares("ranging")["trend"] > 0.5, "nine rounds are too few: those of all regimes count"
    learner.settle([("ranging", {"trend": -1.0, "mean": 1.0})])
    assert learner.shares("ranging")["trend"] < 0.5 < learner.shares("bull")["trend"]
    assert sum(learner.shares("bear").values()) == pytest.approx(1.0)


def test_learnt_weights_move_the_blend_and_a_group_of_no_weight_stays_unheard() -> None:
    voices = [Signal(name, group, "A", 0, s, 1.0, 1) for name, group, s in (("a", "ml", 1.0), ("b", "technical", -1.0))]
    weights = Weights().model_dump()
    assert blend(voices, weights).score == pytest.approx((0.1 - 0.3) / 0.4)
    assert blend(voices, weights, {"a": 0.75, "b": 0.25}).score == pytest.approx(0.5)
    assert blend(voices, weights | {"ml": 0.0}, {"a": 0.75, "b": 0.25}).score == -1.0


def test_dissent_is_the_spread_of_the_voices() -> None:
    def say(*scores: float) -> list[Signal]:
        return [Signal(str(i), "ml", "A", 0, score, 1.0, 1) for i, score in enumerate(scores)]

    assert [blend(say(*s), {"ml": 1.0}).dissent for s in ((0.5, 0.5), (1.0, -1.0), (0.7,))] == pytest.approx([0, 1, 0])
    spread = (0.9, -0.3, 0.2, 0.5)
    assert blend(say(*spread), {"ml": 1.0}).dissent == pytest.approx(np.std(spread))
