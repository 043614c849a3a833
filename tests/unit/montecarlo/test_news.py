"""Level 5: Merton's prices and moments without news; with news, effects that were put in are found and used."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seakeep.core.errors import DataError, NotEnoughHistory
from seakeep.core.market import NewsItem
from seakeep.core.units import DAY_MS
from seakeep.montecarlo.bootstrap import bootstrap
from seakeep.montecarlo.news import JUMP, NewsJumps, NewsState, analogues, fit_news, news_state
from seakeep.montecarlo.paths import Run, simulate
from tests.unit.montecarlo.cases import close, clustered, reference

HALF_LIFE = 2 * DAY_MS


def item(ts: int, title: str = "") -> NewsItem:
    return NewsItem("wire", title, "", (), "", ts, ts)


def tone(news: NewsItem) -> float:
    return {"good": 1.0, "bad": -1.0}.get(news.title, 0.0)


def market(n: int = 3000, seed: int = 3) -> tuple[np.ndarray, NewsState]:
    """Returns with more jumps when much is written, and a drift that follows its tone."""
    rng = np.random.default_rng(seed)
    attention, mood = rng.gamma(2.0, 1.0, n), rng.uniform(-1, 1, n)
    jumps = rng.random(n) < np.clip(0.01 * np.exp(0.6 * (attention - 2)), 0, 0.5)
    returns = 0.005 * mood + 0.01 * rng.standard_normal(n) + jumps * rng.normal(-0.08, 0.02, n)
    return returns, NewsState(attention, mood)


def test_merton_s_calls_cost_what_the_table_says() -> None:
    case = reference("monte_carlo/l5_merton76_jump_diffusion_gamma25")
    rows, steps = case["inputs"]["rows"], 60
    values: dict[tuple[float, float], np.ndarray] = {}
    prices, errors = [], []
    for i in rows:
        lam, total, years = i["jump_intensity"], i["total_sigma"], i["T"]
        if (lam, years) not in values:
            jump = i["gamma_jump_share"] * total**2 / lam
            diffusion, dt = total**2 - lam * jump, years / steps
            drift = (i["r"] - diffusion / 2) * dt
            model = NewsJumps(drift, math.sqrt(diffusion * dt), math.log(lam * dt), -jump / 2, math.sqrt(jump))
            run = Run(steps=steps, paths=400_000, seed=2, detail="end", antithetic=True)
            values[lam, years] = simulate(model, run).value.astype(float) * i["S"]
        payoff = math.exp(-i["r"] * years) * np.maximum(values[lam, years] - i["K"], 0)
        prices.append(payoff.mean())
        errors.append(payoff.std() / math.sqrt(len(payoff)))
    close(case, "price", prices, errors)
    close(case, "price_full_precision", prices, errors)


def test_moments_of_a_jump_diffusion_are_its_cumulants() -> None:
    case = reference("monte_carlo/l5_merton_return_moments")
    i, steps = case["inputs"], 200
    dt, lam = i["T"] / steps, i["jump_intensity"]
    drift = i["mu"] - i["sigma"] ** 2 / 2 - lam * math.expm1(i["jump_mean"] + i["jump_sd"] ** 2 / 2)
    model = NewsJumps(
        drift * dt, i["sigma"] * math.sqrt(dt), math.log(lam * dt), i["jump_mean"], i["jump_sd"], interval="11h"
    )
    close(case, "mean", model.means(steps).sum())
    close(case, "prob_no_jump", math.exp(-model.intensity(steps).sum()))
    values = simulate(model, Run(steps=steps, paths=800_000, seed=3, detail="end")).value.astype(float)
    logs, n = np.log(values), len(values)
    z = (logs - logs.mean()) / logs.std()
    close(case, "mean", logs.mean(), logs.std() / math.sqrt(n))
    close(case, "variance", logs.var(), (z**2).std() * logs.var() / math.sqrt(n))
    close(case, "skewness", (z**3).mean(), math.sqrt(6 / n))
    close(case, "excess_kurtosis", (z**4).mean() - 3, math.sqrt(24 / n))
    close(case, "expected_price_ratio", values.mean(), values.std() / math.sqrt(n))


def test_the_state_of_the_news_is_the_faded_count_and_mean() -> None:
    news = [item(0, "good"), item(DAY_MS, "bad"), item(3 * DAY_MS, "good")]
    state = news_state(news, tone, [0, 2 * DAY_MS], HALF_LIFE)
    count = 0.5 + 0.5**0.5
    assert state.attention == pytest.approx([math.log1p(1), math.log1p(count)])
    assert state.tone == pytest.approx([0.5, (0.5 - 0.5**0.5) / (1 + count)])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10 * DAY_MS), st.sampled_from(["good", "bad", ""])), max_size=30))
def test_news_of_the_future_do_not_change_the_state_of_the_past(later: list[tuple[int, str]]) -> None:
    past, at = [item(DAY_MS, "bad"), item(DAY_MS, "good")], np.arange(5) * DAY_MS
    future = [item(5 * DAY_MS + ts, title) for ts, title in later]
    alone, both = news_state(past, tone, at, HALF_LIFE), news_state(past + future, tone, at, HALF_LIFE)
    assert (alone.attention == both.attention).all()
    assert (alone.tone == both.tone).all()


def test_the_fit_finds_the_effects_that_were_put_in() -> None:
    returns, state = market()
    model, fit = fit_news(returns, state, (2.0, 0.0), half_life_ms=HALF_LIFE)
    assert fit.attention[0] == pytest.approx(0.6 * state.attention.std(), abs=3 * fit.attention[1])
    assert abs(fit.tone[0]) < 3 * fit.tone[1]
    assert fit.drift[0] == pytest.approx(0.005 * state.tone.std(), abs=3 * fit.drift[1])
    assert model.jump_mean == pytest.approx(-0.08, abs=0.01)


def test_news_that_say_nothing_bend_nothing() -> None:
    returns, _ = market()
    rng = np.random.default_rng(9)
    model, fit = fit_news(returns, NewsState(rng.random(3000), rng.random(3000)), (5.0, -5.0), half_life_ms=HALF_LIFE)
    assert abs(model.tilt) < abs(fit.drift[0]) < 2.5 * fit.drift[1]
    assert abs(fit.attention[0]) < 3 * fit.attention[1]


def test_a_loud_and_gloomy_morning_has_a_fatter_tail_than_an_ordinary_one_and_it_fades() -> None:
    returns, state = market()
    runs = [Run(steps=h, paths=100_000, seed=1) for h in (2, 40)]
    ordinary, _ = fit_news(returns, state, (2.0, 0.0), half_life_ms=HALF_LIFE)
    gloomy, _ = fit_news(returns, state, (6.0, -0.9), half_life_ms=HALF_LIFE)
    apart = [
        np.quantile(simulate(ordinary, r).value, 0.05) - np.quantile(simulate(gloomy, r).value, 0.05) for r in runs
    ]
    assert apart[0] > 0.01
    assert gloomy.intensity(40)[0] > 3 * gloomy.intensity(40)[-1]
    assert gloomy.drift(40)[0] < gloomy.drift(40)[-1] == pytest.approx(ordinary.mean, abs=1e-5)


def test_analogues_are_the_nearest_states_that_have_a_future() -> None:
    states = np.column_stack([np.arange(100.0), np.tile([0.0, 1.0], 50)])
    rows, distance = analogues(states, [98.0, 0.0], 5, 3)
    assert rows.tolist() == [94, 92, 90]
    assert (np.diff(distance) >= 0).all()
    model = bootstrap(clustered()[:100], "block", length=5, starts=rows)
    values = np.log(simulate(model, Run(steps=5, paths=1, seed=1)).value.astype(float))
    wanted = [clustered()[r : r + 5].sum() for r in rows]
    assert np.abs(values[:, None] - wanted).min(axis=1).max() < 1e-6


def test_too_little_history_or_scores_that_are_none_are_refused() -> None:
    returns, state = market()
    with pytest.raises(NotEnoughHistory, match="8 jumps"):
        fit_news(returns, state, (2.0, 0.0), half_life_ms=HALF_LIFE, threshold=30.0)
    with pytest.raises(ValueError, match="one state"):
        fit_news(returns[1:], state, (2.0, 0.0), half_life_ms=HALF_LIFE)
    with pytest.raises(DataError, match="does not vary"):
        fit_news(returns, NewsState(state.attention, 0 * state.tone), (2.0, 0.0), half_life_ms=HALF_LIFE)
    with pytest.raises(DataError, match="not in"):
        news_state([item(0, "x")], lambda _: math.nan, [0], HALF_LIFE)
    with pytest.raises(NotEnoughHistory, match="windows"):
        analogues(np.random.default_rng(1).random((10, 2)), [0, 0], 5, 30)
    with pytest.raises(ValueError, match="shorter steps"):
        simulate(NewsJumps(0, 0.01, 1.0, 0, 0.1), Run(steps=3, seed=1))


@pytest.mark.parametrize(("threshold", "found", "false_a_year"), [(JUMP, (0.65, 0.82), 1.5), (4.0, (0.35, 0.55), 0.2)])
def test_jumps_that_were_planted_are_found_and_few_others(
    threshold: float, found: tuple[float, float], false_a_year: float
) -> None:
    rng, hits, alarms = np.random.default_rng(1), [], []
    for _ in range(40):
        planted = rng.random(1500) < 10 / 365
        size = rng.choice([-1, 1], 1500) * np.abs(rng.normal(4, 1, 1500))
        returns, news = 0.03 * (rng.standard_normal(1500) + planted * size), rng.random((2, 1500))
        _, fit = fit_news(returns, NewsState(*news), (0.5, 0.5), half_life_ms=HALF_LIFE, threshold=threshold)
        far = np.abs(returns - np.median(returns))
        called = np.argsort(-far)[: fit.jumps]
        hits.append(planted[called].sum() / planted.sum())
        alarms.append((~planted[called]).sum() / (~planted).sum() * 365)
    assert found[0] < np.mean(hits) < found[1]
    assert np.mean(alarms) < false_a_year
