"""The same bits for any number of threads, paths replayed one at a time, and statistics against brute force."""

from dataclasses import replace

import numpy as np
import pytest

from seakeep.montecarlo.bootstrap import bootstrap
from seakeep.montecarlo.garch import Garch, GarchParams
from seakeep.montecarlo.gbm import Gbm
from seakeep.montecarlo.multifactor import Multifactor
from seakeep.montecarlo.news import NewsJumps
from seakeep.montecarlo.paths import BATCH, Model, Outcomes, Run, replay, simulate, trace
from seakeep.montecarlo.regime import Regimes
from seakeep.montecarlo.scenarios import SCENARIOS
from tests.unit.montecarlo.cases import clustered

TRANSITION = np.array([[0.95, 0.05], [0.1, 0.9]])
COVARIANCE = np.array([[4e-4, 2e-4, 1e-4], [2e-4, 9e-4, 0], [1e-4, 0, 1e-4]])
LEVELS: dict[str, Model] = {
    "gbm": Gbm(0.1, 0.8),
    "regime": Regimes(np.array([0.001, -0.002]), np.array([0.01, 0.05]), TRANSITION, np.array([0.7, 0.3])),
    "garch": Garch(GarchParams(0.0, 2e-5, 0.08, 0.9), 4e-4),
    "garch t": Garch(GarchParams(0.0, 2e-5, 0.08, 0.9, 4.0), 4e-4),
    "normal": Multifactor.from_covariance(np.zeros(3), COVARIANCE, [0.5, 0.3, -0.1]),
    "t": Multifactor.from_covariance(np.zeros(3), COVARIANCE, [0.5, 0.3, -0.1], nu=4.0),
    "factors": Multifactor.from_factors(np.zeros(2), [[0.02], [0.03]], [0.01, 0.02], [0.5, 0.5], nu=5.0),
    "news": NewsJumps(0.0, 0.03, -3.0, -0.05, 0.05),
    "iid": bootstrap(clustered(), "iid"),
    "block": bootstrap(clustered(), "block", length=7),
    "stationary": bootstrap(clustered(), "stationary", length=12.5),
}


def bits(outcomes: Outcomes) -> bytes:
    columns = (outcomes.value, outcomes.low, outcomes.drawdown, outcomes.under, outcomes.recovery)
    return b"".join(column.tobytes() for column in columns if column is not None)


@pytest.mark.parametrize("level", LEVELS)
def test_one_and_two_threads_give_the_same_bits(level: str) -> None:
    runs = [
        Run(steps=21, paths=20_000, seed=3, detail="times", threads=threads, fast=level == "gbm") for threads in (1, 2)
    ]
    first, second = (bits(simulate(LEVELS[level], run, SCENARIOS["crash"])) for run in runs)
    assert first == second
    assert first != bits(simulate(LEVELS[level], Run(steps=21, paths=20_000, seed=4, detail="times")))


@pytest.mark.parametrize("level", LEVELS)
def test_a_replayed_path_is_the_path_of_the_run_to_the_last_bit(level: str) -> None:
    run = Run(steps=30, paths=9_000, seed=8)
    outcomes = simulate(LEVELS[level], run, SCENARIOS["volatile"])
    for path in (0, 255, 5_000, len(outcomes) - 1):
        values = replay(LEVELS[level], run, path, SCENARIOS["volatile"])
        assert values.shape == (31,)
        assert values[-1] == outcomes.value[path]
        assert outcomes.low is not None
        assert min(values) == outcomes.low[path]


