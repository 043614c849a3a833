"""The smallest change that would turn the gate's answer, found by asking the gate again.

A refused or cut decision becomes APPROVED by a smaller size, a nearer stop, less of another position, waiting, or a
written reset; the first of these that works is the answer, and where none does, one that turns a refusal into a cut. An
approved addition stops being approved at a larger size. Whatever is stated has been tried: the outcome of
`review(apply(case, i, flip))[i]` is another.
"""

from collections.abc import Callable, Iterator
from typing import Literal

import msgspec

from seakeep.core.units import DAY_MS, iso
from seakeep.core.verdicts import Decision, Outcome, RiskSnapshot, RiskVerdict
from seakeep.risk.breaker import Breach, BreakerState, breach, step
from seakeep.risk.case import Candidate, Case, RuleBook
from seakeep.risk.review import review

__all__ = ["Flip", "apply", "find", "stated", "week_start"]

_HALVINGS = 24
_STEP = 1e-6
"""Shares of a size or a distance: what is stated lies this much beyond the edge."""
_LARGE = 1e6
_WEEK_MS = 7 * DAY_MS
_MONDAY = 4 * DAY_MS
"""1970-01-01 was a Thursday."""

_UNTIL_DAY = (BreakerState.REDUCE_ONLY,)
_UNTIL_RESET = (BreakerState.REDUCE_LATCHED, BreakerState.HALTED)

Kind = Literal["size", "stop", "hedge", "wait", "reset"]


class Flip(msgspec.Struct, frozen=True):
    """One change: of `symbol`'s target weight ("size", "hedge"), stop price ("stop"), or of time ("wait", "reset").

    `before` and `after` are the two values (milliseconds for a wait), `outcome` the answer after it.
    """

    kind: Kind
    symbol: str
    before: float
    after: float
    outcome: str
    text: str


def week_start(ts: int) -> int:
    """Monday 00:00 UTC at or before an instant."""
    return ts - (ts - _MONDAY) % _WEEK_MS


def find(
    case: Case, row: int, book: RuleBook | None = None, verdict: RiskVerdict | None = None, *, thorough: bool = True
) -> Flip | None:
    """The flip of candidate `row`, verified; None for a reduction, or where no single change turns the answer.

    `verdict` is the answer to this candidate where it is known already. Without `thorough`, sizes and hedges that take
    a search are left out.
    """
    candidate = case.candidates[row]
    if candidate.reduces:
        return None
    answer = review(case, book)[row] if verdict is None else verdict

    def outcome(flip: Flip) -> str:
        return review(apply(case, row, flip), book)[row].outcome.value

    if answer.outcome is Outcome.APPROVED:
        return _larger(case, candidate, outcome, book, row)
    partly: Flip | None = None
    for flip in _wishes(case, candidate, answer, outcome if thorough else None):
        found = outcome(flip)
        if found == Outcome.APPROVED:
            return msgspec.structs.replace(flip, outcome=found)
        if found == Outcome.RESIZED and not answer.allowed and partly is None:
            partly = msgspec.structs.replace(flip, outcome=found)
    return partly


def stated(case: Case, row: int, book: RuleBook | None, verdict: RiskVerdict) -> str:
    """The flip of a refusal or a cut in words, "" if there is none.

    A decision that stands alone and was cut needs no second review: what it was given would have been approved.
    """
    candidate = case.candidates[row]
    if (
        len(case.candidates) == 1
        and verdict.outcome is Outcome.RESIZED
        and verdict.target * candidate.decision.target > 0
    ):
        return _size(candidate, verdict.target).text
    found = find(case, row, book, verdict)
    return "" if found is None else found.text


def apply(case: Case, row: int, flip: Flip) -> Case:
    """The case after that change of candidate `row`."""
    candidate = case.candidates[row]
    match flip.kind:
        case "size":
            return _with(case, row, msgspec.structs.replace(candidate, decision=_aim(candidate.decision, flip.after)))
        case "stop":
            return _with(case, row, msgspec.structs.replace(candidate, stop=flip.after))
        case "hedge":
            return _hedged(case, flip)
        case "wait":
            return _later(case, int(flip.after))
        case "reset":
            return _reset(case)


