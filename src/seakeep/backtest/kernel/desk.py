"""The compiled desk: from what is wanted to orders, by the rules of `engine`, `risk.review` and `execution.plan`.

Of the gate it holds the static limits: largest position, gross, the leverage a venue lends.
"""

import math
from typing import Any

from numpy.typing import NDArray

from seakeep.backtest.kernel.books import Books, lot_of, reduces, tick_of
from seakeep.backtest.kernel.tape import LIMIT, MARKET, STOP, TRAILING
from seakeep.backtest.kernel.venue import NOBODY, adding, below, cancel, leaving
from seakeep.core.jit import kernel
from seakeep.core.market import Float64
from seakeep.execution.lots import Wide, amount, count_down, count_up, exact, over, times

__all__ = ["OVERFLOW", "allow", "decide", "held", "payable", "stance", "wanted"]

OVERFLOW = 2.0
"""Status of a run that had more orders under way than there is room for."""
_EXACT = 1e-12
_ROUGH = 1e-14
"""A count in floats this near to a whole one, relatively, is counted exactly."""
_WHOLE = 1e-25
"""A count of lots this near to the next whole one, in 106 bits, is that one."""


@kernel
def held(books: Books, j: int) -> int:
    """Sign of what is held or about to be held: a working order that adds risk, or that closes, counts as done."""
    side, lots = adding(books, j), books.symbols[j].lots
    if side != 0:
        return int(side)
    return 0 if leaving(books, j) else int(lots > 0) - int(lots < 0)


@kernel
def stance(account: Any, score: float, confidence: float, now: int, can_short: bool) -> int:
    """What to hold, given what is held, as `strategy.decide.stance` says it."""
    sure = confidence >= account.min_confidence
    if score >= account.long and sure:
        return 1
    if score <= account.short and sure and can_short:
        return -1
    return now if now * score > account.exit else 0


@kernel(inline=True)
def _asks(books: Books, asks: Float64, i: int) -> bool:
    """What is wanted of each symbol in row i; whether anything is."""
    any_decided = False
    for j in range(len(books.symbols)):
        symbol = books.symbols[j]
        symbol.decided = 0
        if books.account.targets:
            if symbol.change < symbol.changes and asks[j, 0, symbol.change] == i:
                symbol.asked, symbol.decided = asks[j, 1, symbol.change], 1
                symbol.change += 1
        elif symbol.here and not math.isnan(asks[j, 0, i]):
            now = held(books, j)
            side = stance(books.account, asks[j, 0, i], asks[j, 1, i], now, symbol.spot == 0)
            if side != now:
                symbol.asked, symbol.decided = side * asks[j, 2, i], 1
        any_decided = any_decided or symbol.decided == 1
    return any_decided


@kernel
def _smaller(now: float, target: float) -> bool:
    return target == 0.0 or (now * target > 0.0 and abs(target) <= abs(now))


@kernel(inline=True)
def _ceiling(symbol: Any, base: float) -> float:
    """What one addition may have on its own; what is held already stays, up to the largest position."""
    if not math.isfinite(symbol.asked) or (symbol.asked < 0.0 and symbol.spot):
        return base
    most = symbol.max_weight
    if not symbol.spot:
        most = min(most, symbol.leverage_num / symbol.leverage_den)
    if abs(symbol.asked) <= most:
        return float(symbol.asked)
    return math.copysign(min(max(most, abs(base)), symbol.max_weight), symbol.asked)


@kernel(inline=True)
def allow(account: Any, symbols: NDArray[Any], equity: float) -> None:
    """The gate: each addition within its own ceiling, all additions together within what is left of the gross."""
    gross = added = 0.0
    for j in range(len(symbols)):
        symbol = symbols[j]
        symbol.given, base = symbol.weight, _base(symbol)
        if symbol.decided:
            adds = not _smaller(symbol.weight, symbol.asked)
            symbol.given = (_ceiling(symbol, base) if equity > 0.0 else base) if adds else symbol.asked
        if not symbol.decided or _smaller(symbol.weight, symbol.given):
            symbol.decided *= 2
            gross += abs(symbol.given)
        else:
            gross += abs(base + (symbol.given - base))
            added += abs(symbol.given - base)
    excess = gross - account.max_gross
    share = max(0.0, 1.0 - excess / added) if excess > _EXACT * account.max_gross and added > 0.0 else 1.0
    for j in range(len(symbols)):
        symbol = symbols[j]
        if symbol.decided == 1:
            base = _base(symbol)
            if share < 1.0:
                symbol.given = base + (symbol.given - base) * share
            if symbol.given != symbol.asked and abs(symbol.given - base) < account.min_weight:
                symbol.given = base


@kernel(inline=True)
def _base(symbol: Any) -> float:
    """What of the holding is on the side that is asked for."""
    return symbol.weight if symbol.weight * symbol.asked > 0.0 else 0.0


@kernel(inline=True)
def _whole(lots: Wide) -> int:
    """Whole lots in a count; one that misses the next by no more than its last bits is that next one."""
    m = math.floor(lots.high)
    left = (lots.high - m) + lots.low
    slack = _WHOLE * max(abs(lots.high), 1.0)
    if left < -slack:
        return int(m) - 1
    return int(m) + 1 if left >= 1.0 - slack else int(m)


