"""Commands about stored bars: import-data, download-data, check-data, list-data."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seakeep.app.console import Exit, JsonFlag, emit, note, progress
from seakeep.core.errors import ConfigError, DataError, SeakeepError

if TYPE_CHECKING:
    from rich.console import Console

    from seakeep.data.inventory import Held
    from seakeep.data.quality import QualityReport
    from seakeep.data.store import Entry, ParquetStore

__all__ = ["check_data", "download_data", "import_data", "list_data", "register"]

UserDir = Annotated[Path, typer.Option("--userdir", help="Folder of your settings, data, strategies and results.")]
Symbols = Annotated[str | None, typer.Option("--symbols", "-s", help="Only these: BTC/USDT,ETH/USDT")]
Interval = Annotated[str | None, typer.Option("--interval", "-i", help="Bar length: 1m, 5m, 1h, 1d.")]
_HOME = Path("user_data")


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command("import-data")(import_data)
    app.command("import-funding")(import_funding)
    app.command("download-data")(download_data)
    app.command("check-data")(check_data)
    app.command("list-data")(list_data)


def import_data(
    paths: Annotated[list[Path], typer.Argument(help="Files or folders: CSV, zip, gz, Parquet, Feather, JSON.")],
    symbol: Annotated[str | None, typer.Option("--symbol", "-s", help="BTC/USDT; else from the file names.")] = None,
    interval: Interval = None,
    market: Annotated[str | None, typer.Option("--market", help="spot or perp; else from the names.")] = None,
    columns: Annotated[str, typer.Option("--map", help="Columns by field: time=Date,open=Open")] = "",
    time_format: Annotated[str, typer.Option("--time-format", help="auto, s, ms, us or iso.")] = "auto",
    userdir: UserDir = _HOME,
    as_json: JsonFlag = False,
) -> None:
    """Read files of bars into the store; each file whole or not at all."""
    from seakeep.data.importer import find_files, import_file, import_options, refuse_mixture

    said = {"symbol": symbol, "interval": interval, "market": market, "time_format": time_format}
    options = import_options(said, columns)
    store, files = _store(userdir), find_files(paths)
    refuse_mixture(files, options)
    done: list[Any] = []
    failed: list[str] = []
    with progress("importing", len(files)) as advance:
        for path in files:
            try:
                done.append(import_file(store, path, options))
            except SeakeepError as error:
                if len(files) == 1:
                    raise
                failed.append(str(error))
            advance(1)
    emit({"imported": done, "failed": failed}, lambda console: _imported(console, done), as_json=as_json)
    for line in failed:
        note(f"error: {line}")
    if failed:
        note(f"{len(failed)} of {len(files)} files were not imported")
        raise typer.Exit(Exit.ERROR)


def import_funding(
    path: Annotated[Path, typer.Argument(help="CSV, zip, Parquet or JSON with a time and a rate column.")],
    symbol: Annotated[str, typer.Option("--symbol", "-s", help="The perpetual: BTC/USDT:USDT")],
    userdir: UserDir = _HOME,
    as_json: JsonFlag = False,
) -> None:
    """Read the funding rates that a perpetual's positions pay and receive."""
    from seakeep.data.observations import read_funding, write_observations
    from seakeep.data.universe import split_symbol

    split_symbol(symbol)
    if ":" not in symbol:
        raise ConfigError("only a perpetual pays funding", value=symbol, remedy="write for example BTC/USDT:USDT")
    rates = read_funding(path, symbol)
    changed = write_observations(_store(userdir).root, rates)
    answer = {"symbol": symbol, "rates": len(rates), "new_or_changed": changed}
    said = f"{symbol}: {len(rates):,} funding rates read, {changed:,} new or changed"
    emit(answer, lambda console: console.print(said), as_json=as_json)


def download_data(
    symbols: Annotated[str, typer.Option("--symbols", "-s", help="BTC/USDT,ETH/USDT; perpetual: BTC/USDT:USDT")],
    exchange: Annotated[str, typer.Option("--exchange", help="An exchange as ccxt names it.")] = "binance",
    interval: Annotated[str, typer.Option("--interval", "-i", help="Bar length: 1m, 5m, 1h, 1d.")] = "1h",
    timerange: Annotated[str | None, typer.Option("--timerange", help="20240101-20240601, 20240101-")] = None,
    base_url: Annotated[str | None, typer.Option("--base-url", help="Another server of the exchange's API.")] = None,
    userdir: UserDir = _HOME,
    as_json: JsonFlag = False,
) -> None:
    """Fetch closed bars and trading rules from an exchange, from where the store ends."""
    from seakeep.core.units import parse_timerange
    from seakeep.data.download import Request, connect, download

    start, end = parse_timerange(timerange) if timerange else (None, None)
    store = _store(userdir)
    done = []
    for symbol in _split(symbols):
        client = connect(exchange, symbol, base_url)
        with progress(f"{symbol} {interval}", None) as advance:
            done.append(download(client, store, Request(symbol, interval, start, end), advance=advance))
    titles = ("symbol", "interval", "received", "new or changed")
    rows = [(d.symbol, d.interval, f"{d.received:,}", f"{d.written:,}") for d in done]
    emit({"downloaded": done}, lambda console: _table(console, titles, rows), as_json=as_json)


