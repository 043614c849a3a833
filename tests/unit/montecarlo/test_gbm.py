"""Level 1 against its closed forms: end, tail, first passage and drawdown."""

import math
from statistics import NormalDist

import numpy as np
import pytest
from scipy import stats

from seakeep.core.errors import DataError, NotEnoughHistory
from seakeep.montecarlo.gbm import Gbm, fit_gbm
from seakeep.montecarlo.paths import Run, simulate
from seakeep.montecarlo.precise import simulate_precise
from seakeep.montecarlo.summary import figure, tail
from tests.unit.montecarlo.cases import close, reference

N = NormalDist()
DISCRETE = 0.5826
"""Broadie, Glasserman and Kou (1997): a barrier watched in steps acts like one this many step deviations further."""


@pytest.mark.parametrize("antithetic", [False, True])
def test_end_values_agree_with_the_lognormal_law_within_three_errors(antithetic: bool) -> None:
    model, run = Gbm(0.10, 0.80), Run(steps=30, paths=400_000, seed=11, antithetic=antithetic)
    closed, values = model.terminal(30), simulate(model, run).value
    var, cvar = tail(values)
    mean = figure(values, lambda x: x.mean(axis=-1, dtype=float))
    variance = figure(values, lambda x: x.astype(float).var(axis=-1))
    for name, found in {"mean": mean, "variance": variance, "var": var, "cvar": cvar}.items():
        assert abs(found.value - closed[name]) < 3 * found.error
        assert found.error < 0.01 * closed[name]


def test_an_80_percent_asset_can_lose_a_third_in_30_days() -> None:
    daily = simulate(Gbm(0.10, 0.80), Run(steps=30, paths=400_000, seed=1)).value
    hourly = simulate(Gbm(0.10, 0.80, "1h"), Run(steps=720, paths=100_000, seed=1)).value
    assert tail(daily)[0].value == pytest.approx(0.327, abs=0.002)
    assert tail(hourly)[0].value == pytest.approx(0.327, abs=0.004)


def test_the_chance_to_touch_a_stop_is_the_law_of_first_passage() -> None:
    model, steps = Gbm(0.0, 0.8, "1h"), 720
    low = simulate(model, Run(steps=steps, paths=100_000, seed=2)).low
    drift, deviation = model.means(1)[0, 0] * steps, model.spread()[0] * math.sqrt(steps)
    b = math.log(0.8) - DISCRETE * model.spread()[0]
    reflected = math.exp(2 * drift * b / deviation**2) * N.cdf((b + drift) / deviation)
    found = figure(low, lambda x: (x <= 0.8).mean(axis=-1))
    assert abs(found.value - (N.cdf((b - drift) / deviation) + reflected)) < 3 * found.error


def falls(drift: float, sigma: float, years: float, interval: str, paths: int) -> tuple[np.ndarray, float]:
    """Largest fall of arithmetic Brownian motion with that drift, and how much too small watching in steps makes it."""
    model = Gbm(drift + sigma**2 / 2, sigma, interval)
    drawdown = simulate(model, Run(steps=round(years / model.dt), paths=paths, seed=7)).drawdown
    assert drawdown is not None
    return -np.log1p(-drawdown.astype(float)), 2 * DISCRETE * sigma * math.sqrt(model.dt)


def test_drawdowns_of_a_driftless_motion_follow_the_law_of_douady_shiryaev_and_yor() -> None:
    case = reference("drawdown/mdd_distribution_zero_drift")
    fall, short = falls(0.0, 1.0, 1.0, "1h", 30_000)
    found = np.array([(fall + short <= h).mean() for h in case["inputs"]["h"]])
    close(case, "cdf", found, np.sqrt(found * (1 - found) / len(fall)) + 1e-4)
    close(case, "median", np.median(fall) + short, 0.005)
    close(case, "q95", np.quantile(fall, 0.95) + short, 0.01)


def test_the_mean_drawdown_without_drift_is_root_half_pi() -> None:
    case = reference("drawdown/mdd_expected_zero_drift")
    years = case["inputs"]["T"][:2]
    found = [falls(0.0, 1.0, t, "1h", 20_000) for t in years]
    means = np.array([fall.mean() + short for fall, short in found])
    errors = np.array([fall.std() / math.sqrt(len(fall)) for fall, _ in found])
    assert (np.abs(means - case["expected"]["expected_mdd"][:2]) < 4 * errors + 0.002).all()


