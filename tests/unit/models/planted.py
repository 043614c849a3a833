"""Rows with and without something to learn, and a small expert of each kind that learns it."""

from typing import Any

import numpy as np

from seakeep.core.beliefs import FeatureFrame
from seakeep.core.market import Float64
from seakeep.models.inputs import INPUTS
from seakeep.models.ml import LearningExpert

HOUR = 3_600_000
KEPT = ("rsi", "stochastic", "volume")
WITHOUT = ",".join(name for name in INPUTS if name not in KEPT)
FEATURES = ("return_std:48", "rsi:14", "stoch_k:14", "volume_z:20")
SMALL: dict[str, dict[str, Any]] = {
    "forest": {"trees": 15, "depth": 4, "rows": 1_500},
    "boosting": {"trees": 40, "rows": 1_500},
    "svm": {"rows": 600},
}


def rows(n: int, signal: float, seed: int, horizon: int = 1) -> tuple[FeatureFrame, Float64]:
    """A frame whose three inputs are uniform in -1 .. 1, and log returns over `horizon` hours that follow the first.

    Their deviation is 1 % times the root of the horizon, `signal` of it explained where the input is 1.
    """
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, (n, 3))
    steps = 0.01 * (signal * np.sign(x[:, 0]) * x[:, 0] ** 2 + rng.standard_normal(n))
    ahead = np.append(np.cumsum(steps), np.full(horizon, np.nan))
    y = ahead[horizon - 1 : n + horizon - 1] - np.append(0.0, ahead[: n - 1])
    values = np.column_stack([np.full(n, 0.01), 50 + 50 * x[:, 0], 50 + 50 * x[:, 1], x[:, 2]])
    return FeatureFrame("A/B", HOUR * np.arange(1, n + 1), FEATURES, values), y


def small(kind: type[LearningExpert], name: str, **params: Any) -> LearningExpert:
    """A quick expert that looks at the three inputs."""
    return kind(**{"horizon": 1, "without": WITHOUT, **SMALL[name], **params})
