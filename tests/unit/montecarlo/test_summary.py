"""Statistics of paths, and that their errors are errors."""

import math

import numpy as np
import pytest

from seakeep.montecarlo.garch import Garch, GarchParams
from seakeep.montecarlo.gbm import Gbm
from seakeep.montecarlo.paths import BATCH, Run, simulate
from seakeep.montecarlo.summary import controlled_mean, fan, figure, summarise, tail

MODEL = Gbm(0.1, 0.8)


def test_var_and_cvar_are_those_of_the_sorted_outcomes() -> None:
    values = np.random.default_rng(1).permutation(np.arange(10 * BATCH, dtype=np.float32) / BATCH)
    var, cvar = tail(values, 0.95)
    assert var.value == pytest.approx(1 - np.quantile(values.astype(float), 0.05), abs=1e-6)
    assert cvar.value == pytest.approx(1 - np.sort(values)[: BATCH // 2].mean(dtype=float), abs=1e-6)


def test_stated_errors_are_the_spread_of_independent_runs() -> None:
    runs = [simulate(MODEL, Run(steps=5, paths=1, seed=seed, antithetic=True)) for seed in range(60)]
    for statistic in (lambda o: tail(o.value)[0], lambda o: tail(o.value)[1], lambda o: summarise(o).expected):
        found = [statistic(o) for o in runs]
        spread = np.std([f.value for f in found], ddof=1)
        assert np.mean([f.error for f in found]) == pytest.approx(spread, rel=0.3)


def test_a_control_takes_its_error_out_and_leaves_the_mean() -> None:
    outcomes = simulate(MODEL, Run(steps=30, paths=100_000, seed=3))
    drawdown, logs = outcomes.drawdown, np.log(outcomes.value.astype(float))
    assert drawdown is not None
    assert outcomes.expected_log is not None
    plain = figure(drawdown, lambda x: x.mean(axis=-1, dtype=float))
    better = controlled_mean(drawdown, logs, outcomes.expected_log)
    assert better.error < 0.75 * plain.error
    assert abs(better.value - plain.value) < 4 * plain.error
    assert controlled_mean(logs, logs, 7.0).value == pytest.approx(7.0)


def test_antithetic_paths_make_the_expected_value_surer() -> None:
    runs = [Run(steps=30, paths=100_000, seed=3, antithetic=a) for a in (False, True)]
    plain, mirrored = (figure(simulate(MODEL, r).value, lambda x: x.mean(axis=-1, dtype=float)) for r in runs)
    assert mirrored.error < 0.5 * plain.error
    assert abs(mirrored.value - MODEL.terminal(30)["mean"]) < 3 * mirrored.error


def test_a_summary_holds_every_figure_with_its_error() -> None:
    found = summarise(simulate(MODEL, Run(steps=60, seed=1, detail="times")), model="gbm", stops=(0.7, 0.9))
    order = [f.value for _, f in found.percentiles]
    assert [p for p, _ in found.percentiles] == [1, 5, 10, 25, 50, 75, 90, 95, 99]
    assert order == sorted(order)
    assert dict(found.var)[0.95].value == pytest.approx(1 - dict(found.percentiles)[5].value, abs=1e-6)
    assert dict(found.cvar)[0.99].value > dict(found.var)[0.99].value
    assert 0 < dict(found.touch)[0.7].value < dict(found.touch)[0.9].value < 1
    assert found.not_recovered is not None
    assert 0.5 < found.not_recovered.value < 1
    assert dict(found.recovery)[99].value == math.inf
    assert all(0 < f.error < 0.02 for f in (found.expected, found.profit, *dict(found.cvar).values()))
    assert "Philox" in found.method


def test_too_few_paths_do_not_converge_and_the_number_needed_does() -> None:
    model = Garch(GarchParams(0.0, 5e-5, 0.1, 0.85), 4e-3)
    few = summarise(simulate(model, Run(steps=30, paths=1, seed=2)), tolerance=0.001).convergence
    assert not few.converged
    assert few.paths_needed > 10 * BATCH
    many = simulate(model, Run(steps=30, paths=2 * few.paths_needed, seed=2))
    assert summarise(many, tolerance=0.001).convergence.converged
    assert "take" in summarise(simulate(model, Run(steps=30, paths=1, seed=2)), tolerance=0.001).warnings[0]


def test_the_fan_is_the_lognormal_law_at_every_step() -> None:
    found = fan(MODEL, Run(steps=120, seed=1), points=12, percentiles=(5, 50, 95))
    assert found.steps[0] == 1
    assert found.steps[-1] == 120
    t = np.array(found.steps)[:, None]
    wanted = np.exp(MODEL.means(1)[0, 0] * t + MODEL.spread()[0] * np.sqrt(t) * [[-1.6448536, 0.0, 1.6448536]])
    assert (np.abs(found.values - wanted) < 4.5 * found.errors).all()


def test_a_mean_that_rests_on_a_few_paths_is_said_to() -> None:
    wild = Garch(GarchParams(0.0, 5e-5, 0.1, 0.85, 4.0), 4e-3)
    found = summarise(simulate(wild, Run(steps=30, paths=2_000_000, seed=2, detail="end")), tolerance=0.001)
    assert not found.convergence.converged
    assert any("few paths" in warning for warning in found.warnings)


@pytest.mark.parametrize("confidence", [0.0, 1.0, 0.9999, math.nan])
def test_a_tail_with_nothing_in_it_is_refused(confidence: float) -> None:
    with pytest.raises(ValueError, match="confidence"):
        tail(simulate(MODEL, Run(steps=1, paths=1, seed=1)).value, confidence)


def test_a_stop_needs_the_way_and_outcomes_come_in_batches() -> None:
    with pytest.raises(ValueError, match="detail"):
        summarise(simulate(MODEL, Run(steps=1, paths=1, seed=1, detail="end")), stops=(0.9,))
    with pytest.raises(ValueError, match="multiples"):
        figure(np.ones(100), lambda x: x.mean(axis=-1))
