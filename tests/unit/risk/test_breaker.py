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
    assert reached == {BreakerState.HALTED}


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
    ],
)
def test_limits_trip_when_met_and_when_not_known(drawdown: float, daily: float, expected: Breach) -> None:
    snapshot = RiskSnapshot(0, 100.0, drawdown, daily, 0.0, ())
    assert breach(snapshot, Limits()) is expected
