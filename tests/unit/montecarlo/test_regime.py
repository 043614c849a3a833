"""Level 2: exact moments, an option price, and the fit against hmmlearn and the published peer case."""

import math
import warnings
from typing import Any

import numba
import numpy as np
import pytest
from scipy.linalg import expm

from seakeep.core.errors import DataError, NotEnoughHistory
from seakeep.montecarlo.paths import Run, simulate
from seakeep.montecarlo.regime import Regimes, _numbers, fit_regimes
from seakeep.montecarlo.streams import unit_f32
from tests.unit.montecarlo.cases import SHARED, close, clustered, reference

PATHS = 400_000


@numba.njit
def uniform(word: Any) -> Any:
    return unit_f32(word)


def hardy(now: list[float] | None = None) -> tuple[dict[str, Any], Regimes]:
    case = reference("monte_carlo/l2_rsln2_tse300_moments")
    i = case["inputs"]
    start = now or case["expected"]["stationary"]
    return case, Regimes(np.array(i["mu"]), np.array(i["sigma"]), np.array(i["transmat"]), np.array(start), "30d")


def test_moments_of_hardy_s_model_are_the_matrix_products() -> None:
    case, model = hardy()
    close(case, "stationary", model.stationary)
    wanted = case["expected"]
    for at, months in enumerate(case["inputs"]["months"]):
        values = simulate(model, Run(steps=months, paths=PATHS, seed=4, detail="end")).value.astype(float)
        logs = np.log(values)
        for name, sample in {
            "mean_log": logs,
            "var_log": (logs - wanted["mean_log"][at]) ** 2,
            "mean_accumulation": values,
            "second_moment_accumulation": values**2,
        }.items():
            assert abs(sample.mean() - wanted[name][at]) < 4 * sample.std() / math.sqrt(len(sample)), (name, months)


def test_a_call_under_switching_volatility_costs_what_boyle_and_draviam_say() -> None:
    case = reference("monte_carlo/l2_regime_switching_call_boyle_draviam")
    i, steps = case["inputs"], 73
    dt, sigma = 1 / steps, np.array(i["sigmas"])
    transition = expm(np.array(i["generator"]) * dt)
    drift = (i["r"] - sigma**2 / 2) * dt
    prices, errors = np.empty((len(i["S0"]), 2)), np.empty((len(i["S0"]), 2))
    for start in range(2):
        model = Regimes(drift, sigma * math.sqrt(dt), transition, np.eye(2)[start], "5d")
        values = simulate(model, Run(steps=steps, paths=PATHS, seed=9, detail="end")).value.astype(float)
        for row, spot in enumerate(i["S0"]):
            payoff = math.exp(-i["r"]) * np.maximum(spot * values - i["K"], 0)
            prices[row, start], errors[row, start] = payoff.mean(), payoff.std() / math.sqrt(len(payoff))
    close(case, "call_by_start_regime", prices, errors + 0.003)
    assert (errors < 0.035).all()


@pytest.mark.parametrize("chance", [0.0, 1e-9, 3e-8, 0.04, 0.5, 0.51181, 0.99, 1 - 6e-8, 1.0, 2.0])
def test_a_regime_moves_on_the_words_whose_uniform_is_not_above_its_chance(chance: float) -> None:
    found = int(_numbers(np.array([chance]))[0])
    for number in {0, found - 2, found - 1, found, found + 1, 2**24 - 1} & set(range(2**24)):
        assert (number < found) == (uniform(np.uint32(number << 8)) <= np.float32(chance)), number


def test_the_fit_is_the_optimum_the_peer_found() -> None:
    case = reference("regimes/hmm_gaussian_2state_peer")
    table = np.genfromtxt(SHARED / "reference" / case["inputs"]["series_file"], delimiter=",", names=True)
    found, fit = fit_regimes(table[case["inputs"]["column"]])
    close(case, "loglikelihood", fit.log_likelihood)
    close(case, "means", found.mean)
    close(case, "sigmas", found.sd)
    close(case, "transmat", found.transition)


def test_the_likelihood_is_that_of_hmmlearn_and_three_regimes_fit_no_worse() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        hmm = pytest.importorskip("hmmlearn.hmm")
    returns = clustered()
    model, two = fit_regimes(returns)
    peer = hmm.GaussianHMM(2, "diag")
    peer.means_, peer.covars_ = two.means, two.covariances[:, 0]
    peer.transmat_, peer.startprob_ = two.transition, two.start
    assert two.log_likelihood == pytest.approx(peer.score(returns[:, None]), rel=1e-9)
    assert np.allclose(model.now, peer.predict_proba(returns[:, None])[-1], atol=1e-6)
    _, three = fit_regimes(returns, 3)
    assert two.gain > 100
    assert fit_regimes(np.random.default_rng(1).standard_normal(1000))[1].gain < 0
    assert three.log_likelihood > two.log_likelihood - 1e-6


def test_what_was_simulated_is_what_is_fitted() -> None:
    _, model = hardy()
    rng, state, returns = np.random.default_rng(3), 0, []
    for _ in range(20_000):
        state = int(rng.random() > model.transition[state, 0])
        returns.append(rng.normal(model.mean[state], model.sd[state]))
    fitted, fit = fit_regimes(np.array(returns))
    assert np.allclose(fitted.transition, model.transition, atol=0.04)
    assert np.allclose(fitted.sd, model.sd, rtol=0.05)
    assert fit.n == 20_000


@pytest.mark.parametrize(
    ("returns", "states", "error", "needs"),
    [
        (clustered()[:199], 2, NotEnoughHistory, "200 returns"),
        (clustered(), 4, ValueError, "2 or 3"),
        (np.zeros(500), 2, DataError, "do not vary"),
    ],
)
def test_what_cannot_be_fitted_is_refused(returns: Any, states: int, error: type[Exception], needs: str) -> None:
    with pytest.raises(error, match=needs):
        fit_regimes(returns, states)


def test_rows_that_are_no_probabilities_are_refused() -> None:
    ok = np.array([0.5, 0.5])
    with pytest.raises(ValueError, match="sum to 1"):
        Regimes(ok, ok, np.array([[0.5, 0.4], [0.5, 0.5]]), ok)
    with pytest.raises(ValueError, match="positive"):
        Regimes(ok, np.array([0.1, 0.0]), np.full((2, 2), 0.5), ok)
