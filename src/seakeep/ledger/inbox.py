"""The inbox of a run: what people ask of it while it trades, kept in order until its journal takes it over.

A control counts from the moment `post` returns: it is durable, and the loop that writes the run finds it before its
next slice. The journal is the truth of what took effect; since it takes controls over in their order, how many it holds
says which comes next, and a process that is killed in between loses none and repeats none.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

import msgspec
from sqlalchemy import Connection, Engine, func, select, text

from seakeep.core.errors import ConfigError, IntegrityError
from seakeep.core.events import Control
from seakeep.ledger.codec import decode
from seakeep.ledger.db import explained, reading
from seakeep.ledger.runs import find_run
from seakeep.ledger.tables import AUDIT, CONTROLS, JOURNAL, RUNS, of_run

__all__ = ["Audited", "Posted", "Sender", "Watch", "audit", "audited", "journaled", "post", "posted"]

_NEW = "SELECT seq, control FROM controls WHERE number = ? AND seq > ? ORDER BY seq"


class Sender(msgspec.Struct, frozen=True):
    """Who asks, under which key (the same key is the same request), and when (UTC milliseconds)."""

    who: str
    key: str
    ts: int


class Posted(msgspec.Struct, frozen=True):
    """A control in the inbox: its place in the run's order, and who put it there. `control.ts` is when it was asked."""

    seq: int
    who: str
    key: str
    control: Control


class Audited(msgspec.Struct, frozen=True):
    """One request that changed something or tried to: `what` it was, the SHA-256 of its body, the status it got."""

    ts: int
    request: str
    who: str
    what: str
    body: str
    status: int


def post(engine: Engine, run_id: str, control: Control, sender: Sender, request: Audited | None = None) -> Posted:
    """Put a control, and the audit of the request that brought it, into the inbox; durable on return.

    Sent twice under one key it is there once, and the first is returned.
    Raises: ConfigError if the key was used for another control; LedgerError for an unknown run.
    """
    with _writing(engine) as connection:
        number = find_run(connection, run_id).number
        connection.execute(select(RUNS.c.number).where(RUNS.c.number == number).with_for_update())
        kept = _kept(connection, sender)
        new = Posted(_last(connection, number) + 1, sender.who, sender.key, control)
        fits = kept is None or (kept[0] == number and _same(kept[1].control, control))
        if request is not None:
            _audit(connection, request if fits else msgspec.structs.replace(request, status=422))
        if kept is None:
            row = {"number": number, "seq": new.seq, "posted": sender.ts, "who": sender.who, "key": sender.key}
            connection.execute(CONTROLS.insert().values(**row, control=msgspec.json.encode(control)))
    if not fits:
        remedy = "use a new key for a new request"
        raise ConfigError("this key was used for another request", value=sender.key, remedy=remedy)
    return new if kept is None else kept[1]


def _kept(connection: Connection, sender: Sender) -> tuple[int, Posted] | None:
    """What came under this key before: the run's number, and the control."""
    mine = CONTROLS.c.who == sender.who, CONTROLS.c.key == sender.key
    row = connection.execute(select(CONTROLS).where(*mine)).one_or_none()
    return None if row is None else (row.number, Posted(row.seq, row.who, row.key, _control(row.seq, row.control)))


def _same(kept: Control, control: Control) -> bool:
    """Whether they ask the same, whenever that was."""
    return msgspec.structs.replace(kept, ts=control.ts) == control


def posted(engine: Engine, run_id: str, after: int = 0) -> tuple[Posted, ...]:
    """The controls of a run after the first `after`, in order. Raises: LedgerError for an unknown run."""
    with reading(engine) as connection:
        mine = CONTROLS.c.number == find_run(connection, run_id).number, CONTROLS.c.seq > after
        rows = connection.execute(select(CONTROLS).where(*mine).order_by(CONTROLS.c.seq)).all()
    return tuple(Posted(row.seq, row.who, row.key, _control(row.seq, row.control)) for row in rows)


def journaled(engine: Engine, run_id: str, after_seq: int = 0) -> tuple[tuple[int, Control], ...]:
    """(entry, control) of every control a run's journal holds after an entry. Raises: LedgerError, IntegrityError."""
    with reading(engine) as connection:
        run = find_run(connection, run_id)
        rows = connection.execute(of_run(JOURNAL, run.number, after_seq).where(text("kind = 'control'"))).all()
    events = ((row.seq, decode(row.seq, row.payload)[0]) for row in rows)
    return tuple((seq, event) for seq, event in events if isinstance(event, Control))


def audit(engine: Engine, request: Audited) -> None:
    """Keep one request; durable on return. Raises: LedgerError."""
    with _writing(engine) as connection:
        _audit(connection, request)


def audited(engine: Engine, limit: int = 100) -> tuple[Audited, ...]:
    """The newest requests that changed something or tried to, newest first."""
    with reading(engine) as connection:
        rows = connection.execute(select(AUDIT).order_by(AUDIT.c.number.desc()).limit(limit)).all()
    return tuple(Audited(*row[1:]) for row in rows)


class Watch:
    """The open eye of the trading loop on one run's inbox; `taken` controls are in the journal already."""

    def __init__(self, engine: Engine, run_id: str) -> None:
        self._engine, self.taken = engine, 0
        with reading(engine) as connection:
            self._number = find_run(connection, run_id).number
        sqlite = engine.dialect.name == "sqlite"
        self._query = _NEW if sqlite else _NEW.replace("?", "%s")
        with explained(engine):
            self._pooled = engine.raw_connection()
            driver: Any = self._pooled.driver_connection
            if not sqlite:
                driver.autocommit = True
            self._cursor = driver.cursor()

    def new(self) -> tuple[Control, ...]:
        """What came since the last time, in order. Raises: LedgerError; IntegrityError if one is missing."""
        with explained(self._engine):
            self._cursor.execute(self._query, (self._number, self.taken))
            rows = self._cursor.fetchall()
        for seq, _ in rows:
            if seq != self.taken + 1:
                raise IntegrityError(f"control {self.taken + 1} is missing from the inbox", remedy="restore the ledger")
            self.taken = seq
        return tuple(_control(seq, bytes(kept)) for seq, kept in rows)

    def close(self) -> None:
        """Let go of the connection."""
        self._pooled.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@contextmanager
def _writing(engine: Engine) -> Iterator[Connection]:
    """A short transaction beside the writer of the journal, which waits for it no longer than for a disk."""
    options = engine.connect().execution_options(begin="BEGIN IMMEDIATE")
    with explained(engine), options as connection, connection.begin():
        yield connection


def _audit(connection: Connection, request: Audited) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("LOCK TABLE audit IN SHARE ROW EXCLUSIVE MODE")
    values = dict(zip(request.__struct_fields__, msgspec.structs.astuple(request), strict=True))
    last = connection.execute(select(func.coalesce(func.max(AUDIT.c.number), 0))).scalar_one()
    connection.execute(AUDIT.insert().values(number=last + 1, **values))


def _last(connection: Connection, number: int) -> int:
    query = select(func.coalesce(func.max(CONTROLS.c.seq), 0)).where(CONTROLS.c.number == number)
    return int(connection.execute(query).scalar_one())


def _control(seq: int, kept: bytes) -> Control:
    try:
        return msgspec.json.decode(kept, type=Control)
    except msgspec.MsgspecError as error:
        raise IntegrityError(f"control {seq} of the inbox cannot be read: {error}") from error
