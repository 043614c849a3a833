"""Whether a backtest can be believed: `integrity`."""

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seakeep.app.console import Exit, JsonFlag, emit, note, progress

if TYPE_CHECKING:
    from rich.console import Console

    from seakeep.app.settings import Settings
    from seakeep.backtest.integrity.court import Integrity
    from seakeep.backtest.result import Result

__all__ = ["register"]

UserDir = Annotated[Path, typer.Option("--userdir", help="Folder of data, ledger, results and strategies.")]
Config = Annotated[
    Path | None, typer.Option("--config", "-c", help="TOML settings; else USERDIR/config.toml if there.")
]
Symbols = Annotated[str | None, typer.Option("--symbols", "-s", help="BTC/USDT,ETH/USDT")]
Interval = Annotated[str | None, typer.Option("--interval", "-i", help="Bar length: 1m, 5m, 1h, 1d.")]
StrategyName = Annotated[str | None, typer.Option("--strategy", help="A strategy of list-strategies.")]
TimeRange = Annotated[str | None, typer.Option("--timerange", help="20240101-20240601, 20240101- or -20240601.")]
Workers = Annotated[int, typer.Option("--workers", min=1, max=64, help="Processes that share the checks.")]


class Letter(StrEnum):
    """The grades."""

    A = "A"
    B = "B"
    C = "C"
    D = "D"
    F = "F"


AtLeast = Annotated[Letter, typer.Option("--at-least", help="Exit with 6 if the grade is worse than this.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this family."""
    app.command("integrity")(integrity)


def integrity(
    userdir: UserDir = Path("user_data"),
    config: Config = None,
    symbols: Symbols = None,
    interval: Interval = None,
    strategy: StrategyName = None,
    timerange: TimeRange = None,
    workers: Workers = 2,
    at_least: AtLeast = Letter.D,
    as_json: JsonFlag = False,
) -> None:
    """Run a strategy again under every doubt, and grade its backtest from A to F with reasons."""
    from seakeep.app.hearing import hearing_of, hearing_section
    from seakeep.app.integrity import examine, write
    from seakeep.app.telemetry import logged
    from seakeep.backtest.integrity.court import COURT
    from seakeep.core.errors import ConfigError

    if not userdir.exists():
        remedy = "make one with: seakeep init, or name another --userdir"
        raise ConfigError("there is no such user folder", value=str(userdir), remedy=remedy)
    with logged(userdir, "integrity", verbose=False) as log:
        settings = _settings(userdir, config, symbols, interval, strategy, timerange)
        with progress("integrity", len(COURT)) as advance:
            result, court = examine(settings, userdir, workers, advance)
        page = None
        if result is not None:
            page = write(result, court, userdir, hearing_section(hearing_of(settings, userdir, result)))
        log.info("integrity", grade=court.grade.letter, run_id=result.run_id if result else None)
    emit(_data(result, court, page), lambda console: _show(console, result, court, page), as_json=as_json)
    if court.grade.letter > at_least:
        raise typer.Exit(Exit.INTEGRITY)


def _settings(
    userdir: Path,
    config: Path | None,
    symbols: str | None,
    interval: str | None,
    strategy: str | None,
    timerange: str | None,
) -> "Settings":
    from seakeep.app.settings import config_path, load

    asked = {"run.symbols": symbols, "run.interval": interval, "strategy.name": strategy, "run.timerange": timerange}
    loaded = load(config_path(userdir, config), os.environ, asked)
    for notice in loaded.notices:
        note(notice)
    return loaded.settings


def _data(result: "Result | None", court: "Integrity", page: Path | None) -> dict[str, Any]:
    """The ruling for JSON; without a run the strategy broke its contract and there is no page."""
    import msgspec

    ruling = msgspec.to_builtins(court)
    run = {"run_id": result.run_id if result else None, "report": str(page) if page else None}
    return {**run, "grade": court.grade.letter, "says": court.grade.says, "reasons": court.grade.reasons} | {
        key: ruling[key] for key in ("whole", "band", "checks")
    }


def _show(console: "Console", result: "Result | None", court: "Integrity", page: Path | None) -> None:
    from seakeep.backtest.pages.terminal import ruling, tables

    shown = ruling(court) if result is None else tables(result, court)
    console.print(*shown, sep="\n")
    if page is not None:
        console.print(f"[bold]report[/]  {page}", soft_wrap=True)
