"""The equity curve as it goes: returns, drawdown and time in the market, in the lanes of the account."""

from typing import Any

from seakeep.core.jit import kernel
from seakeep.core.market import Float64

__all__ = ["hold", "mark", "still"]


@kernel
def _fall(account: Any, equity: float) -> None:
    """Peak and drawdown; a division only where it deepens."""
    if equity > account.peak:
        account.peak = equity
        account.floor = equity * (1.0 - account.max_drawdown)
    elif equity < account.floor:
        account.max_drawdown = 1.0 - equity / account.peak
        account.floor = equity
        account.lowest = min(account.lowest, equity)


@kernel
def mark(account: Any, equity: float) -> None:
    """One more row of the equity curve."""
    account.rows += 1.0
    account.total += equity
    if account.rows == 1.0:
        account.peak = account.floor = account.previous = account.lowest = equity
        return
    change = equity / account.previous - 1.0
    account.previous = equity
    account.sum += change
    account.squares += change * change
    short = min(change, 0.0)
    account.shortfall += short * short
    _fall(account, equity)


@kernel
def still(account: Any, rows: int) -> None:
    """Rows without a holding: nothing changes after the first of them."""
    if rows:
        mark(account, account.cash)
        account.rows += rows - 1
        account.total += (rows - 1) * account.cash


@kernel
def hold(account: Any, close: Float64, qty: float) -> None:
    """Rows in which one holding is only carried, at closes (r,); there was a row before."""
    cash, before, peak, floor = account.cash, account.previous, account.peak, account.floor
    total = returns = squares = shortfall = 0.0
    for i in range(len(close)):
        equity = cash + qty * close[i]
        change = equity / before - 1.0
        before = equity
        total += equity
        returns += change
        squares += change * change
        short = min(change, 0.0)
        shortfall += short * short
        if equity > peak or equity < floor:
            _fall(account, equity)
            peak, floor = account.peak, account.floor
    account.total += total
    account.sum += returns
    account.squares += squares
    account.shortfall += shortfall
    account.previous = before
    account.rows += len(close)
    account.exposed += len(close)
