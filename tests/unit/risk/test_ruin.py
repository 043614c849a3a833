"""Odds of ruin against games and motions whose odds are known."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom, norm

from seakeep.core.errors import DataError, NotEnoughHistory
from seakeep.risk.limits import Limits
from seakeep.risk.ruin import (
    RuinParams,
    Stakes,
    _endings,
    _trips,
    _walk,
    breaker_odds,
    drawdown_odds,
    gbm_odds,
    ruin_odds,
    survival,
)
from seakeep.stats.passage import gamblers_ruin, loss_probability
from seakeep.stats.recovery import drawdown_probability

SHARED = Path(__file__).parents[3] / "../shared/reference"
SMALL = RuinParams(horizons=(10, 60), levels=(0.1, 0.3), worlds=60, paths=100)


def published(name):
    path = SHARED / "risk_of_ruin" / f"{name}.json"
    if not path.exists():
        pytest.skip(f"the reference numbers risk_of_ruin/{name}.json are not beside this checkout")
    case = json.loads(path.read_text())
    return case["inputs"]["rows"], case["expected"]


def daily(n=600, seed=4, mean=0.0005, std=0.02):
    return np.expm1(np.random.default_rng(seed).standard_normal(n) * std + mean)


def test_every_kernel_and_its_twin_agree_bit_for_bit():
    logs, horizons = np.log1p(daily(50)), np.array([5, 20])
    one, other = (walk(logs, np.random.default_rng(1), 3.0, 30, horizons) for walk in (_walk, _walk.py_func))
    np.testing.assert_array_equal(one, other)
    for kernel, rest in ((_trips, (2, (0.03, 0.05), 0.01)), (_endings, (np.array([1.0, 2.0]), (0.9, 0.01), False))):
        one, other = (run((logs, np.random.default_rng(1), 3.0, 30, 20), *rest) for run in (kernel, kernel.py_func))
        np.testing.assert_array_equal(one, other)


def test_a_walk_finds_the_fall_and_the_way_back_of_a_path_known_by_hand():
    """A period of six: the path falls to -3, climbs back to its peak of 1 four steps later, and on."""
    logs = np.array([1.0, -2.0, -2.0, 1.0, 1.0, 2.0])
    found = _walk(logs, np.random.default_rng(0), 1e9, 200, np.array([6]))[:, 0]
    whole = [tuple(row) for row in found.tolist()]
    assert (3.0, 4.0, 3.0) in whole
    assert max(row[1] for row in whole) == 4.0


def test_many_normal_returns_have_the_odds_of_their_motion_seen_once_a_period():
    """Broadie, Glasserman and Kou: a barrier seen once a period is 0.5826 deviations farther away."""
    mean, std = 0.0005, 0.02
    returns = np.expm1(norm.ppf((np.arange(20_000) + 0.5) / 20_000) * std + mean)
    params = RuinParams(horizons=(250,), levels=(0.2, 0.3), worlds=100, paths=400, block=1)
    found = ruin_odds(np.random.default_rng(2).permutation(returns), params, seed=7)
    for j, level in enumerate(params.levels):
        depth = -math.log1p(-level)
        loss = loss_probability(-math.expm1(-(depth + 0.5826 * std)), mean, std, 250)
        fall = drawdown_probability(depth + 2 * 0.5826 * std, mean, std, 250)
        assert found.loss.value[0, j] == pytest.approx(loss, abs=4 * found.loss.error[0, j] + 0.005)
        assert found.drawdown.value[0, j] == pytest.approx(fall, abs=4 * found.drawdown.error[0, j] + 0.015)


def test_odds_grow_with_the_horizon_and_fall_with_the_level():
    found = ruin_odds(daily(), SMALL, seed=1)
    for odds in (found.loss, found.drawdown):
        assert (np.diff(odds.value, axis=0) >= 0).all()
        assert (np.diff(odds.value, axis=1) <= 0).all()
        assert ((odds.low <= odds.value) & (odds.value <= odds.high) & (odds.error > 0)).all()
    assert (found.drawdown.value >= found.loss.value).all()
    assert (np.diff(found.max_drawdown[1].value) >= 0).all()
    assert found.max_drawdown[1].percentiles.tolist() == [50, 75, 90, 95, 99]
    single = drawdown_odds(daily(), 0.1, 60, SMALL.model_copy(update={"horizons": (60,)}), seed=1)
    assert single.value == pytest.approx(found.drawdown.value[1, 0], abs=4 * math.hypot(single.error, 0.01))


def test_the_interval_covers_the_true_odds_about_as_often_as_it_says():
    """The posterior of normal returns: coverage is 95 % but for the level's own noise over 200 histories."""
    params, mean, std = RuinParams(horizons=(60,), levels=(0.15,)), 0.001, 0.02
    truth, held = loss_probability(0.15, mean, std, 60), 0
    for seed in range(200):
        odds = gbm_odds(daily(300, seed, mean, std), "loss", params, seed=seed, draws=400)
        held += odds.low[0, 0] <= truth <= odds.high[0, 0]
    assert 0.90 <= held / 200 <= 0.99


def test_the_bootstrap_interval_covers_the_odds_of_a_history_far_longer():
    """Of 80 histories of 300 days; an interval of futures alone, one world, would hold them a few times in ten."""
    small, large = RuinParams(worlds=60, paths=60, block=1), RuinParams(worlds=40, paths=2000, block=1)
    truth = drawdown_odds(daily(200_000, 99), 0.15, 60, large, seed=1).value
    found = [drawdown_odds(daily(300, seed), 0.15, 60, small, seed=seed) for seed in range(80)]
    held = sum(odds.low <= truth <= odds.high for odds in found)
    assert 0.85 <= held / 80 <= 1.0
    assert np.mean([odds.high - odds.low for odds in found]) > 3 * np.mean([4 * odds.error for odds in found])


