"""Everything that enters the engine (events), and everything it asks for or reports (commands, records).

All are tagged structs, so one codec writes and reads the journal.
"""

from decimal import Decimal

import msgspec

from seakeep.core.market import Bar, NewsItem, Observation, OrderBook, Trade
from seakeep.core.orders import Fill, Order
from seakeep.core.verdicts import Decision, RiskSnapshot, RiskVerdict

__all__ = [
    "Accepted",
    "Cancel",
    "CancelAll",
    "Canceled",
    "Command",
    "Control",
    "Event",
    "Filled",
    "Funded",
    "Liquidated",
    "Record",
    "Rejected",
    "Reply",
    "Slice",
    "StepResult",
    "Submit",
    "Tick",
]


class Slice(msgspec.Struct, frozen=True, tag="slice", tag_field="is"):
    """Everything that became known at `ts`, across symbols; bars are sorted by symbol, then interval."""

    ts: int
    bars: tuple[Bar, ...] = ()
    trades: tuple[Trade, ...] = ()
    books: tuple[OrderBook, ...] = ()
    observations: tuple[Observation, ...] = ()
    news: tuple[NewsItem, ...] = ()


class Tick(msgspec.Struct, frozen=True, tag="tick", tag_field="is"):
    """Time passed; nothing else happened."""

    ts: int


class Control(msgspec.Struct, frozen=True, tag="control", tag_field="is", repr_omit_defaults=True):
    """A person's order to the engine, with the reason.

    pause, resume, reduce, flatten, halt, reset-breaker; set-limits with `changes` (name, value), confirm-limits and
    cancel-limits with the `id` of what was asked. `by` is who; `id` names the order, so that it is carried out once.
    """

    ts: int
    action: str
    reason: str
    changes: tuple[tuple[str, float], ...] = ()
    by: str = ""
    id: str = ""


class Accepted(msgspec.Struct, frozen=True, tag="accepted", tag_field="is"):
    """The venue took the order."""

    ts: int
    order_id: str


class Filled(msgspec.Struct, frozen=True, tag="filled", tag_field="is"):
    """The venue filled the order, in whole or in part."""

    ts: int
    fill: Fill


class Rejected(msgspec.Struct, frozen=True, tag="rejected", tag_field="is"):
    """The venue refused the order."""

    ts: int
    order_id: str
    reason: str


class Canceled(msgspec.Struct, frozen=True, tag="canceled", tag_field="is"):
    """The order, or what was left of it, is gone."""

    ts: int
    order_id: str
    reason: str


class Funded(msgspec.Struct, frozen=True, tag="funded", tag_field="is"):
    """Funding of a perpetual: `amount` in quote units is added to cash (negative: paid)."""

    ts: int
    symbol: str
    rate: float
    amount: Decimal


class Liquidated(msgspec.Struct, frozen=True, tag="liquidated", tag_field="is"):
    """The venue closed a position for lack of margin; the fill belongs to no order of ours."""

    ts: int
    fill: Fill


Reply = Accepted | Filled | Rejected | Canceled | Funded | Liquidated
Event = Slice | Tick | Control | Accepted | Filled | Rejected | Canceled | Funded | Liquidated


class Submit(msgspec.Struct, frozen=True, tag="submit", tag_field="is"):
    """Send this order."""

    order: Order


class Cancel(msgspec.Struct, frozen=True, tag="cancel", tag_field="is"):
    """Cancel one order."""

    order_id: str
    symbol: str


class CancelAll(msgspec.Struct, frozen=True, tag="cancel_all", tag_field="is"):
    """Cancel every open order, of one symbol or of all."""

    symbol: str | None = None


Command = Submit | Cancel | CancelAll
Record = Decision | RiskVerdict | RiskSnapshot | Order
"""What the engine reports beside its commands; the ledger keeps each in its own table."""


class StepResult(msgspec.Struct, frozen=True):
    """What one event caused."""

    commands: tuple[Command, ...] = ()
    records: tuple[Record, ...] = ()
