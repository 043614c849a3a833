"""A book compiled into a warm CLIPS environment.

Facts go in through one builder a template and come out through the C iterators: wrappers of clipspy 1.0.6 are never
released (`ReleaseFact` is called with an argument too many), so none is made. An environment is for one thread at a
time; `WarmBook` keeps spare ones, so that two callers never meet in the same one.
"""

import math
import re
import weakref
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import clips
from clips._clips import ffi, lib
from clips.routers import Router

from seakeep.core.errors import RuleBookError
from seakeep.risk.rules.book import Book
from seakeep.risk.rules.findings import Fault, Finding, Findings, Firing, Match, Trace
from seakeep.risk.rules.vocabulary import FINDING, Kind, Rows, Slot, Template, Value

__all__ = ["MOST_FIRINGS", "Environment", "WarmBook"]

MOST_FIRINGS = 20_000
"""Firings in one judgement before rules are held to `SAME_RULE` each."""
SAME_RULE = 200

_NULL: Any = ffi.NULL
_FLOAT, _INTEGER, _LEXEMES = 0, 1, (2, 3)
_FINDING_SLOTS = tuple(slot.name.encode() for slot in FINDING.slots)
_WORD = re.compile(r"[A-Za-z0-9_-]+")
_BLAMED = re.compile(r"(?:defrule '|in rule )([^'\s]+)")


class _Capture(Router):  # type: ignore[misc]
    """Takes whatever CLIPS would print, so that a fault has words and the terminal stays clean."""

    def __init__(self) -> None:
        super().__init__("seakeep", 50)
        self.text = ""

    def query(self, name: str) -> bool:
        return name in ("stdout", "stderr", "stdwrn")

    def write(self, name: str, message: str) -> None:
        if len(self.text) < 100_000:
            self.text += message

    def taken(self) -> str:
        text, self.text = self.text, ""
        return text


class Environment:
    """One book, compiled. `judge` resets it first, so nothing of an earlier request is left."""

    def __init__(self, book: Book, without: frozenset[str] = frozenset()) -> None:
        """Compile the book, leaving out the defrules in `without`. Raises: RuleBookError with file and line."""
        self.book = book
        self._owner = clips.Environment()
        self._capture = _Capture()
        self._owner.add_router(self._capture)
        self._env = self._owner._env  # noqa: SLF001
        self._value = ffi.new("CLIPSValue *")
        self._builders: dict[str, tuple[Any, tuple[tuple[int, bytes, Any], ...]]] = {}
        for template in book.vocabulary.templates.values():
            self._build(template.source(), 0)
        for construct in book.constructs:
            if construct.kind != "defrule" or construct.name not in without:
                self._build(construct.source, construct.line)
        said = frozenset(_WORD.findall(" ".join(construct.source for construct in book.constructs)))
        for template in book.vocabulary.templates.values():
            heard = tuple(_setter(at, slot) for at, slot in enumerate(template.slots) if _heard(slot, template, said))
            self._builders[template.name] = lib.CreateFactBuilder(self._env, template.name.encode()), heard
        weakref.finalize(self, _dispose, [builder for builder, _ in self._builders.values()])
        self._finding = lib.FindDeftemplate(self._env, b"finding")

    def judge(self, rows: Rows, *, trace: bool = False, watch: Callable[[str], None] | None = None) -> Findings:
        """What the book says about these facts; `watch` is told every rule just before it fires."""
        lib.Reset(self._env)
        self._capture.text = ""
        self._assert(rows)
        faults: dict[str, Fault] = {}
        self._blame(faults)
        firings: list[Firing] = []
        if trace or watch:
            self._step(faults, firings, watch)
        else:
            self._run(faults)
        found = self._read()
        if faults:
            found = self._sound(found, faults)
        seen = Trace(tuple(firings), self._matches()) if trace else None
        return Findings(found, tuple(faults.values()), seen)

    def _build(self, source: str, line: int) -> None:
        if lib.Build(self._env, source.encode()) != 0:
            said = " ".join(self._capture.taken().partition("ERROR:")[0].split())
            raise RuleBookError(f"{self.book.file} line {line}: does not compile: {said}")
        self._capture.text = ""

    def _assert(self, rows: Rows) -> None:
        env, value, put = self._env, self._value, lib.FBPutSlot
        for template, values in rows:
            builder, slots = self._builders[template]
            for at, name, make in slots:
                content = values[at]
                if content is not None:
                    value.value = make(env, content)
                    put(builder, name, value)
            if not lib.FBAssert(builder):
                raise RuleBookError("a fact could not be asserted", value=template)

    def _run(self, faults: dict[str, Fault]) -> None:
        """Run to the end. A rule that fails ends a run, not the judgement: the others are run on."""
        left = MOST_FIRINGS
        while left > 0:
            fired = lib.Run(self._env, left)
            left -= max(fired, 1)
            failed = bool(self._capture.text) and self._blame(faults)
            if not failed or not lib.GetNextActivation(self._env, _NULL):
                break
        if lib.GetNextActivation(self._env, _NULL):
            self._step(faults, [])

    def _step(
        self, faults: dict[str, Fault], firings: list[Firing], watch: Callable[[str], None] | None = None
    ) -> None:
        """One rule at a time; a rule that has fired `SAME_RULE` times is stopped, and said to be."""
        counts: dict[str, int] = {}
        builder = lib.CreateStringBuilder(self._env, 0)
        while activation := lib.GetNextActivation(self._env, _NULL):
            rule = ffi.string(lib.ActivationRuleName(activation)).decode()
            counts[rule] = counts.get(rule, 0) + 1
            if counts[rule] > SAME_RULE:
                lib.DeleteActivation(activation)
                faults[rule] = Fault(rule, f"stopped after firing {SAME_RULE} times")
                if counts[rule] > MOST_FIRINGS:
                    lib.DeleteAllActivations(self._env)
                continue
            lib.SBReset(builder)
            lib.ActivationPPForm(activation, builder)
            facts = ffi.string(builder.contents).decode(errors="replace").partition(":")[2]
            if watch:
                watch(rule)
            firings.append(Firing(rule, tuple(part.strip() for part in facts.split(","))))
            lib.Run(self._env, 1)
            self._blame(faults)
        lib.SBDispose(builder)

    def _blame(self, faults: dict[str, Fault]) -> bool:
        """Turns what CLIPS complained about into faults; whether there was anything."""
        text = self._capture.taken()
        if not text:
            return False
        rules = _BLAMED.findall(text) or [""]
        what = " ".join(text.split("\n")[0].split()) or "an error without words"
        for rule in rules:
            faults[rule] = Fault(rule, what)
        return True

    def _read(self) -> tuple[Finding, ...]:
        found = []
        fact = lib.GetNextFactInTemplate(self._finding, _NULL)
        while fact:
            rule, n, other, *numbers = [self._slot(fact, name) for name in _FINDING_SLOTS]
            where = [place if isinstance(place, int) else -1 for place in (n, other)]
            value, limit, amount = (_number(number) for number in numbers)
            found.append(Finding(rule if isinstance(rule, str) else "", where[0], where[1], value, limit, amount))
            fact = lib.GetNextFactInTemplate(self._finding, fact)
        return tuple(found)

    def _sound(self, found: tuple[Finding, ...], faults: dict[str, Fault]) -> tuple[Finding, ...]:
        """Findings of rules that did not fail: CLIPS goes on with some number where an expression has none."""
        failed = {construct.rule for construct in self.book.constructs if construct.name in faults} | set(faults)
        return tuple(finding for finding in found if finding.rule not in failed)

    def _slot(self, fact: Any, name: bytes) -> Value:
        """A number or a word; None for anything else a rule may have put there."""
        value = self._value
        lib.GetFactSlot(fact, name, value)
        code = value.header.type
        if code == _FLOAT:
            return float(value.floatValue.contents)
        if code == _INTEGER:
            return int(value.integerValue.contents)
        if code in _LEXEMES:
            return str(ffi.string(value.lexemeValue.contents).decode(errors="replace"))
        return None

    def _matches(self) -> tuple[Match, ...]:
        found = []
        for construct in self.book.constructs:
            if construct.kind == "defrule" and (rule := lib.FindDefrule(self._env, construct.name.encode())):
                lib.Matches(rule, lib.SUCCINCT, self._value)
                found.append(_match(construct.name, self._capture.taken()))
        return tuple(found)


