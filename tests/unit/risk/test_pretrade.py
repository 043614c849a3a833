"""The second gate, order by order."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seakeep.core.market import Instrument
from seakeep.core.orders import Order, OrderType, Side
from seakeep.risk.limits import Limits
from seakeep.risk.pretrade import Traffic, check

ORDER = Order(
    id="o",
    parent_id="p",
    decision_id="d",
    symbol="A/B",
    venue="sim",
    side=Side.BUY,
    type=OrderType.MARKET,
    qty=Decimal(1),
    ts=100_000,
)


@pytest.mark.parametrize(
    ("open_orders", "last", "rule"),
    [(0, None, None), (9, 70_000, None), (10, None, "max_open_orders"), (0, 70_001, "min_order_gap_ms")],
)
def test_additions_are_counted_and_spaced(open_orders: int, last: int | None, rule: str | None) -> None:
    hit = check(ORDER, Traffic(open_orders, last, 0, 100.0), Limits())
    assert (hit.rule if hit else None) == rule


def test_an_order_that_can_only_reduce_always_goes() -> None:
    assert check(msgspec.structs.replace(ORDER, reduce_only=True), Traffic(999, 100_000, 999), Limits()) is None


VENUE = Instrument(symbol="A/B", base="A", quote="B", tick=Decimal("0.5"), lot=Decimal("0.1"), min_notional=Decimal(10))


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({}, None),
        ({"qty": Decimal("1.05")}, "precision"),
        ({"qty": Decimal("NaN")}, "precision"),
        ({"qty": Decimal("0.1"), "price": Decimal(99)}, "min_notional"),
        ({"price": Decimal("100.3")}, "precision"),
        ({"price": Decimal(110)}, None),
        ({"price": Decimal("110.5")}, "price_band"),
        ({"price": Decimal("89.5")}, "price_band"),
        ({"qty": Decimal(50)}, None),
        ({"qty": Decimal("50.1")}, "max_order_notional"),
    ],
)
def test_form_price_and_size_are_checked_at_their_edges(changes: dict[str, Decimal], rule: str | None) -> None:
    limits = Limits(price_band=0.1, max_order_notional=5000)
    hit = check(msgspec.structs.replace(ORDER, **changes), Traffic(mark=100.0, instrument=VENUE), limits)
    assert (hit.rule if hit else None) == rule


def test_a_minute_takes_so_many_orders_of_all_symbols() -> None:
    rules = [check(ORDER, Traffic(added_in_minute=n, mark=100.0), Limits(max_orders_per_minute=5)) for n in (4, 5)]
    assert [hit and hit.rule for hit in rules] == [None, "max_orders_per_minute"]


@pytest.mark.parametrize("mark", [None, float("nan"), 0.0, float("inf")])
def test_an_order_into_a_market_without_a_price_does_not_go(mark: float | None) -> None:
    hit = check(ORDER, Traffic(mark=mark), Limits())
    assert hit is not None
    assert hit.rule == "price_unknown"


@given(st.integers(1, 400), st.floats(0.05, 150.0), st.sampled_from([Decimal(10), Decimal("99.9"), Decimal("0.3")]))
def test_an_order_is_too_small_where_its_exact_worth_is(lots: int, mark: float, least: Decimal) -> None:
    venue = msgspec.structs.replace(VENUE, min_notional=least)
    order = msgspec.structs.replace(ORDER, qty=lots * venue.lot)
    hit = check(order, Traffic(mark=mark, instrument=venue), Limits())
    assert (hit is not None) == (float(order.qty * Decimal(repr(mark))) < float(least))


def test_an_order_of_just_the_least_goes_though_the_product_of_floats_falls_below() -> None:
    venue = msgspec.structs.replace(VENUE, min_notional=Decimal("0.3"))
    order = msgspec.structs.replace(ORDER, qty=Decimal(3) * venue.lot)
    assert check(order, Traffic(mark=1.0, instrument=venue), Limits()) is None
    assert check(order, Traffic(mark=0.999999999999, instrument=venue), Limits()) is not None
