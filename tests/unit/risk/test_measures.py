"""The account, the tail and the correlations as numbers."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seakeep.risk.case import History
from seakeep.risk.limits import Limits
from seakeep.risk.liquidity import hourly_volume
from seakeep.risk.measures import (
    Tail,
    correlated,
    correlations,
    deviation,
    history_from,
    measure,
    ruin_chance,
    tail_of,
    worst_days,
)
from seakeep.stats.passage import loss_probability
from seakeep.stats.quantiles import empirical_tail, split_rank

HOUR = 3_600_000


def table(n: int = 250, k: int = 3, seed: int = 2) -> np.ndarray:
    return np.random.default_rng(seed).standard_t(4, (n, k)) * 0.02


def test_an_account_that_is_worth_nothing_is_beyond_every_limit_and_still_a_number() -> None:
    seen = measure(0, -5.0, 100.0, 100.0, {"A": 3.0}, week_open=100.0)
    assert (seen.drawdown, seen.daily_loss > 1, seen.weekly_loss > 1) == (1.0, True, True)
    assert 20 < seen.gross < math.inf


def test_a_weeks_loss_is_counted_from_its_own_start() -> None:
    seen = measure(0, 90.0, 120.0, 95.0, {}, week_open=100.0)
    assert (seen.weekly_loss, seen.daily_loss) == (pytest.approx(0.1), pytest.approx(1 - 90 / 95))


@given(st.integers(60, 400), st.sampled_from([0.9, 0.95, 0.975, 0.983]), st.integers(0, 50))
def test_the_tail_of_a_book_is_that_of_its_returns_as_one_series(n: int, confidence: float, seed: int) -> None:
    returns, weights = table(n, 3, seed), np.array([0.5, -0.2, 0.3])
    found = Tail(("A", "B", "C"), returns, confidence).figures(weights)
    assert found == pytest.approx(empirical_tail(np.sort(returns @ weights), confidence), rel=1e-9)


def test_the_compiled_tail_and_its_twin_agree() -> None:
    below, part = split_rank(250, 0.95)
    args = (table(), np.array([0.1, 0.2, 0.3]), below, part)
    assert worst_days(*args) == worst_days.py_func(*args)


def test_the_tail_rests_on_the_days_all_have_and_is_not_known_with_too_few() -> None:
    returns = table(100)
    returns[:30, 1] = np.nan
    seen = History(("A", "B", "C"), returns)
    both = tail_of(seen, ("C", "B"), Limits(min_tail_days=60, tail_days=65))
    assert both is not None
    assert (both.table == returns[-65:, [2, 1]]).all()
    assert tail_of(seen, ("A", "B"), Limits(min_tail_days=71)) is None
    assert tail_of(seen, ("A", "X"), Limits()) is None
    assert tail_of(seen, ("A",), Limits(var_confidence=0.995)) is None


def test_correlations_are_pearsons_over_the_days_each_pair_has() -> None:
    returns = table(200)
    returns[:80, 2] = np.nan
    found = correlations(History(("A", "B", "C"), returns), 130)
    assert found[0, 1] == pytest.approx(np.corrcoef(returns[:, 0], returns[:, 1])[0, 1], abs=1e-12)
    assert np.isnan(found[0, 2])
    later = correlations(History(("A", "B", "C"), returns), 120)
    assert later[0, 2] == pytest.approx(np.corrcoef(returns[80:, 0], returns[80:, 2])[0, 1], abs=1e-12)


def test_what_never_moves_moves_with_nothing() -> None:
    still = np.column_stack([table(100, 1)[:, 0], np.zeros(100)])
    assert correlations(History(("A", "B"), still), 60).tolist() == [[1.0, 0.0], [0.0, 1.0]]


def test_correlated_exposure_adds_with_the_sign_of_the_correlation() -> None:
    known = np.array([[1.0, 0.9, -0.8], [0.9, 1.0, 0.1], [-0.8, 0.1, 1.0]])
    # First: itself, the second with +, the third with -: 0.2 + 0.1 - 0.05.
    assert correlated(known, np.array([0.2, 0.1, 0.05]), 0.7) == pytest.approx([0.25, 0.3, 0.15])
    assert correlated(known, np.array([0.2, 0.0, 0.0]), 0.7).tolist() == [0.0, 0.0, 0.0]


def test_an_hours_volume_is_averaged_from_longer_bars_and_never_scaled_up() -> None:
    assert hourly_volume(48.0, 24 * HOUR) == 2.0
    assert hourly_volume(5.0, HOUR // 12) == 5.0


@pytest.mark.parametrize("volatility", [1e-4, 0.01, 0.03, 0.08, 0.5])
def test_the_chance_of_ruin_is_the_first_passage_law_without_an_expected_return(volatility: float) -> None:
    expected = loss_probability(0.5, -0.5 * volatility**2, volatility, 90)
    assert ruin_chance(volatility) == pytest.approx(expected, rel=1e-9, abs=1e-15)
    assert ruin_chance(0.0) == 0.0


@given(st.integers(2, 400), st.integers(0, 50))
def test_a_deviation_has_the_bits_of_numpys(n: int, seed: int) -> None:
    x = table(n, 1, seed)[:, 0]
    assert deviation(x) == x.std(ddof=1)


@given(st.integers(60, 250), st.integers(1, 4), st.integers(0, 50))
def test_each_symbol_alone_has_the_worse_tail_of_its_long_and_its_short(n: int, k: int, seed: int) -> None:
    returns, symbols = table(n, k, seed), ("A", "B", "C", "D")[:k]
    alone = history_from(symbols, returns, Limits()).alone
    assert alone is not None
    for symbol, column in zip(symbols, returns.T, strict=True):
        long, short = (empirical_tail(np.sort(side), 0.95)[1] for side in (column, -column))
        assert alone[symbol] == pytest.approx(max(long, short, 0.0), rel=1e-9)
