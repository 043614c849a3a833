"""Searches for facts on which rules speak that may not speak together (`;@against`).

The search starts from the tests of both rules and moves every number to, and just beside, the constants of the book.
What it finds is a proof, with the facts; what it does not find may still exist.
"""

import math
import re
from collections.abc import Iterator

import msgspec

from seakeep.risk.rules.book import Book, Construct, Rule
from seakeep.risk.rules.findings import Judge
from seakeep.risk.rules.vocabulary import Kind, Row, Rows, Value, Vocabulary

__all__ = ["Clash", "clashes", "shown"]

MOST_TRIED = 300
_NUMBER = re.compile(r"(?<![\w.?-])-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?(?![\w.])")


class Clash(msgspec.Struct, frozen=True):
    """Two rules that both spoke of fact `n`, and the facts that made them."""

    rule: str
    other: str
    line: int
    n: int
    facts: tuple[str, ...]


def clashes(judge: Judge) -> tuple[Clash, ...]:
    """The first clash found for each pair of rules that are declared against each other."""
    book, found = judge.book, []
    for rule in book.rules.values():
        for other in rule.against:
            clash = _search(judge, rule, book.rules.get(other) or Rule(id=other, line=rule.line))
            found.extend([clash] if clash is not None else [])
    return tuple(found)


def _search(judge: Judge, rule: Rule, other: Rule) -> Clash | None:
    constants = _constants(judge.book, {rule.id, other.id})
    tried = 0
    for rows in _started(rule, other):
        for facts in _moved(rows, judge.book.vocabulary, constants):
            spoke = {(finding.rule, finding.n) for finding in judge.judge(facts).findings}
            both = [n for name, n in spoke if name == rule.id and (other.id, n) in spoke]
            if both:
                words = tuple(shown(row, judge.book.vocabulary) for row in facts)
                return Clash(rule.id, other.id, rule.line, both[0], words)
            tried += 1
            if tried >= MOST_TRIED:
                return None
    return None


def _started(rule: Rule, other: Rule) -> Iterator[Rows]:
    """The facts of each test, and of each test of one laid over a test of the other."""
    mine = [list(example.rows) for example in rule.examples if example.fires]
    theirs = [list(example.rows) for example in other.examples if example.fires]
    yield from (*mine, *theirs)
    for first in mine:
        for second in theirs:
            merged = {
                (name, values[0] if isinstance(values[0], int) else name): (name, values) for name, values in first
            }
            for name, values in second:
                key = (name, values[0] if isinstance(values[0], int) else name)
                merged[key] = _over(merged.get(key), (name, values))
            yield list(merged.values())


def _over(under: Row | None, row: Row) -> Row:
    if under is None:
        return row
    return row[0], tuple(new if new is not None else old for new, old in zip(row[1], under[1], strict=True))


def _constants(book: Book, rules: set[str]) -> list[float]:
    own = [c for c in book.constructs if c.rule in rules]
    return sorted({float(number) for construct in own for number in _NUMBER.findall(_bare(construct))})


def _bare(construct: Construct) -> str:
    return re.sub(r'"[^"]*"|;[^\n]*', "", construct.source)


def _moved(rows: Rows, vocabulary: Vocabulary, constants: list[float]) -> Iterator[Rows]:
    """The facts, then with one number after the other moved to a constant, just below and just above it."""
    yield rows
    for at, (name, values) in enumerate(rows):
        for place, slot in enumerate(vocabulary.templates[name].slots):
            own = values[place]
            if slot.kind is not Kind.NUMBER or not isinstance(own, float):
                continue
            for constant in {*constants, own, *(own * c for c in constants)}:
                for value in (constant, math.nextafter(constant, -math.inf), math.nextafter(constant, math.inf)):
                    moved: tuple[Value, ...] = (*values[:place], value, *values[place + 1 :])
                    yield [*rows[:at], (name, moved), *rows[at + 1 :]]


def shown(row: Row, vocabulary: Vocabulary) -> str:
    """A row as the fact a book would write.

    >>> from seakeep.risk.rules.vocabulary import PORTFOLIO
    >>> shown(("orders", ("BTC/USDT", 2.0)), PORTFOLIO)
    '(orders (symbol "BTC/USDT") (count 2.0))'
    """
    parts = [row[0]]
    for slot, value in zip(vocabulary.templates[row[0]].slots, row[1], strict=True):
        if value is not None:
            word = '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"' if slot.kind is Kind.TEXT else value
            parts.append(f"({slot.name} {word})")
    return "(" + " ".join(str(part) for part in parts) + ")"
