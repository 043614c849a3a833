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
    """Rows in which one holding is only carried, at closes (r,); there was a row before.

    Four rows at a time, with sums of their own, so that a processor works on them together.
    """
    cash, before, rows = account.cash, account.previous, len(close)
    a0 = a1 = a2 = a3 = q0 = q1 = q2 = q3 = s0 = s1 = s2 = s3 = t0 = t1 = t2 = t3 = 0.0
    for i in range(0, rows - 3, 4):
        e0, e1, e2, e3 = close[i] * qty, close[i + 1] * qty, close[i + 2] * qty, close[i + 3] * qty
        e0, e1, e2, e3 = cash + e0, cash + e1, cash + e2, cash + e3
        c0, c1, c2, c3 = e0 / before - 1.0, e1 / e0 - 1.0, e2 / e1 - 1.0, e3 / e2 - 1.0
        before = e3
        t0, t1, t2, t3 = t0 + e0, t1 + e1, t2 + e2, t3 + e3
        a0, a1, a2, a3 = a0 + c0, a1 + c1, a2 + c2, a3 + c3
        q0, q1, q2, q3 = q0 + c0 * c0, q1 + c1 * c1, q2 + c2 * c2, q3 + c3 * c3
        c0, c1, c2, c3 = min(c0, 0.0), min(c1, 0.0), min(c2, 0.0), min(c3, 0.0)
        s0, s1, s2, s3 = s0 + c0 * c0, s1 + c1 * c1, s2 + c2 * c2, s3 + c3 * c3
        if max(e0, e1, e2, e3) > account.peak or min(e0, e1, e2, e3) < account.floor:
            _fall(account, e0)
            _fall(account, e1)
            _fall(account, e2)
            _fall(account, e3)
    account.previous = before
    account.total += (t0 + t1) + (t2 + t3)
    account.sum += (a0 + a1) + (a2 + a3)
    account.squares += (q0 + q1) + (q2 + q3)
    account.shortfall += (s0 + s1) + (s2 + s3)
    account.rows += rows // 4 * 4
    for i in range(rows // 4 * 4, rows):
        mark(account, cash + qty * close[i])
    account.exposed += rows
