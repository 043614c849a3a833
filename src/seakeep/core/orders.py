"""Obligations: orders and fills, in Decimal."""

from decimal import Decimal
from enum import StrEnum

import msgspec

__all__ = ["Fill", "Liquidity", "Order", "OrderType", "Side", "Status", "TimeInForce"]


class Side(StrEnum):
    """Direction of an order."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def sign(self) -> int:
        """+1 for a buy, -1 for a sell."""
        return 1 if self is Side.BUY else -1


class OrderType(StrEnum):
    """`price` is the limit, `stop_price` the trigger, `trail` the trailing distance as a fraction of the price."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"
    STOP = "STOP"
    STOP_LIMIT = "STOP_LIMIT"
    TRAILING = "TRAILING"


class TimeInForce(StrEnum):
    """Good till cancelled, or what does not fill at once is cancelled."""

    GTC = "GTC"
    IOC = "IOC"


class Status(StrEnum):
    """Life of an order; the table of allowed moves is `execution.orders.TRANSITIONS`."""

    NEW = "NEW"
    SUBMITTED = "SUBMITTED"
    ACCEPTED = "ACCEPTED"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"


class Liquidity(StrEnum):
    """Who waited: the maker rested in the book, the taker crossed it."""

    MAKER = "MAKER"
    TAKER = "TAKER"


class Order(msgspec.Struct, frozen=True, kw_only=True, tag="order", tag_field="is"):
    """What we ask of a venue. Quantities in base units; `ts` is when it was decided; `reason` why it was refused."""

    id: str
    parent_id: str
    decision_id: str
    symbol: str
    venue: str
    side: Side
    type: OrderType
    qty: Decimal
    ts: int
    price: Decimal | None = None
    stop_price: Decimal | None = None
    trail: Decimal | None = None
    tif: TimeInForce = TimeInForce.GTC
    reduce_only: bool = False
    status: Status = Status.NEW
    filled: Decimal = Decimal(0)
    reason: str = ""


class Fill(msgspec.Struct, frozen=True, kw_only=True):
    """What the venue did. `fee` is in `fee_asset`; `mid` is the price before our costs, for cost analysis."""

    id: str
    order_id: str
    symbol: str
    ts: int
    side: Side
    price: Decimal
    qty: Decimal
    fee: Decimal
    fee_asset: str
    liquidity: Liquidity
    mid: Decimal
