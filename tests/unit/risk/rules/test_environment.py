"""Warm environments: isolation, budgets, faults that leave the other rules their say, and traces."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from seakeep.core.errors import RuleBookError
from seakeep.risk.rules.balance import shipped_books, shipped_judge
from seakeep.risk.rules.book import read_book
from seakeep.risk.rules.environment import SAME_RULE, Environment, WarmBook
from seakeep.risk.rules.measured import facts_of
from seakeep.risk.rules.request import Indicator, Person, Position
from seakeep.risk.rules.vocabulary import BALANCE, Kind

HEAD = ";@book x\n;@facts balance\n"
SPEAKS = "(defrule speaks (declare (salience -9)) (position (n ?n) (weight ?w&~nil)) => (assert (finding (rule speaks) (n ?n) (value ?w))))"  # noqa: E501
SLOTS = [slot.name for slot in BALANCE.templates["position"].slots]


def fact(**slots):
    return ("position", tuple(slots.get(name.replace("-", "_")) for name in SLOTS))


def judged(*rules, rows=None, **options):
    return Environment(read_book(HEAD + "\n".join(rules), "x.clp")).judge(rows or [fact(n=0, weight=0.5)], **options)


def spoken(found):
    return [(finding.rule, finding.n) for finding in found.findings]


@pytest.mark.parametrize(("record", "template"), [(Person, "person"), (Position, "position"), (Indicator, "indicator")])
def test_records_have_the_slots_of_their_facts_in_order(record, template):
    names = tuple(slot.name.replace("-", "_") for slot in BALANCE.templates[template].slots)
    assert record.__struct_fields__ == names


@pytest.mark.parametrize("template", [t for t in BALANCE.templates.values() if t.name != "finding"])
def test_a_rule_hears_every_slot_that_it_names_and_facts_stay_apart_by_those_it_does_not(template):
    values = {Kind.NUMBER: (1.5, "1.5"), Kind.INDEX: (7, "7"), Kind.TEXT: ("x y", '"x y"'), Kind.WORD: ("BUY", "BUY")}
    full = tuple(values[slot.kind][0] for slot in template.slots)
    for slot in template.slots:
        rule = f"(defrule r ({template.name} ({slot.name} {values[slot.kind][1]})) => (assert (finding (rule r))))"
        assert len(judged(rule, rows=[(template.name, full)]).findings) == 1, slot.name
    some = f"(defrule r ({template.name}) => (assert (finding (rule r))))"
    rows = [(template.name, (n, *full[1:])) for n in range(3)] if template.slots[0].name == "n" else []
    assert len(judged(some, rows=rows, trace=True).trace.fired) == len(rows)


def test_a_rule_that_divides_by_zero_is_a_fault_and_the_others_still_speak():
    found = judged("(defrule bad (position (weight ?w&~nil)) => (assert (finding (rule bad) (value (/ 1 0)))))", SPEAKS)
    assert spoken(found) == [("speaks", 0)]
    assert [(fault.rule, "zero" in fault.what) for fault in found.faults] == [("bad", True)]


def test_a_condition_that_divides_by_zero_is_a_fault_and_the_others_still_speak():
    bad = "(defrule bad (position (n ?n) (weight ?w&~nil)) (test (> (/ 1 (- ?w ?w)) 0)) => )"
    found = judged(bad, SPEAKS)
    assert spoken(found) == [("speaks", 0)]
    assert [fault.rule for fault in found.faults] == ["bad"]


def test_a_rule_that_keeps_itself_alive_is_stopped_and_the_others_still_speak():
    spin = "(defrule spin ?f <- (extra (n ?n)) => (modify ?f (n (+ ?n 1))))"
    found = judged(spin, SPEAKS, rows=[fact(n=0, weight=0.5), ("extra", (0, None, None, None, None))])
    assert spoken(found) == [("speaks", 0)]
    assert [(fault.rule, str(SAME_RULE) in fault.what) for fault in found.faults] == [("spin", True)]


def test_two_rules_that_feed_each_other_are_both_stopped():
    ping = "(deftemplate ball (slot at))(defrule serve (position) => (assert (ball (at 0))))"
    pong = "(defrule {0} ?b <- (ball (at ?n&:(= (mod ?n 2) {1}))) => (modify ?b (at (+ ?n 1))))"
    found = judged(ping, pong.format("ping", 0), pong.format("pong", 1), SPEAKS)
    assert spoken(found) == [("speaks", 0)]
    assert {fault.rule for fault in found.faults} & {"ping", "pong"}


def test_a_book_that_does_not_compile_names_file_and_line():
    with pytest.raises(RuleBookError, match=r"x\.clp line 4: does not compile: .*\?q"):
        judged("", "(defrule r (position (n ?n)) (test (> ?q 1)) => )")


def test_state_of_one_judgement_is_gone_in_the_next():
    count = "(defglobal ?*n* = 0)(defrule r (position) => (bind ?*n* (+ ?*n* 1)) (assert (finding (rule r) (n ?*n*))))"
    environment = Environment(read_book(HEAD + count, "x.clp"))
    assert [spoken(environment.judge([fact(n=0)])) for _ in range(3)] == [[("r", 1)]] * 3
    assert spoken(environment.judge([])) == []


def test_an_environment_that_failed_is_not_used_again():
    book = WarmBook(read_book(HEAD + "(defrule bad (position (n 7)) => (bind ?x (/ 1 0)))\n" + SPEAKS, "x.clp"))
    assert book.judge([fact(n=7)]).faults
    assert spoken(book.judge([fact(n=0, weight=0.5)])) == [("speaks", 0)]


def test_threads_never_see_each_others_facts():
    judge = shipped_judge("crypto")

    def ask(n):
        side = {"ot_pos_dealid": f"D{n}", "ot_risk_check": True, "ot_pos_controlled": True, "ot_pos_stop": 1 + n % 2}
        rows = facts_of({"ot_user_limitpertrade": n + 1.0, "position-data": [side] * (n % 5 + 1)})
        return n, [finding.n for finding in judge.judge(rows).findings if finding.rule == "position-take-profit"]

    with ThreadPoolExecutor(8) as pool:
        for n, found in pool.map(ask, range(400)):
            assert sorted(found) == list(range(n % 5 + 1))


def test_a_trace_names_what_fired_on_which_facts_and_how_far_the_others_came():
    second = "(defrule never (position (n ?n)) (person (balance ?b)) => )"
    trace = judged(SPEAKS, second, trace=True).trace
    assert [(firing.rule, firing.facts) for firing in trace.fired] == [("speaks", ("f-1",))]
    assert {match.rule: (match.patterns, match.partial) for match in trace.matches} == {
        "speaks": ((1,), ()),
        "never": ((1, 0), (0,)),
    }


def test_hostile_texts_are_only_texts_to_clips():
    text = '")) (system "x")'
    quoted = '"' + text.replace('"', '\\"') + '"'
    rule = f"(defrule r (position (n ?n) (name ?t&:(eq ?t {quoted}))) => (assert (finding (rule r) (n ?n))))"
    assert spoken(judged(rule, rows=[fact(n=3, name=text)])) == [("r", 3)]


def test_every_shipped_book_compiles_without_a_word_on_the_terminal(capfd):
    for name in shipped_books():
        assert not shipped_judge(name).judge([]).faults
    assert capfd.readouterr() == ("", "")
