"""Limits of the whole book: net, leverage, coins, clusters, CVaR and its slope."""

from decimal import Decimal

import numpy as np
import pytest

from seakeep.core.market import Instrument, InstrumentKind
from seakeep.core.verdicts import Outcome, RiskVerdict
from seakeep.risk.breaker import BreakerState
from seakeep.risk.case import Candidate, Case
from seakeep.risk.review import review
from seakeep.risk.snapshot import tail_snapshot
from tests.unit.risk.cases import LOOSE, account, ask, case, facts, history, independent

A, B, C = "A/U", "B/U", "C/U"
RETURNS = independent([A, B, C]).returns


def judge(
    asked: dict[str, float], held: dict[str, float], limits: dict[str, float], **parts: object
) -> list[RiskVerdict]:
    chosen = LOOSE.model_copy(update=limits)
    decisions = [ask(symbol, target) for symbol, target in asked.items()]
    verdicts = review(case(decisions, account(**held), chosen, **parts))  # type: ignore[arg-type]
    assert all(hit.rule != "review_failed" for v in verdicts for hit in v.hits), verdicts
    return list(verdicts)


def test_the_net_limit_counts_a_hedge_against_what_it_hedges() -> None:
    (cut,) = judge({A: 0.5}, {B: 0.3}, {"max_net": 0.4})
    (hedge,) = judge({A: -0.5}, {B: 0.3}, {"max_net": 0.4})
    assert cut.target == pytest.approx(0.1)
    assert hedge.outcome is Outcome.APPROVED


def test_what_moves_together_shares_one_limit_and_a_hedge_does_not_use_it() -> None:
    twin = history([A, B, C], np.column_stack([RETURNS[:, 0], RETURNS[:, 0] + 0.001 * RETURNS[:, 1], RETURNS[:, 2]]))
    limits = {"max_correlated": 0.30, "correlation_threshold": 0.7}
    (cut,) = judge({A: 0.25}, {B: 0.2}, limits, history=twin)
    (other,) = judge({C: 0.25}, {B: 0.2}, limits, history=twin)
    (hedge,) = judge({A: -0.25}, {B: 0.2}, limits, history=twin)
    assert cut.target == pytest.approx(0.1)
    assert [hit.rule for hit in cut.hits] == ["max_correlated"]
    assert other.outcome is hedge.outcome is Outcome.APPROVED


def test_a_correlation_that_is_not_known_counts_as_one() -> None:
    (verdict,) = judge({A: 0.25}, {B: -0.2}, {"max_correlated": 0.30}, history=None)
    assert verdict.target == pytest.approx(0.1)


def test_one_position_alone_is_no_cluster() -> None:
    (verdict,) = judge({A: 0.9}, {}, {"max_correlated": 0.30}, history=None)
    assert verdict.outcome is Outcome.APPROVED


def test_one_coin_in_two_instruments_has_one_limit() -> None:
    (verdict,) = judge({"A/U:U": 0.3}, {A: 0.15, B: 0.2}, {"max_concentration": 0.2})
    (carry,) = judge({"A/U:U": -0.3}, {A: 0.15, B: 0.2}, {"max_concentration": 0.2})
    assert verdict.target == pytest.approx(0.05)
    assert carry.outcome is Outcome.APPROVED


def test_leverage_is_perpetuals_over_what_is_not_in_coins() -> None:
    # 40 % in coins leaves 60 % behind the perpetuals: twice that is 1.2.
    spot = Instrument(symbol=B, base="B", quote="U", kind=InstrumentKind.SPOT)
    perp = Instrument(symbol=A, base="A", quote="U", kind=InstrumentKind.PERPETUAL, max_leverage=Decimal(50))
    judged = Case(
        snapshot=account(**{B: 0.4}),
        candidates=(Candidate(decision=ask(A, 2.0), instrument=perp, held=0.0, mark=100.0),),
        limits=LOOSE.model_copy(update={"max_leverage": 2.0}),
        breaker=BreakerState.NORMAL,
        instruments={A: perp, B: spot},
        markets={A: facts(A), B: facts(B)},
        portfolio=case([]).portfolio,
    )
    (verdict,) = review(judged)
    assert verdict.target == pytest.approx(1.2)
    assert verdict.hits[0].value == pytest.approx(2.0 / 0.6)


def test_the_book_is_cut_to_the_cvar_that_is_allowed() -> None:
    (verdict,) = judge({A: 2.0}, {B: 0.2}, {"max_cvar": 0.03}, history=independent([A, B, C]))
    weights = np.array([verdict.target, 0.2, 0.0])
    assert verdict.outcome is Outcome.RESIZED
    assert tail_snapshot(RETURNS, weights).cvar.value == pytest.approx(0.03, rel=1e-6)


def test_a_decision_adds_at_most_its_own_share_of_cvar() -> None:
    limits = {"max_marginal_cvar": 0.01}
    (verdict,) = judge({A: 2.0}, {B: 0.5}, limits, history=independent([A, B, C]))
    found = tail_snapshot(RETURNS, np.array([0.0, 0.5, 0.0]), np.array([verdict.target, 0.0, 0.0]))
    assert found.order is not None
    assert found.order.cvar_change.value == pytest.approx(0.01, rel=1e-6)
    assert [hit.rule for hit in verdict.hits] == ["max_marginal_cvar"]


def test_the_traffic_light_takes_its_share_of_the_cvar_limit() -> None:
    known = independent([A, B, C])
    whole, red = (
        judge({A: 2.0}, {}, {"max_cvar": 0.03}, history=known, limit_share=share)[0].target for share in (1.0, 0.75)
    )
    assert red == pytest.approx(0.75 * whole)


def test_a_book_that_is_over_its_limit_takes_only_what_lowers_it() -> None:
    twin = history([A, B], np.column_stack([RETURNS[:, 0], RETURNS[:, 0]]))
    more, hedge = (judge({A: w}, {B: 1.0}, {"max_cvar": 0.01}, history=twin)[0] for w in (0.1, -0.1))
    assert more.outcome is Outcome.REFUSED
    assert hedge.outcome is Outcome.APPROVED


def test_a_resized_target_that_is_too_small_is_refused() -> None:
    (verdict,) = judge({A: 0.5}, {B: 0.999}, {"max_net": 1.0, "min_weight": 0.01})
    assert verdict.outcome is Outcome.REFUSED


def test_near_misses_are_of_the_book_as_it_would_be() -> None:
    (verdict,) = judge({A: 0.5}, {B: 0.3}, {"max_gross": 0.7, "max_net": 0.8})
    assert verdict.target == pytest.approx(0.4)
    assert [(n.rule, round(n.value, 9)) for n in verdict.near_misses] == [("max_net", 0.7)]
