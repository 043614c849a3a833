"""The inbox of a run: kept in order, counted once, taken over whole, on both databases."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from seakeep.core.errors import ConfigError, LedgerError
from seakeep.core.events import Control
from seakeep.ledger import inbox
from seakeep.ledger.inbox import Audited, Sender, Watch
from seakeep.ledger.journal import Ledger


def word(action: str = "pause", reason: str = "weekend \u2602") -> Control:
    return Control(1, action, reason, (("max_weight", 0.05),), "ana", "0123456789")


def sender(key: str, who: str = "ana") -> Sender:
    return Sender(who, key, 1)


@pytest.fixture
def ledger(location: str) -> Iterator[Ledger]:
    with Ledger.open(location) as opened:
        opened.start_run("r1")
        yield opened


def test_controls_come_out_as_and_in_the_order_they_went_in(ledger: Ledger) -> None:
    sent = [word(action) for action in ("pause", "resume", "flatten")]
    for n, control in enumerate(sent):
        inbox.post(ledger.engine, "r1", control, sender(f"k{n}"))
    with Watch(ledger.engine, "r1") as watch:
        assert list(watch.new()) == sent
        assert watch.new() == ()
    assert [posted.seq for posted in inbox.posted(ledger.engine, "r1")] == [1, 2, 3]


def test_the_same_key_counts_once_and_for_another_request_it_is_refused(ledger: Ledger) -> None:
    first = inbox.post(ledger.engine, "r1", word(), sender("k"))
    assert inbox.post(ledger.engine, "r1", word(), sender("k")) == first
    assert inbox.post(ledger.engine, "r1", word(), sender("k", "bo")).seq == 2
    with pytest.raises(ConfigError, match="this key was used for another request"):
        inbox.post(ledger.engine, "r1", word("halt"), sender("k"))
    assert len(inbox.posted(ledger.engine, "r1")) == 2


def test_a_key_belongs_to_one_run(ledger: Ledger) -> None:
    inbox.post(ledger.engine, "r1", word(), sender("k"))
    ledger.start_run("r2")
    with pytest.raises(ConfigError, match="another request"):
        inbox.post(ledger.engine, "r2", word(), sender("k"))
    assert inbox.posted(ledger.engine, "r2") == ()


def test_many_who_post_at_once_get_places_without_gap_or_double(ledger: Ledger) -> None:
    with ThreadPoolExecutor(8) as pool:
        places = list(pool.map(lambda n: inbox.post(ledger.engine, "r1", word(), sender(f"k{n % 20}")).seq, range(40)))
    assert sorted(set(places)) == list(range(1, 21))
    assert places[:20] == places[20:]


def test_a_run_that_is_not_there_takes_nothing(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="no run of that name"):
        inbox.post(ledger.engine, "r9", word(), sender("k"))


def test_what_the_journal_took_over_is_told_apart_from_what_waits(ledger: Ledger) -> None:
    for n in range(3):
        inbox.post(ledger.engine, "r1", word(), sender(f"k{n}"))
    ledger.write(word(), ())
    ledger.commit()
    taken = inbox.journaled(ledger.engine, "r1")
    assert taken == ((1, word()),)
    assert [posted.seq for posted in inbox.posted(ledger.engine, "r1", len(taken))] == [2, 3]


def test_the_audit_keeps_what_was_tried_and_what_came_of_it_newest_first(ledger: Ledger) -> None:
    row = Audited(5, "req", "ana", "POST /x", "00", 202)
    inbox.post(ledger.engine, "r1", word(), sender("k"), row)
    with pytest.raises(ConfigError, match="another request"):
        inbox.post(ledger.engine, "r1", word("halt"), sender("k"), row)
    inbox.audit(ledger.engine, Audited(6, "req2", "bo", "POST /login", "01", 401))
    assert [(kept.who, kept.status) for kept in inbox.audited(ledger.engine)] == [
        ("bo", 401),
        ("ana", 422),
        ("ana", 202),
    ]


def test_posting_does_not_wait_for_the_writer_of_the_journal_nor_hold_it_up(ledger: Ledger) -> None:
    ledger.write(word(), ())
    inbox.post(ledger.engine, "r1", word(), sender("k"))
    ledger.commit()
    assert ledger.verify("r1").ok
    assert ledger.run("r1").head_seq == 1
