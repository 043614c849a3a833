"""What each scenario does to paths, and that bear is never better than base."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seakeep.core.errors import ConfigError
from seakeep.montecarlo.gbm import Gbm
from seakeep.montecarlo.paths import Model, Run, simulate, trace
from seakeep.montecarlo.scenarios import SCENARIOS, Scenario, scenario
from seakeep.montecarlo.summary import tail
from tests.unit.montecarlo.test_paths import LEVELS

RUN = Run(steps=30, paths=1, seed=4)
LONG = {name: model for name, model in LEVELS.items() if name not in ("normal", "t")}


@pytest.mark.parametrize("level", LONG)
def test_every_path_of_a_bear_lies_below_and_of_a_bull_above_its_base_path(level: str) -> None:
    base, bear, bull = (trace(LONG[level], RUN, SCENARIOS[name]) for name in ("base", "bear", "bull"))
    assert (bear <= base).all()
    assert (bull >= base).all()
    assert bear[:, -1].mean() < base[:, -1].mean() < bull[:, -1].mean()


@settings(max_examples=20, deadline=None)
@given(st.floats(-3, 3), st.floats(0.05, 3), st.integers(1, 60))
def test_a_bear_is_never_better_whatever_the_asset(drift: float, volatility: float, steps: int) -> None:
    run = Run(steps=steps, paths=1, seed=1)
    base, bear = (simulate(Gbm(drift, volatility), run, SCENARIOS[name]) for name in ("base", "bear"))
    assert (bear.value <= base.value).all()
    assert tail(bear.value)[1].value >= tail(base.value)[1].value


def test_volatile_doubles_the_spread_and_keeps_the_expected_value() -> None:
    run = Run(steps=30, paths=800_000, seed=1, antithetic=True)
    base, twice = (simulate(Gbm(0.2, 0.5), run, SCENARIOS[name]).value.astype(float) for name in ("base", "volatile"))
    assert np.log(twice).std() == pytest.approx(2 * np.log(base).std(), rel=1e-4)
    assert twice.mean() == pytest.approx(base.mean(), abs=0.003)


def test_a_crash_takes_30_percent_in_two_days() -> None:
    calm = Scenario(name="calm crash", says="", cap=0.0, shock=0.3, shock_days=2.0)
    model = Gbm(0.0, 1e-6)
    assert trace(model, RUN, calm)[:, [1, 2, 30]] == pytest.approx(
        np.tile([math.sqrt(0.7), 0.7, 0.7], (8192, 1)), abs=1e-5
    )
    hourly = trace(Gbm(0.0, 1e-6, "1h"), Run(steps=96, paths=1, seed=1), calm, at=(24, 48, 96))
    assert hourly.mean(axis=0) == pytest.approx([math.sqrt(0.7), 0.7, 0.7], abs=1e-5)


def test_a_ranging_market_stays_where_it_is() -> None:
    model, run = Gbm(1.0, 0.8), Run(steps=365, paths=1, seed=1)
    base, flat = (simulate(model, run, SCENARIOS[name]).value for name in ("base", "ranging"))
    pull = 0.5**0.1
    wanted = 0.7 * model.spread()[0] * math.sqrt(1 / (1 - pull**2))
    assert np.log(flat).std() == pytest.approx(wanted, rel=0.03)
    assert np.log(flat).std() < 0.25 * np.log(base).std()


def test_the_base_scenario_is_the_model() -> None:
    model: Model = LEVELS["news"]
    assert (simulate(model, RUN).value == simulate(model, RUN, scenario("base")).value).all()


def test_a_misspelt_scenario_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean crash"):
        scenario("crahs")
    with pytest.raises(ValueError, match="shock"):
        Scenario(name="x", says="", shock=1.0)
