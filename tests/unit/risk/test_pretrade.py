"""The second gate, order by order."""

from decimal import Decimal

import msgspec
import pytest

from seakeep.core.orders import Order, OrderType, Side
from seakeep.risk.limits import Limits
from seakeep.risk.pretrade import check

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
    hit = check(ORDER, open_orders, last, Limits())
    assert (hit.rule if hit else None) == rule


def test_an_order_that_can_only_reduce_always_goes() -> None:
    assert check(msgspec.structs.replace(ORDER, reduce_only=True), 999, 100_000, Limits()) is None
