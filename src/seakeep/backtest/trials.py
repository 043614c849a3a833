"""The trial ledger: every evaluation of a strategy on history, counted once, kept for good.

One SQLite file in the user folder. An evaluation is a strategy, its parameters, the bars and the returns they gave;
the same one again is not counted again. Rows are only ever added (the file itself refuses anything else), a commit is
on the disk when `record` returns, and any number of processes may record at the same time.

Each row keeps its returns by day, in single precision, to tell new ideas from copies of an old one: a row joins the
first earlier idea whose days correlate with its own by `COPIES` or more.
"""

import hashlib
import math
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from seakeep.core.errors import LedgerError
from seakeep.core.market import Float64, Int64
from seakeep.core.units import DAY_MS, YEAR_MS, interval_ms
from seakeep.data.sqlitefile import SqliteFile
from seakeep.stats.overfitting import COPIES, Search, SharpeSample, sharpe_sample

__all__ = ["Evaluation", "Param", "Scope", "Trial", "TrialLedger", "evaluation", "tallied"]

Param = int | float | bool | str

COMMON_DAYS = 60
"""Fewer common days cannot tell a copy from chance: the evaluation counts as an idea of its own."""

_LEDGER = SqliteFile(
    what="a trial ledger",
    application=0x5EA7,
    tables="""
CREATE TABLE trials (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    recorded TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')),
    source TEXT NOT NULL, study TEXT NOT NULL,
    strategy TEXT NOT NULL, params TEXT NOT NULL,
    symbols TEXT NOT NULL, interval TEXT NOT NULL, data TEXT NOT NULL,
    start INTEGER NOT NULL, stop INTEGER NOT NULL,
    n INTEGER NOT NULL, ratio REAL, skew REAL, kurtosis REAL,
    digest TEXT NOT NULL, day INTEGER NOT NULL, days INTEGER NOT NULL, sketch BLOB NOT NULL,
    leader INTEGER NOT NULL
) STRICT;
CREATE INDEX leaders ON trials (day) WHERE id = leader;
CREATE TRIGGER kept_as_is BEFORE UPDATE ON trials BEGIN SELECT RAISE(ABORT, 'trials are only added'); END;
CREATE TRIGGER kept_for_good BEFORE DELETE ON trials BEGIN SELECT RAISE(ABORT, 'trials are only added'); END;
""",
)
_INSERT = """INSERT INTO trials (id, key, source, study, strategy, params, symbols, interval, data, start, stop,
    n, ratio, skew, kurtosis, digest, day, days, sketch, leader)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""

_BESIDE = """SELECT symbols, day, sketch FROM trials
    WHERE key <> ? AND (? = '' OR study <> ?) AND day <= ? AND day + days >= ? ORDER BY id"""

_SHOWN = "id, recorded, source, study, strategy, params, symbols, interval, start, stop, n, ratio, leader"


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """One strategy with one set of parameters on one piece of history, and what it earned.

    `data` names the bars by content; [start, stop] are the first and last instant of the returns (UTC ms); `sample` is
    their Sharpe ratio per bar; `digest` tells one series of returns from another; `sketch` holds them by day from `day`
    on, and is empty where only the sample is known. `study` is the nested study the evaluation was made inside of.
    """

    strategy: str
    params: Mapping[str, Param]
    symbols: tuple[str, ...]
    interval: str
    data: str
    start: int
    stop: int
    sample: SharpeSample
    digest: str
    day: int = 0
    sketch: bytes = b""
    source: str = "api"
    study: str = ""

    @property
    def key(self) -> str:
        """What makes it this evaluation and no other; who asked for it, and when, is not part of it."""
        parts = (self.strategy, self.written, sorted(self.symbols), self.interval, self.data, self.start, self.stop)
        return hashlib.sha256(msgspec.json.encode((*parts, self.digest))).hexdigest()

    @property
    def written(self) -> str:
        """The parameters as text, in one order."""
        return msgspec.json.encode(dict(self.params), order="sorted").decode()


def evaluation(
    strategy: str,
    params: Mapping[str, Param],
    bars: tuple[Sequence[str], str, str],
    ts: Int64,
    returns: Float64,
    *,
    study: str = "",
    source: str = "api",
) -> Evaluation:
    """An evaluation from its returns (n,) and the instants they were known at, `ts` (n,), ascending UTC ms.

    `bars` is (symbols, interval, content hash). Raises: ValueError if there are no returns, if one is no finite number
    or if times do not ascend.
    """
    if not len(ts) or ts.shape != returns.shape or (np.diff(ts) <= 0).any():
        raise ValueError(f"need returns at ascending times, got {returns.shape} at {ts.shape}")
    day = (ts - 1) // DAY_MS
    sums = np.bincount(day - day[0], weights=returns).astype(np.float64)
    told = (int(ts[0]), int(ts[-1]), sharpe_sample(returns), int(day[0]), sums)
    return tallied(strategy, params, bars, told, study=study, source=source)


def tallied(
    strategy: str,
    params: Mapping[str, Param],
    bars: tuple[Sequence[str], str, str],
    told: tuple[int, int, SharpeSample, int, Float64],
    *,
    study: str = "",
    source: str = "api",
) -> Evaluation:
    """An evaluation from what its returns add up to.

    `told` are the first and last instant of the returns (UTC ms), their Sharpe sample, the first UTC day as a number
    of days since 1970, and the sums of returns by day (d,) from then on. Those sums are what tells one series of
    returns from another. Raises: ValueError for an interval that is none.
    """
    symbols, interval, data = bars
    interval_ms(interval)
    start, stop, sample, day, sums = told
    written = np.array([start, stop, sample.n], "<i8").tobytes() + sums.astype("<f8").tobytes()
    return Evaluation(
        strategy=strategy,
        params=params,
        symbols=tuple(symbols),
        interval=interval,
        data=data,
        start=start,
        stop=stop,
        sample=sample,
        digest=hashlib.sha256(written).hexdigest(),
        day=day,
        sketch=sums.astype("<f4").tobytes(),
        study=study,
        source=source,
    )


class Scope(msgspec.Struct, frozen=True):
    """Which trials a result is the best of: those that share a symbol and some time with it; empty is no limit.

    `besides` leaves out the inside of that nested study, whose choices were not made on what is judged.
    """

    symbols: tuple[str, ...] = ()
    start: int | None = None
    stop: int | None = None
    strategy: str = ""
    besides: str = ""


class Trial(msgspec.Struct, frozen=True):
    """A row of the ledger, its Sharpe ratio a year; NaN where it could not be estimated."""

    id: int
    recorded: str
    source: str
    study: str
    strategy: str
    params: str
    symbols: tuple[str, ...]
    interval: str
    start: int
    stop: int
    n: int
    sharpe: float
    idea: int


class TrialLedger:
    """The ledger in this file; it is made by the first `record`. Each call is one transaction of its own."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    def record(self, evaluations: Sequence[Evaluation]) -> int:
        """Add what is not there yet, all or nothing; returns how many were new. It is on the disk afterwards.

        Raises: LedgerError if the file cannot be written or is not a trial ledger.
        """
        with self._connected("BEGIN IMMEDIATE") as connection:
            if not _LEDGER.holds(connection):
                _LEDGER.create(connection)
            keyed = {e.key: e for e in evaluations}
            known = _known(connection, list(keyed))
            fresh = [e for key, e in keyed.items() if key not in known]
            if fresh:
                ideas = _Ideas(connection, min(e.day for e in fresh), max(_last_day(e) for e in fresh))
                (last,) = connection.execute("SELECT coalesce(max(id), 0) FROM trials").fetchone()
                rows = [_row(last + i, e, ideas.leader(last + i, e)) for i, e in enumerate(fresh, 1)]
                connection.executemany(_INSERT, rows)
        return len(fresh)

    def trials(self, scope: Scope | None = None) -> tuple[Trial, ...]:
        """The rows of that scope in the order they were recorded; none if there is no ledger yet.

        Raises: LedgerError if the file cannot be read.
        """
        if not self.path.exists():
            return ()
        wanted = scope or Scope()
        clauses = {
            "start <= ?": wanted.stop,
            "stop >= ?": wanted.start,
            "strategy = ?": wanted.strategy or None,
            "study <> ?": wanted.besides or None,
        }
        limits = {clause: value for clause, value in clauses.items() if value is not None}
        query = f"SELECT {_SHOWN} FROM trials WHERE {' AND '.join(['1', *limits])} ORDER BY id"  # noqa: S608
        with self._connected("BEGIN") as connection:
            if not _LEDGER.holds(connection):
                return ()
            found = [_trial(row) for row in connection.execute(query, tuple(limits.values()))]
        return tuple(t for t in found if not wanted.symbols or set(t.symbols) & set(wanted.symbols))

    def beside(self, own: Evaluation, besides: str = "") -> list[Float64]:
        """The returns (d,) by day of every other evaluation that lasts as long as this one and shares a symbol with it,
        on the days of this one, in the order they were recorded; the inside of the study `besides` is left out.

        Raises: LedgerError if the file cannot be read.
        """
        days = len(own.sketch) // 4
        if not days or not self.path.exists():
            return []
        with self._connected("BEGIN") as connection:
            if not _LEDGER.holds(connection):
                return []
            asked = (own.key, besides, besides, own.day, own.day + days)
            found = connection.execute(_BESIDE, asked).fetchall()
        shared = [row for row in found if set(row[0].split(",")) & set(own.symbols)]
        return [_days(sketch)[own.day - day :][:days] for _, day, sketch in shared]

    def search(self, scope: Scope | None = None) -> Search:
        """What was tried: evaluations, ideas, and the variance of their annual Sharpe ratios where known.

        A ledger with nothing in that scope is one trial: the result that is being judged.
        """
        return as_search(self.trials(scope))

    @contextmanager
    def _connected(self, begin: str) -> Iterator[sqlite3.Connection]:
        try:
            connection = sqlite3.connect(self.path, timeout=60, isolation_level=None)
            try:
                connection.execute("PRAGMA synchronous = EXTRA")
                connection.execute(begin)
                yield connection
                connection.execute("COMMIT")
            finally:
                connection.close()
        except sqlite3.Error as error:
            remedy = "it must be a writable trial ledger; move another file of that name away"
            raise LedgerError(f"the trial ledger {self.path}: {error}", remedy=remedy) from error


