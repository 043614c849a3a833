import math

import numpy as np
import pytest
from arch import arch_model
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import special
from scipy import stats as laws

from seakeep.core.errors import ConfigError, DataError, NotEnoughHistory, NotFitted
from seakeep.core.units import DAY_MS, HOUR_MS, YEAR_MS
from seakeep.stats import recursions, scoring
from seakeep.stats.forecasting import expected_variances
from seakeep.stats.specification import specify
from seakeep.stats.volatility import Garch, ewma, filter_garch, fit_garch, rescale

PEERS = {"garch": {}, "gjr": {"o": 1}, "egarch": {"vol": "EGARCH", "o": 1}}
MODELS = [(model, errors) for model in PEERS for errors in ("normal", "t")]
TRUTH = Garch(0.05, 0.08, 0.9)
THETAS = {"garch": [0.01, 0.05, 0.1, 0.2, 0.8, 0.15], "egarch": [0.01, -0.02, 0.2, -0.05, 0.95, 0.15]}


def within(case, key=None):
    tolerance = case["tolerance"] | case["tolerance"].get("per_key", {}).get(key, {})
    return {"rel": tolerance.get("rel", 0), "abs": tolerance.get("abs", 0)}


def simulated(n=1500, seed=3, garch=TRUTH, nu=None):
    rng = np.random.default_rng(seed)
    z = rng.standard_normal(n) if nu is None else rng.standard_t(nu, n) * math.sqrt((nu - 2) / nu)
    h, out = garch.long_run_variance, np.empty(n)
    for t in range(n):
        out[t] = math.sqrt(h) * z[t]
        h = garch.update(h, out[t])
    return out


def peer(returns, model, errors):
    return arch_model(returns, dist=errors, rescale=False, **PEERS[model]).fit(disp="off", show_warning=False)


def test_the_published_benchmark_of_fiorentini_calzolari_and_panattoni_is_met(reference, series):
    case = reference("garch", "fcp_benchmark_dem2gbp_garch11")
    fit = fit_garch(series(case["inputs"]["series_file"])["ret_percent"], errors="normal", presample="sample")
    expected, found = case["expected"], {"loglikelihood": fit.loglikelihood}
    found |= {name: getattr(fit.params, name) for name in ("mu", "omega", "alpha", "beta")}
    assert found == {name: pytest.approx(expected[name], **within(case, name)) for name in found}
    assert fit.standard_errors(robust=False).errors == pytest.approx(
        expected["se_hessian"], **within(case, "se_hessian")
    )
    digits = [-math.log10(abs(found[name] / expected[name] - 1)) for name in ("mu", "omega", "alpha", "beta")]
    assert min(digits) > 4


def test_t_errors_on_a_series_whose_persistence_is_above_one(reference, series):
    case = reference("garch", "dem2gbp_garch11_student_t_fgarch")
    returns = series(case["inputs"]["series_file"])["ret_percent"]
    fit = fit_garch(returns, errors="t", presample="sample", max_persistence=1.1)
    found = {name: getattr(fit.params, name) for name in ("mu", "omega", "alpha", "beta", "nu")}
    found["loglikelihood"] = fit.loglikelihood
    assert found == {name: pytest.approx(case["expected"][name], **within(case, name)) for name in found}
    assert fit.params.long_run_variance == math.inf
    bounded = fit_garch(returns, errors="t", presample="sample")
    assert bounded.params.persistence == pytest.approx(1, abs=1e-9)
    assert "the persistence is at its bound" in bounded.warnings
    assert bounded.params.half_life == bounded.params.long_run_variance == math.inf
    assert "no long-run level" in bounded.forecast(2).warnings[0]


