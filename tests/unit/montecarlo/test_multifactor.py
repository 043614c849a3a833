"""Level 4: correlated assets against option prices, the law of the multivariate t, and themselves."""

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from seakeep.core.errors import DataError, NotEnoughHistory
from seakeep.montecarlo.multifactor import Multifactor, asset_values, fit_multifactor
from seakeep.montecarlo.paths import Run, simulate
from seakeep.montecarlo.summary import summarise
from tests.unit.montecarlo.cases import close, reference

RUN = Run(steps=1, paths=200_000, seed=12, detail="end")
COVARIANCE = np.array([[4.0, 1.8, 0.4], [1.8, 9.0, -1.0], [0.4, -1.0, 1.0]]) * 1e-4


def priced(rows: list[dict[str, Any]], payoff: Any) -> tuple[list[float], list[float]]:
    """Discounted mean payoffs of two lognormal assets, and their errors."""
    prices, errors = [], []
    for i in rows:
        rates, sigma = np.array([i["r"] - i["q1"], i["r"] - i["q2"]]), np.array([i["sigma1"], i["sigma2"]])
        correlation = np.array([[1, i["rho"]], [i["rho"], 1]])
        model = Multifactor.from_covariance(
            (rates - sigma**2 / 2) * i["T"], np.outer(sigma, sigma) * correlation * i["T"], [0.5, 0.5]
        )
        ends = asset_values(model, RUN).astype(float) * [[i["S1"]], [i["S2"]]]
        value = math.exp(-i["r"] * i["T"]) * payoff(i, *ends)
        prices.append(value.mean())
        errors.append(value.std() / math.sqrt(len(value)))
    return prices, errors


def test_exchange_options_cost_what_margrabe_says() -> None:
    case = reference("monte_carlo/l4_margrabe_exchange_option")
    close(case, "price", *priced(case["inputs"]["rows"], lambda i, a, b: np.maximum(a - b, 0)))


def test_options_on_the_better_and_the_worse_of_two_cost_what_stulz_says() -> None:
    case = reference("monte_carlo/l4_two_asset_min_max_options")

    def payoff(i: dict[str, Any], a: Any, b: Any) -> Any:
        best = np.minimum(a, b) if i["payoff"] == "call_on_min" else np.maximum(a, b)
        return np.maximum(best - i["K"], 0)

    close(case, "price", *priced(case["inputs"]["rows"], payoff))


@pytest.mark.parametrize("nu", [None, 3.0, 8.0])
@pytest.mark.parametrize("factors", [0, 1])
def test_covariance_and_margins_are_those_asked_for(nu: float | None, factors: int) -> None:
    loadings, specific = np.array([[0.02], [0.03], [-0.01]]), np.array([0.01, 0.02, 0.005])
    model = (
        Multifactor.from_factors(np.zeros(3), loadings, specific, np.ones(3) / 3, nu=nu)
        if factors
        else Multifactor.from_covariance(np.zeros(3), COVARIANCE, np.ones(3) / 3, nu=nu)
    )
    logs = np.log(asset_values(model, RUN).astype(float))
    scale = np.sqrt(np.diag(model.covariance()))
    law = stats.norm if nu is None else stats.t(nu, scale=math.sqrt((nu - 2) / nu))
    for row, deviation in zip(logs, scale, strict=True):
        assert stats.kstest(row[:50_000] / deviation, law.cdf).pvalue > 0.005
    wanted = model.covariance() / np.outer(scale, scale)
    kendall = 2 / math.pi * np.arcsin(wanted[0, 1])
    assert stats.kendalltau(logs[0, :20_000], logs[1, :20_000]).statistic == pytest.approx(kendall, abs=0.02)


