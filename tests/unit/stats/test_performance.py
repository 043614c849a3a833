import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from seakeep.core.units import DAY_MS, HOUR_MS
from seakeep.stats import performance as perf
from seakeep.stats.folding import fold, unfold
from seakeep.stats.performance import Trades, measure
from seakeep.stats.returns import max_drawdown

RETURNS = arrays(np.float64, st.integers(2, 80), elements=st.floats(-0.5, 0.5).map(lambda x: round(x, 3)))
EDHEC = ("convertible_arbitrage", "cta_global", "emerging_markets", "short_selling")


def curve(returns, step=DAY_MS):
    return np.arange(len(returns) + 1) * step, np.append(1.0, np.cumprod(1 + returns))


@pytest.mark.parametrize("name", EDHEC)
def test_ratios_are_those_of_performance_analytics(reference, series, name):
    case = reference("performance_metrics", "edhec_performance_table")
    expected, returns = case["expected"][name], series(case["inputs"]["series_file"])[name]
    found = {
        "cagr": perf.annual_return(returns, 12),
        "annual_volatility": perf.volatility(returns, 12),
        "sharpe_per_period": perf.sharpe(returns, 1),
        "sharpe_annual_arithmetic": perf.sharpe(returns, 12),
        "sortino_per_period_mar0": perf.sortino(returns, 1),
        "sortino_per_period_mar_0p5pct": perf.sortino(returns, 1, 0.005),
        "omega_0": perf.omega(returns),
        "omega_0p5pct": perf.omega(returns, 0.005),
        "calmar": perf.calmar(returns, 12),
    }
    tolerance = case["tolerance"]
    limits = {"rel": tolerance.get("rel", 0), "abs": tolerance.get("abs", 0)}
    assert found == {key: pytest.approx(expected[key], **limits) for key in found}


def test_ratios_are_those_of_quantstats(reference, series):
    case = reference("performance_metrics", "quantstats_panel_sp500_last1000")
    returns = series(case["inputs"]["series_file"])["ret_percent"][-1000:] / 100
    found = {
        "cagr": perf.annual_return(returns, 252),
        "volatility_annual": perf.volatility(returns, 252),
        "sharpe": perf.sharpe(returns, 252),
        "sortino": perf.sortino(returns, 252),
        "calmar": perf.calmar(returns, 252),
        "omega": perf.omega(returns),
        "profit_factor": perf.profit_factor(returns),
    }
    assert found == {key: pytest.approx(case["expected"][key], rel=1e-6) for key in found}


def test_ratios_are_those_of_empyrical(reference):
    case = reference("performance_metrics", "empyrical_mixed_returns_daily")
    expected, returns = case["expected"], np.array(case["inputs"]["returns_with_leading_null"][1:])
    assert perf.sharpe(returns, 252) == pytest.approx(expected["sharpe"], rel=1e-7)
    assert perf.sortino(returns, 252) == pytest.approx(expected["sortino"], rel=1e-7)
    assert perf.volatility(returns, 252) == pytest.approx(expected["annual_volatility"], rel=1e-7)
    # there, the missing first row counts as a ninth period
    assert perf.annual_return(np.append(0.0, returns), 252) == pytest.approx(expected["annual_return"], rel=1e-7)


def test_small_published_examples(reference):
    case = reference("performance_metrics", "sortino_sharpe_omega_small_examples")
    given_, expected = case["inputs"], case["expected"]
    read = {key: np.array(value) for key, value in given_.items()}
    assert perf.sharpe(read["sharpe_returns"], 1, 0.05) == pytest.approx(expected["sharpe"], abs=1e-6)
    assert perf.sortino(read["sortino_returns"], 1) == pytest.approx(expected["sortino"], abs=1e-6)
    assert perf.omega(read["omega_returns"], 0.01) == pytest.approx(expected["omega"], abs=1e-6)


def test_bacons_portfolio(reference, series):
    case = reference("performance_metrics", "bacon_portfolio_ratios")
    returns, exact = series(case["inputs"]["series_file"])["portfolio"], case["expected"]["full_precision"]
    assert perf.omega(returns, 0.005) == pytest.approx(exact["omega"], abs=1e-9)
    assert perf.annual_return(returns, 12) == pytest.approx(exact["annualised_return"], abs=1e-9)
    assert perf.omega(returns) == pytest.approx(case["expected"]["bernardo_ledoit_gain_loss"], abs=0.006)
    assert perf.sortino(returns, 1, 0.005) == pytest.approx(case["expected"]["kappa_2"], abs=0.006)


