"""The flat trees are the library's trees."""

import numpy as np
import pytest
import xgboost
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestRegressor

from seakeep.core.market import Float64
from seakeep.models.trees import from_forest, from_xgboost, walk


def table(seed: int, n: int = 400) -> tuple[Float64, Float64]:
    """Values that repeat, so that rows lie on thresholds."""
    rng = np.random.default_rng(seed)
    x = np.round(rng.normal(size=(n, 4)), 1)
    return x, np.sin(3 * x[:, 0]) + x[:, 1] * x[:, 2] + rng.normal(0, 0.3, n)


def boosted(x: Float64, y: Float64, base: float = 0.0) -> xgboost.Booster:
    settings = {"max_depth": 4, "base_score": base, "nthread": 1, "seed": 1, "subsample": 0.7}
    return xgboost.train(settings, xgboost.DMatrix(x, y), 25)


@given(st.integers(0, 2**31), st.integers(1, 6))
def test_a_flat_forest_forecasts_what_scikit_learn_does(seed: int, depth: int) -> None:
    x, y = table(seed % 50)
    forest = RandomForestRegressor(7, max_depth=depth, random_state=seed).fit(x, y)
    grid = np.round(np.random.default_rng(seed).normal(0, 2, (200, 4)), 1)
    np.testing.assert_allclose(from_forest(forest).predict(grid), forest.predict(grid), rtol=0, atol=1e-12)


@pytest.mark.parametrize("base", [0.0, 0.5])
def test_flat_boosted_trees_forecast_what_xgboost_does(base: float) -> None:
    x, y = table(1)
    booster = boosted(x, y, base)
    edges = np.concatenate([x, np.nextafter(x.astype(np.float32), np.float32(9)), np.nextafter(x, -9.0)])
    want = booster.predict(xgboost.DMatrix(edges))
    np.testing.assert_allclose(from_xgboost(booster).predict(edges), want, rtol=1e-6, atol=1e-6)


def test_gains_are_the_importances_of_the_libraries() -> None:
    x, y = table(2)
    forest = RandomForestRegressor(1, max_depth=5, random_state=1).fit(x, y)
    trees = from_forest(forest)
    split = trees.feature >= 0
    gains = np.bincount(trees.feature[split], trees.gain[split], 4)
    np.testing.assert_allclose(gains / gains.sum(), forest.feature_importances_, rtol=1e-9)
    booster = boosted(x, y)
    trees = from_xgboost(booster)
    split = trees.feature >= 0
    theirs = booster.get_score(importance_type="total_gain")
    np.testing.assert_allclose(
        np.bincount(trees.feature[split], trees.gain[split], 4), [theirs[f"f{i}"] for i in range(4)], rtol=1e-5
    )


def test_a_branch_holds_the_mean_of_its_leaves() -> None:
    x, y = table(3)
    forest = RandomForestRegressor(5, max_depth=5, random_state=1).fit(x, y)
    trees = from_forest(forest)
    roots = [tree.tree_.value[0, 0, 0] for tree in forest.estimators_]
    np.testing.assert_allclose(trees.value[trees.starts[:-1]] * 5, roots, rtol=1e-9)
    np.testing.assert_allclose(trees.cover[trees.starts[:-1]], 400)


def test_the_python_twin_walks_the_same_way() -> None:
    x, y = table(4)
    trees = from_forest(RandomForestRegressor(3, max_depth=3, random_state=1).fit(x, y))
    arrays = (trees.starts, trees.feature, trees.threshold, trees.left, trees.right, trees.value)
    rows = x[:20].astype(np.float32)
    assert walk.py_func(rows, *arrays).tolist() == walk(rows, *arrays).tolist()


def test_a_tree_without_a_split_is_its_only_leaf() -> None:
    x, _ = table(5)
    constant = np.full(len(x), 2.0)
    assert from_forest(RandomForestRegressor(2, random_state=1).fit(x, constant)).predict(x[:3]).tolist() == [2.0] * 3
    booster = xgboost.train({"base_score": 2.0, "nthread": 1}, xgboost.DMatrix(x, constant), 2)
    assert from_xgboost(booster).predict(x[:3]).tolist() == [2.0] * 3


def test_a_column_that_is_not_there_is_not_read() -> None:
    x, y = table(6)
    trees = from_forest(RandomForestRegressor(3, max_depth=4, random_state=1).fit(x, y))
    with pytest.raises(ValueError, match="columns, got 1"):
        trees.predict(x[:, :1])
