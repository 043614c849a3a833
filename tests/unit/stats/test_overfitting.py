import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seakeep.stats.overfitting import (
    SharpeSample,
    deflated_sharpe,
    expected_max,
    groups,
    min_backtest_years,
    min_track_record,
    sharpe_sample,
)


def test_deflated_sharpe_is_the_papers_example(reference):
    case = reference("overfitting", "dsr_numerical_example")
    given_, expected = case["inputs"], case["expected"]
    year = given_["periods_per_year"]
    sample = SharpeSample(given_["sr_annual"] / math.sqrt(year), given_["T"], given_["skew"], given_["kurt"])
    variance = given_["variance_of_trial_sr_annual"] / year
    assert math.sqrt(variance) * expected_max(100) == pytest.approx(expected["sr0_per_period"], abs=6e-5)
    found = deflated_sharpe(sample, given_["n_trials"], variance)
    assert found == pytest.approx(expected["dsr_full_precision"], abs=1e-7)


def test_expected_maximum_and_backtest_length_are_those_of_the_notices_paper(reference):
    case = reference("overfitting", "expected_max_sharpe_and_minbtl")
    trials, expected = case["inputs"]["n_trials"], case["expected"]
    assert [expected_max(n) for n in trials] == pytest.approx(expected["expected_max"], abs=0.006)
    assert [min_backtest_years(n) for n in trials] == pytest.approx(expected["min_btl_years"], abs=0.0006)
    assert all(min_backtest_years(n) < bound for n, bound in zip(trials, expected["upper_bound_2lnN"], strict=True))


def test_seven_trials_find_a_sharpe_of_one_in_two_years(reference):
    case = reference("overfitting", "minbtl_seven_trials_two_years")
    found = [min_backtest_years(n) for n in case["inputs"]["n_trials"]]
    assert found == pytest.approx(case["expected"]["min_btl_years"], abs=1e-6)
    assert found[1] < 2 < found[2]


def test_track_record_lengths_are_those_of_the_papers(reference):
    case = reference("overfitting", "min_track_record_length_daily_monthly")
    years = []
    for row in case["inputs"]["rows"]:
        year = row["periods_per_year"]
        sample = SharpeSample(row["sr_annual"] / math.sqrt(year), 0, row["skew"], row["kurt"])
        years.append(min_track_record(sample, row["sr_benchmark_annual"] / math.sqrt(year)) / year)
    assert years == pytest.approx(case["expected"]["min_trl_years"], abs=0.006)


def test_sharpe_errors_are_those_of_the_hedge_fund_indices(reference):
    case = reference("overfitting", "sharpe_standard_error_paper")
    samples = [SharpeSample(row["sr"], row["T"], row["skew"], row["kurt"]) for row in case["inputs"]["rows"]]
    assert [s.error for s in samples] == pytest.approx(case["expected"]["sd_sr"], abs=6e-5)
    years = [min_track_record(s) / 12 for s in samples]
    assert years == pytest.approx(case["expected"]["min_trl_years_vs_zero_95"], abs=2e-4)


def test_all_three_agree_with_mlfinlab(reference):
    case = reference("overfitting", "psr_dsr_mintrl_mlfinlab")
    given_, expected = case["inputs"], case["expected"]
    sample = SharpeSample(given_["sr"], given_["T"], given_["skew"], given_["kurt"])
    variance = given_["dsr_trials_sr_std"] ** 2
    assert sample.above(given_["psr_benchmark"]) == pytest.approx(expected["psr"], abs=1e-4)
    assert math.sqrt(variance) * expected_max(given_["dsr_n_trials"]) == pytest.approx(expected["dsr_benchmark"])
    assert deflated_sharpe(sample, given_["dsr_n_trials"], variance) == pytest.approx(expected["dsr"], abs=1e-4)
    assert min_track_record(sample, given_["min_trl_benchmark"]) == pytest.approx(expected["min_trl"], abs=1e-4)


