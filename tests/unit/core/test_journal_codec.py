"""Events and records survive the codec the journal uses, bit for bit."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seakeep.core.events import Event, Filled, Funded, Record, Slice
from seakeep.core.market import Bar, Observation
from seakeep.core.orders import Fill, Liquidity, Order, OrderType, Side
from seakeep.core.verdicts import Decision

DECODER: msgspec.json.Decoder[Event | Record] = msgspec.json.Decoder(Event | Record)
ORDER = Order(
    id="r-o1",
    parent_id="r-p1",
    decision_id="r-d1",
    symbol="BTC/USDT",
    venue="sim",
    side=Side.BUY,
    type=OrderType.STOP_LIMIT,
    qty=Decimal("0.10000"),
    ts=5,
    price=Decimal("9.50"),
    stop_price=Decimal("9.60"),
)
FILL = Fill(
    id="f1",
    order_id="r-o1",
    symbol="BTC/USDT",
    ts=6,
    side=Side.SELL,
    price=Decimal("9.500"),
    qty=Decimal("1E-8"),
    fee=Decimal("0.0000001"),
    fee_asset="USDT",
    liquidity=Liquidity.TAKER,
    mid=Decimal("9.4"),
)


@pytest.mark.parametrize(
    "thing",
    [
        ORDER,
        Filled(6, FILL),
        Funded(7, "BTC/USDT:USDT", -0.0001, Decimal("1.230000")),
        Decision("r-d1", "trend", "BTC/USDT", 5, 0.1, 0.7, 0.9, (("trend", 0.4), ("ma", 0.3))),
        Slice(8, observations=(Observation("x", "funding_rate", None, 1, 2, 0.1),)),
    ],
)
def test_what_is_written_is_what_is_read(thing: Event | Record) -> None:
    again = DECODER.decode(msgspec.json.encode(thing))
    assert again == thing
    assert msgspec.json.encode(again) == msgspec.json.encode(thing)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_price_keeps_every_bit(price: float) -> None:
    bar = Bar("BTC/USDT", "5m", 0, 300_000, price, price, price, price, 1.0)
    again = DECODER.decode(msgspec.json.encode(Slice(300_000, (bar,))))
    assert isinstance(again, Slice)
    assert again.bars[0] == bar