def test_the_deviation_survives_numbers_far_from_zero(reference):
    case = reference("performance_metrics", "nist_numacc_std")
    data = [np.append(base, np.tile([base - 0.1, base + 0.1], 500)) for base in (1.2, 1_000_000.2, 10_000_000.2)]
    found = [perf.volatility(np.array(case["inputs"]["NumAcc1"]), 1), *(perf.volatility(x, 1) for x in data)]
    assert found == pytest.approx(case["expected"]["sd_ddof1"], rel=1e-6)


def test_trades_of_leans_suite(reference):
    case = reference("performance_metrics", "trade_statistics_lean_one_loser_two_winners")
    pnl, expected = np.array(case["inputs"]["trade_pnl"], np.float64), case["expected"]
    found = measure(*curve(np.zeros(3)), Trades(pnl, pnl / 100, pnl * 0 + HOUR_MS))
    assert found["win_rate"].value == pytest.approx(expected["win_rate"])
    assert found["profit_factor"].value == pytest.approx(expected["profit_factor"])
    assert found["average_pnl"].value == pytest.approx(expected["average"])
    assert found["average_duration_ms"].value == HOUR_MS
    assert math.isnan(found["average_pnl"].low)


def test_without_a_loser_there_is_no_profit_factor(reference):
    case = reference("performance_metrics", "profit_factor_no_losses_lean")
    pnl = np.array(case["inputs"]["trade_pnl"])
    assert perf.win_rate(pnl).value == case["expected"]["win_rate"]
    assert math.isnan(perf.profit_factor(pnl))


def test_the_win_rates_interval_is_wilsons():
    """Newcombe (1998), Statistics in Medicine 17, table I: 81 of 263 and 15 of 148 by the score method."""
    for wins, n, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611)):
        found = perf.win_rate(np.where(np.arange(n) < wins, 1.0, -1.0))
        assert (round(found.low, 4), round(found.high, 4), found.n) == (low, high, n)


@pytest.mark.parametrize("name", ["psr_hedge_fund_24_months", "psr_dsr_mintrl_mlfinlab"])
def test_the_probabilistic_sharpe_ratio_is_the_published_one(reference, name):
    case = reference("overfitting", name)
    rows = case["inputs"].get("rows") or [{**case["inputs"], "sr_benchmark": case["inputs"]["psr_benchmark"]}]
    found = [perf.probabilistic_sharpe(r["sr"], r["T"], r["skew"], r["kurt"], r["sr_benchmark"]) for r in rows]
    expected = np.atleast_1d(case["expected"]["psr"])
    assert found == pytest.approx(expected.tolist(), abs=case["tolerance"]["abs"])


def test_the_standard_error_of_the_sharpe_ratio_is_the_published_one(reference):
    case = reference("overfitting", "sharpe_standard_error_paper")
    found = [perf.sharpe_error(row["sr"], row["T"], row["skew"], row["kurt"]) for row in case["inputs"]["rows"]]
    assert found == pytest.approx(case["expected"]["sd_sr"], abs=case["tolerance"]["abs"])


@given(RETURNS, st.data())
def test_folded_days_know_as_much_as_their_bars(returns, data):
    cuts = data.draw(st.sets(st.integers(1, len(returns) - 1)))
    starts = np.array([0, *sorted(cuts)])
    days = fold(returns, starts)
    rows = np.array(data.draw(st.lists(st.integers(0, len(starts) - 1), min_size=2)))
    bars = np.concatenate([np.split(returns, starts[1:])[row] for row in rows])
    mean, spread, short, gained, lost, growth, fall = unfold(days, rows)
    assert (mean, spread) == pytest.approx((bars.mean(), bars.std(ddof=1)), abs=1e-7)
    assert short == pytest.approx(np.sqrt(np.mean(np.minimum(bars, 0) ** 2)), abs=1e-9)
    assert (gained, lost) == pytest.approx((bars[bars > 0].sum(), -bars[bars < 0].sum()), abs=1e-9)
    assert growth == pytest.approx(np.log1p(bars).sum(), abs=1e-9)
    assert -np.expm1(-fall) == pytest.approx(max_drawdown(curve(bars)[1]), abs=1e-9)


