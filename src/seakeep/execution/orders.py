"""Life of an order: the table of allowed moves, what a reply does to an order, what no venue could accept."""

from decimal import Decimal

import msgspec

from seakeep.core.errors import InvalidOrder, InvalidTransition
from seakeep.core.events import Accepted, Canceled, Filled, Rejected
from seakeep.core.market import Instrument
from seakeep.core.orders import Fill, Order, OrderType, Status

__all__ = ["NEEDS", "TRANSITIONS", "apply", "is_open", "validate"]

TRANSITIONS: dict[Status, frozenset[Status]] = {
    Status.NEW: frozenset({Status.SUBMITTED, Status.REJECTED}),
    Status.SUBMITTED: frozenset(
        {Status.ACCEPTED, Status.PARTIALLY_FILLED, Status.FILLED, Status.CANCELED, Status.REJECTED}
    ),
    Status.ACCEPTED: frozenset({Status.PARTIALLY_FILLED, Status.FILLED, Status.CANCELED}),
    Status.PARTIALLY_FILLED: frozenset({Status.PARTIALLY_FILLED, Status.FILLED, Status.CANCELED}),
    Status.FILLED: frozenset(),
    Status.CANCELED: frozenset(),
    Status.REJECTED: frozenset(),
}
"""Which status may follow which; a status that nothing follows is final."""

NEEDS: dict[OrderType, frozenset[str]] = {
    OrderType.MARKET: frozenset(),
    OrderType.LIMIT: frozenset({"price"}),
    OrderType.STOP: frozenset({"stop_price"}),
    OrderType.STOP_LIMIT: frozenset({"price", "stop_price"}),
    OrderType.TRAILING: frozenset({"trail"}),
}
"""The prices each type must carry. A trailing stop may also carry `stop_price`, its first trigger."""

_ALLOWED = {**NEEDS, OrderType.TRAILING: frozenset({"trail", "stop_price"})}

OrderReply = Accepted | Filled | Rejected | Canceled


def is_open(order: Order) -> bool:
    """Whether something may still happen to the order."""
    return bool(TRANSITIONS[order.status])


def apply(order: Order, reply: OrderReply) -> Order:
    """The order after the venue's reply.

    Raises: InvalidTransition if the reply is for another order, symbol or side, fills more than is left, or is not
    allowed by `TRANSITIONS`.
    """
    about = reply.fill.order_id if isinstance(reply, Filled) else reply.order_id
    if about != order.id:
        raise InvalidTransition(f"order {order.id}: reply is for another order", value=about)
    match reply:
        case Accepted():
            return _move(order, Status.ACCEPTED, order.filled, order.reason)
        case Filled():
            return _fill(order, reply.fill)
        case Rejected():
            return _move(order, Status.REJECTED, order.filled, reply.reason)
        case Canceled():
            return _move(order, Status.CANCELED, order.filled, reply.reason)


def _fill(order: Order, fill: Fill) -> Order:
    if fill.symbol != order.symbol or fill.side is not order.side:
        wanted, got = f"{order.side} {order.symbol}", f"{fill.side} {fill.symbol}"
        raise InvalidTransition(f"order {order.id} is {wanted}; fill {fill.id} is not", value=got)
    if not (fill.qty.is_finite() and fill.qty > 0 and fill.price.is_finite() and fill.price > 0):
        bad = f"{fill.qty} @ {fill.price}"
        raise InvalidTransition(f"fill {fill.id}: quantity and price must be positive", value=bad)
    filled = order.filled + fill.qty
    if filled > order.qty:
        raise InvalidTransition(f"fill {fill.id} fills order {order.id} beyond its {order.qty}", value=str(filled))
    return _move(order, Status.FILLED if filled == order.qty else Status.PARTIALLY_FILLED, filled, order.reason)


def _move(order: Order, status: Status, filled: Decimal, reason: str) -> Order:
    if status not in TRANSITIONS[order.status]:
        raise InvalidTransition(f"order {order.id} is {order.status}; it cannot become {status}")
    return msgspec.structs.replace(order, status=status, filled=filled, reason=reason)


def validate(order: Order, instrument: Instrument, mark: Decimal | None = None) -> None:
    """Refuse what no venue could accept: wrong symbol, missing or surplus price, off tick or lot, too small.

    `mark` prices an order that carries no price; without it a market order's notional is not judged. An order that
    only reduces is free of lot and notional, so that what is left can always be closed.

    Raises: InvalidOrder naming the field, the value and the remedy.
    """
    if order.symbol != instrument.symbol:
        raise InvalidOrder(f"order {order.id}: not an order for {instrument.symbol}", value=order.symbol)
    _check_prices(order, instrument)
    if not (order.qty.is_finite() and order.qty > 0):
        raise InvalidOrder(f"order {order.id}: qty must be positive", value=str(order.qty))
    if order.reduce_only:
        return
    if order.qty % instrument.lot:
        lot = f"round it down to a multiple of {instrument.lot}"
        raise InvalidOrder(f"order {order.id}: qty is off the lot", value=str(order.qty), remedy=lot)
    price = order.price or order.stop_price or mark
    if price is not None and order.qty * price < instrument.min_notional:
        least = f"{order.symbol} needs at least {instrument.min_notional} {instrument.quote}"
        raise InvalidOrder(f"order {order.id}: too small", value=str(order.qty * price), remedy=least)


def _check_prices(order: Order, instrument: Instrument) -> None:
    for name in ("price", "stop_price", "trail"):
        value: Decimal | None = getattr(order, name)
        if value is None:
            if name in NEEDS[order.type]:
                raise InvalidOrder(f"order {order.id}: a {order.type} order needs {name}")
            continue
        if name not in _ALLOWED[order.type]:
            raise InvalidOrder(f"order {order.id}: a {order.type} order has no {name}", value=str(value))
        if not (value.is_finite() and value > 0):
            raise InvalidOrder(f"order {order.id}: {name} must be positive", value=str(value))
        if name == "trail" and value >= 1:
            fraction = "write a fraction of the price such as 0.02"
            raise InvalidOrder(f"order {order.id}: trail must be below 1", value=str(value), remedy=fraction)
        if name != "trail" and value % instrument.tick:
            tick = f"use a multiple of {instrument.tick}"
            raise InvalidOrder(f"order {order.id}: {name} is off the tick", value=str(value), remedy=tick)
