"""Where a ledger may be, and what is said when it cannot be there."""

import sqlite3
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import update

from seakeep.core.errors import ConfigError, LedgerError
from seakeep.core.events import Control, Filled, Tick
from seakeep.ledger.db import ledger_url
from seakeep.ledger.journal import Ledger
from seakeep.ledger.tables import META, METADATA, SCHEMA_VERSION
from tests.unit.ledger.story import story

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_usual_name_of_postgresql_is_understood(scheme: str) -> None:
    url = ledger_url(f"{scheme}://risk:pw@db:5433/books")
    assert (url.drivername, url.port, url.database) == ("postgresql+psycopg", 5433, "books")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://db/books", "a database we cannot use .got 'mysql'"),
        ("postgresql://db:port/books", "not a URL"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
    ],
)
def test_a_location_that_cannot_be_is_refused(url: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Ledger.open(url)


def test_a_password_is_never_repeated() -> None:
    with pytest.raises(LedgerError) as caught:
        Ledger.open("postgresql://risk:geheim@127.0.0.1:1/books")
    assert "geheim" not in str(caught.value)
    assert "check that the server runs" in str(caught.value)


def test_postgresql_without_its_driver_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seakeep.ledger.db.find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"pip install 'seakeep\[postgres\]'"):
        Ledger.open("postgresql://db/books")


def test_a_commit_is_synced_in_full(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger.db") as ledger, ledger.engine.connect() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "page_size")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "page_size": 2048}


def test_reading_a_ledger_that_is_not_there_makes_none(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="there is no ledger at"):
        Ledger.open(tmp_path / "ledger.db", readonly=True)
    assert list(tmp_path.iterdir()) == []


def test_the_folder_is_made_but_not_a_whole_path(tmp_path: Path) -> None:
    Ledger.open(tmp_path / "user_data" / "ledger.db").close()
    with pytest.raises(LedgerError, match=r"folder .* cannot be made: No such file"):
        Ledger.open(tmp_path / "typo" / "user_data" / "ledger.db")
    (tmp_path / "file").touch()
    with pytest.raises(LedgerError, match=r"folder .* cannot be made"):
        Ledger.open(tmp_path / "file" / "ledger.db")


def test_a_file_that_is_not_sqlite_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("dear diary, " * 500)
    for readonly in (False, True):
        with pytest.raises(LedgerError, match=r"notes\.txt: it is not a SQLite file"):
            Ledger.open(path, readonly=readonly)
    assert path.read_text() == "dear diary, " * 500


def test_the_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "other.db") as other:
        other.execute("CREATE TABLE orders (id)")
    other.close()
    with pytest.raises(LedgerError, match="holds other tables, and is not a ledger"):
        Ledger.open(tmp_path / "other.db")


