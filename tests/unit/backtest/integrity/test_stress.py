"""What shocks cost a run whose answer can be worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest

from seakeep.backtest.integrity.stress import StressParams, moments, planned, stress_check, strikes, wider_spread
from seakeep.backtest.integrity.variation import AS_IT_WAS, Variation
from seakeep.backtest.result import Result
from seakeep.core.errors import DataError
from seakeep.core.orders import Liquidity
from seakeep.core.units import HOUR_MS
from seakeep.execution.costs import CostParams
from tests.unit.backtest.planted import START, Holder, Hourly, frame, scene

FLAT = frame(np.full(24 * 20, 100.0), wick=0.0001)
GENTLE = StressParams(moments=1, crash=0.2)
COSTS = CostParams()


def test_a_crash_costs_a_holder_his_weight_times_what_lasts() -> None:
    _, rerun = scene(Holder(), FLAT)
    base = rerun(AS_IT_WAS)
    found, missing = strikes(base, rerun, COSTS, GENTLE, seed=1)
    crash = next(one for one in found if one.shock == "flash crash")
    held = float(base.curves.exposure[-1, 0])
    assert held > 0
    assert crash.loss == pytest.approx(held * 0.2 / 3, rel=1e-6)
    assert crash.worst == pytest.approx(held * 0.2, rel=1e-6)
    assert crash.deeper == pytest.approx(crash.drawdown, rel=0.1)
    assert missing == ("correlation breakdown was not judged: it needs two symbols",)


def test_an_outage_of_a_flat_market_costs_a_holder_nothing() -> None:
    _, rerun = scene(Holder(), FLAT)
    found, _ = strikes(rerun(AS_IT_WAS), rerun, COSTS, GENTLE, seed=1)
    outage = next(one for one in found if one.shock == "outage")
    assert (outage.loss, outage.deeper) == pytest.approx((0, 0), abs=1e-12)


def test_no_fill_happens_while_there_are_no_bars() -> None:
    _, rerun = scene(Hourly(), FLAT)
    blow = next(b for b in planned(rerun(AS_IT_WAS), GENTLE, 1) if b.shock == "outage")
    assert not [f for f in rerun(blow.variation).fills if blow.at <= f.ts < blow.at + 12 * HOUR_MS]


def test_a_spread_ten_times_as_wide_costs_nine_half_spreads_of_what_crossed_it() -> None:
    _, rerun = scene(Hourly(), FLAT)
    base = rerun(AS_IT_WAS)
    at = START + 200 * HOUR_MS
    charge = wider_spread(base, at, 24.0, 10.0, CostParams(half_spread_bps=2))
    within = [f for f in base.fills if at <= f.ts < at + 24 * HOUR_MS and f.liquidity is Liquidity.TAKER]
    assert len(within) >= 20
    assert charge[-1] == pytest.approx(9 * 2e-4 * sum(float(f.mid * f.qty) for f in within))
    assert (np.diff(charge) >= 0).all()
    assert charge[base.curves.ts < at].tolist() == [0.0] * int((base.curves.ts < at).sum())


def test_worse_shocks_never_cost_less() -> None:
    _, rerun = scene(Holder(), FLAT)
    base = rerun(AS_IT_WAS)
    losses = [
        max(one.worst for one in strikes(base, rerun, COSTS, StressParams(moments=1, crash=crash))[0])
        for crash in (0.05, 0.1, 0.2)
    ]
    assert losses == sorted(losses)
    assert losses[0] < losses[-1]


def test_moments_are_those_at_which_something_was_held_or_traded() -> None:
    _, rerun = scene(Hourly(), FLAT)
    base = rerun(AS_IT_WAS)
    held = set(base.curves.ts[base.curves.gross > 0].tolist())
    assert set(moments(base, 5, 3)) <= held
    assert len(moments(base, 5, 3)) == 5
    assert set(moments(base, 5, 3, trading=True)) <= {f.ts // HOUR_MS * HOUR_MS for f in base.fills}
    assert moments(base, 5, 3) == moments(base, 5, 3) != moments(base, 5, 4)


def test_two_symbols_are_struck_by_every_shock_and_the_worst_is_named() -> None:
    waves = np.sin(np.arange(24 * 20) / 9)
    _, rerun = scene(Holder(), frame(100 + waves), frame(100 - waves, "ETH/USDT"))
    check = stress_check(rerun(AS_IT_WAS), rerun, COSTS, GENTLE, seed=2)
    assert check.plot is not None
    assert check.plot.x == ("flash crash", "liquidity crisis", "correlation breakdown", "outage")
    assert check.status in ("pass", "warn")
    assert "flash crash" in check.reason


def test_the_judgement_follows_the_loss() -> None:
    _, rerun = scene(Holder(), FLAT)
    base = rerun(AS_IT_WAS)
    bounds = ((0.5, 0.9, "pass"), (0.0001, 0.9, "warn"), (0.0001, 0.001, "fail"))
    for acceptable, unbearable, status in bounds:
        asked = StressParams(moments=1, crash=0.2, acceptable=acceptable, unbearable=unbearable)
        assert stress_check(base, rerun, COSTS, asked, seed=1).status == status


def test_a_run_that_never_held_anything_is_not_judged() -> None:
    _, rerun = scene(Holder(), FLAT)
    base = rerun(AS_IT_WAS)
    curves = replace(base.curves, gross=np.zeros(len(base.curves.ts)))
    assert stress_check(replace(base, curves=curves), rerun, COSTS).status == "not judged"


def test_shocks_that_cannot_be_run_are_said() -> None:
    _, rerun = scene(Holder(), FLAT)

    def broken(_: Variation) -> Result:
        raise DataError("no bars")

    check = stress_check(rerun(AS_IT_WAS), broken, COSTS, GENTLE)
    assert check.status == "not judged"
    assert "could not be run: no bars" in check.reason
