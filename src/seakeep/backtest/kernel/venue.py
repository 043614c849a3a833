"""The compiled venue: one row of `brokers.sim` with the same matching and costs, and what replies make the desk do.

The driver's engine hears the replies of a slice after the venue is done with it; what it then cancels travels. So its
answers are given here at once, and a cancel counts from the next row on.
"""

from typing import Any

from seakeep.backtest.kernel.books import Books, book, lot_of, proceeds, reduces, tick_of, worth
from seakeep.backtest.kernel.tape import LIMIT, MARKET, ROUTES, TRAILING
from seakeep.core.jit import kernel
from seakeep.execution.costs import CostRates, taker_price
from seakeep.execution.lots import Wide, amount, count_down, count_up, less, over, plus, product, times
from seakeep.execution.matching import AT_OPEN, INSIDE, NEVER, Candle, Touch, first, meet_limit, meet_stop, room, trail

__all__ = [
    "CANCEL",
    "NOBODY",
    "adding",
    "below",
    "cancel",
    "hear",
    "leaving",
    "log",
    "meet",
    "receive",
    "taker_ticks",
    "trade",
]

NOBODY = 1 << 62
"""When an order is cancelled that nobody has cancelled."""
CANCEL = ROUTES - 1
"""Place of a cancel's delay."""


@kernel(inline=True)
def cancel(account: Any, symbol: Any, order: Any) -> None:
    """Send a cancel; of several the first to arrive counts."""
    due = max(account.now + symbol.delay[CANCEL], order.arrival)
    if order.alive and due < order.cancel_at:
        order.cancel_at, order.cancel_sent = due, account.now


@kernel
def adding(books: Books, j: int) -> int:
    """Side of the first order of symbol j, wherever it is, that may still add risk; 0 if there is none."""
    for o in range(books.symbols[j].orders):
        order = books.orders[j, o]
        if order.alive and not order.reduce:
            return int(order.side)
    return 0


@kernel(inline=True)
def leaving(books: Books, j: int) -> bool:
    """Whether an order of symbol j that closes is on its way."""
    for o in range(books.symbols[j].orders):
        order = books.orders[j, o]
        if order.alive and order.reduce and order.kind == MARKET:
            return True
    return False


@kernel
def hear(books: Books, j: int) -> None:
    """What the desk does after a reply on symbol j: once flat with nothing on its way, nothing rests that protects."""
    symbol = books.symbols[j]
    if symbol.lots == 0 and adding(books, j) == 0:
        for o in range(symbol.orders):
            cancel(books.account, symbol, books.orders[j, o])


@kernel
def hear_guard(books: Books, j: int) -> None:
    """What the desk does once a protection has begun to close the position: nothing adds any more."""
    symbol = books.symbols[j]
    if adding(books, j) == 0:
        hear(books, j)
        return
    for o in range(symbol.orders):
        order = books.orders[j, o]
        if not order.reduce:
            cancel(books.account, symbol, order)


@kernel
def taker_ticks(symbol: Any, side: int, qty: float, mid: float) -> int:
    """Ticks a taker pays or gets: half the spread and impact, to the tick that is worse for us; at least one."""
    share = qty / symbol.mean if symbol.mean > 0.0 else 1.0
    price = taker_price(mid, side, share, symbol.sigma, CostRates(symbol.half_spread, symbol.impact))
    return int(max(count_up(price, tick_of(symbol)) if side > 0 else count_down(price, tick_of(symbol)), 1))


@kernel
def below(account: Any, symbol: Any, lots: int, price: float) -> bool:
    """Whether an order of that value is smaller than the venue takes."""
    least, value = symbol.least_num / symbol.least_den, amount(lots, lot_of(symbol)) * price
    if abs(value - least) > 1e-9 * least:
        return bool(value < least)
    exact = over(product(symbol.least_num, account.unit), symbol.least_den)
    return bool(less(worth(account, symbol, lots, price), exact))


@kernel
def unbound(account: Any, symbol: Any, lots: int, price: float) -> Wide:
    """What a perpetual adds to the free cash: its value less value / leverage, which it binds."""
    value = worth(account, symbol, lots, price)
    bound = over(times(value, symbol.leverage_den), symbol.leverage_num if lots > 0 else -symbol.leverage_num)
    left: Wide = plus(value, Wide(-bound.high, -bound.low))
    return left


