"""A rule book: CLIPS constructs with headers that say what each rule is called, how grave it is, and how it is tested.

    ;@book crypto
    ;@facts balance

    ;@id position-oversized
    ;@severity block
    ;@text More than {limit:%} of the account would ride on {name}.
    ;@test (person (diversification 0.2)) (position (check TRUE) (weight 0.21)) => fires
    ;@test (person (diversification 0.2)) (position (check TRUE) (weight 0.2)) => silent
    (defrule position-oversized ... => (assert (finding (rule position-oversized) (n ?n) (value ?w) (limit ?d))))

`;@against OTHER` says that the two may never speak of the same position; `;@quiet` keeps a rule out of
`identified_risks`, for codes that old clients of the HTTP door do not know. A defrule belongs to the last id above it
if its name begins with that id, so a rule of several defrules is headed once.
"""

import hashlib
import re
from functools import lru_cache

import msgspec

from seakeep.core.errors import RuleBookError
from seakeep.core.registry import nearest
from seakeep.risk.rules.guard import check, plain_text
from seakeep.risk.rules.syntax import Atom, Form, forms
from seakeep.risk.rules.vocabulary import VOCABULARIES, Kind, Row, Slot, Value, Vocabulary

__all__ = ["SEVERITIES", "Book", "Construct", "Example", "Rule", "read_book", "row_of"]

SEVERITIES = ("info", "warn", "resize", "block")
_HEADER = re.compile(r"^[ \t]*;@([a-z]+)[ \t]*(.*?)[ \t]*$")
_KEYS = ("book", "facts", "id", "severity", "text", "test", "against", "quiet")