def test_more_history_narrows_the_interval():
    short, long = (gbm_odds(daily(n), "drawdown", SMALL, seed=1) for n in (100, 4000))
    assert (long.high - long.low)[1, 0] < 0.5 * (short.high - short.low)[1, 0]


def test_fixed_stakes_survive_as_a_gamblers_do():
    """Unit wins and losses, 55 of 100: the closed form, averaged over the win rates a world may have."""
    n, units = 2000, np.array([3.0, 6.0])
    outcomes = np.random.default_rng(0).permutation(np.where(np.arange(n) < 0.55 * n, 1.0, -1.0))
    params = RuinParams(horizons=(1500,), worlds=200, paths=100, block=1)
    found = survival(outcomes, units, Stakes(fixed=True), params, seed=5)
    wins = np.arange(900, 1300)
    weight = binom.pmf(wins, n, 0.55)
    for c, capital in enumerate(units):
        expected = 1 - np.dot(weight, [gamblers_ruin(w / n, capital) for w in wins])
        assert found.value[c, 0] == pytest.approx(expected, abs=4 * found.error[c, 0])


def test_more_capital_never_survives_less_and_a_drain_costs():
    capitals = np.array([60.0, 80.0, 120.0])
    free, drained = (survival(daily(), capitals, Stakes(floor=50, drain=drain), SMALL, seed=2) for drain in (0.0, 0.5))
    assert (np.diff(free.value, axis=0) >= 0).all()
    assert (np.diff(free.value, axis=1) <= 0).all()
    assert (drained.value <= free.value).all()
    assert drained.value[0, 1] < free.value[0, 1]


def test_the_daily_breaker_trips_as_often_as_a_bad_day_comes():
    n, bad = 500, 10
    returns = np.random.default_rng(1).permutation(np.where(np.arange(n) < bad, -0.06, 0.001))
    odds = breaker_odds(returns, Limits(), RuinParams(worlds=300, paths=100, block=1), seed=3, horizon=30)
    counts = np.arange(n + 1)
    expected = np.dot(binom.pmf(counts, n, bad / n), 1 - (1 - counts / n) ** 30)
    assert odds.daily_loss.value == pytest.approx(expected, abs=4 * odds.daily_loss.error)
    assert odds.either.value >= max(odds.daily_loss.value, odds.drawdown.value)


def test_a_drawdown_we_are_in_brings_the_breaker_nearer_and_days_are_made_of_periods():
    near, far = (breaker_odds(daily(), Limits(), SMALL, seed=3, drawdown=d).drawdown.value for d in (0.15, 0.0))
    assert near > far
    hourly = np.tile([-0.02, -0.02, -0.02, 0.063], 50)
    whole = RuinParams(worlds=60, paths=50, block=1, daily=1)
    split = whole.model_copy(update={"daily": 4})
    assert breaker_odds(hourly, Limits(), whole, seed=1).daily_loss.value == 0
    assert breaker_odds(hourly, Limits(), split, seed=1).daily_loss.value > 0.5


def test_a_seed_fixes_the_odds_and_another_moves_them_within_their_error():
    one, same, other = (drawdown_odds(daily(), 0.1, 60, SMALL, seed=s) for s in (1, 1, 2))
    assert one == same
    assert one.value != other.value
    assert one.value == pytest.approx(other.value, abs=5 * math.hypot(one.error, other.error))


def test_what_was_never_seen_is_not_impossible():
    odds = drawdown_odds(daily(std=0.001), 0.5, 10, SMALL, seed=1)
    assert odds.value == 0
    assert 0 < odds.high <= 1e-3
    assert "no period here is worse than" in odds.warnings[-1]


def test_a_total_loss_is_ruin():
    returns = daily(100)
    returns[7] = -1.0
    found = ruin_odds(returns, SMALL, seed=1)
    assert (found.loss.value[:, 0] <= 1).all()
    assert found.loss.value[1, 1] > 0.2
    assert found.max_drawdown[1].value[-1] == 1.0


NAN = float("nan")


@pytest.mark.parametrize(
    ("returns", "error", "says"),
    [
        (np.ones(29), NotEnoughHistory, "at least 30"),
        (np.full(40, 0.01), DataError, "never vary"),
        (np.append(np.arange(40) / 1000, NAN), DataError, "outcome 40 is not a finite number"),
        (np.append(np.arange(40) / 1000, -1.2), DataError, "below -1"),
        (np.zeros((40, 2)), NotEnoughHistory, "in one column"),
    ],
)
def test_a_history_that_cannot_answer_is_refused(returns, error, says):
    for ask in (
        lambda: ruin_odds(returns, SMALL, seed=1),
        lambda: gbm_odds(returns, "loss", SMALL, seed=1),
        lambda: breaker_odds(returns, Limits(), SMALL, seed=1),
    ):
        with pytest.raises(error, match=says):
            ask()


def test_a_question_that_makes_no_sense_is_refused():
    for params, says in (
        (RuinParams(levels=(1.0,)), "levels"),
        (RuinParams(horizons=(30, 30)), "horizons"),
        (RuinParams(block=400), "a block of 400"),
    ):
        with pytest.raises(ValueError, match=says):
            ruin_odds(daily(), params, seed=1)
    with pytest.raises(ValueError, match="above the floor"):
        survival(daily(), np.array([10.0, 5.0]), Stakes(floor=5), SMALL, seed=1)
    with pytest.raises(ValueError, match="a loss in"):
        loss_probability(1.0, 0.0, 0.1)
    with pytest.raises(ValueError, match="a game needs"):
        gamblers_ruin(1.0, 5)
