"""What an entry becomes in the journal, and what may not become one."""

from collections.abc import Iterator
from decimal import Decimal
from hashlib import sha256
from typing import Any

import pytest
from msgspec import Struct
from msgspec.structs import replace

from seakeep.core.errors import IntegrityError, LedgerError
from seakeep.core.events import Control, Event, Filled, Funded, Record, Slice, Tick
from seakeep.core.market import Bar
from seakeep.core.verdicts import Decision, RiskSnapshot, RiskVerdict
from seakeep.ledger.codec import chain_hash, decode, encode
from tests.unit.ledger.story import story

NAN, INFINITY = float("nan"), float("inf")
SNAPSHOT = RiskSnapshot(1, 1.0, 0.0, 0.0, 0.0, (("BTC/USDT", 0.1),))
FILL = next(event for event, _ in story(5) if isinstance(event, Filled))


def test_every_entry_of_a_run_reads_back_as_it_was() -> None:
    for event, records in story(40):
        assert decode(1, encode(event, records)) == (event, records)


def test_the_payload_is_compact_json_in_declared_order() -> None:
    assert encode(Tick(5), ()) == b'{"event":{"is":"tick","ts":5},"records":[]}'


def test_the_hash_is_sha256_of_what_the_page_says() -> None:
    page = b"run-1|7|" + b"00" * 32 + b"|{}"
    assert chain_hash("run-1", 7, bytes(32), b"{}") == sha256(page).digest()


@pytest.mark.parametrize(
    ("event", "records", "field"),
    [
        (Slice(1, (Bar("BTC/USDT", "5m", 0, 1, 1.0, 1.0, 1.0, NAN, 1.0),)), (), "slice.event.bars.0.close"),
        (Tick(1), (replace(SNAPSHOT, cvar=INFINITY),), "tick.records.0.cvar"),
        (Tick(1), (SNAPSHOT, replace(SNAPSHOT, exposure=(("x", -INFINITY),))), "tick.records.1.exposure.0.1"),
        (replace(FILL, fill=replace(FILL.fill, qty=Decimal("NaN"))), (), "filled.event.fill.qty"),
        (replace(FILL, fill=replace(FILL.fill, fee=Decimal("-Infinity"))), (), "filled.event.fill.fee"),
    ],
)
def test_what_is_not_a_number_is_refused_by_the_name_of_its_field(
    event: Event, records: tuple[Record, ...], field: str
) -> None:
    with pytest.raises(LedgerError, match=f"{field} is not a number"):
        encode(event, records)


def spoiled(kept: object) -> Iterator[Any]:
    """The same value with one of its floats, at any depth, not a number; once for each."""
    if isinstance(kept, Struct):
        for name in kept.__struct_fields__:
            yield from (replace(kept, **{name: bad}) for bad in spoiled(getattr(kept, name)))
    elif isinstance(kept, tuple):
        for i, item in enumerate(kept):
            yield from ((*kept[:i], bad, *kept[i + 1 :]) for bad in spoiled(item))
    elif isinstance(kept, float):
        yield NAN


def test_a_float_that_is_not_a_number_is_refused_wherever_it_is() -> None:
    wrong = [bad for entry in story(40) for bad in spoiled(entry)]
    assert {type(event) for event, _ in wrong} >= {Slice, Funded}
    assert {type(record) for _, records in wrong for record in records} >= {Decision, RiskVerdict, RiskSnapshot}
    for event, records in wrong:
        with pytest.raises(LedgerError, match="is not a number the journal can keep"):
            encode(event, records)


def test_none_and_the_word_nan_are_not_mistaken_for_a_nan() -> None:
    entry = Control(1, "pause", "NaN null Infinity"), (SNAPSHOT,)
    assert decode(1, encode(*entry)) == entry


def test_text_that_is_no_unicode_is_refused() -> None:
    with pytest.raises(LedgerError, match=r"a control entry cannot be kept: .*surrogates not allowed"):
        encode(Control(1, "pause", "half \ud800"), ())


@pytest.mark.parametrize("payload", [b"", b"{}", b"\xff", b'{"event":{"is":"tock","ts":1},"records":[]}'])
def test_a_payload_that_is_no_entry_is_named(payload: bytes) -> None:
    with pytest.raises(IntegrityError, match="entry 9 cannot be read"):
        decode(9, payload)
