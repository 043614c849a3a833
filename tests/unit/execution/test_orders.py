"""The order table and what venues refuse."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from seakeep.core.errors import InvalidOrder, InvalidTransition
from seakeep.core.events import Accepted, Canceled, Filled, Rejected
from seakeep.core.market import Instrument
from seakeep.core.orders import Fill, Liquidity, Order, OrderType, Side, Status
from seakeep.execution.orders import TRANSITIONS, apply, is_open, validate

BTC = Instrument(symbol="BTC/USDT", base="BTC", quote="USDT", lot=Decimal("0.001"), tick=Decimal("0.5"))
ORDER = Order(
    id="o1",
    parent_id="p1",
    decision_id="d1",
    symbol="BTC/USDT",
    venue="sim",
    side=Side.BUY,
    type=OrderType.MARKET,
    qty=Decimal("1"),
    ts=0,
    status=Status.SUBMITTED,
)


def fill(qty: str, **changes: object) -> Filled:
    base = Fill(
        id="f",
        order_id="o1",
        symbol="BTC/USDT",
        ts=1,
        side=Side.BUY,
        price=Decimal(100),
        qty=Decimal(qty),
        fee=Decimal(0),
        fee_asset="USDT",
        liquidity=Liquidity.TAKER,
        mid=Decimal(100),
    )
    return Filled(1, replace(base, **changes))


def test_two_halves_fill_an_order() -> None:
    half = apply(apply(ORDER, Accepted(1, "o1")), fill("0.5"))
    assert (half.status, half.filled) == (Status.PARTIALLY_FILLED, Decimal("0.5"))
    whole = apply(half, fill("0.5"))
    assert (whole.status, whole.filled, is_open(whole)) == (Status.FILLED, Decimal(1), False)


@pytest.mark.parametrize("final", [Status.FILLED, Status.CANCELED, Status.REJECTED])
def test_nothing_follows_a_final_status(final: Status) -> None:
    for reply in (Accepted(1, "o1"), Canceled(1, "o1", ""), Rejected(1, "o1", ""), fill("0.1")):
        with pytest.raises(InvalidTransition):
            apply(replace(ORDER, status=final), reply)


@pytest.mark.parametrize(
    "reply",
    [
        fill("1.001"),
        fill("-0.5"),
        fill("0"),
        fill("NaN"),
        fill("0.5", price=Decimal(-1)),
        fill("0.5", symbol="ETH/USDT"),
        fill("0.5", side=Side.SELL),
        fill("0.5", order_id="o2"),
        Accepted(1, "o2"),
    ],
)
def test_a_reply_that_does_not_fit_the_order_is_refused(reply: Accepted | Filled) -> None:
    with pytest.raises(InvalidTransition):
        apply(ORDER, reply)


REPLIES = st.sampled_from(
    [Accepted(1, "o1"), Rejected(1, "o1", "no"), Canceled(1, "o1", "gone"), fill("0.3"), fill("0.7"), fill("1")]
)


@given(st.lists(REPLIES, max_size=12))
def test_no_sequence_of_replies_leaves_the_table(replies: list[Accepted | Filled | Rejected | Canceled]) -> None:
    order = ORDER
    for reply in replies:
        try:
            after = apply(order, reply)
        except InvalidTransition:
            continue
        assert after.status in TRANSITIONS[order.status]
        assert order.filled <= after.filled <= order.qty
        assert (after.status is Status.FILLED) == (after.filled == order.qty)
        order = after


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"symbol": "ETH/USDT"}, "BTC/USDT"),
        ({"qty": Decimal("0.0005")}, "lot"),
        ({"qty": Decimal(0)}, "qty"),
        ({"qty": Decimal("NaN")}, "qty"),
        ({"qty": Decimal("-1")}, "qty"),
        ({"qty": Decimal("0.001"), "type": OrderType.LIMIT, "price": Decimal(4000)}, "too small"),
        ({"type": OrderType.LIMIT}, "needs price"),
        ({"type": OrderType.LIMIT, "price": Decimal("100.3")}, "tick"),
        ({"type": OrderType.STOP}, "needs stop_price"),
        ({"type": OrderType.STOP, "stop_price": Decimal(-5)}, "positive"),
        ({"type": OrderType.STOP_LIMIT, "price": Decimal(100)}, "needs stop_price"),
        ({"type": OrderType.TRAILING}, "needs trail"),
        ({"type": OrderType.TRAILING, "trail": Decimal(1)}, "below 1"),
        ({"price": Decimal(100)}, "has no price"),
    ],
)
def test_an_order_no_venue_could_take_is_named(changes: dict[str, object], word: str) -> None:
    with pytest.raises(InvalidOrder, match=word):
        validate(replace(ORDER, **changes), BTC, Decimal(5000))


def test_a_reduction_may_close_what_is_below_lot_and_notional() -> None:
    validate(replace(ORDER, qty=Decimal("0.00001"), reduce_only=True), BTC, Decimal(5000))
    with pytest.raises(InvalidOrder, match="too small"):
        validate(replace(ORDER, qty=Decimal("0.001")), BTC, Decimal(4999))