@pytest.mark.parametrize(("name", "model"), [("sp500_garch11_arch_docs", "garch"), ("sp500_gjr_garch_arch", "gjr")])
def test_the_documented_examples_of_arch_are_met(reference, series, name, model):
    case = reference("garch", name)
    fit = fit_garch(series(case["inputs"]["series_file"])["ret_percent"], model, "normal")
    expected = case["expected"]
    full = expected.get("full_precision", expected)
    found = {key: getattr(fit.params, key) for key in ("mu", "omega", "alpha", "gamma", "beta") if key in expected}
    found["loglikelihood"] = fit.loglikelihood
    assert found == {key: pytest.approx(expected[key], **within(case, key)) for key in found}
    assert fit.forecast(10).variance == pytest.approx(full["forecast_variance_h1_h10"], rel=0.002)
    if full is not expected:
        assert found == {key: pytest.approx(full[key], **within(case, "full_precision")) for key in found}
        assert fit.sigma[-1] == pytest.approx(full["last_conditional_volatility"], rel=0.002)


def test_hulls_updates_and_forecast(reference):
    case = reference("garch", "hull_ewma_update")
    held = ewma(np.array([0.02, -0.02] * 10), case["inputs"]["lam"], first=case["inputs"]["sigma_prev"] ** 2)
    assert held.sigma[1] ** 2 == pytest.approx(case["expected"]["variance"], abs=1e-12)
    case = reference("garch", "hull_garch11_update")
    given_, expected = case["inputs"], case["expected"]
    garch = Garch(given_["omega"], given_["alpha"], given_["beta"])
    assert garch.update(given_["sigma_prev"] ** 2, given_["u_prev"]) == pytest.approx(expected["variance"], abs=1e-10)
    assert garch.long_run_variance == pytest.approx(expected["long_run_variance"], abs=1e-12)
    assert garch.persistence**garch.half_life == pytest.approx(0.5)
    case = reference("garch", "hull_garch_forecast_sp500")
    given_, expected = case["inputs"], case["expected"]
    garch = Garch(given_["omega"], given_["alpha"], given_["beta"])
    ahead = expected_variances(garch, given_["variance_now"], given_["horizon_days"] + 1)
    assert garch.long_run_variance == pytest.approx(expected["long_run_variance"], abs=2e-7)
    assert ahead.variance[-1] == pytest.approx(expected["expected_variance_h"], abs=2e-7)


def test_the_cumulative_variance_of_a_forecast(reference):
    case = reference("monte_carlo", "l3_garch_aggregated_variance")
    given_ = case["inputs"]
    ahead = expected_variances(Garch(given_["omega"], given_["alpha"], given_["beta"]), given_["h_next"], 21)
    found = ahead.cumulative[np.array(given_["horizons"]) - 1]
    assert found == pytest.approx(case["expected"]["cumulative_variance"], rel=1e-10)


def test_fixed_parameters_filter_as_published(reference, series):
    case = reference("var_cvar", "fhs_fixed_garch_dem2gbp")
    given_, expected = case["inputs"], case["expected"]
    garch = Garch(given_["omega"], given_["alpha"], given_["beta"], mu=given_["mu"])
    fit = filter_garch(series(given_["series_file"])["ret_percent"], garch, presample="sample")
    assert math.sqrt(fit.next_variance) == pytest.approx(expected["sigma_next"], rel=1e-6)
    assert np.quantile(fit.residuals, given_["levels"]) == pytest.approx(expected["quantile_z"], rel=1e-6)
    with pytest.raises(NotFitted, match="have no standard errors"):
        fit.standard_errors()


@pytest.mark.parametrize(("model", "errors"), MODELS)
def test_the_likelihood_is_never_below_that_of_arch(model, errors):
    returns = simulated(seed=11, nu=6)
    fit, theirs = fit_garch(returns, model, errors), peer(returns, model, errors)
    assert fit.loglikelihood - theirs.loglikelihood >= -1e-6
    assert fit.sigma == pytest.approx(theirs.conditional_volatility, rel=2e-3)
    assert fit.residuals == pytest.approx(theirs.std_resid, rel=2e-3, abs=2e-3)
    assert (fit.aic, fit.bic) == (pytest.approx(theirs.aic, abs=0.02), pytest.approx(theirs.bic, abs=0.02))


