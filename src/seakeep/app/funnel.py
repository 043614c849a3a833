"""The way from a bar to a fill, stage by stage, at one instant of a run: what passed, and the number that stopped it.

A `Moment` is the run just before and just after one slice, rebuilt from its journal, so what is said is what was. A
change that is stated has been tried: the slice was processed again with it.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace

import msgspec
import numpy as np

from seakeep.core.beliefs import FeatureFrame
from seakeep.core.events import Slice
from seakeep.core.market import Bar, InstrumentKind
from seakeep.core.orders import Fill, Order, Status
from seakeep.core.units import iso
from seakeep.core.verdicts import Decision, RiskSnapshot, RiskVerdict
from seakeep.engine.engine import Engine
from seakeep.engine.facts import case_of
from seakeep.engine.opinion import Opinion, opine
from seakeep.engine.pipeline import Pipeline
from seakeep.engine.state import EngineState
from seakeep.execution.plan import plan
from seakeep.features.frame import LiveFeatures
from seakeep.risk import flip
from seakeep.risk.breaker import BreakerState
from seakeep.risk.review import review
from seakeep.strategy.decide import Blend, stance

__all__ = ["Aftermath", "Before", "Moment", "Stage", "funnel", "silent"]

Change = Callable[[EngineState], None]


class Stage(msgspec.Struct, frozen=True):
    """One stage: whether it was `passed`, the number it hung on and the limit it met, and in words.

    `change` is the smallest change found that turns it, tried by doing it again; "" where there is none.
    """

    name: str
    passed: bool
    says: str
    value: float | None = None
    limit: float | None = None
    change: str = ""


@dataclass(frozen=True)
class Aftermath:
    """What became of the orders of a decision: their last state, and their fills."""

    orders: tuple[Order, ...] = ()
    fills: tuple[Fill, ...] = ()


@dataclass(frozen=True)
class Before:
    """A copy of an engine's state, whose windows of features are kept as the `bars` by symbol they hang on."""

    state: EngineState
    bars: Mapping[str, Sequence[Bar]]

    @classmethod
    def of(cls, state: EngineState, bars: Mapping[str, Sequence[Bar]]) -> "Before":
        """Take a copy."""
        windows: dict[int, object] = {id(market.features): None for market in state.markets.values()}
        return cls(deepcopy(state, windows), {symbol: tuple(kept) for symbol, kept in bars.items()})

    def restored(self, pipeline: Pipeline) -> EngineState:
        """A state to go on from; windows are filled again, to the same bits."""
        state = deepcopy(self.state)
        for symbol, market in state.markets.items():
            market.features = LiveFeatures(pipeline.interval, pipeline.specs, pipeline.tail)
            for bar in self.bars.get(symbol, ()):
                market.features.push(bar.open_time, bar.open, bar.high, bar.low, bar.close, bar.volume)
        return state


@dataclass
class Moment:
    """One symbol at one slice: the engine after it, the state before it, and what the slice caused."""

    engine: Engine
    before: Before
    event: Slice
    symbol: str
    records: Sequence[object]
    after: Aftermath = field(default_factory=Aftermath)

    @property
    def pipeline(self) -> Pipeline:
        """The parts of the run."""
        return self.engine.pipeline

    @property
    def decision(self) -> Decision | None:
        """The decision on this symbol, if there was one."""
        return next((r for r in self.records if isinstance(r, Decision) and r.symbol == self.symbol), None)

    @property
    def verdict(self) -> RiskVerdict | None:
        """The gate's answer."""
        return next((r for r in self.records if isinstance(r, RiskVerdict) and r.symbol == self.symbol), None)

    @property
    def snapshot(self) -> RiskSnapshot | None:
        """The account."""
        return next((r for r in self.records if isinstance(r, RiskSnapshot)), None)

    @property
    def orders(self) -> list[Order]:
        """The orders of the decision, as this slice left them."""
        decision = self.decision
        found = [r for r in self.records if isinstance(r, Order) and decision and r.decision_id == decision.id]
        return list({order.id: order for order in found}.values())

    def frames(self) -> list[FeatureFrame]:
        """Features of every symbol that had a bar."""
        fresh = {bar.symbol for bar in self.event.bars if bar.interval == self.pipeline.interval}
        return [market.frame() for symbol, market in self.engine.state.markets.items() if symbol in fresh]

    def opinion(self) -> Opinion:
        """The blended view of this symbol."""
        frames = self.frames()
        where = next(i for i, frame in enumerate(frames) if frame.symbol == self.symbol)
        return list(opine(self.pipeline, frames))[where]

    def again(self, pipeline: Pipeline | None = None, change: Change | None = None) -> "Moment":
        """The same slice once more, with other parts or another state before it."""
        engine = Engine(pipeline or self.pipeline)
        engine.state = self.before.restored(engine.pipeline)
        if change is not None:
            change(engine.state)
        return Moment(engine, self.before, self.event, self.symbol, engine.process(self.event).records)


