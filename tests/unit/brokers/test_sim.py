"""The simulated venue, order by order, with the arithmetic written out."""

import re
from decimal import Decimal

import pytest
from pydantic import ValidationError

from seakeep.brokers import BROKERS, LatencyParams, SimBroker, SimParams
from seakeep.core.errors import ConfigError, DataError
from seakeep.core.events import Accepted, Cancel, CancelAll, Canceled, Filled, Rejected, Slice, Tick
from seakeep.core.market import Bar, Instrument
from seakeep.core.orders import Liquidity, OrderType, Status, TimeInForce
from seakeep.core.units import HOUR_MS
from seakeep.execution.costs import CostParams
from tests.unit.brokers.scene import FLAT, INSTRUMENTS, SPOT, D, fills, hour, order, venue


def holding(broker: SimBroker, qty: str = "10") -> SimBroker:
    """Buy at 100 in hour 1."""
    broker.advance(hour(0, FLAT))
    broker.send(order("entry", qty))
    assert fills(broker.advance(hour(1, FLAT))) == [("entry", D(qty), D(100))]
    return broker


def test_a_market_order_fills_at_the_next_open_and_never_in_the_bar_that_caused_it() -> None:
    broker = venue()
    broker.advance(hour(0, (90.0, 95.0, 85.0, 92.0)))
    broker.send(order("o", "2"))
    assert broker.advance(Tick(HOUR_MS)) == [Accepted(HOUR_MS, "o")]
    replies = broker.advance(hour(1, (100.0, 110.0, 90.0, 105.0)))
    assert fills(replies) == [("o", D(2), D(100))]
    assert replies[0].fill.fee == D("0.2")  # 2 x 100 x 0.001
    assert broker.snapshot()[0].cash["USDT"] == D("9799.8")


def test_costs_are_half_the_spread_and_impact_on_the_window() -> None:
    # range 110/90 in both bars: sigma = ln(110/90) / sqrt(4 ln 2) = 0.1205115; share 10/1000
    # 100 x (1 + 0.0001 + 0.15 x 0.1205115 x 0.1) = 100.19076..., to the tick above
    broker = venue(costs=CostParams())
    broker.advance(hour(0, (100.0, 110.0, 90.0, 100.0)))
    broker.send(order("o", "10"))
    assert fills(broker.advance(hour(1, (100.0, 110.0, 90.0, 100.0)))) == [("o", D(10), D("100.20"))]


def test_latency_longer_than_a_bar_waits_for_the_open_after_arrival() -> None:
    broker = venue(latency=LatencyParams(model="fixed", low_ms=HOUR_MS + 1))
    broker.advance(hour(0, FLAT))
    broker.send(order("o", "1"))
    assert broker.advance(hour(1, FLAT)) == []
    assert broker.advance(hour(2, FLAT)) == [Accepted(2 * HOUR_MS + 1, "o")]
    assert fills(broker.advance(hour(3, (107.0, 108.0, 106.0, 107.0)))) == [("o", D(1), D(107))]


@pytest.mark.parametrize(("share", "volume"), [(0.1, 30.0), (0.5, 6.0)])
def test_participation_spreads_an_order_over_bars(share: float, volume: float) -> None:
    # 10 % of 30, or half of 6, is 3 a bar, shared by the orders in sequence
    broker = venue(params=SimParams(participation=share))
    broker.advance(hour(0, FLAT))
    broker.send(order("a", "4"))
    broker.send(order("b", "2"))
    got = [fills(broker.advance(hour(k, FLAT, volume=volume))) for k in (1, 2, 3)]
    assert got == [[("a", D(3), D(100))], [("a", D(1), D(100)), ("b", D(2), D(100))], []]
    assert broker.advance(hour(4, FLAT, volume=0.0)) == []