@kernel
def _shortfall(books: Books, j: int, change: int, ticks: int, mid: float) -> bool:
    """Whether the account cannot carry a taker's fill; what only reduces is always carried."""
    account, symbol = books.account, books.symbols[j]
    if reduces(symbol.lots, change):
        return False
    if symbol.spot and symbol.lots + change < 0:
        return True
    margined = account.margined or not symbol.spot
    value = amount(change, lot_of(symbol)) * amount(ticks, tick_of(symbol))
    if not margined and account.cash > 1.01 * value * (1.0 + symbol.taker_rate):
        return False
    left = plus(Wide(account.high, account.low), proceeds(symbol, change, ticks, symbol.taker_units))
    if margined:
        for s in range(len(books.symbols)):
            other = books.symbols[s]
            lots = other.lots + (change if s == j else 0)
            if lots and not other.spot:
                left = plus(left, unbound(account, other, lots, mid if s == j else other.open))
    return bool(less(left, Wide(0.0, 0.0)))


@kernel(inline=True)
def _objects(books: Books, j: int, order: Any) -> bool:
    """Whether the venue refuses an order that arrives now, at the price it would get."""
    account, symbol = books.account, books.symbols[j]
    if not symbol.close > 0.0 or (order.kind != MARKET and not order.price > 0.0):
        return True
    if order.reduce:
        return False
    mark = symbol.open if symbol.opened >= order.sent else symbol.close
    if below(account, symbol, order.lots, mark):
        return True
    ticks = taker_ticks(symbol, order.side, amount(order.lots, lot_of(symbol)), mark)
    return bool(_shortfall(books, j, order.side * order.lots, ticks, mark))


@kernel(inline=True)
def receive(books: Books) -> None:
    """Orders and cancels that have reached the venue by now."""
    account = books.account
    for j in range(len(books.symbols)):
        symbol = books.symbols[j]
        for o in range(symbol.orders):
            order, heard = books.orders[j, o], False
            if order.alive and not order.works and order.arrival <= account.now:
                refused, heard = _objects(books, j, order), True
                order.works, order.alive = int(not refused), int(not refused)
                account.refused += float(int(refused))
            if order.alive and order.cancel_at <= account.now and order.cancel_sent < account.now:
                order.alive, heard = 0, True
            if heard:
                hear(books, j)


@kernel(inline=True)
def _touch(order: Any, candle: Candle, touch_fills: int) -> Touch:
    """How a bar meets an order; remembers a trigger and where a trailing stop stands."""
    arriving, order.fresh = order.fresh == 1, 0
    if order.kind == MARKET:
        return Touch(AT_OPEN, candle.open, False)
    if order.kind == LIMIT:
        resting: Touch = meet_limit(order.side, order.price, candle, arriving, touch_fills == 1)
        return resting
    if order.triggered:
        worse = max(order.price, candle.open) if order.side > 0 else min(order.price, candle.open)
        return Touch(AT_OPEN, worse, False)
    touch: Touch = meet_stop(order.side, order.price, candle)
    order.triggered = int(touch.when != NEVER)
    if order.kind == TRAILING and touch.when == NEVER:
        order.price = trail(order.side, order.price, candle, order.trail)
    return touch


@kernel(inline=True)
def meet(books: Books) -> int:
    """Let the bars at hand meet the working orders; how many they meet."""
    account, met = books.account, 0
    for j in range(len(books.symbols)):
        symbol = books.symbols[j]
        candle = Candle(symbol.open, symbol.high, symbol.low, symbol.close)
        for o in range(symbol.orders):
            order = books.orders[j, o]
            order.when = NEVER
            start = order.sent if order.arrival - order.sent < account.bar_ms else order.arrival
            if symbol.here and symbol.volume > 0.0 and order.alive and order.works and symbol.opened >= start:
                touch = _touch(order, candle, account.touch_fills)
                order.when, order.mid, order.maker, order.rank = touch.when, touch.price, int(touch.maker), 0.0
                if touch.when == INSIDE:
                    order.rank = first(account.path, order.kind != LIMIT, touch.price, candle.open)
                met += int(touch.when != NEVER)
    return met


