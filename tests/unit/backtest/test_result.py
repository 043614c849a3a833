"""A result's own arithmetic: digest, costs, buy-and-hold, drawdown, curves."""

from dataclasses import replace
from decimal import Decimal

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seakeep.backtest.result import Curves, buy_and_hold, costs, curves, digest
from seakeep.core.market import BarFrame
from seakeep.core.orders import Fill, Liquidity, Side
from seakeep.core.verdicts import RiskSnapshot
from seakeep.stats.returns import drawdown

from .factory import make

HOUR = 3_600_000


def a_fill(**changes: object) -> Fill:
    """One purchase, changed."""
    base = Fill(
        id="f1",
        order_id="o1",
        symbol="BTC/USDT",
        ts=HOUR,
        side=Side.BUY,
        price=Decimal("100.5"),
        qty=Decimal("2"),
        fee=Decimal("0.2"),
        fee_asset="USDT",
        liquidity=Liquidity.TAKER,
        mid=Decimal("100"),
    )
    return msgspec.structs.replace(base, **changes)


def bars(symbol: str, opens: list[int], close: list[float]) -> BarFrame:
    """Hourly bars with these closes."""
    column = np.array(close)
    return BarFrame(symbol, "1h", np.array(opens) * HOUR, column, column, column, column, np.ones(len(close)))


def test_equal_trades_have_an_equal_digest_whatever_their_ids_and_trailing_zeros() -> None:
    other = a_fill(id="x9", order_id="y", price=Decimal("100.500"), qty=Decimal("2.0"), mid=Decimal("99"))
    assert digest([a_fill()]) == digest([other])
    assert digest([]) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize(
    "change",
    [{"ts": 1}, {"side": Side.SELL}, {"price": Decimal("100.51")}, {"qty": Decimal("2.1")}, {"fee": Decimal(0)}],
)
def test_a_digest_changes_with_every_fact_of_a_trade(change: dict[str, object]) -> None:
    assert digest([a_fill(**change)]) != digest([a_fill()])


def test_the_order_of_fills_of_one_instant_does_not_change_the_digest() -> None:
    two = [a_fill(), a_fill(symbol="ETH/USDT")]
    assert digest(two) == digest(two[::-1])


def test_a_digest_tells_two_long_numbers_apart() -> None:
    long = Decimal("1.0000000000000000000000000000000001")
    assert digest([a_fill(qty=long)]) != digest([a_fill(qty=Decimal(1))])


def test_costs_are_fees_and_the_way_from_the_mid_and_funding_paid() -> None:
    sale = a_fill(side=Side.SELL, price=Decimal("109"), mid=Decimal("110"), qty=Decimal(1), fee=Decimal("0.3"))
    paid = costs([a_fill(), sale], "USDT", funding=-4.0)
    assert (paid.fees, paid.slippage, paid.funding, paid.total) == (0.5, 2.0, 4.0, 6.5)


def test_a_fee_in_the_base_coin_is_worth_its_price_and_in_a_third_coin_is_refused() -> None:
    assert costs([a_fill(fee=Decimal("0.002"), fee_asset="BTC")], "USDT").fees == pytest.approx(0.201)
    with pytest.raises(ValueError, match="BNB has no price"):
        costs([a_fill(fee_asset="BNB")], "USDT")


def test_buy_and_hold_averages_the_growth_of_its_symbols() -> None:
    frames = {"A": bars("A", [0, 1, 2], [10, 11, 12]), "B": bars("B", [0, 1, 2], [4, 4, 2])}
    held = buy_and_hold(frames, np.array([1, 2, 3]) * HOUR, 100.0)
    assert held.tolist() == pytest.approx([100.0, 105.0, 85.0])


def test_buy_and_hold_waits_as_cash_for_a_listing_and_keeps_the_last_price_after_the_end() -> None:
    frames = {"A": bars("A", [1, 2], [10, 15])}
    held = buy_and_hold(frames, np.array([1, 2, 3, 9]) * HOUR, 100.0)
    assert held.tolist() == [100.0, 100.0, 150.0, 150.0]


def test_buy_and_hold_knows_no_bar_before_it_has_closed() -> None:
    frames = {"A": bars("A", [0, 1], [10, 20])}
    assert buy_and_hold(frames, np.array([HOUR, 2 * HOUR - 1]), 100.0).tolist() == [100.0, 100.0]


@given(st.lists(st.floats(1, 1e6), min_size=1, max_size=50))
def test_a_drawdown_is_zero_at_each_new_peak_and_below_one(levels: list[float]) -> None:
    loss = drawdown(np.array(levels))
    assert ((loss >= 0) & (loss < 1)).all()
    assert loss[int(np.argmax(levels))] == 0


def test_curves_are_rows_of_snapshots_and_cannot_be_written() -> None:
    shots = [RiskSnapshot(1, 100.0, 0.0, 0.0, 0.3, (("B", -0.3),)), RiskSnapshot(2, 90.0, 0.1, 0.1, 0.0, ())]
    account = curves(shots, ("A", "B"))
    assert account.exposure.tolist() == [[0.0, -0.3], [0.0, 0.0]]
    with pytest.raises(ValueError, match="read-only"):
        account.equity[0] = 1.0


def test_columns_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match="gross has 1 rows"):
        Curves(np.arange(2), np.ones(2), np.ones(1), np.ones((2, 1)))
    with pytest.raises(ValueError, match="benchmark has 1 rows"):
        replace(make(bars=3), benchmark=np.ones(1))


def test_profit_before_costs_less_costs_is_the_profit() -> None:
    result = make(bars=210, every=20)
    before = sum(fill.mid * fill.qty * -fill.side.sign for fill in result.fills)
    still_held = result.curves.exposure[-1].sum() * result.curves.equity[-1]
    profit = result.curves.equity[-1] - result.initial_cash
    assert float(before) + still_held - result.costs.total == pytest.approx(profit, abs=1e-6)
