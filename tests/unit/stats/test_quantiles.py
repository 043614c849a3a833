import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from seakeep.core.errors import ConfigError, DataError, NotEnoughHistory
from seakeep.stats import quantiles as q

STUDY = Path(__file__).parents[3] / "../shared/data/reference/btc_ewma_var"
CONVENTIONS = {
    "edhec_historical_var": ("historical", 0),
    "edhec_historical_es": ("historical", 1),
    "edhec_gaussian_var": ("normal", 0),
    "edhec_gaussian_es": ("normal", 1),
    "edhec_cornish_fisher_var": ("cornish_fisher", 0),
    "edhec_modified_es_boudt": ("cornish_fisher", 1),
}


def tail(returns, confidence, method):
    if method == "historical":
        return q.empirical_tail(np.sort(returns), confidence)
    found = q.moments(returns)
    return q.normal_tail(*found[:2], confidence) if method == "normal" else q.cornish_fisher_tail(*found, confidence)


@pytest.mark.parametrize("name", CONVENTIONS)
def test_tails_are_those_of_performance_analytics(reference, series, name):
    case, (method, which) = reference("var_cvar", name), CONVENTIONS[name]
    columns = series(case["inputs"]["series_file"])
    for level, expected in case["expected"].items():
        found = {column: -tail(columns[column], float(level), method)[which] for column in expected}
        assert found == pytest.approx(expected, abs=case["tolerance"]["abs"])


def test_bias_corrected_moments_give_the_tails_of_financetoolkit(reference, series):
    case = reference("var_cvar", "cornish_fisher_sp500_financetoolkit")
    found = q.moments(series(case["inputs"]["series_file"])["ret_percent"][-1000:] / 100, "unbiased")
    for level in ("0.95", "0.99"):
        modified, plain = q.cornish_fisher_tail(*found, float(level)), q.normal_tail(*found[:2], float(level))
        limit = case["tolerance"]["abs"]
        assert -modified[0] == pytest.approx(case["expected"]["cornish_fisher"][level], abs=limit)
        assert -plain[0] == pytest.approx(case["expected"]["gaussian"][level], abs=limit)


def hull(case):
    worst = np.array(case["inputs"]["largest_losses"])
    rows = np.array(case["inputs"]["scenario_numbers"]) - 1
    losses = np.zeros(case["inputs"]["n_scenarios"])
    losses[rows] = worst
    return -losses


def test_the_order_statistic_is_that_of_hull(reference):
    case = reference("var_cvar", "hull_historical_simulation_500")
    var, cvar = q.empirical_tail(np.sort(hull(case)), case["inputs"]["confidence"], "order")
    assert (var, cvar) == pytest.approx((case["expected"]["var_99"], case["expected"]["es_99"]), abs=0.01)
    assert var * np.sqrt(10) == pytest.approx(case["expected"]["var_10day_sqrt_time"], abs=0.05)


def test_weights_by_age_give_the_282_204_and_400_914_of_hull(reference):
    """The same 500 scenarios weighted with 0.995 (Hull, section on weighting of observations)."""
    returns = hull(reference("var_cvar", "hull_historical_simulation_500"))
    var, cvar = q.weighted_tail(returns, q.age_weights(500, 0.995), 0.99)
    assert (var, cvar) == pytest.approx((282.204, 400.914), abs=0.01)


def test_normal_and_t_are_those_of_mcneil_frey_and_embrechts(reference):
    case = reference("var_cvar", "qrm_normal_vs_t4")
    given, expected = case["inputs"], case["expected"]
    sigma, nu = given["position"] * given["sigma_annual"] / np.sqrt(given["days"]), given["nu"]
    normal = np.array([q.normal_tail(0, sigma, level) for level in given["levels"]])
    student = np.array([q.student_tail(0, sigma * np.sqrt((nu - 2) / nu), nu, level) for level in given["levels"]])
    found = {"var_normal": normal[:, 0], "es_normal": normal[:, 1], "var_t4": student[:, 0], "es_t4": student[:, 1]}
    for name, values in found.items():
        assert values == pytest.approx(expected[name], abs=case["tolerance"]["abs"])


def test_hansens_quantiles_are_those_of_the_arch_documentation(reference):
    case = reference("var_cvar", "arch_docs_parametric_and_fhs_var_sp500")
    eta, skew = case["expected"]["fitted"]["eta"], case["expected"]["fitted"]["lambda"]
    found = [q.skewed_t_quantile(p, eta, skew) for p in (0.01, 0.05)]
    assert found == pytest.approx(case["expected"]["parametric_quantiles_z"], abs=0.005)
    assert q.skewed_t_quantile(0.99, eta, -skew) == pytest.approx(-found[0], rel=1e-12)


@pytest.mark.skipif(not STUDY.exists(), reason="the study btc_ewma_var is not beside this checkout")
def test_the_published_study_of_bitcoin_is_reproduced_by_the_order_rule():
    """Order statistics of the last 731 returns on a position of a million, and their means."""
    expected = json.loads((STUDY / "expected.json").read_text())
    returns = np.diff(np.log(pd.read_parquet(STUDY / "prices.parquet").price.to_numpy()))
    ordered = np.sort(np.expm1(returns[-731:])) * 1e6
    for level, row in expected["historical_var_es"].items():
        assert q.empirical_tail(ordered, float(level), "order") == pytest.approx(
            (row["long_var"], row["long_es"]), abs=0.01
        )
        short = q.empirical_tail(np.sort(-ordered), float(level), "order")
        assert short == pytest.approx((row["short_var"], row["short_es"]), rel=0.006)


def test_the_domain_is_where_the_quantile_rises():
    z = np.linspace(-8, 8, 4001)
    for skew in np.linspace(-3, 3, 25):
        for excess in np.linspace(-1, 12, 27):
            rises = bool((np.diff(q.cornish_fisher_quantile(z, skew, excess)) > 0).all())
            assert rises or not q.cornish_fisher_domain(skew, excess)


@pytest.mark.parametrize("level", [0, 0.5, 1, 1.5, float("nan")])
def test_a_confidence_outside_its_range_is_refused(level):
    with pytest.raises(ConfigError, match="confidence must be above"):
        q.checked_confidence(level)


def test_returns_that_say_nothing_are_refused():
    good = np.random.default_rng(1).normal(size=30)
    with pytest.raises(NotEnoughHistory, match="at least 50"):
        q.checked_returns(good, 50, "this")
    with pytest.raises(DataError, match="return 3 is not a finite"):
        q.checked_returns(np.where(np.arange(30) == 3, np.nan, good), 20, "this")
    with pytest.raises(DataError, match="do not vary"):
        q.checked_returns(np.full(30, 0.01), 20, "this")
    with pytest.raises(ValueError, match="one column"):
        q.checked_returns(np.ones((30, 2)), 20, "this")
    with pytest.raises(ConfigError, match="age decay"):
        q.age_weights(10, 1.0)
