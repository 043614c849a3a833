"""What other assets say of one: the breakdown of a correlation that usually mends."""

import math
from typing import ClassVar

import numpy as np

from seakeep.core.errors import ConfigError
from seakeep.core.market import Float64
from seakeep.core.units import HOUR_MS
from seakeep.strategy.alphas import SIGNALS, Alpha, Reading, Scene, Silence, clipped

__all__ = ["CorrelationBreakdown"]

_FLAT = 1e-12
"""A deviation below this is rounding, not movement."""


@SIGNALS.register("correlation_breakdown")
class CorrelationBreakdown(Alpha):
    """An asset that left the others behind, or was left behind, and usually moves with them.

    Its returns are regressed on the mean of the other assets' over `window` bars before the last `recent`: slope b,
    correlation r, residual deviation e. What the last bars made beyond b times the others, z = sum / (e sqrt(recent)),
    is expected to come back: score = -min(1, max(-1, z / full)). Confidence is r^2, the share of its variance that the
    others explain; below `least` correlation there is nothing to break down.
    """

    group: ClassVar[str] = "correlation"

    window: int = 96
    recent: int = 12
    full: float = 3.0
    least: float = 0.3
    half_life_ms: int = 12 * HOUR_MS

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.window < 3:
            raise ConfigError("correlation_breakdown.window must be 3 or more bars", value=self.window)

    @property
    def bars(self) -> int:
        """The window and what came after it."""
        return self.window + self.recent

    def read(self, scene: Scene) -> Reading | Silence:
        """Silent without other assets, or where this one does not move with them."""
        if scene.returns.shape[1] < 2:
            return Silence("no other asset")
        own, others = scene.own(self.bars), _others(scene, self.bars)
        if own is None or others is None:
            return Silence("bars are missing")
        x, y = others[: self.window] - others[: self.window].mean(), own[: self.window] - own[: self.window].mean()
        power, mine = float(x @ x), float(y @ y)
        if min(power, mine) <= _FLAT**2 * self.window:
            return Silence("the price stands still")
        shared = float(x @ y)
        together = shared / math.sqrt(power * mine)
        if together < self.least:
            return Silence(f"it moves by itself (correlation {together:.2f})")
        rest = mine * max(0.0, 1.0 - together**2) / (self.window - 2)
        beyond = float((own[self.window :] - shared / power * others[self.window :]).sum())
        if rest <= _FLAT * mine:
            return Silence("it is the same as the others")
        z = beyond / math.sqrt(rest * self.recent)
        return Reading(-clipped(z / self.full), together**2, scene.ts)


def _others(scene: Scene, bars: int) -> Float64 | None:
    """Mean log return (bars,) of the other assets that have every bar; None where none has."""
    if bars > len(scene.returns):
        return None
    table = np.delete(scene.returns[len(scene.returns) - bars :], scene.column, axis=1)
    whole = table[:, ~np.isnan(table).any(axis=0)]
    return whole.mean(axis=1) if whole.shape[1] else None
