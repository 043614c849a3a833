"""The risk page and its pictures: well-formed, finite, and saying what was found."""

import re
from dataclasses import fields, replace
from io import StringIO
from xml.etree import ElementTree

import numpy as np
import pytest
from markupsafe import Markup
from rich.console import Console

from seakeep.backtest.pages import riskcharts
from seakeep.backtest.pages.riskfindings import Findings, Lead, SizedPosition, SizingRule, as_data, plain
from seakeep.backtest.pages.riskpage import render
from seakeep.backtest.pages.riskterminal import risk_tables
from seakeep.stats.performance import Estimate
from tests.unit.backtest.riskfactory import START, SYMBOLS, findings


def parsed(chart: Markup) -> ElementTree.Element:
    """The chart as a tree: it must be well-formed, and no number may be NaN or infinite."""
    assert not re.search(r"\b(nan|inf)\b", chart, re.IGNORECASE)
    return ElementTree.fromstring(chart)


def label(chart: Markup) -> str:
    return parsed(chart).get("aria-label", "")


def test_a_bar_stands_for_each_position_and_a_hedge_points_left() -> None:
    found = findings().components
    assert found is not None
    chart = parsed(riskcharts.components_chart(found, SYMBOLS))
    bars = [bar for bar in chart.iter("rect") if bar.get("class", "").startswith("bar")]
    zero = next(line for line in chart.iter("line") if line.get("class") == "zero")
    assert [bar.get("class") for bar in bars] == ["bar down", "bar down", "bar up"]
    assert float(bars[2].get("x", "")[:-1]) < float(zero.get("x1", "")[:-1])


def test_as_many_dots_as_losses_beyond_what_was_foreseen() -> None:
    trial = findings().trial
    assert trial is not None
    for column, rows in enumerate(trial.failed):
        chart = riskcharts.exceedance_chart(trial.ts, trial.returns, trial.var[:, column], rows, "VaR")
        assert len(list(parsed(chart).iter("circle"))) == len(rows)
        assert label(chart).startswith(f"{len(rows)} of {len(trial.returns):,} losses beyond")


def test_the_histogram_marks_var_and_cvar_and_holds_every_path() -> None:
    found = findings().simulation
    assert found is not None
    assert found.counts.sum() == found.summary.n
    chart = parsed(riskcharts.loss_chart(found.edges, found.counts, [("VaR", 0.1), ("CVaR", 0.15)]))
    marks = [line for line in chart.iter("line") if line.get("class") == "mark"]
    assert float(marks[1].get("x1", "")[:-1]) < float(marks[0].get("x1", "")[:-1])
    assert [text.text for text in chart.iter("text") if text.get("class") == "value"] == ["VaR 10.0%", "CVaR 15.0%"]


def test_the_fan_ends_where_the_summary_does() -> None:
    found = findings().simulation
    assert found is not None
    said = label(riskcharts.fan_chart(found.fan, found.days, 0.2))
    median = dict(found.summary.percentiles)[50].value - 1
    assert f"median {median:+.2%}".replace("-", "\N{MINUS SIGN}") in said


def test_a_survival_curve_for_each_capital() -> None:
    ruin = findings().ruin
    assert ruin is not None
    chart = parsed(riskcharts.survival_chart(ruin.survivors.curves, ruin.per_day, "USDT"))
    names = [title.text for title in chart.iter("title")]
    assert names == ["7,500.00 USDT", "10,000.00 USDT", "15,000.00 USDT", "20,000.00 USDT"]


def test_volatility_is_drawn_from_zero() -> None:
    ts = START + np.arange(50) * 86_400_000
    chart = riskcharts.volatility_chart(ts, np.full(50, 0.5), "garch")
    assert label(chart) == "Volatility a year by garch, from 50% to 50%"


def test_the_page_shows_every_part_that_was_found() -> None:
    page = render(findings())
    for title in (
        "Which position carries it",
        "How much can it lose",
        "The court",
        "Where it may go",
        "Will it survive",
        "What a bad day does",
        "What moves together",
        "How much it moves",
    ):
        assert f"<h2>{title}" in page
    found = findings().components
    assert found is not None
    assert f"<b>{found.cvar.value:.2%}</b>" in page


def test_sizes_and_leads_are_on_the_page_and_escaped() -> None:
    rule = SizingRule(
        rule="Kelly, <b>book</b>",
        says="a quarter",
        share=Estimate(0.27, 0.0, 0.65, 900),
        positions=(SizedPosition("BTC/USDT", Estimate(0.135, 0.0, 0.33, 900)),),
        warnings=("hardly told from noise",),
    )
    lead = Lead("BTC/USDT", "ETH/USDT", -2, 0.31, 0.04, 0.001, "ETH/USDT", 900)
    page = render(replace(findings(), sizing=(rule,), leads=(lead,)))
    assert "<h2>How large it may be" in page
    assert "Kelly, &lt;b&gt;book" in page
    assert "0.00% to 33.0%" in page or "0.0% to 33.0%" in page
    assert "hardly told from noise" in page
    assert "ETH/USDT leads BTC/USDT by 2 bars: correlation 0.31 ± 0.04" in page
    assert "no lag stands out" in render(findings())
    shown = Console(file=StringIO(), width=100)
    shown.print(*risk_tables(replace(findings(), sizing=(rule,), leads=(lead,))))
    assert "ETH/USDT leads BTC/USDT by 2 bars" in shown.file.getvalue()
    assert "Kelly, <b>book</b>" in shown.file.getvalue()


def test_a_part_that_was_not_asked_for_is_not_there() -> None:
    whole = findings()
    page = render(Findings(measured=whole.measured, stresses=whole.stresses))
    assert re.findall(r"<h2>(.*?)</h2>", page) == ["Before you believe this", "What a bad day does"]


@pytest.mark.parametrize("part", [f.name for f in fields(Findings) if f.name != "measured"])
def test_page_terminal_and_document_stand_without_any_one_part(part: str) -> None:
    whole = findings()
    empty = () if isinstance(getattr(whole, part), tuple) else None
    fewer = replace(whole, **{part: empty})
    assert "<footer>" in render(fewer)
    shown = StringIO()
    Console(file=shown, width=80).print(*risk_tables(fewer), sep="\n")
    assert shown.getvalue().startswith("book.toml: equity 10,000.00 USDT")
    assert part not in as_data(fewer)


def test_what_is_missing_is_said_before_the_numbers() -> None:
    page = render(findings(days=300))
    assert "the court is missing: the VaR court needs at least 1000 returns (got 300)" in page
    assert page.index("Before you believe this") < page.index("Which position carries it")


def test_names_from_outside_are_text_and_no_script_can_run() -> None:
    whole = findings()
    page = render(replace(whole, measured=replace(whole.measured, source="<script>alert(1)</script>.toml")))
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;.toml" in page
    assert "default-src 'none'" in page
    assert "script-src" not in page


def test_the_document_holds_plain_values_and_no_whole_series() -> None:
    data = as_data(findings())
    assert plain({"a": (np.float64(1.5), np.array([[1, 2]]))}) == {"a": [1.5, [[1, 2]]]}
    assert "ts" not in data["trial"]
    assert data["measured"]["positions"][2]["weight"] == -0.2
    assert data["components"]["cvar_component"][2] < 0