def _aim(decision: Decision, target: float) -> Decision:
    return msgspec.structs.replace(decision, target=target)


def _with(case: Case, row: int, candidate: Candidate) -> Case:
    candidates = (*case.candidates[:row], candidate, *case.candidates[row + 1 :])
    return _replaced(case, candidates=candidates)


def _replaced(case: Case, **parts: object) -> Case:
    return msgspec.structs.replace(case, **parts)


def _hedged(case: Case, flip: Flip) -> Case:
    """The case in which that position is `after` already."""
    snapshot = case.snapshot
    exposure = tuple((s, flip.after if s == flip.symbol else w) for s, w in snapshot.exposure)
    gross = sum(abs(w) for _, w in exposure)
    moved = msgspec.structs.replace(snapshot, exposure=exposure, gross=gross)
    candidates = tuple(
        msgspec.structs.replace(c, held=flip.after) if c.symbol == flip.symbol else c for c in case.candidates
    )
    return _replaced(case, snapshot=moved, candidates=candidates)


def _later(case: Case, ts: int) -> Case:
    """The case at `ts` if prices and positions are as they are: new day, new week, a fresh hour, fresh bars."""
    now, state = case.snapshot, case.breaker
    snapshot, state = _turn(now, state, ts)
    markets = {
        symbol: msgspec.structs.replace(m, seen=ts, age_bars=0.0, traded_1h=0.0) for symbol, m in case.markets.items()
    }
    state = step(state, Breach.FRESH)
    return _replaced(case, snapshot=snapshot, breaker=step(state, breach(snapshot, case.limits)), markets=markets)


def _turn(now: RiskSnapshot, state: BreakerState, ts: int) -> tuple[RiskSnapshot, BreakerState]:
    daily, weekly = now.daily_loss, now.weekly_loss
    if ts // DAY_MS > now.ts // DAY_MS:
        daily, state = 0.0, step(state, Breach.NEW_DAY)
    if week_start(ts) > week_start(now.ts):
        weekly, state = 0.0, step(state, Breach.NEW_WEEK)
    return msgspec.structs.replace(now, ts=ts, daily_loss=daily, weekly_loss=weekly), state


def _reset(case: Case) -> Case:
    """The case after a written reset: losses are counted from here."""
    snapshot = msgspec.structs.replace(case.snapshot, drawdown=0.0, daily_loss=0.0, weekly_loss=0.0)
    return _replaced(case, snapshot=snapshot, breaker=step(case.breaker, Breach.RESET))


def _wishes(
    case: Case, candidate: Candidate, answer: RiskVerdict, search: Callable[[Flip], str] | None
) -> Iterator[Flip]:
    """What could turn a refusal or a cut, the smallest change first; sizes and hedges only with a `search`."""
    rules = {hit.rule for hit in answer.hits}
    if case.breaker is not BreakerState.NORMAL:
        yield from _time(case, candidate)
        return
    if search is not None and answer.outcome is Outcome.RESIZED and answer.target * candidate.decision.target > 0:
        yield from _smaller(candidate, answer, search)
    if rules & {"max_trade_loss", "stop_side"}:
        yield _nearer_stop(case, candidate)
    if search is not None:
        yield from _hedges(case, candidate, search)
    if rules & {"max_participation", "max_age_bars", "stale_book"}:
        yield from _time(case, candidate)


def _size(candidate: Candidate, target: float, outcome: str = "") -> Flip:
    text = f"ask for {abs(target):.4%} of equity instead of {abs(candidate.decision.target):.4%}"
    return Flip("size", candidate.symbol, candidate.decision.target, target, outcome, text)


