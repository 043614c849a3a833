import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from seakeep.core.errors import ConfigError, DataError, NotEnoughHistory
from seakeep.stats.laws import RISKMETRICS, Empirical, LawSettings, filtered, fit_law
from seakeep.stats.tails import METHODS, TailSettings, estimate, simulate, tail_errors
from seakeep.stats.volatility import Garch, filter_garch

SHARED = Path(__file__).parents[3] / "../shared/data/reference"
QUICK = TailSettings(samples=100, paths=20_000, seed=1)


@pytest.fixture(scope="module")
def returns():
    return stats.t.rvs(4, loc=0.0005, scale=0.02, size=1500, random_state=8)


def sorted_law(residuals):
    return Empirical(np.sort(residuals))


def test_filtered_simulation_has_the_figures_of_the_published_filter(reference, series):
    case = reference("var_cvar", "fhs_fixed_garch_dem2gbp")
    given, expected = case["inputs"], case["expected"]
    x = series(given["series_file"])[given["column"]]
    params = Garch(given["omega"], given["alpha"], given["beta"], mu=given["mu"])
    law = filtered(filter_garch(x, params, "sample"), sorted_law)
    assert law.sigma == pytest.approx(expected["sigma_next"], rel=1e-6)
    for i, share in enumerate(given["levels"]):
        z = law.law.tail(1 - share)
        assert z == pytest.approx((-expected["quantile_z"][i], -expected["es_z"][i]), rel=1e-6)
        assert law.tail(1 - share) == pytest.approx((expected["var_next"][i], expected["es_next"][i]), rel=1e-6)
        assert sorted_law(x).tail(1 - share)[0] == pytest.approx(expected["plain_historical_var"][i], rel=1e-6)


def test_filtered_simulation_has_the_figures_of_the_arch_documentation(reference, series):
    """With the skewed t GARCH parameters printed there; residuals of the fit window, variance after the day named."""
    case = reference("var_cvar", "arch_docs_parametric_and_fhs_var_sp500")
    x, expected = series(case["inputs"]["series_file"])["ret_percent"], case["expected"]
    fitted, end = expected["fitted"], case["inputs"]["fit_rows"][1] + 1
    params = Garch(fitted["omega"], fitted["alpha[1]"], fitted["beta[1]"], mu=fitted["mu"])
    residuals = filter_garch(x[:end], params).residuals
    quantiles = [-sorted_law(residuals).tail(level)[0] for level in (0.99, 0.95)]
    assert quantiles == pytest.approx(expected["fhs_quantiles_z"], abs=0.005)
    for name, rows in (("first_forecast", end + 1), ("last_forecast", len(x))):
        day = filter_garch(x[:rows], params)
        assert day.next_variance == pytest.approx(expected[name]["variance"], rel=0.005)
        for level, share in ((0.99, "1pct"), (0.95, "5pct")):
            q = sorted_law(residuals).tail(level)[0] * math.sqrt(day.next_variance) - params.mu
            assert q == pytest.approx(expected[name][f"var_fhs_{share}"], rel=0.005)