def funnel(moment: Moment) -> tuple[Stage, ...]:
    """The stages in order, up to the first that was not passed."""
    found: list[Stage] = []
    for stage in (_bar, _period, _state, _features, _voices, _direction, _threshold, _gate, _plan, _pretrade, _venue):
        told = stage(moment)
        if told is not None:
            found.append(told)
            if not told.passed:
                break
    return tuple(found)


def _bar(moment: Moment) -> Stage:
    bars = [b for b in moment.event.bars if b.symbol == moment.symbol and b.interval == moment.pipeline.interval]
    if not bars:
        last = moment.engine.state.markets[moment.symbol].seen
        known = f"its last one became known at {iso(last)}" if last else "it has had none yet"
        return Stage("bar", False, f"{moment.symbol} had no bar at {iso(moment.event.ts)}: {known}")
    return Stage("bar", True, f"closed at {bars[0].close:g}, known at {iso(moment.event.ts)}", bars[0].close)


def _period(moment: Moment) -> Stage:
    start = moment.pipeline.trade_from
    passed = moment.event.ts >= start
    says = "decisions may be taken" if passed else f"still training and warming up: decisions start at {iso(start)}"
    change = "" if passed else _tried(moment.again(replace(moment.pipeline, trade_from=0)), "start earlier")
    return Stage("period", passed, says, moment.event.ts, start, change)


def _state(moment: Moment) -> Stage:
    state = moment.engine.state
    if state.paused and state.breaker is not BreakerState.FLATTEN:
        change = _tried(moment.again(change=lambda s: setattr(s, "paused", False)), "resume")
        return Stage("running", False, "a person has paused decisions", change=change)
    if state.breaker is BreakerState.FLATTEN and not moment.decision:
        return Stage("running", False, "the breaker is closing everything; no strategy is asked", change="reset it")
    return Stage("running", True, f"not paused, breaker {state.breaker.value}")


def _features(moment: Moment) -> Stage:
    frame = moment.engine.state.markets[moment.symbol].frame()
    missing = [name for name, value in zip(frame.names, frame.values[-1], strict=True) if not math.isfinite(value)]
    n = len(frame.names)
    if not missing:
        return Stage("features", True, f"all {n} are warm", n, n)
    names = ", ".join(missing[:6]) + (" ..." if len(missing) > 6 else "")
    return Stage("features", len(missing) < n, f"{len(missing)} of {n} are not known: {names}", n - len(missing), n)


def _voices(moment: Moment) -> Stage:
    heard = [source for source, _ in moment.opinion().view.contributions]
    asked = 1 + len(moment.pipeline.experts)
    if heard:
        return Stage("voices", True, f"heard: {', '.join(heard)}", len(heard), asked)
    why = "; ".join(f"{source}: {reason}" for source, reason in silent(moment))
    return Stage("voices", False, f"everybody was silent ({why})", 0, asked)


