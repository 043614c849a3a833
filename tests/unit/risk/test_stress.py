"""Bad days: accounts that add up, hedges that help, and what real crises did."""

import math
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seakeep.core.account import Portfolio, Position
from seakeep.core.errors import ConfigError, DataError, NotEnoughHistory
from seakeep.core.market import BarFrame
from seakeep.core.units import DAY_MS
from seakeep.risk.stress import (
    ORIGINAL_SHOCKS,
    STRESSES,
    Book,
    Market,
    correlation_to_one,
    crash,
    depeg,
    estimate_market,
    exchange_outage,
    funding_spike,
    liquidity_crisis,
    original_shock,
    stress,
    stress_order,
)

SHARED = Path(__file__).parents[3] / "../shared/data/ohlcv/1d"
COVARIANCE = np.array([[0.0016, 0.0015], [0.0015, 0.0025]])
MARKET = Market(("BTC/USDT", "ETH/USDT"), np.array([1.0, 1.2]), COVARIANCE, np.array([1e9, 5e8]), np.zeros((2, 2)))
BOOK = Book.of_weights({"BTC/USDT": 0.5, "ETH/USDT": 0.2}, 1000.0)
WEIGHTS = st.dictionaries(st.sampled_from(["BTC/USDT", "ETH/USDT", "BTC/USDT:USDT"]), st.floats(-1, 1), min_size=1)


def frame(symbol, closes, start=0, gaps=()):
    days = np.array([d for d in range(len(closes)) if d not in gaps])
    close = np.asarray(closes, np.float64)[days]
    return BarFrame(symbol, "1d", start + days * DAY_MS, close.copy(), close * 1.1, close * 0.9, close, close * 0 + 10)


def real(*names):
    pq = pytest.importorskip("pyarrow.parquet")
    if not SHARED.exists():
        pytest.skip("the daily bars data/ohlcv/1d are not beside this checkout")
    found = {}
    for name in names:
        table = pq.read_table(SHARED / f"{name}USDT.parquet")
        columns = [table[key].to_numpy().copy() for key in ("open", "high", "low", "close", "volume")]
        found[f"{name}/USDT"] = BarFrame(f"{name}/USDT", "1d", table["ts"].cast("int64").to_numpy().copy(), *columns)
    return found


def parts(found):
    return {position.symbol: position.loss for position in found.positions}


@given(WEIGHTS)
def test_positions_and_cash_add_up_to_the_loss_of_every_stress(weights):
    for found in stress(Book.of_weights(weights, 1000.0), MARKET):
        assert sum(parts(found).values()) + found.cash_loss == pytest.approx(found.loss * found.equity, abs=1e-9)


def test_a_crash_takes_beta_times_the_fall():
    found = crash(BOOK, MARKET, 0.3)
    assert found.loss == pytest.approx(0.3 * (0.5 + 1.2 * 0.2))
    assert parts(found)["ETH/USDT"] == pytest.approx(1000 * 0.2 * 0.36)
    assert crash(BOOK, MARKET, 0.9).positions[1].loss == pytest.approx(200)


def test_a_hedge_loses_less_than_nothing_and_an_order_is_seen_before_and_after():
    changes = {c.stress: c for c in stress_order(BOOK, "BTC/USDT:USDT", -300.0, MARKET)}
    crashed = changes["flash_crash"]
    assert parts(crashed.after)["BTC/USDT:USDT"] == pytest.approx(-90)
    assert crashed.added == pytest.approx(-0.09)
    assert crashed.after.equity == crashed.before.equity
    assert changes["stablecoin_depeg"].added == pytest.approx(0.1 * 0.3)
    assert changes["funding_spike"].added == pytest.approx(0.3 * 0.027)
    assert set(changes) == set(STRESSES)


