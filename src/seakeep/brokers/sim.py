"""The simulated venue of backtests and paper trading: bars in, replies out, by the fill specification.

It is deterministic: the same events and commands give the same replies, which is how a run is taken up again.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Literal

import msgspec
from pydantic import Field

from seakeep.brokers.account import Account
from seakeep.brokers.base import BROKERS
from seakeep.brokers.book import Market, Working, exact
from seakeep.brokers.latency import LatencyParams, delay_ms
from seakeep.core.account import Portfolio
from seakeep.core.config import Section
from seakeep.core.errors import ConfigError, DataError, InvalidOrder
from seakeep.core.events import (
    Accepted,
    Cancel,
    CancelAll,
    Canceled,
    Command,
    Event,
    Filled,
    Liquidated,
    Rejected,
    Reply,
    Slice,
    Submit,
)
from seakeep.core.market import Bar, Instrument, InstrumentKind, Observation
from seakeep.core.orders import Fill, Liquidity, Order, Status
from seakeep.core.units import HOUR_MS, iso, quantise_down
from seakeep.execution.costs import CostParams
from seakeep.execution.matching import AT_OPEN, BEST, EXPECTED, INSIDE, NEVER, WORST, Candle, Touch, first, room
from seakeep.execution.orders import apply, validate

__all__ = ["SimBroker", "SimParams"]

_ZERO = Decimal(0)
_PATHS = {"worst": WORST, "expected": EXPECTED, "best": BEST}

Met = tuple[tuple[int, float, int, int], Market, Working, Touch]
"""When an order is met, its rank inside the bar, its arrival and number; then where, which and how."""


class SimParams(Section):
    """How the simulated venue fills."""

    participation: float = Field(0.10, gt=0, le=1, description="largest share of a bar's volume we may trade")
    path: Literal["worst", "expected", "best"] = Field("worst", description="which of stop and target comes first")
    touch_fills: bool = Field(False, description="whether a limit order fills when price only touches it")
    window_bars: int = Field(96, ge=1, le=10_000, description="bars behind sigma and volume of the impact")
    funding_interval_ms: int = Field(8 * HOUR_MS, gt=0, description="time between funding instants of a perpetual")


@BROKERS.register("sim")
class SimBroker:
    """A venue over bars. `advance` gives the replies that an event brings, in time order; `send` only queues."""

    def __init__(
        self,
        instruments: Mapping[str, Instrument],
        initial_cash: Decimal,
        *,
        costs: CostParams | None = None,
        latency: LatencyParams | None = None,
        params: SimParams | None = None,
        seed: int = 0,
    ) -> None:
        quote = _one_quote(instruments)
        if not (initial_cash.is_finite() and initial_cash > 0):
            raise ConfigError("initial_cash must be positive", value=str(initial_cash))
        rates, self.params = (costs or CostParams()).rates, params or SimParams()
        self._latency, self._seed = latency or LatencyParams(), seed
        self._markets = {
            symbol: Market(instrument, rates(symbol), deque(maxlen=self.params.window_bars))
            for symbol, instrument in sorted(instruments.items())
        }
        self._account = Account(Portfolio(quote=quote, cash={quote: initial_cash}), self._markets)
        self._now = 0
        self._inbox: list[tuple[int, int, Command]] = []
        self._arrivals: dict[str, int] = {}
        self._sequence = 0
        self._replies: list[Reply] = []

    def advance(self, event: Event) -> Iterable[Reply]:
        """Replies that became known up to the event, by time.

        Raises: DataError if time runs backwards, a bar overlaps the one before, or a funding rate is missing.
        """
        if event.ts < self._now:
            raise DataError("events must come in time order", value=iso(event.ts), remedy=f"after {iso(self._now)}")
        self._now, self._replies = event.ts, []
        if isinstance(event, Slice):
            self._trade(event)
        elif self._inbox:
            self._receive(event.ts)
        if len(self._replies) > 1:
            self._replies.sort(key=lambda reply: reply.ts)
        return self._replies

    def send(self, command: Command) -> None:
        """Put a command on its way; it takes effect when its latency has passed. An order id counts once."""
        sent = self._now
        match command:
            case Submit():
                if command.order.id in self._arrivals:
                    return
                sent = max(sent, command.order.ts)
                arrival = self._arrivals[command.order.id] = sent + self._delay(_route(command.order))
            case Cancel():
                arrival = max(
                    sent + self._delay(f"cancel {command.symbol} {sent}"), self._arrivals.get(command.order_id, 0)
                )
            case CancelAll():
                arrival = max([sent + self._delay(f"cancel all {sent}"), *(entry[0] for entry in self._inbox)])
        self._sequence += 1
        self._inbox.append((arrival, self._sequence, command))

    def snapshot(self) -> tuple[Portfolio, tuple[Order, ...]]:
        """The venue's own book, and the orders that work there."""
        working = tuple(w.order for market in self._markets.values() for w in market.orders.values())
        return self._account.portfolio, working

    def _delay(self, what: str) -> int:
        return delay_ms(self._latency, self._seed, what)

    def _trade(self, event: Slice) -> None:
        """A slice: old funding, commands, orders against the bars, margin calls, funding of this instant."""
        markets, account = self._markets, self._account
        moved = [m for bar in event.bars if (m := markets.get(bar.symbol)) is not None and m.take(bar)]
        if event.observations or account.margined:
            self._fund([o for o in event.observations if o.ts < event.ts])
            account.require_funding(event.ts, self.params.funding_interval_ms)
        if self._inbox:
            self._receive(event.ts)
        for rank in self._met(moved):
            for market, working, touch in rank:
                self._execute(market, working, touch)
            self._call_margin()
        if moved:
            self._call_margin()
        if event.observations:
            self._fund([o for o in event.observations if o.ts >= event.ts])

    def _fund(self, observations: Iterable[Observation]) -> None:
        paid = (self._account.fund(observation, self._now) for observation in observations)
        self._replies.extend(reply for reply in paid if reply is not None)

    def _call_margin(self) -> None:
        for fill in self._account.margin_calls(self._now):
            self._replies.append(Liquidated(fill.ts, fill))
            market = self._markets[fill.symbol]
            for working in tuple(market.orders.values()):
                self._cancel(market, working, self._now, "the position was liquidated")

    # --- commands that arrive

    def _receive(self, now: int) -> None:
        """Carry out, by arrival, what has reached the venue by now."""
        arrived = sorted((entry for entry in self._inbox if entry[0] <= now), key=lambda entry: entry[:2])
        self._inbox = [entry for entry in self._inbox if entry[0] > now]
        for arrival, sequence, command in arrived:
            match command:
                case Submit():
                    self._admit(command.order, arrival, sequence)
                case Cancel() | CancelAll():
                    for market, working in self._meant(command, sequence):
                        self._cancel(market, working, arrival, "canceled as asked")

    def _meant(self, command: Cancel | CancelAll, sequence: int) -> list[tuple[Market, Working]]:
        """The working orders a cancel means: none if it is done already, none that were sent after it."""
        symbol = command.symbol
        markets = [m for s, m in self._markets.items() if symbol in (None, s)]
        pairs = [(m, w) for m in markets for w in m.orders.values() if w.sequence < sequence]
        return pairs if isinstance(command, CancelAll) else [p for p in pairs if p[1].order.id == command.order_id]

    def _cancel(self, market: Market, working: Working, ts: int, reason: str) -> None:
        reply = Canceled(ts, working.order.id, reason)
        apply(working.order, reply)
        del market.orders[working.order.id]
        self._replies.append(reply)

    def _admit(self, order: Order, arrival: int, sequence: int) -> None:
        """Accept an order, or reject it with the reason."""
        order = msgspec.structs.replace(order, status=Status.SUBMITTED, filled=_ZERO)
        market = self._markets.get(order.symbol)
        reason = f"unknown symbol {order.symbol}" if market is None else self._objection(market, order, arrival)
        if market is None or reason:
            self._replies.append(Rejected(arrival, order.id, reason))
            return
        accepted = Accepted(arrival, order.id)
        sent = arrival - self._delay(_route(order))
        market.orders[order.id] = Working.of(apply(order, accepted), sent, arrival, sequence)
        self._replies.append(accepted)

    def _objection(self, market: Market, order: Order, arrival: int) -> str:
        """Why the venue refuses the order, judged at the price it would get now; empty if it does not."""
        bar = market.bar
        if bar is None:
            return f"{order.symbol} has no price yet"
        mark = bar.open if bar.open_time >= arrival - self._delay(_route(order)) else bar.close
        try:
            validate(order, market.instrument, exact(mark))
        except InvalidOrder as error:
            return str(error)
        if order.reduce_only:
            return ""
        guess = order.price or order.stop_price
        mid = mark if guess is None else float(guess)
        price = order.price or market.taker(mid, order.side.sign, float(order.qty))
        return self._account.shortfall(self._fill(market, order, order.qty, price, Touch(AT_OPEN, mid, False), 0))

    # --- orders against bars

    def _met(self, moved: Iterable[Market]) -> list[list[tuple[Market, Working, Touch]]]:
        """The orders these bars meet, grouped by who comes first: at the open by arrival, then inside by the path."""
        path = _PATHS[self.params.path]
        met: list[Met] = []
        for market in moved:
            bar = market.bar
            if bar is None or not market.orders or not bar.volume > 0:
                continue
            candle = Candle(bar.open, bar.high, bar.low, bar.close)
            for w in [w for w in market.orders.values() if w.may_meet(bar)]:
                touch = w.meet(candle, self.params.touch_fills)
                if w.expires and touch.when != AT_OPEN:
                    self._cancel(market, w, bar.close_time, "immediate or cancel: the open did not reach it")
                elif touch.when != NEVER:
                    rank = first(path, w.protects, touch.price, bar.open) if touch.when == INSIDE else 0.0
                    met.append(((touch.when, rank, w.arrival, w.sequence), market, w, touch))
        met.sort(key=lambda entry: entry[0])
        groups: dict[tuple[int, float], list[tuple[Market, Working, Touch]]] = {}
        for key, market, working, touch in met:
            groups.setdefault(key[:2], []).append((market, working, touch))
        return list(groups.values())

    def _execute(self, market: Market, working: Working, touch: Touch) -> None:
        """Fill what the bar's volume, the position (reduce only) and the funds allow."""
        order, bar = working.order, market.bar
        if bar is None or order.id not in market.orders:
            return
        wanted = self._wanted(order)
        if not wanted:
            self._retire(market, working, bar.close_time)
            return
        left = room(bar.volume, self.params.participation, market.taken)
        qty = wanted if float(wanted) <= left else quantise_down(left, market.instrument.lot)
        if qty:
            self._fill_order(market, working, bar, qty, touch)
        if order.id in market.orders and working.expires:
            self._cancel(market, working, bar.close_time, "immediate or cancel: the rest found no volume")

    def _wanted(self, order: Order) -> Decimal:
        left = order.qty - order.filled
        if not order.reduce_only:
            return left
        held = self._account.position(order.symbol).qty
        return min(left, abs(held)) if held * order.side.sign < 0 else _ZERO

    def _fill_order(self, market: Market, working: Working, bar: Bar, qty: Decimal, touch: Touch) -> None:
        order = working.order
        fill = self._fill(market, order, qty, _price(market, order, qty, touch), touch, working.fills + 1)
        ts = max(working.arrival, bar.open_time) if touch.when == AT_OPEN else bar.close_time
        fill = msgspec.structs.replace(fill, ts=ts)
        reason = self._account.shortfall(fill)
        if reason:
            self._cancel(market, working, ts, reason)
            return
        filled = Filled(ts, fill)
        self._account.settle(fill)
        self._replies.append(filled)
        market.taken += float(qty)
        working.order, working.fills = apply(order, filled), working.fills + 1
        if working.order.status is Status.FILLED:
            del market.orders[order.id]
        elif not self._wanted(working.order):
            self._retire(market, working, ts)

    def _retire(self, market: Market, working: Working, ts: int) -> None:
        """Cancel an order that has nothing to reduce; it sleeps while one that may open a position is on its way."""
        working.triggered = False
        working_here = [w.order for w in market.orders.values()]
        on_their_way = [c.order for _, _, c in self._inbox if isinstance(c, Submit)]
        symbol = working.order.symbol
        if not any(o.symbol == symbol and not o.reduce_only for o in (*working_here, *on_their_way)):
            self._cancel(market, working, ts, "nothing left to reduce")

    def _fill(self, market: Market, order: Order, qty: Decimal, price: Decimal, touch: Touch, number: int) -> Fill:
        fee = market.instrument.maker_fee if touch.maker else market.instrument.taker_fee
        return Fill(
            id=f"{order.id}-f{number}",
            order_id=order.id,
            symbol=order.symbol,
            ts=order.ts,
            side=order.side,
            price=price,
            qty=qty,
            fee=price * qty * fee,
            fee_asset=market.instrument.quote,
            liquidity=Liquidity.MAKER if touch.maker else Liquidity.TAKER,
            mid=exact(touch.price),
        )


