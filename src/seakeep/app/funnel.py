"""The way from a bar to a fill, stage by stage, at one instant of a run: what passed, and the number that stopped it.

A `Moment` is the run at one slice, rebuilt from its journal, so what is said is what was. A change that is stated has
been tried: the run was rebuilt once more, changed just before the slice, and the slice processed again.
"""

import math
from collections.abc import Callable, Sequence
from copy import copy, deepcopy
from dataclasses import dataclass, field, replace
from functools import cached_property

import msgspec
import numpy as np

from seakeep.core.account import Portfolio
from seakeep.core.beliefs import FeatureFrame
from seakeep.core.errors import IntegrityError
from seakeep.core.events import Slice
from seakeep.core.market import InstrumentKind
from seakeep.core.orders import Fill, Order, Status
from seakeep.core.units import iso
from seakeep.core.verdicts import Decision, RiskSnapshot, RiskVerdict
from seakeep.engine.conditions import conditions
from seakeep.engine.engine import Engine
from seakeep.engine.facts import case_of
from seakeep.engine.opinion import Opinion, opine
from seakeep.engine.outlook import Outlook
from seakeep.engine.pipeline import Pipeline
from seakeep.execution.plan import plan
from seakeep.risk import flip
from seakeep.risk.breaker import BreakerState
from seakeep.risk.review import review
from seakeep.strategy.decide import Blend, stance

__all__ = ["Aftermath", "Moment", "Stage", "funnel", "silent"]

Change = Callable[[Engine], None]


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


@dataclass
class Moment:
    """One symbol at one slice: the engine after it, what it held before, and what the slice caused.

    `rebuilt` makes an engine as it was just before the slice.
    """

    engine: Engine
    rebuilt: Callable[[], Engine]
    event: Slice
    symbol: str
    held: int
    portfolio: Portfolio
    records: Sequence[object]
    after: Aftermath = field(default_factory=Aftermath)

    @classmethod
    def of(cls, rebuilt: Callable[[], Engine], event: Slice, symbol: str, change: Change | None = None) -> "Moment":
        """Rebuild the run to just before the slice, change it if asked, and process the slice."""
        engine = rebuilt()
        if change is not None:
            change(engine)
        held, portfolio = engine.state.markets[symbol].held, engine.state.portfolio
        return cls(engine, rebuilt, event, symbol, held, portfolio, engine.process(event).records)

    def again(self, change: Change) -> "Moment":
        """The same slice once more, of an engine that was changed just before it."""
        return Moment.of(self.rebuilt, self.event, self.symbol, change)

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

    @cached_property
    def opinion(self) -> Opinion | None:
        """The opinion on this symbol that was decided by; None where nobody was asked.

        Raises: IntegrityError if it is not the one in the decision.
        """
        state, ts = self.engine.state, self.event.ts
        fresh = {bar.symbol for bar in self.event.bars if bar.interval == self.pipeline.interval}
        flattens = state.breaker is BreakerState.FLATTEN
        if self.symbol not in fresh or ts < self.pipeline.trade_from or state.paused or flattens:
            return None
        frames = [market.frame() for symbol, market in state.markets.items() if symbol in fresh]
        opinions = opine(self.pipeline, frames, _aside(state.outlook))
        found = next(o for o, frame in zip(opinions, frames, strict=True) if frame.symbol == self.symbol)
        if self.decision is not None and self.decision.contributions != found.view.contributions:
            raise IntegrityError(f"the opinion behind {self.decision.id} does not repeat itself")
        return found

    @property
    def frame(self) -> FeatureFrame:
        """The newest features of this symbol."""
        return self.engine.state.markets[self.symbol].frame()


def _aside(outlook: Outlook | None) -> Outlook | None:
    """The outlook for a question that must leave no trace in it."""
    if outlook is None:
        return None
    shadow = copy(outlook)
    shadow.paper, shadow.learner = deepcopy(outlook.paper), deepcopy(outlook.learner)
    return shadow


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
    change = "" if passed else _tried(moment.again(_with(trade_from=0)), "an earlier start")
    return Stage("period", passed, says, moment.event.ts, start, change)


def _state(moment: Moment) -> Stage:
    state = moment.engine.state
    if state.paused and state.breaker is not BreakerState.FLATTEN:
        change = _tried(moment.again(_resume), "resume")
        return Stage("running", False, "a person has paused decisions", change=change)
    if state.breaker is BreakerState.FLATTEN and not moment.decision:
        return Stage("running", False, "the breaker is closing everything; no strategy is asked", change="reset it")
    return Stage("running", True, f"not paused, breaker {state.breaker.value}")


def _resume(engine: Engine) -> None:
    engine.state.paused = False


def _with(**parts: object) -> Change:
    """The engine with other parts of its pipeline."""

    def change(engine: Engine) -> None:
        engine.pipeline = replace(engine.pipeline, **parts)  # type: ignore[arg-type]

    return change


