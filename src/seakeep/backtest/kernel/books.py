"""State of a compiled run, and its account: the same money as `execution.accounting`, in whole units.

Records hold it all, so that compiled functions pass pointers: an ACCOUNT (terms, cash and metrics of the run), a SYMBOL
each (rules, holding, wishes), ORDERs and FILLs. Positions are counted in lots and fills priced in ticks, so cash is
exact, and every float read from it is the one the driver reads from its Decimals.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seakeep.backtest.kernel.tape import ROUTES
from seakeep.core.jit import kernel
from seakeep.execution.lots import Step, Wide, amount, exact, over, plus, product, read, times

__all__ = ["ACCOUNT", "FILL", "LANES", "LIQUIDATION", "ORDER", "SYMBOL", "VARIED", "Books"]
__all__ += ["book", "close_trip", "leg", "lot_of", "measure", "pay", "proceeds", "reduces", "size", "tick_of", "worth"]

LIQUIDATION = 4
"""Kind of a fill that no order of ours asked for; the others are the kinds of orders."""


def _fields(kind: Any, names: str) -> list[tuple[str, Any]]:
    return [(name, kind) for name in names.split()]


VARIED = ("weight", "stop_loss", "take_profit", "trailing", "long", "short", "exit", "min_confidence")
"""What may differ between the runs of one sweep; names and meanings are those of the settings."""

LANES = (
    *("equity", "rows", "exposed", "total", "sum", "squares", "shortfall", "max_drawdown", "lowest"),
    *("fills", "traded", "fees", "slippage", "funding", "trades", "wins", "profit", "loss"),
    *("unknowable", "refused", "liquidations", "status", "status_ts"),
)
"""Metrics that the pass keeps as it goes: sums and extremes, of which the ratios people read are made afterwards."""

_TERMS = _fields(np.float64, "high low cash unit spend_num spend_den participation max_gross min_weight") + _fields(
    np.int64, "path touch_fills window funding_ms max_open gap_ms trade_from bar_ms sparse targets lends"
)
_STATE = _fields(np.int64, "now number next_paid margined kept") + _fields(np.float64, "previous peak floor")
ACCOUNT = np.dtype(_TERMS + _fields(np.float64, " ".join(VARIED)) + _STATE + _fields(np.float64, " ".join(LANES)))
"""One run: cash in units (`high` + `low`) and as the float it reads as, what it is told, where it stands, metrics."""

SYMBOL = np.dtype(
    _fields(np.float64, "lot_num lot_den tick_num tick_den taker_num taker_den least_num least_den")
    + _fields(np.float64, "leverage_num leverage_den maintenance_num maintenance_den")
    + _fields(np.float64, "value_units taker_units maker_units taker_rate maker_rate half_spread impact max_weight")
    + _fields(np.int64, "spot changes")
    + _fields(np.int64, "lots since funded last_added orders decided change wish wish_held")
    + _fields(np.float64, "qty taken flow_high flow_low asked weight given")
    + _fields(np.float64, "open high low close volume sigma mean")
    + _fields(np.int64, "here opened seen busy touch")
    + [("delay", np.int64, (ROUTES,))]
)
"""One symbol: steps, rates and costs (fees in units per lot x tick), what is held, wanted and given; of the row at hand
its last bar, whether that came in this row (`here`), and what delays an order. A row is `seen` only if it matters: the
next one while orders move (`busy`), or that in which a resting order may be met (`touch`)."""

ORDER = np.dtype(
    _fields(np.int64, "kind side lots reduce ticks sent arrival number cancel_at cancel_sent")
    + _fields(np.int64, "works fresh triggered alive when maker")
    + _fields(np.float64, "price trail rank mid")
)
"""An order as desk and venue see it: `lots` are left, `price` is limit or trigger; `when`, `rank`, `mid`, `maker` tell
how the bar at hand meets it. Flags are 0 or 1."""

FILL = np.dtype(
    _fields(np.int64, "ts symbol kind side lots ticks maker") + _fields(np.float64, "price qty fee mid profit")
)
"""One fill; `profit` is that of the trip it closed, after fees, else NaN."""


class Books(NamedTuple):
    """What a pass changes: one account, its k symbols, their orders (k, c), and fills, the last of which is scratch."""

    account: Any
    symbols: NDArray[Any]
    orders: NDArray[Any]
    fills: NDArray[Any]


@kernel
def lot_of(symbol: Any) -> Step:
    """Its lot."""
    return Step(symbol.lot_num, symbol.lot_den)


@kernel
def tick_of(symbol: Any) -> Step:
    """Its tick."""
    return Step(symbol.tick_num, symbol.tick_den)


@kernel
def size(value: Wide) -> Wide:
    """Absolute value."""
    return value if value.high >= 0.0 else Wide(-value.high, -value.low)


@kernel
def worth(account: Any, symbol: Any, lots: int, price: float) -> Wide:
    """Lots at a price as units of money; the price counts as the decimal it is written as."""
    written = exact(price)
    value = product(lots * symbol.lot_num, written.num)
    units: Wide = over(over(times(value, account.unit), symbol.lot_den), written.den)
    return units


@kernel
def pay(account: Any, units: Wide) -> None:
    """Add units of money to the cash."""
    after = plus(Wide(account.high, account.low), units)
    account.high, account.low = after.high, after.low
    account.cash = read(after, account.unit)


@kernel
def reduces(held: int, change: int) -> bool:
    """Whether a change of the holding only makes it smaller."""
    after = held + change
    return held * after >= 0 and abs(after) <= abs(held)


@kernel
def proceeds(symbol: Any, change: int, ticks: int, fee_units: float) -> Wide:
    """Units of money that trading lots at a price in ticks brings, the fee taken off."""
    value = product(change * symbol.lot_num, ticks * symbol.tick_num)
    units: Wide = times(value, -(symbol.value_units + fee_units) if change > 0 else fee_units - symbol.value_units)
    return units


@kernel(inline=True)
def leg(account: Any, symbol: Any, change: int, ticks: int, fee_units: float) -> None:
    """Trade lots that all open, or all close."""
    units = proceeds(symbol, change, ticks, fee_units)
    pay(account, units)
    flow = plus(Wide(symbol.flow_high, symbol.flow_low), units)
    symbol.flow_high, symbol.flow_low = flow.high, flow.low
    symbol.lots += change


@kernel(inline=True)
def close_trip(account: Any, symbol: Any) -> float:
    """Count a trip that has ended; its profit after fees."""
    profit = symbol.flow_high / account.unit
    symbol.flow_high = symbol.flow_low = 0.0
    account.trades += 1.0
    account.wins += 1.0 if profit > 0.0 else 0.0
    account.profit += max(profit, 0.0)
    account.loss += max(-profit, 0.0)
    return float(profit)


@kernel(inline=True)
def measure(account: Any, price: float, mid: float, qty: float, fee_rate: float) -> float:
    """Count a fill of a signed quantity; its fee."""
    value = price * abs(qty)
    account.fills += 1.0
    account.traded += value
    account.fees += value * fee_rate
    account.slippage += (price - mid) * qty
    return value * fee_rate


@kernel
def book(account: Any, symbol: Any, fill: Any) -> None:
    """Settle a fill: cash, holding, trip, metrics."""
    fee_units = symbol.maker_units if fill.maker else symbol.taker_units
    fee_rate = symbol.maker_rate if fill.maker else symbol.taker_rate
    before, change = symbol.lots, fill.lots * fill.side
    closing = -before if before * change < 0 and abs(change) > abs(before) else change
    leg(account, symbol, closing, fill.ticks, fee_units)
    fill.profit = np.nan
    if before and symbol.lots == 0:
        fill.profit = close_trip(account, symbol)
    if closing != change:
        leg(account, symbol, change - closing, fill.ticks, fee_units)
    if before == 0 or before * symbol.lots < 0:
        symbol.since = fill.ts
    symbol.qty = amount(symbol.lots, lot_of(symbol)) if symbol.lots else 0.0
    if not symbol.spot:
        account.margined += int(symbol.lots != 0) - int(before != 0)
    fill.price, fill.qty = amount(fill.ticks, tick_of(symbol)), amount(fill.lots, lot_of(symbol))
    fill.fee = measure(account, fill.price, fill.mid, fill.qty * fill.side, fee_rate)
    account.liquidations += 1.0 if fill.kind == LIQUIDATION else 0.0
