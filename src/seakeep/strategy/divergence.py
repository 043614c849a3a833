"""What is believed, and the price has not followed yet: regime mispricing and price-sentiment divergence."""

import math
from typing import ClassVar

from seakeep.core.units import DAY_MS, HOUR_MS
from seakeep.strategy.alphas import SIGNALS, Alpha, Reading, Scene, Silence, clipped, standing, stretch
from seakeep.strategy.signals import FADED

__all__ = ["RegimeMispricing", "SentimentDivergence"]


@SIGNALS.register("regime_mispricing")
class RegimeMispricing(Alpha):
    """A regime that the price does not show yet.

    With b = P(bull) - P(bear) and z the move of the last `window` bars in its own deviations:
    score = b (1 - min(1, max(0, sign(b) z / full))), so nothing is left once the price has gone `full` deviations the
    same way. Confidence is that of the regime; it fades from when the regime was first told.
    """

    group: ClassVar[str] = "ml"

    window: int = 48
    full: float = 2.0
    half_life_ms: int = 2 * DAY_MS

    @property
    def bars(self) -> int:
        """The window."""
        return self.window

    def read(self, scene: Scene) -> Reading | Silence:
        """Silent without a regime, or where it is not one of direction."""
        reason, returns = standing(scene.regime), scene.own(self.window)
        if reason or scene.regime is None:
            return Silence(reason)
        moved = None if returns is None else stretch(returns)
        if moved is None:
            return Silence("bars are missing" if returns is None else "the price stands still")
        probs = dict(scene.regime.probs)
        belief = probs.get("bull", 0.0) - probs.get("bear", 0.0)
        gone = min(1.0, max(0.0, math.copysign(moved, belief * moved) / self.full))
        return Reading(clipped(belief * (1.0 - gone)), scene.regime.confidence, scene.since)


@SIGNALS.register("price_sentiment_divergence")
class SentimentDivergence(Alpha):
    """The gap between what is said and what the price did.

    With s the tone in [-1, 1] and z the move of the last `window` bars in its own deviations:
    score = (s - min(1, max(-1, z / full))) / 2. Confidence is that of the tone; a tone under `least` says nothing.
    """

    group: ClassVar[str] = "sentiment"

    window: int = 24
    full: float = 2.0
    least: float = 0.1
    half_life_ms: int = 3 * HOUR_MS

    @property
    def bars(self) -> int:
        """The window."""
        return self.window

    def read(self, scene: Scene) -> Reading | Silence:
        """Silent without a tone, or where nobody speaks clearly."""
        tone = scene.sentiment
        if tone is None:
            return Silence("no sentiment: no news so far")
        age = scene.ts - tone.ts
        if age >= FADED * self.half_life_ms:
            return Silence(f"no sentiment: no news in the last {age / HOUR_MS:.0f} h")
        if not abs(tone.score) <= 1.0 or not 0.0 < tone.confidence <= 1.0:
            return Silence("no sentiment: it has no score, or no confidence")
        if abs(tone.score) < self.least:
            return Silence(f"the tone {tone.score:+.2f} is neutral")
        returns = scene.own(self.window)
        moved = None if returns is None else stretch(returns)
        if moved is None:
            return Silence("bars are missing" if returns is None else "the price stands still")
        return Reading((tone.score - clipped(moved / self.full)) / 2.0, tone.confidence, tone.ts)
