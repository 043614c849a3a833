"""Runs worked out by hand, the definitions of the metrics, and bad input at every door."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from seakeep.backtest.kernel.simulator import KINDS, History, KernelParams, Opinions, simulate
from seakeep.brokers.latency import LatencyParams
from seakeep.brokers.sim import SimParams
from seakeep.core.errors import ConfigError, DataError
from seakeep.core.market import BarFrame, Instrument, InstrumentKind, Observation
from seakeep.execution.costs import CostParams
from seakeep.risk.limits import Limits
from seakeep.risk.stops import StopParams
from seakeep.stats.performance import Trades, measure

HOUR = 3_600_000
SPOT = Instrument(symbol="BTC/USDT", base="BTC", quote="USDT", lot=Decimal("0.01"))
PERPETUAL = Instrument(
    symbol="BTC/USDT:USDT",
    base="BTC",
    quote="USDT",
    kind=InstrumentKind.PERPETUAL,
    lot=Decimal("0.01"),
    taker_fee=Decimal(0),
    max_leverage=Decimal(10),
    maintenance_margin=Decimal("0.005"),
)
FREE = CostParams(half_spread_bps=0, temporary=0, permanent=0)
PLAIN = KernelParams(instruments={SPOT.symbol: SPOT}, cash=Decimal(1000), weight=0.5, costs=FREE)
SHORTABLE = replace(PLAIN, instruments={PERPETUAL.symbol: PERPETUAL})


def frame(rows: Sequence[Sequence[float]], symbol: str = SPOT.symbol, volume: float = 1e6) -> BarFrame:
    """Hourly bars of (open, high, low, close)."""
    return BarFrame.from_rows(symbol, "1h", [(i * HOUR, *row, volume) for i, row in enumerate(rows)])


def flat(*prices: float, symbol: str = SPOT.symbol) -> BarFrame:
    return frame([(p, p, p, p) for p in prices], symbol)


def test_a_round_trip_costs_what_it_costs_by_hand() -> None:
    market = frame([(100, 100, 100, 100), (102, 110, 101, 108), (109, 109, 105, 106), (104, 104, 104, 104)])
    costs = CostParams(half_spread_bps=10, temporary=0, permanent=0)
    made = simulate([market], np.array([1, 1, 0, 0]), replace(PLAIN, costs=costs), details=True)
    buy, sell = made.fills
    assert (buy["qty"], buy["price"], buy["ts"]) == (5.0, 102.11, HOUR + 250)
    assert (sell["qty"], sell["price"], sell["ts"]) == (5.0, 103.89, 3 * HOUR + 250)
    fees = 0.001 * 5 * (102.11 + 103.89)
    assert made.metrics["equity"] == pytest.approx(1000 + 5 * (103.89 - 102.11) - fees, abs=1e-9)
    assert made.metrics["fees"] == pytest.approx(fees)
    assert sell["profit"] == pytest.approx(5 * (103.89 - 102.11) - fees)


def test_impact_grows_with_the_root_of_the_share_of_volume() -> None:
    market = frame([(100, 102, 100, 101)] * 4, volume=1000.0)
    costs = CostParams(half_spread_bps=0, temporary=1.0, permanent=0.0)
    made = simulate([market], np.array([1, 1, 1, 1]), replace(PLAIN, costs=costs), details=True)
    sigma = np.log(1.02) / np.sqrt(4 * np.log(2))
    expected = 100 * (1 + sigma * np.sqrt(made.fills[0]["qty"] / 1000.0))
    assert made.fills[0]["price"] == pytest.approx(expected, abs=0.01)
    assert made.fills[0]["price"] >= expected


def test_a_bar_gives_no_more_than_its_share_and_the_rest_waits() -> None:
    market = frame([(100, 100, 100, 100)] * 4, volume=20.0)
    made = simulate([market], np.array([1, 1, 1, 1]), PLAIN, details=True)
    assert made.fills["qty"].tolist() == [2.0, 2.0, 1.0]


def test_a_gap_through_the_stop_fills_at_the_open_and_the_worst_path_takes_the_stop() -> None:
    market = frame([(100, 100, 100, 100), (100, 101, 99, 100), (90, 91, 89, 90), (90, 90, 90, 90)])
    stops = StopParams(stop_loss=0.05, take_profit=0.5)
    gap = simulate([market], np.array([1, 1, 1, 1]), replace(PLAIN, stops=stops), details=True)
    assert [(KINDS[f["kind"]], f["price"]) for f in gap.fills] == [("market", 100.0), ("stop", 90.0)]
    both = frame([(100, 100, 100, 100), (100, 110, 90, 100), (100, 100, 100, 100)])
    near = replace(PLAIN, stops=StopParams(stop_loss=0.05, take_profit=0.05))
    worst = simulate([both], np.array([1, 1, 1]), near, details=True)
    best = simulate([both], np.array([1, 1, 1]), replace(near, sim=SimParams(path="best")), details=True)
    assert (worst.fills[1]["price"], best.fills[1]["price"]) == (95.0, 105.0)
    assert worst.metrics["unknowable"] == best.metrics["unknowable"] == pytest.approx(10.0 * 5)


def test_an_order_meets_no_price_before_its_delay_has_passed() -> None:
    market = flat(*range(100, 110))
    for delay, row in ((0, 1), (HOUR - 1, 1), (HOUR, 2), (2 * HOUR + 1, 4)):
        latency = LatencyParams(model="fixed", low_ms=delay)
        made = simulate([market], np.ones(10, int), replace(PLAIN, latency=latency), details=True)
        assert made.fills[0]["price"] == 100.0 + row


def test_a_liquidation_on_the_first_bar_of_a_holding_is_at_the_price_where_the_margin_ends() -> None:
    market = frame([(100, 100, 100, 100), (100, 100, 60, 70), (70, 70, 70, 70)], PERPETUAL.symbol)
    made = simulate([market], np.array([9.0, 9.0, 9.0]), SHORTABLE, details=True)
    entry, call = made.fills
    price = (100 * 90 - 1000) / (90 * (1 - 0.005))
    assert (KINDS[call["kind"]], entry["qty"], call["qty"]) == ("liquidation", 90.0, 90.0)
    assert call["price"] == pytest.approx(price, abs=0.01)
    assert made.metrics["liquidations"] == 1


def test_funding_is_paid_by_longs_and_a_missing_rate_is_an_error() -> None:
    market = flat(*[100.0] * 20, symbol=PERPETUAL.symbol)
    paid = [Observation("x", "funding_rate", PERPETUAL.symbol, h * HOUR, h * HOUR, 0.001) for h in (8, 16)]
    made = simulate(History.of([market], paid), np.ones(20), SHORTABLE)
    assert made.metrics["funding"] == pytest.approx(-2 * 10 * 100 * 0.001)
    with pytest.raises(DataError, match="no funding rate before 1970-01-01T09:00:00Z"):
        simulate([market], np.ones(20), SHORTABLE)


def test_limits_cut_what_is_asked() -> None:
    market = flat(100.0, 100.0, 100.0, symbol=PERPETUAL.symbol)
    cut = replace(SHORTABLE, limits=Limits.static(max_weight=0.3))
    made = simulate([market], np.array([2.0, 2.0, 2.0]), cut, details=True)
    assert made.fills["qty"].tolist() == [3.0]


def test_metrics_are_those_of_the_performance_module() -> None:
    draw = np.random.default_rng(1)
    close = 100 * np.exp(np.cumsum(0.01 * draw.standard_normal(3000)))
    market = frame([(c, c, c, c) for c in np.round(close, 2)])
    made = simulate([market], (draw.random(3000) < 0.5).astype(float) * 0.8, PLAIN, details=True)
    closed = made.fills["profit"][~np.isnan(made.fills["profit"])]
    trades = Trades(closed, closed, np.full(len(closed), 1.0))
    found = measure(made.ts, made.equity, trades, traded=made.metrics["traded"])
    for name in ("total_return", "cagr", "volatility", "sharpe", "sortino", "calmar", "max_drawdown", "turnover"):
        assert made.metrics[name] == pytest.approx(found[name].value, rel=1e-9), name
    assert made.metrics["win_rate"] == pytest.approx(found["win_rate"].value)
    assert made.metrics["profit_factor"] == pytest.approx(found["profit_factor"].value)


def test_money_is_conserved() -> None:
    market = frame([(100, 103, 98, 101), (101, 104, 99, 100), (100, 102, 97, 99)] * 50)
    made = simulate([market], np.random.default_rng(2).uniform(0, 1, 150), PLAIN, details=True)
    spent = (made.fills["price"] * made.fills["qty"] * made.fills["side"]).sum() + made.fills["fee"].sum()
    held = (made.fills["qty"] * made.fills["side"]).sum()
    assert made.metrics["equity"] == pytest.approx(1000 - spent + held * 99, abs=1e-7)


def test_no_trade_and_one_bar_are_answers() -> None:
    still = simulate([flat(100.0, 101.0, 102.0)], np.zeros(3), PLAIN, details=True)
    assert (still.metrics["equity"], still.metrics["trades"], len(still.fills)) == (1000.0, 0.0, 0)
    assert np.isnan(still.metrics["win_rate"])
    one = simulate([flat(100.0)], np.ones(1), PLAIN, details=True)
    assert one.equity.tolist() == [1000.0]
    assert np.isnan(one.metrics["sharpe"])


def test_nan_keeps_what_there_is_and_late_targets_count_from_the_first_row_traded() -> None:
    market = flat(*[100.0] * 6)
    held = simulate([market], np.array([0.5, np.nan, np.nan, 0.0, np.nan, np.nan]), PLAIN, details=True)
    assert [int(f["ts"]) // HOUR for f in held.fills] == [1, 4]
    late = simulate([market], np.full(6, 0.5), replace(PLAIN, trade_from=3 * HOUR), details=True)
    assert [int(f["ts"]) // HOUR for f in late.fills] == [3]
    assert len(late.equity) == 4


@pytest.mark.parametrize(
    ("signals", "message"),
    [
        (np.array([1.0, np.inf, 0.0]), "infinite in row 1"),
        (np.array([1.0, 0.0]), "must have shape"),
        (np.ones((3, 2)), "must have shape"),
        (np.array(["a", "b", "c"]), "must be numbers"),
        (np.array([200, 0, 0]), "at most 127"),
        (Opinions(score=np.array([0.5, 1.5, 0.0])), r"\[-1, 1\]"),
        (Opinions(score=np.zeros(3), confidence=np.zeros(2)), "confidence must have shape"),
    ],
)
def test_signals_that_make_no_sense_are_refused(signals: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        simulate([flat(100.0, 101.0, 102.0)], signals, PLAIN)  # type: ignore[arg-type]


def test_bars_that_cannot_be_traded_on_are_refused() -> None:
    with pytest.raises(DataError, match="needs bars"):
        simulate([], np.zeros(0), PLAIN)
    with pytest.raises(DataError, match="low must be a positive number"):
        simulate([frame([(100, 100, 0, 100)])], np.ones(1), PLAIN)
    with pytest.raises(DataError, match="close must be a positive number"):
        simulate([frame([(100, 100, 100, float("nan"))])], np.ones(1), PLAIN)
    with pytest.raises(DataError, match="given twice"):
        simulate([flat(100.0), flat(100.0)], np.ones((1, 2)), PLAIN)
    twice = BarFrame.from_rows(SPOT.symbol, "1h", [(0, 1, 1, 1, 1, 1), (60_000, 1, 1, 1, 1, 1)])
    with pytest.raises(DataError, match="overlaps"):
        simulate([twice], np.ones(2), PLAIN)


def test_terms_that_cannot_be_met_are_refused() -> None:
    market = flat(100.0, 100.0)
    with pytest.raises(ConfigError, match="no instrument for BTC/USDT"):
        simulate([market], np.ones(2), replace(PLAIN, instruments={}))
    with pytest.raises(ConfigError, match="cash must be positive"):
        replace(PLAIN, cash=Decimal(0))
    with pytest.raises(ConfigError, match=r"knows no stops\.atr_multiple"):
        simulate([market], np.ones(2), replace(PLAIN, stops=StopParams(atr_multiple=2.0)))
    with pytest.raises(ConfigError, match="shorter than a bar"):
        simulate([market], np.ones(2), replace(PLAIN, latency=LatencyParams(high_ms=HOUR)))


def test_every_fill_is_kept_however_many_there_are() -> None:
    n = 6_000
    made = simulate([flat(*[100.0] * n)], np.arange(n) % 2, PLAIN, details=True)
    assert len(made.fills) == made.metrics["fills"] == n - 2
