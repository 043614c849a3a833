from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seakeep.core.errors import DataError
from seakeep.core.market import BarFrame, NewsItem, Observation, OrderBook
from seakeep.core.units import MINUTE_MS, interval_ms
from seakeep.data.depth import BookSeen
from seakeep.data.feed import HistoricalFeed

MINUTES = st.lists(st.integers(0, 40), unique=True, max_size=20).map(sorted)


def frame(symbol, interval, minutes):
    return BarFrame.from_rows(symbol, interval, [(m * MINUTE_MS, m + 1, m + 3, m, m + 2, 5) for m in minutes])


def news(ts, known_at):
    return NewsItem("wire", "BTC rises", "", ("BTC/USDT",), "", ts, known_at)


@given(MINUTES, MINUTES, MINUTES)
def test_slices_are_the_bars_grouped_by_the_instant_they_are_known(first, second, third):
    frames = [frame("B/USDT", "1m", first), frame("A/USDT", "15m", second), frame("A/USDT", "5m", third)]
    slices = list(HistoricalFeed(frames))
    rows = [
        (ts + interval_ms(f.interval), f.symbol, interval_ms(f.interval), ts, close)
        for f in frames
        for ts, close in zip(f.ts.tolist(), f.close.tolist(), strict=True)
    ]
    bars = [(b.known_at, b.symbol, interval_ms(b.interval), b.open_time, b.close) for s in slices for b in s.bars]
    assert bars == sorted(rows)
    assert [s.ts for s in slices] == sorted({row[0] for row in rows})
    assert all(bar.known_at == s.ts for s in slices for bar in s.bars)


def test_a_delisted_symbol_is_simply_absent():
    slices = list(HistoricalFeed([frame("A/USDT", "1m", range(5)), frame("B/USDT", "1m", [0, 3])]))
    assert [[bar.symbol[0] for bar in s.bars] for s in slices] == [["A", "B"], ["A"], ["A"], ["A", "B"], ["A"]]


@given(MINUTES, st.integers(-1, 45))
def test_starting_after_an_instant_gives_the_tail_of_the_whole(minutes, cut):
    bars = [frame("A/USDT", "1m", minutes)]
    whole, tail = HistoricalFeed(bars), HistoricalFeed(bars, start_after=cut * MINUTE_MS)
    assert list(tail) == [s for s in whole if s.ts > cut * MINUTE_MS]
    assert len(tail) == len(list(tail))


def test_a_long_history_loses_and_doubles_nothing():
    frames = [frame("A/USDT", "1m", range(40_000)), frame("B/USDT", "5m", range(0, 50_000, 5))]
    slices = list(HistoricalFeed(frames))
    for one in frames:
        bars = [bar for s in slices for bar in s.bars if bar.symbol == one.symbol and bar.known_at == s.ts]
        assert [bar.open_time for bar in bars] == one.ts.tolist()
    stamps = [s.ts for s in slices]
    assert stamps == sorted(set(stamps))


def test_what_is_heard_comes_with_the_first_bar_at_which_it_is_known_and_never_before():
    rate, mood = (Observation("sim", name, "A/USDT:USDT", 0, 90_000, 0.0001) for name in ("funding_rate", "sentiment"))
    told = [news(0, 60_000), news(1, 60_001), news(1, 120_001)]
    feed = HistoricalFeed([frame("A/USDT", "1m", [0, 1])], [rate, mood], told)
    seen = [(s.ts, len(s.bars), [o.name for o in s.observations], [n.known_at for n in s.news]) for s in feed]
    assert seen == [
        (60_000, 1, [], [60_000]),
        (90_000, 0, ["funding_rate", "sentiment"], []),
        (120_000, 1, [], [60_001]),
    ]


@given(MINUTES.filter(len), st.lists(st.integers(0, 50 * MINUTE_MS), max_size=30), st.integers(-1, 45))
def test_nothing_is_heard_early_twice_or_in_another_order(minutes, known, cut):
    bars, told = [frame("A/USDT", "1m", minutes)], [news(at, at) for at in known]
    slices = list(HistoricalFeed(bars, (), told))
    heard = [(s.ts, item.known_at) for s in slices for item in s.news]
    ends = [s.ts for s in slices]
    assert heard == [(min(t for t in ends if t >= at), at) for at in sorted(known) if at <= ends[-1]]
    assert list(HistoricalFeed(bars, (), told[::-1], start_after=cut)) == [s for s in slices if s.ts > cut]


def test_of_several_books_the_newest_is_seen():
    books = [BookSeen(at, OrderBook(name, at, ((1.0, at),), ((2.0, 1.0),))) for at in (1, 5) for name in ("B/Y", "A/Y")]
    (slice_,) = HistoricalFeed([frame("A/Y", "1m", [0])], books=books)
    assert [(b.symbol, b.ts) for b in slice_.books] == [("A/Y", 5), ("B/Y", 5)]


def test_the_order_in_which_data_are_handed_over_does_not_matter():
    frames = [frame(f"{name}/USDT", "1m", range(4)) for name in "ABC"]
    facts = [Observation("sim", name, None, 0, 60_000, value) for name, value in (("a", 1.0), ("b", 2.0), ("c", 3.0))]
    assert list(HistoricalFeed(frames, facts)) == list(HistoricalFeed(frames[::-1], facts[::-1]))


@pytest.mark.parametrize("minutes", [[], [3]])
def test_a_feed_of_little_or_nothing_works(minutes):
    assert [b.open_time for b in chain(*(s.bars for s in HistoricalFeed([frame("A/USDT", "1m", minutes)])))] == [
        m * MINUTE_MS for m in minutes
    ]
    assert list(HistoricalFeed([])) == []


@pytest.mark.parametrize(
    ("minutes", "message"),
    [
        ([0, 2, 2], "A/USDT 1m: the bar at 1970-01-01T00:02:00Z is there twice"),
        ([0, 2, 1], "A/USDT 1m: the bar at 1970-01-01T00:01:00Z comes after 1970-01-01T00:02:00Z"),
    ],
)
def test_times_that_do_not_ascend_are_refused_by_symbol_and_time(minutes, message):
    with pytest.raises(DataError, match=message):
        HistoricalFeed([frame("A/USDT", "1m", minutes)])


def test_a_price_that_is_no_number_is_refused():
    rows = [(0, 1, 1, 1, 1, 1), (60_000, 1, 1, 1, np.nan, 1)]
    with pytest.raises(
        DataError, match=r"A/USDT 1m at 1970-01-01T00:01:00Z: close must be a finite number \(got nan\)"
    ):
        HistoricalFeed([BarFrame.from_rows("A/USDT", "1m", rows)])


def test_the_same_bars_twice_are_refused():
    with pytest.raises(DataError, match="A/USDT 1m bars were given twice"):
        HistoricalFeed([frame("A/USDT", "1m", [0]), frame("B/USDT", "1m", [0]), frame("A/USDT", "1m", [9])])


def test_news_from_the_future_are_refused():
    with pytest.raises(DataError, match="before it was published"):
        HistoricalFeed([], news=[news(60_000, 0)])
