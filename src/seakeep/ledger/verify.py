"""Is the ledger what was written? The chain, the read models and the book, each held against the journal.

The chain finds a changed byte, a lost entry and a cut tail; every read-model row is derived again and compared; cash
and holdings are recomputed from the fills and must give the equity of every snapshot. Who can write the file can also
rewrite a whole chain: keep the head's hash elsewhere to find that out.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, Row, Table

from seakeep.core.errors import IntegrityError
from seakeep.core.events import Event, Record
from seakeep.ledger.book import Book
from seakeep.ledger.codec import Entry, chain_hash, decode, genesis, kind_of
from seakeep.ledger.db import reading
from seakeep.ledger.runs import RunInfo, find_run
from seakeep.ledger.tables import JOURNAL, MODELS, Model, model_rows, of_run

__all__ = ["Fault", "VerifyReport", "verify"]

_MOST_FAULTS = 20


class Fault(msgspec.Struct, frozen=True):
    """What is wrong with which entry (0: the whole file), and where: a table, "file", or "book" for the account."""

    seq: int
    table: str
    what: str


class VerifyReport(msgspec.Struct, frozen=True):
    """Outcome for one run: entries that hold, the recorded head (hex), the first faults, the account."""

    run_id: str
    entries: int
    head: str
    faults: tuple[Fault, ...]
    book: str

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.faults


def verify(engine: Engine, run_id: str) -> VerifyReport:
    """Check one run, as of one instant. A fault in the chain ends the check: what follows it proves nothing.

    Raises: LedgerError if there is no such run, or the ledger cannot be read at all.
    """
    faults: list[Fault] = []
    with reading(engine) as connection, ExitStack() as cursors:
        run = find_run(connection, run_id)
        faults += _file(connection)

        def rows(table: Table) -> Iterator[Row[Any]]:
            return iter(
                cursors.enter_context(connection.execute(of_run(table, run.number).execution_options(yield_per=500)))
            )

        models = {name: _Kept(model, rows(model.table)) for name, model in MODELS.items()}
        book, entries = Book(), 0
        for entry in _chain(rows(JOURNAL), run, faults):
            entries += 1
            faults += _compare(models, *entry)
            if (what := book.take(*entry[1:])) is not None:
                faults.append(Fault(entry[0], "book", what))
            if len(faults) >= _MOST_FAULTS:
                break
        if not any(fault.table in ("journal", "heads") for fault in faults):
            faults += islice(_left_over(models, entries), _MOST_FAULTS)
    return VerifyReport(run_id, entries, run.head_hash.hex(), tuple(faults), book.verdict)


def _file(connection: Connection) -> Iterator[Fault]:
    """What SQLite itself finds wrong with its file; a server looks after its own."""
    if connection.dialect.name == "sqlite":
        said = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar()
        if said != "ok":
            yield Fault(0, "file", f"the file is damaged: {said}")


def _chain(rows: Iterator[Row[Any]], run: RunInfo, faults: list[Fault]) -> Iterator[Entry]:
    """Entries for as long as the chain holds; the first that does not is added to `faults`."""
    seq, head, row = 0, genesis(run.run_id, run.config), next(rows, None)
    span: list[int] = []
    while row is not None:
        following = next(rows, None)
        witness = run.head_hash if following is None else following.prev_hash
        if (what := _broken(run.run_id, seq + 1, head, row, witness)) is not None:
            faults.append(Fault(seq + 1, "journal", what))
            return
        try:
            event, records = decode(row.seq, row.payload)
        except IntegrityError as error:
            faults.append(Fault(row.seq, "journal", str(error)))
            return
        if (row.ts, row.kind) != (event.ts, kind_of(event)):
            what = f"the columns say {row.kind} at {row.ts}, the payload {kind_of(event)} at {event.ts}"
            faults.append(Fault(row.seq, "journal", what))
            return
        yield row.seq, event, records
        span = [*span[:1], event.ts]
        seq, head, row = row.seq, row.hash, following
    faults += _wrong_head(run, seq, head, span)


def _broken(run_id: str, seq: int, head: bytes, row: Row[Any], witness: bytes) -> str | None:
    """What is wrong with a row that should be entry `seq`; `witness` is what came after it remembers as its hash."""
    if row.seq != seq:
        return f"entry {seq} is missing: the next one there is {row.seq}"
    actual = chain_hash(run_id, seq, head, row.payload)
    if row.hash == actual:
        return None if row.prev_hash == head else f"prev_hash was changed: it should be {head.hex()}"
    if row.hash == chain_hash(run_id, seq, row.prev_hash, row.payload):
        return "it follows another entry than the one before it" if seq > 1 else "the run's config was changed"
    if witness == actual:
        return f"hash was changed: it should be {actual.hex()}"
    what = "payload was changed" if witness == row.hash else "payload or hash was changed"
    return f"{what}: its hash is {actual.hex()}, {row.hash.hex()} was recorded"


def _wrong_head(run: RunInfo, seq: int, head: bytes, span: list[int]) -> Iterator[Fault]:
    """What the run recorded of its journal, against what is there."""
    if seq != run.head_seq:
        yield Fault(seq + 1, "journal", f"{seq} entries are there, the run recorded {run.head_seq}")
    elif head != run.head_hash:
        yield Fault(seq, "heads", f"hash is {run.head_hash.hex()}, the chain ends in {head.hex()}")
    elif [ts for ts in (run.first_ts, run.last_ts) if ts is not None] != span[:1] + span[-1:]:
        yield Fault(seq, "heads", f"first_ts or last_ts was changed: {run.first_ts}, {run.last_ts}")


class _Kept:
    """The rows of one read model, in order, and the one that comes next."""

    def __init__(self, model: Model, rows: Iterator[Row[Any]]) -> None:
        self.names = model.kind.__struct_fields__
        self._rows = rows
        self.next = next(rows, None)

    def pop(self) -> None:
        """Go on to the next row."""
        self.next = next(self._rows, None)

    def before(self, key: tuple[int, int]) -> Iterator[int]:
        """Entries of the rows before `key`, which the journal does not know."""
        while self.next is not None and tuple(self.next[:2]) < key:
            yield self.next[0]
            self.pop()


def _compare(models: dict[str, _Kept], seq: int, event: Event, records: Sequence[Record]) -> Iterator[Fault]:
    """Faults of the read-model rows up to and including this entry's."""
    for name, pos, values in model_rows(event, records):
        kept = models[name]
        for extra in kept.before((seq, pos)):
            yield Fault(extra, name, "a row that the journal does not have")
        if kept.next is None or tuple(kept.next[:2]) != (seq, pos):
            yield Fault(seq, name, "the row is missing")
            continue
        for column, kept_value, value in zip(kept.names, tuple(kept.next)[2:], values, strict=True):
            if kept_value != value:
                yield Fault(seq, name, f"{column} is {kept_value!r}, the journal says {value!r}")
        kept.pop()


def _left_over(models: dict[str, _Kept], entries: int) -> Iterator[Fault]:
    for name, kept in models.items():
        for extra in kept.before((entries + 1, 0)):
            yield Fault(extra, name, "a row that the journal does not have")
        if kept.next is not None:
            yield Fault(kept.next[0], name, "a row of an entry that the journal does not have")
