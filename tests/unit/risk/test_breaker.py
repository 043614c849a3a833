"""The breaker cannot be argued with: explored exhaustively."""

from itertools import product

import pytest

from seakeep.core.verdicts import RiskSnapshot
from seakeep.risk.breaker import Breach, BreakerState, breach, step
from seakeep.risk.limits import Limits


def test_no_path_leads_from_halted_to_normal_without_a_written_reset() -> None:
    without_reset = [told for told in Breach if told is not Breach.RESET]
    reached = {BreakerState.HALTED}
    for _ in range(len(BreakerState)):
        reached |= {step(state, told) for state, told in product(reached, without_reset)}
    assert BreakerState.NORMAL not in reached
    assert reached == {BreakerState.HALTED, BreakerState.FLATTEN}


def test_every_path_of_any_length_from_halted_or_flatten_to_new_risk_goes_through_a_reset() -> None:
    """The whole graph: take the resets out, and from the states that risk was closed in nothing leads back."""
    edges = {(a, step(a, told)) for a, told in product(BreakerState, Breach) if told is not Breach.RESET}
    for start in (BreakerState.FLATTEN, BreakerState.HALTED, BreakerState.REDUCE_LATCHED):
        reached, grown = set(), {start}
        while grown != reached:
            reached, grown = grown, grown | {b for a, b in edges if a in grown}
        assert BreakerState.NORMAL not in reached, start


def test_only_the_end_of_what_set_it_off_or_a_reset_leads_back_to_normal() -> None:
    back = {(a, told) for a, told in product(BreakerState, Breach) if a != "NORMAL" and step(a, told) == "NORMAL"}
    ends = {("BLIND", "FRESH"), ("REDUCE_ONLY", "NEW_DAY"), ("REDUCE_WEEK", "NEW_WEEK")}
    resets = {(s, "RESET") for s in ("REDUCE_ONLY", "REDUCE_WEEK", "REDUCE_LATCHED", "HALTED")}
    assert back == ends | resets


def test_no_limit_that_is_met_ever_eases_the_state() -> None:
    order = [s.value for s in BreakerState]
    met = [
        told for told in Breach if told.value in ("STALE", "DAILY_LOSS", "WEEKLY_LOSS", "REDUCE_DRAWDOWN", "DRAWDOWN")
    ]
    assert all(order.index(step(state, told)) >= order.index(state) for state, told in product(BreakerState, met))


def test_flattening_is_left_only_when_flat_and_only_into_the_halt() -> None:
    assert {step(BreakerState.FLATTEN, told) for told in Breach} == {BreakerState.FLATTEN, BreakerState.HALTED}
    assert step(BreakerState.FLATTEN, Breach.FLAT) is BreakerState.HALTED


def test_a_new_day_ends_only_the_daily_stop() -> None:
    after = {state: step(state, Breach.NEW_DAY) for state in BreakerState}
    assert after == {s: s for s in BreakerState} | {BreakerState.REDUCE_ONLY: BreakerState.NORMAL}


@pytest.mark.parametrize(
    ("drawdown", "daily", "expected"),
    [
        (0.0, 0.0, Breach.NONE),
        (0.2, 0.0, Breach.DRAWDOWN),
        (0.1, 0.05, Breach.DAILY_LOSS),
        (float("nan"), 0.0, Breach.DRAWDOWN),
        (0.15, 0.06, Breach.REDUCE_DRAWDOWN),
    ],
)
def test_limits_trip_when_met_and_when_not_known(drawdown: float, daily: float, expected: Breach) -> None:
    snapshot = RiskSnapshot(0, 100.0, drawdown, daily, 0.0, ())
    assert breach(snapshot, Limits()) is expected


def test_a_weeks_loss_stops_the_week() -> None:
    assert breach(RiskSnapshot(0, 100.0, 0.0, 0.0, 0.0, (), weekly_loss=0.10), Limits()) is Breach.WEEKLY_LOSS
