"""From beliefs to signals: every opinion on one scale, [-1, 1]."""

import math

from seakeep.core.beliefs import Forecast, Signal

__all__ = ["from_forecast", "from_score"]


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
    return Signal(source, group, symbol, ts, min(1.0, max(-1.0, score)), 1.0, half_life_ms)
