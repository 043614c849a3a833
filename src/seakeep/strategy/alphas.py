"""Named sources of alpha: each reads the scene of one symbol and says what it thinks, and since when it is known.

An alpha is asked at every bar. It answers with a `Reading`, or with a `Silence` that says what it misses. Its opinion
fades by half after each `half_life_ms` since what it rests on became known (`signals.decayed`).
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, dataclass_transform

import msgspec
import numpy as np

from seakeep.core.beliefs import Regime, Sentiment
from seakeep.core.errors import ConfigError
from seakeep.core.market import Float64, OrderBook
from seakeep.core.registry import Registry

__all__ = ["SIGNALS", "Alpha", "Reading", "Scene", "Silence", "clipped", "standing", "stretch"]


class Reading(msgspec.Struct, frozen=True):
    """An opinion in [-1, 1], its confidence in [0, 1], and when what it rests on became known."""

    score: float
    confidence: float
    ts: int


class Silence(msgspec.Struct, frozen=True):
    """No opinion, and why."""

    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """What is known of one symbol at `ts`, a bar's close.

    `returns` (n, k) are the log returns of the latest bars of all markets, oldest first, NaN where a market has no bar;
    `column` is this symbol's. `since` is when the regime it is in was first told.
    """

    symbol: str
    ts: int
    returns: Float64
    column: int
    regime: Regime | None = None
    since: int = 0
    sentiment: Sentiment | None = None
    book: OrderBook | None = None

    def own(self, bars: int) -> Float64 | None:
        """This symbol's latest log returns (bars,); None where one is missing."""
        if bars > len(self.returns):
            return None
        latest = self.returns[len(self.returns) - bars :, self.column]
        return None if np.isnan(latest).any() else latest


@dataclass_transform(kw_only_default=True, frozen_default=True)
class Alpha(ABC):
    """A source of alpha: annotated class attributes are its keyword parameters, all of them above 0.

    `group` is what it is weighed under.
    """

    group: ClassVar[str]
    half_life_ms: int = 0

    def __init_subclass__(cls) -> None:
        dataclass(frozen=True, kw_only=True)(cls)

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 < value < math.inf:
                raise ConfigError(f"{type(self).__name__}.{name} must be a number above 0", value=value)
        if self.bars > _MOST_BARS:
            raise ConfigError(f"{type(self).__name__} looks back on too many bars", value=self.bars)

    @property
    @abstractmethod
    def bars(self) -> int:
        """How many returns it looks back on."""

    @abstractmethod
    def read(self, scene: Scene) -> Reading | Silence:
        """Its opinion of the scene, or why it has none."""


_MOST_BARS = 10_000

SIGNALS: Registry[type[Alpha]] = Registry("signal")


def clipped(value: float) -> float:
    """The value within [-1, 1]."""
    return min(1.0, max(-1.0, value))


def stretch(returns: Float64) -> float | None:
    """How far the price moved over these returns (n,), in deviations of such a move; None where it stood still.

    >>> stretch(np.array([0.5, 0.5, 0.5, -0.5]))
    1.0
    """
    usual = float(np.sqrt(returns @ returns))
    return float(returns.sum()) / usual if usual > 0 else None


def standing(regime: Regime | None) -> str:
    """Why a regime says nothing about direction; "" if it does."""
    if regime is None:
        return "no regime has been told"
    return "" if regime.label in ("bull", "bear") else f"the regime is {regime.label}"
