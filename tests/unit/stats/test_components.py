import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seakeep.core.errors import ConfigError, DataError, NotEnoughHistory
from seakeep.stats.components import components, covariance_slopes, incremental, tail_slopes

METHODS = ("historical", "normal", "cornish_fisher")


def table(n=400, k=4, seed=1):
    rng = np.random.default_rng(seed)
    return rng.standard_t(5, (n, k)) * 0.02 + 0.01 * rng.standard_t(5, (n, 1))


def edhec(reference, series, name):
    case = reference("component_marginal_var", name)
    columns = series(case["inputs"]["series_file"])
    return case, np.column_stack([columns[c] for c in case["inputs"]["columns"]]), np.array(case["inputs"]["weights"])


@pytest.mark.parametrize(("name", "method"), [("gaussian", "normal"), ("cornish_fisher", "cornish_fisher")])
def test_components_are_those_of_performance_analytics(reference, series, name, method):
    case, returns, weights = edhec(reference, series, f"edhec5_component_var_{name}")
    expected, found = case["expected"], components(returns, weights, case["inputs"]["confidence"], method, samples=50)
    assert (found.var.value, found.cvar.value) == pytest.approx(
        (expected["portfolio_var"], expected["portfolio_es"]), abs=1e-8
    )
    assert found.var_component == pytest.approx(expected["contribution"], abs=1e-8)
    assert found.cvar_component == pytest.approx(expected["es_contribution"], abs=1e-8)
    assert found.var_component / found.var.value == pytest.approx(expected["percent"], abs=1e-8)


def test_the_deviation_splits_as_in_performance_analytics(reference, series):
    case, returns, weights = edhec(reference, series, "edhec5_component_stddev")
    total, slopes = covariance_slopes(np.cov(returns.T), weights, 1.0)
    assert total == pytest.approx(case["expected"]["portfolio_sd"], abs=1e-8)
    assert weights * slopes == pytest.approx(case["expected"]["contribution"], abs=1e-8)
    assert weights * slopes / total == pytest.approx(case["expected"]["percent"], abs=1e-8)


def test_two_currencies_are_those_of_jorion(reference):
    case = reference("component_marginal_var", "jorion_two_currency")
    given_, expected, rel = case["inputs"], case["expected"], case["tolerance"]["rel"]
    positions, deviations = np.array(given_["positions"]), np.array(given_["volatilities"])
    var, slopes = covariance_slopes(np.diag(deviations**2), positions, given_["alpha"])
    assert var / given_["alpha"] == pytest.approx(expected["portfolio_sigma"], rel=rel)
    assert var == pytest.approx(expected["portfolio_var"], rel=rel)
    assert slopes == pytest.approx(expected["marginal_var"], abs=0.0001)
    assert slopes * positions == pytest.approx(expected["component_var"], abs=3)
    assert 100 * slopes * positions / var == pytest.approx(expected["percent_contribution"], abs=0.05)
    alone = given_["alpha"] * deviations * positions
    assert (*alone, alone.sum()) == pytest.approx((*expected["individual_var"], expected["undiversified_var"]), rel=rel)


def test_two_shares_are_those_of_hull(reference):
    case = reference("var_cvar", "hull_two_asset_parametric")
    given_, expected, rel = case["inputs"], case["expected"], case["tolerance"]["rel"]
    values, sigma = np.array(given_["values"]), np.array(given_["sigma_daily"])
    cross = given_["rho"] * sigma.prod()
    covariance = np.array([[sigma[0] ** 2, cross], [cross, sigma[1] ** 2]])
    day, _ = covariance_slopes(covariance, values, given_["z"])
    alone = [covariance_slopes(covariance[[i], [i]].reshape(1, 1), values[[i]], given_["z"])[0] for i in (0, 1)]
    root = np.sqrt(given_["horizon_days"])
    found = (day / given_["z"], *alone, *(root * np.array(alone)), day, root * day)
    names = (
        "portfolio_sigma var_1d_microsoft var_1d_att var_10d_microsoft var_10d_att var_1d_portfolio var_10d_portfolio"
    )
    assert found == pytest.approx([expected[name] for name in names.split()], rel=rel)


