"""What an executor of sealed orders remembers: every approval it has carried out, in files that outlive the process.

One file an approval, made only where there is none: two processes on the same folder never use the same one twice, and
a restart forgets nothing. A file stays a day longer than its approval held, so a clock that is set back opens nothing.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from seakeep.core.errors import LedgerError
from seakeep.core.units import DAY_MS

__all__ = ["SpentSeals"]


class SpentSeals:
    """The approvals used by the executors of one account, in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def names(self) -> tuple[str, ...]:
        """One name for each that is remembered, sorted."""
        return tuple(sorted(path.name for path in self._folder.glob("*.used")))

    def __contains__(self, nonce: object) -> bool:
        """Whether it was used."""
        return (self._folder / _name(str(nonce))).exists()

    def use(self, nonce: str, expires_ts: int, now: int) -> bool:
        """Whether the nonce is new; from now on, on disk, it is not. Raises: LedgerError if that cannot be kept."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._forget(now)
            return self._keep(self._folder / _name(nonce), expires_ts)
        except OSError as error:
            raise LedgerError(f"used approvals cannot be kept in {self._folder}: {error.strerror}") from error

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold off every other process and thread that redeems here. Raises: LedgerError."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise LedgerError(f"used approvals cannot be kept in {self._folder}: {error.strerror}") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _keep(self, path: Path, expires_ts: int) -> bool:
        try:
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return False
        try:
            os.write(file, str(expires_ts).encode())
            os.fsync(file)
        finally:
            os.close(file)
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return True

    def _forget(self, now: int) -> None:
        """Remove what expired a day ago; a file that does not say when it expires stays."""
        for path in self._folder.glob("*.used"):
            until = path.read_bytes()
            if until.isdigit() and int(until) + DAY_MS <= now:
                path.unlink(missing_ok=True)


def _name(nonce: str) -> str:
    return f"{sha256(nonce.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}.used"
