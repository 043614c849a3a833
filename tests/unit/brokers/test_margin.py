"""Perpetuals at the simulated venue: leverage, funding, liquidation."""

from collections import deque
from pathlib import Path

import pytest

from seakeep.brokers import SimBroker
from seakeep.core.errors import DataError
from seakeep.core.events import Funded, Liquidated, Rejected, Slice
from seakeep.core.market import Bar, Observation
from seakeep.core.orders import OrderType
from seakeep.core.units import HOUR_MS
from tests.unit.brokers.scene import FLAT, PERP, D, fills, hour, order, venue

DERIVATIVES = Path(__file__).parents[3] / "../shared/data/derivatives"


def perp(qty: str, cash: str = "1000") -> SimBroker:
    """Hold that much of the perpetual, bought or sold at 100 in hour 1."""
    broker = venue(cash=cash)
    broker.advance(hour(0, FLAT, symbol=PERP))
    broker.send(order("e", qty, symbol=PERP))
    assert len(fills(broker.advance(hour(1, FLAT, symbol=PERP)))) == 1
    return broker


def test_leverage_lets_ten_times_the_collateral_in_and_no_more() -> None:
    # 95 x 100 = 9500 binds 950, and costs 9.5 of fee; 100 x 100 would bind 1000 and cost 10
    assert perp("-95").snapshot()[0].positions[PERP].qty == -95
    broker = venue(cash="1000")
    broker.advance(hour(0, FLAT, symbol=PERP))
    broker.send(order("e", "100", symbol=PERP))
    (reply,) = broker.advance(hour(1, FLAT, symbol=PERP))
    assert isinstance(reply, Rejected)
    assert "needs 1010.00 USDT, free is 1000.00" in reply.reason


@pytest.mark.parametrize(
    ("bar", "price"),
    [
        ((100.0, 100.0, 90.0, 95.0), 90.02),
        ((100.0, 100.0, 82.0, 95.0), 90.02),
        ((80.0, 85.0, 79.0, 85.0), 80.0),  # gapped past it: the open
    ],
)
def test_a_long_is_closed_where_equity_meets_maintenance(bar: tuple[float, float, float, float], price: float) -> None:
    # 95 bought at 100 with 1000: cash 1000 - 9500 - 9.5 = -8509.5
    # 95 P - 8509.5 = 0.005 x 95 P, so P = 8509.5 / 94.525 = 90.0238; sold a tick below
    broker = perp("95")
    replies = broker.advance(hour(2, bar, symbol=PERP))
    (called,) = [r.fill for r in replies if isinstance(r, Liquidated)]
    assert (called.qty, float(called.price), called.order_id) == (D(95), price, "")
    assert broker.snapshot()[0].positions[PERP].qty == 0


def test_a_short_is_closed_above_and_its_orders_go_with_it() -> None:
    # cash 1000 + 9500 - 9.5 = 10490.5; 10490.5 - 95 P = 0.475 P, so P = 109.8769; bought a tick above
    broker = perp("-95")
    broker.send(order("t", "95", OrderType.LIMIT, k=1, symbol=PERP, price=D(80), reduce_only=True))
    replies = broker.advance(hour(2, (100.0, 111.0, 99.0, 100.0), symbol=PERP))
    (called,) = [r.fill for r in replies if isinstance(r, Liquidated)]
    assert float(called.price) == 109.88
    assert replies[-1].reason == "the position was liquidated"
    assert broker.snapshot()[1] == ()


def test_a_stop_before_the_liquidation_price_saves_the_position() -> None:
    broker = perp("95")
    broker.send(order("s", "-95", OrderType.STOP, k=1, symbol=PERP, stop_price=D(95), reduce_only=True))
    replies = broker.advance(hour(2, (100.0, 100.0, 85.0, 86.0), symbol=PERP))
    assert fills(replies) == [("s", D(95), D(95))]
    assert not any(isinstance(r, Liquidated) for r in replies)


def test_a_fully_backed_long_is_never_called() -> None:
    broker = perp("9")
    assert list(broker.advance(hour(2, (100.0, 100.0, 0.5, 1.0), symbol=PERP))) == []


