"""`migrate`: bring a strategy file of freqtrade or backtesting.py into the user folder."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seakeep.app.console import JsonFlag, emit

if TYPE_CHECKING:
    from rich.console import Console

    from seakeep.app.strategyfiles import Adopted

__all__ = ["register"]

UserDir = Annotated[Path, typer.Option("--userdir", help="Folder of data, results and strategies.")]


def register(app: typer.Typer) -> None:
    """Add the command of this family."""
    app.command("migrate")(migrate)


def migrate(
    file: Annotated[Path, typer.Argument(help="A Python file with an IStrategy or a backtesting.py Strategy.")],
    userdir: UserDir = Path("user_data"),
    as_json: JsonFlag = False,
) -> None:
    """Take over a strategy written for freqtrade or backtesting.py; it runs as it is, by its own name."""
    from dataclasses import asdict

    from seakeep.app import strategyfiles

    place, found = strategyfiles.migrate(file, userdir)
    data = {"file": str(place), "strategies": [asdict(one) for one in found]}
    emit(data, lambda console: _show(console, place, found), as_json=as_json)


def _show(console: "Console", place: Path, found: "list[Adopted]") -> None:
    console.print(f"[bold]{place}[/]", soft_wrap=True)
    for one in found:
        console.print(f"\n[bold]{one.name}[/], written for {one.system}")
        console.print(f"  seakeep backtest --strategy {one.name}", soft_wrap=True)
        wanted = {key: value for key, value in one.asks.items() if value is not None}
        if wanted:
            console.print("  what it asks of its bot, for config.toml:")
        for key, value in wanted.items():
            console.print(f"    {key} = {f'{value!r}'.replace(chr(39), chr(34))}", soft_wrap=True, markup=False)
        for key in one.asks.keys() - wanted.keys():
            console.print(f"  [yellow]not taken over:[/] {key}", soft_wrap=True)
