"""Schedules against published ones."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seakeep.core.orders import Side
from seakeep.execution.algos import AlgoParams, due, schedule
from seakeep.execution.plan import ParentOrder

REFERENCE = Path(__file__).parents[3] / "../shared/reference/execution_schedules/twap_even_split_nautilus.json"


def parent(qty: Decimal) -> ParentOrder:
    return ParentOrder(
        id="p", decision_id="d", symbol="BTC/USDT", venue="sim", ts=1000, side=Side.BUY, qty=qty, reduce_only=False
    )


def test_a_market_order_goes_at_once_and_whole() -> None:
    (child,) = due(parent(Decimal("1.2345")), 1000, AlgoParams(), Decimal("0.1"))
    assert (child.ts, child.qty) == (1000, Decimal("1.2345"))


@pytest.mark.skipif(not REFERENCE.exists(), reason="shared/reference/execution_schedules is absent")
def test_twap_splits_evenly_as_published() -> None:
    case = json.loads(REFERENCE.read_text())
    for row, expected in zip(case["inputs"]["rows"], case["expected"]["slices"], strict=True):
        params = AlgoParams(algo="twap", horizon_ms=row["horizon_secs"] * 1000, interval_ms=row["interval_secs"] * 1000)
        children = schedule(parent(Decimal(str(row["quantity"]))), params, Decimal("0.1"))
        assert [float(child.qty) for child in children] == pytest.approx(expected)


def test_parts_fall_due_one_interval_after_the_other() -> None:
    params = AlgoParams(algo="twap", horizon_ms=60_000, interval_ms=20_000)
    counts = [len(due(parent(Decimal(3)), 1000 + t, params, Decimal(1))) for t in (-1, 0, 19_999, 20_000, 90_000)]
    assert counts == [0, 1, 1, 2, 3]


@given(st.decimals("0.001", "50", places=5), st.integers(1, 40))
def test_parts_add_up_exactly_and_are_whole_lots(qty: Decimal, parts: int) -> None:
    params = AlgoParams(algo="twap", horizon_ms=parts * 1000, interval_ms=1000)
    children = schedule(parent(qty), params, Decimal("0.001"))
    assert sum(child.qty for child in children) == qty
    assert all(child.qty > 0 for child in children)
    assert all(child.qty % Decimal("0.001") == 0 for child in children[:-1])
