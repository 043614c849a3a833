"""The section about beliefs counts votes as they were and draws parts that add up."""

import re

import pytest

from seakeep.backtest.pages.panelsection import panel_section, votes
from seakeep.core.verdicts import Decision
from seakeep.strategy.explain import Reasons, Voice
from tests.unit.backtest.factory import make


def _decision(n, score, *parts):
    return Decision(f"d{n}", "trend", "BTC/USDT", n, 0.1, score, 0.8, parts, regime="bull", dissent=0.5)


def test_votes_are_counted_where_they_were_heard():
    found = votes([_decision(1, 0.5, ("ma", 0.6), ("rsi", -0.1)), _decision(2, -0.4, ("rsi", -0.4))])
    assert [(v.source, v.heard) for v in found] == [("rsi", 2), ("ma", 1)]
    assert found[0].agreed == 0.5
    assert found[0].share == pytest.approx((1 / 7 + 1) / 2)
    assert votes([_decision(1, 0.0)]) == ()


def test_a_run_without_decisions_has_no_section():
    assert panel_section(make(every=0)) == ""


def test_the_section_shows_each_voice_each_decision_and_its_words():
    result = make()
    latest = result.decisions[-1]
    voice = Voice("trend <i>", "technical", 0.3, 1.0)
    reasons = {latest.id: Reasons(latest.symbol, latest.ts, 0.3, 0.7, (voice,), (("garch", "it has no direction"),))}
    page = str(panel_section(result, reasons))
    assert page.count("<details>") == 12
    assert "garch was silent: it has no direction." in page
    assert "trend &lt;i&gt; (technical) adds +0.300" in page
    assert "NaN" not in page
    assert "<i>" not in page


def test_bars_of_a_decision_reach_from_zero_by_what_each_voice_added():
    page = str(panel_section(make()))
    wide = [float(w) for w in re.findall(r'class="bar s\d" x="[\d.]+%" width="([\d.]+)%"', page)]
    assert wide[0] / wide[1] == pytest.approx(4.0, rel=0.01)