@pytest.mark.parametrize(
    ("bar", "expected"),
    [
        ((100.0, 101.0, 94.0, 95.0), [("o", D(1), D(96))]),  # traded through
        ((100.0, 101.0, 96.0, 99.0), []),  # only touched
        ((93.0, 94.0, 92.0, 93.0), [("o", D(1), D(93))]),  # crosses on arrival
    ],
)
def test_a_limit_order(bar: tuple[float, float, float, float], expected: list) -> None:
    broker = venue()
    broker.advance(hour(0, FLAT))
    broker.send(order("o", "1", OrderType.LIMIT, price=D(96)))
    replies = broker.advance(hour(1, bar))
    assert fills(replies) == expected
    liquid = {r.fill.liquidity for r in replies if isinstance(r, Filled)}
    assert liquid <= {Liquidity.TAKER if bar[0] < 96 else Liquidity.MAKER}


@pytest.mark.parametrize(
    ("bar", "price"),
    [((100.0, 101.0, 94.0, 99.0), "95"), ((92.0, 99.0, 91.0, 98.0), "92"), ((100.0, 101.0, 95.5, 99.0), None)],
)
def test_a_stop_sells_at_the_worse_of_trigger_and_open(
    bar: tuple[float, float, float, float], price: str | None
) -> None:
    broker = holding(venue())
    broker.send(order("s", "-10", OrderType.STOP, k=1, stop_price=D(95), reduce_only=True))
    assert fills(broker.advance(hour(2, bar))) == ([("s", D(10), D(price))] if price else [])


@pytest.mark.parametrize(("limit", "price"), [(101, "101"), (110, "105")])
def test_a_crossing_limit_pays_the_costs_up_to_its_price(limit: int, price: str) -> None:
    # half a spread of 5 % makes 105 of an open of 100
    broker = venue(costs=CostParams(half_spread_bps=500, temporary=0, permanent=0))
    broker.advance(hour(0, FLAT))
    broker.send(order("o", "1", OrderType.LIMIT, price=D(limit)))
    assert fills(broker.advance(hour(1, FLAT))) == [("o", D(1), D(price))]


def test_a_stop_limit_waits_when_price_falls_past_its_limit() -> None:
    broker = holding(venue())
    broker.send(order("s", "-10", OrderType.STOP_LIMIT, k=1, stop_price=D(95), price=D(94), reduce_only=True))
    assert fills(broker.advance(hour(2, (90.0, 93.0, 88.0, 92.0)))) == []  # gapped below both: it rests at 94
    assert fills(broker.advance(hour(3, (93.0, 94.5, 92.0, 94.0)))) == [("s", D(10), D(94))]


def test_a_trailing_stop_follows_prices_known_before_the_bar() -> None:
    # first trigger 100 x 0.9 = 90; after a high of 120 it stands at 108, although the low of that bar was 100
    broker = holding(venue())
    broker.send(order("t", "-10", OrderType.TRAILING, k=1, trail=D("0.1"), reduce_only=True))
    assert fills(broker.advance(hour(2, (100.0, 120.0, 100.0, 118.0)))) == []
    assert fills(broker.advance(hour(3, (118.0, 119.0, 107.0, 110.0)))) == [("t", D(10), D(108))]


@pytest.mark.parametrize(
    ("path", "target", "expected"),
    [
        ("worst", 103, ("s", "95")),
        ("best", 103, ("t", "103")),
        ("expected", 103, ("t", "103")),
        ("expected", 108, ("s", "95")),
    ],
)
def test_a_bar_that_touches_stop_and_target(path: str, target: int, expected: tuple[str, str]) -> None:
    broker = holding(venue(params=SimParams(path=path)))
    broker.send(order("s", "-10", OrderType.STOP, k=1, stop_price=D(95), reduce_only=True))
    broker.send(order("t", "-10", OrderType.LIMIT, k=1, price=D(target), reduce_only=True))
    replies = broker.advance(hour(2, (100.0, 110.0, 90.0, 100.0)))
    assert fills(replies) == [(expected[0], D(10), D(expected[1]))]
    assert replies[-1].reason == "nothing left to reduce"
    assert broker.snapshot()[1] == ()


def test_a_gap_over_the_stop_is_no_question_of_path() -> None:
    broker = holding(venue(params=SimParams(path="best")))
    broker.send(order("s", "-10", OrderType.STOP, k=1, stop_price=D(95), reduce_only=True))
    broker.send(order("t", "-10", OrderType.LIMIT, k=1, price=D(103), reduce_only=True))
    assert fills(broker.advance(hour(2, (93.0, 110.0, 90.0, 100.0)))) == [("s", D(10), D(93))]


