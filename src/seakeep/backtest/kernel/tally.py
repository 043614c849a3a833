"""The equity curve as it goes: returns, drawdown and time in the market, in the lanes of the account."""

from typing import Any

from seakeep.core.jit import kernel
from seakeep.core.market import Float64

__all__ = ["SUMS", "WIDTH", "gather", "hold", "mark", "still"]

SUMS, WIDTH = 4, 64
"""Shape of the running sums of `hold`: equity, returns, their squares, squares of losses, each in columns. A column is
added to in order, so the compiler may work on several at once and every run gives the same bits."""


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
def hold(account: Any, close: Float64, qty: float, sums: Float64) -> None:
    """Rows in which one holding is only carried, at closes (r,); there was a row before. Adds to `sums` (4, 64)."""
    rows, cash = len(close), account.cash
    if rows == 0:
        return
    mark(account, cash + qty * close[0])
    total, returns, squares, shortfall = sums[0], sums[1], sums[2], sums[3]
    for start in range(1, rows, WIDTH):
        width = min(WIDTH, rows - start)
        before, now = close[start - 1 : start - 1 + width], close[start : start + width]
        peak, floor, beyond = account.peak, account.floor, 0
        for r in range(width):
            equity = cash + qty * now[r]
            change = equity / (cash + qty * before[r]) - 1.0
            short = change if change < 0.0 else 0.0
            total[r] += equity
            returns[r] += change
            squares[r] += change * change
            shortfall[r] += short * short
            beyond += (equity > peak) | (equity < floor)
        if beyond:
            for r in range(width):
                _fall(account, cash + qty * now[r])
    account.previous = cash + qty * close[rows - 1]
    account.rows += rows - 1
    account.exposed += rows


@kernel
def gather(account: Any, sums: Float64) -> None:
    """Add the sums of `hold` (4, 64) to the account."""
    for column in range(sums.shape[1]):
        account.total += sums[0, column]
        account.sum += sums[1, column]
        account.squares += sums[2, column]
        account.shortfall += sums[3, column]
