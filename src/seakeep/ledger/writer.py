"""The hot path of the journal: entries gathered in memory, then written in one durable transaction.

It speaks to the DBAPI connection beneath SQLAlchemy: SQLAlchemy's execute costs as much as the sync itself when an
order and its fill are committed alone (benchmarks/durability.py), and a journal only ever inserts.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, Engine, and_, bindparam, func, update

from seakeep.core.errors import IntegrityError
from seakeep.core.events import Event, Record
from seakeep.ledger.codec import chain_hash, encode, kind_of
from seakeep.ledger.db import explained
from seakeep.ledger.runs import RunInfo
from seakeep.ledger.tables import HEADS, JOURNAL, MODELS, entry_id, model_rows

__all__ = ["ChainWriter"]

_GROUP = 500
"""Entries gathered before a commit is made unasked, so that a quiet stretch is not lost."""


class ChainWriter:
    """Appends to one run, from its recorded head on; the only writer there is."""

    def __init__(self, engine: Engine, connection: Any, run: RunInfo) -> None:
        self.run_id, self._number = run.run_id, run.number
        self._engine = engine
        self._connection, self._cursor = connection, connection.cursor()
        self._begin = "BEGIN IMMEDIATE" if engine.dialect.name == "sqlite" else ""
        tables = (JOURNAL, *(model.table for model in MODELS.values()))
        self._inserts = {t.name: str(t.insert().compile(dialect=engine.dialect)) for t in tables}
        self._advance, self._advance_order = _advance(engine)
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
        values = {
            "to_first_ts": entries[0][1],
            "to_last_ts": entries[-1][1],
            "to_seq": self._head[0],
            "to_hash": self._head[1],
            "run": self._number,
            "at_seq": self._kept[0],
            "at_hash": self._kept[1],
        }
        cursor.execute(self._advance, [values[name] for name in self._advance_order])
        if cursor.rowcount != 1:
            raise IntegrityError(
                f"run {self.run_id} is no longer at entry {self._kept[0]}: somebody else changed it",
                remedy="run `seakeep ledger verify`",
            )


def _advance(engine: Engine) -> tuple[str, Sequence[str]]:
    """The statement that moves a run's head from where it was, and the order of its parameters."""
    ts = bindparam("to_first_ts", type_=BigInteger)
    there = and_(
        HEADS.c.number == bindparam("run"), HEADS.c.seq == bindparam("at_seq"), HEADS.c.hash == bindparam("at_hash")
    )
    moved = (
        update(HEADS)
        .where(there)
        .values(
            first_ts=func.coalesce(HEADS.c.first_ts, ts),
            last_ts=bindparam("to_last_ts"),
            seq=bindparam("to_seq"),
            hash=bindparam("to_hash"),
        )
    )
    compiled = moved.compile(dialect=engine.dialect)
    return str(compiled), compiled.positiontup or ()
