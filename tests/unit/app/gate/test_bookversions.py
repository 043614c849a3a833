"""A run whose rule book was changed on the way repeats itself, or says which version is missing."""

from pathlib import Path

import pytest

from seakeep.app.gate.bookversions import JournaledRules
from seakeep.app.gate.rulebox import HotBook
from seakeep.brokers.sim import SimBroker
from seakeep.core.errors import IntegrityError
from seakeep.core.verdicts import RiskVerdict
from seakeep.data.feed import HistoricalFeed
from seakeep.engine.engine import Engine
from seakeep.engine.replay import replay
from seakeep.engine.run import step
from seakeep.risk.rules.balance import shipped_judge
from seakeep.risk.rules.budget import RuleBudget
from seakeep.risk.rules.portfolio import PortfolioRules
from tests.unit.engine.scenes import Kept, bars, pipeline

TEXT = """;@book mine
;@facts portfolio
;@id no_more
;@severity block
;@text {name} is not added to.
;@test (candidate (adds TRUE)) => {word}
(defrule no_more
  (candidate (n ?n) (adds TRUE) (symbol ?s))
  (test {test})
  => (assert (finding (rule no_more) (n ?n))))
"""
ALLOWS = TEXT.replace("{test}", "(eq 1 2)").replace("{word}", "silent")
FORBIDS = TEXT.replace("{test}", "(eq 1 1)").replace("{word}", "fires")
PATH = [99, 101, 102, 99, 98, 101, 102, 103]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "mine.clp").write_text(ALLOWS)
    return tmp_path


def rules(home: Path, *told: RiskVerdict) -> JournaledRules:
    present = PortfolioRules(HotBook(home / "rules" / "mine.clp", RuleBudget()))
    return JournaledRules(present, told, home)


def traded(home: Path) -> Kept:
    """A run whose book forbids every addition from the fifth bar on."""
    chosen = pipeline(rule_book=rules(home))
    engine, journal = Engine(chosen), Kept()
    broker = SimBroker(chosen.instruments, chosen.initial_cash, seed=1)
    for n, event in enumerate(HistoricalFeed([bars(PATH)])):
        if n == 4:
            (home / "rules" / "mine.clp").write_text(FORBIDS)
        for reply in tuple(broker.advance(event)):
            step(engine, broker, journal, reply)
        step(engine, broker, journal, event)
    return journal


def verdicts(journal: Kept) -> list[RiskVerdict]:
    return [record for _, _, records in journal.entries for record in records if isinstance(record, RiskVerdict)]


def test_a_run_whose_book_changed_repeats_itself_by_the_versions_in_its_journal(home: Path) -> None:
    journal = traded(home)
    found = verdicts(journal)
    assert len({verdict.book for verdict in found}) == 2
    assert {hit.rule for verdict in found[2:] for hit in verdict.hits} == {"no_more"}
    replay(Engine(pipeline(rule_book=rules(home, *found))), journal.entries)
    with pytest.raises(IntegrityError, match="does not replay"):
        replay(Engine(pipeline(rule_book=rules(home))), journal.entries)


def test_a_version_that_is_gone_is_named_beside_the_one_in_use(home: Path) -> None:
    found = verdicts(traded(home))
    first, last = found[0].book, found[-1].book
    (home / "rules" / ".kept" / f"{first.partition('@')[2]}.clp").unlink()
    with pytest.raises(IntegrityError, match=f"{first}, which is not kept; in use is {last}"):
        rules(home, *found)


def test_a_kept_version_that_was_edited_is_not_taken_for_it(home: Path) -> None:
    found = verdicts(traded(home))
    (home / "rules" / ".kept" / f"{found[0].book.partition('@')[2]}.clp").write_text(FORBIDS)
    with pytest.raises(IntegrityError, match="is not kept"):
        rules(home, *found)


def test_a_book_that_comes_with_us_is_not_kept_twice(tmp_path: Path) -> None:
    shipped = PortfolioRules(shipped_judge("portfolio"))
    journaled = JournaledRules(shipped, (), tmp_path)
    chosen = pipeline(rule_book=journaled)
    engine = Engine(chosen)
    for event in HistoricalFeed([bars(PATH)]):
        engine.process(event)
    assert journaled.version == shipped.version
    assert list(tmp_path.iterdir()) == []
