"""The expert contract: fit on past features, predict mean and standard deviation of the coming log return."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Self, dataclass_transform

from seakeep.core.beliefs import FeatureFrame
from seakeep.core.market import Float64
from seakeep.core.registry import Registry

__all__ = ["EXPERTS", "Expert"]


@dataclass_transform(kw_only_default=True)
@dataclass(kw_only=True)
class Expert(ABC):
    """An expert: annotated class attributes are its keyword parameters, what it learns ends in `_`.

    `group` is what the blend weighs it under; `lookback` is how many feature rows its last prediction needs.
    """

    group: ClassVar[str] = "ml"
    lookback: ClassVar[int] = 1

    horizon: int = 48
    """How far it looks, in bars."""

    def __init_subclass__(cls) -> None:
        dataclass(kw_only=True)(cls)

    @property
    @abstractmethod
    def features(self) -> tuple[str, ...]:
        """The feature specs it needs."""

    @abstractmethod
    def fit(self, frame: FeatureFrame, y: Float64, seed: int) -> Self:
        """Learn from features (n, k) and forward log returns `y` (n,); rows with a NaN are left out.

        Raises: NotEnoughHistory.
        """

    @abstractmethod
    def predict(self, frame: FeatureFrame) -> Float64:
        """Mean and standard deviation of the log return over the horizon, (n, 2); NaN abstains.

        Raises: NotFitted.
        """

    @property
    @abstractmethod
    def confidence(self) -> float:
        """How much its direction deserves to be heard, in [0, 1], as learnt from the training rows; 0 abstains."""

    @property
    @abstractmethod
    def scale(self) -> float:
        """Root mean square of its own mean forecast on the training rows: what "a usual opinion" is."""


EXPERTS: Registry[type[Expert]] = Registry("expert")
