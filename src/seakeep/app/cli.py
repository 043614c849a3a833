"""The `seakeep` command: collects the commands, and turns every known error into one line and an exit code."""

import sys

import typer

from seakeep.app.commands import (
    compare,
    config,
    control,
    data,
    explain,
    generate,
    integrity,
    ledger,
    lists,
    migrate,
    models,
    news,
    optimize,
    regimes,
    research,
    results,
    risk,
    rules,
    scorecard,
    serve,
    threshold,
    trade,
    train,
)
from seakeep.app.console import exit_code, note
from seakeep.core.errors import SeakeepError

__all__ = ["app", "main"]

app = typer.Typer(
    name="seakeep",
    help="A risk-first crypto trading system: no order leaves without a verdict that says why.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"max_content_width": 120},
)
for family in (
    trade,
    control,
    serve,
    integrity,
    research,
    optimize,
    results,
    compare,
    risk,
    rules,
    train,
    models,
    scorecard,
    explain,
    threshold,
    regimes,
    migrate,
    data,
    news,
    generate,
    ledger,
    lists,
    config,
):
    family.register(app)


def main() -> None:
    """Entry point. A `SeakeepError` becomes one line on stderr and its exit code; anything else is a bug."""
    try:
        app()
    except SeakeepError as error:
        note(f"error: {error}")
        sys.exit(exit_code(error))


if __name__ == "__main__":
    main()
