"""How much a market can take: an order against an hour's volume, and our share of the hour."""

from seakeep.core.units import HOUR_MS
from seakeep.risk.case import MarketFacts
from seakeep.risk.limits import Limits

__all__ = ["hourly_volume", "order_rooms"]


def hourly_volume(volumes: float, span_ms: int) -> float:
    """Volume of an hour (quote units) from what was traded in the last `span_ms`.

    A span shorter than an hour is not scaled up: what has not been seen does not count. A longer one is averaged.

    >>> hourly_volume(24.0, 24 * HOUR_MS), hourly_volume(2.0, HOUR_MS // 2)
    (1.0, 2.0)
    """
    return volumes * HOUR_MS / max(span_ms, HOUR_MS)


def order_rooms(market: MarketFacts, limits: Limits) -> tuple[float, float, float]:
    """Largest orders (quote units) that `max_order_notional`, `max_order_share` and `max_participation` allow.

    The last is what is left of this hour after what we have traded in it. Both are 0 if the volume is not known.
    """
    volume = market.volume_1h or 0.0
    left = max(0.0, limits.max_participation * volume - market.traded_1h)
    return limits.max_order_notional, limits.max_order_share * volume, left