def check_data(
    symbols: Symbols = None, interval: Interval = None, userdir: UserDir = _HOME, as_json: JsonFlag = False
) -> None:
    """Look for gaps, repeats, impossible prices, outliers and stale ends in stored bars, and grade them A to F.

    Of news, observations and order books it says how long there were none, and what is dated after now.
    """
    import time

    from seakeep.data.quality import check

    store = _store(userdir)
    entries = _chosen(store, symbols, interval)
    beside = _beside(store, symbols)
    reports = []
    with progress("checking", len(entries)) as advance:
        for entry in entries:
            reports.append(check(store.read(entry.symbol, entry.interval), now=int(time.time() * 1000)))
            advance(1)

    def render(console: "Console") -> None:
        _graded(console, reports)
        for held in beside:
            console.print(_gaps(held), soft_wrap=True)

    emit({"reports": reports, "beside": beside}, render, as_json=as_json)


def list_data(
    symbols: Symbols = None, interval: Interval = None, userdir: UserDir = _HOME, as_json: JsonFlag = False
) -> None:
    """List what the store holds."""
    store = _store(userdir)
    entries, beside = _chosen(store, symbols, interval), _beside(store, symbols)
    titles = ("symbol", "interval", "bars", "first", "last", "hash")
    rows = [(e.symbol, e.interval, f"{e.rows:,}", _minute(e.first), _minute(e.last), e.hash[:12]) for e in entries]
    others = [(h.name, h.symbol, f"{h.count:,}", _minute(h.first), _minute(h.last)) for h in beside]

    def render(console: "Console") -> None:
        _table(console, titles, rows)
        if others:
            console.print()
            _table(console, ("beside the bars", "of", "items", "first known", "last known"), others)

    emit({"data": entries, "beside": beside}, render, as_json=as_json)


def _store(userdir: Path) -> "ParquetStore":
    from seakeep.app.places import configured_store

    return configured_store(userdir)


def _split(symbols: str) -> list[str]:
    names = [name.strip() for name in symbols.split(",") if name.strip()]
    if not names:
        raise ConfigError("--symbols names nothing", value=symbols, remedy="write BTC/USDT,ETH/USDT")
    return names


def _chosen(store: "ParquetStore", symbols: str | None, interval: str | None) -> "Sequence[Entry]":
    entries = store.entries()
    if symbols:
        for symbol in _split(symbols):
            store.held(symbol, interval)
        entries = tuple(e for e in entries if e.symbol in _split(symbols))
    chosen = [e for e in entries if interval is None or e.interval == interval]
    if not chosen:
        remedy = "fill it with import-data, download-data or generate-data"
        raise DataError(f"{store.root} holds no {interval or ''} bars".replace("  ", " "), remedy=remedy)
    return chosen


def _beside(store: "ParquetStore", symbols: str | None) -> "tuple[Held, ...]":
    """What is held beside the bars: of these symbols, and of the whole market."""
    import time

    from seakeep.data.inventory import inventory

    held = inventory(store.root, int(time.time() * 1000))
    wanted = {"", "market", *_split(symbols)} if symbols else {h.symbol for h in held}
    return tuple(h for h in held if h.symbol in wanted)


def _gaps(held: "Held") -> str:
    what = f"{held.name} {held.symbol}".rstrip()
    said = f"   {what}  {held.count:,}, {_minute(held.first)} to {_minute(held.last)}"
    said += f"; none for {held.longest_gap_ms / 3_600_000:,.1f} h at the longest" if held.count > 1 else ""
    return f"{said}; [yellow]{held.later:,} dated after now[/]" if held.later else said


def _table(console: "Console", titles: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in titles:
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def _imported(console: "Console", done: Sequence[Any]) -> None:
    titles = ("file", "symbol", "interval", "rows", "new or changed", "out of place")
    rows = []
    for d in done:
        odd = {"repeated": d.duplicates, "out of order": d.disordered, "off the grid, left out": d.off_grid}
        said = ", ".join(f"{count:,} {name}" for name, count in odd.items() if count)
        rows.append((Path(d.path).name, d.symbol, d.interval, f"{d.rows:,}", f"{d.written:,}", said))
    _table(console, titles, rows)


def _graded(console: "Console", reports: "Sequence[QualityReport]") -> None:
    colours = {"error": "red", "warn": "yellow", "info": "dim"}
    for r in reports:
        head = f"{r.symbol} {r.interval}  {r.rows:,} bars, {_minute(r.first)} to {_minute(r.last)}"
        console.print(f"[bold]{r.grade}  {head}[/bold]", soft_wrap=True)
        for f in r.findings:
            mark = f"[{colours[f.severity]}]{f.severity:5}[/]"
            console.print(f"   {mark} {f.kind} x {f.count:,} from {_minute(f.first)}: {f.effect}", soft_wrap=True)


def _minute(ts: int) -> str:
    from seakeep.core.units import iso

    return iso(ts)[:16].replace("T", " ")
