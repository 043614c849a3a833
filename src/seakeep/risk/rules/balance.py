"""The stateless door: one request about a person's positions, judged by a book, answered in the shape of seed 000.

`assess(body).answer(now)` is the whole of `POST /risks`. Field names and codes are those old clients know; everything
we add lies under the key `seakeep`.
"""

import re
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

from seakeep.core.verdicts import Outcome
from seakeep.risk.rules.book import Book, Rule, read_book
from seakeep.risk.rules.findings import Fault, Finding, Findings, Judge, Trace
from seakeep.risk.rules.flip import Change, changed, proposals
from seakeep.risk.rules.measured import measured, rows
from seakeep.risk.rules.request import TIMEFRAMES, Request, Unjudged, read_request

__all__ = ["Assessment", "Risk", "assess", "fill", "shipped_book", "shipped_books", "shipped_judge"]


class Risk(msgspec.Struct, frozen=True):
    """One finding in words and numbers; `value` was compared with `limit`, `amount` is money or a quantity."""

    code: str
    severity: str
    deal: str | None
    name: str | None
    other: str | None
    value: float | None
    limit: float | None
    amount: float | None
    text: str


class Assessment(msgspec.Struct, frozen=True):
    """The answer to one request.

    `verdict` speaks of the orders in it (`ot_pos_controlled` true): REFUSED if a finding blocks, if what a block needs
    could not be judged, or if the book failed; None if nothing is asked. `flip` was verified by judging again.
    """

    user: Any
    verdict: Outcome | None
    risks: tuple[Risk, ...]
    quiet: frozenset[str]
    unjudged: tuple[Unjudged, ...]
    faults: tuple[Fault, ...]
    flip: tuple[Change, ...]
    totals: dict[str, float | int]
    book: str
    indicators: list[Any]
    trace: Trace | None = None

    def answer(self, now: float) -> dict[str, Any]:
        """The response body at that time (UTC seconds); keys in the order old clients get them."""
        return {
            "ot_user_id": self.user,
            "ot_timestamp": now,
            "ot_risk_answer_signature": f"{self.user}_{int(now)}",
            "identified_risks": [{risk.code: risk.text} for risk in self.risks if risk.code not in self.quiet],
            "ot_indicators": self.indicators,
            "seakeep": {
                "verdict": self.verdict,
                "findings": self.risks,
                "unjudged": self.unjudged,
                "faults": self.faults,
                "flip": self.flip,
                "totals": self.totals,
                "book": self.book,
            },
        }


def shipped_books() -> tuple[str, ...]:
    """Names of the books that come with Seakeep."""
    found = files("seakeep.risk.rules").joinpath("books").iterdir()
    return tuple(sorted(entry.name.removesuffix(".clp") for entry in found if entry.name.endswith(".clp")))


@cache
def shipped_book(name: str) -> Book:
    """A book that comes with Seakeep. Raises: FileNotFoundError for a name that is none of `shipped_books()`."""
    path = files("seakeep.risk.rules").joinpath("books", f"{name}.clp")
    return read_book(path.read_text(encoding="utf-8"), f"{name}.clp")


@cache
def shipped_judge(name: str) -> Judge:
    """That book, warm in this process; one for all callers."""
    from seakeep.risk.rules.environment import WarmBook

    return WarmBook(shipped_book(name))


def assess(payload: bytes | str | dict[str, Any], judge: Judge | None = None, *, trace: bool = False) -> Assessment:
    """What the book (the shipped crypto book if not given) says about one request.

    Safe to call from several threads and in any order: nothing of one request is seen by another.

    Raises: SchemaError naming the field, for what is no request or a negative size.
    """
    chosen = judge or shipped_judge("crypto")
    request = read_request(payload)
    found = measured(request)
    facts = rows(request, found)
    findings = chosen.judge(facts, trace=trace)
    verdict = _verdict(request, chosen.book, findings, found)
    flip = () if verdict is not Outcome.REFUSED else _flip(request, chosen, findings)
    return Assessment(
        user=request.user,
        verdict=verdict,
        risks=_worded(request, chosen.book, findings),
        quiet=frozenset(rule.id for rule in chosen.book.rules.values() if rule.quiet),
        unjudged=tuple(found),
        faults=findings.faults,
        flip=flip,
        totals=_totals(request),
        book=chosen.book.version,
        indicators=request.echoed,
        trace=findings.trace,
    )


