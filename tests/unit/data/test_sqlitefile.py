"""No file of ours is taken for another, or for one of somebody else's."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from seakeep.app.models.store import ModelStore
from seakeep.app.search.studystore import open_study
from seakeep.backtest.trials import TrialLedger
from seakeep.core.errors import SeakeepError
from seakeep.data.sqlitefile import SqliteFile

NOTES = SqliteFile(what="a book of notes", application=0x77, tables="CREATE TABLE notes (text TEXT);\n")


def test_an_empty_file_holds_nothing_and_a_made_one_is_known_again(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "notes.db")) as connection:
        assert not NOTES.holds(connection)
        NOTES.create(connection)
        assert NOTES.holds(connection)


def test_a_later_schema_and_a_stranger_s_table_are_refused(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "notes.db")) as connection:
        NOTES.create(connection)
        with pytest.raises(sqlite3.DatabaseError, match="not a book of notes of version 2"):
            SqliteFile(what=NOTES.what, application=0x77, tables="", schema=2).holds(connection)
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection:
        connection.execute("CREATE TABLE theirs (x)")
        with pytest.raises(sqlite3.DatabaseError, match="not a book of notes"):
            NOTES.holds(connection)


def test_a_study_is_no_registry_and_no_trial_ledger(tmp_path: Path) -> None:
    with open_study(tmp_path, "mine"):
        pass
    (tmp_path / "mine.db").rename(tmp_path / "registry.db")
    with pytest.raises(SeakeepError, match="not a registry of models"):
        ModelStore(tmp_path).versions()
    with pytest.raises(SeakeepError, match="not a trial ledger"):
        TrialLedger(tmp_path / "registry.db").trials()
