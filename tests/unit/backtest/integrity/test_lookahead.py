"""Planted leaks are found at their first bar; honest parts, short histories and broken strategies get their due."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import numpy as np
import pytest

from seakeep.backtest.integrity.lookahead import leak, look_ahead, parts, replay, warm_up
from seakeep.backtest.integrity.variation import Variation
from seakeep.backtest.notation import stamp
from seakeep.core.beliefs import FeatureFrame
from seakeep.core.market import Float64
from seakeep.features.base import INDICATORS, indicator
from seakeep.models.classical import RsiExpert
from seakeep.models.training import fit_experts
from seakeep.strategy import Strategy
from seakeep.strategy.trend import Trend
from tests.unit.backtest.courtroom import Broken, Honest, Short, Silent, Tomorrow, market, replace_fill
from tests.unit.backtest.factory import make


@pytest.fixture
def leaky() -> Iterator[None]:
    """Two indicators that break the laws, known for as long as a test takes."""
    known = dict(INDICATORS._parts)
    indicator("court_next_close", lookback=lambda: 1)(next_close)
    indicator("court_running_total", lookback=lambda: 5)(running_total)
    yield
    INDICATORS._parts.clear()
    INDICATORS._parts.update(known)


def next_close(close: Float64) -> Float64:
    """Tomorrow's close."""
    return np.append(close[1:], np.nan)


def running_total(volume: Float64) -> Float64:
    """Says it needs five rows, needs them all."""
    return np.cumsum(volume)


class Scored(Strategy):
    """Scores by a function of the closes (n,)."""

    by: Callable[[Float64], Float64]

    def score(self, frame: FeatureFrame, forecasts: Mapping[str, Float64]) -> Float64:
        return np.clip(self.by(frame["close"]), -1, 1)


class Reads(Strategy):
    """Passes a feature on."""

    feature: str = "close"

    @property
    def features(self) -> tuple[str, ...]:  # type: ignore[override]
        return (self.feature,)

    def score(self, frame: FeatureFrame, forecasts: Mapping[str, Float64]) -> Float64:
        return np.clip(frame[self.feature] / 1e9, -1, 1)


LEAKS: dict[str, Callable[[Float64], Float64]] = {
    "the next close": lambda x: np.sign(np.append(x[1:], x[-1:]) - x),
    "the close of five bars later": lambda x: np.sign(np.append(x[5:], np.repeat(x[-1:], min(5, len(x)))) - x),
    "the mean of all": lambda x: x - x.mean(),
    "the deviation of all": lambda x: (x - x[0]) / (x.std() + 1e-9),
    "a rank among all": lambda x: x.argsort().argsort() / len(x),
    "a centred average": lambda x: np.sign(x - np.convolve(np.pad(x, 3, "edge"), np.ones(7) / 7, "valid")),
    "the highest to come": lambda x: np.maximum.accumulate(x[::-1])[::-1] - x,
    "the last bar of all": lambda x: np.full(len(x), np.sign(x[-1] - x[0])),
}


@pytest.mark.parametrize("kind", LEAKS)
@pytest.mark.parametrize("seed", range(5))
def test_a_planted_leak_is_found_and_is_fatal(kind: str, seed: int) -> None:
    check = look_ahead([market(400, seed=seed)], "planted", Scored(by=LEAKS[kind]), {})
    assert (check.status, check.fatal) == ("fail", True)
    assert check.reason.startswith("strategy planted looks ahead: at the BTC/USDT bar of ")


def test_the_first_bar_and_the_feature_that_looks_ahead_are_named(leaky: None) -> None:
    bars = market(300)
    check = look_ahead([bars], "reads", Reads(feature="court_next_close"), {})
    first = stamp(int(bars.ts[0]))
    assert "feature court_next_close looks ahead: at the BTC/USDT bar of " + first in check.reason
    assert dict(check.figures)["feature court_next_close, BTC/USDT"] == first


def test_a_leak_of_h_bars_is_named_at_the_first_bar_with_values() -> None:
    bars = market(300)
    found = [leak(part) for part in parts([bars], "tomorrow", Tomorrow(), {})]
    assert found[0] is None
    assert found[1] is not None
    assert found[1].ts == bars.ts[0]


@pytest.mark.parametrize("strategy", [Honest(), Trend(fast=5, slow=20, unit=10), Silent()])
def test_honest_parts_pass(strategy: Strategy) -> None:
    bars = [market(700), market(690, "ETH/USDT", 2)]
    experts = {"rsi": RsiExpert(horizon=4)}
    fit_experts(experts, [frame.rows(0, 150) for frame in bars], 1)
    assert look_ahead(bars, "honest", strategy, experts).status == "pass"
    assert warm_up(bars, "honest", strategy, experts).status == "pass"


def test_a_feature_that_needs_more_than_it_says_fails_the_warm_up(leaky: None) -> None:
    check = warm_up([market(300)], "total", Reads(feature="court_running_total"), {})
    assert check.status == "fail"
    assert "feature court_running_total needs more than the 5 bars it says" in check.reason


def test_bars_too_few_for_a_part_are_said() -> None:
    check = warm_up([market(30)], "trend", Trend(), {})
    assert check.status == "not judged"
    assert "feature ema:50 needs" in check.reason
    assert look_ahead([market(1)], "honest", Honest(), {}).status == "not judged"


@pytest.mark.parametrize(("strategy", "said"), [(Broken(), "ZeroDivisionError: no rows"), (Short(), "one score")])
def test_a_strategy_that_breaks_its_contract_fails_with_its_own_words(strategy: Strategy, said: str) -> None:
    check = look_ahead([market(100)], "mine", strategy, {})
    assert (check.status, check.fatal) == ("fail", True)
    assert said in check.reason


def test_a_run_that_changes_its_past_is_told_from_one_that_does_not() -> None:
    result = make(bars=300)
    cut = int(result.curves.ts[200])
    seen: list[Variation] = []

    def same(variation: Variation):  # type: ignore[no-untyped-def]
        seen.append(variation)
        return replace(result, fills=tuple(fill for fill in result.fills if fill.ts < cut))

    assert replay(result, same).status == "pass"
    assert seen == [Variation(timerange=(None, cut))]
    first = result.fills[0]
    changed = replace(result, fills=(replace_fill(first, qty=first.qty * 2), *result.fills[1:]))
    check = replay(result, lambda _: changed)
    assert (check.status, check.fatal) == ("fail", True)
    assert stamp(first.ts) in check.reason
    fewer = replay(result, lambda _: replace(result, fills=result.fills[:3]))
    assert stamp(result.fills[3].ts) in fewer.reason


def test_a_run_without_trades_cannot_be_replayed() -> None:
    result = make(every=0)
    assert replay(result, lambda _: result).status == "not judged"