@pytest.mark.skipif(
    not SHARED.exists(), reason="the studies btc_ewma_var and lean_spy_var are not beside this checkout"
)
def test_published_engines_are_reproduced():
    prices = pd.read_parquet(SHARED / "btc_ewma_var/prices.parquet").price.to_numpy()
    x = np.diff(np.log(prices))
    sigma = math.sqrt(filter_garch(x, RISKMETRICS, "sample").next_variance)
    assert 100 * sigma == pytest.approx(1.48199, abs=5e-6)
    assert -1e6 * math.expm1(-sigma * stats.norm.ppf(0.99)) == pytest.approx(33888.66, abs=0.1)
    spy = pd.read_parquet(SHARED / "lean_spy_var/spy_valueatrisk.parquet")
    for row in range(300, len(spy), 500):
        year = spy.returns.to_numpy()[row - 251 : row + 1]
        for level in (99, 95, 90):
            assert -fit_law(year, "normal").tail(level / 100)[0] == pytest.approx(spy[f"VaR_{level}"][row], abs=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_answers_with_an_interval_around_its_figures(returns, method):
    found = estimate(returns, 0.975, method, settings=QUICK)
    assert 0 < found.var.low < found.var.value < found.var.high
    assert found.var.value < found.cvar.value
    assert found.cvar.low < found.cvar.value < found.cvar.high
    assert (found.n, found.scaling, found.mc_error) == (1500, "one period", None)
    assert found.interval


@pytest.mark.parametrize("method", ["historical", "normal", "student_t", "evt"])
def test_intervals_hold_the_truth_about_as_often_as_they_say(method):
    """Student t with four degrees of freedom; the normal method is asked about normal returns."""
    held, rounds, rng = 0, 60, np.random.default_rng(11)
    truth = stats.norm.ppf(0.95) if method == "normal" else stats.t.ppf(0.95, 4)
    for _ in range(rounds):
        x = rng.standard_normal(600) if method == "normal" else rng.standard_t(4, 600)
        found = estimate(x, 0.95, method, settings=QUICK).var
        held += found.low <= truth <= found.high
    assert held >= stats.binom.ppf(0.001, rounds, 0.93)


def test_the_square_root_scales_everything_and_says_so(returns):
    one, ten = (estimate(returns, 0.99, "normal", horizon=h, scaling="sqrt") for h in (1, 10))
    assert ten.var.value == pytest.approx(one.var.value * math.sqrt(10), rel=1e-12)
    assert ten.cvar.high == pytest.approx(one.cvar.high * math.sqrt(10), rel=1e-12)
    assert (one.scaling, ten.scaling) == ("one period", "square root of time")
    assert "square root of time" in ten.warnings[-1]


def test_a_simulated_horizon_of_normal_returns_is_lognormal_to_the_first_order():
    """Compounding small independent normal returns: log wealth is normal with mean h (mu - s^2 / 2)."""
    x = stats.norm.ppf((np.arange(4000) + 0.5) / 4000) * 0.02
    found = estimate(x, 0.95, "normal", horizon=20, scaling="simulated", settings=QUICK)
    exact = -math.expm1(-20 * 0.02**2 / 2 - 1.6449 * 0.02 * math.sqrt(20))
    assert found.mc_error is not None
    assert found.var.value == pytest.approx(exact, abs=4 * found.mc_error[0] + 0.002)
    assert found.var.low < found.var.value < found.var.high


@pytest.mark.parametrize("method", METHODS)
def test_the_same_seed_gives_the_same_bits(returns, method):
    law = fit_law(returns, method)
    if method == "cornish_fisher":
        law = fit_law(stats.t.rvs(20, scale=0.02, size=2000, random_state=1), method)
    one, same, other = (simulate(law, 5, 2000, seed) for seed in (1, 1, 2))
    assert (one == same).all()
    assert (one != other).any()
    assert one.min() >= -1


def test_a_filtered_horizon_starts_from_the_volatility_of_today():
    rng = np.random.default_rng(4)
    calm_last = np.concatenate([rng.normal(0, 0.05, 500), rng.normal(0, 0.01, 100)])
    wild_last = calm_last[::-1].copy()
    calm, wild = (
        estimate(x, 0.95, "filtered", horizon=5, scaling="simulated", settings=QUICK) for x in (calm_last, wild_last)
    )
    assert calm.var.value < 0.5 * wild.var.value


def test_the_errors_of_an_empirical_tail_are_its_spread():
    rng = np.random.default_rng(9)
    samples = [np.sort(rng.standard_normal(2000)) for _ in range(400)]
    spread = np.std([Empirical(x).tail(0.95) for x in samples], axis=0)
    claimed = np.median([tail_errors(x, 0.95) for x in samples], axis=0)
    assert claimed == pytest.approx(spread, rel=0.15)


def test_cornish_fisher_says_when_it_is_outside_its_domain(returns):
    crash = np.append(np.random.default_rng(1).normal(0, 0.01, 300), [-0.2, -0.15])
    assert "outside the Cornish-Fisher domain" in estimate(crash, 0.95, "cornish_fisher", settings=QUICK).warnings[0]


def test_a_thin_tail_is_said(returns):
    assert estimate(returns[:300], 0.99, settings=QUICK).warnings == ("only 3.0 observed losses lie beyond VaR",)


def test_the_tail_of_the_worst_is_weighted_by_age():
    x = np.random.default_rng(3).normal(0, 0.01, 400)
    recent, old = x.copy(), x.copy()
    recent[-5:], old[:5] = -0.1, -0.1
    new, past = (estimate(y, 0.95, "age_weighted", settings=QUICK).cvar.value for y in (recent, old))
    assert new > 2 * past


@pytest.mark.parametrize("method", METHODS)
def test_bad_input_is_refused_by_name(returns, method):
    with pytest.raises(NotEnoughHistory, match="at least"):
        estimate(returns[:15], 0.95, method)
    with pytest.raises(DataError, match="not a finite number"):
        estimate(np.append(returns, np.nan), 0.95, method)
    with pytest.raises(DataError, match="do not vary"):
        estimate(np.full(500, 0.01), 0.95, method)
    with pytest.raises(ConfigError, match="needs a scaling"):
        estimate(returns, 0.95, method, horizon=10)
    with pytest.raises(ConfigError, match="confidence"):
        estimate(returns, 1.0, method)


def test_what_cannot_be_asked_is_refused(returns):
    with pytest.raises(ConfigError, match="did you mean historical"):
        estimate(returns, 0.95, "historic")
    with pytest.raises(ConfigError, match="at least one period"):
        estimate(returns, 0.95, horizon=0)
    with pytest.raises(NotEnoughHistory, match="at least 1000 equally weighted returns"):
        estimate(returns[:900], 0.999)
    with pytest.raises(ValueError, match="age_decay"):
        LawSettings(age_decay=1.5)


def test_a_var_that_is_no_loss_or_more_than_all_is_said(returns):
    gains = np.abs(returns) + 0.001
    assert "VaR is not above zero" in estimate(gains, 0.95, settings=QUICK).warnings[-1]
    assert "are the returns fractions?" in estimate(100 * returns, 0.95, settings=QUICK).warnings[-1]


def test_the_interval_of_a_weighted_tail_is_about_the_recent_returns():
    x = np.random.default_rng(3).normal(0, np.linspace(0.05, 0.01, 1000))
    found = estimate(x, 0.95, "age_weighted", settings=QUICK)
    assert found.var.low < found.var.value < found.var.high < 0.04
    assert "worth" in found.interval