def silent(moment: Moment) -> list[tuple[str, str]]:
    """Who was not heard at this moment, and why."""
    heard = {source for source, _ in moment.opinion().view.contributions}
    frame = moment.engine.state.markets[moment.symbol].frame()
    found = []
    for name, expert in moment.pipeline.experts.items():
        if name in heard:
            continue
        mean, std = expert.predict(frame)[-1].tolist()
        if math.isnan(mean) or math.isnan(std):
            why = "its inputs are not known yet"
        elif expert.scale <= 0:
            why = "it has no direction"
        elif expert.confidence <= 0:
            why = "its confidence is 0: no skill was found on its training rows"
        elif not moment.pipeline.group_weights.get(expert.group, 0.0):
            why = f"its group {expert.group} weighs nothing in the blend"
        else:
            why = "it abstained"
        found.append((name, why))
    if moment.pipeline.strategy_name not in heard:
        found.append((moment.pipeline.strategy_name, "its score is not known"))
    return found


def _direction(moment: Moment) -> Stage | None:
    """Whether the score asks for something that is not held already."""
    view, held = moment.opinion().view, _held(moment)
    if moment.decision is not None or not held or held * view.score <= moment.pipeline.thresholds.exit:
        return None
    side, edge = ("long", "short")[held < 0], moment.pipeline.thresholds.exit
    says = f"{side} already, and kept while the score holds beyond {held * edge:+.2f}: it is {view.score:+.3f}"
    return Stage("stance", False, says, view.score, held * edge)


def _held(moment: Moment) -> int:
    return moment.before.state.markets[moment.symbol].held


def _threshold(moment: Moment) -> Stage:
    view, limits = moment.opinion().view, moment.pipeline.thresholds
    if moment.decision is not None:
        return Stage("threshold", True, _decided(moment.decision), view.score, _limit(view, limits))
    limit, can_short = _limit(view, limits), _can_short(moment)
    if view.score <= limits.short and not can_short:
        return Stage(
            "threshold", False, f"score {view.score:+.3f} says down, and spot cannot be sold short", view.score
        )
    if abs(view.score) >= abs(limit):
        says = f"score {view.score:+.3f} is enough, confidence {view.confidence:.3f} is below {limits.min_confidence:g}"
        eased = _eased(moment, {"min_confidence": view.confidence})
        change = _tried(eased, f"a minimum confidence of {view.confidence:.6f}")
        return Stage("confidence", False, says, view.confidence, limits.min_confidence, change)
    down = "; spot cannot be sold short" if view.score <= limits.short and not _can_short(moment) else ""
    says = f"score {view.score:+.3f} does not reach {limit:+.2f}, confidence {view.confidence:.3f}{down}"
    return Stage("threshold", False, says, view.score, limit, _smallest(moment, view, limit))


def _decided(decision: Decision) -> str:
    return f"score {decision.score:+.3f}, confidence {decision.confidence:.2f}: decided on {decision.target:+.2%}"


def _can_short(moment: Moment) -> bool:
    return moment.pipeline.instruments[moment.symbol].kind is InstrumentKind.PERPETUAL


def _smallest(moment: Moment, view: Blend, limit: float) -> str:
    """The smallest rise of one voice that reaches the threshold, else how much score is missing; both tried."""
    missing, held = limit - view.score, _held(moment)
    if stance(Blend(limit, 1.0, ()), held, moment.pipeline.thresholds, can_short=_can_short(moment)) == held:
        return ""
    wanted = f"{missing:+.3f} of score"
    sure = view.confidence >= moment.pipeline.thresholds.min_confidence
    side = "long" if limit > 0 else "short"
    if not view.score * limit > 0 or abs(view.score) <= moment.pipeline.thresholds.exit:
        return wanted + ("" if sure else f", and confidence {moment.pipeline.thresholds.min_confidence:g}")
    eased = _eased(moment, {side: view.score} | ({} if sure else {"min_confidence": view.confidence}))
    also = "" if sure else f" and a minimum confidence of {view.confidence:.6f}"
    threshold = _tried(eased, f"a {side} threshold of {view.score:+.6f}{also}")
    return f"{wanted}, or {threshold}" if threshold else wanted


def _eased(moment: Moment, limits: dict[str, float]) -> Moment:
    """The slice again under other thresholds."""
    eased = moment.pipeline.thresholds.model_copy(update=limits)
    return moment.again(replace(moment.pipeline, thresholds=eased))


