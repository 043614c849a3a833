"""The `seakeep` command: collects the commands, and turns every known error into one line and an exit code."""

import sys

import typer

from seakeep.app.commands import compare, config, data, generate, ledger, lists, migrate, risk, threshold, trade
from seakeep.app.console import exit_code, note
from seakeep.core.errors import SeakeepError

__all__ = ["app", "main"]

app = typer.Typer(
    name="seakeep",
    help="A risk-first crypto trading system: no order leaves without a verdict that says why.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for family in (trade, compare, risk, threshold, migrate, data, generate, ledger, lists, config):
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
