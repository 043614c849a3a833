import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from seakeep.core.errors import ConfigError, DataError, NotEnoughHistory
from seakeep.stats import coverage as cov
from seakeep.stats.laws import RISKMETRICS
from seakeep.stats.volatility import filter_garch

STUDY = Path(__file__).parents[3] / "../shared/data/reference/msgarch_var"
BITCOIN = Path(__file__).parents[3] / "../shared/data/reference/btc_ewma_var"


def forecasts(series, case):
    columns, given = series(case["inputs"]["series_file"]), case["inputs"]
    return columns[given["ret_column"]], -columns[given["var_column"]]


@pytest.mark.parametrize("name", ["kupiec_christoffersen_sp500_ewma_1pct", "kupiec_christoffersen_sp500_ewma_5pct"])
def test_coverage_is_that_of_rugarch_and_gas(reference, series, name):
    case = reference("var_backtests", name)
    expected, hits = case["expected"], cov.failures(*forecasts(series, case))
    moves = cov.transitions(hits)
    count, follow = cov.kupiec(int(hits.sum()), len(hits), 1 - case["inputs"]["p"]), cov.independence(*moves)
    both = cov.conditional(count, follow)
    assert (count.n, count.failures) == (expected["n"], expected["failures"])
    assert moves == tuple(expected[key] for key in ("n00", "n01", "n10", "n11"))
    for key, test in (("uc", count), ("ind", follow), ("cc", both)):
        wanted = (expected[f"lr_{key}"], expected[f"p_{key}"])
        assert (test.statistic, test.p_value) == pytest.approx(wanted, abs=1e-6)


def test_coverage_is_that_of_the_matlab_documentation(reference):
    case = reference("var_backtests", "christoffersen_matlab_normal95")
    given, expected = case["inputs"], case["expected"]
    count = cov.kupiec(given["failures"], given["n"], 0.95)
    follow = cov.independence(*(given[key] for key in ("n00", "n01", "n10", "n11")))
    both = cov.conditional(count, follow)
    assert (follow.statistic, follow.p_value, both.statistic, both.p_value, count.statistic) == pytest.approx(
        [expected[key] for key in ("lr_independence", "p_independence", "lr_cc", "p_cc", "lr_pof")], abs=1e-5
    )
    plain = reference("var_backtests", "kupiec_pof_matlab_normal95")["expected"]
    assert (count.statistic, count.p_value) == pytest.approx((plain["lr_pof"], plain["p_value"]), abs=1e-5)


def test_three_failures_in_250_are_those_of_the_matlab_documentation(reference):
    case = reference("var_backtests", "kupiec_pof_matlab_3_of_250")
    expected = case["expected"]
    found = [cov.kupiec(case["inputs"]["failures"], case["inputs"]["n"], 1 - p) for p in case["inputs"]["p"]]
    assert [test.statistic for test in found] == pytest.approx(expected["lr_pof"], abs=0.0005)
    assert [test.p_value for test in found] == pytest.approx(expected["p_value"], abs=0.0005)
    assert [test.p_value < 0.05 for test in found] == expected["reject_95"]