@pytest.mark.parametrize(("model", "errors"), MODELS)
def test_robust_standard_errors_are_those_of_arch(model, errors):
    returns = simulated(2500, seed=5, garch=Garch(0.05, 0.04, 0.88, 0.08, model="gjr"), nu=6)
    theirs = peer(returns, model, errors)
    names = {
        name: f"{name}[1]" if name in {"alpha", "gamma", "beta"} else name for name in ("mu", "omega", "alpha", "beta")
    }
    found = fit_garch(returns, model, errors).standard_errors()
    assert [found[name] for name in names] == pytest.approx([theirs.std_err[key] for key in names.values()], rel=0.03)


@pytest.mark.parametrize("model", ["garch", "gjr"])
@given(seed=st.integers(0, 10_000), n=st.integers(150, 800))
@settings(max_examples=8, deadline=None)
def test_no_series_is_fitted_worse_than_by_arch(model, seed, n):
    returns = simulated(n, seed)
    ours, theirs = fit_garch(returns, model, "normal"), peer(returns, model, "normal")
    terms = theirs.params
    assume(terms["alpha[1]"] + terms["beta[1]"] + terms.get("gamma[1]", 0) / 2 < 1 - 1e-6)
    # At alpha = 0 no return is heard and beta only fades the first variance: on short series arch may end there.
    assume(terms["alpha[1]"] > 1e-6 or terms.get("gamma[1]", 0) > 1e-6)
    assert ours.loglikelihood >= theirs.loglikelihood - 1e-6


def test_true_parameters_lie_within_their_errors():
    truth = Garch(0.05, 0.08, 0.9, nu=6.0)
    fit = fit_garch(simulated(20_000, 17, nu=6.0))
    errors = fit.standard_errors()
    distance = [
        (getattr(fit.params, name) - getattr(truth, name)) / errors[name] for name in ("omega", "alpha", "beta", "nu")
    ]
    assert max(map(abs, distance)) < 3
    assert laws.kstest(fit.residuals * math.sqrt(1.5), laws.t(6).cdf).pvalue > 0.01


@pytest.mark.parametrize("model", ["garch", "egarch"])
@pytest.mark.parametrize("eta", [0.0, 0.15])
def test_the_score_is_the_slope_of_the_likelihood(model, eta):
    x = simulated(400)
    theta, presample = np.array([*THETAS[model][:5], eta]), np.array([x.var(), 1.0, x.mean()])
    work, score, information = np.empty((8, 401)), np.empty(6), np.empty((6, 6))

    def value(moved):
        return recursions.likelihood(x, moved, model == "egarch", presample, work, np.empty(6), np.empty((6, 6)))

    recursions.likelihood(x, theta, model == "egarch", presample, work, score, information)
    steps = 1e-6 * np.eye(6)[: 6 if eta else 5]
    slopes = [(value(theta + step) - value(theta - step)) / 2e-6 for step in steps]
    assert score[: len(slopes)] == pytest.approx(slopes, rel=1e-4, abs=1e-4)
    assert np.linalg.eigvalsh(information[:5, :5]).min() > 0


def test_the_likelihood_of_t_errors_is_that_of_scipy():
    x, garch = simulated(300, nu=5), Garch(0.05, 0.08, 0.9, mu=0.01, nu=5.0)
    fit = filter_garch(x, garch)
    density = laws.t.logpdf((x - 0.01) / (fit.sigma * math.sqrt(3 / 5)), 5) - np.log(fit.sigma * math.sqrt(3 / 5))
    assert fit.loglikelihood == pytest.approx(density.sum(), rel=1e-12)


@pytest.mark.parametrize("x", [0.3, 1.0, 2.5, 9.9, 40.0, 250.5])
def test_polygamma_is_that_of_scipy(x):
    assert recursions.polygamma(x) == pytest.approx((special.digamma(x), float(special.polygamma(1, x))), rel=1e-12)


