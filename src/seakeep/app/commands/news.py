"""Commands about what is known beside the bars: import-news, import-sentiment, import-books."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seakeep.app.console import JsonFlag, emit
from seakeep.core.errors import ConfigError

if TYPE_CHECKING:
    from seakeep.data.store import ParquetStore

__all__ = ["import_books", "import_news", "import_sentiment", "register"]

UserDir = Annotated[Path, typer.Option("--userdir", help="Folder of your settings, data, strategies and results.")]
Columns = Annotated[str, typer.Option("--map", help="Columns by field: time=Date,title=Headline")]
_HOME = Path("user_data")


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command("import-news")(import_news)
    app.command("import-sentiment")(import_sentiment)
    app.command("import-books")(import_books)


def import_news(
    path: Annotated[Path, typer.Argument(help="CSV, JSON lines, JSON array, Parquet or Feather.")],
    columns: Columns = "",
    delay: Annotated[
        str, typer.Option("--delay", help="When it can be read after it was published: 0, 30s, 5m.")
    ] = "0",
    userdir: UserDir = _HOME,
    as_json: JsonFlag = False,
) -> None:
    """Read news into the store: when, title, body, source, symbols, address. Runs hear them when they are known."""
    from seakeep.data.news import news_from, write_news

    read = news_from(path, _mapping(columns), _duration("--delay", delay))
    changed = write_news(_store(userdir).root, read.items)
    first, last = _minute(read.items[0].known_at), _minute(read.items[-1].known_at)
    answer = {
        "file": str(path), "rows": read.rows, "repeated": read.repeated, "news": len(read.items),
        "new_or_changed": changed, "first": first, "last": last,
    }  # fmt: skip
    again = f", {read.repeated:,} repeated" if read.repeated else ""
    said = f"{path.name}: {len(read.items):,} news from {first} to {last}{again}; {changed:,} new or changed"
    emit(answer, lambda console: console.print(said, soft_wrap=True), as_json=as_json)


def import_sentiment(
    path: Annotated[Path, typer.Argument(help="A table of readings: a time and a score in each row.")],
    symbol: Annotated[str, typer.Option("--symbol", "-s", help="BTC/USDT, or market for all of them.")],
    score_range: Annotated[str, typer.Option("--range", help="Lowest and highest score: 0,100")] = "-1,1",
    known_after: Annotated[
        str | None, typer.Option("--known-after", help="When after its time it is known: 0, 1h, 1d for a day's mean.")
    ] = None,
    confidence: Annotated[
        float | None, typer.Option("--confidence", help="How far to trust it, up to 1, where no column says so.")
    ] = None,
    columns: Columns = "",
    userdir: UserDir = _HOME,
    as_json: JsonFlag = False,
) -> None:
    """Read dated readings of sentiment, such as an index of fear and greed, or social scores."""
    from seakeep.data.observations import write_observations
    from seakeep.data.readings import CONFIDENCE, SCORE, ReadingTerms, readings_from
    from seakeep.data.universe import split_symbol

    if symbol != "market":
        split_symbol(symbol)
    low, high = _range(score_range)
    terms = ReadingTerms(
        symbol=None if symbol == "market" else symbol,
        low=low,
        high=high,
        known_after_ms=None if known_after is None else _duration("--known-after", known_after),
        confidence=confidence,
        mapping=_mapping(columns),
    )
    found = readings_from(path, terms)
    changed = write_observations(_store(userdir).root, found)
    readings, sure = (sum(o.name == name for o in found) for name in (SCORE, CONFIDENCE))
    first, last = _minute(found[0].known_at), _minute(found[-1].known_at)
    answer = {
        "file": str(path), "symbol": symbol, "readings": readings, "with_confidence": sure,
        "new_or_changed": changed, "first": first, "last": last,
    }  # fmt: skip
    unsure = "" if sure else "; without --confidence signals do not hear them, only sizes may follow them"
    said = f"{symbol}: {readings:,} readings from {first} to {last}, {changed:,} values new or changed{unsure}"
    emit(answer, lambda console: console.print(said, soft_wrap=True), as_json=as_json)


def import_books(
    path: Annotated[Path, typer.Argument(help="Snapshots: CSV with bids[0].price, ..., or JSON lines.")],
    symbol: Annotated[str, typer.Option("--symbol", "-s", help="BTC/USDT, a perpetual BTC/USDT:USDT")],
    every: Annotated[str, typer.Option("--every", help="Keep the last snapshot of each: 1s, 1m.")] = "1s",
    userdir: UserDir = _HOME,
    as_json: JsonFlag = False,
) -> None:
    """Read snapshots of an order book, the best 25 levels of each side."""
    from seakeep.core.units import interval_ms
    from seakeep.data.depth import books_from, write_books
    from seakeep.data.universe import split_symbol

    split_symbol(symbol)
    books, rows = books_from(path, symbol, interval_ms(every))
    changed = write_books(_store(userdir).root, symbol, books)
    first, last = _minute(books[0].known_at), _minute(books[-1].known_at)
    answer = {
        "file": str(path), "symbol": symbol, "rows": rows, "books": len(books), "new_or_changed": changed,
        "first": first, "last": last,
    }  # fmt: skip
    said = f"{symbol}: {rows:,} snapshots read, {len(books):,} kept from {first} to {last}, {changed:,} new or changed"
    emit(answer, lambda console: console.print(said, soft_wrap=True), as_json=as_json)


def _store(userdir: Path) -> "ParquetStore":
    from seakeep.app.places import configured_store

    return configured_store(userdir)


def _mapping(columns: str) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in columns.split(",") if pair.strip()]
    if wrong := next(("".join(p) for p in pairs if not (p[0].strip() and p[2].strip())), None):
        raise ConfigError("--map cannot be read", value=wrong, remedy="write time=Date,title=Headline")
    return {key.strip(): value.strip() for key, _, value in pairs}


def _duration(option: str, words: str) -> int:
    from seakeep.core.units import interval_ms

    try:
        return 0 if words.strip() == "0" else interval_ms(words.strip())
    except ConfigError:
        raise ConfigError(f"{option} is no duration", value=words, remedy="write 0, 30s, 5m, 1h or 1d") from None


def _range(words: str) -> tuple[float, float]:
    low, comma, high = words.partition(",")
    try:
        return float(low), float(high if comma else "none")
    except ValueError:
        raise ConfigError("--range cannot be read", value=words, remedy="write 0,100 or -1,1") from None


def _minute(ts: int) -> str:
    from seakeep.core.units import iso

    return iso(ts)[:16].replace("T", " ")
