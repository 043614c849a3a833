"""The statistical experts: known processes, the four laws, symbols that follow one another."""

import math

import numpy as np
import pytest

from seakeep.core.beliefs import FeatureFrame
from seakeep.core.errors import NotEnoughHistory, NotFitted
from seakeep.features.checks import lookback_law, prefix_law, seed_law, shape_law
from seakeep.models import EXPERTS
from seakeep.models.statistical import ArmaExpert, GarchExpert, HmmExpert
from seakeep.stats.volatility import fit_garch

NAMES = ("arima", "garch", "hmm")
H = 12


def framed(x, unit=0.01, symbol="A/B"):
    """Scaled returns x (n,) of a market whose recent deviation is `unit`, and what followed (n,)."""
    y = np.full(len(x), np.nan)
    y[:-H] = np.convolve(x * unit, np.ones(H), "valid")[1:]
    values = np.column_stack([x * unit, np.full(len(x), unit)])
    return FeatureFrame(symbol, 60_000 * np.arange(len(x)), ("log_return:1", "return_std:480"), values), y


def autoregressive(phi, n=4_000, seed=1):
    x, e = np.zeros(n), np.random.default_rng(seed).standard_normal(n)
    for t in range(1, n):
        x[t] = phi * x[t - 1] + e[t]
    return x


def clustered(n=4_000, seed=2):
    """GARCH(1,1) of variance 1."""
    x, h, z = np.zeros(n), 1.0, np.random.default_rng(seed).standard_normal(n)
    for t in range(n):
        x[t] = math.sqrt(h) * z[t]
        h = 0.05 + 0.1 * x[t] ** 2 + 0.85 * h
    return x


def test_an_autoregression_is_forecast_as_its_formula_says():
    frame, y = framed(autoregressive(0.3))
    expert = ArmaExpert(horizon=H, folds=0).fit(frame, y, 1)
    phi, x = expert.phi_[0], frame["log_return:1"]
    reach = [(1 - phi**k) / (1 - phi) for k in range(1, H + 1)]
    mean, std = expert.predict(frame)[-1]
    assert phi == pytest.approx(0.3, abs=0.05)
    assert mean == pytest.approx(x[-1] * sum(phi**k for k in range(1, H + 1)), rel=1e-9)
    assert std == pytest.approx(0.01 * math.sqrt(sum(r * r for r in reach)), rel=0.05)


def test_an_autoregression_that_goes_on_is_heard_and_one_that_turned_round_is_not():
    frame, y = framed(autoregressive(0.6, 8_000))
    goes_on = ArmaExpert(horizon=H).fit(frame, y, 1)
    assert goes_on.confidence > 0.9
    assert 0.8 < goes_on.shrink_ == goes_on.unproven().shrink_ <= 1.0
    turned, after = framed(np.append(autoregressive(0.6), autoregressive(-0.6)))
    expert = ArmaExpert(horizon=H, folds=2).fit(turned, after, 1)
    assert (expert.confidence, expert.scale) == (0.0, 0.0)
    assert not np.nan_to_num(expert.predict(turned)[:, 0]).any()


@pytest.mark.parametrize("name", NAMES)
def test_the_deviation_told_is_the_one_that_follows(name):
    frame, y = framed(clustered(8_000))
    expert = EXPERTS[name](horizon=H).fit(frame, y, 1)
    fresh, later = framed(clustered(8_000, seed=9))
    mean, std = expert.predict(fresh).T
    z = (later - mean) / std
    assert np.nanstd(z) == pytest.approx(1.0, abs=0.1)


def test_garch_knows_a_wild_market_from_a_calm_one_as_its_term_structure_does():
    frame, y = framed(clustered())
    expert = GarchExpert(horizon=H).fit(frame, y, 1)
    assert expert.params_[3] == 0.0
    x = frame["log_return:1"] / 0.01
    term = fit_garch(x[1:]).forecast(H)
    assert expert.predict(frame)[-1, 1] == pytest.approx(0.01 * term.horizon[-1], rel=0.01)
    assert (expert.confidence, expert.scale) == (0.0, 0.0)


