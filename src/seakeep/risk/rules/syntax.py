"""Reads CLIPS text into nested forms that know their lines, without evaluating anything."""

import re
from collections.abc import Iterator

import msgspec

from seakeep.core.errors import RuleBookError

__all__ = ["Atom", "Form", "Node", "atoms", "forms", "heads"]

MOST_DEPTH = 100
_TOKEN = re.compile(r"""(?P<space>\s+)|(?P<comment>;[^\n]*)|(?P<string>"(?:\\.|[^"\\])*")|(?P<open>\()|(?P<close>\))"""
                    r"""|(?P<mark>[&|~])|(?P<atom>[^\s()&|~";]+)|(?P<broken>")""", re.DOTALL)  # fmt: skip


class Atom(msgspec.Struct, frozen=True):
    """A symbol, number, variable, string (with its quotes) or one of the marks & | ~."""

    text: str
    line: int


class Form(msgspec.Struct, frozen=True):
    """A list in parentheses: where it starts, where it ends in the source, and what is in it."""

    items: "tuple[Node, ...]"
    line: int
    start: int
    end: int

    @property
    def head(self) -> str:
        """The first symbol; empty if there is none."""
        first = self.items[0] if self.items else None
        return first.text if isinstance(first, Atom) else ""


Node = Atom | Form


def forms(text: str, file: str) -> tuple[Form, ...]:
    """The lists at top level, in order.

    >>> [form.head for form in forms("(defrule a => ) ; note", "x.clp")]
    ['defrule']

    Raises: RuleBookError with file and line where parentheses or quotes do not match, or nest too deep.
    """
    reader = _Reader(file)
    for match in _TOKEN.finditer(text):
        reader.take(str(match.lastgroup), match)
    if reader.stack:
        raise RuleBookError(f"{file} line {reader.stack[-1][1]}: a ( that is never closed", remedy="add the missing )")
    for node in reader.found:
        if isinstance(node, Atom):
            raise RuleBookError(f"{file} line {node.line}: not inside a construct", value=node.text[:80])
    return tuple(node for node in reader.found if isinstance(node, Form))


class _Reader:
    """What has been read so far: the lists still open, and what the innermost of them holds."""

    def __init__(self, file: str) -> None:
        self.file, self.line = file, 1
        self.stack: list[tuple[list[Node], int, int]] = []
        self.found: list[Node] = []

    def take(self, kind: str, match: re.Match[str]) -> None:
        if kind == "open":
            self._open(match.start())
        elif kind == "close":
            self._close(match.end())
        elif kind in ("string", "mark", "atom"):
            self.found.append(Atom(match.group(), self.line))
        elif kind == "broken":
            raise RuleBookError(f"{self.file} line {self.line}: a text that is never closed", remedy='add the last "')
        self.line += match.group().count("\n")

    def _open(self, start: int) -> None:
        if len(self.stack) == MOST_DEPTH:
            remedy = "simplify it"
            raise RuleBookError(f"{self.file} line {self.line}: lists nest deeper than {MOST_DEPTH}", remedy=remedy)
        self.stack.append((self.found, self.line, start))
        self.found = []

    def _close(self, end: int) -> None:
        if not self.stack:
            raise RuleBookError(f"{self.file} line {self.line}: a ) without its (", remedy="delete it")
        inner, (self.found, first, start) = self.found, self.stack.pop()
        self.found.append(Form(tuple(inner), first, start, end))


def atoms(node: Node) -> Iterator[Atom]:
    """Every atom inside, in order."""
    if isinstance(node, Atom):
        yield node
    else:
        for item in node.items:
            yield from atoms(item)


def heads(form: Form) -> Iterator[Atom]:
    """The first atom of every list inside, the list itself included."""
    if form.items and isinstance(form.items[0], Atom):
        yield form.items[0]
    for item in form.items:
        if isinstance(item, Form):
            yield from heads(item)
