"""The most a round trip may cost, from what the market of the last bars would have charged for it."""

import math

from seakeep.engine.pipeline import Pipeline
from seakeep.engine.state import Market
from seakeep.execution.costs import range_variance

__all__ = ["round_trip"]


def round_trip(pipeline: Pipeline, market: Market, weight: float, equity: float) -> float | None:
    """Upper bound of the cost of a way in and out at that weight of equity, a fraction of the price; None unknown.

    Twice the taker's fee, the half spread (the book's where it is wider) and the dearest impact that any of the kept
    bars would have charged, each with its own range and volume. The next bar is dearer than all of n like it with a
    chance of 1 / (n + 1).
    """
    rates = pipeline.costs.rates(market.instrument.symbol)
    if not market.recent or not (market.mark > 0 and math.isfinite(weight) and equity > 0):
        return None
    qty = abs(weight) * equity / market.mark
    dearest = 0.0
    for bar in market.recent:
        share = min(1.0, qty / bar.volume) if bar.volume > 0 else 1.0
        deviation = math.sqrt(range_variance(bar.high, bar.low)) if bar.low > 0 else math.inf
        dearest = max(dearest, deviation * math.sqrt(share))
    spread = rates.half_spread if market.spread is None else max(rates.half_spread, market.spread / 2.0)
    return 2.0 * (float(market.instrument.taker_fee) + spread + rates.impact * dearest)
