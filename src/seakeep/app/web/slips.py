"""From the gate's answer to the order that would be sent, held against the second gate as the engine would hold it."""

from decimal import Decimal

import msgspec

from seakeep.core.market import Instrument
from seakeep.core.orders import Order, OrderType, Status
from seakeep.core.units import MINUTE_MS
from seakeep.core.verdicts import RiskVerdict, RuleHit
from seakeep.execution.plan import ParentOrder, plan
from seakeep.ledger import queries
from seakeep.ledger.journal import Ledger
from seakeep.risk.case import Case
from seakeep.risk.pretrade import Traffic, check

__all__ = ["Slip", "slip_of"]


class Slip(msgspec.Struct, frozen=True):
    """The order that may be sent; or None, with the rule of the second gate or the reason why there is none."""

    order: Order | None
    hit: RuleHit | None = None
    reason: str = ""


def slip_of(case: Case, verdict: RiskVerdict, price: float | None, run_id: str, ledger: Ledger) -> Slip:
    """What would be sent for an allowed verdict on the one candidate of the case; with a price as a limit order."""
    if not verdict.allowed:
        return Slip(None, reason="the gate does not allow it")
    (candidate,) = case.candidates
    planned = plan(verdict, case.portfolio, candidate.instrument, candidate.mark, case.snapshot.equity)
    if planned.order is None:
        return Slip(None, reason=planned.reason)
    order = _order(planned.order, price)
    sent = queries.latest_orders(ledger, run_id)
    mark = case.markets[candidate.symbol].mark
    hit = check(order, _traffic(order, sent, case, candidate.instrument, mark), case.limits)
    return Slip(order) if hit is None else Slip(None, hit, hit.message)


def _order(parent: ParentOrder, price: float | None) -> Order:
    return Order(
        id=f"{parent.decision_id}-o",
        parent_id=parent.id,
        decision_id=parent.decision_id,
        symbol=parent.symbol,
        venue=parent.venue,
        side=parent.side,
        type=OrderType.MARKET if price is None else OrderType.LIMIT,
        qty=parent.qty,
        ts=parent.ts,
        price=None if price is None else Decimal(repr(price)),
        reduce_only=parent.reduce_only,
    )


def _traffic(order: Order, sent: tuple[Order, ...], case: Case, instrument: Instrument, mark: float) -> Traffic:
    """What is open in this symbol, and what went out to add risk, up to the instant of the case."""
    added = [o for o in sent if not o.reduce_only and o.status is not Status.REJECTED and o.ts <= order.ts]
    own = [o.ts for o in added if o.symbol == order.symbol]
    return Traffic(
        open_orders=sum(o.symbol == order.symbol for o in case.orders),
        last_added_ts=max(own, default=None),
        added_in_minute=sum(o.ts > order.ts - MINUTE_MS for o in added),
        mark=mark,
        instrument=instrument,
    )