def test_a_long_pays_the_rate_at_its_instant() -> None:
    # 5 x 100 x 0.0003 = 0.15
    broker = perp("5")
    for k in range(2, 7):
        assert broker.advance(hour(k, FLAT, symbol=PERP)) == []
    paid = broker.advance(hour(7, FLAT, symbol=PERP, rate=0.0003))
    assert paid == [Funded(8 * HOUR_MS, PERP, 0.0003, D("-0.15"))]
    assert broker.snapshot()[0].positions[PERP].funding == D("-0.15")
    assert broker.advance(hour(8, FLAT, symbol=PERP)) == []


@pytest.mark.parametrize("rate", [None, float("nan")])
def test_a_missing_rate_is_an_error_not_zero(rate: float | None) -> None:
    broker = perp("5")
    hours = [hour(k, FLAT, symbol=PERP, rate=rate if k == 7 else None) for k in range(2, 9)]
    with pytest.raises(DataError, match="funding rate"):
        deque(map(broker.advance, hours))


def test_a_position_owes_nothing_for_instants_before_it_was_opened() -> None:
    broker = venue()
    for k in range(9):
        broker.advance(hour(k, FLAT, symbol=PERP))
    broker.send(order("e", "5", k=8, symbol=PERP))
    assert [len(broker.advance(hour(k, FLAT, symbol=PERP))) for k in range(9, 16)] == [2, 0, 0, 0, 0, 0, 0]
    with pytest.raises(DataError, match="1970-01-01T16:00:00Z"):
        broker.advance(hour(16, FLAT, symbol=PERP))


def test_without_a_position_no_rate_is_needed() -> None:
    broker = perp("5")
    broker.send(order("x", "-5", k=1, symbol=PERP, reduce_only=True))
    assert len(fills(broker.advance(hour(2, FLAT, symbol=PERP)))) == 1
    assert [list(broker.advance(hour(k, FLAT, symbol=PERP))) for k in range(3, 20)] == [[]] * 17


def test_a_rate_stamped_some_milliseconds_late_is_taken_once() -> None:
    broker = perp("5")
    for k in range(2, 8):
        broker.advance(hour(k, FLAT, symbol=PERP))
    late = Observation("test", "funding_rate", PERP, 8 * HOUR_MS + 4, 8 * HOUR_MS + 4, 0.0001)
    assert len(broker.advance(Slice(late.ts, observations=(late,)))) == 1
    assert len(broker.advance(Slice(late.ts, observations=(late,)))) == 0
    assert broker.advance(hour(8, FLAT, symbol=PERP)) == []


@pytest.mark.skipif(not DERIVATIVES.exists(), reason="shared/data/derivatives is absent")
def test_funding_of_a_real_year_is_the_sum_of_rate_and_mark() -> None:
    import pandas as pd

    eight = 8 * HOUR_MS
    rates = pd.read_parquet(DERIVATIVES / "funding_BTCUSDT_binance_2023-12on.parquet")
    marks = pd.read_parquet(DERIVATIVES / "mark_BTCUSDT_binance_8h.parquet")
    closes = {int(t.timestamp() * 1000) + eight: c for t, c in zip(marks.ts, marks.close, strict=True)}
    rows = [(int(t.timestamp() * 1000), r) for t, r in zip(rates.ts, rates.funding_rate, strict=True)][1:1000]
    broker, expected, late = venue(cash="1000000"), 0.0, 0
    for i, (ts, rate) in enumerate(rows):
        end = ts // eight * eight
        price, paid = closes[end], Observation("binance", "funding_rate", PERP, ts, ts, rate)
        bar = Bar(PERP, "8h", end - eight, end, price, price, price, price, 1000.0)
        slices = [Slice(ts, (bar,), observations=(paid,))]
        if ts != end:
            slices = [Slice(end, (bar,)), Slice(ts, observations=(paid,))]
        for event in slices:
            broker.advance(event)
        late += len(slices) - 1
        if i == 0:
            broker.send(order("e", "2", k=end // HOUR_MS - 1, symbol=PERP))
        else:
            expected -= 2 * price * rate
    assert late > 100  # this venue stamps many payments a few milliseconds late
    assert float(broker.snapshot()[0].positions[PERP].funding) == pytest.approx(expected, rel=1e-12)
