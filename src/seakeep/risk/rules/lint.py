"""What can be said against a book without running it: missing headers, unknown words, rules that cannot fire.

A rule is called unreachable only where that is proved: its bounds on one variable leave no number, a word is none of
the slot's, or it needs a fact that nothing asserts. Rules that contradict each other are searched for in `clash`.
"""

import math
from collections.abc import Iterator

import msgspec

from seakeep.core.registry import nearest
from seakeep.risk.rules.book import Book, Construct, Rule
from seakeep.risk.rules.syntax import Atom, Form, Node, atoms
from seakeep.risk.rules.vocabulary import Kind, Slot

__all__ = ["Remark", "lint"]

_FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": "="}


class Remark(msgspec.Struct, frozen=True, order=True):
    """One thing that is wrong (`error`) or missing (`warning`), and where."""

    line: int
    rule: str
    kind: str
    what: str
    level: str = "error"


def lint(book: Book) -> tuple[Remark, ...]:
    """Everything found, by line."""
    found = [remark for rule in book.rules.values() for remark in _headers(rule)]
    asserted = {name for construct in book.constructs for name in _asserted(construct)}
    for construct in book.constructs:
        if construct.kind == "defrule":
            found.extend(_defrule(construct, book, asserted))
    found.extend(_twins(book))
    return tuple(sorted(set(found)))


def _headers(rule: Rule) -> Iterator[Remark]:
    missing = [key for key, value in (("severity", rule.severity), ("text", rule.text)) if not value]
    for key in missing:
        yield Remark(rule.line, rule.id, "missing header", f";@{key} is missing")
    outcomes = {example.fires for example in rule.examples}
    for fires, word in ((True, "fires"), (False, "silent")):
        if fires not in outcomes:
            yield Remark(rule.line, rule.id, "missing test", f"no ;@test expects that it {word}", "warning")


def _defrule(construct: Construct, book: Book, asserted: set[str]) -> Iterator[Remark]:
    name, line = construct.rule or construct.name, construct.line
    conditions, actions = _sides(construct.form)
    if not construct.rule:
        yield Remark(line, construct.name, "missing header", "no ;@id above it", "warning")
    for told in _told(actions):
        if told.text not in book.rules:
            remedy = nearest(told.text, list(book.rules))
            yield Remark(told.line, name, "unknown rule", f"it asserts a finding of {told.text}; {remedy}")
    for form in _lists([*conditions, *actions]):
        yield from _slots(form, book, name)
    for form in _lists(conditions):
        own = any(c.kind == "deftemplate" and c.name == form.head for c in book.constructs)
        if own and form.head not in asserted:
            yield Remark(form.line, name, "unreachable", f"nothing asserts {form.head}")
    yield from _empty_bounds(conditions, name)


def _sides(form: Form) -> tuple[list[Node], list[Node]]:
    """What stands before the arrow, and what after."""
    items = list(form.items[2:])
    arrow = next((i for i, item in enumerate(items) if isinstance(item, Atom) and item.text == "=>"), len(items))
    return items[:arrow], items[arrow + 1 :]


def _lists(nodes: list[Node]) -> Iterator[Form]:
    for node in nodes:
        if isinstance(node, Form):
            yield node
            yield from _lists(list(node.items))


def _asserted(construct: Construct) -> Iterator[str]:
    """Names of the facts a construct brings about."""
    source = construct.form.items if construct.kind == "deffacts" else _sides(construct.form)[1]
    for form in _lists(list(source)):
        if form.head in ("assert", "duplicate", "deffacts"):
            yield from (item.head for item in form.items if isinstance(item, Form))
        elif construct.kind == "deffacts":
            yield form.head


def _told(actions: list[Node]) -> Iterator[Atom]:
    """The rule named by every finding that is asserted."""
    for form in _lists(actions):
        if form.head == "finding":
            for item in form.items:
                if isinstance(item, Form) and item.head == "rule" and len(item.items) == 2:
                    value = item.items[1]
                    if isinstance(value, Atom) and not value.text.startswith("?"):
                        yield value


