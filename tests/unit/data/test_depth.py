"""Order books from the vendor's columns and from JSON lines; what is no book is named with its line."""

import json
from pathlib import Path

import pytest

from seakeep.core.errors import ConfigError, SchemaError
from seakeep.core.units import parse_time
from seakeep.data.depth import all_books, books_from, read_books, write_books

RAW = Path(__file__).parents[3] / "../shared/data/raw/tardis_binance-futures_book_snapshot_25_BTCUSDT.csv"
NOON = parse_time("2024-05-01T12:00:00Z")
PERP = "BTC/USDT:USDT"


def lines(path: Path, *books: dict[str, object]) -> Path:
    path.write_text("\n".join(map(json.dumps, books)))
    return path


def book(ts: int, **changed: object) -> dict[str, object]:
    return {"timestamp": ts, "bids": [[99, 2], [98, 5]], "asks": [[101, 1]]} | changed


def test_the_vendors_file_holds_its_numbers_known_when_they_were_received() -> None:
    if not RAW.exists():
        pytest.skip(f"{RAW.name} is not in ../shared/data/raw")
    found, rows = books_from(RAW, PERP)
    assert (rows, len(found[0].book.bids), len(found[0].book.asks)) == (10, 25, 25)
    assert (found[0].book.ts, found[0].known_at) == (1598918403696, 1598918403811)
    assert (found[0].book.bids[0], found[0].book.asks[0]) == ((11657.07, 10.896), (11657.08, 1.714))


def test_thinned_out_the_last_of_each_span_stays_and_an_import_can_be_repeated(tmp_path: Path) -> None:
    path = lines(tmp_path / "b.jsonl", *(book(NOON + s * 1000, asks=[[101, s + 1]]) for s in range(121)))
    found, rows = books_from(path, PERP, 60_000)
    assert rows == 121
    assert [(seen.known_at - NOON) // 1000 for seen in found] == [0, 60, 120]
    assert write_books(tmp_path, PERP, found) == 3
    assert write_books(tmp_path, PERP, found) == 0
    assert read_books(tmp_path, {PERP: (NOON + 1, NOON + 60_000)}) == found[1:2]
    assert all_books(tmp_path) == {PERP: list(found)}


def test_a_book_is_never_known_before_it_happened(tmp_path: Path) -> None:
    ((seen,), _) = books_from(lines(tmp_path / "b.jsonl", book(NOON, received_at=NOON - 1_270)), PERP)
    assert seen.known_at == NOON


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"bids": []}, "bids hold no level"),
        ({"bids": 7}, "bids hold no level"),
        ({"asks": [[101]]}, "asks hold no level"),
        ({"bids": [[102, 1]]}, "the sides cross"),
        ({"bids": [[98, 1], [99, 1]]}, "bids are not in order"),
        ({"asks": [[101, -1]]}, "a quantity not below"),
        ({"asks": [["nan", 1]]}, "asks: price must be a finite number"),
        ({"timestamp": None}, "the time must be a time"),
    ],
)
def test_what_is_no_book_is_named_with_its_line(tmp_path: Path, changed: dict[str, object], said: str) -> None:
    path = lines(tmp_path / "b.jsonl", book(NOON), book(NOON + 1, **changed))
    with pytest.raises(SchemaError, match=rf"line 2: .*{said}"):
        books_from(path, PERP)


def test_plain_columns_hold_one_level(tmp_path: Path) -> None:
    path = tmp_path / "b.csv"
    path.write_text(f"ts,bid_price,bid_qty,ask_price,ask_qty\n{NOON},99,2,101,3\n")
    ((seen,), _) = books_from(path, PERP)
    assert (seen.book.bids, seen.book.asks) == (((99.0, 2.0),), ((101.0, 3.0),))
    with pytest.raises(ConfigError, match="not a symbol"):
        write_books(tmp_path, "../../etc", [seen])
