import numpy as np
import pytest
from arch.bootstrap import SPA, StepM

from seakeep.core.errors import NotEnoughHistory
from seakeep.stats.spa import long_run_deviation, spa


def table(series, case):
    return np.column_stack(list(series(case["inputs"]["series_file"]).values()))


def test_both_tests_are_those_of_the_reference(reference, series):
    case = reference("overfitting", "white_rc_hansen_spa_12models")
    returns, expected = table(series, case), case["expected"]
    white = spa(returns, block=10, samples=8000, studentize=False, level=0.10, seed=1)
    hansen = spa(returns, block=10, samples=8000, seed=1)
    assert returns.mean(axis=0) == pytest.approx(expected["mean_differences"], abs=1e-12)
    assert white.best == hansen.best == expected["best_model"]
    assert white.statistic == pytest.approx(expected["whites_reality_check_statistic"], abs=1e-10)
    assert white.upper == pytest.approx(expected["whites_reality_check_p"], abs=0.015)
    found = {"lower": white.lower, "consistent": white.consistent, "upper": white.upper}
    assert found == pytest.approx(expected["arch_spa_pvalues"], abs=0.015)
    assert hansen.statistic == pytest.approx(expected["hansen_studentized_statistic"], rel=1e-6)
    found = {"lower": hansen.lower, "consistent": hansen.consistent, "upper": hansen.upper}
    assert found == pytest.approx(expected["hansen_studentized_pvalues"], abs=0.015)
    assert white.better.tolist() == expected["stepm_superior_at_10pct"]


def test_one_superior_model_is_found(reference, series):
    case = reference("overfitting", "white_rc_spa_8models_one_superior")
    found = spa(table(series, case), block=10, studentize=False, seed=2)
    assert found.statistic == pytest.approx(case["expected"]["whites_reality_check_statistic"], abs=1e-10)
    assert found.best == case["expected"]["best_model"]
    assert found.upper < 0.01
    assert found.better.tolist() == [found.best]


def test_p_values_and_the_superior_are_those_of_arch():
    rng = np.random.default_rng(3)
    returns = rng.normal(0.0, 0.01, (400, 6)) + np.array([0.0022, 0.0016, 0.0004, 0.0, -0.001, -0.004])
    theirs = SPA(np.zeros(400), -returns, block_size=5, reps=3000, seed=4)
    theirs.compute()
    ours = spa(returns, block=5, samples=3000, studentize=False, seed=5)
    assert (ours.lower, ours.consistent, ours.upper) == pytest.approx(theirs.pvalues.to_numpy(), abs=0.01)
    steps = StepM(np.zeros(400), -returns, size=0.05, block_size=5, reps=3000, seed=6)
    steps.compute()
    assert ours.better.tolist() == list(steps.superior_models)


def test_the_test_of_noise_rejects_as_often_as_it_says():
    """Of 300 tests at 10 %, 30 reject on average; 99.9 % of the time between 14 and 48."""
    rng = np.random.default_rng(7)
    rejected = sum(spa(rng.standard_normal((120, 20)), block=1, samples=199, seed=i).upper <= 0.10 for i in range(300))
    assert 14 <= rejected <= 48


def test_bad_strategies_beside_it_do_not_hide_a_good_one_from_hansen():
    rng = np.random.default_rng(8)
    good, bad = rng.normal(0.16, 1.0, (250, 1)), rng.normal(-1.0, 3.0, (250, 60))
    found = spa(np.hstack([good, bad]), block=1, seed=9, studentize=False)
    assert found.consistent < 0.05 < found.upper


def test_the_order_of_p_values_is_lower_consistent_upper():
    found = spa(np.random.default_rng(10).normal(-0.05, 1.0, (200, 10)), seed=11)
    assert 0 < found.lower <= found.consistent <= found.upper <= 1


def test_deviation_of_independent_returns_is_their_own():
    returns = np.random.default_rng(12).standard_normal((4000, 3)) * np.array([1.0, 2.0, 0.0])
    assert long_run_deviation(returns, 1.0) == pytest.approx(returns.std(axis=0))


def test_deviation_of_an_autoregression_is_its_long_run_one():
    """An AR(1) with coefficient 0.5 has long-run deviation 1 / (1 - 0.5)."""
    shocks = np.random.default_rng(13).standard_normal(200_000)
    series = np.empty_like(shocks)
    series[0] = shocks[0]
    for t in range(1, len(shocks)):
        series[t] = 0.5 * series[t - 1] + shocks[t]
    assert long_run_deviation(series[:, None], 40.0)[0] == pytest.approx(2.0, rel=0.05)


def test_a_strategy_that_never_trades_is_not_better_than_nothing():
    found = spa(np.zeros((100, 3)), seed=14)
    assert (found.statistic, found.consistent, len(found.better)) == (0.0, 1.0, 0)


def test_what_cannot_be_tested_is_refused():
    with pytest.raises(NotEnoughHistory, match="30 are needed"):
        spa(np.ones((10, 2)), seed=1)
    with pytest.raises(ValueError, match="finite"):
        spa(np.full((100, 2), np.nan), seed=1)
    with pytest.raises(ValueError, match="at least 99"):
        spa(np.ones((100, 2)), samples=10, seed=1)


def test_same_seed_same_bits():
    returns = np.random.default_rng(15).standard_normal((200, 5))
    first, second = spa(returns, seed=16), spa(returns, seed=16)
    assert (first.lower, first.consistent, first.upper) == (second.lower, second.consistent, second.upper)
