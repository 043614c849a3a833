"""The family of a run: what its members are, and that kernel and driver make the same ones."""

from dataclasses import replace

import numpy as np
import pytest

from seakeep.backtest.integrity.family import FamilyParams, axes, family
from seakeep.backtest.integrity.variation import AS_IT_WAS, Variation
from seakeep.backtest.kernel.candidates import Venue
from seakeep.backtest.kernel.tape import History
from seakeep.backtest.search.objectives import returns_by_day
from seakeep.core.errors import NotEnoughHistory
from seakeep.core.market import Float64
from seakeep.risk.limits import Limits
from seakeep.risk.stops import StopParams
from seakeep.strategy.trend import Trend
from tests.unit.backtest.planted import Holder, frame, scene

SMALL = FamilyParams(most=9)
FAST = Trend(fast=5, slow=20, unit=10, full=0.3)


def walked(days: int = 40, seed: int = 3) -> Float64:
    return 100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0.0002, 0.004, 24 * days)))


def test_every_number_is_moved_evenly_around_its_own_value() -> None:
    grid = axes({"fast": 50, "slow": 200, "unit": 50, "full": 4.0}, 0.4, 128)
    assert grid == {"fast": (30, 50, 70), "slow": (120, 200, 280), "unit": (30, 50, 70), "full": (2.4, 4.0, 5.6)}
    assert axes({"x": 0.1}, 0.4, 128)["x"] == pytest.approx(np.linspace(0.06, 0.14, 9))
    assert [len(axes({f"p{i}": 1.5 for i in range(n)}, 0.4, 128)) for n in (1, 2, 3, 4, 9)] == [1, 2, 3, 4, 4]


@pytest.mark.parametrize("value", [1, 2, 3, -1, 0.1234567891])
def test_its_own_value_is_among_them_and_the_sign_stays(value: float) -> None:
    (values,) = axes({"x": value}, 0.4, 27).values()
    assert value in values
    assert len(set(values)) == len(values) > 1
    assert all(one * value > 0 for one in values)


def test_words_switches_and_zeros_are_not_moved() -> None:
    assert axes({"on": True, "kind": "ema", "off": 0}, 0.4, 128) == {}


def test_members_of_the_kernel_are_those_of_the_driver() -> None:
    session, rerun = scene(FAST, frame(walked()), limits=Limits.static())
    result, history = rerun(AS_IT_WAS), History.of(session.frames)
    made = family(result, rerun, session.pipeline, history, Venue(), SMALL)
    assert (made.made_by, made.points[made.own]) == ("kernel", {"fast": 5, "slow": 20})
    assert made.alike == pytest.approx(1)
    for j in (0, made.own, len(made.points) - 1):
        moved = replace(FAST, **made.points[j])
        _, run = scene(moved, frame(walked()), limits=Limits.static())
        days, returns = returns_by_day(run(AS_IT_WAS).curves.ts, run(AS_IT_WAS).curves.equity)
        np.testing.assert_array_equal(days, made.ts)
        np.testing.assert_allclose(returns, made.returns[:, j], atol=1e-9)


def test_what_the_kernel_cannot_run_the_driver_makes() -> None:
    session, rerun = scene(FAST, frame(walked()))
    pipeline = replace(session.pipeline, stops=StopParams(atr_multiple=2.0))
    asked: list[Variation] = []

    def counted(variation: Variation):  # type: ignore[no-untyped-def]
        asked.append(variation)
        return rerun(AS_IT_WAS)

    made = family(rerun(AS_IT_WAS), counted, pipeline, History.of(session.frames), Venue(), SMALL)
    assert (made.made_by, made.alike) == ("driver", 0.0)
    assert [dict(v.params) for v in asked] == [p for j, p in enumerate(made.points) if j != made.own]


def test_a_strategy_without_numbers_has_no_family() -> None:
    session, rerun = scene(Holder(), frame(walked()))
    with pytest.raises(NotEnoughHistory, match="no parameter that is a number"):
        family(rerun(AS_IT_WAS), rerun, session.pipeline, History.of(session.frames), Venue())


def test_a_run_that_traded_nothing_has_no_family() -> None:
    session, rerun = scene(replace(FAST, full=1e9), frame(walked()))
    with pytest.raises(NotEnoughHistory, match="nothing was traded"):
        family(rerun(AS_IT_WAS), rerun, session.pipeline, History.of(session.frames), Venue())
