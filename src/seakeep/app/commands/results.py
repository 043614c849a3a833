"""`results`: every finished run, ranked by a figure."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seakeep.app.console import JsonFlag, emit

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["register"]

UserDir = Annotated[Path, typer.Option("--userdir", help="Folder of data and results.")]


def register(app: typer.Typer) -> None:
    """Add the command of this family."""
    app.command("results")(results)


def results(
    metric: Annotated[str, typer.Option(help="A figure of the reports: total_return, sharpe, max_drawdown ...")] = (
        "total_return"
    ),
    symbols: Annotated[str | None, typer.Option("--symbols", "-s", help="Only runs that hold all of these.")] = None,
    interval: Annotated[str | None, typer.Option("--interval", "-i", help="Only runs on bars of this length.")] = None,
    userdir: UserDir = Path("user_data"),
    as_json: JsonFlag = False,
) -> None:
    """List finished runs, the highest value of a figure first, each with its interval."""
    from seakeep.app.places import results as folder
    from seakeep.backtest.saving import load_summary

    wanted = set(symbols.split(",")) if symbols else set()
    found = [load_summary(path.parent) for path in sorted(folder(userdir).glob("*/summary.json"))]
    rows = [
        _row(run, metric)
        for run in found
        if wanted <= set(run["symbols"]) and interval in (None, run["interval"])  # type: ignore[call-overload]
    ]
    rows.sort(key=lambda row: (row["value"] is None, -(row["value"] or 0.0)))
    emit(rows, lambda console: _show(console, rows, metric), as_json=as_json)


def _row(run: dict[str, Any], metric: str) -> dict[str, Any]:
    """One run with that figure. Raises: ConfigError naming the figures there are."""
    from seakeep.core.errors import ConfigError
    from seakeep.core.registry import nearest

    told: dict[str, Any] = run["metrics"]
    estimate = told.get(metric)
    if estimate is None and not isinstance(run.get(metric), int | float):
        known = [*told, *(key for key, value in run.items() if isinstance(value, int | float))]
        raise ConfigError("no such figure", value=metric, remedy=nearest(metric, known))
    estimate = estimate or {"value": run[metric], "low": None, "high": None}
    kept = ("run_id", "strategy", "symbols", "interval", "start", "end", "round_trips")
    return {key: run[key] for key in kept} | {"metric": metric} | {k: estimate[k] for k in ("value", "low", "high")}


def _show(console: "Console", rows: list[dict[str, Any]], metric: str) -> None:
    from rich.table import Table

    if not rows:
        console.print("no finished run matches; make one with: seakeep backtest")
        return
    table = Table(box=None, header_style="dim", pad_edge=False)
    for name in (metric, "95 % interval", "strategy", "symbols", "bars", "from", "to", "trips", "run"):
        table.add_column(
            name, justify="right" if name in (metric, "trips") else "left", no_wrap=name in (metric, "95 % interval")
        )
    for row in rows:
        about = (row["strategy"], ", ".join(row["symbols"]), row["interval"], row["start"][:10], row["end"][:10])
        between = f"{_text(row['low'])} to {_text(row['high'])}" if row["low"] is not None else ""
        table.add_row(_text(row["value"]), between, *about, str(row["round_trips"]), row["run_id"])
    console.print(table)


def _text(value: float | None) -> str:
    return "n/a" if value is None or math.isnan(value) else f"{value:.4g}"
