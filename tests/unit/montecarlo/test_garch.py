"""Level 3 against arch's simulation and the closed forms of Bollerslev."""

import math

import numpy as np
import pytest
from scipy import stats

from seakeep.montecarlo.garch import Garch, GarchParams, next_variance
from seakeep.montecarlo.paths import Run, simulate
from tests.unit.montecarlo.cases import close, clustered, reference

PATHS = 400_000


def logs(model: Garch, steps: int) -> np.ndarray:
    return np.log(simulate(model, Run(steps=steps, paths=PATHS, seed=5, detail="end")).value.astype(float))


def test_ten_days_are_distributed_as_arch_simulates_them() -> None:
    case = reference("monte_carlo/l3_garch_10day_distribution_normal")
    i = case["inputs"]
    model = Garch(GarchParams(0.0, i["omega"] * 1e-4, i["alpha"], i["beta"]), i["h_next"] * 1e-4)
    found = 100 * logs(model, i["horizon"])
    wanted = case["expected"]["quantiles"]
    for level, value in wanted.items():
        allowed = case["tolerance"]["per_key"].get(level, case["tolerance"])["abs"]
        assert np.quantile(found, float(level)) == pytest.approx(value, abs=allowed)
    close(case, "variance_exact", model.variances(i["horizon"]).sum() * 1e4)
    close(case, "variance_exact", found.var(), (found**2).std() / math.sqrt(PATHS))


@pytest.mark.parametrize("nu", [None, 6.0])
def test_the_variance_of_the_sum_is_the_sum_of_expected_variances(nu: float | None) -> None:
    case = reference("monte_carlo/l3_garch_aggregated_variance")
    i = case["inputs"]
    model = Garch(GarchParams(0.0, i["omega"], i["alpha"], i["beta"], nu), i["h_next"])
    close(case, "cumulative_variance", [model.variances(h).sum() for h in i["horizons"]])
    found = [logs(model, h) for h in i["horizons"]]
    close(case, "cumulative_variance", [x.var() for x in found], [(x**2).std() / math.sqrt(PATHS) for x in found])


def test_the_kurtosis_is_that_of_bollerslev() -> None:
    case = reference("monte_carlo/l3_garch_unconditional_kurtosis")
    for row, variance, kurtosis in zip(case["inputs"]["rows"], *case["expected"].values(), strict=True):
        model = Garch(GarchParams(0.0, **row), variance)
        assert model.params.long_run == pytest.approx(variance, rel=1e-9)
        long, short = (simulate(model, Run(steps=n, paths=PATHS, seed=6, detail="end")).value for n in (151, 150))
        last = np.log(long.astype(float)) - np.log(short.astype(float))
        assert stats.kurtosis(last, fisher=False) == pytest.approx(kurtosis, rel=0.05)
        assert last.var() == pytest.approx(variance, rel=0.02)


@pytest.mark.parametrize("nu", [2.5, 4.0, 30.0])
def test_errors_are_student_t_of_unit_variance(nu: float) -> None:
    model = Garch(GarchParams(0.0, 0.0, 0.0, 1.0, nu), 1e-4)
    unit = 100 * logs(model, 1)[:100_000]
    assert stats.kstest(unit * math.sqrt(nu / (nu - 2)), stats.t(nu).cdf).pvalue > 0.01


def test_the_filtered_variance_is_that_of_arch() -> None:
    univariate = pytest.importorskip("arch.univariate")
    returns = 100 * clustered()
    model = univariate.ConstantMean(returns, volatility=univariate.GARCH(1, 0, 1))
    fixed = model.fix([0.0, 0.1, 0.1, 0.85])
    wanted = float(fixed.forecast(horizon=1, reindex=False).variance.to_numpy()[0, 0])
    assert next_variance(GarchParams(0.0, 0.1, 0.1, 0.85), returns) == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("bad", [(0, -1, 0.1, 0.8), (0, 1, 0.3, 0.8), (math.nan, 1, 0.1, 0.8), (0, 1, 0.1, 0.8, 2.0)])
def test_parameters_without_a_variance_are_refused(bad: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="got"):
        GarchParams(*bad)


@pytest.mark.parametrize("variance", [0.0, -1.0, math.inf, math.nan])
def test_a_first_variance_that_is_none_is_refused(variance: float) -> None:
    with pytest.raises(ValueError, match="positive"):
        Garch(GarchParams(0, 1e-6, 0.1, 0.8), variance)
