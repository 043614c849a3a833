"""The facts a rule book may speak of. A vocabulary is fixed in Python; a book adds rules, not words.

A row is `(template, values)`, one value a slot, None where it is not known: the slot then holds the symbol `nil`.
"""

from enum import StrEnum

import msgspec

__all__ = [
    "BALANCE",
    "FINDING",
    "PORTFOLIO",
    "VOCABULARIES",
    "Kind",
    "Row",
    "Rows",
    "Slot",
    "Template",
    "Value",
    "Vocabulary",
]

Value = float | int | str | None
Row = tuple[str, tuple[Value, ...]]
Rows = list[Row]


class Kind(StrEnum):
    """What a slot holds: a number, a whole number, a text of the outside world, or a word out of a known few."""

    NUMBER = "number"
    INDEX = "index"
    TEXT = "text"
    WORD = "word"


class Slot(msgspec.Struct, frozen=True):
    """One slot; `words` are what a WORD may be besides nil (none: any)."""

    name: str
    kind: Kind
    words: tuple[str, ...] = ()


class Template(msgspec.Struct, frozen=True):
    """A kind of fact; `numbered` where no two facts of a kind share their whole numbers, whatever else they hold."""

    name: str
    slots: tuple[Slot, ...]
    numbered: bool = False

    def source(self) -> str:
        """The deftemplate that declares it."""
        types = {
            Kind.NUMBER: "(type FLOAT SYMBOL) (default nil)",
            Kind.INDEX: "(type INTEGER) (default -1)",
            Kind.TEXT: '(type STRING) (default "")',
            Kind.WORD: "(type SYMBOL) (default nil)",
        }
        slots = " ".join(f"(slot {slot.name} {types[slot.kind]})" for slot in self.slots)
        return f"(deftemplate {self.name} {slots})"


class Vocabulary(msgspec.Struct, frozen=True):
    """Templates by name; `finding`, which rules assert, is one of every vocabulary."""

    name: str
    templates: dict[str, Template]


def _template(line: str) -> Template:
    """A template from "name#: slot slot/index slot/text slot=WORD|WORD"; # is numbered, a bare slot a number."""
    name, _, body = line.partition(":")
    slots = []
    for token in body.split():
        slot, equals, words = token.partition("=")
        slot, _, mark = slot.partition("/")
        kind = Kind.WORD if equals or mark == "word" else Kind(mark or "number")
        slots.append(Slot(slot, kind, tuple(words.split("|")) if words else ()))
    return Template(name.removesuffix("#"), tuple(slots), name.endswith("#"))


FINDING = _template("finding: rule/word n/index other/index value limit amount")
"""What a rule says: which rule, about which position (`n`, and the `other` of a pair), the number and its limit."""


def _vocabulary(name: str, *lines: str) -> Vocabulary:
    templates = [_template(line) for line in lines]
    return Vocabulary(name, {template.name: template for template in (*templates, FINDING)})


BALANCE = _vocabulary(
    "balance",
    "person#: balance timeframe/word known-timeframe=TRUE|FALSE diversification reward risk",
    "position#: n/index deal/text instrument/text name/text currency/text kind/text side=BUY|SELL "
    "check=TRUE|FALSE asked=TRUE|FALSE opening limit stop bid offer quantity lots exchange margin "
    "weight loss loss-share gain gain-ratio stop-risk reward-risk bandwidth "
    "stop-side=right|wrong limit-side=right|wrong",
    "indicator: n/index instrument/text kind/text value sentiment=bullish|bearish",
    "pair: n/index other/index correlation same-side=TRUE|FALSE",
    "extra: n/index owner=position|indicator|person name/text number text/text",
)
"""One request of the stateless door: a person's profile, their positions, indicators and correlations."""

PORTFOLIO = _vocabulary(
    "portfolio",
    "account#: equity drawdown daily-loss gross net var cvar volatility correlated p-ruin breaker/word limit-share",
    "candidate#: n/index symbol/text strategy/text regime/word side=BUY|SELL adds=TRUE|FALSE flips=TRUE|FALSE "
    "margined=TRUE|FALSE target held added score confidence stop-distance take-distance reward-risk loss-at-stop pnl",
    "market#: n/index symbol/text age-bars volume-1h volume-24h traded-1h share-1h share-24h volatility atr spread",
    "position: symbol/text weight margined=TRUE|FALSE",
    "orders: symbol/text count",
    "pair: n/index symbol/text correlation weight same-side=TRUE|FALSE",
    "sentiment: n/index symbol/text score volume confidence",
    "model: n/index expert/text share",
)
"""What the gate looks at for one slice; numbers are fractions of equity unless their name says otherwise."""

VOCABULARIES = {v.name: v for v in (BALANCE, PORTFOLIO)}
