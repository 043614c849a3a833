"""Two books over recorded decisions: who is blocked, and what that does to results computed by hand."""

import numpy as np
import pytest

from seakeep.risk.rules.balance import shipped_judge
from seakeep.risk.rules.book import read_book
from seakeep.risk.rules.environment import WarmBook
from seakeep.risk.rules.replay import Recorded, compare
from seakeep.risk.rules.vocabulary import PORTFOLIO
from tests.unit.risk.rules.test_balance import position, request

HEAD = ";@book x\n;@facts portfolio\n;@id big\n;@severity block\n;@text t\n"
SLOTS = [slot.name for slot in PORTFOLIO.templates["candidate"].slots]


def judge(limit):
    test = f"(test (> ?target {limit}))"
    rule = f"(defrule big (candidate (n ?n) (target ?target&~nil)) {test} => (assert (finding (rule big) (n ?n))))"
    return WarmBook(read_book(HEAD + rule, "x.clp"))


def decision(at, target, pnl, adds="TRUE"):
    values = {"n": 0, "adds": adds, "target": target}
    row = ("candidate", tuple(values.get(name) for name in SLOTS))
    return Recorded(id=f"d{at}", ts=at, rows=(row,), pnl=pnl)


def test_a_tighter_book_blocks_what_lies_between_the_limits_and_nothing_else():
    asked = [decision(i, i / 10, float(i)) for i in range(10)]
    found = compare(judge(0.75), judge(0.35), asked)
    assert [changed.id for changed in found.newly_blocked] == ["d4", "d5", "d6", "d7"]
    assert found.newly_allowed == ()
    assert found.fired == {"big": (2, 6)}
    swapped = compare(judge(0.35), judge(0.75), asked)
    assert swapped.newly_allowed == found.newly_blocked


def test_sum_tail_and_drawdown_are_those_of_what_passes():
    results = np.random.default_rng(7).normal(1, 10, 60).round(2)
    asked = [decision(i, 0.9 if i % 3 == 0 else 0.1, float(pnl)) for i, pnl in enumerate(results)]
    found = compare(judge(1.0), judge(0.5), reversed(asked))
    kept = results[np.arange(60) % 3 != 0]
    curve = np.concatenate([[0], kept.cumsum()])
    assert (found.before.n, found.after.n) == (60, 40)
    assert found.after.pnl == pytest.approx(kept.sum())
    assert found.before.cvar == pytest.approx(-np.sort(results)[:3].mean())
    assert found.after.cvar == pytest.approx(-np.sort(kept)[:2].mean())
    assert found.after.drawdown == pytest.approx(max(curve[: i + 1].max() - curve[i] for i in range(41)))


def test_reductions_are_never_blocked_and_unknown_results_are_counted_not_invented():
    asked = [decision(0, 0.9, None, adds="FALSE"), decision(1, 0.1, None), decision(2, 0.1, 3.0)]
    found = compare(judge(1.0), judge(0.5), asked)
    assert found.newly_blocked == ()
    assert (found.after.n, found.after.unknown, found.after.cvar) == (1, 2, None)


def test_facts_that_no_decision_had_are_named():
    found = compare(shipped_judge("portfolio"), shipped_judge("portfolio"), [decision(0, 0.1, None)])
    assert {"market", "sentiment", "pair"} <= set(found.missing)


def test_a_rule_that_fails_blocks_and_is_named():
    bad = WarmBook(read_book(HEAD + "(defrule big (candidate (n ?n)) => (bind ?x (/ 1 0)))", "x.clp"))
    found = compare(judge(1.0), bad, [decision(0, 0.1, 1.0)])
    assert [changed.rules for changed in found.newly_blocked] == [("rule_book_fault",)]
    assert found.faults[0].startswith("big: ")


def test_requests_of_the_stateless_door_are_replayed_too():
    crypto = shipped_judge("crypto")
    strict = crypto.book.text.replace("(test (> ?share ?limit))", "(test (> ?share (* 0.5 ?limit)))")
    asked = [
        Recorded(id="a", payload=request(position())),
        Recorded(id="b", payload=request(position(ot_pos_stop=250))),
    ]
    found = compare(crypto, WarmBook(read_book(strict, "strict.clp")), asked)
    assert [(changed.id, changed.rules) for changed in found.newly_blocked] == [("a", ("position-risk-limit-two",))]
