import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from seakeep.core.errors import DataError
from seakeep.stats.returns import cumulative_returns, drawdown, drawdowns, log_returns, max_drawdown, simple_returns

EQUITY = arrays(np.float64, st.integers(1, 60), elements=st.floats(1, 1000).map(lambda x: round(x, 1)))


def wealth(returns):
    return np.append(1.0, np.cumprod(1 + returns))


@given(EQUITY)
def test_returns_compound_back_to_the_prices(prices):
    growth = prices[1:] / prices[0] - 1
    np.testing.assert_allclose(cumulative_returns(simple_returns(prices)), growth, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(np.expm1(np.cumsum(log_returns(prices))), growth, rtol=1e-9, atol=1e-9)


def test_maximum_drawdown_is_that_of_performance_analytics(reference, series):
    case = reference("drawdown", "edhec_max_drawdown_ulcer_pain")
    columns = series(case["inputs"]["series_file"])
    for name, expected in case["expected"]["max_drawdown"].items():
        assert max_drawdown(wealth(columns[name])) == pytest.approx(expected, abs=1e-9)
    for name, expected in case["expected"]["pain_index"].items():
        assert drawdown(wealth(columns[name]))[1:].mean() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("name", ["emerging_markets", "convertible_arbitrage"])
def test_the_five_worst_drawdowns_are_those_of_performance_analytics(reference, series, name):
    case = reference("drawdown", "edhec_drawdown_table")
    expected, columns = case["expected"][name], series(case["inputs"]["series_file"])
    dates, found = columns["date"], drawdowns(wealth(columns[name]))
    worst = np.argsort(-found.depth, kind="stable")[:5]
    ends = [dates[row - 1] if row <= len(dates) else None for row in found.recovered[worst]]
    assert [dates[row] for row in found.peak[worst]] == expected["start"]
    assert [dates[row - 1] for row in found.trough[worst]] == expected["trough"]
    assert ends == expected["recovered"]
    np.testing.assert_allclose(-found.depth[worst], expected["depth"], atol=1e-6)
    assert (found.trough - found.peak)[worst].tolist() == expected["to_trough"]


@given(EQUITY)
def test_drawdowns_tell_apart_every_row_below_its_peak(equity):
    loss, found = drawdown(equity), drawdowns(equity)
    below = np.zeros(len(equity), bool)
    for peak, trough, recovered, depth in zip(found.peak, found.trough, found.recovered, found.depth, strict=True):
        below[peak + 1 : recovered] = True
        assert depth == loss[trough] == loss[peak:recovered].max()
        assert equity[peak] == equity[: recovered or None].max()
    assert (below == (loss > 0)).all()
    assert max_drawdown(equity) == found.depth.max(initial=0.0)


def test_expected_maximum_drawdown_of_a_random_walk_is_that_of_magdon_ismail(reference):
    case = reference("drawdown", "mdd_expected_zero_drift")
    steps, paths = 2_000, 2_000
    walk = np.cumsum(np.random.default_rng(7).standard_normal((paths, steps)) / np.sqrt(steps), axis=1)
    # drawdown is of a fraction, the law of a distance: exp turns the one into the other
    falls = [-np.log1p(-max_drawdown(np.exp(np.append(0.0, path)))) for path in walk]
    grid = 2 * 0.5826 / np.sqrt(steps)
    error = 4 * np.std(falls) / np.sqrt(paths)
    assert np.mean(falls) + grid == pytest.approx(case["expected"]["expected_mdd"][0], abs=error)


@pytest.mark.parametrize("equity", [[], [5.0], [1.0, 2.0, 3.0]])
def test_no_loss_is_no_drawdown(equity):
    assert len(drawdowns(np.array(equity))) == 0


@pytest.mark.parametrize("price", [0.0, -1.0, np.nan, np.inf])
def test_a_price_that_is_none_is_named(price):
    with pytest.raises(DataError, match="price 1 must be positive"):
        log_returns(np.array([10.0, price, 11.0]))
