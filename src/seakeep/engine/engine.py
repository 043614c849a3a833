"""The one stateful object: events in, commands and records out. The same events always give the same answers."""

from collections import deque
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
from seakeep.core.orders import Order, OrderType, Side, Status
from seakeep.core.units import quantise_down, quantise_up
from seakeep.core.verdicts import Decision, Outcome, RiskSnapshot, RiskVerdict
from seakeep.engine.conditions import conditions
from seakeep.engine.daily import DailyReturns
from seakeep.engine.deciding import decision_of, wanted_side
from seakeep.engine.facts import case_of, closing_time, forecast_var, history_of, note_sentiment, prepare, tailed
from seakeep.engine.opinion import opine, size_together
from seakeep.engine.outlook import outlook_of
from seakeep.engine.pipeline import Pipeline
from seakeep.engine.state import EngineState, Market
from seakeep.execution.accounting import apply_fill, apply_funding
from seakeep.execution.orders import apply
from seakeep.execution.plan import ParentOrder, plan
from seakeep.features.frame import LiveFeatures
from seakeep.models.sentiment import Crowd, concerned
from seakeep.risk import flip, pretrade, ratchet
from seakeep.risk.breaker import PEOPLE, Breach, BreakerState, breach, step
from seakeep.risk.case import Case, reduces
from seakeep.risk.measures import measure
from seakeep.risk.review import review

__all__ = ["CONTROLS", "Engine"]

CONTROLS = (*PEOPLE, "pause", "resume", "set-limits", "confirm-limits", "cancel-limits", "write-off")
"""What a person may order."""

_NORMAL, _BLIND, _FLATTEN = BreakerState.NORMAL, BreakerState.BLIND, BreakerState.FLATTEN
_NONE, _MARKET, _SUBMITTED = Breach.NONE, OrderType.MARKET, Status.SUBMITTED
_APPROVED, _RESIZED = Outcome.APPROVED, Outcome.RESIZED
"""What every event is compared with, taken from the enums once: there a look-up costs more than the comparison."""
_NOTHING = StepResult()
_LIGHT_DAYS = 250


