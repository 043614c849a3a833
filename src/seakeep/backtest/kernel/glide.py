"""The shortest way through a run whose signals ignore fills: one spot market, in or out, perhaps with a fixed stop.

Every order is then filled whole at the next open and no table of orders is needed: from change to change, the stop
found by blocks of bars, what lies between only marked. Sizes, prices and money come from the functions of the general
pass (a test holds the two to the same fills); what does not fit in is left to it.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from seakeep.backtest.kernel.books import Books, close_trip, leg, lot_of, measure, tick_of
from seakeep.backtest.kernel.desk import allow, payable, wanted
from seakeep.backtest.kernel.machine import borrowed, fetch
from seakeep.backtest.kernel.passes import play
from seakeep.backtest.kernel.tally import SUMS, WIDTH, gather, hold, still
from seakeep.backtest.kernel.tape import BLOCK, CLOSE, HIGH, LOW, MEAN, OPEN, SIGMA, TIME, VOLUME, Tape
from seakeep.backtest.kernel.venue import below, taker_ticks
from seakeep.core.jit import kernel
from seakeep.core.market import Float64
from seakeep.execution.lots import amount, count_up
from seakeep.execution.matching import Candle, meet_stop, room

__all__ = ["glide", "run"]

_NEAR = 1e-9
"""A purchase that leaves less than this share of the cash is left to the exact test."""


@kernel(inline=True)
def _fits(books: Books, tape: Tape) -> bool:
    """Whether the run is of the simple kind."""
    account, symbol, delay = books.account, books.symbols[0], tape.delay
    plain = account.targets and account.sparse and account.take_profit == 0.0 and account.trailing == 0.0
    alone = len(books.symbols) == 1 and symbol.spot and len(tape.paid) == 0
    return (
        plain and alone and delay.shape[1] == 1 and delay[0, 0, 0] < account.bar_ms and account.gap_ms <= account.bar_ms
    )


@kernel(inline=True)
def _lots(books: Books, target: float, close: float, opens: float) -> int:
    """Whole lots that are ordered at the close for that target, to trade at the open, when flat; 0 if none are."""
    account, symbol = books.account, books.symbols[0]
    symbol.asked, symbol.decided, symbol.weight = target, 1, 0.0
    allow(account, books.symbols, account.cash)
    if symbol.given == 0.0:
        return 0
    lots = payable(account, symbol, wanted(account, symbol, account.cash, close), close)
    if lots == 0 or below(account, symbol, lots, close):
        return 0
    if below(account, symbol, lots, opens):
        account.refused += 1.0
        return 0
    return int(lots)


@kernel
def _trade(books: Books, bar: Float64, change: int, mid: float, taken: float) -> bool:
    """Open or close the holding as a taker in that bar (8,); False if it is not filled whole."""
    account, symbol, side = books.account, books.symbols[0], 1 if change > 0 else -1
    symbol.sigma, symbol.mean = bar[SIGMA], bar[MEAN]
    qty = amount(abs(change), lot_of(symbol))
    ticks = taker_ticks(symbol, side, qty, mid)
    price = amount(ticks, tick_of(symbol))
    if not bar[VOLUME] > 0.0 or qty > room(bar[VOLUME], account.participation, taken):
        return False
    if side > 0 and account.cash < qty * price * (1.0 + symbol.taker_rate) * (1.0 + _NEAR):
        return False
    leg(account, symbol, change, ticks, symbol.taker_units)
    symbol.qty = qty if side > 0 else 0.0
    if side < 0:
        close_trip(account, symbol)
    measure(account, price, mid, qty * side, symbol.taker_rate)
    return True


@kernel(inline=True)
def _first_below(tape: Tape, stop: float, i: int, end: int) -> int:
    """First row in [i, end) whose low reaches the stop; `end` if none does."""
    low, lowest = tape.lines[0, 1], tape.blocks[0, 0]
    while i < end:
        b = i // BLOCK
        last = min(end, (b + 1) * BLOCK)
        if lowest[b] <= stop:
            for r in range(i, last):
                if low[r] <= stop:
                    return r
        i = last
    return end


@kernel(inline=True)
def _leave(books: Books, bar: Float64, stop: float, taken: float) -> bool:
    """Close the holding at the open of that bar, or at a stop that it meets; False if it is not filled whole."""
    touch = meet_stop(-1, stop, Candle(bar[OPEN], bar[HIGH], bar[LOW], bar[CLOSE]))
    return bool(_trade(books, bar, -books.symbols[0].lots, touch.price, taken))


@kernel
def glide(books: Books, tape: Tape, asks: Float64, first: int) -> bool:
    """Run once from row `first` on; False, with the books spoilt, if the run is not of this kind."""
    account, symbol, n = books.account, books.symbols[0], tape.bars.shape[1]
    tape = Tape(borrowed(tape.bars), borrowed(tape.lines), borrowed(tape.blocks), tape.delay, tape.paid)
    bars, close, marked, change, sums = tape.bars[0], tape.lines[0, 2], first, 0, np.zeros((SUMS, WIDTH))
    while True:
        while change < symbol.changes and asks[0, 1, change] == 0.0:
            change += 1
        if change == symbol.changes:
            still(account, n - marked)
            gather(account, sums)
            return True
        entry, target, change = int(asks[0, 0, change]), asks[0, 1, change], change + 1
        leave = int(asks[0, 0, change]) if change < symbol.changes else n
        for later in (min(change + 1, symbol.changes - 1), min(change + 2, symbol.changes - 1)):
            fetch(bars, int(asks[0, 0, later]) + 1)
            fetch(close, int(asks[0, 0, later]))
        still(account, entry + 1 - marked)
        marked = entry + 1
        lots = _lots(books, target, close[entry], bars[marked, OPEN]) if marked < n else 0
        if lots == 0:
            continue
        if (leave < n and asks[0, 1, change] != 0.0) or not _trade(books, bars[marked], lots, bars[marked, OPEN], 0.0):
            return False
        stop = amount(count_up(close[entry] * (1.0 - account.stop_loss), tick_of(symbol)), tick_of(symbol))
        end = min(leave + 1, n)
        met = _first_below(tape, stop, marked, end) if account.stop_loss > 0.0 else end
        hold(account, close[marked:met], symbol.qty, borrowed(sums))
        if met == n:
            gather(account, sums)
            return True
        bar, taken = bars[met], symbol.qty if met == marked else 0.0
        if not (_leave(books, bar, stop, taken) if met < end else _trade(books, bar, -symbol.lots, bar[OPEN], 0.0)):
            return False
        marked = met


@kernel(inline=True)
def _prepare(told: tuple[Any, Any, Any], p: int, symbols: NDArray[Any]) -> None:
    """Account p and the symbols as they are before a run; how often the targets change is kept."""
    template, accounts, rules = told
    accounts[p] = template[p]
    for j in range(len(rules)):
        changes = symbols[j].changes
        symbols[j] = rules[j]
        symbols[j].changes = changes


@kernel
def run(
    told: tuple[Any, Any, Any], p: int, desk: tuple[Any, Any, Any], tape: Tape, asks: Float64, curve: Float64
) -> None:
    """Run p, the short way if it is of that kind and no curve (n,) is asked for.

    `told` are the accounts as they are told and as they will end, each (r,), and the symbols as they are told (k,);
    `desk` is scratch: symbols, which know how often their targets change, orders and fills.
    """
    (template, accounts, _), (symbols, orders, fills) = told, desk
    _prepare(told, p, symbols)
    books = Books(accounts[p], symbols, orders, fills)
    first = np.searchsorted(tape.bars[0, :, TIME], template[p].trade_from)
    if len(curve) == 0 and _fits(books, tape) and glide(books, tape, asks, first):
        last = tape.lines[0, 2, tape.bars.shape[1] - 1]
        accounts[p].equity = accounts[p].cash + symbols[0].qty * last
        return
    _prepare(told, p, symbols)
    play(books, tape, asks, curve)
