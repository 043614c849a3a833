"""What a book says about one set of facts, and the port of whatever runs a book."""

from typing import Protocol

import msgspec

from seakeep.risk.rules.book import Book
from seakeep.risk.rules.vocabulary import Rows

__all__ = ["Fault", "Finding", "Findings", "Firing", "Judge", "Match", "Trace"]


class Finding(msgspec.Struct, frozen=True):
    """A rule that spoke of fact `n` (and `other`): the number it saw, its limit, and an amount if it has one."""

    rule: str
    n: int
    other: int
    value: float | None
    limit: float | None
    amount: float | None


class Fault(msgspec.Struct, frozen=True):
    """A rule that failed or was stopped; `rule` is empty where it cannot be told which."""

    rule: str
    what: str


class Firing(msgspec.Struct, frozen=True):
    """A rule that fired, and the facts that made it, as CLIPS writes them."""

    rule: str
    facts: tuple[str, ...]


class Match(msgspec.Struct, frozen=True):
    """How far a rule came: facts that meet each of its patterns, and combinations that meet the first two, three ..."""

    rule: str
    patterns: tuple[int, ...]
    partial: tuple[int, ...]


class Trace(msgspec.Struct, frozen=True):
    """Why: what fired, in order, and how far every rule came."""

    fired: tuple[Firing, ...]
    matches: tuple[Match, ...]


class Findings(msgspec.Struct, frozen=True):
    """Everything said; `faults` mean that the book did not work as written, so the answer must fail closed."""

    findings: tuple[Finding, ...]
    faults: tuple[Fault, ...] = ()
    trace: Trace | None = None


class Judge(Protocol):
    """A book that is ready to judge: in this process, or in a child without rights."""

    @property
    def book(self) -> Book:
        """The book it runs now."""
        ...

    def judge(self, rows: Rows, *, trace: bool = False) -> Findings:
        """What the book says about these facts, and nothing that was said about others before."""
        ...
