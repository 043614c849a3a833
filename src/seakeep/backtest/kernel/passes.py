"""One pass through history: from row to row, skipping those in which nothing can happen.

A row matters if an order is on its way or may be met, if something is wanted, if funding is due, or while a perpetual
is held. The rows between are only marked. What a skipped row would have done is nothing, so a pass that visits every
row makes the same fills.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seakeep.backtest.kernel.books import Books
from seakeep.backtest.kernel.calls import advance
from seakeep.backtest.kernel.desk import decide, held, stance
from seakeep.backtest.kernel.machine import borrowed
from seakeep.backtest.kernel.tally import SUMS, WIDTH, gather, hold, mark, still
from seakeep.backtest.kernel.tape import (
    BLOCK,
    CLOSE,
    HIGH,
    LIMIT,
    LOW,
    MARKET,
    MEAN,
    OPEN,
    ROUTES,
    SIGMA,
    TIME,
    TRAILING,
    VOLUME,
    Tape,
)
from seakeep.backtest.kernel.venue import NOBODY
from seakeep.core.jit import kernel
from seakeep.core.market import Float64

__all__ = ["capacity", "draw", "play"]


_WISHES = 64
"""Opinions that are passed over together."""
_AHEAD = 1 << 10
"""Rows that are searched for a touch at once; a far order is looked for again from there."""


def capacity(latency_ms: int, bar_ms: int) -> int:
    """Orders of one symbol that may be under way at once: each bar may send an order with a stop and a target."""
    return 12 + 4 * (latency_ms // bar_ms)


@kernel
def _equity(books: Books, lines: Float64, i: int) -> float:
    """Cash and the value of every holding at its last close."""
    total = 0.0
    for j in range(len(books.symbols)):
        if books.symbols[j].lots:
            total += books.symbols[j].qty * lines[j, 2, i]
    return float(books.account.cash + total)


@kernel(inline=True)
def _holds(symbols: NDArray[Any]) -> int:
    for j in range(len(symbols)):
        if symbols[j].lots:
            return 1
    return 0


@kernel(inline=True)
def _tidy(books: Books) -> bool:
    """Take orders that are gone out of the tables; whether some symbol must see the very next row."""
    busy = books.account.margined > 0 or books.account.sparse == 0
    for j in range(len(books.symbols)):
        symbol, kept = books.symbols[j], 0
        if not symbol.seen:
            continue
        symbol.busy, symbol.touch = 0, -1
        for o in range(symbol.orders):
            order = books.orders[j, o]
            if not order.alive:
                continue
            rests = order.works and order.cancel_at == NOBODY and not order.triggered and not order.fresh
            if not rests or order.kind in (MARKET, TRAILING):
                symbol.busy = 1
            if kept < o:
                books.orders[j, kept] = order
            kept += 1
        symbol.orders = kept
        busy = busy or symbol.busy == 1
    return bool(busy)


@kernel
def _next_touch(books: Books, tape: Tape, j: int, i: int) -> int:
    """First row from i on whose bar reaches a resting order of symbol j, or the one where the search stopped."""
    above, beneath = np.inf, -np.inf
    for o in range(books.symbols[j].orders):
        order = books.orders[j, o]
        if (order.side > 0) == (order.kind == LIMIT):
            beneath = max(beneath, order.price)
        else:
            above = min(above, order.price)
    high, low, lowest, highest = tape.lines[j, 0], tape.lines[j, 1], tape.blocks[j, 0], tape.blocks[j, 1]
    stop = min(i + _AHEAD, tape.bars.shape[1])
    while i < stop:
        b = i // BLOCK
        end = min(stop, (b + 1) * BLOCK)
        if lowest[b] <= beneath or highest[b] >= above:
            for r in range(i, end):
                if low[r] <= beneath or high[r] >= above:
                    return r
        i = end
    return int(i)


@kernel(inline=True)
def _beyond(account: Any, now: int, can_short: bool) -> tuple[float, float]:
    """Scores between which nobody who holds `now` wants anything else, whoever is sure."""
    if now > 0:
        return account.exit, np.inf
    if now < 0:
        return -np.inf, -account.exit
    return account.short if can_short else -np.inf, account.long


@kernel
def _next_wish(account: Any, asks: Float64, i: int, now: int, can_short: bool) -> int:
    """First row from i on in which the opinion (3, n) asks for another stance than `now`.

    A block whose scores all lie between is passed over at once.
    """
    n, (low, high) = asks.shape[1], _beyond(account, now, can_short)
    for start in range(i, n, _WISHES):
        part, wild = asks[0, start : start + _WISHES], 0
        for r in range(len(part)):
            wild += (part[r] <= low) | (part[r] >= high)
        if wild:
            for r in range(start, start + len(part)):
                score = asks[0, r]
                if not math.isnan(score) and stance(account, score, asks[1, r], now, can_short) != now:
                    return r
    return int(n)


@kernel(inline=True)
def _next_row(books: Books, tape: Tape, asks: Float64, i: int) -> int:
    """First row from i on that must be visited; each symbol remembers its next wish and the stance it is for."""
    account, symbols, first = books.account, books.symbols, tape.bars.shape[1]
    if account.next_paid < len(tape.paid):
        first = min(first, int(tape.paid[account.next_paid, 0]))
    for j in range(len(symbols)):
        symbol = symbols[j]
        if account.targets:
            if symbol.change < symbol.changes:
                first = min(first, int(asks[j, 0, symbol.change]))
            continue
        now = held(books, j)
        if symbol.wish < i or symbol.wish_held != now:
            symbol.wish, symbol.wish_held = _next_wish(account, asks[j], i, now, symbol.spot == 0), now
        first = min(first, symbol.wish)
    for j in range(len(symbols)):
        symbol = symbols[j]
        if symbol.orders:
            if symbol.touch < i:
                symbol.touch = _next_touch(books, tape, j, i)
            first = min(first, symbol.touch)
    return int(max(first, i))


@kernel
def draw(cash: float, symbols: NDArray[Any], closes: Float64, curve: Float64) -> None:
    """The equity curve (r,) over rows of closes (k, r) in which nothing happens; the sum is that of `_equity`."""
    curve[:] = 0.0
    for j in range(len(symbols)):
        if symbols[j].lots:
            qty, close = symbols[j].qty, closes[j]
            for r in range(len(curve)):
                curve[r] += qty * close[r]
    for r in range(len(curve)):
        curve[r] += cash


@kernel(inline=True)
def _carry(books: Books, lines: Float64, rows: tuple[int, int], sums: Float64, curve: Float64) -> None:
    """Mark the rows [start, stop), in which nothing happens."""
    account, symbols, none, several = books.account, books.symbols, len(books.symbols), False
    start, stop = rows
    holding = none
    for j in range(len(symbols)):
        if symbols[j].lots:
            several, holding = holding < none, j
    if several:
        for i in range(start, stop):
            mark(account, _equity(books, lines, i))
        account.exposed += stop - start
    elif holding == none:
        still(account, stop - start)
    else:
        hold(account, lines[holding, 2, start:stop], symbols[holding].qty, sums)
    if len(curve):
        draw(account.cash, symbols, lines[:, 2, start:stop], curve[start:stop])


@kernel(inline=True)
def _turn_to(books: Books, tape: Tape, j: int, i: int) -> None:
    """Put row i of symbol j before venue and desk: its bar, or what its last one left, and the delays."""
    symbol, r, drawn = books.symbols[j], i, i if tape.delay.shape[1] > 1 else 0
    symbol.seen, symbol.taken = 1, 0.0
    symbol.close, symbol.volume = tape.bars[j, i, CLOSE], tape.bars[j, i, VOLUME]
    symbol.high, symbol.low = tape.bars[j, i, HIGH], tape.bars[j, i, LOW]
    symbol.sigma, symbol.mean = tape.bars[j, i, SIGMA], tape.bars[j, i, MEAN]
    symbol.here = int(tape.bars[j, i, OPEN] > 0.0)
    while not tape.bars[j, r, OPEN] > 0.0 and r > 0:
        r -= 1
    symbol.open, symbol.opened = tape.bars[j, r, OPEN], int(tape.bars[j, r, TIME]) - books.account.bar_ms
    if drawn or i == 0 or symbol.delay[0] == 0:
        for route in range(ROUTES):
            symbol.delay[route] = tape.delay[j, drawn, route]


@kernel(inline=True)
def _look(books: Books, tape: Tape, asks: Float64, i: int, paid: bool) -> bool:
    """Look at row i of the symbols for which it matters; whether the venue has anything to do."""
    account, active = books.account, paid or books.account.margined > 0
    every = account.lends or account.targets == 0 or account.sparse == 0
    account.now = int(tape.bars[0, i, TIME])
    for j in range(len(books.symbols)):
        symbol = books.symbols[j]
        symbol.seen = symbol.here = 0
        told = account.targets and symbol.change < symbol.changes and asks[j, 0, symbol.change] == i
        if symbol.orders and symbol.touch < i:
            symbol.touch = _next_touch(books, tape, j, i)
        moved = symbol.orders > 0 and (symbol.busy or symbol.touch == i)
        if every or told or moved:
            _turn_to(books, tape, j, i)
        active = active or symbol.orders > 0
    return bool(active)


@kernel(inline=True)
def _visit(books: Books, tape: Tape, asks: Float64, i: int, curve: Float64) -> None:
    """A row at the venue and at the desk."""
    account = books.account
    paid = account.next_paid < len(tape.paid) and tape.paid[account.next_paid, 0] == i
    if _look(books, tape, asks, i, paid):
        advance(books, tape.paid, i)
    if account.now < account.trade_from:
        return
    equity = _equity(books, tape.lines, i)
    mark(account, equity)
    account.exposed += _holds(books.symbols)
    if len(curve):
        curve[i] = equity
    decide(books, tape.lines, asks, i, equity)


@kernel
def play(books: Books, tape: Tape, asks: Float64, curve: Float64) -> None:
    """Run once: the account gets the metrics, and unless empty fills and `curve` (n,) what happened.

    Account and symbols must be as they were told. `asks` (k, 2, c) are row and weight of each change of target, or
    (k, 3, n) score, confidence and full weight.
    """
    books = Books(books.account, borrowed(books.symbols), borrowed(books.orders), borrowed(books.fills))
    bars, lines, blocks = borrowed(tape.bars), borrowed(tape.lines), borrowed(tape.blocks)
    tape = Tape(bars, lines, blocks, borrowed(tape.delay), borrowed(tape.paid))
    asks, curve, account, n = borrowed(asks), borrowed(curve), books.account, tape.bars.shape[1]
    first, i, busy = np.searchsorted(tape.bars[0, :, TIME], account.trade_from), np.int64(0), account.sparse == 0
    sums = np.zeros((SUMS, WIDTH))
    while i < n and account.status == 0.0:
        stop = i if busy else _next_row(books, tape, asks, i)
        if stop > max(i, first):
            _carry(books, tape.lines, (max(i, first), stop), sums, curve)
        if stop < n:
            _visit(books, tape, asks, stop, curve)
            busy = _tidy(books)
        i = stop + 1
    gather(account, sums)
    account.equity = _equity(books, tape.lines, n - 1)