def _features(moment: Moment) -> Stage:
    frame = moment.frame
    missing = [name for name, value in zip(frame.names, frame.values[-1], strict=True) if not math.isfinite(value)]
    n = len(frame.names)
    if not missing:
        return Stage("features", True, f"all {n} are warm", n, n)
    names = ", ".join(missing[:6]) + (" ..." if len(missing) > 6 else "")
    return Stage("features", len(missing) < n, f"{len(missing)} of {n} are not known: {names}", n - len(missing), n)


def _voices(moment: Moment) -> Stage:
    opinion = moment.opinion
    if opinion is None:
        return Stage("voices", False, "nobody was asked")
    heard = [source for source, _ in opinion.view.contributions]
    asked = 1 + len(moment.pipeline.experts) + len(moment.pipeline.alphas)
    if heard:
        return Stage("voices", True, f"heard: {', '.join(heard)}", len(heard), asked)
    why = "; ".join(f"{source}: {reason}" for source, reason in silent(moment))
    return Stage("voices", False, f"everybody was silent ({why})", 0, asked)


def silent(moment: Moment) -> list[tuple[str, str]]:
    """Who was not heard at this moment, and why."""
    opinion = moment.opinion
    if opinion is None:
        return []
    named = dict(opinion.silent)
    for name, expert in moment.pipeline.experts.items():
        if not expert.scale > 0:
            named.setdefault(name, "it has no direction")
        elif not expert.confidence > 0:
            named[name] = "its confidence is 0: its training rows show no skill"
    voices = (moment.pipeline.strategy_name, *moment.pipeline.experts, *moment.pipeline.alphas)
    heard = {source for source, _ in opinion.view.contributions}
    return [
        (name, named.get(name, "it had no score, or its group weighs nothing")) for name in voices if name not in heard
    ]


def _direction(moment: Moment) -> Stage | None:
    """Whether the score asks for something that is not held already."""
    view, held = _view(moment), moment.held
    if moment.decision is not None or not held or held * view.score <= moment.pipeline.thresholds.exit:
        return None
    side, edge = ("long", "short")[held < 0], moment.pipeline.thresholds.exit
    says = f"{side} already, and kept while the score holds beyond {held * edge:+.2f}: it is {view.score:+.3f}"
    return Stage("stance", False, says, view.score, held * edge)


def _view(moment: Moment) -> Blend:
    return moment.opinion.view if moment.opinion is not None else Blend(0.0, 0.0, ())


def _threshold(moment: Moment) -> Stage:
    view, limits = _view(moment), moment.pipeline.thresholds
    limit = limits.short if view.score < 0 and _can_short(moment) else limits.long
    if moment.decision is not None:
        return Stage("threshold", True, _decided(moment.decision), view.score, limit)
    if view.score / limit >= 1 and view.confidence >= limits.min_confidence:
        return Stage("size", False, f"score {view.score:+.3f} is enough, but the size comes to nothing", 0.0)
    if view.score / limit >= 1:
        says = f"score {view.score:+.3f} is enough, confidence {view.confidence:.3f} is below {limits.min_confidence:g}"
        eased = _eased(moment, {"min_confidence": view.confidence})
        change = _tried(eased, f"a minimum confidence of {view.confidence:.6f}")
        return Stage("confidence", False, says, view.confidence, limits.min_confidence, change)
    down = "; spot cannot be sold short" if view.score <= limits.short and not _can_short(moment) else ""
    says = f"score {view.score:+.3f} does not reach {limit:+.2f}, confidence {view.confidence:.3f}{down}"
    return Stage("threshold", False, says, view.score, limit, _smallest(moment, view, limit))


def _decided(decision: Decision) -> str:
    wants = "nothing any more" if decision.target == 0 else f"{decision.target:+.2%} of equity"
    return f"score {decision.score:+.3f}, confidence {decision.confidence:.3f}: wants {wants}"


def _can_short(moment: Moment) -> bool:
    return moment.pipeline.instruments[moment.symbol].kind is InstrumentKind.PERPETUAL


def _smallest(moment: Moment, view: Blend, limit: float) -> str:
    """The smallest rise of one voice that reaches the threshold, else how much score is missing; both tried."""
    missing, held = limit - view.score, moment.held
    reached = msgspec.structs.replace(view, score=limit, confidence=1.0)
    if stance(reached, held, moment.pipeline.thresholds, can_short=_can_short(moment)) == held:
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
    return moment.again(_with(thresholds=moment.pipeline.thresholds.model_copy(update=limits)))


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
    row, book = decisions.index(decision), conditions(moment.pipeline)
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
    market = moment.engine.state.markets[moment.symbol]
    equity = snapshot.equity if snapshot else moment.engine.state.equity
    planned = plan(verdict, moment.portfolio, market.instrument, market.mark, equity)
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
    lifted = type(limits).model_construct(**limits.model_dump() | {rule: free})

    def lift(engine: Engine) -> None:
        engine.state.ratchet = msgspec.structs.replace(engine.state.ratchet, limits=lifted)

    sent = [order for order in moment.again(lift).orders if order.status is not Status.REJECTED]
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
