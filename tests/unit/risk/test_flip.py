"""The change that turns an answer, case by case; that it always turns it is a law of its own (tests/laws)."""

import pytest

from seakeep.core.verdicts import Outcome, RiskSnapshot
from seakeep.risk.breaker import BreakerState
from seakeep.risk.flip import apply, find, stated, week_start
from seakeep.risk.review import review
from tests.unit.risk.cases import LOOSE, account, ask, case, facts

A, B = "A/U", "B/U"
DAY = 86_400_000


def test_a_cut_says_the_size_that_would_have_passed() -> None:
    judged = case([ask(A, 0.5)], account(), LOOSE.model_copy(update={"max_weight": 0.1}))
    flip = find(judged, 0)
    assert flip is not None
    assert (flip.kind, flip.after, flip.outcome) == ("size", 0.1, "APPROVED")
    (verdict,) = review(judged)
    assert stated(judged, 0, None, verdict) == flip.text == "ask for 10.0000% of equity instead of 50.0000%"


def test_an_approval_says_where_it_ends() -> None:
    flip = find(case([ask(A, 0.05)], account(), LOOSE.model_copy(update={"max_weight": 0.1})), 0)
    assert flip is not None
    assert flip.after == pytest.approx(0.1, rel=1e-5)
    assert (flip.after > 0.1, flip.outcome) == (True, "RESIZED")


def test_where_two_share_the_room_the_size_is_what_would_pass_beside_the_other() -> None:
    # Room of 0.6; the other asks 0.4 and keeps asking it, so 0.2 is what passes whole.
    judged = case([ask(A, 0.5), ask(B, 0.4)], account(), LOOSE.model_copy(update={"max_gross": 0.6}))
    flip = find(judged, 0)
    assert flip is not None
    assert flip.after == pytest.approx(0.2, rel=1e-5)
    assert flip.after <= 0.2


def test_a_full_book_asks_for_less_of_what_fills_it() -> None:
    judged = case([ask(A, 0.1)], account(**{B: 0.95}), LOOSE.model_copy(update={"max_gross": 0.95}))
    flip = find(judged, 0)
    assert flip is not None
    assert (flip.kind, flip.symbol, flip.outcome) == ("hedge", B, "APPROVED")
    assert flip.after == pytest.approx(0.85, rel=1e-5)


def test_a_trade_that_could_lose_too_much_needs_a_nearer_stop_when_it_is_refused() -> None:
    limits = LOOSE.model_copy(update={"max_trade_loss": 0.00001, "min_weight": 0.01})
    judged = case([ask(A, 0.1)], account(), limits, stops={A: 90.0})
    flip = find(judged, 0)
    assert flip is not None
    assert (flip.kind, flip.before) == ("stop", 90.0)
    assert flip.after == pytest.approx(100 - 0.01, abs=1e-4)


@pytest.mark.parametrize(
    ("state", "kind", "until"),
    [
        (BreakerState.REDUCE_ONLY, "wait", DAY),
        (BreakerState.REDUCE_WEEK, "wait", 4 * DAY),
        (BreakerState.REDUCE_LATCHED, "reset", 0),
        (BreakerState.HALTED, "reset", 0),
    ],
)
def test_a_tripped_breaker_names_when_or_how_it_ends(state: BreakerState, kind: str, until: int) -> None:
    lost = RiskSnapshot(5, 1000.0, 0.16, 0.06, 0.0, (), weekly_loss=0.12)
    calm = LOOSE if kind == "wait" else LOOSE.model_copy(update={"reduce_drawdown": 0.15})
    flip = find(case([ask(A, 0.1)], lost, calm, state), 0)
    assert flip is not None
    assert (flip.kind, flip.after) == (kind, until)


def test_flattening_has_no_flip() -> None:
    assert find(case([ask(A, 0.1)], account(), LOOSE, BreakerState.FLATTEN), 0) is None


def test_what_used_up_the_hour_waits_for_the_next() -> None:
    limits = LOOSE.model_copy(update={"max_participation": 0.1})
    judged = case([ask(A, 0.1)], account(), limits, markets={A: facts(A, volume_1h=2000.0, traded_1h=200.0)})
    flip = find(judged, 0)
    assert flip is not None
    assert flip.kind == "wait"
    assert review(apply(judged, 0, flip))[0].outcome is Outcome.APPROVED


def test_a_reduction_has_nothing_to_turn() -> None:
    assert find(case([ask(A, 0.05)], account(**{A: 0.1})), 0) is None


def test_a_week_begins_on_monday() -> None:
    assert week_start(0) == -3 * DAY, "1970-01-01 was a Thursday"
    assert week_start(4 * DAY) == 4 * DAY
