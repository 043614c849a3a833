"""The shortest way through a run whose signals ignore fills: one spot market, in or out, perhaps with a fixed stop.

Every order is then filled whole at the next open and no table of orders is needed: from change to change, the stop
found by blocks of bars, what lies between only marked. Sizes, prices and money come from the functions of the general
pass (a test holds the two to the same fills); what does not fit in is left to it.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from seakeep.backtest.books import Books, book, lot_of, tick_of
from seakeep.backtest.desk import allow, payable, wanted
from seakeep.backtest.passes import play
from seakeep.backtest.tally import hold, still
from seakeep.backtest.tape import BLOCK, CLOSE, HIGH, LOW, MARKET, MEAN, OPEN, SIGMA, STOP, TIME, VOLUME, Tape
from seakeep.backtest.venue import below, log, taker_ticks
from seakeep.core.jit import kernel
from seakeep.core.market import Float64
from seakeep.execution.lots import amount, count_up
from seakeep.execution.matching import AT_OPEN, Candle, meet_stop, room

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
def _turn_to(books: Books, tape: Tape, i: int) -> None:
    """Put row i before venue and desk."""
    symbol, bars = books.symbols[0], tape.bars
    if books.account.now != int(bars[0, i, TIME]):
        symbol.taken = 0.0
    books.account.now = int(bars[0, i, TIME])
    symbol.open, symbol.high, symbol.low = bars[0, i, OPEN], bars[0, i, HIGH], bars[0, i, LOW]
    symbol.close, symbol.volume = bars[0, i, CLOSE], bars[0, i, VOLUME]
    symbol.sigma, symbol.mean = bars[0, i, SIGMA], bars[0, i, MEAN]
    symbol.opened = books.account.now - books.account.bar_ms


@kernel(inline=True)
def _lots(books: Books, tape: Tape, target: float, row: int) -> int:
    """Whole lots that are ordered for that target when flat and taken in row `row`; 0 if there are none."""
    account, symbol = books.account, books.symbols[0]
    symbol.asked, symbol.decided, symbol.weight = target, 1, 0.0
    allow(account, books.symbols, account.cash)
    if symbol.given == 0.0 or row == tape.bars.shape[1]:
        return 0
    lots = payable(account, symbol, wanted(account, symbol, account.cash, symbol.close), symbol.close)
    if lots == 0 or below(account, symbol, lots, symbol.close):
        return 0
    if below(account, symbol, lots, tape.bars[0, row, OPEN]):
        account.refused += 1.0
        return 0
    return int(lots)


@kernel
def _fill(books: Books, lots: int, mid: float) -> bool:
    """Fill an order whose kind and side the scratch fill tells, as a taker; False if it is not filled whole."""
    account, symbol, fill = books.account, books.symbols[0], books.fills[len(books.fills) - 1]
    fill.lots, fill.mid, fill.maker, fill.symbol = lots, mid, 0, 0
    fill.ticks, value = taker_ticks(symbol, fill.side, lots, mid), amount(lots, lot_of(symbol))
    if not symbol.volume > 0.0 or value > room(symbol.volume, account.participation, symbol.taken):
        return False
    value *= amount(fill.ticks, tick_of(symbol)) * (1.0 + symbol.taker_rate)
    if fill.side > 0 and account.cash < value * (1.0 + _NEAR):
        return False
    book(account, symbol, fill)
    log(books)
    symbol.taken += fill.qty
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
def _stop(books: Books, tape: Tape, sent: int, stop: float, i: int) -> bool:
    """Close the position at the stop that row i meets; False if it is not filled whole."""
    _turn_to(books, tape, i)
    symbol, fill = books.symbols[0], books.fills[len(books.fills) - 1]
    fill.kind, fill.side = STOP, -1
    touch = meet_stop(fill.side, stop, Candle(symbol.open, symbol.high, symbol.low, symbol.close))
    fill.ts = max(sent + tape.delay[0, 0, 0], symbol.opened) if touch.when == AT_OPEN else books.account.now
    return bool(_fill(books, symbol.lots, touch.price))


@kernel(inline=True)
def _trade(books: Books, tape: Tape, i: int, lots: int) -> bool:
    """Trade at the open of row i what was decided in the row before; False if it is not filled whole."""
    sent, fill = books.account.now, books.fills[len(books.fills) - 1]
    _turn_to(books, tape, i)
    fill.kind, fill.side = MARKET, 1 if lots > 0 else -1
    fill.ts = max(sent + tape.delay[0, 0, 0], books.symbols[0].opened)
    return bool(_fill(books, abs(lots), books.symbols[0].open))


@kernel
def glide(books: Books, tape: Tape, asks: Float64, first: int) -> bool:
    """Run once from row `first` on; False, with the books spoilt, if the run is not of this kind."""
    account, symbol, n = books.account, books.symbols[0], tape.bars.shape[1]
    marked, change, close = first, symbol.change, tape.lines[0, 2]
    while _fits(books, tape):
        while change < symbol.changes and asks[0, 1, change] == 0.0:
            change += 1
        if change == symbol.changes:
            still(account, n - marked)
            return True
        entry, target, change = int(asks[0, 0, change]), asks[0, 1, change], change + 1
        still(account, entry + 1 - marked)
        marked = entry + 1
        _turn_to(books, tape, entry)
        lots, sent = _lots(books, tape, target, marked), account.now
        stop = amount(count_up(symbol.close * (1.0 - account.stop_loss), tick_of(symbol)), tick_of(symbol))
        if lots == 0:
            continue
        leave = int(asks[0, 0, change]) if change < symbol.changes else n
        if not _trade(books, tape, marked, lots) or (leave < n and asks[0, 1, change] != 0.0):
            return False
        end = min(leave + 1, n)
        met = _first_below(tape, stop, marked, end) if account.stop_loss > 0.0 else end
        hold(account, close[marked:met], symbol.qty)
        marked = met
        if met < end:
            if not _stop(books, tape, sent, stop, met):
                return False
        elif marked < n:
            account.now, symbol.taken = int(tape.bars[0, leave, TIME]), 0.0
            if not _trade(books, tape, marked, -symbol.lots):
                return False
        else:
            return True
    return False


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
    if len(curve) == 0 and glide(books, tape, asks, first):
        last = tape.lines[0, 2, tape.bars.shape[1] - 1]
        accounts[p].equity = accounts[p].cash + symbols[0].qty * last
        return
    _prepare(told, p, symbols)
    play(books, tape, asks, curve)
