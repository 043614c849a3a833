"""Sizes against published figures, and what the haircut and the drawdown bound do to them."""

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest

from seakeep.core.errors import DataError, NotEnoughHistory
from seakeep.risk.allocation import growth_weights, min_cvar, risk_parity
from seakeep.risk.bounded import bounded_fraction
from seakeep.risk.kelly import (
    bet_growth,
    continuous_kelly,
    double_before_half,
    estimation_haircut,
    fractional_growth,
    kelly_portfolio,
    loss_bounded_share,
    optimal_f,
    reach_first,
)
from seakeep.risk.ruin import RuinParams
from seakeep.risk.sizing import binary_kelly
from seakeep.stats.passage import loss_probability

SHARED = Path(__file__).parents[3] / "../shared/reference"


def published(area, name):
    path = SHARED / area / f"{name}.json"
    if not path.exists():
        pytest.skip(f"the reference numbers {area}/{name}.json are not beside this checkout")
    case = json.loads(path.read_text())
    return case["inputs"], case["expected"]


def columns(inputs):
    with (SHARED / inputs["series_file"]).open() as lines:
        rows = list(csv.DictReader(lines))
    return np.array([[float(row[name]) for name in inputs["columns"]] for row in rows])


def test_even_money_bets_are_those_of_kelly_and_thorp():
    inputs, expected = published("kelly", "bernoulli_even_money")
    for row, fraction, growth in zip(inputs["rows"], expected["fraction"], expected["growth_per_bet"], strict=True):
        found = binary_kelly(row["p"], row["b"])
        assert found == pytest.approx(fraction, abs=1e-12)
        assert bet_growth(found, row["p"], row["b"]) == pytest.approx(growth, abs=1e-12)


def test_security_of_fractional_kelly_is_that_of_maclean_and_ziemba():
    inputs, expected = published("kelly", "fractional_kelly_double_before_half")
    shares = inputs["kelly_fraction"]
    assert [double_before_half(c) for c in shares] == pytest.approx(expected["prob_double_before_half"], abs=0.0065)
    growth = [fractional_growth(c, 1.0, 1.0) / fractional_growth(1.0, 1.0, 1.0) for c in shares]
    assert growth == pytest.approx(expected["relative_growth"], abs=0.0065)


def test_fractional_growth_is_that_of_thorp():
    inputs, expected = published("kelly", "fractional_kelly_growth_and_volatility")
    mean, rate, std = inputs["m"], inputs["r"], inputs["s"]
    full = continuous_kelly(np.array([mean]), np.array([[std**2]]), rate).weights[0]
    assert full == pytest.approx(expected["full_kelly_leverage"], rel=1e-10)
    for share, growth, spread in zip(
        inputs["kelly_fraction"], expected["growth_rate"], expected["log_volatility"], strict=True
    ):
        assert fractional_growth(share, mean, std, rate) == pytest.approx(growth, rel=1e-10)
        assert share * full * std == pytest.approx(spread, rel=1e-10)


def test_chans_single_stock_and_three_funds():
    inputs, expected = published("kelly", "single_asset_chan_spy")
    found = continuous_kelly(np.array([inputs["mean"]]), np.array([[inputs["sd"] ** 2]]), inputs["risk_free"])
    assert found.weights[0] == pytest.approx(expected["kelly_leverage"], abs=6e-4)
    assert found.sharpe == pytest.approx(expected["sharpe"], abs=6e-4)
    assert found.growth == pytest.approx(expected["compounded_growth_levered"], abs=6e-4)
    assert inputs["mean"] - inputs["sd"] ** 2 / 2 == pytest.approx(expected["compounded_growth_unlevered"], abs=6e-4)
    inputs, expected = published("kelly", "multi_asset_chan_oih_rkh_rth")
    found = continuous_kelly(np.array(inputs["mean_excess"]), np.array(inputs["covariance"]))
    assert found.weights == pytest.approx(expected["fractions"], abs=1e-4)
    assert found.growth + inputs["risk_free"] == pytest.approx(expected["growth_rate"], abs=1e-4)
    assert found.sharpe == pytest.approx(expected["portfolio_sharpe"], abs=1e-4)
    assert np.array(found.weights) / 2 == pytest.approx(expected["half_kelly_fractions"], abs=1e-4)


def test_optimal_f_is_that_of_vince():
    inputs, expected = published("kelly", "optimal_f_vince")
    f, wealth = optimal_f(np.array(inputs["trades"]))
    assert f == pytest.approx(expected["optimal_f_full_precision"], abs=1e-5)
    assert wealth == pytest.approx(expected["max_twr"], abs=1e-9)
    assert wealth ** (1 / 9) == pytest.approx(expected["geometric_mean"], abs=1e-9)
    with pytest.raises(DataError, match="profit in sum"):
        optimal_f(np.array([1.0, -5.0]))


