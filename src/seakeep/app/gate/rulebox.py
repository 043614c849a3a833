"""Rule books by name: those that come with Seakeep run here, a user's own run in a child without rights.

A user's book may loop, crash or try to break out; the child is stopped when its time is up, the rule that was firing is
left out from then on and reported with every answer, and the other rules still speak.
"""

import os
import re
import select
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Self

import msgspec

from seakeep.app.gate.rulework import MOST_BYTES, Ask, Failed, Firing, Load, Ready, Reply, Said, write_frame
from seakeep.core.errors import ConfigError, RuleBookError
from seakeep.core.registry import nearest
from seakeep.risk.rules.balance import shipped_books, shipped_judge
from seakeep.risk.rules.book import Book, read_book
from seakeep.risk.rules.budget import RuleBudget
from seakeep.risk.rules.findings import Fault, Findings, Judge
from seakeep.risk.rules.trials import passed
from seakeep.risk.rules.vocabulary import Rows

__all__ = ["BoxedBook", "HotBook", "book_file", "judge_of", "read_file", "user_books"]

ALIASES = {"risk_model_crypto": "crypto"}
"""Names of seed 000's `ot_model` for what comes with Seakeep."""
MOST_STOPPED = 8
_START_SECONDS = 20.0
_REPLY = msgspec.msgpack.Decoder(Reply)


def judge_of(name: str, userdir: Path, budget: RuleBudget | None = None) -> Judge:
    """The book of that name: one that comes with Seakeep, or `rules/NAME.clp` of the user folder, followed if edited.

    Raises: ConfigError for a name that is neither; RuleBookError if it does not compile or fails its own tests.
    """
    name = ALIASES.get(name, name)
    if name in shipped_books():
        return shipped_judge(name)
    return HotBook(book_file(name, userdir), budget or RuleBudget())


def user_books(userdir: Path) -> tuple[str, ...]:
    """Names of the books in the user folder."""
    return tuple(sorted(path.stem for path in (userdir / "rules").glob("*.clp")))


def book_file(name: str, userdir: Path) -> Path:
    """Where the user's book of that name is. Raises: ConfigError naming the nearest known."""
    path = userdir / "rules" / f"{name}.clp"
    if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}", name) or not path.is_file():
        known = (*shipped_books(), *user_books(userdir))
        raise ConfigError(
            "unknown rule book", value=name, remedy=f"{nearest(name, known)} (yours lie in {path.parent})"
        )
    return path


