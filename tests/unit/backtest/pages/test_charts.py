"""Charts are well-formed, finite and say what the data say."""

import json
import re
from collections.abc import Sequence
from decimal import Decimal
from xml.etree import ElementTree

import numpy as np
import pytest
from markupsafe import Markup

from seakeep.backtest.pages.charts import MARKED, costs_chart, equity_chart, exposure_chart, pnl_chart, price_chart
from seakeep.core.orders import Side
from seakeep.core.units import HOUR_MS
from seakeep.execution.trips import RoundTrip
from seakeep.stats.returns import drawdown
from tests.unit.backtest.factory import START, walk


def parsed(chart: Markup) -> ElementTree.Element:
    """The chart as a tree: it must be well-formed, and no number may be NaN or infinite."""
    assert not re.search(r"\b(nan|inf)\b", chart, re.IGNORECASE)
    return ElementTree.fromstring(chart)


def a_trip(entry: int, leave: int, pnl: int, side: Side = Side.BUY) -> RoundTrip:
    """A trip between two hours after the start."""
    stamps = (START + entry * HOUR_MS, START + leave * HOUR_MS)
    one = Decimal(1)
    return RoundTrip(*stamps, "BTC/USDT", side, one, 100 * one, (100 + pnl) * one, one, pnl * one, pnl / 100)


def equity(levels: Sequence[float]) -> Markup:
    """The equity chart of hourly levels against a flat benchmark."""
    column = np.array(levels)
    ts = START + np.arange(len(column)) * HOUR_MS
    return equity_chart(ts, column, np.full(len(column), levels[0]), drawdown(column))


def test_the_equity_chart_says_in_words_what_it_shows() -> None:
    picture = parsed(equity([100.0, 120.0, 90.0])).find("svg")
    assert picture is not None
    assert picture.get("role") == "img"
    assert picture.get("aria-label") == ("Equity from 100.00 to 90.00, buy-and-hold to 100.00, largest drawdown 25.00%")


def test_the_read_out_holds_the_drawn_points_and_at_most_1200() -> None:
    rows = json.loads(parsed(equity([100.0, 120.0, 90.0])).get("data-rows", ""))
    assert rows[2] == [START + 2 * HOUR_MS, 90.0, 100.0, 0.25]
    levels = 100 + np.random.default_rng(3).normal(size=30_000).cumsum() / 100
    assert len(json.loads(parsed(equity(levels.tolist())).get("data-rows", ""))) == 1200


@pytest.mark.parametrize("levels", [[100.0], [100.0, 100.0], [5e-9, 4e-9], [1e15, 2e15], [100.0, -5.0, 0.0]])
def test_an_equity_chart_survives_strange_accounts(levels: list[float]) -> None:
    paths = [p.get("d", "") for p in parsed(equity(levels)).iter("path")]
    assert len(paths) == 3
    assert all(re.fullmatch(r"M-?\d+,-?\d+(L-?\d+,-?\d+)+Z?", d) for d in paths)


def test_each_trip_is_marked_where_and_when_it_traded() -> None:
    bars = walk("BTC/USDT", 10, "1h")
    chart = parsed(price_chart(bars, [a_trip(2, 5, 1, Side.SELL)], START, START + 10 * HOUR_MS))
    entry, leave = chart.iter("use")
    assert (entry.get("href"), entry.get("x"), leave.get("x")) == ("#mark-short", "20.00%", "50.00%")
    assert entry.findtext("title") == "short 1 at 100.00, 2024-01-01 02:00 (+1.00%)"
    assert leave.get("class") == "win"


def test_only_the_latest_trips_are_marked_on_a_crowded_chart() -> None:
    trips = [a_trip(i, i + 1, 1) for i in range(MARKED + 50)]
    chart = parsed(price_chart(walk("BTC/USDT", 400, "1h"), trips, START, START + 400 * HOUR_MS))
    marks = list(chart.iter("use"))
    assert len(marks) == 2 * MARKED
    assert marks[0].get("x") == f"{50 / 4:.2f}%"