def region(n, confidence, critical):
    accepted = [x for x in range(n // 3) if cov.kupiec(x, n, confidence).statistic < critical]
    return [accepted[0], accepted[-1]]


def test_non_rejection_regions_are_those_of_kupiec(reference):
    case = reference("var_backtests", "kupiec_nonrejection_regions")
    critical, expected = case["inputs"]["critical_value"], case["expected"]
    for n, rows in expected["nonrejection_inclusive"].items():
        for p, wanted in rows.items():
            assert region(int(n), 1 - float(p), critical) == wanted
    assert region(255, 0.99, critical)[1] == expected["max_failures_255_p01"]


@pytest.mark.skipif(not BITCOIN.exists(), reason="the study btc_ewma_var is not beside this checkout")
def test_the_published_study_of_bitcoin_has_the_same_failures():
    """RiskMetrics deviations over the whole sample, failures of long and short positions in the last 730 days."""
    expected = json.loads((BITCOIN / "expected.json").read_text())["kupiec_backtest_2023-08-01_2025-07-31"]
    x = np.diff(np.log(pd.read_parquet(BITCOIN / "prices.parquet").price.to_numpy()))
    sigma = filter_garch(x, RISKMETRICS, "sample").sigma[-expected["T"] :]
    for level in ("0.95", "0.99", "0.995"):
        var = stats.norm.ppf(float(level)) * sigma
        found = [int(cov.failures(sign * x[-expected["T"] :], var).sum()) for sign in (1, -1)]
        assert found == [expected[level]["long"], expected[level]["short"]]


@pytest.mark.skipif(not STUDY.exists(), reason="the study msgarch_var is not beside this checkout")
def test_the_published_study_of_markov_switching_garch_is_reproduced():
    tests, days = pd.read_parquet(STUDY / "tests.parquet"), pd.read_parquet(STUDY / "forecasts.parquet")
    returns = {a: pd.read_parquet(STUDY / f"returns_{a}.parquet").set_index("i").log_return for a in ("BTC", "ETH")}
    for row in tests.itertuples():
        mine = days[(days.asset == row.asset) & (days.model == row.model)]
        sign = 1 if row.side == "long" else -1
        x = sign * returns[row.asset].reindex(mine.i).to_numpy()
        var = -sign * mine[f"var_{row.side}_{100 * row.confidence:g}"].to_numpy()
        hits = cov.failures(x, var)
        count, follow = cov.kupiec(int(hits.sum()), len(hits), row.confidence), cov.independence(*cov.transitions(hits))
        assert (count.n, count.failures) == (row.n, row.exceptions)
        assert (count.statistic, 100 * count.p_value) == pytest.approx((row.LR_uc, row.p_uc_percent), abs=1e-5)
        assert follow.statistic == pytest.approx(row.LR_ind, abs=0.02)
        assert cov.conditional(count, follow).statistic == pytest.approx(row.LR_cc, abs=0.02)


@pytest.mark.parametrize("name", ["dq_sp500_ewma_1pct", "dq_sp500_ewma_5pct"])
def test_the_dynamic_quantile_test_is_that_of_engle_and_manganelli(reference, series, name):
    case = reference("var_backtests", name)
    found = cov.dynamic_quantile(*forecasts(series, case), 1 - case["inputs"]["p"], case["inputs"]["lags"])
    assert found.df == case["expected"]["df_standard"]
    assert (found.statistic, found.p_value) == pytest.approx(
        (case["expected"]["dq_standard"], case["expected"]["p_standard"]), abs=1e-6
    )


@pytest.mark.parametrize("name", ["dq_sp500_ewma_1pct", "dq_sp500_ewma_5pct"])
def test_squared_returns_are_a_seventh_regressor_which_gas_drops_by_its_tolerance(reference, series, name):
    case = reference("var_backtests", name)
    (returns, var), p, expected = forecasts(series, case), case["inputs"]["p"], case["expected"]
    excess = cov.failures(returns, var) - p
    lagged = [excess[4 - i : -i] for i in range(1, 5)]

    def statistic(unit, tolerance):
        columns = [np.ones(len(excess) - 4), -unit * var[4:], *lagged, (unit * returns[3:-1]) ** 2]
        pulls = np.array(columns) @ excess[4:]
        inverse = np.linalg.pinv(np.array(columns) @ np.array(columns).T, rcond=tolerance, hermitian=True)
        return pulls @ inverse @ pulls / (p * (1 - p))

    assert statistic(1, np.finfo(float).eps ** 0.5) == pytest.approx(expected["dq_gas"], abs=1e-6)
    assert stats.chi2.sf(expected["dq_gas"], expected["df_gas"]) == pytest.approx(expected["p_gas"], abs=1e-6)
    found = cov.dynamic_quantile(returns, var, 1 - p, squares=True)
    assert found.df == expected["df_gas"]
    assert found.statistic == pytest.approx(statistic(100, np.finfo(float).eps ** 0.5), rel=1e-9)
    assert found.statistic > expected["dq_gas"] + 0.9


def test_durations_are_those_of_rugarch(reference, series):
    case = reference("var_backtests", "duration_weibull_sp500_ewma_5pct")
    expected = case["expected"]
    found, shape = cov.weibull_duration(cov.failures(*forecasts(series, case)))
    assert shape == pytest.approx(expected["weibull_b"], rel=0.001)
    assert (found.statistic, found.p_value) == pytest.approx((expected["lr"], expected["p_value"]), rel=0.001)
    assert found.statistic == pytest.approx(
        2 * (expected["loglik_unrestricted"] - expected["loglik_restricted"]), rel=0.001
    )


def test_the_traffic_light_is_that_of_the_basel_committee(reference):
    case = reference("var_backtests", "basel_traffic_light_250")
    expected, lights = case["expected"], [cov.traffic_light(x, 250) for x in range(12)]
    assert [light.zone for light in lights[:10]] == expected["zone"]
    assert [light.plus_factor for light in lights[:10]] == expected["plus_factor"]
    assert [100 * light.probability for light in lights[:10]] == pytest.approx(
        expected["cumulative_probability_percent"], abs=0.006
    )
    assert {(light.zone, light.plus_factor) for light in lights[10:]} == {(expected["zone_10_or_more"], 1.0)}
    assert (lights[4].limit_share, lights[11].limit_share) == (1.0, 0.75)


def test_error_probabilities_are_those_of_the_basel_committee(reference):
    case = reference("var_backtests", "basel_table1_error_probabilities")
    expected, k = case["expected"], case["inputs"]["exceptions"]
    for level in ("99", "98"):
        upto = 100 * np.array([cov.traffic_light(x, 250, int(level) / 100).probability for x in k])
        before = np.append(0, upto[:-1])
        assert upto - before == pytest.approx(expected[f"exact_percent_{level}"], abs=0.06)
        wrong = 100 - before if level == "99" else before
        key = "type1_percent_99" if level == "99" else "type2_percent_98"
        assert wrong == pytest.approx(expected[key], abs=0.06)


def test_elsewhere_the_supplement_follows_the_rule_behind_the_table():
    """For 251 days it must be near the table of 250, and never fall with one more failure."""
    plus = [cov.traffic_light(x, 251).plus_factor for x in range(12)]
    assert plus[5:10] == pytest.approx(cov.PLUS_FACTORS, abs=0.04)
    assert plus == sorted(plus)
    assert cov.traffic_light(8, 8).plus_factor == 1.0


def test_right_forecasts_are_rejected_as_often_as_the_size_says():
    rng, rounds, n = np.random.default_rng(2), 400, 1000
    rejected = np.zeros(4)
    for _ in range(rounds):
        sigma = np.exp(0.3 * rng.standard_normal(n))
        x, var = sigma * rng.standard_normal(n), sigma * stats.norm.ppf(0.95)
        hits = cov.failures(x, var)
        tests = (
            cov.kupiec(int(hits.sum()), n, 0.95),
            cov.independence(*cov.transitions(hits)),
            cov.dynamic_quantile(x, var, 0.95),
            cov.weibull_duration(hits)[0],
        )
        rejected += [test.p_value < 0.05 for test in tests]
    assert (rejected >= stats.binom.ppf(1e-4, rounds, 0.03)).all()
    assert (rejected <= stats.binom.ppf(1 - 1e-4, rounds, 0.075)).all()


def test_clusters_are_found():
    hits = np.zeros(1000, bool)
    hits[np.add.outer(np.arange(50, 1000, 100), np.arange(5)).ravel()] = True
    assert cov.kupiec(int(hits.sum()), 1000, 0.95).p_value > 0.9
    assert cov.independence(*cov.transitions(hits)).p_value < 1e-6
    assert cov.weibull_duration(hits)[0].p_value < 1e-3
    assert cov.weibull_duration(hits)[1] < 1


def test_no_failure_is_not_a_pass():
    hits = np.zeros(600, bool)
    assert np.isnan(cov.independence(*cov.transitions(hits)).p_value)
    assert np.isnan(cov.weibull_duration(hits)[0].p_value)
    assert "no failure" in cov.conditional(cov.kupiec(0, 600, 0.99), cov.independence(599, 0, 0, 0)).warnings[0]
    assert cov.kupiec(0, 600, 0.99).statistic == pytest.approx(-2 * 600 * np.log(0.99))


def test_what_cannot_be_tested_is_refused():
    x = np.random.default_rng(1).normal(size=100)
    with pytest.raises(ValueError, match="one length"):
        cov.failures(x, x[:50])
    with pytest.raises(DataError, match="VaR 2 is not a finite"):
        cov.failures(x, np.where(np.arange(100) == 2, np.nan, 1.0))
    with pytest.raises(NotEnoughHistory, match="at least 60"):
        cov.dynamic_quantile(x[:40], np.ones(40), 0.95)
    with pytest.raises(ValueError, match="between 0 and n"):
        cov.kupiec(5, 3, 0.95)
    with pytest.raises(ConfigError, match="confidence"):
        cov.traffic_light(5, 250, 1.0)


def test_the_compiled_projection_is_that_of_least_squares_and_drops_what_repeats():
    rng = np.random.default_rng(5)
    rows, y = rng.standard_normal((3, 200)), rng.standard_normal(200)
    rows = np.vstack([rows, rows[0] + rows[1]])
    fitted = rows.T @ np.linalg.lstsq(rows.T, y)[0]
    for kernel in (cov.projection, cov.projection.py_func):
        value, rank = kernel(y, rows)
        assert (value, rank) == (pytest.approx(fitted @ fitted, rel=1e-9), 3)


def test_a_var_that_never_moves_is_no_regressor():
    x = np.random.default_rng(1).standard_normal(500)
    assert cov.dynamic_quantile(x, np.full(500, 1.645), 0.95).df == 5