class Engine:
    """A running account. `process` is its only verb; it does no I/O and its clock is the event's time."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        cash = float(pipeline.initial_cash)
        days = pipeline.limits.tail_days
        self.state = EngineState(
            portfolio=Portfolio(quote=pipeline.quote, cash={pipeline.quote: pipeline.initial_cash}),
            markets={
                symbol: Market(
                    instrument,
                    LiveFeatures(pipeline.interval, pipeline.specs, pipeline.tail),
                    deque(maxlen=pipeline.kept_bars),
                    deque(maxlen=pipeline.day_bars),
                    deque(maxlen=days + 1),
                )
                for symbol, instrument in sorted(pipeline.instruments.items())
            },
            cash=cash,
            peak=cash,
            day_open=cash,
            week_open=cash,
            ratchet=ratchet.Ratchet(pipeline.limits),
            exceedances=deque(maxlen=_LIGHT_DAYS),
            daily=DailyReturns(len(pipeline.instruments), days),
        )
        self.state.outlook = outlook_of(pipeline, self.state.sentiment)
        self._book = conditions(pipeline)
        self._crowd = Crowd(pipeline.scorer, pipeline.crowd)
        prepare(pipeline)

    def process(self, event: Event) -> StepResult:
        """What this event causes: commands for the venue, records for the journal.

        Raises: UnknownOrder, InvalidTransition or IntegrityError when a reply does not fit what we sent; ConfigError
        for a control that cannot be carried out, which then has changed nothing, and for a strategy that fails, after
        which flatten and the other controls still work.
        """
        match event:
            case Slice():
                return self._on_slice(event)
            case Control():
                return self._on_control(event)
            case Tick():
                return self._on_tick(event)
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
        if new_day:
            closing_time(state, event.ts)
        if event.ts < self.pipeline.trade_from:
            return _NOTHING
        snapshot = self._drive_breaker(self._measure(event.ts, new_day=new_day), new_day=new_day)
        commands = self._withdraw()
        records: list[Record] = []
        if self.pipeline.stops.activation:
            self._trail(fresh, event.ts, commands, records)
        if new_day:
            history_of(state)
            snapshot = tailed(state, snapshot)
            forecast_var(state, snapshot)
        decisions = self._decisions(fresh, event.ts)
        if not decisions:
            return StepResult(tuple(commands), (snapshot, *records))
        if not new_day and self._adds(decisions, snapshot):
            snapshot = tailed(state, snapshot)
        return self._carry_out(decisions, snapshot, commands, records, keep_snapshot=True)

    def _adds(self, decisions: Sequence[Decision], snapshot: RiskSnapshot) -> bool:
        """Whether some decision adds risk, or a rule book wants to see all."""
        if self.pipeline.rule_book is not None:
            return True
        held = dict(snapshot.exposure)
        return False in [reduces(held.get(d.symbol, 0.0), d.target) for d in decisions]

    def _carry_out(
        self,
        decisions: list[Decision],
        snapshot: RiskSnapshot,
        commands: list[Command],
        records: list[Record],
        *,
        keep_snapshot: bool,
    ) -> StepResult:
        """Review the decisions of an instant and trade what is allowed."""
        case = case_of(self.pipeline, self.state, snapshot, decisions)
        verdicts = self._review(case)
        records = [*([snapshot] if keep_snapshot else []), *decisions, *verdicts, *records]
        for verdict in verdicts:
            if verdict.outcome is _APPROVED or verdict.outcome is _RESIZED:
                self._trade(verdict, snapshot.equity, commands, records)
        return StepResult(tuple(commands), tuple(records))

    def _push(self, event: Slice) -> list[Market]:
        """Take the base-interval bars into the windows; the markets that moved, in symbol order."""
        fresh, bars = [], []
        for bar in event.bars:
            market = self.state.markets.get(bar.symbol)
            if market is not None and bar.interval == self.pipeline.interval:
                market.features.push(bar.open_time, bar.open, bar.high, bar.low, bar.close, bar.volume)
                market.mark = bar.close
                market.seen = bar.close_time
                market.recent.append(bar)
                market.volumes.append(bar.volume * bar.close)
                fresh.append(market)
                bars.append(bar)
        if event.observations or event.books or event.news:
            self._note(event)
        if self.state.outlook is not None:
            self.state.outlook.push(bars, event.ts, trading=event.ts >= self.pipeline.trade_from)
        return fresh

    def _note(self, event: Slice) -> None:
        """Take what else became known: the news, the tone of the crowd, and the order books."""
        for item in event.news:
            about = concerned(item, tuple(self.pipeline.instruments.values()))
            self.state.sentiment |= {tone.symbol: tone for tone in self._crowd.hear(item, about, event.ts)}
        for seen in event.observations:
            note_sentiment(self.state, seen)
        for depth in event.books:
            if self.state.outlook is not None:
                self.state.outlook.depth[depth.symbol] = depth
            if depth.symbol in self.state.markets and depth.bids and depth.asks:
                bid, ask = depth.bids[0][0], depth.asks[0][0]
                self.state.markets[depth.symbol].spread = 2.0 * (ask - bid) / (ask + bid) if ask + bid > 0 else None

    def _measure(self, ts: int, *, new_day: bool) -> RiskSnapshot:
        state, values, oldest = self.state, {}, ts
        for symbol, market in state.markets.items():
            if market.qty and market.mark:
                values[symbol] = market.qty * market.mark
                oldest = min(oldest, market.seen)
        state.oldest = oldest
        equity = state.cash + sum(values.values())
        state.peak = max(state.peak, equity)
        if new_day:
            state.day_open = equity
            if state.starts_week():
                state.week_open = equity
                state.breaker = step(state.breaker, Breach.NEW_WEEK)
        return measure(
            ts, equity, state.peak, state.day_open, values, week_open=state.week_open, limit_share=state.limit_share
        )

    def _drive_breaker(self, snapshot: RiskSnapshot, *, new_day: bool) -> RiskSnapshot:
        """Tell the breaker what was measured; the snapshot with the state it is in now."""
        state = self.state
        if new_day:
            state.breaker = step(state.breaker, Breach.NEW_DAY)
        fresh = not snapshot.exposure or self._fresh(snapshot.ts)
        if not fresh or state.breaker is _BLIND:
            state.breaker = step(state.breaker, Breach.FRESH if fresh else Breach.STALE)
        told = breach(snapshot, state.limits)
        if told is not _NONE:
            state.breaker = step(state.breaker, told)
        if state.breaker is _NORMAL:
            return snapshot
        if state.breaker is _FLATTEN and not snapshot.exposure and not state.adding():
            state.breaker = step(state.breaker, Breach.FLAT)
        return msgspec.structs.replace(snapshot, breaker=state.breaker.value)

    def _fresh(self, ts: int) -> bool:
        return ts - self.state.oldest <= self.state.limits.max_age_bars * self.pipeline.bar_ms

    def _on_tick(self, event: Tick) -> StepResult:
        """Time alone can make the book's prices stale; nothing else happens on a tick."""
        state = self.state
        held = any(market.qty for market in state.markets.values())
        if not held or state.breaker is not _NORMAL or self._fresh(event.ts):
            return _NOTHING
        state.breaker = step(state.breaker, Breach.STALE)
        return StepResult(tuple(self._withdraw()))

    def _withdraw(self) -> list[Command]:
        """A breaker that has tripped takes back what is on its way to add risk."""
        if self.state.breaker is _NORMAL:
            return []
        return [Cancel(order.id, order.symbol) for order in self.state.adding()]

    def _decisions(self, fresh: Sequence[Market], ts: int) -> list[Decision]:
        """What should change: the breaker's exits when it flattens, else what the strategy wants."""
        state = self.state
        if state.breaker is _FLATTEN:
            return self._exits(ts)
        if state.paused:
            return []
        pipeline, frames = self.pipeline, [market.frame() for market in fresh]
        opinions = opine(pipeline, frames, state.outlook)
        wanted = [wanted_side(pipeline, market, opinion) for market, opinion in zip(fresh, opinions, strict=True)]
        if state.outlook is not None and pipeline.sizing.method == "kelly_portfolio":
            symbols = [frame.symbol for frame in frames]
            opinions = size_together(pipeline, state.outlook, symbols, opinions, wanted)
        decisions = []
        for market, opinion, side in zip(fresh, opinions, wanted, strict=True):
            decision = decision_of(pipeline, state, market, opinion, side, ts)
            if decision is not None:
                decisions.append(decision)
        return decisions

    def _exits(self, ts: int) -> list[Decision]:
        """Close everything; this asks no strategy."""
        why = (("breaker", 0.0),)
        held = [symbol for symbol, m in self.state.markets.items() if m.qty and m.mark and not m.leaving]
        return [Decision(self._id("d"), "breaker", symbol, ts, 0.0, 0.0, 1.0, why) for symbol in held]

    def _review(self, case: Case) -> tuple[RiskVerdict, ...]:
        """The verdicts. A refusal or a cut states its flip once; while the answer stays the same it is not repeated."""
        book = self._book
        verdicts = []
        for row, verdict in enumerate(review(case, book)):
            market = self.state.markets[verdict.symbol]
            rules = tuple([hit.rule for hit in verdict.hits]) if verdict.hits else ()
            told = (verdict.outcome, rules, case.candidates[row].decision.target > 0)
            if verdict.outcome is not _APPROVED and told != market.told:
                verdicts.append(msgspec.structs.replace(verdict, flip=flip.stated(case, row, book, verdict)))
            else:
                verdicts.append(verdict)
            market.told = told
        return tuple(verdicts)

    def _trade(self, verdict: RiskVerdict, equity: float, commands: list[Command], records: list[Record]) -> None:
        """Replace what is open in this symbol by the orders that the verdict allows; a refused one changes nothing.

        Stop and target stand for all that is held: an addition brings new ones for the whole, and a reduction leaves
        those that rest, for they close no more than there is. Only an exit on its way, which has cancelled them, makes
        a reduction bring new ones.
        """
        market = self.state.markets[verdict.symbol]
        parent = plan(verdict, self.state.portfolio, market.instrument, market.mark, equity).order
        if parent is None:
            return
        rests = bool(parent.reduce_only and parent.after) and not market.leaving
        orders = self._orders(parent, guarded=bool(parent.after) and not rests)
        first = orders[0]
        hit = pretrade.check(first, self._traffic(market, first.ts), self.state.limits)
        if hit is not None:
            refused = f"{hit.rule}: {hit.message} ({hit.value:g} against {hit.limit:g})"
            records.append(msgspec.structs.replace(first, status=Status.REJECTED, reason=refused))
            return
        if market.orders:
            open_here = market.orders.values()
            commands.extend([Cancel(o.id, o.symbol) for o in open_here if not (rests and o.reduce_only)])
        if not first.reduce_only:
            market.last_added_ts = first.ts
            self.state.added.append(first.ts)
        for order in orders:
            self._send(market, order, commands, records)

    def _send(self, market: Market, order: Order, commands: list[Command], records: list[Record]) -> None:
        market.orders[order.id] = order
        records.append(order)
        commands.append(Submit(order))

    def _traffic(self, market: Market, ts: int) -> pretrade.Traffic:
        return pretrade.Traffic(
            len(market.orders), market.last_added_ts, self.state.added_since(ts), market.mark, market.instrument
        )

    def _trail(self, fresh: Sequence[Market], ts: int, commands: list[Command], records: list[Record]) -> None:
        """Where a position has gained enough, its stop becomes one that follows the price."""
        stops = self.pipeline.stops
        for market in fresh:
            resting = [o for o in market.orders.values() if o.type is OrderType.STOP and o.reduce_only]
            if not market.qty or not resting:
                continue
            position = self.state.portfolio.positions[market.instrument.symbol]
            side = 1.0 if market.qty > 0 else -1.0
            if side * (market.mark / float(position.cost / position.qty) - 1.0) < stops.activation:
                continue
            for stop in resting:
                commands.append(Cancel(stop.id, stop.symbol))
                trail = Decimal(repr(max(stops.trailing, stops.min_distance)))
                nearer = quantise_up if side > 0 else quantise_down
                price = nearer(market.mark * (1.0 - side * float(trail)), market.instrument.tick)
                following = msgspec.structs.replace(
                    stop,
                    id=self._id("o"),
                    ts=ts,
                    type=OrderType.TRAILING,
                    stop_price=price,
                    trail=trail,
                    status=_SUBMITTED,
                )
                self._send(market, following, commands, records)

    def _orders(self, parent: ParentOrder, *, guarded: bool) -> list[Order]:
        """The parent as a market order, and if `guarded` the stop and targets that protect what is held after it."""
        first = Order(
            id=self._id("o"),
            parent_id=parent.id,
            decision_id=parent.decision_id,
            symbol=parent.symbol,
            venue=parent.venue,
            side=parent.side,
            type=_MARKET,
            qty=parent.qty,
            ts=parent.ts,
            reduce_only=parent.reduce_only,
            status=_SUBMITTED,
        )
        if not (guarded and (parent.stop is not None or parent.targets)):
            return [first]
        opens = (parent.side is Side.BUY) is not parent.reduce_only
        back = Side.SELL if opens else Side.BUY
        guard = msgspec.structs.replace(first, side=back, qty=parent.after, reduce_only=True)
        orders = [first]
        if parent.stop is not None:
            trailing = 0.0 if self.pipeline.stops.activation else self.pipeline.stops.trailing
            kind = OrderType.TRAILING if trailing else OrderType.STOP
            trail = Decimal(repr(trailing)) if trailing else None
            stop = msgspec.structs.replace(guard, id=self._id("o"), type=kind, stop_price=parent.stop, trail=trail)
            orders.append(stop)
        for price, qty in parent.targets:
            rung = msgspec.structs.replace(guard, id=self._id("o"), type=OrderType.LIMIT, price=price, qty=qty)
            orders.append(rung)
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
            market.traded.append((event.ts, float(event.fill.qty * event.fill.price)))
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
        """A person's word."""
        state = self.state
        match event.action:
            case "pause" | "resume":
                state.paused = event.action == "pause"
                return _NOTHING
            case "set-limits" | "confirm-limits" | "cancel-limits":
                return self._turn(event)
            case "write-off":
                return self._write_off(event)
            case action if action in PEOPLE:
                return self._order_breaker(event)
            case _:
                raise ConfigError("unknown control", value=event.action, remedy=", ".join(CONTROLS))

    def _turn(self, event: Control) -> StepResult:
        """Change the limits; what was measured under the old ones is measured again.

        A change that the ratchet refuses, such as one that expired on its way here, changes nothing.
        """
        now, params = self.state.ratchet, self.pipeline.ratchet
        try:
            match event.action:
                case "set-limits":
                    turned = ratchet.request(now, params, event)
                case "confirm-limits":
                    turned = ratchet.confirm(now, event.ts, event.id)
                case _:
                    turned = ratchet.cancel(now, event.id)
        except ConfigError:
            return _NOTHING
        self.state.ratchet, self.state.history = turned, None
        return _NOTHING

    def _write_off(self, event: Control) -> StepResult:
        """Count what is held of a market that has gone silent as worth nothing, until it has a price again.

        The position stays in the book; its loss goes to the breaker, which sees again. A market that still speaks is
        left alone.
        """
        oldest = event.ts - self.state.limits.max_age_bars * self.pipeline.bar_ms
        for symbol, _ in event.changes:
            market = self.state.markets.get(symbol)
            if market is not None and market.seen < oldest:
                market.mark = 0.0
        return _NOTHING

    def _order_breaker(self, event: Control) -> StepResult:
        """Reduce, flatten, halt or reset. Flatten closes at once: it asks neither the strategy nor for fresh prices."""
        state = self.state
        if event.action == "reset-breaker":
            if not event.reason.strip():
                raise ConfigError("reset-breaker needs a written reason", remedy="say why it is safe to trade again")
            before, state.breaker = state.breaker, step(state.breaker, Breach.RESET)
            if state.breaker is not before:
                state.peak = state.day_open = state.week_open = state.equity
            return _NOTHING
        state.breaker = step(state.breaker, PEOPLE[event.action])
        commands = self._withdraw()
        if state.breaker is not _FLATTEN:
            return StepResult(tuple(commands))
        exits = self._exits(event.ts)
        if not exits:
            return StepResult(tuple(commands))
        snapshot = msgspec.structs.replace(self._measure(event.ts, new_day=False), breaker=state.breaker.value)
        return self._carry_out(exits, snapshot, commands, [], keep_snapshot=False)

    def _id(self, kind: str) -> str:
        return self.state.next_id(self.pipeline.run_id, kind)
