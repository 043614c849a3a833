import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seakeep.backtest.pages.sharpetable import as_json, rows, says, table
from seakeep.backtest.sharpeline import judge
from seakeep.core.units import DAY_MS, YEAR_MS
from seakeep.stats.overfitting import Search, SharpeSample, deflated_sharpe
from seakeep.stats.performance import measure

RETURNS = np.random.default_rng(3).normal(0.0015, 0.02, 730)


def test_alone_it_is_the_sharpe_ratio_of_the_metrics():
    equity = np.append(1.0, np.cumprod(1 + RETURNS))
    metrics = measure(np.arange(731) * DAY_MS, equity)
    line = judge(RETURNS, "1d")
    ours = (line.sharpe.value, line.sharpe.low, line.sharpe.high, line.psr)
    theirs = metrics["sharpe"]
    assert ours == pytest.approx((theirs.value, theirs.low, theirs.high, metrics["psr"].value))
    assert line.dsr == line.psr


def test_given_a_search_it_is_the_papers_example():
    """Returns with the moments of the example would give 0.9004; here the formula is fed with ours."""
    line = judge(RETURNS, "1d", Search(300, 100.0, 0.5))
    deviations = (RETURNS - RETURNS.mean()) / RETURNS.std()
    sample = SharpeSample(
        RETURNS.mean() / RETURNS.std(ddof=1), 730, (deviations**3).mean(), float((deviations**4).mean())
    )
    assert line.dsr == pytest.approx(deflated_sharpe(sample, 100, 0.5 / 365))
    assert line.luck == pytest.approx(2.5306 * math.sqrt(0.5), rel=1e-4)


def test_a_record_as_long_as_needed_is_just_judged_skill():
    line = judge(np.tile(RETURNS, 8), "1d", Search(20, 20.0, 0.4))
    bars = math.ceil(line.needed_ms / DAY_MS)
    assert line.passes
    assert line.record_ms == 8 * 730 * DAY_MS
    shorter = SharpeSample(line.sharpe.value / math.sqrt(365), bars, 0.0, 3.0)
    assert deflated_sharpe(shorter, 20, 0.4 / 365) == pytest.approx(0.95, abs=0.003)


@given(st.integers(1, 3000), st.floats(0, 4))
def test_a_search_never_makes_it_surer(n, variance):
    line = judge(RETURNS, "1d", Search(n, float(n), variance))
    assert line.dsr <= line.psr


def test_two_equal_trials_do_not_pretend_that_luck_has_no_spread():
    line = judge(RETURNS, "1d", Search(2, 2.0, 0.0))
    assert line.luck == pytest.approx(math.sqrt(365 / 730) * 0.5195, abs=2e-3)


def test_a_family_gives_the_probability_of_overfitting():
    noise = np.random.default_rng(5).normal(0, 0.01, (500, 30))
    line = judge(noise[:, 0], "1d", family=noise)
    assert (line.family, 0 <= line.pbo <= 1) == (30, True)
    assert "Overfitting" in {row.label for row in rows(line)}


@pytest.mark.parametrize("returns", [np.zeros(400), RETURNS[:20], np.array([])])
def test_what_is_not_known_is_said_and_does_not_pass(returns):
    line = judge(returns, "1d", Search(5, 5.0, 1.0))
    assert not line.passes
    assert says(line).startswith("Too few returns")
    assert as_json(line)["dsr"] is None
    assert "n/a" in [row.value for row in rows(line)]


def test_skill_that_was_chosen_among_many_alike_is_not_called_shown():
    line = msgspec.structs.replace(judge(np.tile([0.01, 0.02], 300), "1d"), pbo=0.79, family=80)
    assert line.passes
    assert says(line) == "Skill is shown by this result, but choosing it overfits: 79.0% of such choices do."


def test_the_odds_of_overfitting_are_missed_where_no_family_is_given():
    said = {row.label: row for row in rows(judge(RETURNS, "1d"))}["Overfitting"]
    assert said.value == "n/a"
    assert said.meaning.startswith("not known: nothing it was chosen from is at hand")


def test_no_record_is_long_enough_for_a_ratio_below_luck():
    line = judge(RETURNS, "1d", Search(1000, 1000.0, 4.0))
    assert line.needed_ms == math.inf
    assert as_json(line)["needed_ms"] is None
    assert table(line).row_count == 7


def test_hours_and_days_of_the_same_record_agree_on_time():
    hours = np.random.default_rng(6).normal(0.0004, 0.01, 8760)
    line = judge(hours, "1h")
    assert line.record_ms == YEAR_MS
    assert line.sharpe.value == pytest.approx(hours.mean() / hours.std(ddof=1) * math.sqrt(8760))
