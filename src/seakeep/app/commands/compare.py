"""Runs side by side: `compare`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seakeep.app.console import Exit, JsonFlag, emit, note

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from seakeep.backtest.comparison import Comparison, Contrast

__all__ = ["register"]

UserDir = Annotated[Path, typer.Option("--userdir", help="Folder of data, ledger, results and strategies.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this family."""
    app.command("compare")(compare)


def compare(
    runs: Annotated[
        list[str], typer.Argument(help="Runs under USERDIR/results; the first is what others are held to.")
    ],
    userdir: UserDir = Path("user_data"),
    samples: Annotated[int, typer.Option(min=100, max=100_000, help="Bootstrap samples.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the bootstrap.")] = 0,
    as_json: JsonFlag = False,
) -> None:
    """Show finished runs side by side, and whether they differ by more than noise."""
    from seakeep.app.places import results
    from seakeep.backtest.comparison import compare as compared
    from seakeep.backtest.comparison import load_run
    from seakeep.core.errors import ConfigError

    if len(runs) < 2:
        raise ConfigError("compare needs two runs or more", value=runs[0], remedy="name another one")
    known = sorted(page.parent.name for page in results(userdir).glob("*/summary.json"))
    for run in runs:
        if run not in known:
            note(f"error: no run {run!r} in {userdir}; there are: {', '.join(known) or 'none yet'}")
            raise typer.Exit(Exit.NOT_FOUND)
    found = compared([load_run(results(userdir) / run) for run in runs], samples=samples, seed=seed)
    emit(found, lambda console: _show(console, found), as_json=as_json)


def _show(console: "Console", found: "Comparison") -> None:
    console.print(_side_by_side(found))
    for contrast in found.contrasts:
        console.print(_differences(contrast, several=len(found.contrasts) > 1))
        for line in contrast.notes:
            console.print(f"! {line}", style="yellow", markup=False, soft_wrap=True)


def _grid(title: str, columns: "list[str]") -> "Table":
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title), title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    for i, name in enumerate(columns):
        table.add_column(Text(name), justify="right" if i else "left", overflow="fold")
    return table


def _side_by_side(found: "Comparison") -> "Table":
    from rich.text import Text

    from seakeep.backtest.pages.figures import METRICS, interval, value

    titles = [f"{run}\n{strategy}" for run, strategy in zip(found.runs, found.strategies, strict=True)]
    table = _grid("Each run over its own time", ["metric", *titles])
    for name, kind in METRICS.items():
        estimates = [metrics.get(name) for metrics in found.metrics]
        cells = [
            "" if one is None else f"{value(one.value, kind.form)}\n{interval(one, kind.form)}".rstrip()
            for one in estimates
        ]
        table.add_row(*(Text(cell) for cell in (kind.label, *cells)))
    return table


def _differences(contrast: "Contrast", *, several: bool) -> "Table":
    from rich.text import Text

    from seakeep.backtest.notation import plain
    from seakeep.backtest.pages.figures import METRICS, value
    from seakeep.stats.performance import LEVEL

    when = f"{contrast.start[:10]} to {contrast.end[:10]}, {contrast.bars:,} bars, {contrast.days:,} days"
    columns = [
        "metric",
        "first",
        "other",
        "difference",
        f"{LEVEL:.0%} interval",
        "p",
        *(["p (Holm)"] if several else []),
    ]
    table = _grid(f"{contrast.first} less {contrast.other}\n{when}", columns)
    for one in contrast.differences:
        kind = METRICS[one.metric]
        first, other, apart, low, high = (
            value(x, kind.form) for x in (one.first, one.other, one.difference, one.low, one.high)
        )
        chances = [plain(p, 3) for p in ((one.p_value, one.p_adjusted) if several else (one.p_value,))]
        table.add_row(*(Text(cell) for cell in (kind.label, first, other, apart, f"{low} to {high}", *chances)))
    return table
