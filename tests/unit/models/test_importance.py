"""Importance finds the input a target was made of, is what scikit-learn finds, and pruning is judged on later rows."""

import numpy as np
import pytest

from seakeep.data.synthetic import SyntheticParams, generate
from seakeep.features.frame import build
from seakeep.features.labels import forward_return
from seakeep.models import EXPERTS
from seakeep.models.importance import GROUPS, group_of, importance, prune, shuffled_blocks, tree_importance
from seakeep.models.inputs import INPUTS
from seakeep.models.trees import from_forest


@pytest.fixture(scope="module")
def market():
    """Rows whose outcome was made of the inputs volume and burst."""
    params = SyntheticParams(symbols=("BTC/USDT",), delisted=None, interval="1h", days=160, seed=4)
    bars = generate(params).frames["BTC/USDT"]
    expert = EXPERTS["boosting"](horizon=2, folds=0, trees=40, rate=0.2, share=1.0)
    frame = build(bars, expert.features)
    table = expert.table(frame)
    made = 2 * np.tanh(table[:, expert.inputs.index("volume")]) + 2 * np.clip(
        table[:, expert.inputs.index("burst")], -1, 1
    )
    return expert, frame, forward_return(bars.close, 2) + expert.unit(frame) * made


def test_the_inputs_that_the_outcome_was_made_of_come_first_and_the_rest_is_spare(market):
    found = importance(*market, seed=1, k=3, repeats=1)
    order = [found.names[i] for i in np.argsort(-found.value)]
    assert set(order[:2]) == {"volume", "burst"}
    assert {"volume", "burst"} & set(found.spare) == set()
    assert len(found.spare) >= 5
    assert {group for group, _ in found.by_group()[:2]} == {"volume", "volatility"}
    assert sum(value for _, value in found.by_group()) == pytest.approx(found.value.sum())


def test_the_order_of_noise_is_unstable_and_that_of_a_signal_is_not(market):
    expert, frame, y = market
    noise = np.random.default_rng(3).normal(size=len(y)) * expert.unit(frame)
    assert importance(expert, frame, y, 1, 3, 1).stability > importance(expert, frame, noise, 1, 3, 1).stability


def test_a_pruned_expert_is_tested_on_rows_it_has_not_seen(market):
    found = prune(*market, seed=1)
    assert {"volume", "burst"} <= set(found.kept)
    assert set(found.kept) | set(found.without) == set(INPUTS)
    assert found.pruned_loss <= found.full_loss * 1.01
    assert found.verdict in ("better", "no different")


def test_tree_importance_is_that_of_scikit_learn():
    from sklearn.ensemble import RandomForestRegressor

    rng = np.random.default_rng(5)
    x = rng.normal(size=(500, 4))
    forest = RandomForestRegressor(15, max_depth=5, bootstrap=False, random_state=1)
    forest.fit(x.astype(np.float32), x[:, 2] ** 2 + x[:, 0])
    theirs = np.mean([tree.tree_.compute_feature_importances(normalize=False) for tree in forest.estimators_], axis=0)
    ours = {row.name: row.gain for row in tree_importance(from_forest(forest), list("abcd"))}
    np.testing.assert_allclose([ours[n] for n in "abcd"], theirs / theirs.sum(), rtol=1e-9)


def test_blocks_are_shuffled_within_their_symbol():
    ts = np.r_[np.arange(100), np.arange(60)]
    order = shuffled_blocks(ts, 7, np.random.default_rng(0))
    assert sorted(order[:100].tolist()) == list(range(100))
    assert sorted(order.tolist()) == list(range(160))
    assert (np.diff(order) == 1).mean() > 0.75


def test_every_input_belongs_to_a_known_group():
    assert {group_of(name) for name in INPUTS} < set(GROUPS)
    assert group_of("sentiment_volume") == "social"


def test_an_expert_without_inputs_of_its_own_is_judged_by_its_features():
    params = SyntheticParams(symbols=("BTC/USDT",), delisted=None, interval="1h", days=60, seed=2)
    bars = generate(params).frames["BTC/USDT"]
    expert = EXPERTS["volatility"](horizon=2)
    frame = build(bars, expert.features)
    found = importance(expert, frame, forward_return(bars.close, 2), 1, 3, 2)
    assert found.names == ("return_std:48",)
    assert found.groups == ("volatility",)
    assert found.value[0] > 0