@given(st.lists(st.floats(-2, 2).filter(lambda w: abs(w) > 0.01), min_size=4, max_size=4), st.sampled_from(METHODS))
def test_components_add_up_and_scale_with_the_book(weights, method):
    returns, w = table(), np.array(weights)
    found, double = tail_slopes(returns, w, 0.95, method), tail_slopes(returns, 2 * w, 0.95, method)
    assert w @ found.var_slopes == pytest.approx(found.var, rel=1e-9, abs=1e-12)
    assert w @ found.cvar_slopes == pytest.approx(found.cvar, rel=1e-9, abs=1e-12)
    assert double.cvar == pytest.approx(2 * found.cvar, rel=1e-9)
    assert double.cvar_slopes == pytest.approx(found.cvar_slopes, rel=1e-7, abs=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_slopes_are_the_change_by_a_small_order(method):
    returns, w, step = table(), np.array([0.4, 0.3, 0.2, 0.1]), 1e-7
    found = tail_slopes(returns, w, 0.95, method)
    for i in range(4):
        up, down = (tail_slopes(returns, w + sign * step * np.eye(4)[i], 0.95, method) for sign in (1, -1))
        assert (up.var - down.var) / (2 * step) == pytest.approx(found.var_slopes[i], rel=1e-5, abs=1e-8)
        assert (up.cvar - down.cvar) / (2 * step) == pytest.approx(found.cvar_slopes[i], rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("method", METHODS)
def test_a_hedge_is_negative_in_every_figure(method):
    returns = table(k=2)
    returns[:, 1] = 0.9 * returns[:, 0] + 0.002 * np.random.default_rng(2).standard_normal(len(returns))
    weights = np.array([1.0, -0.5])
    found = components(returns, weights, 0.95, method, samples=50)
    assert found.cvar_component[1] < 0
    assert found.var_component[1] < 0
    more = incremental(returns, weights, np.array([0.0, -0.2]), 0.95, method, samples=50)
    assert more.cvar.high < 0
    assert more.var.value < 0
    assert more.cvar.value == pytest.approx(more.cvar_slope, rel=0.25)


def test_an_increment_is_the_difference_of_two_books():
    returns, w, order = table(), np.array([0.5, 0.2, 0.0, 0.0]), np.array([0.0, 0.0, 0.3, 0.0])
    before, after = (tail_slopes(returns, x, 0.95) for x in (w, w + order))
    found = incremental(returns, w, order, 0.95, samples=50)
    assert (found.var.value, found.cvar.value) == pytest.approx((after.var - before.var, after.cvar - before.cvar))
    empty = incremental(returns, 0 * w, order, 0.95, samples=50)
    assert empty.cvar.value == pytest.approx(tail_slopes(returns, order, 0.95).cvar)
    assert np.isnan(empty.cvar_slope)


def test_bootstrap_errors_are_about_the_spread_of_fresh_samples():
    w = np.array([0.4, 0.3, 0.2, 0.1])
    fresh = [w * tail_slopes(table(1000, seed=s), w, 0.95).cvar_slopes for s in range(100, 250)]
    claimed = [components(table(1000, seed=s), w, 0.95, samples=50).cvar_error for s in range(10)]
    assert np.mean(claimed, axis=0) == pytest.approx(np.std(fresh, axis=0), rel=0.25)


def test_doubling_an_asset_makes_the_covariance_singular_and_splits_its_part():
    returns = table(k=2)
    one = components(returns, np.array([0.6, 0.4]), 0.95, "normal", samples=50)
    twin = components(returns[:, [0, 0, 1]], np.array([0.3, 0.3, 0.4]), 0.95, "normal", samples=50)
    assert twin.cvar_component[:2].sum() == pytest.approx(one.cvar_component[0], rel=1e-9)


def test_bad_input_is_refused_by_name():
    returns, w = table(), np.full(4, 0.25)
    with pytest.raises(ValueError, match=r"need returns \(n, k\)"):
        components(returns, w[:3])
    with pytest.raises(NotEnoughHistory, match="at least 50 rows"):
        components(returns[:40], w)
    with pytest.raises(NotEnoughHistory, match="at least 1000 rows"):
        components(returns, w, 0.999)
    with pytest.raises(DataError, match="not a finite number"):
        components(np.where(returns == returns[3, 1], np.nan, returns), w)
    with pytest.raises(DataError, match="does not move"):
        components(returns[:, [0, 0]], np.array([1.0, -1.0]))
    with pytest.raises(ConfigError, match="unknown component method"):
        components(returns, w, 0.95, "student")
    with pytest.raises(ConfigError, match="confidence"):
        components(returns, w, 0.0)
    with pytest.raises(ValueError, match="not positive semidefinite"):
        covariance_slopes(np.array([[1.0, 2.0], [2.0, 1.0]]), np.ones(2), 1.0)