def as_search(trials: Sequence[Trial]) -> Search:
    """These trials as a search; see `TrialLedger.search`."""
    known = [trial.sharpe for trial in trials if math.isfinite(trial.sharpe)]
    variance = float(np.var(known, ddof=1)) if len(known) > 1 else 0.0
    return Search(max(1, len(trials)), float(max(1, len({trial.idea for trial in trials}))), variance)


class _Ideas:
    """The leaders whose days may overlap with what is recorded, together by first day and number of days."""

    def __init__(self, connection: sqlite3.Connection, first: int, last: int) -> None:
        self._blocks: dict[tuple[int, int], _Block] = {}
        query = "SELECT id, day, sketch FROM trials WHERE id = leader AND days > 0 AND day <= ? AND day + days > ?"
        for number, day, sketch in connection.execute(query, (last, first)):
            self._keep(number, day, _days(sketch))

    def leader(self, number: int, trial: Evaluation) -> int:
        """The idea this evaluation copies, or itself, which then becomes one."""
        own = _days(trial.sketch)
        found = [block.match(trial.day, own) for block in self._blocks.values()]
        first = min((idea for idea in found if idea), default=number)
        if first == number and len(own):
            self._keep(number, trial.day, own)
        return first

    def _keep(self, number: int, day: int, days: Float64) -> None:
        key = day, len(days)
        if key not in self._blocks:
            self._blocks[key] = _Block(*key)
        self._blocks[key].add(number, days)


