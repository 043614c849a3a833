"""Odds of ruin from trades."""

from dataclasses import replace
from decimal import Decimal

import msgspec
import numpy as np
import pytest

from seakeep.backtest.integrity.tradesruin import TradesRuinParams, trade_outcomes, trades_ruin, trades_ruin_check
from seakeep.core.errors import NotEnoughHistory
from seakeep.execution.trips import RoundTrip
from seakeep.risk.ruin import loss_probability
from tests.unit.backtest.factory import make

QUICK = TradesRuinParams(worlds=60, paths=60)


def test_outcomes_are_profits_over_the_equity_they_were_entered_with() -> None:
    result = make(bars=600, every=5)
    outcomes, trip = trade_outcomes(result), result.trips[7]
    row = int(np.searchsorted(result.curves.ts, trip.entry_ts))
    assert outcomes[7] == pytest.approx(float(trip.pnl) / result.curves.equity[row])
    assert len(outcomes) == len(result.trips)


def test_the_odds_hold_the_law_of_a_random_walk() -> None:
    """2 % either way, 400 times: the exact walk is within a little of the Brownian law with its first two moments."""
    outcomes = np.tile([0.02, -0.02], 200)
    logs = np.log1p(outcomes)
    law = float(loss_probability(0.3, logs.mean(), logs.std(), 400.0))
    found = trades_ruin(outcomes, TradesRuinParams(loss=0.3, trades=400, worlds=200, paths=100), seed=2)
    assert found.ruin.low < law < found.ruin.high
    assert found.fall.value >= found.ruin.value


def test_more_money_at_stake_never_lowers_the_odds() -> None:
    outcomes = np.random.default_rng(3).normal(0.0, 0.02, 100)
    odds = [trades_ruin(size * outcomes, QUICK, seed=1).ruin.value for size in (0.5, 1, 2, 4)]
    assert odds == sorted(odds)
    assert odds[-1] > odds[0]


def test_the_check_fails_on_sure_ruin_and_passes_on_sure_gains() -> None:
    result = make(bars=900, every=5)
    bad = replace(result, trips=tuple(_with(t, -0.02 * (1 + i % 3)) for i, t in enumerate(result.trips)))
    good = replace(result, trips=tuple(_with(t, 0.01 * (1 + i % 3)) for i, t in enumerate(result.trips)))
    assert trades_ruin_check(bad, QUICK).status == "fail"
    assert trades_ruin_check(good, QUICK).status == "pass"


def _with(trip: RoundTrip, share: float) -> RoundTrip:
    return msgspec.structs.replace(trip, pnl=Decimal(repr(share * 10_000)))


def test_too_few_trades_are_not_judged() -> None:
    found = trades_ruin_check(make(every=0))
    assert (found.status, found.figures) == ("not judged", ())
    assert found.reason.startswith("0 closed trades")
    with pytest.raises(NotEnoughHistory):
        trades_ruin(np.array([0.1, -0.1]), QUICK)