def test_selling_into_an_empty_market_costs_more_the_larger_the_book():
    small, large = (Book.of_weights({"BTC/USDT": 0.5}, equity) for equity in (1e3, 1e9))
    extra = [liquidity_crisis(book, MARKET).loss - crash(book, MARKET).loss for book in (small, large)]
    assert extra[1] == pytest.approx(extra[0] * 1000, rel=1e-6)
    assert extra[1] == pytest.approx(0.15 * 0.04 * math.sqrt(0.35e9 / 0.2e9) * 0.35)


def test_one_correlation_is_worse_than_the_real_one_and_still_lets_an_opposite_offset():
    spread = Book.of_weights({"BTC/USDT": 0.5, "ETH/USDT": 0.5})
    together = correlation_to_one(spread, MARKET, sigmas=1.0).loss
    assert together == pytest.approx(0.5 * (1 - math.exp(-0.04)) + 0.5 * (1 - math.exp(-0.05)))
    short = correlation_to_one(Book.of_weights({"BTC/USDT": -0.5}), MARKET, sigmas=1.0)
    assert short.loss == pytest.approx(0.5 * math.expm1(0.04))
    opposite = correlation_to_one(Book.of_weights({"BTC/USDT": 0.5, "BTC/USDT:USDT": -0.5}), MARKET)
    assert opposite.loss == pytest.approx(0, abs=1e-12)


def test_an_outage_grows_with_the_root_of_its_hours_and_splits_as_euler_says():
    values = np.array([0.5, 0.2])
    found = exchange_outage(BOOK, MARKET, hours=24, sigmas=3)
    assert found.loss == pytest.approx(3 * math.sqrt(values @ COVARIANCE @ values))
    assert exchange_outage(BOOK, MARKET, hours=6, sigmas=3).loss == pytest.approx(found.loss / 2)
    hedged = BOOK.after("BTC/USDT:USDT", -100.0)
    assert parts(exchange_outage(hedged, MARKET))["BTC/USDT:USDT"] < 0


def test_a_depeg_takes_from_cash_and_coin_and_leaves_the_rest():
    found = depeg(BOOK, MARKET, 0.1)
    assert (found.loss, found.cash_loss) == pytest.approx((0.03, 30))
    held = Book.of_weights({"USDC/USDT": 0.4, "BTC/USDT": 0.6}, 100.0)
    other = depeg(held, MARKET, 0.12, "USDC")
    assert (other.loss, other.cash_loss) == pytest.approx((0.048, 0))
    assert depeg(BOOK, MARKET, 0.1, "DAI").warnings == ("the book holds no DAI",)


def test_funding_is_paid_by_perpetuals_on_the_side_that_hurts():
    for side in (1, -1):
        found = funding_spike(Book.of_weights({"ETH/USDT:USDT": 0.5 * side, "BTC/USDT": 0.3}), MARKET, 0.003, 9)
        assert found.loss == pytest.approx(0.5 * 0.027)
        assert parts(found)["BTC/USDT"] == 0
    assert funding_spike(BOOK, MARKET).warnings == ("the book holds no perpetual",)


def test_the_original_table_never_leaves_more_than_there_was():
    for name, shocks in ORIGINAL_SHOCKS.items():
        found = original_shock(BOOK, name)
        assert found.loss == pytest.approx(0.5 * shocks["BTC"] + 0.2 * shocks["ETH"])
        assert found.cash_loss == 0
    assert original_shock(Book.of_weights({"BTC/USDT": 1.0}, 1e6), "crypto_crash").loss == 0.5
    with pytest.raises(DataError, match="SOL/USDT"):
        original_shock(Book.of_weights({"SOL/USDT": 1.0}), "crypto_crash")
    with pytest.raises(ConfigError, match="did you mean flash_crash"):
        original_shock(BOOK, "flash_crsh")