def test_the_compiled_twins_are_the_same_functions():
    returns, starts = np.random.default_rng(1).normal(0, 0.02, 100), np.arange(0, 100, 10)
    days = fold(returns, starts)
    np.testing.assert_allclose(days, fold.py_func(returns, starts), rtol=1e-12)
    np.testing.assert_allclose(unfold(days, starts // 10), unfold.py_func(days, starts // 10), rtol=1e-12)


def test_a_run_is_measured_by_the_bar_in_years_of_365_days():
    returns = np.random.default_rng(5).normal(1e-4, 0.004, 24 * 90)
    found = measure(*curve(returns, HOUR_MS), gross=np.arange(24 * 90 + 1) % 4, traded=3.0)
    assert found["sharpe"].value == pytest.approx(perf.sharpe(returns, 8760))
    assert found["sortino"].value == pytest.approx(perf.sortino(returns, 8760))
    assert found["volatility"].value == pytest.approx(perf.volatility(returns, 8760))
    assert found["cagr"].value == pytest.approx(perf.annual_return(returns, 8760))
    assert found["calmar"].value == pytest.approx(perf.calmar(returns, 8760))
    assert found["omega"].value == pytest.approx(perf.omega(returns))
    assert found["exposure"].value == pytest.approx(0.75, abs=1e-3)
    assert found["turnover"].value == pytest.approx(3 / curve(returns)[1].mean() * 365 / 90)
    assert all(e.low < e.value < e.high for e in found.values() if not math.isnan(e.low))


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    """200 years of 365 normal days each, Sharpe 1 and volatility 0.3; 0.062 is four standard errors of a share."""
    truth = {"sharpe": 1.0, "volatility": 0.3, "cagr": math.exp(0.3 - 0.3**2 / 2) - 1}
    held = dict.fromkeys(truth, 0)
    for seed in range(200):
        days = np.exp(np.random.default_rng(seed).normal((0.3 - 0.045) / 365, 0.3 / math.sqrt(365), 365)) - 1
        found = measure(*curve(days), seed=seed)
        for name, value in truth.items():
            held[name] += found[name].low <= value <= found[name].high
    assert held["sharpe"] / 200 == pytest.approx(0.95, abs=0.062)
    assert min(held.values()) / 200 > 0.86


def test_the_longest_drawdown_is_in_milliseconds_and_open_ones_count():
    ts = np.array([0, 10, 20, 50, 60, 100])
    found = measure(ts, np.array([5.0, 4.0, 5.0, 4.0, 3.0, 4.0]))
    assert found["max_drawdown_ms"].value == 80
    assert found["max_drawdown"].value == pytest.approx(0.4)


@pytest.mark.parametrize("n", [0, 1, 2, 29])
def test_too_few_observations_give_no_number(n):
    found = measure(*(column[:n] for column in curve(np.full(40, 0.01))))
    assert all(math.isnan(found[name].value) for name in ("cagr", "volatility", "sharpe", "sortino", "omega", "psr"))
    assert all(math.isnan(e.low) and math.isnan(e.high) for e in found.values())
    assert found["sharpe"].n == max(0, n - 1)


@pytest.mark.parametrize("equity", [np.full(100, 7.0), np.linspace(5, -1, 100), np.zeros(100), np.linspace(-1, 5, 100)])
def test_flat_ruined_and_empty_accounts_are_measured_without_a_made_up_number(equity):
    found = measure(np.arange(100) * DAY_MS, equity)
    assert math.isnan(found["sharpe"].value)
    assert not any(math.isinf(number) for e in found.values() for number in (e.value, e.low, e.high))


def test_every_run_has_the_same_names():
    trades = Trades(*np.ones((3, 20)))
    full = measure(*curve(np.tile([0.01, -0.01], 50)), trades, np.ones(101), 5.0)
    assert full.keys() == measure(np.array([], np.int64), np.array([])).keys()


@pytest.mark.parametrize(
    ("ts", "equity", "message"),
    [
        ([0, 1], [1.0], "same number of rows"),
        ([0, 0], [1.0, 1.0], "must ascend"),
        ([0, 1], [1.0, math.nan], "row 1 is not a finite number"),
    ],
)
def test_what_is_not_an_equity_curve_is_refused(ts, equity, message):
    with pytest.raises(ValueError, match=message):
        measure(np.array(ts), np.array(equity))


def test_a_seed_fixes_every_interval():
    account = curve(np.random.default_rng(1).normal(0, 0.02, 200))
    assert repr(measure(*account, seed=1)) == repr(measure(*account, seed=1))
    assert measure(*account, seed=1)["cagr"].low != measure(*account, seed=2)["cagr"].low
