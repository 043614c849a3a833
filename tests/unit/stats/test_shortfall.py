import numpy as np
import pytest
from scipy import stats

from seakeep.core.errors import NotEnoughHistory
from seakeep.stats.quantiles import normal_tail
from seakeep.stats.shortfall import acerbi_szekely, joint_score, mcneil_frey, null_law


def test_the_tests_are_those_of_financetoolkit_and_rugarch(reference, series):
    case = reference("var_backtests", "acerbi_szekely_sp500_ewma")
    given, expected, columns = case["inputs"], case["expected"], series(case["inputs"]["series_file"])
    x, var, cvar = columns[given["ret_column"]], -columns[given["var_column"]], -columns[given["es_column"]]
    first, second = acerbi_szekely(x, var, cvar, 1 - given["p"])
    assert (first.n, first.failures) == (expected["n"], expected["exceedances"])
    assert (first.statistic, second.statistic) == pytest.approx((expected["z1"], expected["z2"]), abs=1e-8)
    assert max(first.p_value, second.p_value) < 0.001
    found = mcneil_frey(x, var, cvar).p_value
    assert found == pytest.approx(expected["mcneil_frey_p_value"], rel=1e-4, abs=1e-9)


def test_critical_values_of_z2_are_those_of_acerbi_and_szekely(reference):
    case = reference("var_backtests", "acerbi_szekely_z2_critical_values")
    given = case["inputs"]
    for law, expected in zip((3, 5, 10, 100, 1e6), case["expected"]["z2_critical_5pct"], strict=True):
        found = null_law(given["T"], 1 - given["p"], law, given["n_simulations_suggested"], seed=3)
        error = 0.01
        assert np.quantile(found.z2, 0.05) == pytest.approx(expected, abs=case["tolerance"]["abs"] + error)


def test_right_forecasts_are_rejected_as_often_as_the_size_says_and_shallow_ones_more():
    rng, n = np.random.default_rng(4), 500
    law, (var, cvar) = null_law(n, 0.975, seed=1), normal_tail(0.0, 1.0, 0.975)
    rejected = np.zeros(2)
    for _ in range(300):
        x = rng.standard_normal(n)
        for i, share in enumerate((1.0, 0.8)):
            second = acerbi_szekely(x, np.full(n, share * var), np.full(n, share * cvar), 0.975, law)[1]
            rejected[i] += second.p_value < 0.05
    assert stats.binom.ppf(1e-4, 300, 0.03) <= rejected[0] <= stats.binom.ppf(1 - 1e-4, 300, 0.07)
    assert rejected[1] > 200


def test_the_joint_score_is_least_at_the_truth():
    x = np.random.default_rng(6).standard_normal(200_000)
    var, cvar = normal_tail(0.0, 1.0, 0.95)

    def score(v, c):
        return joint_score(x, np.full(len(x), v), np.full(len(x), c), 0.95).mean()

    others = [(var * a, cvar * b) for a, b in ((0.9, 1), (1.1, 1), (1, 0.9), (1, 1.1), (0.9, 0.9), (1.1, 1.1))]
    assert all(score(var, cvar) < score(*other) for other in others)


def test_the_same_seed_gives_the_same_law():
    one, same, other = (null_law(250, 0.99, simulations=500, seed=s) for s in (1, 1, 2))
    assert (one.z2 == same.z2).all()
    assert (one.z2 != other.z2).any()


def test_what_cannot_be_tested_is_refused():
    x, ones = np.random.default_rng(1).normal(size=300), np.ones(300)
    with pytest.raises(ValueError, match="CVaR must be positive"):
        acerbi_szekely(x, ones, -ones, 0.95)
    with pytest.raises(ValueError, match="the law is of 250 days"):
        acerbi_szekely(x, ones, ones, 0.95, null_law(250, 0.95, simulations=100))
    with pytest.raises(NotEnoughHistory, match="at least 3 failures"):
        mcneil_frey(x, 9 * ones, 10 * ones)
    assert np.isnan(acerbi_szekely(x, 9 * ones, 10 * ones, 0.95)[0].p_value)
