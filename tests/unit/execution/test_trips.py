"""Round trips: averages worked by hand, and the sum that accounting must agree with."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seakeep.core.account import Portfolio
from seakeep.core.orders import Fill, Liquidity, Side
from seakeep.execution.accounting import apply_fill
from seakeep.execution.trips import round_trips

PERP = "BTC/USDT:USDT"


def fill(ts: int, signed: str, price: str, fee: str = "0", asset: str = "USDT", symbol: str = PERP) -> Fill:
    qty = Decimal(signed)
    return Fill(
        id=f"f{ts}",
        order_id="o",
        symbol=symbol,
        ts=ts,
        side=Side.BUY if qty > 0 else Side.SELL,
        price=Decimal(price),
        qty=abs(qty),
        fee=Decimal(fee),
        fee_asset=asset,
        liquidity=Liquidity.TAKER,
        mid=Decimal(price),
    )


def test_entries_and_exits_are_averaged_by_quantity() -> None:
    [trip] = round_trips([fill(1, "1", "100", "0.1"), fill(2, "3", "120"), fill(5, "-2", "130"), fill(9, "-2", "110")])
    assert (trip.entry_ts, trip.exit_ts, trip.duration_ms) == (1, 9, 8)
    assert (trip.entry_price, trip.exit_price, trip.qty) == (Decimal(115), Decimal(120), Decimal(4))
    assert trip.pnl == Decimal("19.9")  # 4 x (120 - 115) - 0.1
    assert trip.ret == pytest.approx(19.9 / 460)


def test_a_short_earns_when_the_price_falls() -> None:
    [trip] = round_trips([fill(1, "-2", "100", "0.2"), fill(2, "2", "90", "0.18")])
    assert trip.side is Side.SELL
    assert trip.pnl == Decimal("19.62")


def test_a_flip_closes_one_trip_and_opens_the_next_with_its_share_of_the_fee() -> None:
    long, short = round_trips([fill(1, "1", "100"), fill(2, "-4", "110", "0.4"), fill(3, "3", "105")])
    assert (long.side, long.qty, long.fees, long.pnl) == (Side.BUY, Decimal(1), Decimal("0.1"), Decimal("9.9"))
    assert (short.side, short.entry_ts, short.fees, short.pnl) == (Side.SELL, 2, Decimal("0.3"), Decimal("14.7"))


def test_what_is_still_open_is_not_a_trip() -> None:
    assert round_trips([fill(1, "2", "100"), fill(2, "-1", "110")]) == ()


def test_a_fee_in_the_base_coin_is_a_sale_of_that_much() -> None:
    fills = [fill(1, "1", "100", "0.01", "BTC", "BTC/USDT"), fill(2, "-0.99", "110", symbol="BTC/USDT")]
    [trip] = round_trips(fills)
    assert trip.fees == Decimal("1.00")
    assert trip.pnl == Decimal("8.90")  # 0.99 x 110 + 1 - 100 - 1


@pytest.mark.parametrize("bad", [fill(1, "1", "0"), fill(1, "0", "5"), fill(1, "1", "-5")])
def test_a_fill_that_is_no_trade_is_refused(bad: Fill) -> None:
    with pytest.raises(ValueError, match="f1: qty and price must be > 0"):
        round_trips([bad])


def test_fills_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="f3 of BTC/USDT:USDT at 3 comes after one at 4"):
        round_trips([fill(4, "1", "5"), fill(3, "-1", "5")])


cents = st.integers(1, 10**9).map(lambda n: Decimal(n) / 100)
lots = st.integers(-(10**6), 10**6).filter(bool).map(lambda n: Decimal(n) / 10**5)
moves = st.lists(st.tuples(st.sampled_from(["A/USDT:USDT", PERP]), lots, cents, cents), max_size=30)


@given(moves)
def test_the_pnl_of_all_trips_is_realised_less_fees_to_the_last_digit(
    moves: list[tuple[str, Decimal, Decimal, Decimal]],
) -> None:
    fills, held = [], {"A/USDT:USDT": Decimal(0), PERP: Decimal(0)}
    for ts, (symbol, qty, price, fee) in enumerate(moves):
        fills.append(fill(ts, str(qty), str(price), str(fee), symbol=symbol))
        held[symbol] += qty
    fills += [fill(99, str(-qty), "7.77", "0.01", symbol=symbol) for symbol, qty in held.items() if qty]
    book = Portfolio(quote="USDT", cash={})
    for one in fills:
        book = apply_fill(book, one)
    expected = sum((p.realised - p.fees for p in book.positions.values()), Decimal(0))
    assert sum((t.pnl for t in round_trips(fills)), Decimal(0)) == expected == book.cash.get("USDT", Decimal(0))
