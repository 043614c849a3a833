"""The robustness score: its formula, its direction, and planted strategies that break or hold."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seakeep.backtest.integrity.disturbance import Dropped, Noise
from seakeep.backtest.integrity.robustness import (
    RobustnessParams,
    neighbours,
    parameters,
    robustness,
    robustness_check,
    score,
    variants,
)
from seakeep.backtest.integrity.variation import AS_IT_WAS, Rerun, Variation
from seakeep.backtest.result import Result
from seakeep.core.errors import ConfigError
from seakeep.core.market import Float64
from seakeep.core.orders import Side
from seakeep.execution.trips import RoundTrip
from seakeep.strategy.trend import Trend
from tests.unit.backtest.planted import Holder, Hourly, frame, scene

QUICK = RobustnessParams(delays=(1,), noise_draws=1, dropped=(0.01,), samples=200)
RATIOS = st.lists(st.floats(-5, 5), min_size=1, max_size=6)


def rising(days: int = 40, wobble: float = 0.002) -> Float64:
    noise = np.random.default_rng(2).normal(0, wobble, 24 * days)
    return 100 * np.exp(np.cumsum(0.0008 + noise))


def zigzag(days: int = 35) -> Float64:
    """Up 1 % in every odd hour and down 1 % in every even one: right for who is on time, wrong for who is late."""
    return 100 * np.where(np.arange(24 * days) % 2 == 1, 1.01, 1.0)


@given(st.floats(0.01, 5), RATIOS, RATIOS, st.floats(0, 1), st.data())
def test_a_more_fragile_strategy_never_scores_higher(
    base: float, params: list[float], delays: list[float], surviving: float, data: st.DataObject
) -> None:
    whole = score(base, {"parameters": params, "delay": delays}, surviving)
    worse = [ratio - data.draw(st.floats(0, 3)) for ratio in params]
    assert 0 <= whole <= 1
    assert score(base, {"parameters": worse, "delay": delays}, surviving) <= whole
    assert score(base, {"parameters": params, "delay": delays}, surviving / 2) <= whole
    assert score(base * 1.5, {"parameters": params, "delay": delays}, surviving) <= whole


def test_nothing_lost_scores_one_and_a_family_that_breaks_scores_zero() -> None:
    assert score(1.5, {"a": [1.5, 2.0], "b": [1.5]}, 1.0) == 1.0
    assert score(1.5, {"a": [1.5, 2.0], "b": [-0.1, 0.0]}, 1.0) == 0.0
    assert score(-1.0, {"a": [2.0]}, 1.0) == 0.0
    assert score(2.0, {"a": [1.0], "b": [0.5]}, 0.5) == pytest.approx((0.5 * 0.25 * 0.5) ** (1 / 3))


def test_neighbours_are_distinct_and_keep_their_kind() -> None:
    moved = neighbours(parameters(Trend()), 0.2)
    assert dict(moved[1::2]) == {"fast": 60, "slow": 240, "unit": 60, "full": 4.8}
    assert dict(moved[::2]) == {"fast": 40, "slow": 160, "unit": 40, "full": 3.2}
    assert neighbours({"a": 1, "b": -1, "c": 0, "d": True, "e": "x"}, 0.2) == [("a", 0), ("a", 2), ("b", 0), ("b", -2)]


def test_everything_asked_for_is_tried() -> None:
    tried = variants({"full": 4.0}, RobustnessParams(), seed=7)
    assert [v.family for v in tried] == ["parameters"] * 2 + ["entry delay"] * 5 + ["price noise"] * 3 + [
        "dropped bars"
    ] * 2
    assert [v.variation.entry_delay for v in tried if v.family == "entry delay"] == [1, 2, 3, 4, 5]
    changes = [Noise(0.001, 7), Noise(0.001, 8), Noise(0.001, 9), Dropped(0.01, 7), Dropped(0.05, 7)]
    assert [v.variation.bars for v in tried[-5:]] == changes
    assert len({hash(v.variation) for v in tried}) == len(tried)


def test_the_interval_holds_the_score_and_the_figures_add_up_to_it() -> None:
    rng = np.random.default_rng(5)
    base = rng.normal(0.002, 0.01, 400)
    table = np.vstack([base, base - 0.0005, base - 0.001])
    found = robustness(table, [("a", "x"), ("b", "y")], 365, samples=200, seed=1)
    again = robustness(table, [("a", "x"), ("b", "y")], 365, samples=200, seed=1)
    assert found == again
    assert found.score.low <= found.score.value <= found.score.high
    assert found.score.value == pytest.approx(np.prod([share for _, share in found.families]) ** (1 / 3))
    assert found.retained[0][3] == pytest.approx((base.mean() - 0.0005) / base.mean())


def test_a_strategy_that_must_be_on_time_to_the_bar_scores_zero() -> None:
    _, rerun = scene(Hourly(), frame(zigzag()))
    free = rerun(Variation(cost_scale=0.0))
    found = robustness_check(free, _free(rerun), {}, QUICK, seed=1)
    assert dict(found.figures)["entry delay keeps"] == 0.0
    assert (found.status, dict(found.figures)["score"]) == ("fail", 0.0)


def _free(rerun: Rerun) -> Rerun:
    return lambda variation: rerun(replace(variation, cost_scale=0.0))


def test_a_strategy_that_holds_what_rises_is_robust() -> None:
    _, rerun = scene(Holder(), frame(rising()))
    base = rerun(AS_IT_WAS)
    sold = _with_a_trip(base)
    found = robustness_check(sold, rerun, {}, QUICK, seed=1)
    assert found.status == "pass"
    assert dict(found.figures)["score"] > 0.95
    assert "no parameter to move" in found.reason


def _with_a_trip(base: Result) -> Result:
    one = Decimal(1)
    return replace(base, trips=(RoundTrip(0, 1, "BTC/USDT", Side.BUY, one, one, one, one, one, 0.0),))


def test_what_cannot_be_judged_says_why() -> None:
    _, rerun = scene(Holder(), frame(rising()))
    assert "no round trip" in robustness_check(rerun(AS_IT_WAS), rerun, {}, QUICK).reason
    _, falling = scene(Hourly(), frame(1e4 / rising()))
    lost = robustness_check(falling(AS_IT_WAS), falling, {}, QUICK)
    assert (lost.status, lost.reason) == ("not judged", "the run does not earn: there is nothing to be robust")
    _, short = scene(Hourly(), frame(zigzag(3)))
    assert "30 days" in robustness_check(short(AS_IT_WAS), short, {}, QUICK).reason


def test_a_variant_that_cannot_run_is_said_and_left_out() -> None:
    _, rerun = scene(Hourly(), frame(zigzag()))

    def strict(variation: Variation) -> Result:
        if variation.entry_delay:
            raise ConfigError("no such delay")
        return _free(rerun)(variation)

    found = robustness_check(strict(AS_IT_WAS), strict, {}, QUICK, seed=1)
    assert "1 bar late could not be run: no such delay" in found.reason
    assert "entry delay keeps" not in dict(found.figures)
