"""The first gate: all decisions of a slice are judged together, at portfolio level, before any order exists.

Reductions always pass, and free room for the others. An addition is refused, or cut: first by the ceilings of its own
(`ceilings`), then by what is left under the limits of the whole book (`room`). If the review or a rule book fails,
additions are refused and reductions pass.
"""

import math
from collections.abc import Sequence

import msgspec

from seakeep.core.verdicts import Outcome, RiskVerdict, RuleHit
from seakeep.risk.breaker import BreakerState
from seakeep.risk.case import Candidate, Case, RuleBook, reduces
from seakeep.risk.ceilings import Ceiling, blocks, ceilings
from seakeep.risk.measures import tail_of
from seakeep.risk.room import NEAR, Book, Check, all_checks, fits

__all__ = ["review"]

_PASSES = 8
"""Cutting one addition can take a hedge from another; after this many rounds all additions of the slice are refused."""

_APPROVED, _RESIZED = Outcome.APPROVED, Outcome.RESIZED
_Spoken = tuple[tuple[RuleHit, ...], ...]
_SILENT: _Spoken = ((),)


class _Ruling(msgspec.Struct, eq=False):
    """One candidate while it is being judged: where it starts, the target it may have, and what was said about it."""

    candidate: Candidate
    base: float
    target: float
    hits: list[RuleHit] = []
    limits: Sequence[Ceiling] = ()
    near: list[RuleHit] = []

    @property
    def adds(self) -> bool:
        """Whether what it may have still adds risk."""
        return not reduces(self.candidate.held, self.target)

    def _named(self, rule: str) -> bool:
        return bool(self.hits) and rule in [hit.rule for hit in self.hits]

    def cut(self, rule: str, value: float, limit: float, message: str) -> None:
        """Note a limit that took something away; each rule is named once."""
        if not self._named(rule):
            self.hits.append(RuleHit(rule, "warn", value, limit, message))

    def approach(self, rule: str, value: float, limit: float, message: str) -> None:
        """Note a limit that is nearly met, unless it has spoken."""
        if limit > 0 and value >= NEAR * limit and not self._named(rule):
            self.near.append(RuleHit(rule, "info", value, limit, f"{value / limit:.0%} of the limit: {message}"))


def review(case: Case, book: RuleBook | None = None) -> tuple[RiskVerdict, ...]:
    """One verdict per candidate of the case, in order; `book` speaks beside the limits.

    It never raises: what cannot be judged is refused, with the reason.
    """
    spoken = _consult(case, book)
    version = "" if book is None else book.version
    try:
        rulings = [_alone(candidate, case, said) for candidate, said in zip(case.candidates, spoken, strict=True)]
        _spare(rulings, _together(case, rulings))
    except Exception as error:
        rulings = [_closed(c, f"the review failed: {type(error).__name__}: {error}") for c in case.candidates]
    return tuple([_verdict(ruling, case, version) for ruling in rulings])


def _consult(case: Case, book: RuleBook | None) -> _Spoken:
    """What the rule book says to each candidate; a book that fails refuses them all."""
    if book is None or not case.candidates:
        return _SILENT * len(case.candidates)
    try:
        spoken = book.judge(case)
        if len(spoken) != len(case.candidates):
            raise ValueError(f"{len(spoken)} answers to {len(case.candidates)} candidates")
    except Exception as error:
        message = f"the rule book failed, so nothing is added: {error}"
        return ((RuleHit("rule_book_failed", "block", 0.0, 0.0, message),),) * len(case.candidates)
    return tuple(
        tuple(_clean(hit, candidate) for hit in hits) for hits, candidate in zip(spoken, case.candidates, strict=True)
    )


def _clean(hit: RuleHit, candidate: Candidate) -> RuleHit:
    """A hit as the journal can keep it; to a reduction a book may only speak."""
    severity = "warn" if candidate.reduces and hit.severity in ("block", "resize") else hit.severity
    return RuleHit(hit.rule, severity, _finite(hit.value), _finite(hit.limit), hit.message)


def _alone(candidate: Candidate, case: Case, said: Sequence[RuleHit]) -> _Ruling:
    """What this candidate may have if it were the only one."""
    spoken = [hit for hit in said if hit.severity != "resize"] if said else []
    ruling = _Ruling(candidate, candidate.base, candidate.decision.target, spoken)
    if not ruling.adds:
        return ruling
    ruling.hits = [*blocks(candidate, case), *spoken]
    if ruling.hits and "block" in [hit.severity for hit in ruling.hits]:
        ruling.target = _closed_target(candidate)
        return ruling
    known = _tail_known(candidate.decision.symbol, case)
    ruling.limits = ceilings(candidate, case, tail_known=known)
    if said:
        ruling.limits = [*_from_book(said), *ruling.limits]
    if ruling.limits:
        _cut_alone(ruling, case.limits.max_weight)
    return ruling


def _tail_known(symbol: str, case: Case) -> bool:
    """Whether the tail of the book with that symbol can be measured."""
    if case.history is None:
        return False
    others, alone = [s for s, weight in case.snapshot.exposure if weight and s != symbol], case.history.alone
    if alone is not None and symbol in alone and not (others and set(others) - alone.keys()):
        return True
    return tail_of(case.history, (symbol, *others), case.limits) is not None


