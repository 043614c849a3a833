"""Runs the tests a book brings, and counts which rules they make fire."""

from collections.abc import Iterable, Mapping

import msgspec

from seakeep.core.errors import RuleBookError
from seakeep.risk.rules.book import Book
from seakeep.risk.rules.findings import Judge
from seakeep.risk.rules.vocabulary import Rows

__all__ = ["Coverage", "Trial", "coverage", "passed", "run_tests"]


class Trial(msgspec.Struct, frozen=True):
    """One test of one rule; `why` is empty if it passed."""

    rule: str
    line: int
    expected: str
    why: str

    @property
    def ok(self) -> bool:
        """Whether the rule did what the test says."""
        return not self.why


class Coverage(msgspec.Struct, frozen=True):
    """How often each rule spoke over `decisions` sets of facts, in the order of the book."""

    decisions: int
    fired: dict[str, int]

    @property
    def silent(self) -> tuple[str, ...]:
        """Rules that never spoke."""
        return tuple(rule for rule, count in self.fired.items() if not count)


def run_tests(judge: Judge) -> tuple[Trial, ...]:
    """Every test of the book, in its order."""
    trials = []
    for rule in judge.book.rules.values():
        for example in rule.examples:
            found = judge.judge(list(example.rows))
            spoke = any(finding.rule == rule.id for finding in found.findings)
            why = "; ".join(f"{fault.rule or 'the book'}: {fault.what}" for fault in found.faults)
            if not why and spoke != example.fires:
                why = "the rule fired" if spoke else "the rule did not fire"
            trials.append(Trial(rule.id, example.line, "fires" if example.fires else "silent", why))
    return tuple(trials)


def passed(judge: Judge) -> None:
    """Nothing, if the book has tests and passes them all. Raises: RuleBookError naming the first that fails."""
    trials, book = run_tests(judge), judge.book
    failed = next((trial for trial in trials if not trial.ok), None)
    if failed is not None:
        said = f"test of {failed.rule} expects {failed.expected}, but {failed.why}"
        raise RuleBookError(f"{book.file} line {failed.line}: {said}", remedy="correct the rule or its test")
    if not trials:
        raise RuleBookError(f"{book.file} has no test", remedy="add ;@test (fact (slot value)) => fires")


def coverage(judge: Judge, recorded: Iterable[Rows]) -> Coverage:
    """How often each rule speaks over recorded facts."""
    fired = dict.fromkeys(_ids(judge.book), 0)
    decisions = 0
    for rows in recorded:
        decisions += 1
        for rule in {finding.rule for finding in judge.judge(rows).findings}:
            fired[rule] = fired.get(rule, 0) + 1
    return Coverage(decisions, fired)


def _ids(book: Book) -> Mapping[str, object]:
    return book.rules