def test_protection_sent_with_its_entry_guards_the_first_bar() -> None:
    broker = venue()
    broker.advance(hour(0, FLAT))
    broker.send(order("e", "5"))
    broker.send(order("s", "-5", OrderType.STOP, stop_price=D(95), reduce_only=True))
    assert fills(broker.advance(hour(1, (100.0, 101.0, 90.0, 92.0)))) == [("e", D(5), D(100)), ("s", D(5), D(95))]


def test_protection_stays_while_its_entry_still_fills() -> None:
    # 3 a bar: the stop closes what is there and lives on until the entry is done
    broker = venue()
    broker.advance(hour(0, FLAT))
    broker.send(order("e", "5"))
    broker.send(order("s", "-5", OrderType.STOP, stop_price=D(95), reduce_only=True))
    assert fills(broker.advance(hour(1, FLAT, volume=30.0))) == [("e", D(3), D(100))]
    second = broker.advance(hour(2, (100.0, 100.0, 90.0, 92.0), volume=1000.0))
    assert fills(second) == [("e", D(2), D(100)), ("s", D(5), D(95))]


def test_what_is_left_of_a_stop_never_sells_above_its_trigger() -> None:
    # 10 % of 30 is 3 at 95; the rest finds an open of 97 and still counts as 95, then an open of 90
    broker = holding(venue())
    broker.send(order("s", "-10", OrderType.STOP, k=1, stop_price=D(95), reduce_only=True))
    bars = [(100.0, 100.0, 94.0, 96.0), (97.0, 98.0, 96.0, 97.0), (90.0, 91.0, 89.0, 90.0)]
    got = [fills(broker.advance(hour(2 + k, bar, volume=30.0))) for k, bar in enumerate(bars)]
    assert got == [[("s", D(3), D(95))], [("s", D(3), D(95))], [("s", D(3), D(90))]]


def test_protection_sleeps_until_there_is_something_to_protect() -> None:
    broker = venue()
    broker.advance(hour(0, FLAT))
    broker.send(order("e", "5", OrderType.LIMIT, price=D(98)))
    broker.send(order("s", "-5", OrderType.STOP, stop_price=D(99), reduce_only=True))
    assert fills(broker.advance(hour(1, (100.0, 101.0, 98.5, 100.0)))) == []  # below the trigger, nothing held
    assert fills(broker.advance(hour(2, (100.0, 101.0, 97.0, 100.0)))) == [("e", D(5), D(98))]
    assert fills(broker.advance(hour(3, (101.0, 102.0, 100.0, 101.0)))) == []
    assert fills(broker.advance(hour(4, (101.0, 102.0, 98.0, 98.0)))) == [("s", D(5), D(99))]


def test_reduce_only_shrinks_to_the_position_and_never_flips() -> None:
    broker = holding(venue())
    broker.send(order("r", "-25", k=1, reduce_only=True))
    replies = broker.advance(hour(2, FLAT))
    assert fills(replies) == [("r", D(10), D(100))]
    assert replies[-1] == Canceled(2 * HOUR_MS, "r", "nothing left to reduce")
    assert broker.snapshot()[0].positions[SPOT].qty == 0


@pytest.mark.parametrize(
    ("sent", "word"),
    [
        (order("o", "101"), r"insufficient funds.*10110\.10.*10000\.00"),  # 101 x 100 x 1.001
        (order("o", "-1"), "spot cannot be sold short"),
        (order("o", "0.04"), "too small"),
        (order("o", "0.005"), "lot"),
        (order("o", "1", symbol="DOGE/USDT"), "unknown symbol"),
        (order("o", "1", OrderType.LIMIT), "needs price"),
        (order("o", "1", OrderType.LIMIT, price=D("100.001")), "tick"),
    ],
)
def test_what_cannot_be_is_rejected_with_the_numbers(sent: object, word: str) -> None:
    broker = venue()
    broker.advance(hour(0, FLAT))
    broker.send(sent)
    (reply,) = broker.advance(hour(1, FLAT))
    assert isinstance(reply, Rejected)
    assert re.search(word, reply.reason)