def _from_book(said: Sequence[RuleHit]) -> list[Ceiling]:
    return [Ceiling(hit.rule, 0.0, 1.0, hit.limit, hit.message) for hit in said if hit.severity == "resize"]


def _cut_alone(ruling: _Ruling, max_weight: float) -> None:
    """Cut to the lowest ceiling. Only `max_weight` takes from what is held already."""
    asked = ruling.target
    over = [ceiling for ceiling in ruling.limits if not ceiling.allows(asked)]
    for ceiling in over:
        ruling.cut(ceiling.rule, ceiling.value(asked), ceiling.limit, ceiling.message)
    if over:
        most = max(min([ceiling.weight for ceiling in over]), abs(ruling.base))
        ruling.target = math.copysign(min(most, max_weight, abs(asked)), asked)


def _finite(value: float) -> float:
    return value if math.isfinite(value) else 0.0


def _closed_target(candidate: Candidate) -> float:
    """A turn-over that may not open the other side still closes this one; else what is held stays."""
    return 0.0 if candidate.held * candidate.decision.target < 0 else candidate.held


def _closed(candidate: Candidate, message: str) -> _Ruling:
    if candidate.reduces:
        passed = RuleHit("review_failed", "warn", 0.0, 0.0, message)
        return _Ruling(candidate, candidate.base, candidate.decision.target, [passed])
    refused = RuleHit("review_failed", "block", 0.0, 0.0, message)
    return _Ruling(candidate, candidate.base, _closed_target(candidate), [refused])


def _together(case: Case, rulings: Sequence[_Ruling]) -> Sequence[Check]:
    """Cut all additions to what the book has room for; the figures of the book as it would then be."""
    found: Sequence[Check] = ()
    for _ in range(_PASSES):
        base, added = _sides(case, rulings)
        found = () if not added or fits(case, base, added) else list(all_checks(Book.of(case, base, added)))
        if not found or all(check.share == 1.0 for check in found):
            break
        _scale(rulings, found)
    else:
        _scale(rulings, [check._replace(share=0.0) for check in found])
    for ruling in rulings:
        cut = ruling.target != ruling.candidate.decision.target
        if cut and ruling.adds and abs(ruling.target - ruling.base) < case.limits.min_weight:
            ruling.target = ruling.base
    return found


def _sides(case: Case, rulings: Sequence[_Ruling]) -> tuple[dict[str, float], dict[str, float]]:
    """The book without the additions, and the additions: signed weights by symbol."""
    base, added = case.held, {}
    for ruling in rulings:
        symbol = ruling.candidate.decision.symbol
        if ruling.adds:
            base[symbol], added[symbol] = ruling.base, ruling.target - ruling.base
        else:
            base[symbol] = ruling.target
    return base, added


def _scale(rulings: Sequence[_Ruling], found: Sequence[Check]) -> None:
    for ruling in rulings:
        if not ruling.adds:
            continue
        mine = [check for check in found if check.share < 1.0 and ruling.candidate.symbol in check.members]
        for check in mine:
            ruling.cut(check.rule, check.value, check.limit, check.message)
        share = min((check.share for check in mine), default=1.0)
        if share < 1.0:
            ruling.target = ruling.base + (ruling.target - ruling.base) * share


def _spare(rulings: Sequence[_Ruling], found: Sequence[Check]) -> None:
    """Limits that nearly spoke: of the candidate at what it may have, and of the book as it would be."""
    for ruling in rulings:
        if not ((ruling.limits or found) and ruling.adds):
            continue
        for ceiling in ruling.limits:
            ruling.approach(ceiling.rule, ceiling.value(ruling.target), ceiling.limit, ceiling.message)
        for check in found:
            if ruling.candidate.symbol in check.members:
                ruling.approach(check.rule, check.value, check.limit, check.message)


def _verdict(ruling: _Ruling, case: Case, version: str) -> RiskVerdict:
    candidate, given = ruling.candidate, _finite(ruling.target)
    decision, outcome = candidate.decision, _outcome(ruling, case.breaker)
    allowed = outcome is _APPROVED or outcome is _RESIZED
    return RiskVerdict(
        decision.id,
        decision.symbol,
        decision.ts,
        outcome,
        given,
        candidate.stop if allowed else None,
        candidate.take_profit if allowed else None,
        tuple(ruling.hits),
        tuple(ruling.near),
        targets=candidate.targets if allowed else (),
        limits=case.limits.version,
        book=version,
    )


def _outcome(ruling: _Ruling, breaker: BreakerState) -> Outcome:
    candidate = ruling.candidate
    if ruling.target == candidate.decision.target:
        return _APPROVED
    if ruling.target != candidate.held and math.isfinite(ruling.target):
        return _RESIZED
    blocked = any(hit.severity == "block" for hit in ruling.hits)
    halted = breaker in (BreakerState.FLATTEN, BreakerState.HALTED)
    return Outcome.HALTED if blocked and halted else Outcome.REFUSED
