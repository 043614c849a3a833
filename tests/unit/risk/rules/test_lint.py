"""Shipped books are clean and pass their own tests; planted mistakes are found, with their line."""

import re
from pathlib import Path

import pytest

from seakeep.core.errors import RuleBookError
from seakeep.risk.rules.balance import shipped_book, shipped_books, shipped_judge
from seakeep.risk.rules.book import read_book
from seakeep.risk.rules.clash import clashes
from seakeep.risk.rules.environment import WarmBook
from seakeep.risk.rules.lint import lint
from seakeep.risk.rules.trials import coverage, passed, run_tests
from seakeep.risk.rules.vocabulary import VOCABULARIES

PAGE = Path(__file__).parents[4] / "docs" / "how-to" / "rules.md"
HEAD = ";@book x\n;@facts balance\n"
FULL = ";@id {0}\n;@severity {1}\n;@text t\n;@test (position (weight 0.3)) => fires\n;@test (position) => silent\n"
RULE = "(defrule {0} (position (n ?n) {2}) => (assert (finding (rule {0}) (n ?n))))\n"


def book(*rules):
    text = "".join(FULL.format(name, severity) + RULE.format(name, severity, body) for name, severity, body in rules)
    return read_book(HEAD + text, "x.clp")


def kinds(found):
    return {(remark.rule, remark.kind) for remark in found}


@pytest.mark.parametrize("name", shipped_books())
def test_shipped_books_are_clean_pass_their_tests_and_every_rule_fires_in_them(name):
    judge = shipped_judge(name)
    passed(judge)
    assert lint(shipped_book(name)) == ()
    assert clashes(judge) == ()
    rows = [list(example.rows) for rule in judge.book.rules.values() for example in rule.examples]
    counted = coverage(judge, rows)
    assert counted.decisions == len(run_tests(judge))
    assert counted.silent == ()


@pytest.mark.parametrize(
    "body",
    [
        "(weight ?w&~nil&:(> ?w 3)&:(< ?w 2))",
        "(weight ?w&~nil&:(> ?w 3)&:(<= ?w 3))",
        "(weight ?w&~nil&:(>= 2 ?w)&:(> ?w 2))",
        "(weight ?w&~nil&:(= ?w 1)&:(= ?w 2))",
        "(side HOLD)",
    ],
)
def test_a_rule_that_can_never_fire_is_named(body):
    assert ("a", "unreachable") in kinds(lint(book(("a", "block", body))))


@pytest.mark.parametrize(
    "body", ["(weight ?w&~nil&:(>= ?w 3)&:(<= ?w 3))", "(weight ?w&~nil&:(or (> ?w 3) (< ?w 2)))", "(side ~BUY)"]
)
def test_a_rule_that_can_fire_is_not_called_unreachable(body):
    assert kinds(lint(book(("a", "block", body)))) == set()


def test_a_fact_that_nothing_asserts_makes_a_rule_unreachable():
    text = HEAD + "(deftemplate ghost (slot seen))\n" + FULL.format("a", "warn")
    text += "(defrule a (ghost (seen ?n)) => (assert (finding (rule a))))"
    assert ("a", "unreachable") in kinds(lint(read_book(text, "x.clp")))
    fed = read_book(text + "\n(defrule feed (position) => (assert (ghost (seen 1))))", "x.clp")
    assert ("a", "unreachable") not in kinds(lint(fed))


def test_missing_headers_tests_and_unknown_ids_and_slots_are_named():
    text = HEAD + ";@id a\n(defrule a (position (n ?n) (balance 3)) => (assert (finding (rule b) (n ?n))))\n"
    found = lint(read_book(text, "x.clp"))
    assert kinds(found) == {
        ("a", "missing header"),
        ("a", "missing test"),
        ("a", "unknown rule"),
        ("a", "unknown slot"),
    }
    assert {remark.line for remark in found} == {3, 4}


def test_the_same_conditions_with_opposite_severities_contradict():
    found = lint(book(("a", "block", "(weight ?w&:(> ?w 1))"), ("b", "info", "(weight ?x&:(> ?x 1))")))
    assert ("b", "contradictory") in kinds(found)


def test_rules_declared_against_each_other_are_caught_where_they_overlap():
    text = HEAD + FULL.format("a", "block") + ";@against b\n" + RULE.format("a", "", "(weight ?w&~nil&:(> ?w 0.2))")
    for bound, overlap in (("<= ?w 0.2", False), ("<= ?w 0.2000001", True), ("< ?w 0.5", True)):
        other = FULL.format("b", "info").replace("0.3", "0.1") + RULE.format("b", "", f"(weight ?w&~nil&:({bound}))")
        judge = WarmBook(read_book(text + other, "x.clp"))
        assert bool(clashes(judge)) == overlap
        for clash in clashes(judge):
            assert (clash.rule, clash.other, clash.n) == ("a", "b", 0)
            assert clash.facts[0].startswith("(position (n 0) (weight 0.")


def test_a_book_that_fails_its_own_tests_or_has_none_is_refused_with_the_line():
    failing = book(("a", "block", "(weight ?w&~nil&:(> ?w 0.9))"))
    with pytest.raises(RuleBookError, match=r"x\.clp line 6: test of a expects fires"):
        passed(WarmBook(failing))
    with pytest.raises(RuleBookError, match="has no test"):
        passed(WarmBook(read_book(HEAD + "(defrule r => )", "x.clp")))


def test_the_page_names_every_slot_and_its_example_is_a_clean_book_that_passes():
    page = PAGE.read_text(encoding="utf-8")
    for vocabulary in VOCABULARIES.values():
        section = page.partition(f"### Facts of `{vocabulary.name}`")[2].partition("\n#")[0]
        for template in vocabulary.templates.values():
            named = set(re.findall(r"[a-z0-9-]+", section))
            assert template.name == "finding" or {slot.name for slot in template.slots} | {template.name} <= named
    example = read_book(re.findall(r"```text\n(;@book.*?)```", page, re.DOTALL)[0], "mine.clp")
    passed(WarmBook(example))
    assert lint(example) == ()