def read_file(path: Path) -> Book:
    """The book in that file, checked, not yet compiled. Raises: RuleBookError with file and line."""
    try:
        return read_book(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise RuleBookError(f"{path} cannot be read: {error}", remedy="a book is a UTF-8 text file") from None


class HotBook:
    """A user's book that follows its file: a new version is taken when it compiles and passes its own tests."""

    def __init__(self, path: Path, budget: RuleBudget) -> None:
        """Raises: RuleBookError with file and line if the first version cannot be used."""
        self._path, self._budget = path, budget
        self._lock = threading.Lock()
        self._seen = _stamp(path)
        self._box = _tested(path, budget)
        self.refused = ""
        """Why the newest version of the file is not in use; empty if it is."""

    @property
    def book(self) -> Book:
        """The version in use."""
        return self._box.book

    def judge(self, rows: Rows, *, trace: bool = False) -> Findings:
        """What the newest usable version says."""
        self.reload()
        return self._box.judge(rows, trace=trace)

    def reload(self) -> None:
        """Look at the file; take the new version if it can be used, else keep the old one and say why in `refused`."""
        with self._lock:
            stamp = _stamp(self._path)
            if stamp == self._seen:
                return
            self._seen = stamp
            try:
                fresh = _tested(self._path, self._budget)
            except RuleBookError as error:
                self.refused = str(error)
                return
            self._box.close()
            self._box, self.refused = fresh, ""

    def close(self) -> None:
        """Stop the child."""
        self._box.close()


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return (-1, -1)
    return found.st_mtime_ns, found.st_size


def _tested(path: Path, budget: RuleBudget) -> "BoxedBook":
    box = BoxedBook(read_file(path), budget)
    try:
        passed(box)
    except RuleBookError:
        box.close()
        raise
    return box


class BoxedBook:
    """A book in a child process without rights; safe to call from several threads, one at a time."""

    def __init__(self, book: Book, budget: RuleBudget) -> None:
        """Raises: RuleBookError with file and line if it does not compile."""
        self.book = book
        self._budget = budget
        self._stopped: dict[str, Fault] = {}
        self._lock = threading.Lock()
        self._child = _Child(book, budget, ())

    def judge(self, rows: Rows, *, trace: bool = False) -> Findings:
        """What the book says; a rule that ran out of time or memory is left out from then on and is a fault."""
        with self._lock:
            while len(self._stopped) <= MOST_STOPPED:
                said = self._child.ask(Ask(rows, trace=trace), self._budget.seconds)
                if said is not None:
                    return msgspec.structs.replace(said, faults=(*self._stopped.values(), *said.faults))
                culprit = self._culprit(rows)
                if not culprit:
                    break
                what = (
                    f"stopped after {self._budget.seconds:g} s or {self._budget.memory_mb} MB; left out until reloaded"
                )
                self._stopped[culprit] = Fault(culprit, what)
                self._restart()
            self._restart()
            what = f"no answer within {self._budget.seconds:g} s or {self._budget.memory_mb} MB"
            return Findings((), (Fault("", what), *self._stopped.values()))

    def _culprit(self, rows: Rows) -> str:
        """The rule that was firing when the time was up; empty if none was."""
        self._restart()
        self._child.ask(Ask(rows, step=True), self._budget.seconds)
        return self._child.firing

    def _restart(self) -> None:
        self._child.kill()
        self._child = _Child(self.book, self._budget, tuple(self._stopped))

    def close(self) -> None:
        """Stop the child, once it has answered who is waiting."""
        with self._lock:
            self._child.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_child"):
            self._child.kill()


class _Child:
    """One child process with one compiled book."""

    def __init__(self, book: Book, budget: RuleBudget, without: tuple[str, ...]) -> None:
        self.firing = ""
        with tempfile.TemporaryDirectory() as empty:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-m", "seakeep.app.gate.rulework"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd=empty,
                env={},
                close_fds=True,
            )
            self._buffer = b""
            self._send(budget.memory_mb.to_bytes(4, "big"))
            self._send(msgspec.msgpack.encode(Load(book.text, book.file, without)))
            ready = self._reply(time.monotonic() + _START_SECONDS)
        if not isinstance(ready, Ready):
            self.kill()
            raise RuleBookError(
                ready.message if isinstance(ready, Failed) else f"{book.file}: its process did not start"
            )
        self.kept = ready.kept

    def ask(self, ask: Ask, seconds: float) -> Findings | None:
        """The answer; None if the child died or the time is up. `firing` is the rule it last said was firing."""
        self.firing = ""
        deadline = time.monotonic() + seconds
        self._send(msgspec.msgpack.encode(ask))
        while True:
            reply = self._reply(deadline)
            if isinstance(reply, Firing):
                self.firing = reply.rule
                continue
            return reply.findings if isinstance(reply, Said) else None

    def kill(self) -> None:
        """End the child at once."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                try:
                    stream.close()
                except BrokenPipeError:
                    continue

    def _send(self, frame: bytes) -> None:
        try:
            write_frame(self._process.stdin, frame)  # type: ignore[arg-type]
        except BrokenPipeError:
            return

    def _reply(self, deadline: float) -> Reply | None:
        head = self._take(4, deadline)
        size = int.from_bytes(head, "big")
        body = self._take(size, deadline) if size <= MOST_BYTES else b""
        try:
            return _REPLY.decode(body) if body else None
        except msgspec.MsgspecError:
            return None

    def _take(self, size: int, deadline: float) -> bytes:
        """That many bytes of the child's output; empty if it ends or the time is up first."""
        pipe = self._process.stdout.fileno()  # type: ignore[union-attr]
        while len(self._buffer) < size:
            ready, _, _ = select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))
            chunk = os.read(pipe, 1 << 16) if ready else b""
            if not chunk:
                return b""
            self._buffer += chunk
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken
