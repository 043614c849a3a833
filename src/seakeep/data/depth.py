"""Stored order books: the best levels of both sides at instants, and when they could be seen.

Snapshots are read from the columns of the vendor format `bids[0].price, bids[0].amount, asks[0].price, ...`, from the
plain `bid_price, bid_qty, ask_price, ask_qty`, or from JSON lines with lists `bids` and `asks` of [price, quantity].
They stand as JSON lines in `books/` of the store, a file for each symbol, written whole and merged by time.
"""

from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path

import msgspec

from seakeep.core.errors import DataError
from seakeep.core.market import OrderBook
from seakeep.data.files import locked, write_whole
from seakeep.data.records import Row, moment, number, read_rows
from seakeep.data.universe import folder_name

__all__ = ["LEVELS", "BookSeen", "all_books", "books_from", "read_books", "write_books"]

LEVELS = 25
"""Levels of a side that are kept."""
_TIMES = ("timestamp", "ts", "time", "exchange_ts")
_KNOWN = ("known_at", "local_timestamp", "received_at")
_MOST = 1_000_000
_FOLDER = "books"

Side = tuple[tuple[float, float], ...]


class BookSeen(msgspec.Struct, frozen=True):
    """A book and the first instant it may be used."""

    known_at: int
    book: OrderBook


def books_from(path: Path, symbol: str, every_ms: int = 1) -> tuple[tuple[BookSeen, ...], int]:
    """The last snapshot of each `every_ms` of a file, in the order they become known, and how many rows it has.

    Raises: SchemaError naming the line of a row that is no book: no level, a price or quantity that cannot be, levels
    out of order, sides that cross.
    """
    found: dict[int, BookSeen] = {}
    rows = 0
    for row in read_rows(path):
        rows += 1
        seen = _book(row, symbol)
        slot = (seen.known_at - 1) // every_ms
        if slot not in found or found[slot].known_at <= seen.known_at:
            found[slot] = seen
        if len(found) > _MOST:
            raise DataError(f"{path} holds more than {_MOST:,} books", remedy="thin it out: --every 1m")
    return tuple(sorted(found.values(), key=lambda s: (s.known_at, s.book.ts))), rows


def _book(row: Row, symbol: str) -> BookSeen:
    ts = moment(row, row.pick(_TIMES), "the time")
    received = row.pick(_KNOWN)
    known_at = ts if received is None else max(ts, moment(row, received, "the time of receipt"))
    bids, asks = (_side(row, name) for name in ("bids", "asks"))
    if bids[0][0] >= asks[0][0]:
        raise row.refused("the sides cross", f"bid {bids[0][0]:g}, ask {asks[0][0]:g}")
    return BookSeen(known_at, OrderBook(symbol, ts, bids, asks))


def _side(row: Row, name: str) -> Side:
    """Levels of one side, best first."""
    levels = row.cells.get(name)
    pairs = levels if isinstance(levels, list | tuple) else _flat(row, name)
    if not pairs or not all(isinstance(pair, list | tuple) and len(pair) >= 2 for pair in pairs):
        remedy = f"write {name}[0].price, {name}[0].amount, or {name} as a list of [price, quantity]"
        raise row.refused(f"{name} hold no level", str(levels)[:80], remedy)
    side = tuple((number(row, p[0], f"{name}: price"), number(row, p[1], f"{name}: quantity")) for p in pairs[:LEVELS])
    wrong = next((pair for pair in side if not (pair[0] > 0 and pair[1] >= 0)), None)
    if wrong is not None:
        raise row.refused(f"{name}: a price must be above 0, a quantity not below", wrong)
    sign = 1 if name == "asks" else -1
    if any(sign * (worse[0] - better[0]) <= 0 for better, worse in pairwise(side)):
        raise row.refused(f"{name} are not in order, best first", str(side[:3]))
    return side


def _flat(row: Row, name: str) -> list[tuple[object, object]]:
    """Levels that stand in columns of their own; those left empty at the end are not there."""
    one = name[:-1]
    if f"{one}_price" in row.cells:
        return [(row.cells[f"{one}_price"], row.pick((f"{one}_qty", f"{one}_amount")))]
    deep = sum(f"{name}[{i}].price" in row.cells for i in range(LEVELS))
    pairs = [(row.pick((f"{name}[{i}].price",)), row.pick((f"{name}[{i}].amount",))) for i in range(deep)]
    while pairs and pairs[-1] == (None, None):
        pairs.pop()
    return pairs


def write_books(root: Path, symbol: str, books: Iterable[BookSeen]) -> int:
    """Merge into what is stored of a symbol, all or nothing; the newer wins. Returns how many are new or changed.

    Raises: DataError if the disk refuses, or what is stored is damaged.
    """
    fresh = {seen.known_at: seen for seen in books}
    if not fresh:
        return 0
    path = _path(root, symbol)
    with locked(path.parent):
        held = {seen.known_at: seen for seen in _load(path)}
        changed = sum(held.get(key) != seen for key, seen in fresh.items())
        if changed:
            merged = held | fresh
            write_whole(path, msgspec.json.Encoder().encode_lines([merged[key] for key in sorted(merged)]))
    return changed


def read_books(root: Path, spans: Mapping[str, tuple[int, int]]) -> tuple[BookSeen, ...]:
    """Books of these symbols that became known within their (first, last) instant, in that order.

    Raises: DataError if a file is damaged.
    """
    found = [
        s for symbol, (first, last) in spans.items() for s in _load(_path(root, symbol)) if first <= s.known_at <= last
    ]
    return tuple(sorted(found, key=lambda s: (s.known_at, s.book.symbol)))


def all_books(root: Path) -> dict[str, list[BookSeen]]:
    """Every stored book, by symbol. Raises: DataError if a file is damaged."""
    loaded = [_load(path) for path in sorted((root / _FOLDER).glob("*.jsonl"))]
    return {books[0].book.symbol: books for books in loaded if books}


def _path(root: Path, symbol: str) -> Path:
    return root / _FOLDER / f"{folder_name(symbol)}.jsonl"


def _load(path: Path) -> list[BookSeen]:
    if not path.exists():
        return []
    try:
        return msgspec.json.Decoder(BookSeen).decode_lines(path.read_bytes())
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is damaged: {error}", remedy="remove it and import again") from None
