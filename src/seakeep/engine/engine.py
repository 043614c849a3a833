"""The one stateful object: events in, commands and records out. The same events always give the same answers."""

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from seakeep.core.account import Portfolio
from seakeep.core.errors import ConfigError, UnknownOrder
from seakeep.core.events import (
    Accepted,
    Cancel,
    Canceled,
    Command,
    Control,
    Event,
    Filled,
    Funded,
    Liquidated,
    Record,
    Rejected,
    Slice,
    StepResult,
    Submit,
    Tick,
)
from seakeep.core.market import InstrumentKind
from seakeep.core.orders import Order, OrderType, Side, Status
from seakeep.core.verdicts import Decision, RiskSnapshot, RiskVerdict
from seakeep.engine.opinion import Opinion, opine
from seakeep.engine.pipeline import Pipeline
from seakeep.engine.state import EngineState, Market
from seakeep.execution.accounting import apply_fill, apply_funding
from seakeep.execution.orders import apply
from seakeep.execution.plan import ParentOrder, plan
from seakeep.features.frame import LiveFeatures
from seakeep.risk import pretrade
from seakeep.risk.breaker import Breach, BreakerState, breach, step
from seakeep.risk.measures import measure
from seakeep.risk.review import review
from seakeep.risk.stops import protect
from seakeep.strategy.decide import stance

__all__ = ["Engine"]

_NOTHING = StepResult()


