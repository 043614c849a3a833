import math
from statistics import NormalDist

import numpy as np
import pytest

from seakeep.backtest.controls.leaks import KINDS, Reader, draw_readers
from seakeep.backtest.controls.noise import NoiseParams, market
from seakeep.backtest.controls.planting import planted
from seakeep.backtest.controls.rates import ControlParams, Controls, Rate, run_controls, steps
from seakeep.backtest.controls.rulesearch import SPECS, _tally, draw_rules, rule_returns, search
from seakeep.backtest.pages.controlspage import markdown
from seakeep.core.errors import ConfigError
from seakeep.stats.performance import Estimate, sharpe
from seakeep.stats.returns import simple_returns


@pytest.mark.parametrize("interval", ["1h", "1d"])
@pytest.mark.parametrize("edge", [0.0, 0.5, 2.0])
def test_the_planted_edge_is_as_large_as_it_says(interval, edge):
    year = {"1h": 8760, "1d": 365}[interval]
    bars = market(NoiseParams(bars=400_000, interval=interval, sharpe=edge), 7)
    returns = simple_returns(bars.close)
    found = sharpe(np.sign(returns[:-1]) * returns[1:], year)
    assert found == pytest.approx(edge, abs=4 * math.sqrt(year / len(returns)))


def test_noise_cannot_be_foretold_from_its_past_but_its_volatility_can():
    returns = simple_returns(market(NoiseParams(bars=300_000), 8).close)
    for lag in (1, 2, 24):
        assert abs(np.corrcoef(returns[lag:], returns[:-lag])[0, 1]) < 4 / math.sqrt(len(returns))
    assert np.corrcoef(np.abs(returns[1:]), np.abs(returns[:-1]))[0, 1] > 0.1


def test_a_market_is_made_of_possible_bars_and_repeats_itself():
    bars, again = (market(NoiseParams(bars=2000, sharpe=1.0), 9) for _ in range(2))
    assert (bars.low <= np.minimum(bars.open, bars.close)).all()
    assert (bars.high >= np.maximum(bars.open, bars.close)).all()
    assert (bars.low > 0).all()
    assert bars.close.tolist() == again.close.tolist()


@pytest.mark.parametrize("interval", ["1h", "1d"])
def test_a_market_is_read_from_the_store_as_it_was_made_to_the_last_bit(interval):
    bars = market(NoiseParams(bars=900, interval=interval, sharpe=1.0), 5)
    back = planted(bars)
    assert (back.symbol, back.interval, len(back)) == (bars.symbol, interval, 900)
    for name in ("ts", "open", "high", "low", "close", "volume"):
        assert (getattr(back, name) == getattr(bars, name)).all()


def test_an_edge_no_market_can_have_is_refused():
    with pytest.raises(ConfigError, match="no such edge"):
        market(NoiseParams(bars=10, interval="7d", sharpe=20.0), 1)


def test_the_search_finds_what_each_rule_earns_bar_by_bar():
    bars = market(NoiseParams(bars=1500), 3)
    rules = draw_rules(40, market(NoiseParams(bars=800), 4), 5)
    found = search(bars, rules)
    for which in range(40):
        returns = rule_returns(bars, rules, which)
        expected = sharpe(returns, 1)
        assert found.ratios[which] == pytest.approx(0.0 if math.isnan(expected) else expected, abs=1e-12)
        assert found.daily[:, which].sum() == pytest.approx(returns.sum())


def test_a_rule_decides_at_a_close_and_earns_the_next_bar():
    bars = market(NoiseParams(bars=500), 6)
    rules = draw_rules(200, bars, 7)
    which = int(np.flatnonzero(rules.column == SPECS.index("roc:1"))[0])
    change = simple_returns(bars.close)
    returns = rule_returns(bars, rules, which)
    score = 100 * change[-len(returns) - 1 : -1]
    stance = rules.sign[which] * ((score > rules.high[which]) * 1.0 - (score < rules.low[which]))
    assert returns == pytest.approx(stance * change[-len(returns) :])


def test_the_compiled_search_is_its_python_twin():
    rng = np.random.default_rng(8)
    values, held, day = rng.standard_normal((3, 60)), rng.normal(0, 0.01, 60), np.arange(60) // 24
    low = np.array([-0.5, 0.0])
    given_ = (values, held, day, np.array([0, 2]), low, low + 0.7, np.array([1.0, -1.0]))
    for ours, twin in zip(_tally(*given_), _tally.py_func(*given_), strict=True):
        assert ours.tolist() == twin.tolist()


@pytest.mark.parametrize("kind", KINDS[1:])
def test_a_planted_leak_does_read_what_comes(kind):
    close = market(NoiseParams(bars=300), 10).close
    reader, honest = Reader(kind, 10, depth=5), Reader("honest", 10)
    assert (reader.score(close)[:200] != reader.score(close[:200])).any()
    assert (honest.score(close)[:200] == honest.score(close[:200])).all()


def test_readers_are_of_every_kind_and_repeat_themselves():
    assert {reader.kind for reader in draw_readers(8, 1, honest=False)} == set(KINDS[1:])
    assert draw_readers(5, 2, honest=True) == draw_readers(5, 2, honest=True)


def test_a_rate_fails_only_where_its_interval_rules_out_what_is_asked():
    assert Rate("noise", Estimate(0.08, 0.04, 0.13, 100), at_most=0.05).holds
    assert not Rate("noise", Estimate(0.12, 0.06, 0.2, 100), at_most=0.05).holds
    assert not Rate("leaks", Estimate(0.9, 0.8, 0.95, 100), at_least=0.99).holds


def test_the_page_tells_every_rate_and_which_one_fails():
    rates = (
        Rate("noise", Estimate(0.2, 0.15, 0.26, 200), at_most=0.05),
        Rate("planted leaks found", Estimate(1.0, 0.99, 1.0, 400), at_least=0.99),
    )
    page = markdown(Controls(rates, 1000, 30.0, 0.048), ControlParams(), "seakeep controls")
    assert "| noise | 20.0% | 15.0% to 26.0% | 200 | at most 5%: **fails** |" in page
    assert "| planted leaks found | 100.0% | 99.0% to 100.0% | 400 | at least 99%: holds |" in page
    assert "**A rate is not what is asked of it.**" in page
    assert max(map(len, page.splitlines())) <= 120


def test_the_court_holds_on_a_few_controls():
    told = []
    params = ControlParams(markets=12, strategies=150, edge_markets=4, leaks=24)
    found = run_controls(params, told.append)
    rates = {rate.name: rate.share.value for rate in found.rates}
    assert found.holds
    assert sum(told) == steps(params)
    assert rates["planted leaks found"] == 1.0
    assert rates["honest strategies accused"] == 0.0
    assert rates["noise, best of 150, not counted"] > 0.5 > rates["noise, best of 150, deflated"]


@pytest.mark.slow
def test_power_named_beforehand_is_that_of_the_closed_form():
    """A Sharpe ratio S over T years passes with probability P(N(S sqrt(T), 1) > 1.645)."""
    found = run_controls(ControlParams(markets=5, strategies=50, edge_markets=200, leaks=4))
    rates = {rate.name: rate.share for rate in found.rates}
    for edge in (0.5, 1.0, 2.0):
        power = 1 - NormalDist(edge * 4, 1).cdf(NormalDist().inv_cdf(0.95))
        share = rates[f"edge {edge:g}, 16 years, named beforehand"]
        assert share.low - 0.01 <= power <= share.high + 0.01
