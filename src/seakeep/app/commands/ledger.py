"""Commands about the ledger: ledger runs, ledger verify, ledger export, show-trades."""

import os
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seakeep.app.console import Exit, JsonFlag, emit, note

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from seakeep.execution.trips import RoundTrip
    from seakeep.ledger.journal import Ledger
    from seakeep.ledger.runs import RunInfo
    from seakeep.ledger.verify import VerifyReport

__all__ = ["export", "register", "runs", "show_trades", "verify"]


class Format(StrEnum):
    """What `ledger export` writes."""

    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"


UserDir = Annotated[Path, typer.Option("--userdir", help="Folder of data, ledger, results and strategies.")]
DatabaseUrl = Annotated[
    str | None, typer.Option("--database-url", help="Another ledger: a file or postgresql://USER@HOST/NAME.")
]
RunId = Annotated[str, typer.Argument(help="A run of `seakeep ledger runs`; the newest if left out.")]
_HOME = Path("user_data")


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    family = typer.Typer(help="The hash-chained journal of every run: list, check, export.", no_args_is_help=True)
    family.command("runs")(runs)
    family.command("verify")(verify)
    family.command("export")(export)
    app.add_typer(family, name="ledger")
    app.command("show-trades")(show_trades)


def runs(userdir: UserDir = _HOME, database_url: DatabaseUrl = None, as_json: JsonFlag = False) -> None:
    """List the runs in the ledger."""
    with open_ledger(userdir, database_url) as ledger:
        found = ledger.runs()
    data: list[dict[str, Any]] = [
        {
            "run_id": run.run_id,
            "entries": run.head_seq,
            "first": _when(run.first_ts),
            "last": _when(run.last_ts),
            "head": run.head_hash.hex(),
        }
        for run in found
    ]
    emit(data, lambda console: _runs_table(console, data), as_json=as_json)


def verify(
    run_id: Annotated[str, typer.Argument(help="One run; all of them if left out.")] = "",
    userdir: UserDir = _HOME,
    database_url: DatabaseUrl = None,
    as_json: JsonFlag = False,
) -> None:
    """Check hash chain, read models and book of every run; exit code 8 names the first entry that is wrong."""
    with open_ledger(userdir, database_url) as ledger:
        chosen = [chosen_run(ledger, run_id)] if run_id else list(ledger.runs())
        reports = [ledger.verify(run.run_id) for run in chosen]
    emit(reports, lambda console: _verify_table(console, reports), as_json=as_json)
    if not all(report.ok for report in reports):
        note("error: the ledger is not what was written; restore it from a copy before you go on")
        raise typer.Exit(Exit.LEDGER)


def export(
    run_id: RunId = "",
    form: Annotated[Format, typer.Option("--format", help="csv and parquet: the tables; jsonl: the journal.")] = (
        Format.CSV
    ),
    to: Annotated[Path | None, typer.Option("--to", help="Folder; else USERDIR/exports/RUN.")] = None,
    userdir: UserDir = _HOME,
    database_url: DatabaseUrl = None,
    as_json: JsonFlag = False,
) -> None:
    """Write a run into files that other programs read."""
    from seakeep.ledger.export import export as write

    with open_ledger(userdir, database_url) as ledger:
        run = chosen_run(ledger, run_id)
        files = write(ledger, run.run_id, to or userdir / "exports" / run.run_id.replace(":", "_"), form.value)
    data = [str(file) for file in files]
    emit(data, lambda console: console.print("\n".join(data), soft_wrap=True, markup=False), as_json=as_json)


def show_trades(
    run_id: RunId = "",
    symbol: Annotated[str | None, typer.Option("--symbol", "-s", help="Only this one, such as BTC/USDT.")] = None,
    timerange: Annotated[str | None, typer.Option("--timerange", help="By exit: 20240101-20240601.")] = None,
    userdir: UserDir = _HOME,
    database_url: DatabaseUrl = None,
    as_json: JsonFlag = False,
) -> None:
    """List round trips, from flat to flat, with what each earned after fees; then what is still open."""
    from seakeep.core.units import parse_timerange
    from seakeep.execution.trips import round_trips
    from seakeep.ledger import queries

    start, end = parse_timerange(timerange) if timerange else (None, None)
    with open_ledger(userdir, database_url) as ledger:
        run = chosen_run(ledger, run_id)
        fills = queries.fills(ledger, run.run_id, queries.Span(symbol))
        held = [p for p in queries.positions(ledger, run.run_id) if p.qty and symbol in (None, p.symbol)]
    trips = [t for t in round_trips(fills) if (start or 0) <= t.exit_ts and (end is None or t.exit_ts < end)]
    data = {
        "run_id": run.run_id,
        "trades": trips,
        "pnl": sum((trip.pnl for trip in trips), Decimal(0)),
        "fees": sum((trip.fees for trip in trips), Decimal(0)),
        "open": {position.symbol: position.qty for position in held},
    }
    emit(data, lambda console: _trades_table(console, trips, data), as_json=as_json)