@kernel
def _earliest(books: Books) -> tuple[int, int]:
    """Symbol and place of the met order that comes first: moment, rank, arrival, number; k if none is left."""
    none = len(books.symbols)
    best, place = (none, 0.0, none, none), (none, none)
    for j in range(none):
        for o in range(books.symbols[j].orders):
            order = books.orders[j, o]
            if order.when != NEVER:
                key = (order.when, order.rank, order.arrival, order.number)
                if place[0] == none or key < best:
                    best, place = key, (j, o)
    return place


@kernel(inline=True)
def trade(books: Books) -> bool:
    """Trade the next group of met orders, those of equal moment and rank; False when none is left."""
    j, o = _earliest(books)
    if j == len(books.symbols):
        return False
    when, rank = books.orders[j, o].when, books.orders[j, o].rank
    while j < len(books.symbols) and books.orders[j, o].when == when and books.orders[j, o].rank == rank:
        order = books.orders[j, o]
        if order.alive:
            _attempt(books, j, order)
        order.when = NEVER
        j, o = _earliest(books)
    return True


@kernel
def _wanted(order: Any, held: int) -> int:
    """Lots the order may still trade; one that only reduces trades no more than is held against it."""
    if not order.reduce:
        return int(order.lots)
    return min(order.lots, abs(held)) if held * order.side < 0 else 0


@kernel(inline=True)
def _attempt(books: Books, j: int, order: Any) -> None:
    """Fill what the bar's volume, the position (reduce only) and the funds allow."""
    account, symbol = books.account, books.symbols[j]
    lots = _wanted(order, symbol.lots)
    if lots:
        left = room(symbol.volume, account.participation, symbol.taken)
        if amount(lots, lot_of(symbol)) > left:
            lots = count_down(left, lot_of(symbol))
        if lots == 0:
            return
        _unknowable(books, j, order, lots)
        _fill(books, j, order, lots)
    if order.alive and _wanted(order, symbol.lots) == 0:
        order.triggered = 0
        if not adding(books, j):
            order.alive = 0
            hear(books, j)


@kernel(inline=True)
def _unknowable(books: Books, j: int, order: Any, lots: int) -> None:
    """Stop and target of one holding inside one bar: what lies between them hangs on an order no bar shows."""
    if order.when == INSIDE and order.reduce:
        for o in range(books.symbols[j].orders):
            other = books.orders[j, o]
            if other.alive and other.when == INSIDE and other.kind != order.kind:
                books.account.unknowable += abs(order.mid - other.mid) * amount(lots, lot_of(books.symbols[j]))


@kernel(inline=True)
def _fill(books: Books, j: int, order: Any, lots: int) -> None:
    """Fill an order, unless the funds do not carry it."""
    account, symbol = books.account, books.symbols[j]
    ticks = order.ticks
    if not order.maker:
        ticks = taker_ticks(symbol, order.side, amount(lots, lot_of(symbol)), order.mid)
        if order.kind == LIMIT:
            ticks = min(ticks, order.ticks) if order.side > 0 else max(ticks, order.ticks)
    if _shortfall(books, j, order.side * lots, ticks, order.mid):
        order.alive = 0
    else:
        fill = books.fills[len(books.fills) - 1]
        fill.ts = max(order.arrival, symbol.opened) if order.when == AT_OPEN else account.now
        fill.symbol, fill.kind, fill.side, fill.lots, fill.ticks = j, order.kind, order.side, lots, ticks
        fill.maker, fill.mid = order.maker, order.mid
        book(account, symbol, fill)
        log(books)
        symbol.taken += fill.qty
        order.lots -= lots
        order.alive = int(order.lots > 0)
    if order.reduce:
        hear_guard(books, j)
    else:
        hear(books, j)


@kernel
def log(books: Books) -> None:
    """Keep the fill that was made last, while there is room."""
    kept = books.account.kept
    if kept < len(books.fills) - 1:
        books.fills[kept] = books.fills[len(books.fills) - 1]
        books.account.kept = kept + 1
