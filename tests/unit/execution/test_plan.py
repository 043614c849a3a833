"""From a verdict to a quantity, worked by hand."""

from decimal import Decimal
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seakeep.core.account import Portfolio, Position
from seakeep.core.market import Instrument, InstrumentKind
from seakeep.core.orders import Side
from seakeep.core.verdicts import Outcome, RiskVerdict
from seakeep.execution.plan import plan

D = Decimal
SPOT = Instrument(symbol="BTC/USDT", base="BTC", quote="USDT", lot=D("0.001"), tick=D("0.5"), min_notional=D(10))
PERP = Instrument(symbol="BTC/USDT:USDT", base="BTC", quote="USDT", kind=InstrumentKind.PERPETUAL, lot=D("0.001"))


def verdict(
    target: float, symbol: str = "BTC/USDT", outcome: Outcome = Outcome.APPROVED, **prices: float
) -> RiskVerdict:
    return RiskVerdict("d1", symbol, 7, outcome, target, prices.get("stop"), prices.get("take_profit"), ())


def holding(qty: str, cash: str = "10000", symbol: str = "BTC/USDT") -> Portfolio:
    return Portfolio(quote="USDT", cash={"USDT": D(cash)}, positions={symbol: Position(symbol=symbol, qty=D(qty))})


def test_a_tenth_of_equity_is_rounded_down_to_whole_lots() -> None:
    # 0.1 x 10000 / 30000 = 0.0333...
    order = plan(verdict(0.1, stop=29_000.2, take_profit=33_000.7), holding("0"), SPOT, 30_000.0, 10_000.0).order
    assert (order.side, order.qty, order.reduce_only, order.ts) == (Side.BUY, D("0.033"), False, 7)
    assert (order.stop, order.take_profit) == (D("29000.5"), D("33000.5"))  # each to the tick nearer the market


def test_a_full_target_leaves_cash_for_fee_and_slippage() -> None:
    # 10000 x 0.99 / (100 x 1.001) = 98.9010...
    assert plan(verdict(1.0), holding("0"), SPOT, 100.0, 10_000.0).order.qty == D("98.901")


def test_closing_closes_all_of_it_whatever_lot_and_notional_say() -> None:
    order = plan(verdict(0.0), holding("0.0004321"), SPOT, 100.0, 10_000.0).order
    assert (order.side, order.qty, order.reduce_only) == (Side.SELL, D("0.0004321"), True)
    blind = plan(verdict(0.0), holding("1"), SPOT, float("nan"), float("nan")).order
    assert blind.qty == 1


def test_a_reduction_rounds_to_the_smaller_holding() -> None:
    # held 1, wanted 0.55555 -> 0.555: sell 0.445
    order = plan(verdict(0.55555), holding("1"), SPOT, 100.0, 100.0).order
    assert (order.side, order.qty, order.reduce_only) == (Side.SELL, D("0.445"), True)


def test_stop_and_targets_stand_for_the_holding_that_the_order_leaves() -> None:
    # held 1, wanted 3: buy 2, and sell 3 at the target; wanted 0.4: sell 0.6, and 0.4 is left
    more = plan(verdict(0.3, take_profit=120.0), holding("1"), SPOT, 100.0, 1_000.0).order
    assert (more.qty, more.after, more.targets) == (2, 3, ((D("120.0"), D(3)),))
    less = plan(verdict(0.04, stop=90.0), holding("1"), SPOT, 100.0, 1_000.0).order
    assert (less.qty, less.after, less.stop) == (D("0.6"), D("0.4"), 90)


def test_a_flip_is_one_order_and_one_too_small_only_closes() -> None:
    order = plan(verdict(-0.2, PERP.symbol), holding("0.1", symbol=PERP.symbol), PERP, 1000.0, 1000.0).order
    assert (order.side, order.qty, order.reduce_only) == (Side.SELL, D("0.3"), False)
    small = plan(verdict(-0.004, PERP.symbol), holding("0.1", symbol=PERP.symbol), PERP, 1000.0, 1000.0).order
    assert (small.qty, small.reduce_only) == (D("0.1"), True)


@pytest.mark.parametrize(
    ("target", "held", "word"),
    [(0.0009, "0", "below the smallest"), (-0.5, "0", "short"), (0.0, "0", "target"), (0.00001, "0", "target")],
)
def test_no_order_comes_with_the_reason(target: float, held: str, word: str) -> None:
    planned = plan(verdict(target), holding(held), SPOT, 1000.0, 10_000.0)
    assert planned.order is None
    assert word in planned.reason


@pytest.mark.parametrize("outcome", [Outcome.REFUSED, Outcome.HALTED])
def test_only_an_allowing_verdict_is_planned(outcome: Outcome) -> None:
    lookalike = SimpleNamespace(symbol="BTC/USDT", allowed=True, target=0.1)
    for refused in (verdict(0.1, outcome=outcome), lookalike, None):
        with pytest.raises(TypeError):
            plan(refused, holding("0"), SPOT, 100.0, 10_000.0)


@pytest.mark.parametrize(("mark", "equity"), [(0.0, 1e4), (float("nan"), 1e4), (100.0, -1.0), (100.0, float("inf"))])
def test_a_mark_or_equity_that_cannot_size_is_an_error(mark: float, equity: float) -> None:
    with pytest.raises(ValueError, match="cannot size"):
        plan(verdict(0.1), holding("0"), SPOT, mark, equity)


@given(st.floats(-1, 1), st.decimals("-5", "5", places=3), st.floats(1, 1e5), st.floats(10, 1e6))
def test_the_order_never_overshoots_the_target(target: float, held: Decimal, mark: float, equity: float) -> None:
    order = plan(verdict(target, PERP.symbol), holding(str(held), symbol=PERP.symbol), PERP, mark, equity).order
    if order is not None:
        after = float(held + order.qty * order.side.sign)
        assert abs(after) <= max(abs(target) * equity / mark, 0) * (1 + 1e-12)
        assert not order.reduce_only or abs(after) <= abs(held)
