"""Experts made of trees: a random forest and boosted trees, learnt by libraries and read out as flat arrays."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from seakeep.core.market import Float64
from seakeep.models.base import EXPERTS
from seakeep.models.ml import LearningExpert, Range
from seakeep.models.trees import FlatTrees, from_forest, from_xgboost

__all__ = ["BoostingExpert", "ForestExpert"]


@EXPERTS.register("forest")
class ForestExpert(LearningExpert):
    """A random forest (scikit-learn): a leaf holds at least the share `leaf` of its rows, a split sees `share` of the
    inputs."""

    form: ClassVar[type[FlatTrees]] = FlatTrees
    space: ClassVar[Mapping[str, Range]] = {
        "depth": Range(2, 10),
        "leaf": Range(0.002, 0.1, log=True),
        "share": Range(0.1, 1.0),
    }
    limits: ClassVar[Mapping[str, Range]] = {
        "trees": Range(1, 5_000),
        "depth": Range(1, 30),
        "leaf": Range(1e-6, 0.5),
        "share": Range(0.01, 1.0),
    }

    rows: int = 8_000
    trees: int = 60
    depth: int = 6
    leaf: float = 0.01
    share: float = 0.35

    def learn(self, x: Float64, u: Float64, seed: int) -> FlatTrees:
        """A forest on one thread, the same for the same seed."""
        from sklearn.ensemble import RandomForestRegressor

        forest = RandomForestRegressor(
            self.trees,
            max_depth=self.depth,
            min_samples_leaf=self.leaf,
            max_features=self.share,
            max_samples=0.5,
            random_state=seed % 2**32,
            n_jobs=1,
        )
        return from_forest(forest.fit(x.astype(np.float32), u))


@EXPERTS.register("boosting")
class BoostingExpert(LearningExpert):
    """Boosted trees (XGBoost): `trees` of them, each of `depth`, adding `rate` of what it found."""

    form: ClassVar[type[FlatTrees]] = FlatTrees
    space: ClassVar[Mapping[str, Range]] = {
        "trees": Range(30, 300, log=True),
        "depth": Range(1, 6),
        "rate": Range(0.005, 0.2, log=True),
        "weight": Range(0.002, 0.1, log=True),
    }
    limits: ClassVar[Mapping[str, Range]] = {
        "trees": Range(1, 5_000),
        "depth": Range(1, 12),
        "rate": Range(1e-4, 1.0),
        "weight": Range(0.0, 0.5),
        "share": Range(0.01, 1.0),
    }

    rows: int = 20_000
    trees: int = 120
    depth: int = 3
    rate: float = 0.04
    weight: float = 0.01
    """Share of its rows a leaf must hold."""
    share: float = 0.5
    """Share of rows and of inputs each tree sees."""

    def learn(self, x: Float64, u: Float64, seed: int) -> FlatTrees:
        """Boosted trees on one thread, the same for the same seed."""
        import xgboost

        settings = {
            "objective": "reg:squarederror",
            "base_score": 0.0,
            "tree_method": "hist",
            "max_depth": self.depth,
            "eta": self.rate,
            "min_child_weight": max(1.0, self.weight * len(x) * self.share),
            "subsample": self.share,
            "colsample_bytree": self.share,
            "seed": seed % 2**31,
            "nthread": 1,
            "verbosity": 0,
        }
        data = xgboost.DMatrix(x.astype(np.float32), u, nthread=1)
        return from_xgboost(xgboost.train(settings, data, self.trees))
