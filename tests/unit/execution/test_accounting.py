"""Conservation to the last digit, and positions worked by hand."""

from decimal import Context, Decimal, Inexact, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from seakeep.core.account import Portfolio, Position
from seakeep.core.errors import DataError, IntegrityError
from seakeep.core.market import Instrument, InstrumentKind
from seakeep.core.orders import Fill, Liquidity, Side
from seakeep.execution.accounting import (
    apply_fill,
    apply_funding,
    funding_amount,
    liquidation_price,
    margin,
    unrealised,
)

D = Decimal
PERP, SPOT = "BTC/USDT:USDT", "ETH/USDT"
START = Portfolio(quote="USDT", cash={"USDT": D(10_000)})
INSTRUMENTS = {
    PERP: Instrument(
        symbol=PERP,
        base="BTC",
        quote="USDT",
        kind=InstrumentKind.PERPETUAL,
        max_leverage=D(10),
        maintenance_margin=D("0.005"),
    ),
    SPOT: Instrument(symbol=SPOT, base="ETH", quote="USDT"),
}


def trade(qty: str, price: str, fee: str = "0", symbol: str = PERP, fee_asset: str = "USDT") -> Fill:
    return Fill(
        id="f",
        order_id="o",
        symbol=symbol,
        ts=0,
        side=Side.BUY if D(qty) > 0 else Side.SELL,
        price=D(price),
        qty=abs(D(qty)),
        fee=D(fee),
        fee_asset=fee_asset,
        liquidity=Liquidity.TAKER,
        mid=D(price),
    )


def book(*fills: Fill) -> Portfolio:
    portfolio = START
    for fill in fills:
        portfolio = apply_fill(portfolio, fill)
    return portfolio


def test_a_long_closed_in_two_parts_realises_against_average_cost() -> None:
    # buy 2 @ 100 and 2 @ 110: average 105; sell 1 @ 120: +15; sell 3 @ 100: -15
    after = book(trade("2", "100"), trade("2", "110"), trade("-1", "120"))
    assert after.positions[PERP] == Position(symbol=PERP, qty=D(3), cost=D(315), realised=D(15))
    assert after.cash["USDT"] == D(10_000 - 200 - 220 + 120)
    closed = apply_fill(after, trade("-3", "100"))
    assert closed.positions[PERP] == Position(symbol=PERP, realised=D(0))
    assert closed.cash["USDT"] == D(10_000)


def test_a_flip_realises_the_old_side_and_opens_the_new_at_the_fill() -> None:
    # short 2 @ 100, then buy 5 @ 90: +20 realised, long 3 at 90
    after = book(trade("-2", "100"), trade("5", "90"))
    assert after.positions[PERP] == Position(symbol=PERP, qty=D(3), cost=D(270), realised=D(20))


def test_a_fee_in_the_base_coin_is_taken_from_the_holding() -> None:
    # buy 1 @ 2000 with 0.001 coin of fee: 0.999 held, the fee is worth 2 and cash moved by 2000 only
    after = book(trade("1", "2000", "0.001", SPOT, "ETH"))
    assert after.positions[SPOT].qty == D("0.999")
    assert (after.cash["USDT"], after.positions[SPOT].fees) == (D(8000), D(2))
    assert after.equity({SPOT: D(2000)}) == D(9998)


def test_a_fee_in_a_third_asset_leaves_the_quote_alone() -> None:
    after = book(trade("1", "2000", "0.004", SPOT, "BNB"))
    assert after.cash == {"USDT": D(8000), "BNB": D("-0.004")}
    assert after.equity({SPOT: D(2000)}) == D(10_000)


def test_spot_cannot_go_short_and_nonsense_is_refused() -> None:
    with pytest.raises(IntegrityError, match="negative"):
        book(trade("1", "2000", symbol=SPOT), trade("-1.001", "2000", symbol=SPOT))
    for bad in (replace(trade("1", "5"), qty=D("NaN")), replace(trade("1", "5"), price=D(0)), trade("1", "5", "NaN")):
        with pytest.raises(IntegrityError, match="not a trade"):
            apply_fill(START, bad)