def test_candles_stand_at_their_time_across_a_gap() -> None:
    bars = walk("BTC/USDT", 100, "1h")
    rows = np.r_[0:10, 90:100]
    gapped = type(bars)(
        "BTC/USDT", "1h", *(c[rows] for c in (bars.ts, bars.open, bars.high, bars.low, bars.close, bars.volume))
    )
    chart = parsed(price_chart(gapped, [], START, START + 100 * HOUR_MS))
    wicks = [p.get("d", "") for p in chart.iter("path") if "wick" in p.get("class", "")]
    x = sorted(int(m) for d in wicks for m in re.findall(r"M(\d+),", d))
    assert len(x) == 20
    assert x[9] == round(9.5 * 40)
    assert x[10] == round(90.5 * 40)


def test_long_series_share_candles_that_keep_the_extremes() -> None:
    bars = walk("BTC/USDT", 20_000, "5m")
    chart = parsed(price_chart(bars, [], START, int(bars.known_at[-1])))
    wicks = "".join(p.get("d", "") for p in chart.iter("path") if "wick" in p.get("class", ""))
    ends = [int(y) for y in re.findall(r"[,V](\d+)", wicks)]
    assert len(ends) <= 360
    pad = 0.05 / 1.1 * 2600
    assert (min(ends), max(ends)) == (pytest.approx(pad, abs=2), pytest.approx(2600 - pad, abs=2))


def test_longs_stack_above_zero_and_shorts_below() -> None:
    ts = START + np.arange(3) * HOUR_MS
    weights = np.array([[0.1, 0.2, -0.3]] * 3)
    chart = parsed(exposure_chart(ts, weights, ("A", "B", "C")))
    assert [g.findtext("title") for g in chart.iter("g")] == ["A", "B", "C"]
    top = [min(int(y) for y in re.findall(r",(\d+)", p.get("d", ""))) for p in chart.iter("path")]
    assert top[1] < top[0] < top[2]
    assert chart.get("aria-label") == "Exposure by symbol over time, 60.0% of equity on average"


def test_a_name_cannot_leave_its_chart() -> None:
    evil = '"><script>alert(1)</script>'
    bars = walk(evil, 5, "1h")
    for chart in (
        price_chart(bars, [], START, START + 5 * HOUR_MS),
        exposure_chart(bars.ts, np.ones((5, 1)), (evil,)),
        costs_chart(1.0, [(evil, 1.0)], evil),
        pnl_chart(np.array([1.0]), evil),
    ):
        assert [e for e in parsed(chart).iter() if e.tag == "script"] == []
        assert "<script" not in chart


def test_costs_step_down_from_profit_before_costs_to_the_net() -> None:
    chart = parsed(costs_chart(100.0, [("Fees", 30.0), ("Funding", -10.0)], "USDT"))
    titles = [r.findtext("title") for r in chart.iter("rect")]
    assert titles == [
        "Before costs: +100.00 USDT",
        "Fees: −30.00 USDT",
        "Funding: +10.00 USDT",
        "Net profit: +80.00 USDT",
    ]
    assert chart.get("aria-label") == "Profit before costs 100.00, after 80.00 USDT"


@pytest.mark.parametrize("pnl", [[0.0], [-3.0] * 9, [5e-7], [1e9, -1e9], [-1.0, 0.0, 1.0, 2.5]])
def test_the_histogram_counts_every_trip_once_and_splits_at_zero(pnl: list[float]) -> None:
    bars = list(parsed(pnl_chart(np.array(pnl), "USDT")).iter("rect"))
    counted = dict.fromkeys(("bar up", "bar down"), 0)
    for bar in bars:
        counted[bar.get("class", "")] += int((bar.findtext("title") or "0").split()[0])
    assert counted == {"bar up": sum(p >= 0 for p in pnl), "bar down": sum(p < 0 for p in pnl)}
