"""One suite for the journal, on SQLite and on a real PostgreSQL."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Table, delete, update

from seakeep.core.account import Position
from seakeep.core.errors import IntegrityError, LedgerError
from seakeep.core.events import Filled, Funded, Tick
from seakeep.core.orders import Order
from seakeep.core.verdicts import Decision, RiskSnapshot, RiskVerdict
from seakeep.ledger import queries
from seakeep.ledger.journal import Ledger
from seakeep.ledger.tables import HEADS, JOURNAL, MODELS, RUNS, entry_id, of_run
from tests.unit.ledger.story import START_MS, STEP_MS, SYMBOL, Kept, story

STORY = story(60)


def write(ledger: Ledger, entries: list[Kept]) -> None:
    for event, records in entries:
        ledger.write(event, records)
    ledger.commit()


@pytest.fixture
def ledger(location: str) -> Iterator[Ledger]:
    with Ledger.open(location) as ledger:
        write(ledger.start_run("r", '{"name": "Größe"}'), STORY)
        yield ledger


def test_what_was_written_is_read_back_in_order(ledger: Ledger) -> None:
    kept = list(ledger.entries("r"))
    assert [(event, records) for _, event, records in kept] == STORY
    assert [seq for seq, _, _ in kept] == list(range(1, len(STORY) + 1))
    assert list(ledger.entries("r", after_seq=len(STORY) - 2)) == kept[-2:]
    assert ledger.last("r") == kept[-1]


def test_an_intact_run_verifies_and_its_book_balances(ledger: Ledger) -> None:
    report = ledger.verify("r")
    assert (report.ok, report.entries, report.faults) == (True, len(STORY), ())
    assert report.book == "60 snapshots agree with the fills"


def test_what_is_not_committed_is_not_there_yet(ledger: Ledger) -> None:
    ledger.write(Tick(1), ())
    assert ledger.last("r")[0] == len(STORY)  # type: ignore[index]
    ledger.commit()
    assert ledger.last("r") == (len(STORY) + 1, Tick(1), ())


def test_a_long_quiet_stretch_is_committed_unasked(ledger: Ledger) -> None:
    for ts in range(1200):
        ledger.write(Tick(ts), ())
    assert ledger.run("r").head_seq >= len(STORY) + 1000


def test_the_read_models_return_the_structs_that_were_written(ledger: Ledger) -> None:
    records = [record for _, kept in STORY for record in kept]
    for read, kind in (
        (queries.decisions, Decision),
        (queries.verdicts, RiskVerdict),
        (queries.orders, Order),
        (queries.equity, RiskSnapshot),
    ):
        assert list(read(ledger, "r")) == [record for record in records if isinstance(record, kind)]
    assert list(queries.fills(ledger, "r")) == [event.fill for event, _ in STORY if isinstance(event, Filled)]
    assert list(queries.funding(ledger, "r")) == [event for event, _ in STORY if isinstance(event, Funded)]


def test_a_query_is_bounded_by_symbol_and_half_open_time(ledger: Ledger) -> None:
    third, sixth = START_MS + 3 * STEP_MS, START_MS + 6 * STEP_MS
    assert [d.id for d in queries.decisions(ledger, "r", queries.Span(SYMBOL, third, sixth))] == ["r-d3"]
    assert queries.decisions(ledger, "r", queries.Span("ETH/USDT")) == ()
    with pytest.raises(ValueError, match="equity is not kept by symbol"):
        queries.equity(ledger, "r", queries.Span(SYMBOL))


def test_positions_add_up_what_was_filled(ledger: Ledger) -> None:
    fills = [event.fill for event, _ in STORY if isinstance(event, Filled)]
    [position] = queries.positions(ledger, "r")
    assert position.qty == sum(fill.qty * fill.side.sign for fill in fills)
    assert position.fees == sum(fill.fee for fill in fills)
    assert position.funding == sum(event.amount for event, _ in STORY if isinstance(event, Funded))
    assert queries.positions(ledger, "r", end=START_MS) == ()
    assert isinstance(position, Position)


def test_a_resumed_run_goes_on_with_the_same_chain(ledger: Ledger, location: str) -> None:
    ledger.close()
    with Ledger.open(location) as again:
        write(again.resume("r"), [(Tick(5), ())])
        assert again.verify("r").ok
        assert again.run("r").head_seq == len(STORY) + 1


def test_writing_a_run_again_keeps_nothing_twice_and_names_what_differs(ledger: Ledger) -> None:
    write(ledger.resume("r", after_seq=0), [*STORY, (Tick(5), ())])
    assert ledger.run("r").head_seq == len(STORY) + 1
    ledger.resume("r", after_seq=2)
    ledger.write(*STORY[2])
    with pytest.raises(IntegrityError, match="entry 4 of run r is already kept, with other content"):
        ledger.write(Tick(6), ())


def test_runs_do_not_touch_each_other(ledger: Ledger) -> None:
    write(ledger.start_run("other"), STORY[:5])
    assert [(run.run_id, run.number, run.head_seq) for run in ledger.runs()] == [("r", 1, len(STORY)), ("other", 2, 5)]
    assert ledger.verify("r").ok
    assert ledger.verify("other").ok


def test_starting_a_run_that_is_there_goes_on_with_it(ledger: Ledger) -> None:
    write(ledger.start_run("r", "{}"), [(Tick(5), ())])
    assert ledger.run("r").head_seq == len(STORY) + 1
    assert ledger.run("r").config == '{"name": "Größe"}'
    assert ledger.verify("r").ok


def test_a_second_writer_is_told_who_the_first_is(ledger: Ledger, location: str) -> None:
    second = Ledger.open(location)
    with pytest.raises(LedgerError, match=r"(process|pid) \d+ .*is already writing"):
        second.resume("r")
    assert second.last("r") is not None
    ledger.close()
    write(second.resume("r"), [(Tick(1), ())])
    second.close()


@pytest.mark.parametrize(
    ("column", "value", "found"),
    [
        ("payload", b"{}", "payload was changed"),
        ("hash", bytes(32), "hash was changed"),
        ("prev_hash", bytes(32), "prev_hash was changed"),
        ("ts", 1, "the columns say filled at 1"),
        ("kind", "tick", "the columns say tick at"),
    ],
)
def test_a_changed_column_of_the_journal_is_named(ledger: Ledger, column: str, value: object, found: str) -> None:
    seq = next(seq for seq, event, _ in ledger.entries("r") if isinstance(event, Filled))
    with ledger.engine.begin() as connection:
        connection.execute(update(JOURNAL).where(JOURNAL.c.entry == entry_id(1, seq)).values({column: value}))
    [fault] = ledger.verify("r").faults
    assert (fault.seq, fault.table) == (seq, "journal")
    assert fault.what.startswith(found)


def test_a_lost_entry_and_a_cut_tail_are_named(ledger: Ledger) -> None:
    last = len(STORY)
    with ledger.engine.begin() as connection:
        connection.execute(delete(JOURNAL).where(JOURNAL.c.entry == entry_id(1, last)))
    assert ledger.verify("r").faults[-1].what == f"{last - 1} entries are there, the run recorded {last}"
    with pytest.raises(IntegrityError, match=f"recorded entry {last} as its last, the journal ends with {last - 1}"):
        ledger.resume("r")
    with ledger.engine.begin() as connection:
        connection.execute(delete(JOURNAL).where(JOURNAL.c.entry == entry_id(1, 9)))
    assert [(f.seq, f.what) for f in ledger.verify("r").faults] == [(9, "entry 9 is missing: the next one there is 10")]


@pytest.mark.parametrize(
    ("table", "values", "found"),
    [
        (RUNS, {"config": "{}"}, "the run's config was changed"),
        (HEADS, {"hash": bytes(32)}, "hash is 00"),
        (HEADS, {"last_ts": 1}, "first_ts or last_ts was changed"),
    ],
)
def test_a_changed_run_is_named(ledger: Ledger, table: Table, values: dict[str, object], found: str) -> None:
    with ledger.engine.begin() as connection:
        connection.execute(update(table).values(values))
    assert ledger.verify("r").faults[0].what.startswith(found)


@pytest.mark.parametrize("name", list(MODELS))
def test_a_changed_lost_or_added_row_of_a_read_model_is_named(ledger: Ledger, name: str) -> None:
    table = MODELS[name].table
    with ledger.engine.begin() as connection:
        first, second = (row.seq for row in connection.execute(of_run(table, 1).limit(2)))
        connection.execute(update(table).where(table.c.entry == entry_id(1, first)).values(ts=3))
        connection.execute(update(table).where(table.c.entry == entry_id(1, second)).values(entry=entry_id(1, 10_000)))
    found = [(fault.seq, fault.table, fault.what) for fault in ledger.verify("r").faults]
    assert found[0][:2] == (first, name)
    assert found[0][2].startswith("ts is 3, the journal says 17")
    assert found[1] == (second, name, "the row is missing")
    assert found[2] == (10_000, name, "a row of an entry that the journal does not have")
