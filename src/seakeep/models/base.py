"""The expert contract: fit on past features, predict mean and standard deviation of the coming log return."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self, dataclass_transform

import numpy as np
from numpy.typing import NDArray

from seakeep.core.beliefs import FeatureFrame
from seakeep.core.market import Float64
from seakeep.core.registry import Registry

__all__ = ["EXPERTS", "Expert", "Learnt", "learnt", "take_over"]

Learnt = NDArray[Any] | float | int | str
"""A part of what an expert has learnt: an array of numbers, or a scalar."""


@dataclass_transform(kw_only_default=True)
@dataclass(kw_only=True)
class Expert(ABC):
    """An expert: annotated class attributes are its keyword parameters, what it learns ends in `_`.

    `group` is what the blend weighs it under; `lookback` is how many feature rows its last prediction needs.
    """

    group: ClassVar[str] = "ml"
    lookback: ClassVar[int] = 1
    vetoes: ClassVar[bool] = False
    """Whether it has no direction and may forbid an entry."""

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

    def state(self) -> dict[str, Learnt]:
        """What it has learnt, as plain arrays and scalars by attribute name; empty before `fit`.

        The default is every attribute whose name ends in `_`. An expert that keeps anything else there, such as the
        model of a library, overrides this and `restore`. Raises: TypeError naming the attribute that is not plain.
        """
        return learnt(self)

    def restore(self, state: Mapping[str, Learnt]) -> Self:
        """Take over what another of its kind and parameters has learnt; it then predicts the same bits.

        Raises: ValueError for a name that is not that of something learnt.
        """
        take_over(self, state)
        return self


def learnt(part: object) -> dict[str, Learnt]:
    """The attributes of a model whose names end in `_`: what it has learnt, as plain arrays and scalars.

    Raises: TypeError naming the attribute that is not plain.
    """
    found = {key: value for key, value in vars(part).items() if key.endswith("_") and not key.startswith("_")}
    return {key: _plain(f"{type(part).__name__}.{key}", value) for key, value in found.items()}


def take_over(part: object, state: Mapping[str, Learnt]) -> None:
    """Set what `learnt` gave of another of its kind. Raises: ValueError for a name that is not that of something
    learnt."""
    for key, value in state.items():
        if not key.isidentifier() or not key.endswith("_") or key.startswith("_"):
            raise ValueError(f"{type(part).__name__} learns nothing called {key!r}")
        setattr(part, key, value)


def _plain(label: str, value: object) -> Learnt:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufU":
        return value
    if isinstance(value, float | int | str):
        return value
    raise TypeError(f"{label} is not an array of numbers nor a scalar: override state() and restore()")


EXPERTS: Registry[type[Expert]] = Registry("expert")
