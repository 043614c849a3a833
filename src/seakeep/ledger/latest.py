"""The newest of a run, read without the rest: snapshot, verdicts, what the curve gained, and who writes it now."""

import fcntl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Engine, text

from seakeep.core.errors import IntegrityError
from seakeep.core.verdicts import RiskSnapshot, RiskVerdict
from seakeep.ledger.db import reading
from seakeep.ledger.runs import find_run
from seakeep.ledger.tables import MODELS, of_run

__all__ = ["equity_curve", "latest_snapshot", "latest_verdicts", "writing_process"]

_LOCKS = 0x5EA
"""First half of the ledger's advisory locks, as `ledger.db` takes them."""
_LOCKED = """
SELECT a.pid FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.classid = :locks AND l.objid = hashtext(:run)::oid
"""


def latest_snapshot(engine: Engine, run_id: str) -> tuple[int, RiskSnapshot] | None:
    """Entry and content of a run's newest snapshot; None if it has none yet. Raises: LedgerError, IntegrityError."""
    return next(_newest(engine, run_id, "equity", {}, 1), None)


def latest_verdicts(
    engine: Engine, run_id: str, chosen: Mapping[str, str | None], limit: int
) -> tuple[RiskVerdict, ...]:
    """The newest verdicts whose columns (symbol, decision_id, outcome) are as `chosen`, newest first; None is any."""
    return tuple(verdict for _, verdict in _newest(engine, run_id, "verdicts", chosen, limit))


def equity_curve(engine: Engine, run_id: str, after: int | None = None) -> tuple[tuple[int, float], ...]:
    """(ts, equity) of a run's snapshots after an instant, oldest first. Raises: LedgerError for an unknown run."""
    table = MODELS["equity"].table
    with reading(engine) as connection:
        query = of_run(table, find_run(connection, run_id).number).with_only_columns(table.c.ts, table.c.equity)
        rows = connection.execute(query if after is None else query.where(table.c.ts > after)).all()
    return tuple((row.ts, row.equity) for row in rows)


def _newest(
    engine: Engine, run_id: str, name: str, chosen: Mapping[str, str | None], limit: int
) -> Iterator[tuple[int, Any]]:
    model = MODELS[name]
    with reading(engine) as connection:
        query = of_run(model.table, find_run(connection, run_id).number)
        query = query.where(*(model.table.c[key] == value for key, value in chosen.items() if value is not None))
        down = query.order_by(None).order_by(model.table.c.entry.desc(), model.table.c.pos.desc()).limit(limit)
        rows = connection.execute(down).all()
    try:
        yield from ((int(row[0]), model.read(row[2:])) for row in rows)
    except msgspec.MsgspecError as error:
        what = f"a row of {name} cannot be read: {error}"
        raise IntegrityError(what, remedy="run `seakeep ledger verify`") from error


def writing_process(engine: Engine, run_id: str) -> str | None:
    """Which process writes this run (or, in SQLite, this file) now; None if none does."""
    if engine.dialect.name == "postgresql":
        with reading(engine) as connection:
            pid = connection.execute(text(_LOCKED), {"run": run_id, "locks": _LOCKS}).scalar()
        return None if pid is None else f"server process {pid}"
    lock = Path(f"{engine.url.database}.lock")
    if not lock.exists():
        return None
    with lock.open() as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return f"process {stream.read().strip() or 'unknown'}"
    return None
