"""From beliefs to signals: every opinion on one scale, [-1, 1]."""

import math

import msgspec

from seakeep.core.beliefs import Forecast, Signal
from seakeep.strategy.alphas import Alpha, Reading, Scene, Silence

__all__ = ["FADED", "decayed", "from_alpha", "from_forecast", "from_score"]

FADED = 6.0
"""Half-lives after which an opinion is not heard any more: a sixty-fourth is left of it."""


def from_forecast(forecast: Forecast, group: str, scale: float) -> Signal | None:
    """Signal of a forecast: its mean over twice the expert's usual opinion; None when it abstains.

    `scale` is the root mean square of the expert's mean forecasts on its training rows, so a forecast twice as strong
    as usual is full conviction. An expert with no direction (scale 0), no confidence or a NaN abstains.
    """
    if scale <= 0 or forecast.confidence <= 0 or math.isnan(forecast.mean):
        return None
    score = min(1.0, max(-1.0, forecast.mean / (2.0 * scale)))
    return Signal(forecast.expert, group, forecast.symbol, forecast.ts, score, forecast.confidence, forecast.horizon_ms)


def from_score(source: str, group: str, symbol: str, ts: int, score: float, half_life_ms: int) -> Signal | None:
    """Signal of a strategy's score; None when it abstains (NaN). A rule speaks with confidence 1."""
    if math.isnan(score):
        return None
    within = score if -1.0 <= score <= 1.0 else math.copysign(1.0, score)
    return Signal(source, group, symbol, ts, within, 1.0, half_life_ms)


def decayed(signal: Signal, now: int) -> Signal | None:
    """The signal as it is at `now`: score and confidence halve with each half-life; None once it has faded.

    An old opinion is both weaker and heard less, so that it neither holds a position nor dilutes newer ones. Decay in
    two steps is decay in one; a signal of the future is a fault and is not heard.

    >>> old = decayed(Signal("news", "sentiment", "X", 0, 0.8, 1.0, 60_000), 60_000)
    >>> (old.score, old.confidence, old.ts) if old else None
    (0.4, 0.5, 60000)
    """
    age = (now - signal.ts) / signal.half_life_ms
    if not 0.0 <= age < FADED:
        return None
    left = 2.0**-age
    return msgspec.structs.replace(signal, ts=now, score=signal.score * left, confidence=signal.confidence * left)


def from_alpha(name: str, alpha: Alpha, scene: Scene) -> Signal | Silence:
    """What an alpha says of a scene, faded to its instant; why not, where it abstains."""
    said = alpha.read(scene)
    if isinstance(said, Silence):
        return said
    signal = _signal(name, alpha, scene, said)
    if not (abs(signal.score) <= 1.0 and 0.0 < signal.confidence <= 1.0):
        return Silence("it is not sure of anything")
    return decayed(signal, scene.ts) or Silence("what it rests on is too old")


def _signal(name: str, alpha: Alpha, scene: Scene, said: Reading) -> Signal:
    return Signal(name, alpha.group, scene.symbol, said.ts, said.score, said.confidence, alpha.half_life_ms)
