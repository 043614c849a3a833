"""Markets that are slightly other than they were: noise on prices, and bars that never came.

Each is a frozen value that changes frames when called, the same way every time: the draw belongs to the seed and the
symbol, so that it does not matter which other symbols there are.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seakeep.core.market import BarFrame, Float64
from seakeep.core.registry import nearest

__all__ = ["Dropped", "Noise", "chosen", "reshaped", "stream"]


def stream(seed: int, purpose: str) -> np.random.Generator:
    """A generator of its own for each seed and purpose."""
    return np.random.default_rng([seed, *purpose.encode()])


def reshaped(frame: BarFrame, columns: dict[str, Float64]) -> BarFrame:
    """The frame with other prices or volumes; high and low are widened to hold open and close.

    Raises: ValueError if a column is not a price or the volume.
    """
    known = ("open", "high", "low", "close", "volume")
    for name in columns:
        if name not in known:
            raise ValueError(f"no column {name!r}; {nearest(name, known)}")
    column = {name: np.array(columns.get(name, getattr(frame, name))) for name in known}
    high = np.maximum.reduce([column[name] for name in known[:4]])
    low = np.minimum.reduce([column[name] for name in known[:4]])
    return BarFrame(
        frame.symbol, frame.interval, frame.ts, column["open"], high, low, column["close"], column["volume"]
    )


def chosen(frame: BarFrame, kept: NDArray[np.bool_]) -> BarFrame:
    """The bars of a frame that are kept, a flag for each (n,)."""
    open_, high, low, close = frame.open[kept], frame.high[kept], frame.low[kept], frame.close[kept]
    return BarFrame(frame.symbol, frame.interval, frame.ts[kept], open_, high, low, close, frame.volume[kept])


@dataclass(frozen=True)
class Noise:
    """Every price times 1 + u, u even in [-size, size]; bars stay bars: the high is the highest of the four.

    Raises: ValueError unless 0 <= size < 1.
    """

    size: float
    seed: int

    def __post_init__(self) -> None:
        if not 0 <= self.size < 1:
            raise ValueError(f"size must be in [0, 1), got {self.size}")

    def __call__(self, frames: tuple[BarFrame, ...]) -> tuple[BarFrame, ...]:
        return tuple(self._of(frame) for frame in frames)

    def _of(self, frame: BarFrame) -> BarFrame:
        rng, names = stream(self.seed, f"noise {frame.symbol}"), ("open", "high", "low", "close")
        factors = 1 + rng.uniform(-self.size, self.size, (4, len(frame)))
        return reshaped(frame, {name: getattr(frame, name) * f for name, f in zip(names, factors, strict=True)})


@dataclass(frozen=True)
class Dropped:
    """Bars missing at random, a `share` of them; the first and the last are always there.

    Raises: ValueError unless 0 <= share < 1.
    """

    share: float
    seed: int

    def __post_init__(self) -> None:
        if not 0 <= self.share < 1:
            raise ValueError(f"share must be in [0, 1), got {self.share}")

    def __call__(self, frames: tuple[BarFrame, ...]) -> tuple[BarFrame, ...]:
        return tuple(self._of(frame) for frame in frames)

    def _of(self, frame: BarFrame) -> BarFrame:
        kept = stream(self.seed, f"dropped {frame.symbol}").random(len(frame)) >= self.share
        kept[:1] = kept[-1:] = True
        return chosen(frame, kept)
