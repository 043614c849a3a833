"""The ledger: runs, each an append-only hash-chained journal of events and what they caused."""

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Engine, func, select

from seakeep.core.errors import IntegrityError, LedgerError
from seakeep.core.events import Event, Record
from seakeep.ledger.codec import Entry, decode, encode, genesis
from seakeep.ledger.db import explained, open_engine, reading, sole_writer
from seakeep.ledger.runs import RunInfo, find_run, list_runs
from seakeep.ledger.tables import HEADS, JOURNAL, RUNS, of_run
from seakeep.ledger.verify import VerifyReport, verify
from seakeep.ledger.writer import ChainWriter

__all__ = ["Ledger"]

_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,99}")
_PAGE = 1_000


class Ledger:
    """A `core.ports.Journal` on SQLite or PostgreSQL, and the way to read what it keeps.

    `with Ledger.open("user_data/ledger.db") as ledger: ledger.start_run("r1", "{}")`, then `write` and `commit`.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._writer: ChainWriter | None = None
        self._connection: Any = None
        self._held = ExitStack()
        self._kept: Iterator[tuple[int, bytes]] = iter(())

    @classmethod
    def open(cls, location: str | Path, *, readonly: bool = False) -> Self:
        """Open a file or a database URL; unless `readonly`, create it. Raises: LedgerError, ConfigError."""
        return cls(open_engine(location, readonly=readonly))

    def start_run(self, run_id: str, config_json: str = "{}") -> Self:
        """Begin a run, durable at once; or go on with the one of that name, whose first configuration stays.

        Raises: LedgerError if it is no name for a run, or another process writes.
        """
        if not _RUN_ID.fullmatch(run_id):
            remedy = "use letters, digits, dot, colon, dash, underscore; at most 100"
            raise LedgerError("not a run id", value=run_id, remedy=remedy)
        if any(run.run_id == run_id for run in self.runs()):
            return self.resume(run_id)
        with self._writing(run_id):
            self._take_up(self._insert_run(run_id, config_json))
        return self

    def resume(self, run_id: str, *, after_seq: int | None = None) -> Self:
        """Go on with a run, after its last entry.

        With `after_seq` the run is written again from there: what is already kept is compared, not written twice, and
        an entry that differs is an IntegrityError naming it.

        Raises: LedgerError if there is no such run or another process writes.
        """
        with self._writing(run_id):
            run = self.run(run_id)
            self._check_head(run)
            if after_seq is not None and not 0 <= after_seq <= run.head_seq:
                raise LedgerError(f"run {run_id} has entries 1 to {run.head_seq}", value=after_seq)
            self._take_up(run)
            self._kept = iter(()) if after_seq is None else self._payloads(run, after_seq)
        return self

    def write(self, event: Event, records: Sequence[Record]) -> None:
        """Append one entry to the run; durable after `commit`.

        Raises: LedgerError if it cannot be kept; IntegrityError if another content is already kept in its place.
        """
        if self._writer is None:
            raise LedgerError("no run is being written", remedy="call start_run or resume first")
        kept = next(self._kept, None)
        if kept is None:
            self._writer.append(event, records)
        elif kept[1] != encode(event, records):
            remedy = "run it with the configuration, data and release it was made with"
            raise IntegrityError(
                f"entry {kept[0]} of run {self._writer.run_id} is already kept, with other content", remedy=remedy
            )

    def commit(self) -> None:
        """Make everything written durable. Raises: LedgerError; then nothing is, and it can be tried again."""
        if self._writer is not None:
            self._writer.commit()

    def close(self) -> None:
        """Commit, and let another process write."""
        try:
            self.commit()
        finally:
            self._writer = None
            self._held.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def runs(self) -> tuple[RunInfo, ...]:
        """Every run, in the order they were started."""
        with reading(self.engine) as connection:
            return list_runs(connection)

    def run(self, run_id: str) -> RunInfo:
        """One run. Raises: LedgerError naming the nearest there are."""
        with reading(self.engine) as connection:
            return find_run(connection, run_id)

    def entries(self, run_id: str, after_seq: int = 0) -> Iterator[Entry]:
        """(seq, event, records) of every entry after `after_seq` that is durable when this is called, in order.

        Raises: LedgerError for an unknown run; IntegrityError naming an entry that cannot be read.
        """
        kept = self._payloads(self.run(run_id), after_seq)
        return ((seq, *decode(seq, payload)) for seq, payload in kept)

    def last(self, run_id: str) -> Entry | None:
        """The newest durable entry of a run; None if it has none."""
        return next(self.entries(run_id, self.run(run_id).head_seq - 1), None)

    def verify(self, run_id: str) -> VerifyReport:
        """Check a run from its first entry to its recorded head: see `seakeep.ledger.verify`."""
        return verify(self.engine, run_id)

    def _payloads(self, run: RunInfo, after_seq: int) -> Iterator[tuple[int, bytes]]:
        """Page by page, so that a slow reader holds no transaction open."""
        while after_seq < run.head_seq:
            query = of_run(JOURNAL, run.number, after_seq).limit(min(_PAGE, run.head_seq - after_seq))
            with reading(self.engine) as connection:
                page = connection.execute(query).all()
            yield from ((row.seq, row.payload) for row in page)
            after_seq = page[-1].seq if page else run.head_seq

    @contextmanager
    def _writing(self, run_id: str) -> Iterator[None]:
        """Become the only writer; stay it unless what follows fails."""
        self.close()
        self._connection = self._held.enter_context(sole_writer(self.engine, run_id))
        try:
            with explained(self.engine):
                yield
        except BaseException:
            self._held.close()
            raise

    def _insert_run(self, run_id: str, config_json: str) -> RunInfo:
        with self.engine.connect().execution_options(begin="BEGIN IMMEDIATE") as connection, connection.begin():
            number = connection.execute(select(func.coalesce(func.max(RUNS.c.number), 0) + 1)).scalar_one()
            run = RunInfo(number, run_id, config_json, None, None, 0, genesis(run_id, config_json))
            connection.execute(RUNS.insert().values(number=number, run_id=run_id, config=config_json))
            connection.execute(HEADS.insert().values(number=number, seq=0, hash=run.head_hash))
        return run

    def _check_head(self, run: RunInfo) -> None:
        with reading(self.engine) as connection:
            query = of_run(JOURNAL, run.number).order_by(None).order_by(JOURNAL.c.entry.desc()).limit(1)
            last = connection.execute(query).one_or_none()
        there = (0, genesis(run.run_id, run.config)) if last is None else (last.seq, last.hash)
        if there != (run.head_seq, run.head_hash):
            what = f"run {run.run_id} recorded entry {run.head_seq} as its last, the journal ends with {there[0]}"
            raise IntegrityError(what, remedy="run `seakeep ledger verify`; restore the ledger from a copy")

    def _take_up(self, run: RunInfo) -> None:
        self._kept = iter(())
        self._writer = ChainWriter(self.engine, self._connection, run)
