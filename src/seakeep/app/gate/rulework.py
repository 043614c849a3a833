"""The child that runs a user's rule book: it gives up its rights first, then compiles and judges until its input ends.

Started by `app.gate.rulebox` as `python -m seakeep.app.gate.rulework`. Frames are a length of four bytes and
MessagePack; the first tells the budget, the next the book.
"""

import os
import sys
from collections.abc import Callable
from typing import BinaryIO

import msgspec

from seakeep.core.errors import RuleBookError
from seakeep.risk.rules.book import read_book
from seakeep.risk.rules.environment import Environment
from seakeep.risk.rules.findings import Findings
from seakeep.risk.rules.guard import clips_functions

__all__ = [
    "Ask",
    "Failed",
    "Firing",
    "Load",
    "Ready",
    "Reply",
    "Said",
    "drop_rights",
    "main",
    "read_frame",
    "write_frame",
]

NOBODY = 65_534
MOST_BYTES = 64_000_000
Rows = list[tuple[str, tuple[float | int | str | None, ...]]]


class Load(msgspec.Struct, frozen=True, tag="load"):
    """Compile this book, leaving out some of its defrules."""

    text: str
    file: str
    without: tuple[str, ...] = ()


class Ask(msgspec.Struct, frozen=True, tag="ask"):
    """Judge these facts; with `step`, say each rule before it fires."""

    rows: Rows
    trace: bool = False
    step: bool = False


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """The book is compiled; `kept` are rights this machine would not let go of."""

    kept: tuple[str, ...] = ()


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """The book cannot be used, and why."""

    message: str


class Firing(msgspec.Struct, frozen=True, tag="firing"):
    """This rule is about to fire."""

    rule: str


class Said(msgspec.Struct, frozen=True, tag="said"):
    """The answer."""

    findings: Findings


Reply = Ready | Failed | Firing | Said


def read_frame(stream: BinaryIO) -> bytes:
    """The next frame; empty at the end of the input."""
    size = int.from_bytes(stream.read(4), "big")
    return stream.read(size) if 0 < size <= MOST_BYTES else b""


def write_frame(stream: BinaryIO, frame: bytes) -> None:
    """Send one frame at once."""
    stream.write(len(frame).to_bytes(4, "big") + frame)
    stream.flush()


def drop_rights(memory_mb: int) -> tuple[str, ...]:
    """Give up, for good, opening files and sockets, starting processes, writing, and being root.

    Returns what this machine would not let go of.
    """
    import resource

    bounds = {
        "memory": (resource.RLIMIT_AS, memory_mb << 20),
        "core files": (resource.RLIMIT_CORE, 0),
        "writing": (resource.RLIMIT_FSIZE, 0),
        "processes": (resource.RLIMIT_NPROC, 0),
        "files and sockets": (resource.RLIMIT_NOFILE, 3),
    }
    kept = []
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    for name, (what, most) in bounds.items():
        try:
            resource.setrlimit(what, (most, most))
        except (ValueError, OSError):
            kept.append(name)
    return tuple(kept)


def main() -> None:
    """Serve until the input ends."""
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    clips_functions()
    kept = drop_rights(int.from_bytes(read_frame(source), "big"))
    load = msgspec.msgpack.decode(read_frame(source), type=Load)
    try:
        environment = Environment(read_book(load.text, load.file), frozenset(load.without))
    except RuleBookError as error:
        _send(sink, Failed(str(error)))
        return
    _send(sink, Ready(kept))
    decoder = msgspec.msgpack.Decoder(Ask)
    while frame := read_frame(source):
        ask = decoder.decode(frame)
        watch: Callable[[str], None] | None = (lambda rule: _send(sink, Firing(rule))) if ask.step else None
        _send(sink, Said(environment.judge(ask.rows, trace=ask.trace, watch=watch)))


def _send(sink: BinaryIO, reply: Reply) -> None:
    write_frame(sink, msgspec.msgpack.encode(reply))


if __name__ == "__main__":
    main()