def test_a_t_copula_makes_assets_crash_together() -> None:
    rho, nu = 0.5, 3.0
    table = np.array([[1, rho], [rho, 1]]) * 1e-4
    joint = {}
    for degrees in (None, nu):
        model = Multifactor.from_covariance(np.zeros(2), table, [0.5, 0.5], nu=degrees)
        ends = asset_values(model, RUN)
        low = ends < np.quantile(ends, 0.01, axis=1, keepdims=True)
        joint[degrees] = (low[0] & low[1]).sum() / low[0].sum()
    law = stats.multivariate_t([0, 0], [[1, rho], [rho, 1]], df=nu)
    corner = stats.t(nu).ppf(0.01)
    assert joint[nu] == pytest.approx(law.cdf([corner, corner], random_state=1) / 0.01, abs=0.03)
    assert joint[None] < 0.2 < joint[nu]


def test_the_portfolio_is_the_weighted_sum_of_its_assets_and_cash() -> None:
    weights = np.array([0.5, 0.3, -0.2])
    model = Multifactor.from_covariance([0.001, 0, 0], COVARIANCE, weights, nu=5.0)
    run = Run(steps=9, paths=1, seed=1)
    summed = 0.4 + weights @ asset_values(model, run).astype(float)
    assert np.abs(simulate(model, run).value - summed).max() < 1e-6


def test_a_hedge_takes_the_risk_out() -> None:
    table = np.array([[4.0, 3.99], [3.99, 4.0]]) * 1e-4
    alone, hedged = (Multifactor.from_covariance([0, 0], table, w, nu=4.0) for w in ([1.0, 0.0], [1.0, -1.0]))
    assert simulate(hedged, RUN).value.std() < 0.15 * simulate(alone, RUN).value.std()


def test_the_fit_finds_covariance_and_degrees_of_freedom() -> None:
    rng = np.random.default_rng(2)
    nu, root = 4.0, np.linalg.cholesky(COVARIANCE)
    mixing = np.sqrt((nu - 2) / rng.chisquare(nu, 5000))[:, None]
    returns = mixing * (rng.standard_normal((5000, 3)) @ root.T)
    fitted = fit_multifactor(returns, np.ones(3) / 3)
    assert fitted.nu == pytest.approx(nu, rel=0.15)
    assert np.allclose(fitted.covariance(), np.cov(returns.T), rtol=1e-10)
    assert np.allclose(
        np.diag(fit_multifactor(returns, np.ones(3), factors=1).covariance()), np.var(returns, axis=0, ddof=1)
    )
    normal = fit_multifactor(rng.standard_normal((5000, 3)) @ root.T, np.ones(3) / 3)
    assert normal.nu is not None
    assert normal.nu > 50


def test_tables_that_are_no_covariance_are_refused() -> None:
    for table in (np.ones((2, 2)), np.array([[1.0, 0.2], [0.3, 1.0]]), np.ones(2)):
        with pytest.raises(DataError, match="covariance is not"):
            Multifactor.from_covariance([0, 0], table, [0.5, 0.5])
    rng = np.random.default_rng(1)
    column = rng.standard_normal(100)
    with pytest.raises(DataError, match="singular"):
        fit_multifactor(np.column_stack([column, column]), [0.5, 0.5])
    with pytest.raises(NotEnoughHistory, match="30 returns"):
        fit_multifactor(rng.standard_normal((20, 2)), [0.5, 0.5])


@pytest.mark.parametrize(
    ("mean", "weights", "nu"),
    [([0.0], [1.0, 0.0], None), ([0.0, 0.0], [1.0], None), ([0.0, math.nan], [1, 0], None), ([0, 0], [1, 0], 2.0)],
)
def test_arguments_that_do_not_fit_are_refused(mean: list[float], weights: list[float], nu: float | None) -> None:
    with pytest.raises(ValueError, match=r"got|finite"):
        Multifactor.from_covariance(mean, np.eye(2), weights, nu=nu)


def test_one_asset_beside_cash_gains_its_weight_of_what_the_asset_gains() -> None:
    mean, variance, steps = 0.001, 0.0004, 30
    model = Multifactor.from_covariance([mean], [[variance]], [0.02], interval="1d")
    summary = summarise(simulate(model, Run(steps=steps, paths=65_536, seed=3)), model="beside cash")
    expected = 1 + 0.02 * (math.exp(steps * (mean + variance / 2)) - 1)
    assert abs(summary.expected.value - expected) < 4 * max(summary.expected.error, 1e-6)
