"""The main job: `demo`, `backtest`, `trade`, `report`."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seakeep.app.console import Exit, JsonFlag, emit, note, progress

if TYPE_CHECKING:
    from rich.console import Console
    from structlog.typing import FilteringBoundLogger

    from seakeep.app.hearing import Hearing
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
Speed = Annotated[str, typer.Option("--speed", help="max, real, or how many times faster than real.")]
NoIntegrity = Annotated[bool, typer.Option("--no-integrity", help="Leave out the fill band and the checks.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show the log on stderr too.")]
_HOME = Path("user_data")


def register(app: typer.Typer) -> None:
    """Add the commands of this family."""
    app.command("demo")(demo)
    app.command("backtest")(backtest)
    app.command("trade")(trade)
    app.command("report")(report)


def demo(
    userdir: UserDir = _HOME / "demo",
    days: Annotated[int, typer.Option(min=1, max=3000, help="Days to trade.")] = 60,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the synthetic market.")] = 7,
    verbose: Verbose = False,
    as_json: JsonFlag = False,
) -> None:
    """Generate a market, trade it on paper through the ledger, verify, backtest the same days, and report. Offline."""
    from seakeep.app.demo import run_demo
    from seakeep.app.telemetry import logged

    with logged(userdir, "demo", verbose=verbose) as log:
        result, page, hearing = run_demo(userdir, days, seed)
        _show(log, result, page, hearing=hearing, as_json=as_json)
    if not as_json and _has_screen():
        typer.launch(page.resolve().as_uri())


def backtest(
    userdir: UserDir = _HOME,
    config: Config = None,
    symbols: Symbols = None,
    interval: Interval = None,
    strategy: StrategyName = None,
    timerange: TimeRange = None,
    no_integrity: NoIntegrity = False,
    verbose: Verbose = False,
    as_json: JsonFlag = False,
) -> None:
    """Run a strategy over stored bars and write its report."""
    from seakeep.app.bootstrap import prepare
    from seakeep.app.hearing import hearing_of, hearing_section
    from seakeep.app.integrity import glance, lay, write
    from seakeep.app.models.beliefs import pinned
    from seakeep.app.runs import counted, run_id, run_session, write_report
    from seakeep.app.telemetry import logged

    _must_exist(userdir)
    with logged(userdir, "backtest", verbose=verbose) as log:
        settings = _settings(userdir, config, symbols, interval, strategy, timerange)
        settings = pinned(settings, userdir)
        session = prepare(settings, userdir, run_id("backtest", settings))
        with progress("backtest", None) as advance:
            result = counted(run_session(session, lambda _: advance(1)), settings, userdir, "backtest")
        court = None if no_integrity else glance(lay(session, userdir, result))
        hearing = hearing_of(settings, userdir, result)
        panel = hearing_section(hearing)
        page = write(result, court, userdir, panel) if court else write_report(result, userdir, panel)
        _show(log, result, page, court, hearing, as_json=as_json)


def trade(
    userdir: UserDir = _HOME,
    config: Config = None,
    symbols: Symbols = None,
    interval: Interval = None,
    strategy: StrategyName = None,
    timerange: TimeRange = None,
    speed: Speed = "max",
    dry_run: Annotated[bool, typer.Option("--dry-run/--live", help="On paper, or with real money.")] = True,
    verbose: Verbose = False,
    as_json: JsonFlag = False,
) -> None:
    """Trade on paper over stored bars, every step in the ledger; asked again, it goes on where it stopped."""
    from seakeep.app import runs
    from seakeep.app.hearing import hearing_of, hearing_section
    from seakeep.app.telemetry import logged
    from seakeep.core.errors import ConfigError

    if not dry_run:
        raise ConfigError("--live is not available", remedy="this version trades on paper only: use --dry-run")
    _must_exist(userdir)
    with logged(userdir, "trade", verbose=verbose) as log:
        settings = _settings(userdir, config, symbols, interval, strategy, timerange)
        with progress("trade", None) as advance:
            result = runs.dry_run(settings, userdir, speed, lambda _: advance(1))
        hearing = hearing_of(settings, userdir, result)
        page = runs.write_report(result, userdir, hearing_section(hearing))
        _show(log, result, page, hearing=hearing, as_json=as_json)


def report(
    run_id: Annotated[str, typer.Argument(help="A run under USERDIR/results; the newest if left out.")] = "",
    userdir: UserDir = _HOME,
    as_json: JsonFlag = False,
) -> None:
    """Show a finished run again, and where its page is."""
    from seakeep.app.places import results
    from seakeep.backtest.saving import load_summary

    pages = sorted(results(userdir).glob("*/report.html"), key=lambda page: page.stat().st_mtime)
    chosen = [page for page in pages if run_id in ("", page.parent.name)]
    if not chosen:
        known = ", ".join(page.parent.name for page in pages) or "none yet, make one with: seakeep backtest"
        what = f"run {run_id!r}" if run_id else "finished run"
        note(f"error: no {what} in {userdir}; there are: {known}")
        raise typer.Exit(Exit.NOT_FOUND)
    summary = load_summary(chosen[-1].parent) | {"report": str(chosen[-1])}
    emit(summary, lambda console: _recall(console, summary), as_json=as_json)


def _recall(console: "Console", summary: dict[str, Any]) -> None:
    """The few lines that say which run it was; the page has the rest."""
    symbols = ", ".join(summary["symbols"])
    console.print(f"[bold]{summary['strategy']}[/] on {symbols}, {summary['interval']} bars", soft_wrap=True)
    console.print(f"{summary['start']} to {summary['end']}, run {summary['run_id']}", soft_wrap=True)
    gained, held = summary["total_return"], summary["buy_and_hold_return"]
    console.print(f"return {gained:+.2%}, buy-and-hold {held:+.2%}, {summary['round_trips']} round trips")
    console.print(f"[bold]report[/]  {summary['report']}", soft_wrap=True)


def _must_exist(userdir: Path) -> None:
    from seakeep.core.errors import ConfigError

    if not userdir.exists():
        remedy = "make one with: seakeep init, or name another --userdir"
        raise ConfigError("there is no such user folder", value=str(userdir), remedy=remedy)


def _has_screen() -> bool:
    """Whether a person sits before a desktop, so that a page may open."""
    desktop = sys.platform == "darwin" or "DISPLAY" in os.environ or "WAYLAND_DISPLAY" in os.environ
    return desktop and sys.stdout.isatty()


def _settings(
    userdir: Path,
    config: Path | None,
    symbols: str | None,
    interval: str | None,
    strategy: str | None,
    timerange: str | None,
) -> "Settings":
    from seakeep.app.settings import config_path, load

    loaded = load(
        config_path(userdir, config),
        os.environ,
        {"run.symbols": symbols, "run.interval": interval, "strategy.name": strategy, "run.timerange": timerange},
    )
    for notice in loaded.notices:
        note(notice)
    return loaded.settings


def _show(
    log: "FilteringBoundLogger",
    result: "Result",
    page: Path,
    court: "Integrity | None" = None,
    hearing: "Hearing | None" = None,
    *,
    as_json: bool,
) -> None:
    from msgspec import to_builtins

    from seakeep.backtest.saving import summary

    data = summary(result) | {"report": str(page)} | ({"integrity": to_builtins(court)} if court else {})
    data |= {"heard": to_builtins(hearing)} if hearing else {}
    log.info("result", **{key: data[key] for key in ("run_id", "final_equity", "fills", "digest", "report")})

    def render(console: "Console") -> None:
        from seakeep.app.hearing import hearing_line
        from seakeep.backtest.pages.terminal import tables

        console.print(*tables(result, court), sep="\n")
        if hearing:
            console.print(f"[bold]heard[/]   {hearing_line(hearing)}", soft_wrap=True)
        console.print(f"[bold]report[/]  {page}", soft_wrap=True)

    emit(data, render, as_json=as_json)
