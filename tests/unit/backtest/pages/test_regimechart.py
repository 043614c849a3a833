"""The regime-coloured price: bands where the labels are, probabilities that fill the strip, names escaped."""

import re

import numpy as np
import pytest

from seakeep.backtest.pages.regimechart import COLOURS, regime_chart
from seakeep.backtest.pages.regimepage import RegimeView, render
from seakeep.core.market import BarFrame
from seakeep.models.regimeperformance import by_regime
from seakeep.models.regimes import LABELS, RegimeTable


def view(codes, symbol="A/B"):
    n = len(codes)
    close = 100 + np.arange(n, dtype=float)
    bars = BarFrame(symbol, "1h", 3_600_000 * np.arange(n), *([close] * 4), np.ones(n))
    table = RegimeTable(bars.known_at, np.eye(5)[codes], codes, np.ones(n))
    return RegimeView(bars, table, by_regime(codes, np.full(n, 0.001), 8_760))


def test_each_label_is_a_band_over_its_own_time():
    shown = view(np.repeat([0, 1, 3], 40))
    chart = str(regime_chart(shown.bars, shown.table))
    bull = re.search(rf'fill:{re.escape(COLOURS["bull"])};[^>]*d="M(\d+),0H(\d+)V', chart)
    assert bull
    assert (int(bull[1]), int(bull[2])) == (0, round(4000 * 40 / 119))
    assert "bull 33%, bear 33%, volatile 33%" in chart


def test_the_strip_of_probabilities_is_full_at_every_moment():
    shown = view(np.resize([0, 1, 2, 3, 4], 1_000))
    chart = str(regime_chart(shown.bars, shown.table))
    strips = re.findall(r'opacity:0\.75" d="M([^Z]*)Z', chart)
    assert len(strips) == len(LABELS)
    tops = [int(point.split(",")[1]) for point in strips[-1].split("L")]
    assert min(tops) == 0


def test_bars_and_regimes_must_belong_together():
    shown = view(np.zeros(50, int))
    with pytest.raises(ValueError, match="do not belong"):
        regime_chart(shown.bars.rows(0, 40), shown.table)


def test_a_page_tells_the_state_of_each_symbol_and_escapes_its_name():
    page = render([view(np.repeat([0, 2], 60), "<b>/USDT")], "vote", "fitted on <i>")
    assert "<b>/USDT" not in page
    assert "fitted on &lt;i&gt;" in page
    assert re.search(r"<dd>ranging</dd><dd class=\"note\">100% sure", page)