steps = st.tuples(
    st.sampled_from([PERP, SPOT]),
    st.decimals("-9", "9", places=5).filter(bool),
    st.decimals("0.01", "99999", places=2),
    st.decimals("-1", "9", places=8),
    st.sampled_from(["USDT", "ETH", "BNB"]),
    st.decimals("-5", "5", places=10),
)


@given(st.lists(steps, max_size=25), st.decimals("0.01", "99999", places=2), st.decimals("0.01", "99999", places=2))
def test_cash_positions_fees_and_funding_are_conserved_exactly(
    history: list[tuple[str, Decimal, Decimal, Decimal, str, Decimal]], perp_mark: Decimal, spot_mark: Decimal
) -> None:
    portfolio, marks, bnb = START, {PERP: perp_mark, SPOT: spot_mark}, D(0)
    for symbol, qty, price, fee, asset, paid in history:
        fill = trade(str(qty), str(price), str(fee), symbol, asset)
        try:
            portfolio = apply_fill(portfolio, fill)
        except IntegrityError:
            continue
        bnb += fee if asset == "BNB" or (asset == "ETH" and symbol == PERP) else 0
        portfolio = apply_funding(portfolio, PERP, paid)
    with localcontext(Context(prec=200, traps=[Inexact])):
        parts = [p.realised - p.fees + p.funding + unrealised(p, marks[s]) for s, p in portfolio.positions.items()]
        assert portfolio.equity(marks) == D(10_000) + sum(parts, D(0))
        assert portfolio.cash.get("BNB", D(0)) + portfolio.cash.get("ETH", D(0)) == -bnb


def test_longs_pay_positive_funding_and_a_missing_rate_is_an_error() -> None:
    # long 2 at mark 30000, rate 0.0001: pays 6; a short of the same size receives it
    assert funding_amount(Position(symbol=PERP, qty=D(2)), D(30_000), 0.0001) == D(-6)
    assert funding_amount(Position(symbol=PERP, qty=D(-2)), D(30_000), 0.0001) == D(6)
    for missing in (None, float("nan"), float("inf")):
        with pytest.raises(DataError, match="no funding rate"):
            funding_amount(Position(symbol=PERP, qty=D(2)), D(30_000), missing)


def test_margin_binds_spot_in_full_and_a_perpetual_by_its_leverage() -> None:
    # spot 1 x 2000; perpetual 0.2 x 30000 = 6000 notional: initial 600, maintenance 30
    state = margin(
        book(trade("1", "2000", symbol=SPOT), trade("0.2", "30000")), {SPOT: D(2000), PERP: D(30_000)}, INSTRUMENTS
    )
    assert (state.equity, state.initial, state.maintenance, state.free) == (D(10_000), D(600), D(30), D(7400))


def test_the_liquidation_price_is_where_equity_meets_maintenance() -> None:
    # long 1 @ 100000 on 10000: P - 90000 = 0.005 P, so P = 90000 / 0.995 = 90452.2613...
    long = book(trade("1", "100000"))
    price = liquidation_price(PERP, long, {PERP: D(100_000)}, INSTRUMENTS)
    assert float(price) == pytest.approx(90_452.26130653266, rel=1e-14)
    # short 1 @ 100000: 110000 - P = 0.005 P, so P = 110000 / 1.005
    short = liquidation_price(PERP, book(trade("-1", "100000")), {PERP: D(100_000)}, INSTRUMENTS)
    assert float(short) == pytest.approx(110_000 / 1.005, rel=1e-14)
    # fully paid, a long cannot be called
    assert liquidation_price(PERP, book(trade("0.05", "100000")), {PERP: D(100_000)}, INSTRUMENTS) is None


@given(st.decimals("-3", "3", places=3).filter(bool), st.decimals("0", "2", places=3))
def test_at_the_liquidation_price_equity_equals_maintenance(qty: Decimal, spot: Decimal) -> None:
    fills = [trade(str(qty), "30000")] + ([trade(str(spot), "2000", symbol=SPOT)] if spot else [])
    portfolio, marks = book(*fills), {PERP: D(30_000), SPOT: D(1500)}
    price = liquidation_price(PERP, portfolio, marks, INSTRUMENTS)
    if price is not None:
        state = margin(portfolio, {**marks, PERP: price}, INSTRUMENTS)
        assert float(state.equity) == pytest.approx(float(state.maintenance), abs=1e-9)