def test_a_ledger_of_another_version_is_refused_by_name(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger.db") as ledger, ledger.engine.begin() as connection:
        connection.execute(update(META).values(value="999"))
    with pytest.raises(LedgerError, match=r"another schema version \(got '999'\)"):
        Ledger.open(tmp_path / "ledger.db")


def test_a_changed_column_needs_a_new_schema_version() -> None:
    tables = METADATA.sorted_tables
    columns = sorted(f"{t.name}.{c.name} {c.type} {c.nullable} {c.primary_key}" for t in tables for c in t.columns)
    assert (SCHEMA_VERSION, sha256("\n".join(columns).encode()).hexdigest()[:12]) == (3, "d811dca7e65d")


def test_one_flipped_byte_of_the_file_is_found_and_its_entry_named(tmp_path: Path) -> None:
    path, entries = tmp_path / "ledger.db", story(200)
    with Ledger.open(path) as ledger:
        ledger.start_run("r")
        for event, records in entries:
            ledger.write(event, records)
    seq, fill = next((i, e.fill) for i, (e, _) in enumerate(entries, 1) if isinstance(e, Filled) and i > 100)
    data = bytearray(path.read_bytes())
    at = data.index(f'"order_id":"{fill.order_id}"'.encode()) + len('"order_id":"')
    data[at] ^= 1
    path.write_bytes(data)
    with Ledger.open(path, readonly=True) as ledger:
        [fault] = ledger.verify("r").faults
    assert (fault.seq, fault.table) == (seq, "journal")
    assert fault.what.startswith("payload was changed")


def test_a_large_entry_is_kept_whole(tmp_path: Path) -> None:
    said = "Größe ☂ " * 500_000
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        ledger.start_run("r").write(Control(1, "pause", said), ())
        ledger.commit()
        assert ledger.last("r") == (1, Control(1, "pause", said), ())


@pytest.mark.parametrize("name", ["", "a|b", "../r", "x" * 101, "r\n"])
def test_a_run_needs_a_plain_name(tmp_path: Path, name: str) -> None:
    with Ledger.open(tmp_path / "ledger.db") as ledger, pytest.raises(LedgerError, match="not a run id"):
        ledger.start_run(name)


def test_writing_needs_a_run(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        with pytest.raises(LedgerError, match="call start_run or resume first"):
            ledger.write(Tick(1), ())
        with pytest.raises(LedgerError, match="there is no run of that name"):
            ledger.resume("r")


FULL_DISK = """
import subprocess, sys
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", sys.argv[1]], check=True)
from seakeep.core.errors import LedgerError
from seakeep.core.events import Control
from seakeep.ledger.journal import Ledger
with Ledger.open(sys.argv[1] + "/ledger.db") as ledger:
    ledger.start_run("r").write(Control(1, "pause", "small"), ())
    ledger.commit()
    ledger.write(Control(2, "pause", "x" * 1_000_000), ())
    try:
        ledger.commit()
    except LedgerError as error:
        print(error)
    print(ledger.last("r"), ledger.verify("r").ok)
    ledger._writer = None
"""


def test_a_full_disk_keeps_the_commits_before_and_nothing_of_this_one(tmp_path: Path) -> None:
    command = ["unshare", "-Urm", sys.executable, "-c", FULL_DISK, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if "unshare" in done.stderr or "mount" in done.stderr:
        pytest.skip(f"no private tmpfs here: {done.stderr.strip()[-200:]}")
    error, kept = done.stdout.splitlines()
    assert "the disk is full; nothing of this commit was kept" in error, done.stderr
    assert kept == "(1, Control(ts=1, action='pause', reason='small'), ()) True"


def test_a_file_we_may_not_write_can_be_read_and_says_so_when_written(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with Ledger.open(path) as ledger:
        ledger.start_run("r")
        ledger.write(Tick(1), ())
    text = (
        "import sys; from seakeep.ledger.journal import Ledger\n"
        "print(Ledger.open(sys.argv[1], readonly=True).verify('r').ok)\n"
        "Ledger.open(sys.argv[1]).resume('r')"
    )
    mount = f'cd {tmp_path} && mount --bind . . && mount -o remount,ro,bind . && cd {ROOT} && exec "$@"'
    command = ["unshare", "-Urm", "sh", "-c", mount, "sh", sys.executable, "-c", text, str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if "unshare:" in done.stderr or "mount:" in done.stderr:
        pytest.skip(f"no private read-only mount here: {done.stderr.strip()[-200:]}")
    assert done.stdout == "True\n", done.stderr
    assert "LedgerError" in done.stderr


def test_no_damaged_page_goes_unnoticed(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with Ledger.open(path) as ledger:
        ledger.start_run("r")
        for event, records in story(30):
            ledger.write(event, records)
    whole = path.read_bytes()
    for page in range(0, len(whole), 4096):
        path.write_bytes(whole[:page] + b"\x5a" * 4096 + whole[page + 4096 :])
        with pytest.raises((LedgerError, AssertionError)), Ledger.open(path, readonly=True) as ledger:
            assert ledger.verify("r").ok
