"""Laws of the gate: a stated flip flips, tighter limits never approve more, what takes risk away always passes."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seakeep.core.errors import RuleBookError
from seakeep.core.verdicts import Outcome, RiskSnapshot, RuleHit
from seakeep.risk.breaker import BreakerState
from seakeep.risk.case import Case
from seakeep.risk.flip import apply, find
from seakeep.risk.limits import Limits
from seakeep.risk.ratchet import TIGHTER
from seakeep.risk.review import review
from seakeep.risk.room import NEAR, Book, all_checks, fits
from tests.unit.risk.cases import account, ask, case, facts, independent

SYMBOLS = ("A/U", "B/U", "C/U", "D/U")
RETURNS = independent(SYMBOLS)
weights = st.dictionaries(st.sampled_from(SYMBOLS), st.floats(-0.4, 0.4).map(lambda x: round(x, 6)), max_size=4)
LIMITS = {
    "max_weight": st.floats(0.01, 0.5),
    "max_gross": st.floats(0.05, 2.0),
    "max_net": st.floats(0.05, 2.0),
    "max_leverage": st.floats(0.05, 3.0),
    "max_correlated": st.floats(0.05, 1.0),
    "max_cvar": st.floats(0.001, 0.05),
    "max_marginal_cvar": st.floats(0.0005, 0.02),
    "max_trade_loss": st.floats(0.001, 0.1),
    "max_order_share": st.floats(0.01, 0.1),
    "max_participation": st.floats(0.01, 0.2),
    "max_order_notional": st.floats(1.0, 500.0),
    "max_age_bars": st.floats(0.5, 4.0),
}
some_limits = st.fixed_dictionaries({}, optional=LIMITS)
states = st.sampled_from(list(BreakerState))


def slice_of(
    asked: dict[str, float],
    held: dict[str, float],
    limits: dict[str, float],
    *,
    breaker: BreakerState = BreakerState.NORMAL,
    age: float = 0.0,
    traded: float = 0.0,
    tail: bool = True,
) -> Case:
    """A case on a few markets of which an hour trades 5,000 quote units; the account has 1,000."""
    snapshot = account(**held)
    symbols = {*asked, *held}
    chosen = Limits.model_validate({"max_weight": 0.3, "max_correlated": 1.0} | limits)
    markets = {s: facts(s, volume_1h=5_000.0, age_bars=age, traded_1h=traded) for s in symbols}
    decisions = [ask(symbol, target) for symbol, target in asked.items()]
    return case(decisions, snapshot, chosen, breaker, markets=markets, history=RETURNS if tail else None)


@settings(max_examples=80, deadline=None)
@given(weights, weights, some_limits, states, st.sampled_from([0.0, 2.0, 5.0]), st.sampled_from([0.0, 400.0]))
def test_applying_the_stated_flip_flips_the_verdict(
    asked: dict[str, float],
    held: dict[str, float],
    limits: dict[str, float],
    breaker: BreakerState,
    age: float,
    traded: float,
) -> None:
    judged = slice_of(asked, held, limits, breaker=breaker, age=age, traded=traded)
    for row, verdict in enumerate(review(judged)):
        flip = find(judged, row)
        if flip is None:
            continue
        after = review(apply(judged, row, flip))[row]
        assert after.outcome.value == flip.outcome
        assert after.outcome is not verdict.outcome
        assert after.outcome is Outcome.APPROVED or verdict.outcome is not Outcome.RESIZED


@settings(max_examples=60, deadline=None)
@given(st.floats(-0.6, 0.6), weights, some_limits)
def test_what_is_cut_or_refused_on_its_own_names_a_change_or_has_none_of_its_own(
    target: float, held: dict[str, float], limits: dict[str, float]
) -> None:
    judged = slice_of({"A/U": target}, held, limits)
    (verdict,) = review(judged)
    if verdict.outcome is Outcome.RESIZED and verdict.target * target > 0:
        flip = find(judged, 0)
        assert flip is not None
        assert (flip.kind, flip.after) == ("size", verdict.target)


@settings(max_examples=60, deadline=None)
@given(weights, weights, some_limits)
def test_what_is_left_out_as_too_small_to_matter_was_neither_met_nor_near(
    asked: dict[str, float], held: dict[str, float], limits: dict[str, float]
) -> None:
    scale = 0.1
    judged = slice_of({}, {s: scale * w for s, w in held.items()}, limits)
    added = {s: scale * w for s, w in asked.items()}
    if fits(judged, judged.held, added):
        book = Book.of(judged, judged.held, added)
        assert all(check.share == 1.0 and check.value < NEAR * check.limit for check in all_checks(book))


def tighter(name: str, limits: dict[str, float], share: float) -> dict[str, float]:
    value = limits.get(name, getattr(Limits.model_validate({"max_weight": 0.3, "max_correlated": 1.0}), name))
    return limits | {name: value * share}


@settings(max_examples=60, deadline=None)
@given(st.floats(-0.6, 0.6), weights, some_limits, st.sampled_from(sorted(LIMITS)), st.floats(0.1, 0.99), st.booleans())
def test_a_tighter_limit_never_approves_more(
    target: float, held: dict[str, float], limits: dict[str, float], name: str, share: float, tail: bool
) -> None:
    assert TIGHTER[name] == -1
    (loose,), (tight,) = (
        review(slice_of({"A/U": target}, held, chosen, tail=tail)) for chosen in (limits, tighter(name, limits, share))
    )
    base = held.get("A/U", 0.0) if held.get("A/U", 0.0) * target > 0 else 0.0
    assert abs(tight.target) <= max(abs(loose.target), abs(base)) * (1 + 1e-9) + 1e-12


@settings(max_examples=60, deadline=None)
@given(
    weights.filter(bool), st.sampled_from(["max_gross", "max_net", "max_cvar", "max_leverage"]), st.floats(0.2, 0.99)
)
def test_no_limit_of_the_book_is_passed_and_tightening_one_takes_from_all(
    asked: dict[str, float], name: str, share: float
) -> None:
    wanted = {symbol: abs(target) for symbol, target in asked.items()}
    loose, tight = ({}, tighter(name, {}, share))
    for before, after in zip(review(slice_of(wanted, {}, loose)), review(slice_of(wanted, {}, tight)), strict=True):
        assert abs(after.target) <= abs(before.target) * (1 + 1e-9)
    limits = Limits.model_validate({"max_weight": 0.3, "max_correlated": 1.0} | tight)
    given_to = np.array([v.target if v.allowed else 0.0 for v in review(slice_of(wanted, {}, tight))])
    assert np.abs(given_to).sum() <= limits.max_gross + 1e-9
    assert abs(given_to.sum()) <= limits.max_net + 1e-9


class Raises:
    """A book that always fails."""

    version = "broken"

    def judge(self, judged: Case) -> tuple[tuple[RuleHit, ...], ...]:
        raise RuleBookError("line 7 does not compile")


class Refuses(Raises):
    """A book that is against everything."""

    def judge(self, judged: Case) -> tuple[tuple[RuleHit, ...], ...]:
        return ((RuleHit("never", "block", math.nan, math.inf, "no"),),) * len(judged.candidates)


@settings(max_examples=60, deadline=None)
@given(
    weights.filter(bool),
    states,
    st.sampled_from([None, Raises(), Refuses()]),
    st.sampled_from(["fine", "nan equity", "nan marks", "no facts", "stale"]),
)
def test_what_takes_risk_away_passes_whatever_is_broken(
    held: dict[str, float], breaker: BreakerState, book: Raises | None, broken: str
) -> None:
    held = {symbol: weight for symbol, weight in held.items() if weight}
    asked = {symbol: 0.0 if i % 2 else weight / 2 for i, (symbol, weight) in enumerate(held.items())}
    snapshot = account(math.nan if broken == "nan equity" else 1000.0, **held)
    if broken == "nan marks":
        snapshot = RiskSnapshot(0, math.nan, math.nan, math.nan, math.nan, tuple(held.items()))
    markets = (
        {} if broken == "no facts" else {s: facts(s, age_bars=math.nan if broken == "stale" else 0.0) for s in held}
    )
    judged = case([ask(*one) for one in asked.items()], snapshot, Limits(), breaker, markets=markets)
    for verdict, target in zip(review(judged, book), asked.values(), strict=True):
        assert (verdict.outcome, verdict.target) == (Outcome.APPROVED, target)
        assert all(math.isfinite(hit.value) and math.isfinite(hit.limit) for hit in verdict.hits)


@pytest.mark.parametrize("book", [Raises(), Refuses()])
def test_a_book_that_fails_or_refuses_lets_no_addition_through(book: Raises) -> None:
    (verdict,) = review(slice_of({"A/U": 0.05}, {}, {}), book)
    assert verdict.outcome is Outcome.REFUSED
    assert verdict.book == "broken"
    assert verdict.hits[0].rule in ("rule_book_failed", "never")
