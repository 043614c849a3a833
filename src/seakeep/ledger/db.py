"""Where a ledger is kept: a SQLite file by default, PostgreSQL by its URL; opened so that a commit is durable."""

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event, inspect, make_url, select
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, OperationalError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from seakeep.core.errors import ConfigError, IntegrityError, LedgerError
from seakeep.ledger.tables import META, METADATA, SCHEMA_VERSION

__all__ = ["explained", "ledger_url", "open_engine", "reading", "sole_writer"]

_POSTGRES = ("postgres", "postgresql", "postgresql+psycopg")
_LOCKS = 0x5EA
"""First half of our PostgreSQL advisory locks; the second is the hash of what is locked."""

_PAGE_BYTES = 2048
"""Of a new SQLite file. A commit logs whole pages, one a table, so small ones sync sooner; entries still fit three."""

_REMEDIES = (
    ("malformed", IntegrityError, "the file is damaged", "restore it from a copy"),
    ("Could not decode", IntegrityError, "a text column is damaged", "restore it from a copy"),
    ("not a database", LedgerError, "it is not a SQLite file", "name another file with --database-url"),
    ("readonly", LedgerError, "it may not be written", "give yourself write access to the file and its folder"),
    ("is full", LedgerError, "the disk is full; nothing of this commit was kept", "free some space and start again"),
    ("unable to open", LedgerError, "it cannot be opened", "check that the folder exists and may be written"),
    ("is locked", LedgerError, "another process holds it", "stop that process, or wait until it is done"),
)


def ledger_url(location: str | Path) -> URL:
    """A file path or a database URL in the form SQLAlchemy takes.

    >>> ledger_url("postgres://risk@db/books").drivername
    'postgresql+psycopg'

    Raises: ConfigError if it is neither a file, `sqlite:///file` nor `postgresql://...`.
    """
    scheme, separator, rest = str(location).partition("://")
    if not separator:
        return URL.create("sqlite", database=str(location))
    if scheme not in (*_POSTGRES, "sqlite"):
        remedy = "write sqlite:///FILE or postgresql://USER@HOST/NAME"
        raise ConfigError("ledger.url names a database we cannot use", value=scheme, remedy=remedy)
    try:
        url = make_url(f"postgresql+psycopg://{rest}" if scheme in _POSTGRES else f"sqlite://{rest}")
    except (ArgumentError, ValueError):
        raise ConfigError("ledger.url is not a URL", remedy="write postgresql://USER:PASSWORD@HOST:PORT/NAME") from None
    if scheme == "sqlite" and url.database in (None, "", ":memory:"):
        raise ConfigError("ledger.url names no file", value=str(location), remedy="write sqlite:///user_data/ledger.db")
    return url


def open_engine(location: str | Path, *, readonly: bool) -> Engine:
    """An engine on a ledger of our schema version; a writer creates what is not there, a reader never does.

    Raises: LedgerError if it cannot be opened, is not a ledger, or is of another version; ConfigError for a bad URL.
    """
    url = ledger_url(location)
    engine = _sqlite(url, readonly=readonly) if url.get_backend_name() == "sqlite" else _postgres(url)
    with explained(engine):
        if not readonly:
            _create(engine)
        _check_version(engine)
    return engine


def _sqlite(url: URL, *, readonly: bool) -> Engine:
    path = Path(str(url.database)).absolute()
    if readonly and not path.exists():
        remedy = "run `seakeep demo` or `seakeep trade` first, or name another with --userdir or --database-url"
        raise LedgerError(f"there is no ledger at {path}", remedy=remedy)
    if not readonly:
        _make_folder(path.parent)
    source = f"file:{quote(str(path))}?mode={_mode(path, readonly=readonly)}"

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(source, uri=True, timeout=10, isolation_level=None)
        if not readonly:
            connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
            connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA secure_delete = OFF")
        return connection

    engine = create_engine(url, creator=connect, poolclass=NullPool)
    event.listen(engine, "begin", _begin)
    return engine


def _mode(path: Path, *, readonly: bool) -> str:
    """SQLite's open mode; a closed ledger in a folder we may not write is read without its shared memory."""
    if not readonly:
        return "rwc"
    sealed = not os.access(path.parent, os.W_OK) and not Path(f"{path}-wal").exists()
    return "ro&immutable=1" if sealed else "ro"


def _begin(connection: Connection) -> None:
    """SQLAlchemy leaves BEGIN to the driver, and ours is in autocommit: say it here."""
    connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        remedy = "make it, or name another with --userdir"
        raise LedgerError(f"the ledger's folder {folder} cannot be made: {error.strerror}", remedy=remedy) from error