def test_kernels_agree_with_their_python_twins():
    x, theta, start = simulated(80), np.array(THETAS["egarch"]), np.array([1.0, 0.0, 0.0])
    compiled, plain = np.zeros((8, 81)), np.zeros((8, 81))
    for egarch in (True, False):
        sums = recursions.sweep(x, np.abs(theta), egarch, start, compiled)
        assert sums == pytest.approx(recursions.sweep.py_func(x, np.abs(theta), egarch, start, plain), rel=1e-12)
        assert compiled == pytest.approx(plain, rel=1e-12)
    assert recursions.moments(x) == pytest.approx(recursions.moments.py_func(x), rel=1e-13)


def test_side_by_side_likelihoods_are_those_of_single_passes():
    x = simulated(333) - simulated(333).mean()
    alpha, beta = np.array([0.05, 0.2]), np.array([0.9, 0.5])
    found = recursions.lanes(x * x, alpha, beta, x.var())
    single = [
        filter_garch(x, Garch((1 - a - b) * x.var(), a, b), presample="sample").loglikelihood
        for a, b in zip(alpha, beta, strict=True)
    ]
    assert found - len(x) / 2 * math.log(2 * math.pi) == pytest.approx(single, rel=1e-12)


def test_a_bounded_step_is_the_best_inside_the_bounds():
    score, information = np.array([3.0, 1.0]), np.array([[2.0, 1.0], [1.0, 2.0]])
    bounds = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    step = scoring.bounded_step(score, information, bounds, np.array([0.5, 9.0, 0.0]))
    grid = [(a, b) for a in np.linspace(-2, 0.5, 126) for b in np.linspace(0, 2, 101)]
    best = max(grid, key=lambda d: score @ d - 0.5 * np.array(d) @ information @ d)
    assert step == pytest.approx(best, abs=0.021)
    assert step == pytest.approx([0.5, 0.25], abs=1e-6)


def test_a_warm_start_reaches_the_same_maximum_in_fewer_passes():
    returns = simulated(2000, 8, nu=5)
    cold = fit_garch(returns[1:])
    warm = fit_garch(returns[1:], start=fit_garch(returns[:-1]).params)
    assert warm.loglikelihood == pytest.approx(cold.loglikelihood, abs=1e-6)
    assert warm.passes < cold.passes


@pytest.mark.parametrize(("model", "errors"), MODELS)
def test_the_unit_of_the_returns_changes_only_units(model, errors):
    returns = simulated(600, 21, nu=7)
    ours, percent = fit_garch(returns / 100, model, errors), fit_garch(returns, model, errors)
    assert ours.sigma * 100 == pytest.approx(percent.sigma, rel=1e-9)
    assert ours.forecast(20).variance * 1e4 == pytest.approx(percent.forecast(20).variance, rel=1e-9)
    assert ours.loglikelihood == pytest.approx(percent.loglikelihood + 600 * math.log(100), rel=1e-12)
    assert ours.forecast_errors(5) * 100 == pytest.approx(percent.forecast_errors(5), rel=1e-3)


def test_the_egarch_forecast_is_that_of_a_simulation():
    garch, rng = Garch(-0.1, 0.25, 0.92, gamma=-0.1, model="egarch"), np.random.default_rng(4)
    h = np.full(200_000, 1.3)
    for _ in range(9):
        z = rng.standard_normal(len(h))
        h = np.exp(garch.omega + 0.25 * (np.abs(z) - math.sqrt(2 / math.pi)) - 0.1 * z + 0.92 * np.log(h))
    error = h.std() / math.sqrt(len(h))
    assert expected_variances(garch, 1.3, 10).variance[-1] == pytest.approx(h.mean(), abs=4 * error)
    assert expected_variances(garch, 1.3, 600).variance[-1] == pytest.approx(garch.long_run_variance, rel=1e-9)


def test_egarch_with_t_errors_forecasts_from_its_residuals_and_says_so():
    fit = fit_garch(simulated(800, nu=5), "egarch", "t")
    ahead = fit.forecast(3)
    assert "no finite expected variance" in ahead.warnings[0]
    assert fit.forecast(1).warnings == ()
    draws = [
        fit.params.update(fit.next_variance, fit.params.mu + math.sqrt(fit.next_variance) * z) for z in fit.residuals
    ]
    assert ahead.variance[1] == pytest.approx(np.mean(draws), rel=1e-9)
    with pytest.raises(ValueError, match="needs the residuals"):
        expected_variances(fit.params, 1.0, 3)


