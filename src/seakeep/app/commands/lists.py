"""What is registered: `list-indicators`, `list-experts`, `list-strategies`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seakeep.app.console import JsonFlag, emit

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the commands of this family."""
    app.command("list-indicators")(list_indicators)
    app.command("list-experts")(list_experts)
    app.command("list-strategies")(list_strategies)


def list_indicators(as_json: JsonFlag = False) -> None:
    """Indicators, their parameters, and the bars they need."""
    from seakeep.features import INDICATORS

    rows = [
        {
            "name": name,
            "family": part.family,
            "parameters": ", ".join(f"{key}={default}" for key, default in part.params),
            "bars": part.lookback(tuple(default for _, default in part.params)),
            "what": part.summary,
        }
        for name in INDICATORS
        for part in [INDICATORS[name]]
    ]
    _table("indicators", rows, as_json=as_json)


def list_experts(as_json: JsonFlag = False) -> None:
    """Experts and their parameters."""
    from seakeep.models import EXPERTS
    from seakeep.models.neural import missing

    rows = [_part(name, EXPERTS[name]) | {"needs": missing(EXPERTS[name])} for name in EXPERTS]
    _table("experts", rows, as_json=as_json)


def list_strategies(
    userdir: Annotated[Path, typer.Option("--userdir", help="Folder whose strategies/ is read too.")] = Path(
        "user_data"
    ),
    as_json: JsonFlag = False,
) -> None:
    """Strategies, yours included, and their parameters."""
    from seakeep.app.strategyfiles import load_user_strategies
    from seakeep.strategy import STRATEGIES

    load_user_strategies(userdir)
    _table("strategies", [_part(name, STRATEGIES[name]) for name in STRATEGIES], as_json=as_json)


def _part(name: str, part: type) -> dict[str, Any]:
    from inspect import Parameter, signature

    params = [p for p in signature(part).parameters.values() if p.kind is Parameter.KEYWORD_ONLY]
    return {
        "name": name,
        "group": getattr(part, "group", ""),
        "parameters": ", ".join(f"{p.name}={p.default}" for p in params),
        "what": (part.__doc__ or "").strip().partition("\n")[0],
    }


def _table(title: str, rows: list[dict[str, Any]], *, as_json: bool) -> None:
    def render(console: "Console") -> None:
        from rich.table import Table

        table = Table(title=f"{len(rows)} {title}", title_justify="left", box=None, header_style="bold")
        for column in rows[0]:
            table.add_column(column, justify="right" if column == "bars" else "left")
        for row in rows:
            table.add_row(*(str(value) for value in row.values()))
        console.print(table)

    emit(rows, render, as_json=as_json)
