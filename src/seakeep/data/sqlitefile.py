"""What an SQLite file of ours is: its application id, the version of its schema, its tables."""

import sqlite3

import msgspec

__all__ = ["SqliteFile"]


class SqliteFile(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of file: `what` it is for people, and `tables`, statements separated by a semicolon and a line break.

    `application` tells it from every other kind, so that no file is taken for another.
    """

    what: str
    application: int
    tables: str
    schema: int = 1

    def holds(self, connection: sqlite3.Connection) -> bool:
        """Whether there is one in the file: not in an empty one. Raises: DatabaseError if it is something else."""
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (schema,) = connection.execute("PRAGMA user_version").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if not tables and not application:
            return False
        if (application, schema) != (self.application, self.schema):
            raise sqlite3.DatabaseError(f"it is not {self.what} of version {self.schema}")
        return True

    def create(self, connection: sqlite3.Connection) -> None:
        """Make its tables, inside a transaction of the caller."""
        for statement in self.tables.strip().split(";\n"):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {self.application}")
        connection.execute(f"PRAGMA user_version = {self.schema}")
