"""`explain`: why a decision was taken, or why there was none."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seakeep.app.console import Exit, JsonFlag, emit, note

if TYPE_CHECKING:
    from rich.console import Console

    from seakeep.app.explain import Explained
    from seakeep.strategy.explain import Voice

__all__ = ["register"]

UserDir = Annotated[Path, typer.Option("--userdir", help="Folder of data, ledger and results.")]
_HOME = Path("user_data")


def register(app: typer.Typer) -> None:
    """Add the command of this family."""
    app.command("explain")(explain)


def explain(
    named: Annotated[
        str, typer.Argument(metavar="[ID]", help="Id of a decision, its verdict, an order or a fill.")
    ] = "",
    why_not: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="SYMBOL TIME", help="Why there was no trade: BTC/USDT 2024-05-01T12:00."),
    ] = None,
    run: Annotated[str, typer.Option(help="The run to ask with --why-not; the newest if left out.")] = "",
    userdir: UserDir = _HOME,
    seed: Annotated[int, typer.Option(min=0, help="Seed of what is sampled.")] = 0,
    as_json: JsonFlag = False,
) -> None:
    """Why a decision was taken, or not: the way stage by stage, and parts that add up to the score."""
    from seakeep.app import explain as explaining
    from seakeep.core.errors import ConfigError
    from seakeep.core.units import parse_time

    if bool(named) == (why_not is not None):
        raise ConfigError("name either an ID or --why-not SYMBOL TIME", value=named or None)
    if not userdir.exists():
        note(f"error: there is no user folder {userdir}; name another --userdir")
        raise typer.Exit(Exit.NOT_FOUND)
    note("rebuilding the run up to that instant")
    if why_not is None:
        found = explaining.explain(userdir, named, seed)
    else:
        found = explaining.explain_not(userdir, why_not[0], parse_time(why_not[1]), run, seed)
    emit(found, lambda console: _show(console, found), as_json=as_json)


def _show(console: "Console", found: "Explained") -> None:
    from rich.table import Table
    from rich.text import Text

    console.print(Text.assemble((found.symbol, "bold"), f" at {found.time}, run {found.run_id}"), soft_wrap=True)
    table = Table(box=None, header_style="dim", pad_edge=False)
    for name in ("", "stage", "what was found"):
        table.add_column(name)
    for stage in found.stages:
        mark = Text("passed", "green") if stage.passed else Text("stopped", "bold red")
        says = Text(stage.says)
        if stage.change:
            says.append(f"\nit would turn with: {stage.change}", "cyan")
        table.add_row(mark, stage.name, says)
    console.print(table)
    for line in found.text:
        console.print(Text(line))
    if found.reasons.voices:
        console.print(_parts(found.reasons.voices))


def _parts(voices: "tuple[Voice, ...]") -> object:
    from rich.table import Table

    table = Table(box=None, header_style="dim", pad_edge=False)
    for name in ("voice", "input", "value", "adds to the score", "+-"):
        table.add_column(name, justify="left" if name in ("voice", "input") else "right")
    for voice in voices:
        table.add_row(voice.source, f"[dim]{voice.method}[/]", "", f"[bold]{voice.contribution:+.4f}[/]", "")
        for part in sorted(voice.parts, key=lambda part: -abs(part.contribution))[:8]:
            value = "" if part.value is None else f"{part.value:.5g}"
            error = f"{1.96 * part.error:.4f}" if part.error else ""
            table.add_row("", part.name, value, f"{part.contribution:+.4f}", error)
        rest = sorted(voice.parts, key=lambda part: -abs(part.contribution))[8:]
        if rest:
            table.add_row("", f"{len(rest)} others", "", f"{sum(part.contribution for part in rest):+.4f}", "")
    return table