def test_probabilistic_sharpe_of_24_months(reference):
    case = reference("overfitting", "psr_hedge_fund_24_months")
    rows = case["inputs"]["rows"]
    found = [SharpeSample(r["sr"], r["T"], r["skew"], r["kurt"]).above(r["sr_benchmark"]) for r in rows]
    assert found == pytest.approx(case["expected"]["psr"], abs=6e-4)


def test_a_track_record_of_the_minimum_length_is_just_long_enough():
    sample = SharpeSample(0.1, 0, -0.5, 6.0)
    needed = min_track_record(sample, 0.02, 0.95)
    short, long = (SharpeSample(0.1, n, -0.5, 6.0).above(0.02) for n in (math.floor(needed), math.ceil(needed)))
    assert short < 0.95 <= long


@given(st.integers(2, 1000), st.floats(0.0, 0.01))
def test_more_trials_never_make_a_result_surer(n, variance):
    sample = SharpeSample(0.05, 2000)
    single, some, more = (deflated_sharpe(sample, trials, variance) for trials in (1, n, n + 1))
    assert single >= some >= more
    assert single == sample.above(0.0)


def test_expected_maximum_is_that_of_drawn_normals():
    draws = np.random.default_rng(4).standard_normal((20_000, 50)).max(axis=1)
    assert expected_max(50) == pytest.approx(draws.mean(), rel=0.02)


def test_moments_are_those_of_scipy():
    from scipy.stats import kurtosis, skew

    returns = np.random.default_rng(5).standard_t(5, 500) * 0.01
    found = sharpe_sample(returns)
    assert found.ratio == pytest.approx(returns.mean() / returns.std(ddof=1))
    assert (found.skew, found.kurtosis) == pytest.approx((skew(returns), kurtosis(returns, fisher=False)))


@pytest.mark.parametrize("returns", [[], [0.01], [0.0] * 50], ids=["none", "one", "never traded"])
def test_what_cannot_be_estimated_is_not_known(returns):
    sample = sharpe_sample(np.array(returns))
    assert math.isnan(sample.ratio)
    assert math.isnan(sample.above())
    assert math.isnan(min_track_record(sample))


def test_a_return_that_is_no_number_is_refused_by_row():
    with pytest.raises(ValueError, match="return 2 is not"):
        sharpe_sample(np.array([0.1, 0.2, np.nan]))


def test_copies_of_a_few_ideas_count_as_those_few():
    rng = np.random.default_rng(6)
    ideas = rng.standard_normal((500, 4))
    returns = np.repeat(ideas, 25, axis=1) + 0.4 * rng.standard_normal((500, 100))
    assert groups(returns).tolist() == np.repeat([0, 25, 50, 75], 25).tolist()


def test_independent_and_mirrored_strategies_are_all_their_own():
    returns = np.random.default_rng(7).standard_normal((400, 30))
    assert len(np.unique(groups(np.hstack([returns, -returns])))) == 60


def test_strategies_that_never_trade_are_one_idea():
    returns = np.zeros((100, 5))
    returns[:, 2] = np.random.default_rng(8).standard_normal(100)
    assert groups(returns).tolist() == [0, 0, 2, 0, 0]


@pytest.mark.parametrize("copies", [1, 20])
def test_the_effective_number_foretells_the_best_of_luck(copies):
    """The largest of 40 ideas, each tried `copies` times with small changes, is as large as 40 trials say."""
    rng = np.random.default_rng(9)
    found, ideas, days = [], 40, 250
    for _ in range(200):
        base = np.repeat(rng.standard_normal((days, ideas)), copies, axis=1)
        ratios = (base + 0.03 * rng.standard_normal(base.shape)).mean(axis=0) * math.sqrt(days)
        found.append(ratios.max())
    assert expected_max(ideas) == pytest.approx(np.mean(found), abs=0.12)
