"""Published figures that rest on several parts at once: fits, filters and ratios of the reference cases."""

import math

import numpy as np
import pytest
from scipy import optimize, special

from seakeep.montecarlo.regime import Regimes
from seakeep.risk.kelly import bet_growth, fractional_growth
from seakeep.risk.sizing import binary_kelly
from seakeep.stats import performance as perf
from seakeep.stats import recovery
from seakeep.stats.forecasting import expected_variances
from seakeep.stats.hmm import HmmFit, filter_probs
from seakeep.stats.options import Option, greeks
from seakeep.stats.returns import max_drawdown
from seakeep.stats.volatility import Garch, filter_garch


def skewed_loss(parts, x):
    """Minus the log-likelihood of Hansen's skewed t (1994) over our own variances."""
    mu, omega, alpha, beta, eta, tilt = parts
    fit = filter_garch(x, Garch(omega, alpha, beta, mu=mu))
    c = math.exp(special.gammaln((eta + 1) / 2) - special.gammaln(eta / 2)) / math.sqrt(math.pi * (eta - 2))
    a = 4 * tilt * c * (eta - 2) / (eta - 1)
    b = math.sqrt(1 + 3 * tilt**2 - a**2)
    z = (b * fit.residuals + a) / (1 + np.sign(fit.residuals + a / b) * tilt)
    return -float((math.log(b * c) - (eta + 1) / 2 * np.log1p(z * z / (eta - 2)) - np.log(fit.sigma)).sum())


def test_the_fitted_parameters_of_the_arch_documentation_are_the_maximum_over_our_variances(reference, series):
    case = reference("var_cvar", "arch_docs_parametric_and_fhs_var_sp500")
    x = series(case["inputs"]["series_file"])["ret_percent"][: case["inputs"]["fit_rows"][1] + 1]
    printed = np.array(list(case["expected"]["fitted"].values()))
    best = optimize.minimize(
        lambda share: skewed_loss(share * printed, x) / len(x), 1.03 * np.ones(6) - [0, 0, 0, 0.03, 0, 0]
    )
    assert best.x == pytest.approx(np.ones(6), rel=0.02)


def test_hamiltons_filter_gives_statas_probabilities(reference, series):
    case = reference("regimes", "markov_switching_fedfunds_stata")
    e, columns = case["expected"], series(case["inputs"]["series_file"])
    transition = np.array([[e["p11"], 1 - e["p11"]], [e["p21"], 1 - e["p21"]]])
    means, even = np.array([[e["mu1"]], [e["mu2"]]]), np.full(2, 0.5)
    spread = np.full((2, 1, 1), e["sigma"] ** 2)
    fit = HmmFit(means, spread, transition, even, even, 0, 0, 0, True, 226, "full")
    found = filter_probs(fit, columns["fedfunds"], fit.stationary)
    assert found[:, 0] == pytest.approx(columns["filtered_p_regime1"], abs=1e-4)


def test_stays_and_shares_of_hardys_regimes(reference):
    case = reference("regimes", "regime_durations_stationary_hardy")
    transition = np.array(case["inputs"]["transmat"])
    model = Regimes(np.zeros(2), np.ones(2), transition, np.full(2, 0.5))
    assert model.stationary == pytest.approx(case["expected"]["stationary"], abs=1e-9)
    assert 1 / (1 - np.diag(transition)) == pytest.approx(case["expected"]["expected_duration_periods"], abs=1e-9)


def test_hulls_deviations_and_theta_of_a_trading_day(reference):
    case = reference("garch", "hull_garch11_update")
    garch = Garch(*(case["inputs"][name] for name in ("omega", "alpha", "beta")))
    assert math.sqrt(garch.long_run_variance) == pytest.approx(case["expected"]["long_run_sigma"], abs=2e-4)
    case = reference("garch", "hull_garch_forecast_sp500")
    i = case["inputs"]
    garch = Garch(i["omega"], i["alpha"], i["beta"])
    later = expected_variances(garch, i["variance_now"], i["horizon_days"] + 1).per_bar[-1]
    assert later == pytest.approx(case["expected"]["expected_sigma_h"], abs=1e-4)
    case = reference("options", "hull_greeks_example")
    i = case["inputs"]
    theta = greeks(Option("call", i["K"], i["T"]), i["S"], i["sigma"], i["r"]).theta.item()
    assert theta / 252 == pytest.approx(case["expected"]["theta_per_trading_day"], abs=1e-4)


def test_growth_of_a_share_of_kelly_over_that_of_all_of_it(reference):
    case = reference("kelly", "fractional_kelly_growth_and_volatility")
    i = case["inputs"]
    full = fractional_growth(1.0, i["m"], i["s"], i["r"]) - i["r"]
    found = [(fractional_growth(c, i["m"], i["s"], i["r"]) - i["r"]) / full for c in i["kelly_fraction"]]
    assert found == pytest.approx(case["expected"]["relative_excess_growth"], rel=1e-10, abs=1e-12)
    case = reference("kelly", "optimal_f_vince")
    trades = np.array(case["inputs"]["trades"]) / 17
    assert np.prod(1 + 0.24 * trades) == pytest.approx(case["expected"]["twr_at_0_24"], abs=1e-9)
    assert bet_growth(0.24, 1.0, 1.0) == pytest.approx(math.log(1.24))


def test_bacons_ratios_follow_from_ours(reference, series):
    case = reference("performance_metrics", "bacon_portfolio_ratios")
    returns, expected, least = series(case["inputs"]["series_file"])["portfolio"], case["expected"], 0.005
    exact, equity = expected["full_precision"], np.append(1.0, np.cumprod(1 + returns))
    downside = (returns.mean() - least) / perf.sortino(returns, 1, least)
    assert downside == pytest.approx(exact["downside_deviation"], abs=1e-9)
    assert perf.omega(returns, least) - 1 == pytest.approx(expected["omega_sharpe"], abs=0.006)
    assert recovery.pain_index(equity) == pytest.approx(exact["pain_index"], abs=1e-9)
    assert perf.annual_return(returns, 12) / recovery.ulcer_index(equity) == pytest.approx(
        expected["martin_ratio"], abs=0.006
    )
    assert max_drawdown(equity) == pytest.approx(exact["max_drawdown"], abs=1e-9)


def test_more_of_the_quantstats_panel_follows_from_ours(reference, series):
    case = reference("performance_metrics", "quantstats_panel_sp500_last1000")
    returns, expected = series(case["inputs"]["series_file"])["ret_percent"][-1000:] / 100, case["expected"]
    gains, falls = returns[returns > 0], returns[returns < 0]
    payoff, rate = gains.mean() / -falls.mean(), perf.win_rate(returns[returns != 0]).value
    assert payoff == pytest.approx(expected["payoff_ratio"], rel=1e-9)
    assert binary_kelly(rate, payoff) == pytest.approx(expected["kelly"], rel=1e-9)
    assert perf.profit_factor(returns) - 1 == pytest.approx(expected["gain_to_pain"], rel=1e-9)
    assert (1 + perf.annual_return(returns, 252)) ** (1000 / 252) - 1 == pytest.approx(
        expected["total_return"], rel=1e-9
    )
    equity = np.append(1.0, np.cumprod(1 + returns))
    assert recovery.ulcer_index(equity) == pytest.approx(expected["ulcer_index"], rel=1e-3)
