"""The strategy contract: one vectorised function from features to a score in [-1, 1]."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, dataclass_transform

from seakeep.core.beliefs import FeatureFrame
from seakeep.core.market import Float64
from seakeep.core.registry import Registry

__all__ = ["STRATEGIES", "Strategy"]


@dataclass_transform(kw_only_default=True, frozen_default=True)
class Strategy(ABC):
    """A strategy: annotated class attributes are its keyword parameters, `features` the specs it reads.

    `group` is what the blend weighs its score under; `lookback` is how many feature rows the last score needs.
    """

    features: ClassVar[tuple[str, ...]] = ("close",)
    group: ClassVar[str] = "technical"
    lookback: ClassVar[int] = 1

    def __init_subclass__(cls) -> None:
        dataclass(frozen=True, kw_only=True)(cls)

    @abstractmethod
    def score(self, frame: FeatureFrame, forecasts: Mapping[str, Float64]) -> Float64:
        """Opinion (n,) in [-1, 1] for each row of the frame (n, k); NaN abstains.

        `forecasts` maps the name of each configured expert to its mean and deviation, (n, 2).
        """


STRATEGIES: Registry[type[Strategy]] = Registry("strategy", "strategies")
