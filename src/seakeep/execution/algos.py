"""How a parent order is cut over time. A schedule is a pure function of the parent: no state to lose."""

from decimal import Decimal
from typing import Literal

import msgspec
from pydantic import Field

from seakeep.core.config import Section
from seakeep.core.units import quantise_down
from seakeep.execution.plan import ParentOrder

__all__ = ["AlgoParams", "Child", "due", "schedule"]


class AlgoParams(Section):
    """All at once, or evenly over time."""

    algo: Literal["market", "twap"] = Field("market", description="market: at once; twap: equal parts, equal times")
    horizon_ms: int = Field(600_000, gt=0, description="twap: time the whole order takes")
    interval_ms: int = Field(60_000, gt=0, description="twap: time between parts; the first goes at once")


class Child(msgspec.Struct, frozen=True):
    """Part `index` of a parent order, to be sent at `ts`."""

    parent_id: str
    index: int
    ts: int
    qty: Decimal


def schedule(parent: ParentOrder, params: AlgoParams, lot: Decimal) -> tuple[Child, ...]:
    """Every part of the order with its time; the parts are whole lots and add up to the order exactly.

    The last part carries what equal lots leave over; an order of few lots has fewer parts.
    """
    parts = max(params.horizon_ms // params.interval_ms, 1) if params.algo == "twap" else 1
    parts = max(min(parts, int(parent.qty / lot)), 1)
    each = quantise_down(parent.qty / parts, lot) if parts > 1 else parent.qty
    sizes = [each] * (parts - 1) + [parent.qty - each * (parts - 1)]
    return tuple(Child(parent.id, i, parent.ts + i * params.interval_ms, qty) for i, qty in enumerate(sizes))


def due(parent: ParentOrder, now: int, params: AlgoParams, lot: Decimal) -> tuple[Child, ...]:
    """The parts whose time has come, those sent before included."""
    return tuple(child for child in schedule(parent, params, lot) if child.ts <= now)
