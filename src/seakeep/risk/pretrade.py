"""The second gate: every order, child orders included, just before it is sent."""

import math
from decimal import Decimal

import msgspec

from seakeep.core.market import Instrument
from seakeep.core.orders import Order
from seakeep.core.units import MINUTE_MS, as_float
from seakeep.core.verdicts import RuleHit
from seakeep.risk.limits import Limits

__all__ = ["Traffic", "check"]

_EXACT = 1e-9
"""Share by which a limit may seem passed through rounding alone."""


class Traffic(msgspec.Struct, frozen=True):
    """What is on its way: open orders and the last risk-adding order of this symbol, and those of the last minute.

    `mark` is the symbol's price, None where it is not known; `instrument` has its tick and lot.
    """

    open_orders: int = 0
    last_added_ts: int | None = None
    added_in_minute: int = 0
    mark: float | None = None
    instrument: Instrument | None = None


def check(order: Order, traffic: Traffic, limits: Limits) -> RuleHit | None:
    """None if the order may go, else the rule that stops it. An order that can only reduce always goes."""
    if order.reduce_only:
        return None
    return _pace(order, traffic, limits) or _form(order, traffic) or _size(order, traffic, limits)


def _pace(order: Order, traffic: Traffic, limits: Limits) -> RuleHit | None:
    if traffic.open_orders >= limits.max_open_orders:
        message = "too many open orders; wait for fills or cancel some"
        return RuleHit("max_open_orders", "block", traffic.open_orders, limits.max_open_orders, message)
    last = traffic.last_added_ts
    if last is not None and order.ts - last < limits.min_order_gap_ms:
        message = "orders that add risk follow each other too fast"
        return RuleHit("min_order_gap_ms", "block", order.ts - last, limits.min_order_gap_ms, message)
    if traffic.added_in_minute >= limits.max_orders_per_minute:
        message = f"orders that add risk in the last {MINUTE_MS // 1000} seconds"
        return RuleHit("max_orders_per_minute", "block", traffic.added_in_minute, limits.max_orders_per_minute, message)
    return None


def _form(order: Order, traffic: Traffic) -> RuleHit | None:
    """Whole lots and ticks, finite and positive."""
    instrument = traffic.instrument
    lot, tick = (None, None) if instrument is None else (instrument.lot, instrument.tick)
    hit = _multiple("quantity", order.qty, lot)
    if order.price is not None:
        hit = hit or _multiple("price", order.price, tick)
    if order.stop_price is not None:
        hit = hit or _multiple("stop price", order.stop_price, tick)
    return hit


def _multiple(name: str, value: Decimal, step: Decimal | None) -> RuleHit | None:
    if not (value.is_finite() and value > 0):
        return RuleHit("precision", "block", 0.0, 0.0, f"the {name} is {value}, not a positive number")
    if step and value % step:
        return RuleHit("precision", "block", float(value), float(step), f"the {name} is not a multiple of {step}")
    return None


def _band(order: Order, mark: float, band: float) -> RuleHit | None:
    for price in (order.price, order.stop_price):
        if price is not None and abs(float(price) / mark - 1.0) > band + _EXACT:
            apart = abs(float(price) / mark - 1.0)
            return RuleHit("price_band", "block", apart, band, f"{price} is too far from the market, {mark:g}")
    return None


def _size(order: Order, traffic: Traffic, limits: Limits) -> RuleHit | None:
    """Notional and distance from the market; an order whose market has no price does not go."""
    mark = traffic.mark
    if mark is None or not 0.0 < mark < math.inf:
        return RuleHit("price_unknown", "block", 0.0, 0.0, f"{order.symbol} has no price to judge the order by")
    if order.price is not None or order.stop_price is not None:
        hit = _band(order, mark, limits.price_band)
        if hit is not None:
            return hit
    most, least = limits.max_order_notional, 0.0
    if traffic.instrument is not None:
        least = as_float(traffic.instrument.min_notional)
    if least * (1.0 + _EXACT) < float(order.qty) * float(order.price or mark) < most:
        return None
    notional = float(order.qty * (order.price or Decimal(repr(mark))))
    if notional > most * (1.0 + _EXACT):
        message = "larger than any single order may be (quote units)"
        return RuleHit("max_order_notional", "block", notional, most, message)
    if notional < least:
        return RuleHit("min_notional", "block", notional, least, "smaller than the venue takes (quote units)")
    return None
