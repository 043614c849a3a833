"""The tables. The journal is the truth; the others are read models, which can be rebuilt from it.

A read model has one column per field of the struct it keeps, after the entry (`entry`) and the place in it (`pos`) the
row came from. Amounts are text, so that no digit is lost on any database; nested fields are JSON.

Every page a commit touches is written to the log before it is durable, so there is no index besides the keys (and one
of the few rows that are controls), the head of a run lies apart from its configuration, and an entry has one integer as
its key: SQLite appends such rows without rebalancing the tree.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from enum import Enum
from typing import Any, get_args, get_origin

import msgspec
from msgspec.structs import fields
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Select,
    Table,
    Text,
    UniqueConstraint,
    select,
    text,
)

from seakeep.core.events import Event, Filled, Funded, Liquidated, Record
from seakeep.core.orders import Fill, Order
from seakeep.core.verdicts import Decision, RiskSnapshot, RiskVerdict

__all__ = [
    "AUDIT",
    "CONTROLS",
    "HEADS",
    "JOURNAL",
    "META",
    "METADATA",
    "MODELS",
    "RUNS",
    "SCHEMA_VERSION",
    "Model",
    "entry_id",
    "model_rows",
    "of_run",
]

SCHEMA_VERSION = 3
"""Raised whenever a table or a column changes; a ledger of another version is refused when it is opened."""

METADATA = MetaData()
META = Table("meta", METADATA, Column("key", Text, primary_key=True), Column("value", Text, nullable=False))
RUNS = Table(
    "runs",
    METADATA,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("run_id", Text, nullable=False, unique=True),
    Column("config", Text, nullable=False),
)
HEADS = Table(
    "heads",
    METADATA,
    Column("number", BigInteger, ForeignKey("runs.number"), primary_key=True, autoincrement=False),
    Column("first_ts", BigInteger),
    Column("last_ts", BigInteger),
    Column("seq", BigInteger, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)
JOURNAL = Table(
    "journal",
    METADATA,
    Column("entry", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("ts", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("prev_hash", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)
CONTROLS = Table(
    "controls",
    METADATA,
    Column("number", BigInteger, ForeignKey("runs.number"), primary_key=True, autoincrement=False),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("posted", BigInteger, nullable=False),
    Column("who", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("control", LargeBinary, nullable=False),
    UniqueConstraint("who", "key"),
)
"""What people asked of a run, in order: the n-th control of a run is the n-th its journal takes over."""
AUDIT = Table(
    "audit",
    METADATA,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("ts", BigInteger, nullable=False),
    Column("request", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("status", BigInteger, nullable=False),
)
"""Every request that changed something or tried to; `body` is the SHA-256 of what was sent."""
_IS_CONTROL = text("kind = 'control'")
Index("journaled_controls", JOURNAL.c.entry, sqlite_where=_IS_CONTROL, postgresql_where=_IS_CONTROL)
"""Finds the few entries that are a person's word; the others do not touch it."""
_RUN_BITS = 40


def entry_id(number: int, seq: int) -> int:
    """Key of entry `seq` (from 1) of the run of that number: the runs lie one after another.

    >>> entry_id(2, 5) - entry_id(2, 0), entry_id(2, 0) == 2 * entry_id(1, 0)
    (5, True)
    """
    return (number << _RUN_BITS) + seq


def of_run(table: Table, number: int, after_seq: int = 0) -> Select[Any]:
    """Rows of a run's entries after `after_seq`, in order, each as (seq, the columns after the id)."""
    start, key = entry_id(number, 0), table.c.entry
    columns = ((key - start).label("seq"), *(column for column in table.columns if column is not key))
    mine = key > start + after_seq, key < entry_id(number + 1, 0)
    return select(*columns).where(*mine).order_by(*table.primary_key)


_SCALARS: dict[Any, Any] = {int: BigInteger, float: Double, bool: Boolean, str: Text, Decimal: Text}
_json = msgspec.json.Encoder()


class Model:
    """A read model: the table that keeps structs of one kind, and the way there and back."""

    def __init__(self, name: str, kind: type[msgspec.Struct]) -> None:
        self.kind = kind
        self._names = kind.__struct_fields__
        types = [_plain(field.type) for field in fields(kind)]
        self._text = tuple(i for i, t in enumerate(types) if t is Decimal or _is_enum(t))
        self._nested = tuple(i for i, t in enumerate(types) if get_origin(t) is tuple)
        columns = (
            Column(field.name, _SCALARS.get(plain, Text), nullable=plain is not field.type)
            for field, plain in zip(fields(kind), types, strict=True)
        )
        self.table = Table(
            name,
            METADATA,
            Column("entry", BigInteger, primary_key=True, autoincrement=False),
            Column("pos", BigInteger, primary_key=True, autoincrement=False),
            *columns,
            sqlite_with_rowid=False,
        )

    def row(self, kept: msgspec.Struct) -> tuple[Any, ...]:
        """The struct's fields as column values."""
        values = list(msgspec.structs.astuple(kept))
        for i in self._text:
            if values[i] is not None:
                values[i] = str(values[i])
        for i in self._nested:
            values[i] = _json.encode(values[i]).decode()
        return tuple(values)

    def read(self, row: Sequence[Any]) -> Any:
        """The struct of a row of column values, `row`'s inverse. Raises: msgspec.ValidationError."""
        values = list(row)
        for i in self._nested:
            values[i] = msgspec.json.decode(values[i])
        return msgspec.convert(dict(zip(self._names, values, strict=True)), self.kind, strict=False)


def _plain(annotation: Any) -> Any:
    """The type without `| None`."""
    inner = [t for t in get_args(annotation) if t is not type(None)]
    return inner[0] if type(None) in get_args(annotation) else annotation


def _is_enum(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Enum)


MODELS: dict[str, Model] = {
    "decisions": Model("decisions", Decision),
    "verdicts": Model("verdicts", RiskVerdict),
    "orders": Model("orders", Order),
    "fills": Model("fills", Fill),
    "equity": Model("equity", RiskSnapshot),
    "funding": Model("funding", Funded),
}
_BY_KIND = {model.kind: (name, model) for name, model in MODELS.items()}


def model_rows(event: Event, records: Sequence[Record]) -> Iterator[tuple[str, int, tuple[Any, ...]]]:
    """(table, pos, column values) of everything in an entry that a read model keeps; the event itself has pos 0."""
    if isinstance(event, Filled | Liquidated):
        yield "fills", 0, MODELS["fills"].row(event.fill)
    elif isinstance(event, Funded):
        yield "funding", 0, MODELS["funding"].row(event)
    for pos, record in enumerate(records, start=1):
        name, model = _BY_KIND[type(record)]
        yield name, pos, model.row(record)