def test_betas_and_their_errors_are_those_of_least_squares():
    rng = np.random.default_rng(3)
    driver = rng.standard_normal(400) * 0.03
    other = 1.5 * driver + rng.standard_normal(400) * 0.02
    frames = {s: frame(s, 100 * np.exp(np.cumsum(r))) for s, r in (("A/B", driver), ("C/B", other))}
    found = estimate_market(frames, "A/B")
    design = np.column_stack([np.ones(399), driver[1:]])
    solution, rss, *_ = np.linalg.lstsq(design, other[1:], rcond=None)
    error = math.sqrt(rss[0] / 397 * np.linalg.inv(design.T @ design)[1, 1])
    assert found.beta == pytest.approx([1, solution[1]])
    assert np.sqrt(np.diag(found.beta_covariance)) == pytest.approx([0, error], abs=1e-12)
    np.testing.assert_allclose(found.covariance, np.cov(driver[1:], other[1:]))
    hit = crash(Book.of_weights({"C/B": 1.0}), found, 0.3)
    assert (hit.high - hit.low) / 2 == pytest.approx(1.959964 * 0.3 * error, rel=1e-6)
    assert hit.n == 399


def test_a_return_over_a_gap_is_no_return():
    closes = 100 * np.exp(np.cumsum(np.random.default_rng(1).standard_normal(120) * 0.02))
    jumped = np.concatenate([closes[:60], closes[60:] * 1e5])
    frames = {"A/B": frame("A/B", closes), "C/B": frame("C/B", jumped, gaps=(59, 60, 61))}
    found = estimate_market(frames, "A/B")
    assert found.beta == pytest.approx([1, 1])
    assert found.n == 119 - 4


def test_a_book_is_the_portfolio_at_its_marks():
    held = {"BTC/USDT": Position(symbol="BTC/USDT", qty=Decimal("0.5"), cost=Decimal(100))}
    portfolio = Portfolio(quote="USDT", cash={"USDT": Decimal(40)}, positions=held)
    book = Book.of(portfolio, {"BTC/USDT": Decimal(120)})
    assert (book.equity, book.values) == (100.0, (("BTC/USDT", 60.0),))
    with pytest.raises(DataError, match="BTC/USDT is held"):
        Book.of(portfolio, {})


NAN = float("nan")


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: crash(Book.of_weights({"SOL/USDT": 0.1}), MARKET), DataError, "knows nothing of SOL/USDT"),
        (lambda: crash(BOOK, MARKET, 1.0), ValueError, r"drop must be in \(0, 1\)"),
        (lambda: crash(Book("USDT", -10.0, ()), MARKET), DataError, "positive equity"),
        (lambda: crash(Book("USDT", NAN, ()), MARKET), DataError, "positive equity"),
        (lambda: stress(BOOK, MARKET, ["flash_crsh"]), ConfigError, "did you mean flash_crash"),
        (lambda: stress_order(BOOK, "BTC/USDT", NAN, MARKET), ValueError, "must be finite"),
        (lambda: exchange_outage(BOOK, MARKET, hours=0), ValueError, "hours must be > 0"),
        (lambda: Market(("A",), np.array([NAN]), np.eye(1), np.ones(1), np.eye(1)), DataError, "beta of 1 assets"),
        (lambda: estimate_market({"A/B": frame("A/B", np.ones(50))}, "A/B"), DataError, "never moves"),
        (lambda: estimate_market({"A/B": frame("A/B", np.arange(20) + 1)}, "A/B"), NotEnoughHistory, "A/B need 30"),
        (lambda: estimate_market({"A/B": frame("A/B", np.arange(50))}, "A/B"), DataError, "not a positive number"),
        (lambda: estimate_market({"A/B": frame("A/B", np.ones(50))}, "X/B"), ConfigError, "no bars of the market"),
    ],
)
def test_what_cannot_be_stressed_is_refused_by_name(call, error, says):
    with pytest.raises(error, match=says):
        call()


def test_a_volume_that_is_not_known_stops_only_what_needs_it():
    dark = Market(MARKET.symbols, MARKET.beta, COVARIANCE, np.array([NAN, 1e9]), np.zeros((2, 2)))
    with pytest.raises(DataError, match="volume of BTC/USDT"):
        liquidity_crisis(BOOK, dark)
    assert crash(BOOK, dark).loss == crash(BOOK, MARKET).loss
