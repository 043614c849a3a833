"""Writing a file whole: a crash or a full disk leaves the old content or the new, never half of either."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seakeep.core.errors import DataError

__all__ = ["LOCK", "locked", "replace_whole", "settle", "write_whole"]

LOCK = ".lock"
"""Name of the file that a writer holds."""


def replace_whole(path: Path, content: bytes) -> None:
    """Put `content` at `path` durably; the folder must be there. Raises: OSError, and nothing has changed."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    settle(path.parent)


def settle(*folders: Path) -> None:
    """Make the names in these folders durable."""
    for folder in folders:
        directory = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def write_whole(path: Path, content: bytes) -> None:
    """As `replace_whole`, making the folder if it is not there. Raises: DataError saying what to do."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_whole(path, content)
    except OSError as error:
        remedy = "free some space or name another --userdir"
        raise DataError(f"cannot write {path}: {error.strerror}", remedy=remedy) from error


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One writer per folder, which is made if it is not there; the kernel drops the lock when its holder dies.

    Raises: DataError if the folder cannot be written.
    """
    try:
        if not folder.exists():
            folder.mkdir(parents=True, exist_ok=True)
            settle(folder.parent, folder.parent.parent)
        file = (folder / LOCK).open("ab")
    except OSError as error:
        what = f"cannot write to {folder}: {error.strerror}; what was stored before is unchanged"
        raise DataError(what, remedy="free some space or name another --userdir") from error
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
