"""Commands about the ledger: ledger runs, ledger verify, ledger export, show-trades."""

import os
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seakeep.app.console import Exit, JsonFlag, emit, note

if TYPE_CHECKING:
    from rich.console import Console

    from seakeep.execution.trips import RoundTrip
    from seakeep.ledger.journal import Ledger, RunInfo
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
    with _open(userdir, database_url) as ledger:
        found = ledger.runs()
    data = [
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
    with _open(userdir, database_url) as ledger:
        chosen = [_chosen(ledger, run_id)] if run_id else list(ledger.runs())
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

    with _open(userdir, database_url) as ledger:
        run = _chosen(ledger, run_id)
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
    with _open(userdir, database_url) as ledger:
        run = _chosen(ledger, run_id)
        fills = queries.fills(ledger, run.run_id, queries.Span(symbol))
        held = [p for p in queries.positions(ledger, run.run_id) if p.qty and symbol in (None, p.symbol)]
    trips = [t for t in round_trips(fills) if (start or 0) <= t.exit_ts and (end is None or t.exit_ts < end)]
    data = {
        "run_id": run.run_id,
        "trades": [{"pnl": str(trip.pnl), **_plain(trip)} for trip in trips],
        "pnl": str(sum((trip.pnl for trip in trips), Decimal(0))),
        "fees": str(sum((trip.fees for trip in trips), Decimal(0))),
        "open": {position.symbol: str(position.qty) for position in held},
    }
    emit(data, lambda console: _trades_table(console, trips, data), as_json=as_json)