@pytest.mark.parametrize("level", ["gbm", "normal"])
def test_what_a_path_leaves_is_what_brute_force_finds_in_it(level: str) -> None:
    run = Run(steps=60, paths=1, seed=5, detail="times")
    outcomes, table = simulate(LEVELS[level], run), trace(LEVELS[level], run).astype(float)
    assert table.shape == (BATCH, 61)
    for path, values in enumerate(table[:300]):
        peak = np.maximum.accumulate(values)
        fall = 1 - values / peak
        trough = int(np.argmax(fall))
        back = np.flatnonzero(values[trough:] >= peak[trough])
        below = "".join("." if x < p else "|" for x, p in zip(values, peak, strict=True))
        assert outcomes.drawdown is not None
        assert outcomes.drawdown[path] == pytest.approx(fall.max(), abs=2e-6)
        assert outcomes.under is not None
        assert outcomes.under[path] == max(len(run) for run in below.split("|"))
        assert outcomes.recovery is not None
        assert outcomes.recovery[path] == (back[0] if len(back) else np.inf)


def test_a_trace_at_chosen_steps_is_those_columns_of_the_whole() -> None:
    run = Run(steps=10, paths=1, seed=5)
    assert (trace(LEVELS["garch"], run, at=(3, 10)) == trace(LEVELS["garch"], run)[:, [3, 10]]).all()


def test_the_way_a_path_is_measured_does_not_change_it() -> None:
    runs = [Run(steps=13, seed=5, paths=1, detail=detail) for detail in ("end", "path", "times")]
    end, path, times = (simulate(LEVELS["t"], run) for run in runs)
    assert (end.value == path.value).all()
    assert (path.value == times.value).all()
    assert end.low is None
    assert path.under is None


def test_memory_does_not_grow_with_steps() -> None:
    sizes = {simulate(LEVELS["gbm"], Run(steps=steps, seed=1, paths=1)).value.base.nbytes for steps in (1, 500)}  # type: ignore[union-attr]
    assert sizes == {3 * 4 * BATCH}


def test_one_asset_of_the_multifactor_level_walks_the_path_of_the_first_level() -> None:
    gbm, run = Gbm(0.1, 0.8), Run(steps=50, paths=1, seed=2)
    one = Multifactor.from_covariance(gbm.means(1)[:, 0], gbm.spread()[:, None] ** 2, [1.0])
    assert (simulate(gbm, run).value == simulate(one, run).value).all()


def test_antithetic_paths_sum_to_twice_the_drift() -> None:
    outcomes = simulate(Gbm(0.1, 0.8), Run(steps=20, paths=1, seed=2, antithetic=True))
    logs = np.log(outcomes.value.astype(float)).reshape(-1, 2, 128).sum(axis=1)
    assert outcomes.expected_log is not None
    assert np.abs(logs - 2 * outcomes.expected_log).max() < 1e-5


@pytest.mark.parametrize(
    "bad",
    [{"steps": 0}, {"steps": 2.5}, {"detail": "ends"}, {"paths": 0}, {"seed": -1}, {"seed": 2**64}, {"threads": -1}],
)
def test_a_run_that_cannot_be_run_is_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="got"):
        Run(**{"steps": 5, "seed": 1, **bad})  # type: ignore[arg-type]


def test_a_path_or_a_step_the_run_does_not_have_is_refused() -> None:
    run = Run(steps=5, seed=1, paths=1)
    with pytest.raises(ValueError, match=f"paths 0 to {BATCH - 1}"):
        replay(LEVELS["gbm"], run, BATCH)
    with pytest.raises(ValueError, match=r"1 \.\. 5"):
        trace(LEVELS["gbm"], run, at=(6,))


def test_expected_log_value_is_exact_for_every_scenario() -> None:
    regime = LEVELS["regime"]
    assert isinstance(regime, Regimes)
    for model in (LEVELS["gbm"], LEVELS["garch"], replace(regime, now=np.array([0.0, 1.0])), LEVELS["news"]):
        for scene in SCENARIOS.values():
            outcomes = simulate(model, Run(steps=25, paths=200_000, seed=6, antithetic=True), scene)
            logs = np.log(outcomes.value.astype(float))
            assert outcomes.expected_log is not None
            assert logs.mean() == pytest.approx(outcomes.expected_log, abs=4 * logs.std() / np.sqrt(len(logs)))
