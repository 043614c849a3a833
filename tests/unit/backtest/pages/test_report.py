"""The page as text: complete, closed to the network, deaf to hostile names, honest about small samples."""

import re
from base64 import b64encode
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from html.parser import HTMLParser
from io import StringIO

import msgspec
import numpy as np
import pytest
from rich.console import Console

from seakeep.backtest.pages.cautions import cautions
from seakeep.backtest.pages.figures import METRICS, figures, monthly
from seakeep.backtest.pages.report import render
from seakeep.backtest.pages.terminal import tables
from seakeep.backtest.pages.trail import funnel, reasons
from seakeep.backtest.result import Result, digest
from seakeep.core.orders import Status
from seakeep.core.verdicts import Outcome
from seakeep.stats.performance import Estimate
from tests.unit.backtest.factory import make

VOID = {"meta", "link", "br", "input"}


class Page(HTMLParser):
    """Reads a page strictly: every tag closed in order; keeps tags, attributes, ids and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] not in ("script", "style"):
            self.text += data


def terminal(result: Result) -> str:
    """What the terminal shows."""
    out = StringIO()
    Console(file=out, width=110, highlight=False).print(*tables(result), sep="\n")
    return out.getvalue()


@pytest.mark.parametrize(
    "result",
    [make(), make(every=0), make(bars=1), make(bars=1, every=0), make(drift=-0.01), make(bars=9000, interval="5m")],
    ids=["ordinary", "no trades", "one bar", "nothing at all", "all lost", "a month of 5m"],
)
def test_every_run_gives_a_whole_page_without_nan(result: Result) -> None:
    page = Page(render(result))
    assert not re.search(r"\b(nan|inf|None|undefined)\b", page.text)
    assert not [value for _, value in page.attributes if re.search(r"\b(nan|inf)\b", value, re.IGNORECASE)]
    assert digest(result.fills) in page.text
    assert "nan" not in terminal(result)


def test_nothing_on_the_page_comes_from_elsewhere() -> None:
    html = render(make())
    page = Page(html)
    links = [value for name, value in page.attributes if name in ("src", "href", "srcset", "action", "data", "poster")]
    assert {link for link in links if not link.startswith("#")} == {"data:,"}
    assert "http:" not in html.replace("http-equiv", "")
    assert not re.search(r"https:|url\(|@import|fetch\(|XMLHttp", html)


def test_the_content_policy_allows_only_the_script_the_page_was_written_with() -> None:
    html = render(make())
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    allowed = re.search(r"script-src 'sha256-([^']+)'", html)
    assert allowed is not None
    assert allowed[1] == b64encode(sha256(script.encode()).digest()).decode()
    assert "default-src 'none'" in html


@pytest.mark.parametrize(
    "evil",
    ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7 * 7 }}", "[red]x[/red]", "'-alert(1)-'"],
)
def test_a_hostile_name_is_only_text(evil: str) -> None:
    result = make(symbols=(evil, "ETH/USDT"), strategy=evil, bars=60)
    hits = tuple(msgspec.structs.replace(v, flip=evil) for v in result.verdicts)
    result = replace(result, run_id=evil, verdicts=hits, manifest={evil: {evil: evil}, "seed": evil})
    page = Page(render(result))
    assert page.text.count(evil) > 8
    assert page.tags.count("script") == 1
    assert "img" not in page.tags
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert evil in terminal(result)


def test_ninety_days_of_four_symbols_stay_under_a_megabyte_and_a_half() -> None:
    result = make(("BTC/USDT", "ETH/USDT", "SOL/USDT", "KLP/USDT"), 25_920, "5m", every=24)
    assert len(result.trips) > 2000
    page = render(result)
    assert len(page.encode()) < 1_500_000
    count = sum(trip.symbol == "BTC/USDT" for trip in result.trips)
    assert f"the last 300 of {count} round trips are marked" in page


def test_the_sections_agree_with_the_result() -> None:
    result = make()
    text = Page(render(result)).text
    final = f"{result.curves.equity[-1]:,.2f}"
    assert final in text
    assert final in terminal(result)
    assert all(METRICS[name].label in text for name in result.metrics)
    assert "position cut to the largest allowed" in text


def test_the_funnel_counts_every_verdict_and_every_refused_order() -> None:
    result = make()
    refused = msgspec.structs.replace(result.orders[0], status=Status.REJECTED, reason="max_open: too many open")
    result = replace(result, orders=(refused, *result.orders[1:]))
    counts = funnel(result)
    assert dict(counts.outcomes).keys() == set(Outcome)
    assert sum(n for _, n in counts.outcomes) == counts.decisions == len(result.verdicts)
    spoken = {(r.rule, r.severity): r.count for r in reasons(result.verdicts, result.orders)}
    assert spoken == {("max_weight", "warn"): dict(counts.outcomes)[Outcome.RESIZED], ("max_open", "order"): 1}


def test_a_decision_that_was_never_judged_says_so() -> None:
    assert "not reviewed" in Page(render(replace(make(bars=60), verdicts=()))).text


def test_monthly_returns_compound_to_the_year_and_the_year_to_the_run() -> None:
    ts = np.array([f"2023-{m:02d}-28T00:00" for m in range(1, 13)] + ["2024-01-15T00:00"], "datetime64[ms]")
    equity = np.array([101, 102, 99, 99, 104, 103, 110, 108, 108, 111, 120, 121, 110], np.float64)
    years = monthly(ts.astype(np.int64), equity, np.full(13, 100.0), 100.0)
    assert [year.year for year in years] == [2023, 2024]
    assert (years[0].total.text, years[1].total.text, years[1].months[0].text) == ("+21.0%", "−9.1%", "−9.1%")
    assert years[0].months[2] == years[0].months[2].__class__("−2.9%", "0.0%", -32)
    assert years[1].months[1].text == ""


def test_a_month_boundary_is_utc_midnight() -> None:
    ts = np.array([datetime.fromisoformat(t).timestamp() * 1000 for t in ("2024-01-31T23:59Z", "2024-02-01T00:00Z")])
    (year,) = monthly(ts.astype(np.int64), np.array([110.0, 99.0]), np.array([100.0, 100.0]), 100.0)
    assert (year.months[0].text, year.months[1].text) == ("+10.0%", "−10.0%")


def test_an_interval_that_spans_zero_is_called_luck() -> None:
    result = make()
    doubtful = replace(result, metrics={"sharpe": Estimate(1.2, -0.4, 2.8, 240)})
    sure = replace(result, metrics={"sharpe": Estimate(2.2, 0.6, 3.8, 240)})
    assert "−0.40 to 2.80, spans zero: this result cannot be told from luck" in " ".join(cautions(doubtful))
    assert "luck" not in " ".join(cautions(sure))


def test_a_year_of_many_trades_raises_no_doubt_about_its_size() -> None:
    short, long = make(bars=240), make(bars=9_000, every=60)
    assert "under a year" in " ".join(cautions(short))
    assert "Only 12 round trips were closed" in " ".join(cautions(short))
    assert not re.search("under a year|closed", " ".join(cautions(long)))


def test_an_estimate_without_an_interval_shows_none() -> None:
    result = replace(make(), metrics={"calmar": Estimate(1.5, n=9), "own_thing": Estimate(2.0, 1.0, 3.0, 9)})
    rows = {row.label: (row.value, row.interval) for row in figures(result)}
    assert rows == {"Calmar": ("1.50", ""), "Own thing": ("2.00", "1.00 to 3.00")}