def test_garch_points_somewhere_only_if_the_last_return_says_so():
    frame, y = framed(autoregressive(0.3))
    expert = GarchExpert(horizon=H, folds=0).fit(frame, y, 1)
    mean, last = expert.predict(frame)[-1, 0], frame["log_return:1"][-1]
    assert mean == pytest.approx(last * sum(expert.params_[3] ** k for k in range(1, H + 1)), rel=1e-9)


def test_the_moments_of_the_chain_are_those_of_its_simulated_paths():
    frame, y = framed(np.random.default_rng(3).normal(0.05, np.repeat([[0.5], [1.6]], 40, axis=0), (80, 60)).ravel())
    expert = HmmExpert(horizon=H, states=2).fit(frame, y, 1)
    rng, state, total = np.random.default_rng(4), np.zeros(60_000, int), np.zeros(60_000)
    for _ in range(H):
        state = (rng.random(60_000) > expert.transition_[state, 0]).astype(int)
        total += expert.means_[state, 0] + expert.deviations_[state, 0] * rng.standard_normal(60_000)
    error = total.std() / math.sqrt(60_000)
    assert total.mean() == pytest.approx(expert.first_[0], abs=4 * error)
    assert (total**2).mean() == pytest.approx(expert.second_[0], rel=0.05)


@pytest.mark.parametrize("name", NAMES)
def test_the_four_laws_hold(name):
    frame, y = framed(clustered(1_500))
    expert = EXPERTS[name](horizon=H).fit(frame, y, 1)

    def over(start, stop):
        return expert.predict(FeatureFrame("A/B", frame.ts[start:stop], frame.names, frame.values[start:stop]))

    def again(seed):
        return EXPERTS[name](horizon=H).fit(frame, y, seed).predict(frame)

    cuts = (400, 777, 1_500)
    assert prefix_law(name, over, 1_500, cuts) == []
    assert lookback_law(name, over, 1_500, expert.lookback, cuts) == []
    assert shape_law(name, over, 1_500, expert.lookback) == []
    assert seed_law(name, again, 7) == []


@pytest.mark.parametrize("name", NAMES)
def test_what_was_learnt_can_be_handed_on(name):
    frame, y = framed(clustered(1_500))
    expert = EXPERTS[name](horizon=H).fit(frame, y, 1)
    heir = EXPERTS[name](horizon=H).restore(expert.state())
    np.testing.assert_array_equal(heir.predict(frame), expert.predict(frame))
    warm = EXPERTS[name](horizon=H, warm=True)
    first, second = (warm.fit(frame, y, 1).predict(frame)[-1] for _ in range(2))
    np.testing.assert_allclose(second, first, rtol=0.02, atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_pooled_symbols_are_told_what_each_is_told_alone(name):
    (one, y), (two, _) = framed(clustered(1_500)), framed(clustered(1_200, seed=5), unit=0.03)
    expert = EXPERTS[name](horizon=H).fit(one, y, 1)
    pooled = FeatureFrame("*", np.append(one.ts, two.ts), one.names, np.vstack([one.values, two.values]))
    alone = np.vstack([expert.predict(one), expert.predict(two)])
    np.testing.assert_array_equal(expert.predict(pooled), alone)


@pytest.mark.parametrize("name", NAMES)
def test_twice_the_volatility_is_twice_the_forecast(name):
    (frame, y), (wilder, _) = framed(clustered(1_500)), framed(clustered(1_500), unit=0.02)
    expert = EXPERTS[name](horizon=H).fit(frame, y, 1)
    np.testing.assert_allclose(expert.predict(wilder), 2 * expert.predict(frame), rtol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_what_cannot_be_told_is_not(name):
    frame, y = framed(clustered(1_500))
    with pytest.raises(NotFitted):
        EXPERTS[name]().predict(frame)
    short, few = framed(clustered(60))
    with pytest.raises(NotEnoughHistory):
        EXPERTS[name](horizon=H).fit(short, few, 1)
    still = FeatureFrame("A/B", frame.ts, frame.names, np.zeros_like(frame.values))
    with pytest.raises(NotEnoughHistory):
        EXPERTS[name](horizon=H).fit(still, y, 1)
    assert np.isnan(EXPERTS[name](horizon=H).fit(frame, y, 1).predict(still)).all()
