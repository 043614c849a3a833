"""Parts of a forecast add up to it, and are those of the libraries and of Shapley's axioms."""

import math
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seakeep.core.beliefs import FeatureFrame
from seakeep.core.errors import NotEnoughHistory
from seakeep.data.synthetic import SyntheticParams, generate
from seakeep.features.frame import build
from seakeep.features.labels import forward_return
from seakeep.models import EXPERTS
from seakeep.models.attribution import attribute, leaf_shap, leaves, shapley, tree_shap
from seakeep.models.inputs import INPUTS
from seakeep.models.trees import from_forest, from_xgboost


def _rows(n=400, k=6, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, k)).astype(np.float32)
    return x.astype(np.float64), x[:, 0] * x[:, 1] + np.sin(2 * x[:, 2]) + 0.3 * rng.normal(size=n)


def _boosted(depth=4, trees=30):
    import xgboost

    x, y = _rows()
    settings = {"max_depth": depth, "eta": 0.2, "base_score": 0.1, "nthread": 1, "verbosity": 0}
    booster = xgboost.train(settings, xgboost.DMatrix(x, y, nthread=1), trees)
    return booster, x


def test_boosted_trees_are_attributed_as_by_xgboost_itself():
    import xgboost

    booster, x = _boosted()
    theirs = booster.predict(xgboost.DMatrix(x[:50], nthread=1), pred_contribs=True)
    base, ours = tree_shap(from_xgboost(booster), x[:50])
    np.testing.assert_allclose(ours, theirs[:, :-1], atol=2e-6)
    np.testing.assert_allclose(base, theirs[:, -1], atol=2e-6)


def test_a_forest_is_attributed_as_by_shap():
    shap = pytest.importorskip("shap")
    from sklearn.ensemble import RandomForestRegressor

    x, y = _rows()
    forest = RandomForestRegressor(20, max_depth=7, max_samples=0.5, random_state=3).fit(x.astype(np.float32), y)
    explainer = shap.TreeExplainer(forest, feature_perturbation="tree_path_dependent")
    base, ours = tree_shap(from_forest(forest), x[:40])
    np.testing.assert_allclose(ours, explainer.shap_values(x[:40].astype(np.float32)), atol=1e-9)
    np.testing.assert_allclose(base, float(np.ravel(explainer.expected_value)[0]), atol=1e-9)


@given(depth=st.integers(1, 6), trees=st.integers(1, 12))
def test_the_parts_of_trees_add_up_to_their_forecast(depth, trees):
    booster, x = _boosted(depth, trees)
    flat = from_xgboost(booster)
    base, parts = tree_shap(flat, x[:20])
    np.testing.assert_allclose(base + parts.sum(axis=1), flat.predict(x[:20]), atol=1e-12)


def test_the_kernel_and_its_python_twin_agree():
    booster, x = _boosted(3, 5)
    told = leaves(from_xgboost(booster))
    given_ = x[:5].astype(np.float32), told.starts, told.feature, told.low, told.high, told.share, told.value
    np.testing.assert_allclose(leaf_shap(*given_), leaf_shap.py_func(*given_), atol=1e-15)


def test_a_small_game_is_the_mean_over_all_orders():
    worth = np.random.default_rng(2).normal(size=16)

    def value(known):
        return worth[known @ (1 << np.arange(4))]

    mean = np.zeros(4)
    for order in permutations(range(4)):
        held = 0
        for player in order:
            mean[player] += (worth[held | 1 << player] - worth[held]) / math.factorial(4)
            held |= 1 << player
    base, found, errors = shapley(value, 4)
    np.testing.assert_allclose(found, mean, atol=1e-14)
    assert base == worth[0]
    assert not errors.any()


def test_sampled_values_add_up_and_their_errors_hold_the_true_ones():
    weights = np.linspace(-1, 1, 12)

    def value(known):
        return known @ weights + 2.0 * known[:, 0] * known[:, 1] * known[:, 2]

    true = weights + np.r_[np.full(3, 2 / 3), np.zeros(9)]
    held = 0
    for seed in range(100):
        base, found, errors = shapley(value, 12, seed)
        assert base == 0.0
        assert math.isclose(found.sum(), float(value(np.ones((1, 12), bool))[0]))
        np.testing.assert_allclose(found[3:], true[3:], atol=1e-12)
        held += int((np.abs(found - true)[:3] <= 1.96 * errors[:3]).sum())
    assert 0.87 <= held / 300 <= 0.99


@pytest.fixture(scope="module")
def bars():
    params = SyntheticParams(symbols=("BTC/USDT",), delisted=None, interval="1h", days=50, seed=3)
    return generate(params).frames["BTC/USDT"]


@pytest.mark.parametrize("name", ["ma", "rsi", "arima", "hmm", "boosting", "svm"])
def test_what_an_expert_says_is_the_sum_of_its_parts(name, bars):
    expert = EXPERTS[name](horizon=4)
    frame = build(bars, expert.features)
    learns = name in ("boosting", "svm")
    planted = expert.unit(frame) * np.tanh(2 * expert.table(frame)[:, 5]) if learns else 0.0
    expert.fit(frame, forward_return(bars.close, 4) / 4 + planted, 1)
    told = attribute(expert, frame, frame)
    assert told.base + math.fsum(told.values) == pytest.approx(told.mean, abs=1e-15)
    assert told.mean == expert.predict(frame)[-1, 0]
    assert learns or name in ("ma", "rsi") or told.names == expert.features
    assert not learns or told.names == tuple(INPUTS)
    assert told.errors.any() == (name == "svm")


def test_an_expert_that_abstains_has_no_parts_and_no_past_is_an_error(bars):
    expert = EXPERTS["rsi"](horizon=4)
    frame = build(bars, expert.features)
    expert.fit(frame, forward_return(bars.close, 4), 1)
    warming = FeatureFrame(frame.symbol, frame.ts[:5], frame.names, frame.values[:5])
    assert np.isnan(attribute(expert, warming, frame).values).all()
    chain = EXPERTS["hmm"](horizon=4)
    frame = build(bars, chain.features)
    chain.fit(frame, forward_return(bars.close, 4), 1)
    with pytest.raises(NotEnoughHistory, match="past"):
        attribute(chain, frame, FeatureFrame(frame.symbol, frame.ts[:5], frame.names, frame.values[:5]))