class _Block:
    """Leaders over the same days: as they are, and centred with length 1, in tables that grow by doubling."""

    def __init__(self, day: int, length: int) -> None:
        self._day, self._length = day, length
        self._numbers: list[int] = []
        self._days, self._units = np.empty((8, length)), np.empty((8, length))

    def add(self, number: int, days: Float64) -> None:
        """Keep one more leader."""
        at = len(self._numbers)
        if at == len(self._days):
            self._days, self._units = (np.concatenate([table, table]) for table in (self._days, self._units))
        self._days[at], self._units[at] = days, _unit(days[None])[0]
        self._numbers.append(number)

    def match(self, day: int, own: Float64) -> int:
        """The first leader that `own`, from that day on, is a copy of, or 0."""
        begin, end = max(self._day, day), min(self._day + self._length, day + len(own))
        if end - begin < COMMON_DAYS:
            return 0
        count, whole = len(self._numbers), end - begin == self._length
        theirs = self._units[:count] if whole else _unit(self._days[:count, begin - self._day : end - self._day])
        mine = _unit(own[None, begin - day : end - day])[0]
        alike = theirs @ mine >= COPIES
        if not mine.any():
            alike = ~theirs.any(axis=1)
        return self._numbers[int(alike.argmax())] if alike.any() else 0


def _unit(rows: Float64) -> Float64:
    """Rows centred and of length 1; zero where they do not vary."""
    centred = rows - rows.mean(axis=1, keepdims=True)
    length = np.sqrt((centred * centred).sum(axis=1, keepdims=True))
    alive = length > 1e-6 * np.abs(rows).max(axis=1, keepdims=True, initial=0.0)
    return np.asarray(np.where(alive, centred / np.where(alive, length, 1.0), 0.0))


def _days(sketch: bytes) -> Float64:
    return np.frombuffer(sketch, "<f4").astype(np.float64)


def _last_day(trial: Evaluation) -> int:
    return trial.day + len(trial.sketch) // 4


def _row(number: int, e: Evaluation, leader: int) -> tuple[object, ...]:
    sample = (e.sample.n, *(_known_or_null(x) for x in (e.sample.ratio, e.sample.skew, e.sample.kurtosis)))
    where = (",".join(e.symbols), e.interval, e.data, e.start, e.stop)
    sketch = (e.digest, e.day, len(e.sketch) // 4, e.sketch)
    return (number, e.key, e.source, e.study, e.strategy, e.written, *where, *sample, *sketch, leader)


def _known_or_null(number: float) -> float | None:
    return number if math.isfinite(number) else None


def _trial(row: tuple[Any, ...]) -> Trial:
    *named, symbols, interval, start, stop, n, ratio, leader = row
    annual = math.nan if ratio is None else ratio * math.sqrt(YEAR_MS / interval_ms(interval))
    cells = [*named, tuple(symbols.split(",")), interval, start, stop, n, annual, leader]
    return Trial(*cells)


def _known(connection: sqlite3.Connection, keys: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for i in range(0, len(keys), 500):
        part = keys[i : i + 500]
        marks = ",".join("?" * len(part))
        found |= {key for (key,) in connection.execute(f"SELECT key FROM trials WHERE key IN ({marks})", part)}  # noqa: S608
    return found
