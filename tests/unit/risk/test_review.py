"""The first gate: what it lets through, what it cuts, and that reductions always pass."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seakeep.core.verdicts import Decision, Outcome, RiskSnapshot, RiskVerdict
from seakeep.risk.breaker import BreakerState
from seakeep.risk.review import review
from tests.unit.risk.cases import LOOSE, account, ask, case, independent


def judge(
    decisions: list[Decision], snapshot: RiskSnapshot, breaker: BreakerState = BreakerState.NORMAL, **limits: float
) -> tuple[RiskVerdict, ...]:
    return review(case(decisions, snapshot, LOOSE.model_copy(update={"max_weight": 0.1} | limits), breaker))


def test_what_fits_is_approved_as_asked() -> None:
    (verdict,) = judge([ask("A", 0.05)], account())
    assert (verdict.outcome, verdict.target, verdict.hits) == (Outcome.APPROVED, 0.05, ())


def test_a_position_is_cut_to_the_largest_allowed_and_the_rule_is_named() -> None:
    (verdict,) = judge([ask("A", -0.30)], account(), max_weight=0.1)
    assert (verdict.outcome, verdict.target) == (Outcome.RESIZED, -0.1)
    assert [(h.rule, h.value, h.limit) for h in verdict.hits] == [("max_weight", 0.30, 0.1)]


def test_additions_share_the_gross_room_in_proportion() -> None:
    verdicts = judge([ask("A", 0.10), ask("B", 0.05)], account(C=0.9), max_gross=0.96)
    assert [v.target for v in verdicts] == pytest.approx([0.04, 0.02])
    assert all(v.outcome is Outcome.RESIZED for v in verdicts)


def test_a_reduction_in_the_same_slice_makes_room() -> None:
    verdicts = judge([ask("A", 0.10), ask("C", 0.0)], account(C=0.9), max_gross=0.9)
    assert [v.outcome for v in verdicts] == [Outcome.APPROVED, Outcome.APPROVED]


def test_a_full_book_refuses_and_says_why() -> None:
    (verdict,) = judge([ask("A", 0.10)], account(C=0.95), max_gross=0.95)
    assert verdict.outcome is Outcome.REFUSED
    assert verdict.hits[0].rule == "max_gross"


@pytest.mark.parametrize("state", [BreakerState.REDUCE_ONLY, BreakerState.FLATTEN, BreakerState.HALTED])
def test_a_tripped_breaker_stops_additions_and_turns_a_flip_into_a_close(state: BreakerState) -> None:
    fresh, flip, close = judge([ask("A", 0.05), ask("B", -0.05), ask("C", 0.0)], account(B=0.05, C=0.05), state)
    assert not fresh.allowed
    assert (flip.outcome, flip.target) == (Outcome.RESIZED, 0.0)
    assert close.outcome is Outcome.APPROVED


@pytest.mark.parametrize("equity", [0.0, -5.0, math.nan])
def test_an_account_that_cannot_be_measured_gets_no_new_risk(equity: float) -> None:
    (verdict,) = judge([ask("A", 0.05)], RiskSnapshot(0, equity, 0.0, 0.0, 0.0, ()))
    assert verdict.outcome is Outcome.REFUSED
    assert verdict.hits[0].rule == "unmeasurable"


def test_a_target_that_is_no_number_is_refused() -> None:
    (verdict,) = judge([ask("A", math.nan)], account())
    assert verdict.outcome is Outcome.REFUSED


weights = st.dictionaries(st.sampled_from("ABCDEF"), st.floats(-0.5, 0.5), max_size=6)


@given(weights, weights, st.sampled_from(list(BreakerState)), st.floats(0.05, 2.0))
def test_no_review_adds_beyond_a_limit_and_no_reduction_is_blocked(
    held: dict[str, float], asked: dict[str, float], state: BreakerState, max_gross: float
) -> None:
    decisions = [ask(symbol, target) for symbol, target in asked.items()]
    verdicts = judge(decisions, account(**held), state, max_gross=max_gross)
    after = held | {v.symbol: v.target for v in verdicts if v.allowed}
    before = sum(abs(w) for w in held.values())
    assert sum(abs(w) for w in after.values()) <= max(before, max_gross) + 1e-9
    for decision, verdict in zip(decisions, verdicts, strict=True):
        now = held.get(decision.symbol, 0.0)
        if decision.target == 0 or (now * decision.target > 0 and abs(decision.target) <= abs(now)):
            assert (verdict.outcome, verdict.target) == (Outcome.APPROVED, decision.target)
        elif verdict.allowed:
            assert abs(verdict.target) <= max(0.10, abs(now)) + 1e-12


RETURNS = independent(("A/U", "B/U", "C/U"))
small = st.floats(-0.1, 0.1).map(lambda x: round(x, 4))


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(RETURNS.symbols), small), max_size=3),
    st.dictionaries(st.sampled_from(RETURNS.symbols), small, max_size=3),
    st.fixed_dictionaries(
        {},
        optional={
            "max_gross": st.floats(0.02, 0.5),
            "max_net": st.floats(0.02, 0.5),
            "max_leverage": st.floats(0.02, 0.5),
            "max_cvar": st.floats(0.0005, 0.02),
            "max_marginal_cvar": st.floats(0.0005, 0.02),
        },
    ),
)
def test_a_book_small_enough_to_leave_measuring_out_gets_the_verdicts_that_measuring_gives(
    asked: list[tuple[str, float]], held: dict[str, float], limits: dict[str, float]
) -> None:
    chosen = LOOSE.model_copy(update={"max_weight": 0.2} | limits)
    decisions = [ask(symbol, target) for symbol, target in asked]
    short, whole = (
        review(case(decisions, account(**held), chosen, history=history))
        for history in (RETURNS, replace(RETURNS, alone=None))
    )
    assert short == whole
