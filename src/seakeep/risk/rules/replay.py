"""Replays recorded decisions under two books: what would now be blocked, what allowed, and what that is worth."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import numpy as np

from seakeep.core.verdicts import Outcome
from seakeep.risk.rules.balance import assess
from seakeep.risk.rules.findings import Finding, Judge
from seakeep.risk.rules.vocabulary import PORTFOLIO, Row

__all__ = ["CONFIDENCE", "Changed", "Comparison", "Effect", "Recorded", "compare"]

CONFIDENCE = 0.95


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """One decision as it was recorded: facts for the gate's books, or a request of the stateless door.

    `pnl` is what came of it (quote units), None if it was not traded or is still open.
    """

    id: str
    ts: int = 0
    rows: tuple[Row, ...] = ()
    payload: dict[str, Any] | None = None
    pnl: float | None = None


class Changed(msgspec.Struct, frozen=True):
    """A decision the two books disagree on, the rules that block it under one of them, and what came of it."""

    id: str
    ts: int
    rules: tuple[str, ...]
    pnl: float | None


class Effect(msgspec.Struct, frozen=True):
    """Decisions a book lets pass: their sum of results, mean of the worst twentieth, and largest fall (quote units).

    `n` have a known result; `unknown` are let pass and have none. `cvar` is None below twenty results.
    """

    n: int
    unknown: int
    pnl: float
    cvar: float | None
    drawdown: float


class Comparison(msgspec.Struct, frozen=True):
    """The two books over the same decisions; `fired` counts each rule under the old and the new book."""

    old: str
    new: str
    decisions: int
    newly_blocked: tuple[Changed, ...]
    newly_allowed: tuple[Changed, ...]
    fired: dict[str, tuple[int, int]]
    before: Effect
    after: Effect
    faults: tuple[str, ...]
    missing: tuple[str, ...]


def compare(old: Judge, new: Judge, recorded: Iterable[Recorded]) -> Comparison:
    """Judge every decision under both books; `missing` are kinds of facts that no recorded decision had."""
    kept: list[Recorded] = []
    blocked: tuple[list[tuple[str, ...]], ...] = ([], [])
    tally: tuple[dict[str, int], ...] = ({}, {})
    faults: dict[str, None] = {}
    seen: set[str] = set()
    for decision in recorded:
        kept.append(decision)
        seen.update(name for name, _ in decision.rows)
        for side, judge in enumerate((old, new)):
            rules, spoke, failed = _judged(judge, decision)
            blocked[side].append(rules)
            for rule in spoke:
                tally[side][rule] = tally[side].get(rule, 0) + 1
            faults.update(dict.fromkeys(failed))
    names = [*old.book.rules, *(name for name in new.book.rules if name not in old.book.rules)]
    return Comparison(
        old=old.book.version,
        new=new.book.version,
        decisions=len(kept),
        newly_blocked=_disagreed(kept, blocked[0], blocked[1]),
        newly_allowed=_disagreed(kept, blocked[1], blocked[0]),
        fired={name: (tally[0].get(name, 0), tally[1].get(name, 0)) for name in names},
        before=_effect(kept, blocked[0]),
        after=_effect(kept, blocked[1]),
        faults=tuple(faults),
        missing=_missing(new, seen),
    )


def _judged(judge: Judge, decision: Recorded) -> tuple[tuple[str, ...], set[str], list[str]]:
    """The rules that block it, all that spoke, and what failed."""
    if decision.payload is not None:
        answer = assess(decision.payload, judge)
        codes = [risk.code for risk in answer.risks if risk.severity == "block"] or ["unjudged"]
        refused = answer.verdict is Outcome.REFUSED
        failed = [f"{fault.rule}: {fault.what}" for fault in answer.faults]
        return tuple(codes) if refused else (), {risk.code for risk in answer.risks}, failed
    found = judge.judge(list(decision.rows))
    failed = [f"{fault.rule}: {fault.what}" for fault in found.faults]
    rules = _blocking(judge, found.findings, _adding(decision.rows))
    return tuple(sorted(rules | ({"rule_book_fault"} if failed else set()))), {f.rule for f in found.findings}, failed


def _adding(rows: Sequence[Row]) -> set[int]:
    """Candidates that add risk: nothing else can be blocked."""
    slots = [slot.name for slot in PORTFOLIO.templates["candidate"].slots]
    adds = slots.index("adds")
    return {int(values[0] or 0) for name, values in rows if name == "candidate" and values[adds] != "FALSE"}


def _blocking(judge: Judge, findings: tuple[Finding, ...], adding: set[int]) -> set[str]:
    rules = judge.book.rules
    return {
        f.rule
        for f in findings
        if (f.rule not in rules or rules[f.rule].severity in ("block", "")) and (f.n in adding or (f.n < 0 and adding))
    }


def _disagreed(
    kept: Sequence[Recorded], first: Sequence[tuple[str, ...]], second: Sequence[tuple[str, ...]]
) -> tuple[Changed, ...]:
    """Decisions that `first` lets pass and `second` blocks."""
    both = zip(kept, first, second, strict=True)
    return tuple(Changed(d.id, d.ts, rules, d.pnl) for d, passed, rules in both if rules and not passed)


def _effect(kept: Sequence[Recorded], blocked: Sequence[tuple[str, ...]]) -> Effect:
    passed = [decision for decision, rules in zip(kept, blocked, strict=True) if not rules]
    known = sorted((d for d in passed if d.pnl is not None), key=lambda d: d.ts)
    results = np.array([decision.pnl for decision in known], np.float64)
    curve = np.concatenate([[0.0], np.cumsum(results)])
    worst = max(1, int(np.ceil(len(results) * (1 - CONFIDENCE) - 1e-9)))
    return Effect(
        n=len(known),
        unknown=len(passed) - len(known),
        pnl=float(results.sum()),
        cvar=-float(np.sort(results)[:worst].mean()) if len(results) >= 20 else None,
        drawdown=float((np.maximum.accumulate(curve) - curve).max()),
    )


def _missing(judge: Judge, seen: set[str]) -> tuple[str, ...]:
    if not seen:
        return ()
    templates = judge.book.vocabulary.templates
    used = {name for name in templates if any(f"({name} " in c.source for c in judge.book.constructs)}
    return tuple(sorted(used - seen - {"finding"}))