def _route(order: Order) -> str:
    """What an order's delay is drawn for: what is ordered and when, so that the name of the run does not matter."""
    return f"{order.symbol} {order.ts} {order.side} {order.type}"


def _price(market: Market, order: Order, qty: Decimal, touch: Touch) -> Decimal:
    """The limit for a maker; for a taker the price after costs, never beyond the limit it set."""
    if touch.maker and order.price is not None:
        return order.price
    price = market.taker(touch.price, order.side.sign, float(qty))
    if order.price is None:
        return price
    return min(price, order.price) if order.side.sign > 0 else max(price, order.price)


def _one_quote(instruments: Mapping[str, Instrument]) -> str:
    """The quote all instruments share. Raises: ConfigError if there is none, or a symbol and its kind disagree."""
    quotes = {instrument.quote for instrument in instruments.values()}
    if len(quotes) != 1:
        remedy = "one account trades symbols of one quote"
        raise ConfigError("instruments must share one quote asset", value=sorted(quotes), remedy=remedy)
    for symbol, instrument in instruments.items():
        if (":" in symbol) != (instrument.kind is InstrumentKind.PERPETUAL) or symbol != instrument.symbol:
            remedy = "write a spot market as BTC/USDT and its perpetual as BTC/USDT:USDT"
            raise ConfigError(f"{symbol} does not name a {instrument.kind} instrument", remedy=remedy)
    return quotes.pop()
