"""The same moving-average cross with fees and a stop through two other backtesters: every fill equal, or a named rule.

Rules of the fill specification that explain what differs:
- "open first": what is met at the open trades before what is met inside the bar;
- "entry bar": a stop protects from the bar of its entry on;
- "tick": prices are rounded to the tick that is worse for us, protective ones toward the market.
"""

import warnings
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from seakeep.backtest.kernel.simulator import KINDS, KernelParams, KernelRun, simulate
from seakeep.brokers.sim import SimParams
from seakeep.core.market import BarFrame, Float64, Instrument
from seakeep.core.units import quantise_up
from seakeep.execution.costs import CostParams
from seakeep.risk.stops import StopParams

HOUR, BARS, SEED, FAST, SLOW, FEE, STOP = 3_600_000, 4_000, 11, 10, 30, "0.001", 0.02
RECORDED = Path(__file__).with_name("vectorbt_orders.csv")


def bars() -> BarFrame:
    """Hourly prices on a tick of 0.01, as `benchmarks/vectorbt_orders.py` draws them."""
    draw = np.random.default_rng(SEED)
    steps = 0.006 * draw.standard_normal((4, BARS))
    close = 100 * np.exp(np.cumsum(steps[0]))
    before = np.concatenate([[100.0], close[:-1]]) * np.exp(0.3 * steps[1])
    high = np.maximum(before, close) * np.exp(np.abs(0.5 * steps[2]))
    low = np.minimum(before, close) * np.exp(-np.abs(0.5 * steps[3]))
    prices = [np.round(p, 2) for p in (before, high, low, close)]
    return BarFrame("BTC/USDT", "1h", np.arange(BARS, dtype=np.int64) * HOUR, *prices, np.full(BARS, 1e6))


def crosses(close: Float64) -> NDArray[np.int8]:
    """One unit from each cross above to the next below (n,); what stands before the first cross is not one."""
    sums = np.cumsum(np.concatenate([[0.0], close]))
    above = np.zeros(len(close), np.bool_)
    fast, slow = ((sums[SLOW:] - sums[SLOW - w : -w]) / w for w in (FAST, SLOW))
    above[SLOW - 1 :] = fast > slow
    first = SLOW - 1 + int(np.argmax(above[SLOW - 1 :] != above[SLOW - 1]))
    above[:first] = False
    return above.astype(np.int8)


def ours(lot: str, weight: float) -> KernelRun:
    """Free of spread and impact, at the next open, with a fixed stop."""
    rules = Instrument(
        symbol="BTC/USDT",
        base="BTC",
        quote="USDT",
        lot=Decimal(lot),
        tick=Decimal("0.0001"),
        taker_fee=Decimal(FEE),
        maker_fee=Decimal(FEE),
    )
    params = KernelParams(
        instruments={"BTC/USDT": rules},
        cash=Decimal(1_000_000),
        weight=weight,
        stops=StopParams(stop_loss=STOP),
        costs=CostParams(half_spread_bps=0, temporary=0, permanent=0),
        sim=SimParams(participation=1.0),
    )
    frame = bars()
    return simulate([frame], crosses(frame.close), params, details=True)


def row_of(fill: Any) -> int:
    """The bar a fill belongs to: at the open its time is that of the bar, inside that of the close."""
    return int(fill["ts"] - (fill["kind"] != 0)) // HOUR


def test_backtesting_py_makes_the_same_trades() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trades, equity = theirs(bars())
    made = ours("1", 0.4)
    pairs = [(made.fills[i], made.fills[i + 1]) for i in range(0, len(made.fills) - 1, 2)]
    assert len(pairs) == len(trades) > 70
    for (entry, leave), trade in zip(pairs, trades, strict=True):
        assert (row_of(entry), row_of(leave)) == (trade["EntryBar"], trade["ExitBar"])
        assert (entry["qty"], entry["price"]) == (trade["Size"], pytest.approx(trade["EntryPrice"], rel=1e-12))
        assert leave["price"] == pytest.approx(trade["ExitPrice"], rel=1e-12)
        assert leave["profit"] == pytest.approx(trade["PnL"], abs=1e-6)
    assert made.metrics["equity"] == pytest.approx(equity, abs=0.005)


def theirs(frame: BarFrame) -> tuple[list[Mapping[str, float]], float]:
    """The same rule in backtesting.py 0.6.6; sized and stopped by hand with our rounding, the rule "tick"."""
    backtesting = pytest.importorskip("backtesting")
    wanted = crosses(frame.close)

    class Cross(backtesting.Strategy):  # type: ignore[misc, name-defined]
        def init(self) -> None:
            self.row = len(self.data) - 1

        def next(self) -> None:
            row, close = len(self.data) - 1, self.data.Close[-1]
            if wanted[row] and not wanted[row - 1] and not self.position:
                stop = float(quantise_up(close * (1.0 - STOP), Decimal("0.0001")))
                self.buy(size=int(0.4 * self.equity // close), sl=stop)
            elif wanted[row - 1] and not wanted[row] and self.position:
                self.position.close()

    table = frame.to_pandas().rename(columns=str.title)
    test = backtesting.Backtest(table, Cross, cash=1_000_000, commission=float(FEE), finalize_trades=False)
    stats = test.run()
    return stats["_trades"].to_dict("records"), float(stats["Equity Final [$]"])


def test_vectorbt_makes_the_same_trades_but_for_named_rules() -> None:
    recorded = np.genfromtxt(RECORDED, delimiter=",", names=True)
    made = ours("10", 0.0015)
    assert len(made.fills) == len(recorded) == 146
    reasons = [why(fill, order) for fill, order in zip(made.fills, recorded, strict=True)]
    assert {reason: reasons.count(reason) for reason in set(reasons)} == {
        "equal": 142,
        "open first": 2,
        "entry bar": 1,
        "tick": 1,
    }


def why(fill: Any, order: Any) -> str:
    """ "equal", or the rule that makes the difference; nothing else may differ."""
    assert (fill["side"], fill["qty"]) == (order["side"], order["size"])
    frame, row, later = bars(), row_of(fill), int(order["row"]) - row_of(fill)
    gap = abs(fill["price"] / order["price"] - 1.0)
    if later == 0 and gap < 1e-12:
        assert fill["fee"] == pytest.approx(order["fee"], rel=1e-9)
        return "equal"
    if later == 0 and gap <= 1.01e-4 / order["price"]:
        return "tick"
    if later == 0 and KINDS[fill["kind"]] == "market" and fill["price"] == frame.open[row] > order["price"]:
        return "open first"
    if later > 0 and KINDS[fill["kind"]] == "stop" and fill["price"] == pytest.approx(order["price"], abs=1e-4):
        return "entry bar"
    return "unexplained"