def _number(value: Value) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _dispose(builders: list[Any]) -> None:
    """CLIPS wants its builders back before the environment they belong to goes."""
    for builder in builders:
        lib.FBDispose(builder)


def _heard(slot: Slot, template: Template, said: frozenset[str]) -> bool:
    """Whether a book can tell what the slot holds: it names it, or facts are told apart by it."""
    return slot.name in said or slot.kind is Kind.INDEX or not template.numbered


def _setter(at: int, slot: Slot) -> tuple[int, bytes, Any]:
    makers = {Kind.NUMBER: lib.CreateFloat, Kind.INDEX: lib.CreateInteger, Kind.TEXT: _text, Kind.WORD: _word}
    return at, slot.name.encode(), makers[slot.kind]


def _text(env: Any, value: str) -> Any:
    return lib.CreateString(env, _bytes(value))


def _word(env: Any, value: str) -> Any:
    return lib.CreateSymbol(env, _bytes(value))


@lru_cache(1024)
def _bytes(value: str) -> bytes:
    """What C can hold: a zero byte would end the text, and half of a pair of surrogates is no character."""
    return value.replace("\0", "\\0").encode("utf-8", "backslashreplace")


_COUNT = re.compile(r"(Pattern|CEs) [^\n]*?:?\s*(\d+)\s*$", re.MULTILINE)


def _match(rule: str, text: str) -> Match:
    counts = _COUNT.findall(text)
    patterns = tuple(int(number) for kind, number in counts if kind == "Pattern")
    return Match(rule, patterns, tuple(int(number) for kind, number in counts if kind == "CEs"))


class WarmBook:
    """A trusted book in this process, for any number of callers: each borrows an environment of its own."""

    def __init__(self, book: Book) -> None:
        """Raises: RuleBookError with file and line if it does not compile."""
        self.book = book
        self._spare = [Environment(book)]

    def judge(self, rows: Rows, *, trace: bool = False) -> Findings:
        """What the book says about these facts. An environment in which anything failed is not used again."""
        try:
            environment = self._spare.pop()
        except IndexError:
            environment = Environment(self.book)
        findings = environment.judge(rows, trace=trace)
        if not findings.faults:
            self._spare.append(environment)
        return findings
