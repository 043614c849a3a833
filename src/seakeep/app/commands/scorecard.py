"""`scorecard`: what experts are worth on stored bars they have not seen, with pictures."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seakeep.app.console import JsonFlag, emit, note, progress

if TYPE_CHECKING:
    from rich.console import Console

    from seakeep.app.models.scorecards import Scored

__all__ = ["register"]

_HOME = Path("user_data")


def register(app: typer.Typer) -> None:
    """Add the command of this family."""
    app.command("scorecard")(scorecard)


def scorecard(
    experts: Annotated[list[str], typer.Argument(metavar="EXPERT...", help="Experts of list-experts.")],
    symbols: Annotated[str, typer.Option("--symbols", "-s", help="Symbols of list-data, by commas.")] = "BTC/USDT",
    interval: Annotated[str, typer.Option("--interval", "-i", help="Bar length.")] = "1h",
    horizon: Annotated[int, typer.Option(min=1, max=100_000, help="How many bars ahead.")] = 48,
    blocks: Annotated[int, typer.Option(min=1, max=50, help="Blocks of time forecast one after the other.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the fits.")] = 1,
    prune: Annotated[bool, typer.Option("--prune/--no-prune", help="Test it without inputs that do not help.")] = True,
    userdir: Annotated[Path, typer.Option("--userdir", help="Folder of data and results.")] = _HOME,
    as_json: JsonFlag = False,
) -> None:
    """Walk experts forward over stored bars: skill with intervals, naive baselines, reliability, importance."""
    from seakeep.app.models import scorecards as scoring

    asked = scoring.Asked(horizon=horizon, blocks=blocks, seed=seed, prune=prune)
    wanted = [symbol.strip() for symbol in symbols.split(",") if symbol.strip()]
    with progress("scorecard", len(experts)) as advance:
        done = scoring.scorecards(userdir, list(dict.fromkeys(experts)), wanted, interval, asked, advance)
    for name, why in done.failures:
        note(f"warning: {name} was not judged: {why}")
    data = {
        "experts": scoring.as_json(done.sheets),
        "failures": [{"expert": name, "why": why} for name, why in done.failures],
        "report": str(done.page),
    }
    emit(data, lambda console: _show(console, done), as_json=as_json)


def _show(console: "Console", done: "Scored") -> None:
    from rich.table import Table

    from seakeep.backtest.notation import percent, plain
    from seakeep.backtest.pages.scorepage import says

    table = Table(box=None, header_style="dim", pad_edge=False)
    for name in ("expert", "IC", "95 % interval", "right", "saved: zero mean", "saved: recent dev.", "Brier/base"):
        table.add_column(name, justify="left" if name == "expert" else "right")
    for sheet in done.sheets:
        card = sheet.card
        table.add_row(
            sheet.name,
            plain(card.skill.ic, 3),
            f"{plain(card.skill.low, 3)} to {plain(card.skill.high, 3)}",
            percent(card.accuracy, 1),
            percent(card.against[0].gain, 2, signed=True),
            percent(card.against[-1].gain, 2, signed=True),
            f"{plain(card.brier, 4)}/{plain(card.brier_base, 4)}",
        )
    console.print(table)
    for sheet in done.sheets:
        console.print(f"[bold]{sheet.name}[/]  {says(sheet)}", soft_wrap=True)
    console.print(f"[bold]report[/]  {done.page}", soft_wrap=True)
