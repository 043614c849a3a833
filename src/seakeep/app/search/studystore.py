"""Stored studies: one SQLite file each in `studies/` of the user folder, with every candidate that was evaluated.

A candidate is committed with the returns it gave before the next one is tried, so a study that was cut off, by kill -9
too, goes on where it was. Who opens a study holds it: a second process is refused.
"""

import fcntl
import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import msgspec
import numpy as np

from seakeep.backtest.search.walkforward import Params
from seakeep.core.errors import ConfigError, DataError
from seakeep.core.market import Float64
from seakeep.data.sqlitefile import SqliteFile

__all__ = ["Candidate", "StudyStore", "checked_name", "open_study"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_STUDY = SqliteFile(
    what="a study",
    application=0x5EA9,
    tables="""
CREATE TABLE about (id INTEGER PRIMARY KEY CHECK (id = 1), text TEXT NOT NULL) STRICT;
CREATE TABLE candidates (
    params TEXT PRIMARY KEY, fills INTEGER NOT NULL, drawdown REAL, turnover REAL, pruned INTEGER NOT NULL,
    days BLOB NOT NULL
) STRICT;
""",
)
_REMEDY = "move the file away, or name another --study"


class Candidate(msgspec.Struct, frozen=True):
    """An evaluated set of parameters: fills, largest loss from a peak, turnover a year, and returns by day as bytes.

    A pruned one was given up half-way: its returns are those until then.
    """

    params: Params
    fills: int
    drawdown: float
    turnover: float
    days: bytes
    pruned: bool = False

    @property
    def returns(self) -> Float64:
        """Daily returns (d,), kept in single precision."""
        return np.frombuffer(self.days, "<f4").astype(np.float64)


def written(params: Params) -> str:
    """Parameters as text, in one order."""
    return msgspec.json.encode(dict(params), order="sorted").decode()


def checked_name(name: str) -> str:
    """A name that is a file name and nothing else. Raises: ConfigError."""
    if not _NAME.fullmatch(name):
        raise ConfigError("not a name of a study", value=name, remedy="use letters, digits, . _ and -, at most 64")
    return name


class StudyStore:
    """An open study."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path, self._connection = path, connection

    def agree(self, about: Mapping[str, object]) -> None:
        """Hold the study to what it is about, or begin it. Raises: ConfigError naming what differs."""
        row = self._connection.execute("SELECT text FROM about").fetchone()
        if row is None:
            with self._connection:
                text = msgspec.json.encode(about, order="sorted").decode()
                self._connection.execute("INSERT INTO about VALUES (1, ?)", (text,))
            return
        kept = msgspec.json.decode(row[0])
        now = msgspec.json.decode(msgspec.json.encode(about))
        differing = [name for name in sorted(kept.keys() | now.keys()) if kept.get(name) != now.get(name)]
        if differing:
            what = f"the study {self.path.stem} is of another {', another '.join(differing)}"
            raise ConfigError(what, remedy="name another with --study, or leave --study out")

    def candidates(self) -> dict[str, Candidate]:
        """Every candidate by its parameters as text, in the order of evaluation."""
        rows = self._connection.execute("SELECT * FROM candidates ORDER BY rowid")
        return {text: _candidate(text, *rest) for text, *rest in rows}

    def keep(self, found: Sequence[Candidate]) -> None:
        """Commit these candidates."""
        rows = [(written(c.params), c.fills, c.drawdown, c.turnover, int(c.pruned), c.days) for c in found]
        with self._connection:
            self._connection.executemany("INSERT OR IGNORE INTO candidates VALUES (?, ?, ?, ?, ?, ?)", rows)


def _candidate(
    text: str, fills: int, drawdown: float | None, turnover: float | None, pruned: int, days: bytes
) -> Candidate:
    known = [np.nan if value is None else value for value in (drawdown, turnover)]
    return Candidate(msgspec.json.decode(text), fills, known[0], known[1], days, bool(pruned))


@contextmanager
def open_study(folder: Path, name: str) -> Iterator[StudyStore]:
    """Open or begin the study of that name, for this process alone.

    Raises: ConfigError if the name is none or another process has it; DataError if the file is no study or cannot be
    written.
    """
    path = folder / f"{checked_name(name)}.db"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f".{name}.lock").open("w") as lock:
            _lock(lock, name)
            connection = sqlite3.connect(path, timeout=60)
            try:
                _prepare(connection)
                yield StudyStore(path, connection)
            finally:
                connection.close()
    except (sqlite3.Error, OSError) as error:
        raise DataError(f"the study {path}: {error}", remedy=_REMEDY) from error


def _lock(file: IO[str], name: str) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ConfigError("another process works on this study", value=name, remedy="wait, or name another") from None


def _prepare(connection: sqlite3.Connection) -> None:
    if not _STUDY.holds(connection):
        connection.execute("BEGIN IMMEDIATE")
        _STUDY.create(connection)
        connection.execute("COMMIT")