def _smaller(candidate: Candidate, answer: RiskVerdict, outcome: Callable[[Flip], str]) -> Iterator[Flip]:
    """What the gate allowed; where others share the room, the largest size it would approve."""
    whole = _size(candidate, answer.target)
    if outcome(whole) == Outcome.APPROVED:
        yield whole
        return
    low, high = candidate.base, answer.target
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        fits = outcome(_size(candidate, middle)) == Outcome.APPROVED
        low, high = (middle, high) if fits else (low, middle)
    if low != candidate.base:
        yield _size(candidate, low)


def _nearer_stop(case: Case, candidate: Candidate) -> Flip:
    side = 1.0 if candidate.decision.target > 0 else -1.0
    distance = case.limits.max_trade_loss / abs(candidate.decision.target) * (1.0 - _STEP)
    stop = candidate.mark * (1.0 - side * distance)
    before = 0.0 if candidate.stop is None else candidate.stop
    return Flip("stop", candidate.symbol, before, stop, "", f"place the stop at {stop:.6g} or nearer")


def _hedges(case: Case, candidate: Candidate, outcome: Callable[[Flip], str]) -> Iterator[Flip]:
    """The largest other positions, each reduced by as little as helps."""
    others = [(s, w) for s, w in case.snapshot.exposure if w and s != candidate.symbol]
    for symbol, weight in sorted(others, key=lambda held: -abs(held[1]))[:3]:
        if outcome(_less(symbol, weight, 0.0)) != Outcome.APPROVED:
            continue
        low, high = 0.0, weight
        for _ in range(_HALVINGS):
            middle = 0.5 * (low + high)
            fits = outcome(_less(symbol, weight, middle)) == Outcome.APPROVED
            low, high = (middle, high) if fits else (low, middle)
        yield _less(symbol, weight, low)


def _less(symbol: str, before: float, after: float) -> Flip:
    verb = "close" if after == 0.0 else f"reduce {abs(before):.4%} of equity to {abs(after):.4%} in"
    return Flip("hedge", symbol, before, after, "", f"first {verb} {symbol}")


def _time(case: Case, candidate: Candidate) -> Iterator[Flip]:
    """Waiting, or the reset that nothing but a person can give."""
    now = case.ts
    if case.breaker in _UNTIL_RESET:
        text = f"reset the breaker in writing: it is {case.breaker}"
        yield Flip("reset", candidate.symbol, 0.0, 0.0, "", text)
        return
    ends = [now + 1] if case.breaker in (BreakerState.NORMAL, BreakerState.BLIND) else []
    ends += [now - now % DAY_MS + DAY_MS, week_start(now) + _WEEK_MS]
    for end in ends:
        text = f"wait until {iso(end)}" if end > now + 1 else "wait for fresh prices and a new hour"
        yield Flip("wait", candidate.symbol, float(now), float(end), "", text)
    yield Flip("reset", candidate.symbol, 0.0, 0.0, "", "reset the breaker in writing")


def _larger(
    case: Case, candidate: Candidate, outcome: Callable[[Flip], str], book: RuleBook | None, row: int
) -> Flip | None:
    """The size at which an approval ends."""
    asked = candidate.decision.target
    side = 1.0 if asked > 0 else -1.0
    high = side * max(_LARGE, 2.0 * abs(asked))
    edge = review(apply(case, row, _size(candidate, high)), book)[row].target
    just = _size(candidate, edge * (1.0 + _STEP))
    if abs(edge) >= abs(asked) and outcome(just) != Outcome.APPROVED:
        if outcome(_size(candidate, edge)) == Outcome.APPROVED:
            return msgspec.structs.replace(just, outcome=outcome(just))
        high = just.after
    return _edge(candidate, asked, high, outcome)


def _edge(candidate: Candidate, low: float, high: float, outcome: Callable[[Flip], str]) -> Flip | None:
    if outcome(_size(candidate, high)) == Outcome.APPROVED:
        return None
    for _ in range(2 * _HALVINGS):
        middle = 0.5 * (low + high)
        fits = outcome(_size(candidate, middle)) == Outcome.APPROVED
        low, high = (middle, high) if fits else (low, middle)
    flip = _size(candidate, high)
    return msgspec.structs.replace(flip, outcome=outcome(flip))
