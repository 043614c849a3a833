"""The second gate: every order, child orders included, just before it is sent."""

from seakeep.core.orders import Order
from seakeep.core.verdicts import RuleHit
from seakeep.risk.limits import Limits

__all__ = ["check"]


def check(order: Order, open_orders: int, last_added_ts: int | None, limits: Limits) -> RuleHit | None:
    """None if the order may go, else the rule that stops it. An order that can only reduce always goes.

    `open_orders` counts this symbol's; `last_added_ts` is when its last risk-adding order was sent.
    """
    if order.reduce_only:
        return None
    if open_orders >= limits.max_open_orders:
        message = "too many open orders; wait for fills or cancel some"
        return RuleHit("max_open_orders", "block", open_orders, limits.max_open_orders, message)
    if last_added_ts is not None and order.ts - last_added_ts < limits.min_order_gap_ms:
        message = "orders that add risk follow each other too fast"
        return RuleHit("min_order_gap_ms", "block", order.ts - last_added_ts, limits.min_order_gap_ms, message)
    return None
