"""Writing a file whole: a crash or a full disk leaves the old content or the new, never half of either."""

import os
from pathlib import Path

from seakeep.core.errors import DataError

__all__ = ["write_whole"]


def write_whole(path: Path, content: bytes) -> None:
    """Put `content` at `path` durably, making its folder if it is not there. Raises: DataError saying what to do."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as error:
        remedy = "free some space or name another --userdir"
        raise DataError(f"cannot write {path}: {error.strerror}", remedy=remedy) from error