@kernel(inline=True)
def payable(account: Any, symbol: Any, lots: int, mark: float) -> int:
    """At most so many lots as the cash buys, less what is kept for the move until the order is at the venue."""
    if account.high <= 0.0:
        return 0
    price = mark * (1.0 + symbol.taker_rate) * (symbol.lot_num / symbol.lot_den)
    most = account.cash * (account.spend_num / account.spend_den) / price
    if abs(most - math.floor(most + 0.5)) > _ROUGH * most:
        return int(min(lots, math.floor(most)))
    written = exact(mark)
    cash = over(times(Wide(account.high, account.low), account.spend_num * symbol.lot_den), account.unit)
    cash = over(times(times(cash, written.den), symbol.taker_den), account.spend_den)
    wide = over(over(over(cash, written.num), symbol.taker_den + symbol.taker_num), symbol.lot_num)
    return int(min(lots, _whole(wide)))


@kernel(inline=True)
def wanted(account: Any, symbol: Any, equity: float, mark: float) -> int:
    """Signed lots to hold, toward zero; a turn-over whose new side is too small only closes, and so does no equity."""
    target = symbol.given
    if target == 0.0 or (target < 0.0 and symbol.spot) or not equity > 0.0:
        return 0
    lots = count_down(abs(target) * equity / mark, lot_of(symbol))
    turns = symbol.lots < 0.0 if target > 0.0 else symbol.lots > 0.0
    if turns and below(account, symbol, lots, mark):
        return 0
    return int(lots if target > 0.0 else -lots)


@kernel(inline=True)
def _plan(books: Books, j: int, equity: float) -> None:
    """Replace what is open in symbol j by the orders that move it to the weight it was given.

    Stop and target stand for all that is held: a reduction leaves those that rest, unless an exit on its way has
    cancelled them.
    """
    account, symbol = books.account, books.symbols[j]
    change = wanted(account, symbol, equity, symbol.close) - symbol.lots
    reducing = reduces(symbol.lots, change)
    lots, side = abs(change), 1 if change > 0 else -1
    if not reducing and symbol.spot:
        lots = payable(account, symbol, lots, symbol.close)
    if lots == 0 or (not reducing and below(account, symbol, lots, symbol.close)):
        return
    open_orders, start, after = 0, symbol.orders, symbol.lots + side * lots
    for o in range(start):
        open_orders += books.orders[j, o].alive
    if not reducing:
        if open_orders >= account.max_open or account.now - symbol.last_added < account.gap_ms:
            return
        symbol.last_added = account.now
    rests = reducing and after != 0 and not leaving(books, j)
    for o in range(start):
        if not (rests and books.orders[j, o].reduce):
            cancel(account, symbol, books.orders[j, o])
    if start + 3 > books.orders.shape[1]:
        account.status, account.status_ts = OVERFLOW, float(account.now)
        return
    books.orders[j, start].kind, books.orders[j, start].reduce = MARKET, int(reducing)
    _send(books, j, side, lots, start - start)
    if after != 0 and not rests:
        _protect(books, j, -1 if after > 0 else 1, abs(after))


@kernel(inline=True)
def _protect(books: Books, j: int, side: int, lots: int) -> None:
    """Stop and target as `risk.stops` sets them, at the tick nearer the market; `side` closes the position."""
    account, symbol, tick = books.account, books.symbols[j], tick_of(books.symbols[j])
    distance = account.trailing if account.trailing != 0.0 else account.stop_loss
    if distance != 0.0:
        order, price = books.orders[j, symbol.orders], symbol.close * (1.0 + side * distance)
        order.kind, order.reduce = TRAILING if account.trailing != 0.0 else STOP, 1
        _send(books, j, side, lots, count_up(price, tick) if side < 0 else count_down(price, tick))
    if account.take_profit != 0.0:
        order, price = books.orders[j, symbol.orders], symbol.close * (1.0 - side * account.take_profit)
        order.kind, order.reduce = LIMIT, 1
        ticks = count_down(price, tick) if side < 0 else count_up(price, tick)
        if ticks > 0:
            _send(books, j, side, lots, ticks)


@kernel
def _send(books: Books, j: int, side: int, lots: int, ticks: int) -> None:
    """Put the order on its way that stands first behind the others of symbol j; `ticks` is its limit or trigger."""
    account, symbol = books.account, books.symbols[j]
    order = books.orders[j, symbol.orders]
    symbol.orders += 1
    account.number += 1
    order.side, order.lots, order.ticks, order.number = side, lots, ticks, account.number
    order.price, order.trail = amount(ticks, tick_of(symbol)), account.trailing
    order.works, order.fresh, order.triggered, order.alive = 0, 1, 0, 1
    order.sent, order.cancel_at, order.cancel_sent = account.now, NOBODY, 0
    order.arrival = account.now + symbol.delay[2 * order.kind + int(side < 0)]


@kernel(inline=True)
def decide(books: Books, lines: Float64, asks: Float64, i: int, equity: float) -> None:
    """A row at the desk: what is wanted, what the gate gives of it, the orders that follow."""
    if not _asks(books, asks, i):
        return
    scale = 1.0 / equity if equity > 0.0 else math.inf
    for j in range(len(books.symbols)):
        symbol = books.symbols[j]
        symbol.weight = symbol.qty * lines[j, 2, i] * scale if symbol.lots else 0.0
    allow(books.account, books.symbols, equity)
    for j in range(len(books.symbols)):
        symbol = books.symbols[j]
        if symbol.decided and (symbol.given == symbol.asked or symbol.given != symbol.weight):
            _plan(books, j, equity)
