"""How every command speaks: one answer on stdout (tables, or one JSON document with --json), the rest on stderr."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seakeep.core.errors import (
    BrokerError,
    ConfigError,
    DataError,
    IntegrityError,
    LedgerError,
    RuleBookError,
    SeakeepError,
)

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Exit", "JsonFlag", "emit", "exit_code", "note", "progress"]

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of tables.")]


class Exit(IntEnum):
    """What the shell is told."""

    OK = 0
    ERROR = 1
    NOT_FOUND = 2
    NOT_RUNNING = 3
    CONFIG = 4
    TIMEOUT = 5
    INTEGRITY = 6
    BLOCKED = 7
    LEDGER = 8


_CODES: tuple[tuple[type[SeakeepError], Exit], ...] = (
    (IntegrityError, Exit.LEDGER),
    (LedgerError, Exit.LEDGER),
    (ConfigError, Exit.CONFIG),
    (RuleBookError, Exit.CONFIG),
    (DataError, Exit.ERROR),
    (BrokerError, Exit.ERROR),
)


def exit_code(error: SeakeepError) -> Exit:
    """The exit code of an error: 4 for configuration, 8 for the ledger, 1 for the rest."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), Exit.ERROR)


def emit(data: Any, render: "Callable[[Console], None]", *, as_json: bool) -> None:
    """Print the command's answer: `data` as JSON, or what `render` draws on a rich console."""
    if as_json:
        import msgspec

        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(data, enc_hook=str), indent=2) + b"\n")
        sys.stdout.flush()
        return
    from rich.console import Console

    render(Console(highlight=False))


def note(message: str) -> None:
    """A line for the person at the terminal, on stderr, so that stdout stays parseable."""
    typer.echo(message, err=True)


@contextmanager
def progress(description: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A progress bar on stderr (none when it is not a terminal); yields `advance(steps)`."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(description, total=total)
        yield lambda steps: bar.advance(task, steps)
