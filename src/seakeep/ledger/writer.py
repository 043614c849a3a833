"""The hot path of the journal: entries gathered in memory, then written in one durable transaction.

It speaks to the DBAPI connection beneath SQLAlchemy: SQLAlchemy's execute costs as much as the sync itself when an
order and its fill are committed alone (benchmarks/durability.py), and a journal only ever inserts.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Engine

from seakeep.core.errors import IntegrityError
from seakeep.core.events import Event, Record
from seakeep.ledger.codec import chain_hash, encode, kind_of
from seakeep.ledger.db import explained
from seakeep.ledger.runs import RunInfo
from seakeep.ledger.tables import JOURNAL, MODELS, entry_id, model_rows

__all__ = ["ChainWriter"]

_GROUP = 500
"""Entries gathered before a commit is made unasked, so that a quiet stretch is not lost."""
_ADVANCE = (
    "UPDATE heads SET first_ts = coalesce(first_ts, ?), last_ts = ?, seq = ?, hash = ?"
    " WHERE number = ? AND seq = ? AND hash = ?"
)
"""Moves a run's head from where it was."""


class ChainWriter:
    """Appends to one run, from its recorded head on; the only writer there is."""

    def __init__(self, engine: Engine, connection: Any, run: RunInfo) -> None:
        self.run_id, self._number = run.run_id, run.number
        self._engine = engine
        self._connection, self._cursor = connection, connection.cursor()
        sqlite = engine.dialect.name == "sqlite"
        self._begin, self._advance = ("BEGIN IMMEDIATE", _ADVANCE) if sqlite else ("", _ADVANCE.replace("?", "%s"))
        tables = (JOURNAL, *(model.table for model in MODELS.values()))
        self._inserts = {t.name: str(t.insert().compile(dialect=engine.dialect)) for t in tables}
        self._kept = self._head = (run.head_seq, run.head_hash)
        self._pending: dict[str, list[tuple[Any, ...]]] = {name: [] for name in self._inserts}

    def append(self, event: Event, records: Sequence[Record]) -> None:
        """Chain an entry to the last one; durable after the next commit. Raises: LedgerError, and nothing is kept."""
        payload = encode(event, records)
        seq, previous = self._head[0] + 1, self._head[1]
        digest = chain_hash(self.run_id, seq, previous, payload)
        rows = list(model_rows(event, records))
        self._head = (seq, digest)
        entries = self._pending["journal"]
        key = entry_id(self._number, seq)
        entries.append((key, event.ts, kind_of(event), payload, previous, digest))
        for name, pos, values in rows:
            self._pending[name].append((key, pos, *values))
        if len(entries) >= _GROUP:
            self.commit()

    def commit(self) -> None:
        """Make every entry durable, all or none; after a failure they are kept in memory for another try."""
        entries = self._pending["journal"]
        if not entries:
            return
        try:
            self._insert(self._cursor, entries)
            self._connection.commit()
        except BaseException:
            with explained(self._engine):
                self._connection.rollback()
                raise
        self._kept = self._head
        for rows in self._pending.values():
            rows.clear()

    def _insert(self, cursor: Any, entries: list[tuple[Any, ...]]) -> None:
        if self._begin:
            cursor.execute(self._begin)
        self._move_head(cursor, entries)
        for name, rows in self._pending.items():
            if rows:
                cursor.executemany(self._inserts[name], rows)

    def _move_head(self, cursor: Any, entries: list[tuple[Any, ...]]) -> None:
        """Advance the run's recorded head, which must be where we left it."""
        to = (entries[0][1], entries[-1][1], *self._head)
        cursor.execute(self._advance, (*to, self._number, *self._kept))
        if cursor.rowcount != 1:
            raise IntegrityError(
                f"run {self.run_id} is no longer at entry {self._kept[0]}: somebody else changed it",
                remedy="run `seakeep ledger verify`",
            )