def _slots(form: Form, book: Book, rule: str) -> Iterator[Remark]:
    template = book.vocabulary.templates.get(form.head)
    if template is None:
        return
    slots = {slot.name: slot for slot in template.slots}
    for item in form.items[1:]:
        if not isinstance(item, Form) or not item.head:
            continue
        slot = slots.get(item.head)
        if slot is None:
            what = f"{form.head} has no slot {item.head}; {nearest(item.head, list(slots))}"
            yield Remark(item.line, rule, "unknown slot", what)
        else:
            yield from _words(slot, item, form.head, rule)


def _words(slot: Slot, item: Form, template: str, rule: str) -> Iterator[Remark]:
    if slot.kind is not Kind.WORD or not slot.words or len(item.items) != 2:
        return
    value = item.items[1]
    if isinstance(value, Atom) and not value.text.startswith("?") and value.text not in (*slot.words, "nil"):
        allowed = ", ".join(slot.words)
        what = f"{slot.name} of {template} is never {value.text}, only {allowed} or nil"
        yield Remark(value.line, rule, "unreachable", what)


def _empty_bounds(conditions: list[Node], rule: str) -> Iterator[Remark]:
    """Variables whose bounds leave no number."""
    bounds: dict[str, tuple[float, bool, float, bool]] = {}
    for variable, relation, number, line in _comparisons(conditions):
        low, low_in, high, high_in = bounds.get(variable, (-math.inf, True, math.inf, True))
        if relation in (">", ">=", "=") and (number, relation != ">") != (low, low_in) and number >= low:
            low, low_in = number, relation != ">" and (number > low or low_in)
        if relation in ("<", "<=", "=") and number <= high:
            high, high_in = number, relation != "<" and (number < high or high_in)
        bounds[variable] = (low, low_in, high, high_in)
        if low > high or (low == high and not (low_in and high_in)):
            what = f"no number {variable} is both above {low:g} and below {high:g}"
            yield Remark(line, rule, "unreachable", what)
            return


def _comparisons(nodes: list[Node]) -> Iterator[tuple[str, str, float, int]]:
    """Comparisons of a variable with a number that must all hold; those under `or` and `not` are passed over."""
    for node in nodes:
        if not isinstance(node, Form) or node.head in ("or", "not", "exists", "forall"):
            continue
        if any(isinstance(item, Atom) and item.text == "|" for item in node.items):
            continue
        if node.head in _FLIPPED and len(node.items) == 3:
            yield from _comparison(node)
        else:
            yield from _comparisons(list(node.items))


def _comparison(form: Form) -> Iterator[tuple[str, str, float, int]]:
    first, second = form.items[1], form.items[2]
    if not (isinstance(first, Atom) and isinstance(second, Atom)):
        return
    relation = form.head
    if second.text.startswith("?"):
        first, second, relation = second, first, _FLIPPED[relation]
    try:
        number = float(second.text)
    except ValueError:
        return
    if first.text.startswith("?"):
        yield first.text, relation, number, form.line


def _twins(book: Book) -> Iterator[Remark]:
    """Rules under the same conditions of which one blocks and another says that all is well."""
    seen: dict[str, Construct] = {}
    for construct in book.constructs:
        if construct.kind != "defrule" or construct.rule not in book.rules:
            continue
        key = _shape(construct.form)
        other = seen.setdefault(key, construct)
        grave = {book.rules[c.rule].severity for c in (construct, other)}
        if other.rule != construct.rule and "block" in grave and "info" in grave:
            what = f"{other.rule} (line {other.line}) has the same conditions, and one blocks where the other does not"
            yield Remark(construct.line, construct.rule, "contradictory", what)


def _shape(form: Form) -> str:
    """The conditions with variables numbered in the order they come."""
    names: dict[str, str] = {}
    words = [atom.text for node in _sides(form)[0] for atom in atoms(node)]
    return " ".join(names.setdefault(word, f"?{len(names)}") if word.startswith("?") else word for word in words)