def _tried(again: Moment, words: str) -> str:
    """The words, if there now is a decision."""
    return words if again.decision is not None else ""


def _gate(moment: Moment) -> Stage | None:
    verdict, decision = moment.verdict, moment.decision
    if verdict is None or decision is None:
        return None
    hit = next((h for h in verdict.hits if h.severity == "block"), verdict.hits[0] if verdict.hits else None)
    says = f"{verdict.outcome}: {decision.target:+.2%} asked, {verdict.target:+.2%} allowed"
    if hit is not None:
        says += f"; {hit.rule}: {hit.message}"
    value, limit = (None, None) if hit is None else (hit.value, hit.limit)
    return Stage("gate", verdict.allowed, says, value, limit, _turned(moment, decision, verdict))


def _turned(moment: Moment, decision: Decision, verdict: RiskVerdict) -> str:
    """The gate's own flip, asked again on the case of this slice if it repeats its answer there."""
    decisions = [r for r in moment.records if isinstance(r, Decision)]
    snapshot = moment.snapshot
    if snapshot is None or verdict.outcome == "APPROVED":
        return verdict.flip
    case = case_of(moment.pipeline, moment.engine.state, snapshot, decisions)
    row, book = decisions.index(decision), moment.pipeline.rule_book
    answer = review(case, book)[row]
    if answer.outcome is not verdict.outcome:
        return verdict.flip
    found = flip.find(case, row, book, answer)
    return verdict.flip if found is None else f"{found.text} ({found.outcome})"


def _plan(moment: Moment) -> Stage | None:
    verdict, snapshot = moment.verdict, moment.snapshot
    if verdict is None or not verdict.allowed:
        return None
    orders = moment.orders
    if orders:
        first = orders[0]
        return Stage("plan", True, f"{first.side} {first.qty:f}, {len(orders)} orders", float(first.qty))
    market = moment.before.state.markets[moment.symbol]
    mark = moment.engine.state.markets[moment.symbol].mark
    equity = snapshot.equity if snapshot else moment.before.state.equity
    planned = plan(verdict, moment.before.state.portfolio, market.instrument, mark, equity)
    worth = abs(verdict.target) * equity
    return Stage("plan", False, planned.reason, worth, float(market.instrument.min_notional))


def _pretrade(moment: Moment) -> Stage | None:
    orders = moment.orders
    if not orders:
        return None
    refused = next((order for order in orders if order.status is Status.REJECTED), None)
    if refused is None:
        return Stage("pre-trade", True, f"{len(orders)} orders may be sent")
    rule = refused.reason.partition(":")[0]
    return Stage("pre-trade", False, refused.reason, change=_allowed(moment, rule, refused))


def _allowed(moment: Moment, rule: str, refused: Order) -> str:
    """Whether lifting that limit alone lets the order go."""
    limits = moment.engine.state.limits
    if rule not in type(limits).model_fields:
        return ""
    free = 0 if rule.startswith("min_") else np.iinfo(np.int32).max

    def lift(state: EngineState) -> None:
        state.ratchet = msgspec.structs.replace(state.ratchet, limits=limits.model_copy(update={rule: free}))

    sent = [order for order in moment.again(change=lift).orders if order.status is not Status.REJECTED]
    return f"without the limit {rule} it goes" if sent and refused.side is sent[0].side else ""


def _venue(moment: Moment) -> Stage | None:
    if not moment.orders:
        return None
    entry = next((o for o in moment.after.orders if not o.stop_price and not o.price), None)
    fills = [f for f in moment.after.fills if entry is not None and f.order_id == entry.id]
    if not fills:
        state = "no answer in the journal" if entry is None else f"{entry.status} {entry.reason}".strip()
        return Stage("venue", False, f"the order was not filled: {state}")
    qty, paid = sum(f.qty for f in fills), sum(f.qty * f.price for f in fills)
    asked = float(entry.qty) if entry is not None else 0.0
    return Stage("venue", True, f"{fills[0].side} {qty:f} at {float(paid / qty):.7g}", float(qty), asked)
