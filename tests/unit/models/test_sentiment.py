"""From headlines to sentiment: tones, fading, who a text is about."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seakeep.core.market import Instrument, NewsItem
from seakeep.core.units import HOUR_MS
from seakeep.models.sentiment import Crowd, CrowdParams, Lexicon, concerned

BTC, ETH = (Instrument(symbol=f"{base}/USDT", base=base, quote="USDT") for base in ("BTC", "ETH"))


def news(title: str, *symbols: str, body: str = "") -> NewsItem:
    return NewsItem("wire", title, body, symbols, "", 0, 0)


class Fixed:
    """A scorer that reads the tone off the title."""

    def tone(self, item: NewsItem) -> float | None:
        return float(item.title) if item.title else None


def test_headlines_lean_the_way_a_reader_would_say() -> None:
    good = ["Bitcoin soars to record high", "Exchange wins landmark approval", "Inflows rise as adoption grows"]
    bad = ["Exchange hacked, funds stolen", "Regulator sues lender over fraud", "Ether plunges amid panic selling"]
    tones = [Lexicon().tone(news(title)) or 0.0 for title in (*good, *bad)]
    assert min(tones[:3]) > 0.4
    assert max(tones[3:]) < -0.4


def test_a_negation_turns_a_word_round_and_a_degree_word_weighs_it() -> None:
    plain, turned, sharp = (Lexicon().tone(news(f"Price {how} falls")) for how in ("it", "never", "sharply"))
    assert plain is not None
    assert turned == -plain
    assert sharp is not None
    assert sharp < plain


def test_a_text_that_says_nothing_has_no_tone_rather_than_a_neutral_one() -> None:
    assert Lexicon().tone(news("What is a block explorer?")) is None
    assert Lexicon().tone(news("")) is None
    assert Lexicon().tone(news("gains", body="losses")) == 0.0


@given(st.text(max_size=300), st.text(max_size=300))
def test_whatever_is_written_the_tone_is_a_number_in_range(title: str, body: str) -> None:
    tone = Lexicon().tone(news(title, body=body))
    assert tone is None or abs(tone) < 1.0


@given(st.lists(st.tuples(st.floats(-1, 1), st.integers(0, 10 * HOUR_MS)), min_size=1, max_size=8))
def test_sentiment_is_the_faded_mean_with_one_neutral_text_among_them(told: list[tuple[float, int]]) -> None:
    crowd, now, seen, found = Crowd(Fixed(), CrowdParams(half_life_ms=HOUR_MS)), 0, [], []
    for tone, later in told:
        now += later
        seen.append((tone, now))
        found = crowd.hear(news(repr(tone)), ["BTC/USDT"], now)
    weights = [2.0 ** ((ts - now) / HOUR_MS) for _, ts in seen]
    total = sum(w * tone for w, (tone, _) in zip(weights, seen, strict=True))
    (mood,) = found
    assert mood.score == pytest.approx(total / (1 + sum(weights)), abs=1e-9)
    assert mood.volume == pytest.approx(sum(weights))
    assert mood.confidence == pytest.approx(sum(weights) / (1 + sum(weights)))


def test_a_text_without_a_tone_counts_as_read_and_moves_nothing() -> None:
    crowd = Crowd(Fixed())
    crowd.hear(news("0.5"), ["BTC/USDT"], 0)
    (after,) = crowd.hear(news(""), ["BTC/USDT"], 0)
    assert (after.score, after.volume, after.confidence) == (0.25, 2.0, 0.5)


def test_a_text_is_about_the_assets_it_names() -> None:
    both = (BTC, ETH)
    assert concerned(news("Fed holds rates"), both) == ["BTC/USDT", "ETH/USDT"]
    assert concerned(news("x", "ETH"), both) == concerned(news("x", "ETH/USDT"), both) == ["ETH/USDT"]
    assert concerned(news("Bitcoin beats gold"), both) == concerned(news("BTC beats gold"), both) == ["BTC/USDT"]
    assert concerned(news("x", "DOGE"), both) == []


def test_a_scorer_that_leaves_the_scale_is_stopped() -> None:
    with pytest.raises(ValueError, match="a tone must be in"):
        Crowd(Fixed()).hear(news("7"), ["BTC/USDT"], 0)
    with pytest.raises(ValueError, match="a tone must be in"):
        Crowd(Fixed()).hear(news(str(math.nan)), ["BTC/USDT"], 0)
