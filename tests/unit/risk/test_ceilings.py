"""Each limit of a candidate alone, at its edge."""

import math
from decimal import Decimal

import msgspec
import pytest

from seakeep.core.market import Instrument, InstrumentKind
from seakeep.core.verdicts import Outcome, RiskVerdict
from seakeep.risk.case import Candidate, ModelHealth
from seakeep.risk.limits import Limits
from seakeep.risk.review import review
from tests.unit.risk.cases import LOOSE, account, ask, case, facts, independent

A = "A/U"


def judge(target: float, limits: dict[str, float], **parts: object) -> RiskVerdict:
    held = account(**parts.pop("held", {}))  # type: ignore[arg-type]
    (verdict,) = review(case([ask(A, target)], held, LOOSE.model_copy(update=limits), **parts))  # type: ignore[arg-type]
    assert all(hit.rule != "review_failed" for hit in verdict.hits), verdict.hits
    return verdict


def test_a_trade_may_lose_no_more_at_its_stop_than_allowed() -> None:
    # A tenth of the price to the stop: 2 % of equity is lost by a fifth of equity.
    edge = judge(0.2, {"max_trade_loss": 0.02}, stops={A: 90.0})
    over = judge(0.3, {"max_trade_loss": 0.02}, stops={A: 90.0})
    assert edge.outcome is Outcome.APPROVED
    assert [hit.rule for hit in edge.near_misses] == ["max_trade_loss"]
    assert over.target == pytest.approx(0.2)
    assert over.hits[0].value == pytest.approx(0.03)


def test_without_a_stop_the_assumed_distance_counts() -> None:
    assert judge(0.5, {"max_trade_loss": 0.05, "assumed_stop": 0.25}).target == pytest.approx(0.2)


@pytest.mark.parametrize(("target", "stop"), [(0.1, 100.0), (0.1, 101.0), (-0.1, 99.0), (0.1, -5.0), (0.1, math.nan)])
def test_a_stop_that_protects_nothing_is_refused(target: float, stop: float) -> None:
    verdict = judge(target, {}, stops={A: stop})
    assert verdict.outcome is Outcome.REFUSED
    assert {hit.rule for hit in verdict.hits} <= {"stop_side", "unmeasurable"}


def test_an_order_takes_at_most_its_share_of_an_hour() -> None:
    # Equity 1000, an hour of 2000: five percent of it is 100, a tenth of equity beyond the 0.05 already held.
    deep = {A: facts(A, volume_1h=2000.0)}
    verdict = judge(0.3, {"max_order_share": 0.05}, markets=deep, held={A: 0.05})
    assert verdict.target == pytest.approx(0.15)
    assert (verdict.hits[0].rule, verdict.hits[0].value) == ("max_order_share", pytest.approx(250.0))


def test_what_was_traded_this_hour_counts_to_our_share_of_it() -> None:
    busy = {A: facts(A, volume_1h=2000.0, traded_1h=150.0)}
    assert judge(0.3, {"max_participation": 0.10}, markets=busy).target == pytest.approx(0.05)
    full = {A: facts(A, volume_1h=2000.0, traded_1h=200.0)}
    assert judge(0.3, {"max_participation": 0.10}, markets=full).outcome is Outcome.REFUSED


@pytest.mark.parametrize("known", [{"volume_1h": None}, {"volume_1h": 0.0}])
def test_a_market_whose_volume_is_not_known_takes_nothing(known: dict[str, float]) -> None:
    assert judge(0.01, {}, markets={A: facts(A, **known)}).outcome is Outcome.REFUSED


@pytest.mark.parametrize(("age", "outcome"), [(3.0, "APPROVED"), (3.01, "REFUSED"), (math.nan, "REFUSED")])
def test_a_stale_price_takes_no_addition(age: float, outcome: str) -> None:
    assert judge(0.01, {"max_age_bars": 3.0}, markets={A: facts(A, age_bars=age)}).outcome == outcome


def test_a_market_nothing_is_known_about_takes_no_addition() -> None:
    verdict = judge(0.01, {}, markets={})
    assert (verdict.outcome, verdict.hits[0].rule) == (Outcome.REFUSED, "market_unknown")


@pytest.mark.parametrize(("share", "outcome"), [(0.5, "APPROVED"), (0.49, "REFUSED"), (math.nan, "REFUSED")])
def test_an_expert_that_seldom_answers_stops_additions(share: float, outcome: str) -> None:
    models = (ModelHealth("ma", A, share), ModelHealth("ma", "B/U", 0.0))
    assert judge(0.01, {"min_model_health": 0.5}, models=models).outcome == outcome


def test_the_largest_order_holds_whatever_the_account_is_worth() -> None:
    assert judge(0.9, {"max_order_notional": 100.0}).target == pytest.approx(0.1)


def test_without_a_tail_part_of_the_largest_position_is_left() -> None:
    limits = {"max_weight": 0.10, "unknown_tail_share": 0.5, "min_tail_days": 60}
    short, long = (independent([A], days) for days in (59, 60))
    assert judge(0.10, limits, history=short).target == pytest.approx(0.05)
    assert judge(0.10, limits, history=long).target == 0.10
    assert judge(0.10, limits, history=None).hits[0].rule == "tail_unknown"


def test_the_venues_leverage_is_a_ceiling_of_a_perpetual() -> None:
    low = Instrument(symbol=A, base="A", quote="U", kind=InstrumentKind.PERPETUAL, max_leverage=Decimal(2))
    judged = case([ask(A, 5.0)], account(), LOOSE)
    candidate = Candidate(decision=ask(A, 5.0), instrument=low, held=0.0, mark=100.0)
    assert review(msgspec.structs.replace(judged, candidates=(candidate,)))[0].target == 2.0


def test_two_decisions_on_one_symbol_are_not_both_carried_out() -> None:
    first, second = review(case([ask(A, 0.05), ask(A, 0.06)], account(), Limits(unknown_tail_share=1.0)))
    assert (first.outcome, second.outcome) == (Outcome.APPROVED, Outcome.REFUSED)
    assert second.hits[0].rule == "asked_twice"
