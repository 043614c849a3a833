"""The six sources of alpha: what moves each of them, which way, and what makes them silent."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seakeep.core.beliefs import Regime, Sentiment, Signal
from seakeep.core.errors import ConfigError
from seakeep.core.market import Float64, OrderBook
from seakeep.core.units import DAY_MS, HOUR_MS, MINUTE_MS
from seakeep.strategy import SIGNALS
from seakeep.strategy.alphas import Reading, Scene, Silence
from seakeep.strategy.extremes import variance_ratio_z
from seakeep.strategy.signals import decayed, from_alpha

NOW = 50 * DAY_MS
BULL = Regime(NOW, "bull", (("bull", 0.8), ("bear", 0.1), ("ranging", 0.1)), 0.8)


def noise(n: int = 240, k: int = 3, seed: int = 1) -> Float64:
    return 0.01 * np.random.default_rng(seed).standard_normal((n, k))


def scene(returns: Float64, **parts: object) -> Scene:
    return Scene(symbol="A/U", ts=NOW, returns=returns, column=0, **parts)  # type: ignore[arg-type]


def said(name: str, at: Scene) -> Reading:
    answer = SIGNALS[name]().read(at)
    assert isinstance(answer, Reading), answer
    return answer


def silence(name: str, at: Scene) -> str:
    answer = SIGNALS[name]().read(at)
    assert isinstance(answer, Silence), answer
    return answer.reason


def drifting(sign: float) -> Float64:
    """Three independent markets, the first of which has gone four deviations of 24 bars one way."""
    table = noise()
    table[-24:, 0] = sign * 0.01 * np.sqrt(24) * 4 / 24
    return table


def test_the_six_sources_are_there_with_the_half_lives_of_the_mission() -> None:
    # Seed 001: order book 15 to 30 minutes, sentiment 2 to 4 hours, regimes 1 to 3 days, momentum 3 to 7 days, mean
    # reversion 1 to 2 weeks; of correlations it says nothing.
    bounds = {
        "book_imbalance": (15 * MINUTE_MS, 30 * MINUTE_MS),
        "price_sentiment_divergence": (2 * HOUR_MS, 4 * HOUR_MS),
        "regime_mispricing": (1 * DAY_MS, 3 * DAY_MS),
        "momentum_persistence": (3 * DAY_MS, 7 * DAY_MS),
        "mean_reversion": (7 * DAY_MS, 14 * DAY_MS),
    }
    assert set(SIGNALS) == {*bounds, "correlation_breakdown"}
    assert all(low <= SIGNALS[name]().half_life_ms <= high for name, (low, high) in bounds.items())


def test_what_a_regime_promises_is_gone_once_the_price_shows_it() -> None:
    flat = noise()
    flat[:, 0] = 0.01 * (-1.0) ** np.arange(240)
    assert said("regime_mispricing", scene(flat, regime=BULL)).score == pytest.approx(0.7)
    risen = said("regime_mispricing", scene(drifting(1), regime=BULL)).score
    fallen = said("regime_mispricing", scene(drifting(-1), regime=BULL)).score
    assert 0 <= risen < 0.2 < fallen == pytest.approx(0.7)
    assert silence("regime_mispricing", scene(flat)) == "no regime has been told"
    assert "unknown" in silence("regime_mispricing", scene(flat, regime=Regime(NOW, "unknown", (), 1.0)))


def test_good_words_that_the_price_has_not_followed_say_buy() -> None:
    happy = Sentiment("A/U", NOW, 0.8, 20.0, 0.9)
    after_fall = said("price_sentiment_divergence", scene(drifting(-1), sentiment=happy))
    after_rise = said("price_sentiment_divergence", scene(drifting(1), sentiment=happy))
    assert after_fall.score == pytest.approx(0.9)
    assert after_rise.score == pytest.approx(-0.1)
    assert silence("price_sentiment_divergence", scene(drifting(1))) == "no sentiment: no news so far"


def test_an_asset_that_fell_behind_the_others_is_expected_to_catch_up() -> None:
    table = noise()
    table[:, 0] = table[:, 1:].mean(axis=1) + 0.1 * table[:, 0]
    table[-12:, 0] -= 0.01
    behind = said("correlation_breakdown", scene(table))
    assert behind.score == 1.0
    x, y = table[-108:-12, 1:].mean(axis=1), table[-108:-12, 0]
    assert behind.confidence == pytest.approx(np.corrcoef(x, y)[0, 1] ** 2)
    assert silence("correlation_breakdown", scene(table[:, :1])) == "no other asset"
    assert "moves by itself" in silence("correlation_breakdown", scene(noise()))


@given(st.lists(st.floats(0.001, 1e6), min_size=1, max_size=8), st.lists(st.floats(0.001, 1e6), min_size=1, max_size=8))
def test_the_side_that_waits_with_more_is_where_the_price_goes(bids: list[float], asks: list[float]) -> None:
    levels = [tuple((100.0 + s * (i + 1), q) for i, q in enumerate(side)) for s, side in ((-1, bids), (1, asks))]
    read = said("book_imbalance", scene(noise(), book=OrderBook("A/U", NOW - 5, *levels)))
    bid, ask = sum(bids[:5]), sum(asks[:5])
    assert read.score == pytest.approx((bid - ask) / (bid + ask))
    assert (read.ts, read.confidence) == (NOW - 5, min(5, len(bids), len(asks)) / 5)


def test_without_a_whole_book_nothing_is_said_of_it() -> None:
    assert silence("book_imbalance", scene(noise())) == "no order book"
    crossed = OrderBook("A/U", NOW, ((101.0, 1.0),), ((100.0, 1.0),))
    empty = OrderBook("A/U", NOW, ((99.0, 0.0),), ((100.0, 0.0),))
    broken = OrderBook("A/U", NOW, ((99.0, float("nan")),), ((100.0, 1.0),))
    reasons = [silence("book_imbalance", scene(noise(), book=book)) for book in (crossed, empty, broken)]
    assert reasons == ["the order book is crossed", *["the order book holds no quantity"] * 2]


def test_a_trend_is_followed_only_where_moves_continue() -> None:
    steps = np.random.default_rng(2).standard_normal(240)
    smooth, choppy = noise(), noise()
    smooth[:, 0] = 0.01 * np.convolve(steps, np.ones(6) / 6, "same") + 0.004
    choppy[:, 0] = 0.01 * np.diff(steps, prepend=0.0) + 0.004
    up = said("momentum_persistence", scene(smooth))
    assert up.score == 1.0
    assert up.confidence > 0.9
    assert "do not continue" in silence("momentum_persistence", scene(choppy))


def test_the_variance_ratio_test_is_standard_normal_on_a_random_walk() -> None:
    # Lo and MacKinlay (1988): under heteroskedasticity too the statistic is asymptotically N(0, 1).
    rng = np.random.default_rng(3)
    scale = np.where(np.arange(960) // 120 % 2, 3.0, 1.0)
    found = [variance_ratio_z(scale * rng.standard_normal(960), 8) for _ in range(600)]
    assert np.mean(found) == pytest.approx(0, abs=0.2)
    assert np.std(found) == pytest.approx(1, abs=0.12)


def test_only_a_wild_extreme_is_expected_to_come_back() -> None:
    calm = np.tile(0.01 * (-1.0) ** np.arange(240)[:, None], 3)
    assert "nothing extreme" in silence("mean_reversion", scene(calm))
    spike = calm.copy()
    spike[-6:, 0] += 0.05
    assert said("mean_reversion", scene(spike)).score == -1.0
    assert said("mean_reversion", scene(-spike)).score == 1.0


@pytest.mark.parametrize("name", SIGNALS)
def test_bad_bars_make_every_source_silent_that_reads_them(name: str) -> None:
    tone, book = Sentiment("A/U", NOW, 0.8, 20.0, 0.9), OrderBook("A/U", NOW, ((99.0, 1.0),), ((100.0, 1.0),))
    holed = noise()
    holed[-3, 0] = np.nan
    for table in (holed, np.zeros((240, 3)), noise(2)):
        answer = SIGNALS[name]().read(scene(table, sentiment=tone, regime=BULL, book=book))
        assert isinstance(answer, Reading if name == "book_imbalance" else Silence)


@given(st.floats(-1, 1), st.floats(0.01, 1), st.integers(0, 5 * 60), st.integers(0, 5 * 60))
def test_an_opinion_halves_with_each_half_life_however_often_one_looks(
    score: float, confidence: float, first: int, then: int
) -> None:
    signal = Signal("a", "ml", "A/U", 0, score, confidence, 100)
    once, halved = decayed(signal, first + then), decayed(signal, 100)
    before = decayed(signal, first)
    twice = None if before is None else decayed(before, first + then)
    assert halved is not None
    assert (halved.score, halved.confidence) == (score / 2, confidence / 2)
    if once is not None and twice is not None:
        assert (twice.score, twice.confidence) == pytest.approx((once.score, once.confidence))
    assert (decayed(signal, 600), decayed(signal, -1)) == (None, None)


def test_an_alpha_is_as_old_as_what_it_rests_on() -> None:
    alpha, table = SIGNALS["price_sentiment_divergence"](), drifting(-1)
    fresh, old = (Sentiment("A/U", NOW - age, 0.8, 20.0, 0.9) for age in (0, alpha.half_life_ms))
    now, then = (from_alpha("x", alpha, scene(table, sentiment=tone)) for tone in (fresh, old))
    assert isinstance(now, Signal)
    assert isinstance(then, Signal)
    assert then.score == pytest.approx(now.score / 2)
    late = scene(table, sentiment=Sentiment("A/U", NOW - DAY_MS, 0.8, 20.0, 0.9))
    assert from_alpha("x", alpha, late) == Silence("no sentiment: no news in the last 24 h")


@pytest.mark.parametrize("params", [{"window": 0}, {"full": float("nan")}, {"half_life_ms": -1}, {"window": 10**9}])
def test_a_length_that_is_none_is_refused(params: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="RegimeMispricing"):
        SIGNALS["regime_mispricing"](**params)
