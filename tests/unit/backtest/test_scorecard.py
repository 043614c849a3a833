"""Walking forward nothing of the future is known, what is planted is found, and noise is not."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from seakeep.backtest.pages.scorecharts import reliability_chart
from seakeep.backtest.pages.scorepage import Sheet, render, says
from seakeep.backtest.scorecard import NAIVE, Bin, earlier_blocks, mean_interval, reliability, score, walk_forward
from seakeep.core.errors import NotEnoughHistory
from seakeep.models import EXPERTS
from seakeep.models.importance import importance
from seakeep.models.training import Panel, panel
from tests.unit.backtest.factory import walk

HOUR = 3_600_000


@pytest.fixture(scope="module")
def bars():
    return walk("BTC/USDT", 3000, "1h", seed=5)


def _panel(bars, planted=0.0):
    expert = EXPERTS["rsi"](horizon=4)
    rows = panel([bars], expert)
    return expert, replace(rows, y=rows.y + planted * rows.naive * (rows.frame["rsi:14"] - 50) / 50)


def test_a_training_row_is_decided_before_its_block_begins():
    ts, lasts = np.tile(np.arange(0, 400), 2) * HOUR, np.full(800, 7 * HOUR)
    for train, test in earlier_blocks(ts, lasts, 4, embargo=HOUR):
        assert (ts[train] + lasts[train]).max() <= ts[test].min() - HOUR
    blocks = [test for _, test in earlier_blocks(ts, lasts, 4)]
    assert sorted(np.concatenate(blocks).tolist()) == np.flatnonzero(ts >= ts[blocks[0]].min()).tolist()
    with pytest.raises(NotEnoughHistory):
        earlier_blocks(ts[:3], lasts[:3], 5)


def test_what_comes_later_changes_no_earlier_forecast(bars):
    expert, rows = _panel(bars)
    first = walk_forward(expert, rows, 1, 3)
    last = first.folds[-1][1]
    poisoned = rows.y.copy()
    poisoned[last] = 1.0
    second = walk_forward(expert, replace(rows, y=poisoned), 1, 3)
    np.testing.assert_array_equal(first.said, second.said)
    np.testing.assert_array_equal(first.prob_up, second.prob_up)


def test_a_planted_signal_is_found_and_noise_is_not(bars):
    found = {
        planted: score(walk_forward(*_panel(bars, planted), 1), _panel(bars, planted)[1]) for planted in (0.0, 2.0)
    }
    assert found[2.0].skill.low > 0.1
    assert found[2.0].against[0].low > 0
    assert found[2.0].brier < found[2.0].brier_base
    assert found[2.0].accuracy_low > 0.5
    assert found[0.0].skill.low < 0 < found[0.0].skill.high
    assert found[0.0].against[0].low < 0
    assert [a.name for a in found[0.0].against] == list(NAIVE)


def test_the_interval_of_a_mean_holds_it_as_often_as_it_says():
    held = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        x = np.convolve(rng.normal(size=1211), np.ones(12) / 12, "valid")
        _, low, high, _ = mean_interval(np.arange(1200), x, 12)
        held += low <= 0 <= high
    assert 0.89 <= held / 200 <= 0.985


def test_symbols_that_move_together_count_once():
    x = np.random.default_rng(1).normal(size=500)
    ts = np.arange(500)
    assert mean_interval(np.tile(ts, 3), np.tile(x, 3), 1) == pytest.approx(mean_interval(ts, x, 1))


def test_a_perfect_forecaster_lies_on_the_diagonal():
    rng = np.random.default_rng(3)
    p = rng.uniform(0.2, 0.8, 20_000)
    bins = reliability(np.arange(20_000), p, rng.uniform(size=20_000) < p, 1)
    assert max(abs(b.came - b.said) for b in bins) < 0.04
    assert sum(b.low <= b.said <= b.high for b in bins) >= 8
    assert sum(b.n for b in bins) == 20_000


def test_an_expert_without_direction_has_no_skill_and_its_page_says_so(bars):
    expert = EXPERTS["volatility"](horizon=4)
    rows = panel([bars], expert)
    card = score(walked := walk_forward(expert, rows, 1), rows)
    sheet = Sheet("volatility <b>", "volatility", 4, card, bars, walked.said, importance(expert, rows.frame, rows.y, 1))
    assert (card.calls, card.against[0].gain) == (0, 0.0)
    assert says(sheet).startswith("It says nothing of the direction")
    page = render([sheet], "made bars")
    assert "volatility &lt;b&gt;" in page
    assert "NaN" not in page
    assert "<script" not in page


def test_a_bin_too_small_for_an_interval_does_not_stretch_the_picture():
    sound, odd = Bin(0.5, 0.52, 0.48, 0.56, 900), Bin(0.51, 0.07, float("nan"), float("nan"), 3)
    assert reliability_chart([sound, odd]) == reliability_chart([sound])
    assert "7.0% of 3" in reliability_chart([odd])


def test_opinions_that_are_all_as_sure_are_told_in_words(bars):
    expert = EXPERTS["ma"](horizon=4)
    rows = panel([bars], expert)
    card = score(walk_forward(expert, rows, 1, 3), rows)
    said = np.full((len(bars), 2), 0.01)
    alike = replace(
        card, certainty=tuple(msgspec.structs.replace(row, n=row.n * (i == 0)) for i, row in enumerate(card.certainty))
    )
    pages = [render([Sheet("ma", "technical", 4, one, bars, said)], "bars") for one in (card, alike)]
    assert ["so none is surer" in page for page in pages] == [False, True]


def test_no_outcome_is_an_error_and_no_figure(bars):
    expert, rows = _panel(bars)
    walked = walk_forward(expert, rows, 1, 2)
    empty = Panel(rows.frame, np.full(len(rows.y), np.nan), rows.naive, rows.horizon_ms)
    with pytest.raises(NotEnoughHistory, match="no row"):
        score(walked, empty)