def test_forecast_errors_cover_the_truth():
    truth, inside = Garch(0.05, 0.08, 0.9), 0
    for seed in range(20):
        returns = simulated(1500, 100 + seed)
        fit = fit_garch(returns, errors="normal")
        known = filter_garch(returns, truth).forecast(10).per_bar[-1]
        inside += abs(fit.forecast(10).per_bar[-1] - known) < 2 * fit.forecast_errors(10)[-1]
    assert inside >= 16


def test_units_of_a_term_structure_are_bar_day_and_year():
    ahead = expected_variances(Garch(0.0001, 0.0, 0.0), 0.0001, 24)
    assert ahead.per_bar == pytest.approx(np.full(24, 0.01))
    assert ahead.horizon[-1] == pytest.approx(0.01 * math.sqrt(24))
    assert ahead.per_day(HOUR_MS)[0] == pytest.approx(0.01 * math.sqrt(24))
    assert ahead.per_year(HOUR_MS)[0] == pytest.approx(0.01 * math.sqrt(24 * 365))
    assert ahead.per_year(DAY_MS)[0] == pytest.approx(0.01 * math.sqrt(365))
    assert rescale(rescale(0.8, YEAR_MS, HOUR_MS), HOUR_MS, YEAR_MS) == pytest.approx(0.8)


def test_ewma_is_the_weighted_sum_of_past_squares():
    x = simulated(50)
    held = ewma(x, 0.9, first=2.0)
    weights = 0.1 * 0.9 ** np.arange(49, -1, -1)
    assert held.next_variance == pytest.approx(weights @ x**2 + 0.9**50 * 2.0)
    assert held.residuals * held.sigma == pytest.approx(x)
    assert held.forecast(3).variance == pytest.approx(np.full(3, held.next_variance))


def test_the_error_of_an_ewma_is_that_of_many_samples():
    rng = np.random.default_rng(2)
    held = [ewma(x, 0.94) for x in rng.standard_normal((400, 300))]
    spread = np.std([math.sqrt(one.next_variance) for one in held])
    assert np.mean([one.error for one in held]) == pytest.approx(spread, rel=0.15)


@pytest.mark.parametrize("fit", [fit_garch, ewma])
def test_bad_returns_are_refused_with_the_need(fit):
    good = simulated(300)
    with pytest.raises(NotEnoughHistory, match="needs at least"):
        fit(good[:19])
    with pytest.raises(DataError, match="return 7 is not a finite"):
        fit(np.where(np.arange(300) == 7, np.nan, good))
    with pytest.raises(DataError, match="do not vary"):
        fit(np.full(300, 0.1))
    with pytest.raises(ValueError, match="shape"):
        fit(good.reshape(2, 150))


def test_bad_settings_are_refused_by_name():
    good = simulated(300)
    with pytest.raises(ConfigError, match="did you mean garch"):
        fit_garch(good, "gach")
    with pytest.raises(ConfigError, match="error distribution"):
        fit_garch(good, errors="cauchy")
    with pytest.raises(ConfigError, match="presample"):
        fit_garch(good, presample="zero")
    with pytest.raises(ValueError, match="max_persistence"):
        fit_garch(good, max_persistence=0)
    with pytest.raises(ValueError, match="decay"):
        ewma(good, 1.0)
    with pytest.raises(ValueError, match="horizon"):
        fit_garch(good).forecast(0)
    with pytest.raises(DataError, match="not positive and finite"):
        filter_garch(good, Garch(-1.0, 0.1, 0.1))


def test_a_parameter_on_its_bound_is_named_and_has_no_error():
    fit = fit_garch(np.random.default_rng(0).standard_normal(500), errors="normal")
    assert fit.params.alpha == 0
    assert math.isnan(fit.standard_errors()["alpha"])
    assert "bound of zero" in fit.warnings[0]
    assert specify("gjr", "t").names == ("mu", "omega", "alpha", "gamma", "beta", "nu")