def test_cash_spent_by_an_earlier_order_cancels_the_later() -> None:
    broker = venue()
    broker.advance(hour(0, FLAT))
    broker.send(order("a", "60"))
    broker.send(order("b", "60"))
    replies = broker.advance(hour(1, FLAT))
    assert fills(replies) == [("a", D(60), D(100))]
    assert isinstance(replies[-1], Canceled)
    assert "free is 3994.00" in replies[-1].reason


def test_a_cancel_takes_what_is_left_and_a_late_one_does_nothing() -> None:
    broker = venue()
    broker.advance(hour(0, FLAT))
    broker.send(order("o", "5"))
    broker.advance(hour(1, FLAT, volume=20.0))
    broker.send(Cancel("o", SPOT))
    assert broker.advance(hour(2, FLAT)) == [Canceled(2 * HOUR_MS, "o", "canceled as asked")]
    broker.send(Cancel("o", SPOT))
    broker.send(Cancel("never", SPOT))
    assert broker.advance(hour(3, FLAT)) == []


def test_a_cancel_does_not_overtake_its_order_and_cancel_all_spares_later_ones() -> None:
    broker = venue(latency=LatencyParams())
    broker.advance(hour(0, FLAT))
    for i in range(20):
        broker.send(order(f"o{i}", "1"))
        broker.send(Cancel(f"o{i}", SPOT))
        broker.send(CancelAll())
    broker.send(order("last", "1"))
    assert fills(broker.advance(hour(1, FLAT))) == [("last", D(1), D(100))]


def test_immediate_or_cancel_leaves_nothing_behind() -> None:
    broker = venue()
    broker.advance(hour(0, FLAT))
    broker.send(order("m", "5", tif=TimeInForce.IOC))
    broker.send(order("l", "1", OrderType.LIMIT, price=D(99), tif=TimeInForce.IOC))
    replies = broker.advance(hour(1, (100.0, 101.0, 95.0, 96.0), volume=20.0))
    assert fills(replies) == [("m", D(2), D(100))]
    assert sorted(r.order_id for r in replies if isinstance(r, Canceled)) == ["l", "m"]


def test_orders_in_a_delisted_market_stay_open() -> None:
    broker = venue()
    broker.advance(hour(0, FLAT))
    broker.send(order("o", "1"))
    for k in range(1, 5):
        broker.advance(Slice((k + 1) * HOUR_MS))
    (working,) = broker.snapshot()[1]
    assert (working.id, working.status) == ("o", Status.ACCEPTED)


def test_only_the_shortest_bars_of_a_symbol_trade() -> None:
    broker = venue()
    broker.advance(hour(0, FLAT))
    broker.send(order("o", "50"))
    four_hours = Bar(SPOT, "4h", 0, 4 * HOUR_MS, 50.0, 100.0, 50.0, 60.0, 1e6)
    for k in (1, 2, 3):
        ended = hour(k, FLAT, volume=30.0)
        longer = (four_hours,) if k == 3 else ()
        assert fills(broker.advance(Slice(ended.ts, (*ended.bars, *longer)))) == [("o", D(3), D(100))]


def test_disorder_is_an_error_that_names_the_time() -> None:
    broker = venue()
    broker.advance(hour(1, FLAT))
    with pytest.raises(DataError, match="time order"):
        broker.advance(hour(0, FLAT))
    with pytest.raises(DataError, match="overlaps"):
        broker.advance(hour(1, FLAT))


def test_the_venue_is_in_the_registry_and_refuses_a_mixed_up_account() -> None:
    assert BROKERS["sim"] is SimBroker
    euro = Instrument(symbol="ETH/EUR", base="ETH", quote="EUR")
    wrong = {"BTC/USDT:USDT": INSTRUMENTS[SPOT]}
    for instruments in ({}, {SPOT: INSTRUMENTS[SPOT], "ETH/EUR": euro}, wrong):
        with pytest.raises(ConfigError):
            SimBroker(instruments, Decimal(100))
    with pytest.raises(ConfigError, match="initial_cash"):
        SimBroker(INSTRUMENTS, Decimal(-1))
    for bad in (0.0, 1.5):
        with pytest.raises(ValidationError, match="participation"):
            SimParams(participation=bad)