def test_the_mean_drawdown_with_drift_is_the_table_of_magdon_ismail() -> None:
    case = reference("drawdown/mdd_expected_positive_drift")
    i = case["inputs"]
    found = [falls(i["mu"], i["sigma"], t, "6h", 16_000) for t in i["T"]]
    errors = [fall.std() / math.sqrt(len(fall)) for fall, _ in found]
    close(case, "expected_mdd", [fall.mean() + short for fall, short in found], errors)


def test_hull_s_examples_of_the_lognormal_law() -> None:
    for name in ("l1_gbm_hull_moments", "l1_gbm_hull_confidence_interval"):
        case = reference(f"monte_carlo/{name}")
        i = case["inputs"]
        model, steps = Gbm(i["mu"], i["sigma"], "73h"), round(i["T"] * 120)
        closed = model.terminal(steps)
        values = simulate(model, Run(steps=steps, paths=400_000, seed=3)).value * i["S0"]
        error = values.std() / math.sqrt(len(values))
        close(case, "mean", closed["mean"] * i["S0"])
        close(case, "mean", values.mean(dtype=float), error)
        key = "variance" if "variance" in case["expected"] else "var"
        close(case, key, closed["variance"] * i["S0"] ** 2)
        if "ci95_low" in case["expected"]:
            close(case, "ci95_low", np.quantile(values, 0.025), 0.02)
            close(case, "ci95_high", np.quantile(values, 0.975), 0.05)
            close(case, "sd_log", np.log(values).std(), 0.0002)
            close(case, "mean_log", np.log(values).mean(dtype=float), 0.0003)


def test_float32_and_float64_agree_on_every_statistic() -> None:
    run = Run(steps=61, paths=400_000, seed=3)
    single, double = simulate(Gbm(0.1, 0.8), run), simulate_precise(Gbm(0.1, 0.8), run)
    for ours, check in ((single.value, double[0]), (single.low, double[1])):
        for statistic in (lambda x: x.mean(axis=-1, dtype=float), lambda x: np.quantile(x, 0.001, axis=-1)):
            one, two = figure(ours, statistic), figure(check, statistic)
            assert abs(one.value - two.value) < 3.5 * math.hypot(one.error, two.error)
    odd, even = (np.log(simulate_precise(Gbm(0.1, 0.8), Run(steps=n, paths=1, seed=3))[0]) for n in (1, 2))
    assert stats.kstest(odd / Gbm(0.1, 0.8).spread()[0], "norm").pvalue > 0.01
    assert np.var(even) == pytest.approx(2 * np.var(odd), rel=0.06)
    assert (double == simulate_precise(Gbm(0.1, 0.8), Run(steps=61, paths=400_000, seed=3, threads=1))).all()


def test_a_fit_finds_the_volatility_whatever_the_bar() -> None:
    rng = np.random.default_rng(1)
    hourly = rng.normal(0, 0.8 / math.sqrt(8760), 20_000)
    assert fit_gbm(hourly, "1h").volatility == pytest.approx(0.8, rel=0.02)
    assert fit_gbm(hourly.reshape(-1, 20).sum(axis=1), "20h").volatility == pytest.approx(0.8, rel=0.05)


@pytest.mark.parametrize(
    ("returns", "error", "needs"),
    [
        (np.zeros(29), NotEnoughHistory, "30 returns"),
        (np.zeros(50), DataError, "do not vary"),
        (np.r_[np.ones(40), np.nan], DataError, "return 40"),
        (np.r_[np.ones(40), -np.inf], DataError, "positive prices"),
    ],
)
def test_a_history_that_cannot_be_fitted_is_refused(returns: np.ndarray, error: type[Exception], needs: str) -> None:
    with pytest.raises(error, match=needs):
        fit_gbm(returns)


@pytest.mark.parametrize(("drift", "volatility"), [(0.0, 0.0), (0.0, -1.0), (math.nan, 1.0), (0.0, math.inf)])
def test_a_volatility_that_is_none_is_refused(drift: float, volatility: float) -> None:
    with pytest.raises(ValueError, match="volatility"):
        Gbm(drift, volatility)


@pytest.mark.parametrize("confidence", [0.0, 1.0, -0.5, math.nan])
def test_a_confidence_of_zero_or_one_is_refused(confidence: float) -> None:
    with pytest.raises(ValueError, match="confidence"):
        Gbm(0.0, 1.0).terminal(1, confidence)