def _verdict(request: Request, book: Book, findings: Findings, unjudged: list[Unjudged]) -> Outcome | None:
    if not any(p.check == "TRUE" and p.asked != "FALSE" for p in request.positions):
        return None
    orders = {p.n for p in request.positions if p.asked != "FALSE"} | {-1}
    blocked = any(f.n in orders and _rule(book, f.rule).severity in ("block", "") for f in findings.findings)
    blind = any(u.severity == "block" for u in unjudged)
    return Outcome.REFUSED if blocked or blind or findings.faults else Outcome.APPROVED


def _rule(book: Book, name: str) -> Rule:
    """The rule of that name; a finding of a rule without headers counts as grave."""
    return book.rules.get(name) or Rule(id=name, line=0)


def _worded(request: Request, book: Book, findings: Findings) -> tuple[Risk, ...]:
    """Findings in words, by position, then in the order of the book."""
    place = {name: at for at, name in enumerate(book.rules)}
    ordered = sorted(findings.findings, key=lambda f: (f.n, place.get(f.rule, len(place)), f.other))
    return tuple(_risk(request, _rule(book, finding.rule), finding) for finding in ordered)


def _risk(request: Request, rule: Rule, finding: Finding) -> Risk:
    count = len(request.positions)
    own = request.positions[finding.n] if 0 <= finding.n < count else None
    other = request.positions[finding.other] if 0 <= finding.other < count else None
    frame = request.person.timeframe or ""
    words: dict[str, str | float | None] = {
        "name": own.label if own else "the account",
        "deal": (own.deal or own.label) if own else "the account",
        "other": other.label if other else "another position",
        "timeframe": TIMEFRAMES.get(frame, frame),
        "value": finding.value,
        "limit": finding.limit,
        "amount": finding.amount,
    }
    return Risk(
        code=rule.id,
        severity=rule.severity or "block",
        deal=own.deal if own else None,
        name=own.label if own else None,
        other=other.label if other else None,
        value=finding.value,
        limit=finding.limit,
        amount=finding.amount,
        text=fill(rule.text or rule.id, words),
    )


_PLACE = re.compile(r"\{([a-z]+)(:%)?\}")


def fill(text: str, words: dict[str, str | float | None]) -> str:
    """The text with `{word}` and `{word:%}` (a share in percent) filled in, once; unknown words stay as they are.

    >>> fill("{name} is {value:%} %, {odd}", {"name": "{value}", "value": 0.123456789})
    '{value} is 12.3457 %, {odd}'
    """

    def word(match: re.Match[str]) -> str:
        if match[1] not in words:
            return match[0]
        value = words[match[1]]
        if isinstance(value, float):
            return f"{round(100 * value if match[2] else value, 4):.15g}"
        return "an unknown amount" if value is None else str(value)

    return _PLACE.sub(word, text)


def _totals(request: Request) -> dict[str, float | int]:
    """Sums over the positions whose numbers are known, and how many are not."""
    checked = [p for p in request.positions if p.check == "TRUE"]
    return {
        "positions": len(request.positions),
        "checked": len(checked),
        "checked_weight": sum(p.weight or 0.0 for p in checked),
        "checked_unknown": sum(p.weight is None for p in checked),
        "held_gain": sum((p.gain or 0.0) - (p.loss or 0.0) for p in checked),
        "risk_to_stops": sum(p.stop_risk or 0.0 for p in checked),
    }


def _flip(request: Request, judge: Judge, findings: Findings) -> tuple[Change, ...]:
    """Smaller orders, or a stop that can be, if that alone would be approved; empty if it would not."""
    for shrink in (1.0, 1 - 1e-5):
        changes = proposals(request, findings, shrink)
        if not changes:
            break
        again = changed(request, changes)
        found = measured(again)
        if _verdict(again, judge.book, judge.judge(rows(again, found)), found) is Outcome.APPROVED:
            return changes
    return ()
