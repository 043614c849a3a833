"""Read models as the structs they were: decisions, verdicts, orders, fills, equity, funding, positions.

All are in the order they were journaled. `symbol` None means all, and `start` and `end` (UTC milliseconds, half-open)
bound the struct's own `ts`.
"""

from typing import Any

import msgspec
from sqlalchemy import Select

from seakeep.core.account import Portfolio, Position
from seakeep.core.errors import IntegrityError
from seakeep.core.events import Funded
from seakeep.core.orders import Fill, Order
from seakeep.core.verdicts import Decision, RiskSnapshot, RiskVerdict
from seakeep.execution.accounting import apply_fill, apply_funding
from seakeep.ledger.db import reading
from seakeep.ledger.journal import Ledger
from seakeep.ledger.runs import RunInfo, find_run
from seakeep.ledger.tables import MODELS, Model, of_run

__all__ = ["ALL", "Span", "decisions", "equity", "fills", "funding", "latest_orders", "orders", "positions", "verdicts"]


class Span(msgspec.Struct, frozen=True):
    """What to read of a run; the default is all."""

    symbol: str | None = None
    start: int | None = None
    end: int | None = None


ALL = Span()
"""Everything of a run."""


def decisions(ledger: Ledger, run_id: str, span: Span = ALL) -> tuple[Decision, ...]:
    """What the strategy wanted."""
    return _read(ledger, run_id, "decisions", span)


def verdicts(ledger: Ledger, run_id: str, span: Span = ALL) -> tuple[RiskVerdict, ...]:
    """What the gate answered."""
    return _read(ledger, run_id, "verdicts", span)


def orders(ledger: Ledger, run_id: str, span: Span = ALL) -> tuple[Order, ...]:
    """Every state an order was recorded in, oldest first; `ts` is when the order was decided."""
    return _read(ledger, run_id, "orders", span)


def latest_orders(ledger: Ledger, run_id: str, span: Span = ALL) -> tuple[Order, ...]:
    """Each order once, as it was last recorded, in the order they were first seen."""
    return tuple({order.id: order for order in orders(ledger, run_id, span)}.values())


def fills(ledger: Ledger, run_id: str, span: Span = ALL) -> tuple[Fill, ...]:
    """What the venue did, liquidations included."""
    return _read(ledger, run_id, "fills", span)


def funding(ledger: Ledger, run_id: str, span: Span = ALL) -> tuple[Funded, ...]:
    """Funding paid and received."""
    return _read(ledger, run_id, "funding", span)


def equity(ledger: Ledger, run_id: str, span: Span = ALL) -> tuple[RiskSnapshot, ...]:
    """The account as the gate saw it; snapshots belong to no symbol, so `span.symbol` must be None."""
    return _read(ledger, run_id, "equity", span)


def positions(ledger: Ledger, run_id: str, end: int | None = None) -> tuple[Position, ...]:
    """Holdings after every fill and funding payment before `end` (UTC milliseconds), by symbol; closed ones too."""
    span = Span(end=end)
    books: dict[str, Portfolio] = {}
    for fill in fills(ledger, run_id, span):
        book = _book(books, fill.symbol)
        books[book.quote] = apply_fill(book, fill)
    for paid in funding(ledger, run_id, span):
        book = _book(books, paid.symbol)
        books[book.quote] = apply_funding(book, paid.symbol, paid.amount)
    held = {symbol: position for book in books.values() for symbol, position in book.positions.items()}
    return tuple(held[symbol] for symbol in sorted(held))


def _book(books: dict[str, Portfolio], symbol: str) -> Portfolio:
    quote = symbol.partition("/")[2].partition(":")[0]
    return books.get(quote) or Portfolio(quote=quote, cash={})


def _read(ledger: Ledger, run_id: str, name: str, span: Span) -> tuple[Any, ...]:
    model = MODELS[name]
    with reading(ledger.engine) as connection:
        rows = connection.execute(_query(model, find_run(connection, run_id), span)).all()
    try:
        return tuple(model.read(row[2:]) for row in rows)
    except msgspec.MsgspecError as error:
        raise IntegrityError(
            f"a row of {name} cannot be read: {error}", remedy="run `seakeep ledger verify`"
        ) from error


def _query(model: Model, run: RunInfo, span: Span) -> Select[Any]:
    table = model.table
    query = of_run(table, run.number)
    if span.symbol is not None:
        if "symbol" not in table.c:
            raise ValueError(f"{table.name} is not kept by symbol")
        query = query.where(table.c.symbol == span.symbol)
    if span.start is not None:
        query = query.where(table.c.ts >= span.start)
    if span.end is not None:
        query = query.where(table.c.ts < span.end)
    return query