def open_ledger(userdir: Path, database_url: str | None) -> "Ledger":
    """The ledger that is asked for, read only: the option, the settings, else USERDIR/ledger.db."""
    from seakeep.app.settings import config_path, load
    from seakeep.ledger.db import ledger_url
    from seakeep.ledger.journal import Ledger

    configured = None if database_url else load(config_path(userdir, None), os.environ, {}).settings.ledger.url
    location = database_url or configured or userdir / "ledger.db"
    url = ledger_url(location)
    if url.get_backend_name() == "sqlite" and not Path(str(url.database)).exists():
        note(
            f"error: there is no ledger at {url.database}; run `seakeep demo` or `seakeep trade`, or name its --userdir"
        )
        raise typer.Exit(Exit.NOT_FOUND)
    return Ledger.open(location, readonly=True)


def chosen_run(ledger: "Ledger", run_id: str) -> "RunInfo":
    """That run, or the newest."""
    found = ledger.runs()
    chosen = [run for run in found if run_id in ("", run.run_id)]
    if not chosen:
        known = ", ".join(run.run_id for run in found[-10:]) or "none yet"
        note(f"error: no run {run_id!r} in this ledger; runs: {known}")
        raise typer.Exit(Exit.NOT_FOUND)
    return chosen[-1]


def _when(ts: int | None) -> str | None:
    from seakeep.core.units import iso

    return None if ts is None else iso(ts)


def _table(*columns: str, right: str = "") -> "Table":
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))
    for column in columns:
        table.add_column(column, justify="right" if column in right.split() else "left", no_wrap=True)
    return table


def _runs_table(console: "Console", data: list[dict[str, Any]]) -> None:
    table = _table("run", "entries", "first", "last", "head", right="entries")
    for row in data:
        head = str(row["head"])[:16]
        table.add_row(
            str(row["run_id"]), f"{row['entries']:,}", str(row["first"] or "-"), str(row["last"] or "-"), head
        )
    console.print(table if data else "the ledger has no run yet")


def _verify_table(console: "Console", reports: "list[VerifyReport]") -> None:
    from rich.text import Text

    for report in reports:
        word = Text("intact ", "green") if report.ok else Text("WRONG  ", "bold red")
        console.print(word + Text(f"{report.run_id}  {report.entries:,} entries hold; {report.book}"), soft_wrap=True)
        for fault in report.faults:
            console.print(Text(f"  entry {fault.seq}, {fault.table}: {fault.what}"), soft_wrap=True)
    if not reports:
        console.print("the ledger has no run yet")


def _trades_table(console: "Console", trips: "list[RoundTrip]", data: dict[str, Any]) -> None:
    numbers = ("qty", "entry", "exit", "pnl", "return", "held")
    table = _table("opened, UTC", "symbol", *numbers, right=" ".join(numbers))
    for trip in trips:
        opened = str(_when(trip.entry_ts))[:16].replace("T", " ")
        prices = (f"{trip.qty * trip.side.sign:+f}", f"{trip.entry_price:.7g}", f"{trip.exit_price:.7g}")
        table.add_row(opened, trip.symbol, *prices, f"{trip.pnl:+,.2f}", f"{trip.ret:+.2%}", _held(trip.duration_ms))
    console.print(table)
    console.print(
        f"{len(trips)} round trips, pnl {data['pnl']:+,.2f} after fees of {data['fees']:,.2f} ({data['run_id']})"
    )
    for symbol, qty in data["open"].items():
        console.print(f"still open: {qty:f} {symbol}")


def _held(duration_ms: int) -> str:
    minutes = duration_ms // 60_000
    days, hours = minutes // 1440, minutes // 60 % 24
    return f"{days}d {hours:02d}h" if days else f"{hours}h {minutes % 60:02d}m"
