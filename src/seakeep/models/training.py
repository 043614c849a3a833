"""Fitting the configured experts on what was known before trading starts."""

from collections.abc import Mapping, Sequence

import numpy as np

from seakeep.core.beliefs import FeatureFrame
from seakeep.core.errors import NotEnoughHistory
from seakeep.core.market import BarFrame
from seakeep.features.frame import build
from seakeep.features.labels import forward_return
from seakeep.models.base import Expert

__all__ = ["fit_experts"]


def fit_experts(experts: Mapping[str, Expert], history: Sequence[BarFrame], seed: int) -> None:
    """Fit every expert on the pooled history of all symbols; labels that reach past its end are NaN and left out.

    Raises: NotEnoughHistory naming the expert.
    """
    for name, expert in experts.items():
        frames = [build(bars, expert.features) for bars in history]
        labels = [forward_return(bars.close, expert.horizon) for bars in history]
        pooled = FeatureFrame(
            "*", np.concatenate([f.ts for f in frames]), expert.features, np.concatenate([f.values for f in frames])
        )
        try:
            expert.fit(pooled, np.concatenate(labels), seed)
        except NotEnoughHistory as error:
            raise NotEnoughHistory(
                f"expert {name} cannot be fitted: {error}", remedy="import more bars before the start, or leave it out"
            ) from error
