import math

import numpy as np
import pytest
from scipy import stats

from seakeep.core.errors import ConfigError, ConvergenceError, NotEnoughHistory
from seakeep.stats.evt import Pareto, fit_pareto, fit_tail, pareto_loglik


@pytest.mark.parametrize("name", ["danish_gpd_u10", "danish_gpd_u20"])
def test_danish_fires_have_the_published_tail(reference, series, name):
    case = reference("var_cvar", name)
    expected, rel = case["expected"], case["tolerance"]["rel"]
    fit = fit_pareto(series(case["inputs"]["series_file"])["claim_mdkk"], case["inputs"]["threshold"])
    assert (fit.n, fit.exceedances) == (expected["n"], expected["n_exceed"])
    assert fit.xi == pytest.approx(expected["xi"], abs=0.001)
    assert fit.beta == pytest.approx(expected["beta"], rel=rel)
    assert (fit.xi_error, fit.beta_error) == pytest.approx((expected["se_xi"], expected["se_beta"]), rel=0.05)
    assert -fit.loglik == pytest.approx(expected["neg_loglik"], rel=rel)
    for level, var in expected["quantile"].items():
        assert fit.tail(float(level)) == pytest.approx((var, expected["es"][level]), rel=rel)


def test_the_formulas_are_those_of_hull(reference):
    case = reference("var_cvar", "hull_evt_pot_formula")
    given, expected = case["inputs"], case["expected"]
    fit = Pareto(given["xi"], given["beta"], given["threshold"], given["n_exceed"], given["n"])
    found = (*fit.tail(0.99), fit.tail(0.999)[0])
    wanted = [expected[key] for key in ("var_99", "es_99", "var_999")]
    assert found == pytest.approx(wanted, abs=case["tolerance"]["abs"])


@pytest.mark.parametrize("xi", [-0.3, 0.0, 0.25, 0.8])
def test_no_neighbour_is_likelier_than_the_fit(xi):
    losses = stats.genpareto.rvs(xi, scale=0.02, size=400, random_state=7)
    fit = fit_pareto(losses, 0.0)
    for step in (0.999, 1.001):
        assert pareto_loglik(losses, fit.xi * step, fit.beta) <= fit.loglik
        assert pareto_loglik(losses, fit.xi, fit.beta * step) <= fit.loglik
    shape, _, scale = stats.genpareto.fit(losses, floc=0)
    assert fit.loglik >= pareto_loglik(losses, shape, scale) - 1e-6


def test_errors_are_the_spread_of_repeated_fits():
    rng = np.random.default_rng(5)
    fits = [fit_tail(rng.standard_t(4, 2000) * 0.02) for _ in range(300)]
    for which in (0, 1):
        spread = np.std([fit.tail(0.99)[which] for fit in fits])
        claimed = np.median([fit.errors(0.99)[which] for fit in fits])
        assert claimed == pytest.approx(spread, rel=0.2)


def test_the_fit_does_not_depend_on_the_unit():
    losses = np.random.default_rng(2).standard_t(3, 1500)
    one, cents = fit_tail(losses), fit_tail(100 * losses)
    assert cents.xi == pytest.approx(one.xi, rel=1e-6)
    assert cents.tail(0.999)[0] == pytest.approx(100 * one.tail(0.999)[0], rel=1e-6)


def test_what_the_tail_cannot_say_is_refused():
    losses = np.random.default_rng(1).standard_t(3, 500)
    with pytest.raises(NotEnoughHistory, match="at least 400"):
        fit_tail(losses[:300], 0.05)
    with pytest.raises(ConfigError, match="tail share"):
        fit_tail(losses, 0.7)
    with pytest.raises(ConfigError, match=r"nothing below confidence 0\.9 "):
        fit_tail(losses, 0.1).tail(0.8)
    with pytest.raises(ConvergenceError, match="no inner maximum"):
        fit_pareto(np.linspace(0.01, 1, 100), 0.0)
    assert Pareto(1.2, 1.0, 0.0, 50, 500).tail(0.99)[1] == math.inf