class Example(msgspec.Struct, frozen=True):
    """A rule's own test: these facts, and whether the rule must speak."""

    line: int
    rows: tuple[Row, ...]
    fires: bool


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One finding a book can make."""

    id: str
    line: int
    severity: str = ""
    text: str = ""
    examples: tuple[Example, ...] = ()
    against: tuple[str, ...] = ()
    quiet: bool = False


class Construct(msgspec.Struct, frozen=True):
    """One piece of CLIPS source, in the order of the file; `rule` is the id above a defrule, else empty."""

    kind: str
    name: str
    rule: str
    line: int
    source: str
    form: Form


class Book(msgspec.Struct, frozen=True, kw_only=True):
    """A book that has been read and checked, not yet compiled."""

    name: str
    file: str
    vocabulary: Vocabulary
    rules: dict[str, Rule]
    constructs: tuple[Construct, ...]
    text: str

    @property
    def version(self) -> str:
        """Name and the first twelve hexadecimal digits of the SHA-256 of the text."""
        return f"{self.name}@{_digest(self.text)}"


@lru_cache(64)
def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def read_book(text: str, file: str) -> Book:
    """The book in that text; `file` is what messages call it.

    Raises: RuleBookError with file and line for anything that is not allowed, not known or not closed.
    """
    text = plain_text(text, file)
    constructs = forms(text, file)
    headers = _headers(text, file)
    name, vocabulary = _title(headers, file)
    check(constructs, vocabulary, file)
    rules: dict[str, Rule] = {}
    read: list[Construct] = []
    place, rule = 0, ""
    for form in constructs:
        above: list[tuple[int, str, str]] = []
        while place < len(headers) and headers[place][0] <= form.line:
            above.append(headers[place])
            place += 1
        own = [header for header in above if header[1] not in ("book", "facts")]
        label = form.items[1].text if len(form.items) > 1 and isinstance(form.items[1], Atom) else ""
        if own and form.head == "defrule":
            rule = _add_rule(rules, own, vocabulary, file)
            if not label.startswith(rule):
                raise RuleBookError(f"{file} line {form.line}: a defrule under ;@id {rule} must begin so", value=label)
        source = text[form.start : form.end]
        belongs = form.head == "defrule" and rule and label.startswith(rule)
        read.append(Construct(form.head, label, rule if belongs else "", form.line, source, form))
    return Book(name=name, file=file, vocabulary=vocabulary, rules=rules, constructs=tuple(read), text=text)


def _headers(text: str, file: str) -> list[tuple[int, str, str]]:
    found = []
    for number, line in enumerate(text.split("\n"), start=1):
        if match := _HEADER.match(line):
            if match[1] not in _KEYS:
                raise RuleBookError(
                    f"{file} line {number}: unknown header", value=match[1], remedy=nearest(match[1], _KEYS)
                )
            found.append((number, match[1], match[2]))
    return found


def _title(headers: list[tuple[int, str, str]], file: str) -> tuple[str, Vocabulary]:
    said = {key: (line, value) for line, key, value in headers if key in ("book", "facts")}
    for key, example in (("book", "my-book"), ("facts", "|".join(VOCABULARIES))):
        if key not in said:
            raise RuleBookError(f"{file} line 1: the header ;@{key} is missing", remedy=f"begin with ;@{key} {example}")
    line, facts = said["facts"]
    if facts not in VOCABULARIES:
        raise RuleBookError(
            f"{file} line {line}: unknown facts", value=facts, remedy=nearest(facts, list(VOCABULARIES))
        )
    line, name = said["book"]
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", name):
        raise RuleBookError(f"{file} line {line}: not a name", value=name, remedy="use letters, digits, - _ and .")
    return name, VOCABULARIES[facts]


def _add_rule(rules: dict[str, Rule], headers: list[tuple[int, str, str]], vocabulary: Vocabulary, file: str) -> str:
    """Reads the headers above one defrule into `rules`; returns its id."""
    line, values = headers[0][0], {key: value for _, key, value in headers}
    if "id" not in values:
        raise RuleBookError(f"{file} line {line}: headers without ;@id", remedy="name the rule with ;@id")
    if values["id"] in rules:
        raise RuleBookError(f"{file} line {line}: a second rule of that id", value=values["id"])
    severity = values.get("severity", "")
    if severity and severity not in SEVERITIES:
        remedy = f"one of {', '.join(SEVERITIES)}"
        raise RuleBookError(f"{file} line {line}: unknown severity", value=severity, remedy=remedy)
    rule = Rule(
        id=values["id"],
        line=line,
        severity=severity,
        text=values.get("text", ""),
        examples=tuple(_example(at, value, vocabulary, file) for at, key, value in headers if key == "test"),
        against=tuple(value for _, key, value in headers if key == "against"),
        quiet="quiet" in values,
    )
    rules[rule.id] = rule
    return rule.id


def _example(line: int, value: str, vocabulary: Vocabulary, file: str) -> Example:
    facts, arrow, outcome = value.rpartition("=>")
    if not arrow or outcome.strip() not in ("fires", "silent"):
        remedy = "write (position (weight 0.3)) ... => fires, or => silent"
        raise RuleBookError(f"{file} line {line}: not a test", value=value[:80], remedy=remedy)
    where = f"{file} line {line}"
    seen: dict[str, int] = {}
    rows = []
    for form in forms(facts, where):
        seen[form.head] = seen.get(form.head, -1) + 1
        rows.append(row_of(form, vocabulary, where, seen[form.head]))
    return Example(line, tuple(rows), outcome.strip() == "fires")


def row_of(form: Form, vocabulary: Vocabulary, where: str, n: int = -1) -> Row:
    """The row a fact such as (position (weight 0.3)) stands for; `n` is used where it has that slot and does not say.

    Raises: RuleBookError for an unknown template or slot, or a value of the wrong kind.
    """
    template = vocabulary.templates.get(form.head)
    if template is None:
        remedy = nearest(form.head, list(vocabulary.templates))
        raise RuleBookError(f"{where}: unknown fact", value=form.head, remedy=remedy)
    given: dict[str, Atom] = {}
    for item in form.items[1:]:
        if not isinstance(item, Form) or len(item.items) != 2 or not isinstance(item.items[1], Atom):
            raise RuleBookError(f"{where}: a fact is (name (slot value) ...)", value=form.head)
        given[item.head] = item.items[1]
    slots = {slot.name: slot for slot in template.slots}
    for name in given:
        if name not in slots:
            raise RuleBookError(f"{where}: {form.head} has no slot {name}", remedy=nearest(name, list(slots)))
    values = {name: _value(slots[name], atom.text, where) for name, atom in given.items()}
    if "n" in slots and n >= 0:
        values.setdefault("n", n)
    return form.head, tuple(values.get(slot.name) for slot in template.slots)


def _value(slot: Slot, text: str, where: str) -> Value:
    if text == "nil":
        return None
    if slot.kind is Kind.TEXT:
        return text[1:-1].replace('\\"', '"').replace("\\\\", "\\") if text.startswith('"') else text
    if slot.kind is Kind.WORD:
        if slot.words and text not in slot.words:
            raise RuleBookError(f"{where}: {slot.name} is one of {', '.join(slot.words)}", value=text)
        return text
    try:
        return int(text) if slot.kind is Kind.INDEX else float(text)
    except ValueError:
        raise RuleBookError(f"{where}: {slot.name} must be a number", value=text) from None