@pytest.mark.parametrize("share", [0.3, 1.0, 2.0, 2.7])
def test_wealth_to_the_power_of_its_scale_is_a_fair_game(share):
    """Optional stopping: the mean of wealth^(1 - 2/c) at the end is its start, 1."""
    power, chance = 1 - 2 / share, reach_first(share, 3.0, 0.4)
    assert chance * 3.0**power + (1 - chance) * 0.4**power == pytest.approx(1)
    assert reach_first(2.0, 1 / 0.4, 0.4) == pytest.approx(0.5)


def test_a_loss_bound_on_the_share_is_the_ever_hit_law_turned_round():
    share = loss_bounded_share(0.3, 0.05)
    mean, std = 0.0011, 0.03
    held = share * mean / std**2
    law = loss_probability(0.3, held * mean - (held * std) ** 2 / 2, held * std)
    assert law == pytest.approx(0.05, rel=1e-9)


@pytest.mark.parametrize(("edge", "n", "k"), [(0.08, 250, 1), (0.1, 500, 3), (0.15, 120, 5)])
def test_with_the_haircut_money_grows_faster_than_with_what_was_estimated(edge, n, k):
    """Growth of true parameters, in units of the best, averaged over many samples of n returns."""
    rng = np.random.default_rng(11)
    mean = np.full(k, edge / math.sqrt(k))
    grown = np.zeros(2)
    for _ in range(300):
        sample = rng.standard_normal((n, k)) + mean
        full = continuous_kelly(sample.mean(axis=0), np.cov(sample.T).reshape(k, k))
        raw, cut = np.array(full.weights), estimation_haircut(full.sharpe**2, n, k)
        grown += [w @ mean - w @ w / 2 for w in (raw, raw * cut)]
    assert grown[1] > grown[0]
    assert 0 < cut < 1


def test_the_haircut_of_a_known_edge_is_nearly_none_and_of_noise_nearly_all():
    assert estimation_haircut(0.2**2, 1_000_000, 2) == pytest.approx(1, abs=1e-3)
    assert estimation_haircut(1e-9, 1000, 5) < 0.05
    assert 0 < estimation_haircut(1e-12, 1000, 200) < 0.05
    assert estimation_haircut(0.01, 500, 1) > estimation_haircut(0.01, 100, 1)
    with pytest.raises(NotEnoughHistory, match="more than 8 returns"):
        estimation_haircut(0.1, 8, 4)


def test_a_portfolio_is_what_was_estimated_times_haircut_times_fraction():
    returns = np.random.default_rng(5).standard_normal((800, 2)) * 0.02 + [0.003, 0.0]
    half, whole = (
        kelly_portfolio(returns, seed=1, fraction=0.5, samples=100),
        kelly_portfolio(returns, seed=1, samples=100),
    )
    np.testing.assert_allclose(half.weights * 2, whole.weights)
    np.testing.assert_allclose(whole.weights, whole.full * whole.haircut)
    full = np.linalg.solve(np.cov(returns.T), returns.mean(axis=0))
    np.testing.assert_allclose(whole.full, full)
    assert (whole.low <= whole.weights).all()
    assert (whole.weights <= whole.high).all()
    assert whole.n == 800


NAN = float("nan")


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: continuous_kelly(np.ones(2), np.ones((2, 2))), "singular"),
        (lambda: continuous_kelly(np.ones(2), np.array([[1.0, 0.5], [0.4, 1.0]])), "symmetric"),
        (lambda: risk_parity(np.diag([1.0, 0.0])), "variance is not positive"),
        (lambda: growth_weights(np.array([[0.1, NAN]])), "row 0, column 1"),
        (lambda: kelly_portfolio(np.full((100, 1), 0.01), seed=1), "never vary"),
        (lambda: min_cvar(np.empty((0, 2))), "one row a period"),
    ],
)
def test_what_cannot_be_sized_is_refused_by_name(call, says):
    with pytest.raises(DataError, match=says):
        call()


@pytest.mark.parametrize("wrong", [0.0, 1.0, NAN])
def test_bounds_and_levels_are_fractions(wrong):
    with pytest.raises(ValueError, match=r"\(0, 1\)"):
        min_cvar(np.ones((5, 1)), wrong)
    with pytest.raises(ValueError, match=r"\(0, 1\)"):
        loss_bounded_share(0.5, wrong)
    with pytest.raises(ValueError, match=r"\(0, 1\)"):
        bounded_fraction(np.ones(50), 0.2, wrong, 30, RuinParams(), seed=1)
    with pytest.raises(ValueError, match="futures cannot tell"):
        bounded_fraction(np.ones(50), 0.2, 1e-6, 30, RuinParams(), seed=1)
    with pytest.raises(NotEnoughHistory, match="at least 31"):
        kelly_portfolio(np.ones((30, 1)), seed=1)
