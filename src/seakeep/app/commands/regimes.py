"""`regimes`: the market regime of each symbol now, how it came about, and what holding it earned in each."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seakeep.app.console import JsonFlag, emit

if TYPE_CHECKING:
    from rich.console import Console

    from seakeep.backtest.pages.regimepage import RegimeView

__all__ = ["register"]

_HOME = Path("user_data")


def register(app: typer.Typer) -> None:
    """Add the command of this family."""
    app.command("regimes")(regimes)


def regimes(
    symbols: Annotated[str, typer.Option("--symbols", "-s", help="Symbols of list-data, separated by commas.")],
    interval: Annotated[str, typer.Option("--interval", "-i", help="Bar length.")] = "1h",
    model: Annotated[str, typer.Option("--model", help="rules, kmeans, gmm, hmm or vote.")] = "vote",
    train: Annotated[float, typer.Option(min=0.05, max=0.95, help="Share of the history that is learnt from.")] = 0.5,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the fit.")] = 1,
    html: Annotated[Path | None, typer.Option("--html", help="Write a page with the coloured price here.")] = None,
    userdir: Annotated[Path, typer.Option("--userdir", help="Folder of data and results.")] = _HOME,
    as_json: JsonFlag = False,
) -> None:
    """Fit a regime model on the first part of the history and tell the regimes of the rest."""
    from seakeep.app.models.regimes import answer, study
    from seakeep.app.places import configured_store

    wanted = [symbol.strip() for symbol in symbols.split(",") if symbol.strip()]
    store = configured_store(userdir)
    views, fitted = study([store.read(symbol, interval) for symbol in wanted], model, train, seed)
    if html is not None:
        from seakeep.app.models.regimes import write_page

        write_page(html, views, model, fitted)
    said = answer(views, model, fitted) | ({"page": str(html)} if html else {})
    emit(said, lambda console: _show(console, views, fitted, html), as_json=as_json)


def _show(console: "Console", views: "list[RegimeView]", fitted: str, html: Path | None) -> None:
    from rich.table import Table

    from seakeep.backtest.notation import duration, percent, plain

    console.print(f"[dim]{fitted}[/]", soft_wrap=True)
    for view in views:
        now = view.now
        odds = ", ".join(f"{label} {percent(p, 0)}" for label, p in sorted(now.probs, key=lambda pair: -pair[1]))
        console.print(f"\n[bold]{view.bars.symbol}[/]  {now.label}, {percent(now.confidence, 0)} sure  [dim]{odds}[/]")
        table = Table(box=None, header_style="dim", pad_edge=False)
        for name in ("regime", "share", "mean run", "return a year", "95 % interval", "volatility", "Sharpe"):
            table.add_column(name, justify="left" if name == "regime" else "right")
        for row in view.performance:
            stays = view.stays_ms[row.label]
            between = f"{percent(row.low, 0, signed=True)} to {percent(row.high, 0, signed=True)}"
            lasted = duration(int(stays.mean())) if len(stays) else "n/a"
            gain, wild = percent(row.mean, 0, signed=True), percent(row.volatility, 0)
            table.add_row(row.label, percent(row.share, 1), lasted, gain, between, wild, plain(row.sharpe))
        console.print(table)
    if html is not None:
        console.print(f"\n[bold]page[/]  {html}", soft_wrap=True)
