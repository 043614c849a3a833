"""Trees laid flat: the forests and boosted trees of libraries as arrays that one kernel walks.

A row goes left where its value, rounded to float32 as both libraries do, is at most the threshold. XGBoost's "less
than" becomes "at most the float32 before". A forecast is `base` plus the sum of the leaves.
"""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from seakeep.core.errors import ModelError
from seakeep.core.jit import kernel
from seakeep.core.market import Float64

if TYPE_CHECKING:
    from sklearn.ensemble import RandomForestRegressor
    from xgboost import Booster

__all__ = ["FlatTrees", "from_forest", "from_xgboost", "walk"]

Int32 = NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class FlatTrees:
    """t trees of m nodes in all: `starts` (t + 1,) the first node of each, and per node (m,):

    `feature` (-1 marks a leaf), `threshold`, `left` and `right` (indices into the m nodes), `value` (of a leaf what it
    adds to the forecast; of a branch the mean of what its training rows got there), `cover` (how many training rows, or
    what they weigh), `gain` (what a split gained, 0 for a leaf: in squared error weighted by rows for a forest, in
    XGBoost's loss for boosting).
    """

    starts: Int32
    feature: Int32
    threshold: Float64
    left: Int32
    right: Int32
    value: Float64
    cover: Float64
    gain: Float64
    base: float = 0.0

    def __post_init__(self) -> None:
        m = len(self.feature)
        branch = self.feature >= 0
        children = np.concatenate([self.left[branch], self.right[branch]])
        columns = (self.threshold, self.left, self.right, self.value, self.cover, self.gain)
        parents = np.tile(np.flatnonzero(branch), 2)
        whole = all(len(column) == m for column in columns) and len(self.starts) > 0 and self.starts[-1] == m
        if not (whole and (np.diff(self.starts) > 0).all() and (children > parents).all() and (children < m).all()):
            raise ModelError("these arrays are no trees", remedy="train the expert again")
        for column in (self.starts, self.feature, *columns):
            column.flags.writeable = False

    def predict(self, x: Float64) -> Float64:
        """Forecast (n,) of columns (n, k) without NaN. Raises: ValueError if a tree asks for one that is not there."""
        if len(self.feature) and self.feature.max() >= x.shape[1]:
            raise ValueError(f"the trees read {int(self.feature.max()) + 1} columns, got {x.shape[1]}")
        rows = np.ascontiguousarray(x, np.float32)
        out = walk(rows, self.starts, self.feature, self.threshold, self.left, self.right, self.value)
        return np.asarray(self.base + out)


@kernel
def walk(
    x: "NDArray[np.float32]",
    starts: Int32,
    feature: Int32,
    threshold: Float64,
    left: Int32,
    right: Int32,
    value: Float64,
) -> Float64:
    """Sum of the leaves that each row (n, k) reaches (n,)."""
    out = np.zeros(len(x))
    for row in range(len(x)):
        for tree in range(len(starts) - 1):
            node = starts[tree]
            while feature[node] >= 0:
                node = left[node] if x[row, feature[node]] <= threshold[node] else right[node]
            out[row] += value[node]
    return out


def from_forest(forest: "RandomForestRegressor") -> FlatTrees:
    """The trees of a fitted scikit-learn forest, each leaf divided by the number of trees."""
    trees = [estimator.tree_ for estimator in forest.estimators_]
    starts = np.cumsum([0, *(tree.node_count for tree in trees)])
    offsets = np.repeat(starts[:-1], [tree.node_count for tree in trees])
    feature = np.concatenate([tree.feature for tree in trees])
    left, right = (np.concatenate([getattr(tree, f"children_{side}") for tree in trees]) for side in ("left", "right"))
    cover = np.concatenate([tree.weighted_n_node_samples for tree in trees])
    left, right = left + offsets, right + offsets
    loss = np.concatenate([tree.impurity for tree in trees]) * cover
    branch = feature >= 0
    gain = np.zeros(len(feature))
    gain[branch] = (loss - loss[left] - loss[right])[branch]
    return _laid(
        starts,
        feature,
        np.concatenate([tree.threshold for tree in trees]),
        (left, right),
        (np.concatenate([tree.value[:, 0, 0] for tree in trees]) / len(trees), cover, gain / len(trees)),
    )


def from_xgboost(booster: "Booster") -> FlatTrees:
    """The trees of a fitted XGBoost model of one output, squared error, numeric features only."""
    learner = json.loads(booster.save_raw("json"))["learner"]
    trees = learner["gradient_booster"]["model"]["trees"]
    starts = np.cumsum([0, *(len(tree["left_children"]) for tree in trees)])
    offsets = np.repeat(starts[:-1], np.diff(starts))

    def column(name: str) -> Float64:
        return np.concatenate([np.asarray(tree[name], np.float64) for tree in trees])

    left, right = column("left_children"), column("right_children")
    leaf = left < 0
    split = column("split_conditions").astype(np.float32)
    before = np.nextafter(split, np.float32(-np.inf)).astype(np.float64)
    feature = np.where(leaf, -1, column("split_indices"))
    weight = np.where(leaf, split.astype(np.float64), column("base_weights"))
    sides = (left + offsets, right + offsets)
    found = (weight, column("sum_hessian"), np.where(leaf, 0.0, column("loss_changes")))
    base = float(str(learner["learner_model_param"]["base_score"]).strip("[]"))
    return _laid(starts, feature, before, sides, found, base)


def _laid(
    starts: Float64,
    feature: Float64,
    threshold: Float64,
    sides: tuple[Float64, Float64],
    found: tuple[Float64, Float64, Float64],
    base: float = 0.0,
) -> FlatTrees:
    branch = feature >= 0
    left, right = (np.where(branch, side, -1).astype(np.int32) for side in sides)
    value, cover, gain = (np.array(column, np.float64) for column in found)
    _raise_means(value, cover, left, right)
    return FlatTrees(
        starts=starts.astype(np.int32),
        feature=np.where(branch, feature, -1).astype(np.int32),
        threshold=np.asarray(threshold, np.float64),
        left=left,
        right=right,
        value=value,
        cover=cover,
        gain=gain,
        base=base,
    )


@kernel
def _raise_means(value: Float64, cover: Float64, left: Int32, right: Int32) -> None:
    """Write into each branch the mean of its leaves, weighted by cover; children come after their parents."""
    for node in range(len(value) - 1, -1, -1):
        if left[node] >= 0:
            a, b = cover[left[node]], cover[right[node]]
            value[node] = (a * value[left[node]] + b * value[right[node]]) / (a + b)
