"""The account that fills and funding make, held against the snapshots."""

from decimal import Decimal

from msgspec.structs import replace

from seakeep.core.events import Filled, Funded, Slice
from seakeep.core.market import Bar
from seakeep.core.orders import Side
from seakeep.core.verdicts import RiskSnapshot
from seakeep.ledger.book import Book
from tests.unit.ledger.story import START_MS, SYMBOL, Kept, story


def follow(entries: list[Kept]) -> tuple[list[str], Book]:
    book = Book()
    found = [what for event, records in entries if (what := book.take(event, records)) is not None]
    return found, book


def test_a_run_that_adds_up_adds_up() -> None:
    found, book = follow(story(200))
    assert found == []
    assert book.verdict == "200 snapshots agree with the fills"


def test_a_cent_that_is_missing_is_found_at_the_next_snapshot() -> None:
    entries = story(12)
    at = next(i for i, (event, _) in enumerate(entries) if isinstance(event, Filled))
    paid = replace(entries[at][0].fill, fee=Decimal("0.0223"))  # type: ignore[union-attr]
    entries[at] = (Filled(paid.ts, paid), ())
    found, _ = follow(entries[: at + 2])
    [snapshot] = [record for record in entries[at + 1][1] if isinstance(record, RiskSnapshot)]
    assert found[0].startswith(f"equity is {snapshot.equity!r} in the snapshot, fills and closes make ")
    assert abs(float(found[0].rsplit(" ", 1)[1]) - (snapshot.equity - 0.01)) < 1e-9


def test_funding_that_is_left_out_is_found() -> None:
    found, _ = follow([entry for entry in story(40) if not isinstance(entry[0], Funded)])
    assert found


def test_equity_that_cannot_be_checked_is_not_called_checked() -> None:
    fills = [entry for entry in story(20) if isinstance(entry[0], Filled)]
    assert follow(fills)[1].verdict == "equity not checked: no snapshot comes before the first fill"
    longer = Slice(START_MS, (Bar(SYMBOL, "1h", 0, 1, 1.0, 1.0, 1.0, 1.0, 1.0),))
    assert follow([*story(20), (longer, ())])[1].verdict.endswith("has bars of several intervals")


def test_a_spot_holding_below_zero_is_no_book() -> None:
    entries = story(9)
    at = next(i for i, (event, _) in enumerate(entries) if isinstance(event, Filled))
    sold = replace(entries[at][0].fill, symbol="BTC/USDT", qty=Decimal(99), side=Side.SELL)  # type: ignore[union-attr]
    found, _ = follow([*entries[:at], (Filled(sold.ts, sold), ())])
    assert "would make the spot holding of BTC/USDT negative" in found[0]
