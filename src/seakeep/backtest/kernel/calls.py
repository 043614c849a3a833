"""The compiled venue, second part: funding and margin calls of perpetuals, and the row as a whole."""

from typing import Any

from seakeep.backtest.kernel.books import LIQUIDATION, Books, book, lot_of, pay, size, worth
from seakeep.backtest.kernel.venue import NOBODY, hear, log, meet, receive, taker_ticks, trade
from seakeep.core.jit import kernel
from seakeep.core.market import Float64
from seakeep.execution.lots import Wide, amount, exact, less, over, plus, read, times

__all__ = ["NO_FUNDING", "advance"]

NO_FUNDING = 1.0
"""Status of a run that held a perpetual over a funding instant without a rate."""
_SLACK_MS = 5_000
"""Venues stamp and publish a funding payment some milliseconds off its instant."""
_NEAR = 1.001
"""A margin this close to its limit, in floats, is worked out exactly."""


@kernel
def _worst(symbol: Any) -> float:
    """The price of this row that hurts most: the low of what we are long, the high of what we are short."""
    if not symbol.here:
        return float(symbol.close)
    return float(symbol.low if symbol.lots > 0 else symbol.high)


@kernel
def _safe(books: Books) -> bool:
    """The margin test in floats, a little too strict."""
    equity, maintenance = books.account.cash, 0.0
    for j in range(len(books.symbols)):
        symbol = books.symbols[j]
        if symbol.lots:
            value = symbol.qty * _worst(symbol)
            equity += value
            if not symbol.spot:
                maintenance += abs(value) * symbol.maintenance_num / symbol.maintenance_den
    return bool(equity > maintenance * _NEAR)


@kernel
def _margin(books: Books, without: int) -> Wide:
    """Equity less maintenance margin at the worst prices of row i, one symbol left out."""
    account = books.account
    left = Wide(account.high, account.low)
    for j in range(len(books.symbols)):
        symbol = books.symbols[j]
        if symbol.lots and j != without:
            value = worth(account, symbol, symbol.lots, _worst(symbol))
            left = plus(left, value)
            if not symbol.spot:
                kept = size(over(times(value, symbol.maintenance_num), symbol.maintenance_den))
                left = plus(left, Wide(-kept.high, -kept.low))
    return left


@kernel
def _call_margin(books: Books) -> None:
    """Close perpetuals, the largest first, while equity is below maintenance at the worst prices of the bars."""
    while books.account.margined and not _safe(books):
        if not less(_margin(books, len(books.symbols)), Wide(0.0, 0.0)):
            return
        largest, most = -1, -1.0
        for j in range(len(books.symbols)):
            symbol = books.symbols[j]
            value = abs(symbol.qty) * _worst(symbol)
            if symbol.lots and not symbol.spot and value > most:
                largest, most = j, value
        _liquidate(books, largest)


@kernel
def _liquidation_price(books: Books, j: int) -> float:
    """Price of this perpetual at which equity equals maintenance margin; its worst price if there is none."""
    symbol = books.symbols[j]
    rate = symbol.maintenance_num if symbol.lots > 0 else -symbol.maintenance_num
    share, worst = symbol.maintenance_den - rate, _worst(symbol)
    if share == 0.0:
        return float(worst)
    price = over(over(over(_margin(books, j), -symbol.lots), symbol.lot_num), share)
    price = over(times(times(price, symbol.lot_den), symbol.maintenance_den), books.account.unit)
    return float(price.high if price.high > 0.0 else worst)


@kernel
def _liquidate(books: Books, j: int) -> None:
    """The venue closes a position at the worse of its liquidation price and the open, plus the costs of a taker."""
    account, symbol, fill = books.account, books.symbols[j], books.fills[len(books.fills) - 1]
    start, trigger = symbol.open if symbol.here else symbol.close, _liquidation_price(books, j)
    side = -1 if symbol.lots > 0 else 1
    fill.mid = min(trigger, start) if side < 0 else max(trigger, start)
    fill.ts, fill.symbol, fill.kind, fill.side, fill.maker = account.now, j, LIQUIDATION, side, 0
    fill.lots = abs(symbol.lots)
    fill.ticks = taker_ticks(symbol, side, amount(fill.lots, lot_of(symbol)), fill.mid)
    book(account, symbol, fill)
    log(books)
    hear(books, j)
    for o in range(symbol.orders):
        order = books.orders[j, o]
        if order.alive and order.works:
            order.alive = 0
            hear(books, j)


@kernel
def _fund(books: Books, paid: Float64, i: int, until: int) -> int:
    """Pay what is known in row i and was due before `until`, each once; the first funding of a later row."""
    account, f = books.account, books.account.next_paid
    while f < len(paid) and paid[f, 0] == i:
        due, symbol = int(paid[f, 1]), books.symbols[int(paid[f, 2])]
        if symbol.funded < due < until:
            symbol.funded = due
            if symbol.lots and not symbol.spot:
                rate = exact(paid[f, 3])
                units = over(times(worth(account, symbol, -symbol.lots, symbol.close), rate.num), rate.den)
                pay(account, units)
                account.funding += read(units, account.unit)
        f += 1
    return int(f)


@kernel
def _unfunded(books: Books) -> bool:
    """Whether a perpetual was held over the last funding instant before now, and no rate was seen."""
    account = books.account
    instant = (account.now - 1 - _SLACK_MS) // account.funding_ms * account.funding_ms
    for j in range(len(books.symbols)):
        symbol = books.symbols[j]
        held_over = symbol.lots != 0 and not symbol.spot and symbol.since < instant
        if held_over and symbol.funded < instant - _SLACK_MS:
            return True
    return False


@kernel(inline=True)
def advance(books: Books, paid: Float64, i: int) -> None:
    """A row at the venue: old funding, commands, orders against the bars, margin calls, funding of this instant."""
    account = books.account
    due = account.next_paid < len(paid) and paid[account.next_paid, 0] == i
    if due:
        _fund(books, paid, i, account.now)
    if account.margined and _unfunded(books):
        account.status, account.status_ts = NO_FUNDING, float(account.now)
        return
    receive(books)
    if meet(books):
        while trade(books):
            if account.margined:
                _call_margin(books)
    if account.margined:
        _call_margin(books)
    if due:
        account.next_paid = _fund(books, paid, i, account.now + NOBODY)