class Engine:
    """A running account. `process` is its only verb; it does no I/O and its clock is the event's time."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        cash = float(pipeline.initial_cash)
        self.state = EngineState(
            portfolio=Portfolio(quote=pipeline.quote, cash={pipeline.quote: pipeline.initial_cash}),
            markets={
                symbol: Market(instrument, LiveFeatures(pipeline.interval, pipeline.specs, pipeline.tail))
                for symbol, instrument in sorted(pipeline.instruments.items())
            },
            cash=cash,
            peak=cash,
            day_open=cash,
        )

    def process(self, event: Event) -> StepResult:
        """What this event causes: commands for the venue, records for the journal.

        Raises: UnknownOrder, InvalidTransition or IntegrityError when a reply does not fit what we sent.
        """
        match event:
            case Slice():
                return self._on_slice(event)
            case Control():
                return self._on_control(event)
            case Tick():
                return _NOTHING
            case Funded():
                self.state.book(apply_funding(self.state.portfolio, event.symbol, event.amount))
                return _NOTHING
            case Liquidated():
                self.state.book(apply_fill(self.state.portfolio, event.fill))
                return self._cleanup(event.fill.symbol, [])
            case Accepted() | Filled() | Rejected() | Canceled():
                return self._on_reply(event)

    def _on_slice(self, event: Slice) -> StepResult:
        state = self.state
        fresh = self._push(event)
        new_day = state.starts_day(event.ts)
        if event.ts < self.pipeline.trade_from:
            return _NOTHING
        snapshot = self._drive_breaker(self._measure(event.ts, new_day=new_day), new_day=new_day)
        commands = self._withdraw()
        decisions = self._decisions(fresh, event.ts)
        if not decisions:
            return StepResult(tuple(commands), (snapshot,))
        verdicts = self._review(decisions, snapshot)
        records: list[Record] = [snapshot, *decisions, *verdicts]
        for verdict in verdicts:
            if verdict.allowed:
                self._trade(verdict, snapshot.equity, commands, records)
        return StepResult(tuple(commands), tuple(records))

    def _push(self, event: Slice) -> list[Market]:
        """Take the base-interval bars into the windows; the markets that moved, in symbol order."""
        fresh = []
        for bar in event.bars:
            market = self.state.markets.get(bar.symbol)
            if market is not None and bar.interval == self.pipeline.interval:
                market.features.push(bar.open_time, bar.open, bar.high, bar.low, bar.close, bar.volume)
                market.mark = bar.close
                fresh.append(market)
        return fresh

    def _measure(self, ts: int, *, new_day: bool) -> RiskSnapshot:
        state = self.state
        equity = state.equity
        state.peak = max(state.peak, equity)
        if new_day:
            state.day_open = equity
        values = {symbol: m.qty * m.mark for symbol, m in state.markets.items() if m.qty}
        return measure(ts, equity, state.peak, state.day_open, values)

    def _drive_breaker(self, snapshot: RiskSnapshot, *, new_day: bool) -> RiskSnapshot:
        """Tell the breaker what was measured; the snapshot with the state it is in now."""
        state = self.state
        if new_day:
            state.breaker = step(state.breaker, Breach.NEW_DAY)
        state.breaker = step(state.breaker, breach(snapshot, self.pipeline.limits))
        if state.breaker is BreakerState.FLATTEN and not snapshot.exposure and not self._adding():
            state.breaker = step(state.breaker, Breach.FLAT)
        if state.breaker is BreakerState.NORMAL:
            return snapshot
        return msgspec.structs.replace(snapshot, breaker=state.breaker.value)

    def _adding(self) -> list[Order]:
        """Open orders that may still add risk."""
        return [o for market in self.state.markets.values() for o in market.orders.values() if not o.reduce_only]

    def _withdraw(self) -> list[Command]:
        """A breaker that has tripped takes back what is on its way to add risk."""
        if self.state.breaker is BreakerState.NORMAL:
            return []
        return [Cancel(order.id, order.symbol) for order in self._adding()]

    def _decisions(self, fresh: Sequence[Market], ts: int) -> list[Decision]:
        """What should change: the breaker's exits when it flattens, else what the strategy wants."""
        state = self.state
        if state.breaker is BreakerState.FLATTEN:
            why = (("breaker", 0.0),)
            held = [s for s, m in state.markets.items() if m.qty]
            return [Decision(self._id("d"), "breaker", s, ts, 0.0, 0.0, 1.0, why) for s in held]
        if state.paused:
            return []
        frames = [market.frame() for market in fresh]
        opinions = opine(self.pipeline, frames)
        judged = (self._decide(market, opinion, ts) for market, opinion in zip(fresh, opinions, strict=True))
        return [decision for decision in judged if decision is not None]

    def _decide(self, market: Market, opinion: Opinion, ts: int) -> Decision | None:
        """The strategy's decision on one market; None while its stance stays as it is or everyone abstains."""
        view = opinion.view
        if not view.contributions:
            return None
        held = market.held
        can_short = market.instrument.kind is InstrumentKind.PERPETUAL
        wanted = stance(view, held, self.pipeline.thresholds, can_short=can_short)
        if wanted == held:
            return None
        return Decision(
            self._id("d"),
            self.pipeline.strategy_name,
            market.instrument.symbol,
            ts,
            wanted * opinion.weight,
            view.score,
            view.confidence,
            view.contributions,
        )

    def _review(self, decisions: list[Decision], snapshot: RiskSnapshot) -> tuple[RiskVerdict, ...]:
        markets, stops = self.state.markets, self.pipeline.stops
        protections = [protect(markets[d.symbol].mark, d.target, stops) for d in decisions]
        return review(decisions, protections, snapshot, self.pipeline.limits, self.state.breaker)

    def _trade(self, verdict: RiskVerdict, equity: float, commands: list[Command], records: list[Record]) -> None:
        """Replace what is open in this symbol by the orders that the verdict allows."""
        market = self.state.markets[verdict.symbol]
        planned = plan(verdict, self.state.portfolio, market.instrument, market.mark, equity)
        if planned.order is None:
            return
        commands.extend(Cancel(order.id, order.symbol) for order in market.orders.values())
        for order in self._orders(planned.order):
            hit = pretrade.check(order, len(market.orders), market.last_added_ts, self.pipeline.limits)
            if hit is not None:
                refused = f"{hit.rule}: {hit.message} ({hit.value:g} against {hit.limit:g})"
                records.append(msgspec.structs.replace(order, status=Status.REJECTED, reason=refused))
                return
            if not order.reduce_only:
                market.last_added_ts = order.ts
            sent = msgspec.structs.replace(order, status=Status.SUBMITTED)
            market.orders[order.id] = sent
            records.append(sent)
            commands.append(Submit(sent))

    def _orders(self, parent: ParentOrder) -> list[Order]:
        """The parent as a market order, and the stop and target that protect what it opens."""
        first = Order(
            id=self._id("o"),
            parent_id=parent.id,
            decision_id=parent.decision_id,
            symbol=parent.symbol,
            venue=parent.venue,
            side=parent.side,
            type=OrderType.MARKET,
            qty=parent.qty,
            ts=parent.ts,
            reduce_only=parent.reduce_only,
        )
        if parent.reduce_only:
            return [first]
        back = Side.SELL if parent.side is Side.BUY else Side.BUY
        guard = msgspec.structs.replace(first, side=back, reduce_only=True)
        orders = [first]
        if parent.stop is not None:
            trailing = self.pipeline.stops.trailing
            kind = OrderType.TRAILING if trailing else OrderType.STOP
            trail = Decimal(repr(trailing)) if trailing else None
            stop = msgspec.structs.replace(guard, id=self._id("o"), type=kind, stop_price=parent.stop, trail=trail)
            orders.append(stop)
        if parent.take_profit is not None:
            target = msgspec.structs.replace(guard, id=self._id("o"), type=OrderType.LIMIT, price=parent.take_profit)
            orders.append(target)
        return orders

    def _on_reply(self, event: Accepted | Filled | Rejected | Canceled) -> StepResult:
        order_id = event.fill.order_id if isinstance(event, Filled) else event.order_id
        market, order = self._find(order_id)
        order = apply(order, event)
        if order.status in (Status.FILLED, Status.CANCELED, Status.REJECTED):
            del market.orders[order_id]
        else:
            market.orders[order_id] = order
        if isinstance(event, Filled):
            self.state.book(apply_fill(self.state.portfolio, event.fill))
        guarded = isinstance(event, Filled) and order.reduce_only
        return self._cleanup(order.symbol, [order], entries=guarded)

    def _find(self, order_id: str) -> tuple[Market, Order]:
        for market in self.state.markets.values():
            if order_id in market.orders:
                return market, market.orders[order_id]
        raise UnknownOrder("the venue speaks of an order that is not open here", value=order_id)

    def _cleanup(self, symbol: str, records: list[Record], *, entries: bool = False) -> StepResult:
        """Once flat with nothing on its way, what still rests only to protect is cancelled.

        With `entries`, what still adds is cancelled: its protection has begun to close the position.
        """
        market = self.state.markets[symbol]
        adding = [order for order in market.orders.values() if not order.reduce_only]
        if entries and adding:
            return StepResult(tuple(Cancel(order.id, symbol) for order in adding), tuple(records))
        if market.qty or adding:
            return StepResult((), tuple(records))
        return StepResult(tuple(Cancel(o.id, symbol) for o in market.orders.values()), tuple(records))

    def _on_control(self, event: Control) -> StepResult:
        """A person's word: pause and resume trading, flatten, reset the breaker."""
        state = self.state
        match event.action:
            case "pause":
                state.paused = True
            case "resume":
                state.paused = False
            case "flatten":
                state.breaker = BreakerState.FLATTEN
            case "reset-breaker":
                state.breaker = step(state.breaker, Breach.RESET)
                state.peak = state.equity
            case _:
                raise ConfigError("unknown control", value=event.action, remedy="pause, resume, flatten, reset-breaker")
        return _NOTHING

    def _id(self, kind: str) -> str:
        return self.state.next_id(self.pipeline.run_id, kind)
