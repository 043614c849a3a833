"""Stored news: texts with their source, when they were published and when they could be read.

They stand as JSON lines in `news/news.jsonl` of the store, in the order in which they become known; written whole, and
merged by source, time, title and address, so that an import can be repeated.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from seakeep.core.errors import DataError
from seakeep.core.market import NewsItem
from seakeep.data.files import locked, write_whole
from seakeep.data.records import Row, checked_mapping, moment, read_rows, text

__all__ = ["NewsRead", "news_from", "read_news", "write_news"]

FIELDS: Mapping[str, tuple[str, ...]] = {
    "time": ("ts", "published", "published_at", "publishedAt", "published_on", "time", "timestamp", "datetime", "date"),
    "known": ("known_at", "received_at", "collected_at"),
    "title": ("title", "headline"),
    "body": ("body", "text", "description", "summary", "content"),
    "source": ("source", "publisher", "outlet"),
    "symbols": ("symbols", "symbol", "coins", "coin", "tickers", "currencies"),
    "url": ("url", "link"),
}
"""Our fields, and the columns that are taken for them."""
_LONGEST_TITLE, _LONGEST_BODY = 1_000, 20_000
"""Characters that are kept; no scorer reads further."""
_MOST = 1_000_000
_NAME = re.compile(r"[A-Z0-9]{1,20}(/[A-Z0-9]{1,20}(:[A-Z0-9]{1,20})?)?")
_FOLDER, _FILE = "news", "news.jsonl"


class NewsRead(msgspec.Struct, frozen=True):
    """The news of a file in the order they become known, its rows, and how many of them were there before."""

    items: tuple[NewsItem, ...]
    rows: int
    repeated: int


def news_from(path: Path, mapping: Mapping[str, str] | None = None, delay_ms: int = 0) -> NewsRead:
    """Read a file of news; `mapping` names the columns of our fields where they are called otherwise.

    An item is known when its own column says so, else `delay_ms` after it was published. A file is read whole or not at
    all: SchemaError names the line of the first row that is no news, ConfigError a field that does not exist.
    """
    asked, found, rows = mapping or {}, dict[tuple[object, ...], NewsItem](), 0
    columns = {field: (asked[field],) if field in asked else usual for field, usual in FIELDS.items()}
    for row in read_rows(path):
        if not rows:
            checked_mapping(row, asked, tuple(FIELDS))
        rows += 1
        item = _item(row, columns, path.name, delay_ms)
        found[_key(item)] = item
        if len(found) > _MOST:
            raise DataError(f"{path} holds more than {_MOST:,} news", remedy="split it, and import what a run needs")
    return NewsRead(_ordered(found.values()), rows, rows - len(found))


def _item(row: Row, columns: Mapping[str, tuple[str, ...]], source: str, delay_ms: int) -> NewsItem:
    picked = {field: row.pick(names) for field, names in columns.items()}
    title = text(row, picked["title"], "the title", _LONGEST_TITLE)
    body = text(row, picked["body"], "the body", _LONGEST_BODY)
    if not title and not body:
        remedy = f"a text stands in {' or '.join(columns['title'])}, or name its column with --map title=<column>"
        raise row.refused("there is no text", None, remedy)
    ts = moment(row, picked["time"], "the time of publication")
    known = picked["known"]
    known_at = ts + delay_ms if known is None else moment(row, known, "known_at")
    if known_at < ts:
        raise row.refused("it was known before it was published", known, "known_at is when it could be read")
    url = text(row, picked["url"], "the url", 2_000)
    if url and not url.startswith(("https://", "http://")):
        raise row.refused("the url must begin with https:// or http://", url)
    said = text(row, picked["source"], "the source", 200) or source
    return NewsItem(said, title, body, _symbols(row, picked["symbols"]), url, ts, known_at)


def _symbols(row: Row, value: object) -> tuple[str, ...]:
    """Symbols or assets from a list, or from a text that separates them by commas, semicolons or bars."""
    names = value if isinstance(value, list | tuple) else re.split(r"[|,;]", value) if isinstance(value, str) else []
    found = [str(name).strip().upper() for name in names if str(name).strip()]
    wrong = next((name for name in found if not _NAME.fullmatch(name)), None)
    if wrong is not None or (value is not None and not isinstance(value, list | tuple | str)):
        raise row.refused("not a symbol or an asset", wrong or value, "write BTC or BTC/USDT, several as BTC|ETH")
    return tuple(dict.fromkeys(found))


def _key(item: NewsItem) -> tuple[object, ...]:
    return item.source, item.ts, item.title or item.body, item.url


def _ordered(items: Iterable[NewsItem]) -> tuple[NewsItem, ...]:
    return tuple(sorted(items, key=lambda n: (n.known_at, n.ts, n.source, n.title, n.url)))


def write_news(root: Path, items: Iterable[NewsItem]) -> int:
    """Merge into what is stored, all or nothing; the newer wins. Returns how many are new or changed.

    Raises: DataError if the disk refuses, or what is stored is damaged.
    """
    fresh = {_key(item): item for item in items}
    if not fresh:
        return 0
    with locked(root / _FOLDER):
        held = {_key(item): item for item in _load(root)}
        changed = sum(held.get(key) != item for key, item in fresh.items())
        if changed:
            merged = _ordered((held | fresh).values())
            write_whole(root / _FOLDER / _FILE, msgspec.json.Encoder().encode_lines(merged))
    return changed


def read_news(root: Path, first: int | None = None, last: int | None = None) -> tuple[NewsItem, ...]:
    """News that became known from `first` to `last` (UTC ms, both included), in that order; none where none are stored.

    Raises: DataError if the file is damaged.
    """
    return tuple(
        item
        for item in _load(root)
        if (first is None or item.known_at >= first) and (last is None or item.known_at <= last)
    )


def _load(root: Path) -> list[NewsItem]:
    path = root / _FOLDER / _FILE
    if not path.exists():
        return []
    try:
        return msgspec.json.Decoder(NewsItem).decode_lines(path.read_bytes())
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is damaged: {error}", remedy="remove it and import again") from None