def _postgres(url: URL) -> Engine:
    if find_spec("psycopg") is None:
        raise ConfigError("a PostgreSQL ledger needs psycopg", remedy="pip install 'seakeep[postgres]'")
    name = f"seakeep pid {os.getpid()}"
    options = {"application_name": name, "connect_timeout": 10}
    return create_engine(url, poolclass=NullPool, paramstyle="format", connect_args=options)


def _create(engine: Engine) -> None:
    """Make the tables in a database that has none of them."""
    with engine.connect().execution_options(begin="BEGIN IMMEDIATE") as connection, connection.begin():
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCKS})")
        if not set(METADATA.tables) & set(inspect(connection).get_table_names()):
            METADATA.create_all(connection)
            connection.execute(META.insert().values(key="schema", value=str(SCHEMA_VERSION)))


def _check_version(engine: Engine) -> None:
    with reading(engine) as connection:
        columns = inspect(connection).get_columns("meta") if inspect(connection).has_table("meta") else []
        found = None
        if [column["name"] for column in columns] == ["key", "value"]:
            found = connection.scalar(select(META.c.value).where(META.c.key == "schema"))
    where = engine.url.render_as_string(hide_password=True)
    if found is None:
        raise LedgerError(
            f"{where} holds other tables, and is not a ledger", remedy="name an empty database or a new file"
        )
    if found != str(SCHEMA_VERSION):
        remedy = f"use the release that wrote it (this one reads version {SCHEMA_VERSION}), or start a new ledger"
        raise LedgerError(f"{where} has another schema version", value=found, remedy=remedy)


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection that sees one instant of the ledger, however much is written meanwhile."""
    options: dict[str, Any] = {"isolation_level": "REPEATABLE READ"} if engine.dialect.name == "postgresql" else {}
    with explained(engine), engine.connect().execution_options(**options) as connection, connection.begin():
        yield connection


@contextmanager
def sole_writer(engine: Engine, run_id: str) -> Iterator[Any]:
    """The DBAPI connection of the only writer: of the file in SQLite, of the run in PostgreSQL.

    Raises: LedgerError naming the process that writes already.
    """
    if engine.dialect.name == "sqlite":
        with _locked_file(Path(f"{engine.url.database}.lock")), explained(engine):
            yield from _driver(engine)
        return
    with explained(engine):
        for connection in _driver(engine):
            _lock_run(connection, run_id)
            yield connection


def _driver(engine: Engine) -> Iterator[Any]:
    pooled = engine.raw_connection()
    try:
        yield pooled.driver_connection
    finally:
        pooled.close()


@contextmanager
def _locked_file(path: Path) -> Iterator[None]:
    """Hold the lock beside a SQLite file; a killed process lets go of it."""
    try:
        stream = path.open("a+")
    except OSError as error:
        remedy = "give yourself write access to the folder"
        raise LedgerError(f"the lock {path} cannot be written: {error.strerror}", remedy=remedy) from error
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            stream.seek(0)
            raise _taken(f"process {stream.read().strip() or 'unknown'}", str(path)) from None
        stream.truncate(0)
        stream.write(str(os.getpid()))
        stream.flush()
        yield


def _lock_run(connection: Any, run_id: str) -> None:
    cursor = connection.cursor()
    cursor.execute("SELECT pg_try_advisory_lock(%s, hashtext(%s))", (_LOCKS, run_id))
    if cursor.fetchone()[0]:
        connection.commit()
        return
    cursor.execute(
        "SELECT a.application_name, a.pid FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid"
        " WHERE l.locktype = 'advisory' AND l.granted AND l.classid = %s AND l.objid = hashtext(%s)::oid",
        (_LOCKS, run_id),
    )
    name, pid = cursor.fetchone() or ("unknown", 0)
    raise _taken(f"{name} (server process {pid})", f"run {run_id}")


def _taken(who: str, what: str) -> LedgerError:
    return LedgerError(
        f"{who} is already writing to this ledger ({what})", remedy="stop it first: one writer at a time"
    )


@contextmanager
def explained(engine: Engine) -> Iterator[None]:
    """Turn what the database says into an error that names the ledger and the remedy."""
    driver_error: type[Exception] = engine.dialect.loaded_dbapi.Error
    try:
        yield
    except (SQLAlchemyError, driver_error) as error:
        where = engine.url.render_as_string(hide_password=True)
        said = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
        for words, kind, meaning, remedy in _REMEDIES:
            if words in said:
                raise kind(f"{where}: {meaning} ({said})", remedy=remedy) from error
        remedy = "check that the server runs and the URL is right" if isinstance(error, OperationalError) else ""
        raise LedgerError(f"{where}: {said}", remedy=remedy) from error
