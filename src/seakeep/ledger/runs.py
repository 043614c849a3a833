"""The runs of a ledger: what each was started with, and how far its journal goes."""

import msgspec
from sqlalchemy import Connection, select

from seakeep.core.errors import LedgerError
from seakeep.core.registry import nearest
from seakeep.ledger.tables import HEADS, RUNS

__all__ = ["RunInfo", "find_run", "list_runs"]


class RunInfo(msgspec.Struct, frozen=True):
    """A run as the ledger lists it: `config` is the JSON it was started with, `head_hash` the chain's last hash."""

    number: int
    run_id: str
    config: str
    first_ts: int | None
    last_ts: int | None
    head_seq: int
    head_hash: bytes


def list_runs(connection: Connection) -> tuple[RunInfo, ...]:
    """Every run, in the order they were started."""
    heads = HEADS.c.first_ts, HEADS.c.last_ts, HEADS.c.seq, HEADS.c.hash
    query = select(RUNS, *heads).join(HEADS, HEADS.c.number == RUNS.c.number).order_by(RUNS.c.number)
    return tuple(RunInfo(*row) for row in connection.execute(query))


def find_run(connection: Connection, run_id: str) -> RunInfo:
    """One run. Raises: LedgerError naming the nearest there are."""
    found = {run.run_id: run for run in list_runs(connection)}
    if run_id not in found:
        remedy = nearest(run_id, list(found)) if found else "the ledger has no run yet"
        raise LedgerError("there is no run of that name", value=run_id, remedy=remedy)
    return found[run_id]
