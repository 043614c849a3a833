"""The card of a model version: what it is, what it was trained on, what it showed, and what it must not be used for."""

import math
from collections.abc import Mapping

import msgspec

from seakeep.core.units import iso
from seakeep.models.comparison import Comparison, Metrics

__all__ = ["Card", "changes", "text"]

Param = int | float | bool | str


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about a version but what it has learnt; times are UTC ms.

    It learnt from rows known in [`trained_from`, `trained_until`], was validated on later ones, and has seen nothing
    known after `seen_until`. `data` names the bars by content, `code` the release and the expert's own source. `parent`
    is the champion it was tried against, `test` how that went; `caused_by` is why it was trained.
    """

    expert: str
    params: Mapping[str, Param]
    interval: str
    symbols: tuple[str, ...]
    seed: int
    folds: int
    trained_from: int
    trained_until: int
    seen_until: int
    rows: int
    data: str
    code: str
    caused_by: str
    metrics: Metrics
    confidence: float
    coverage: float
    brier: float
    brier_base: float
    parent: str = ""
    test: Comparison | None = None

    @property
    def horizon(self) -> int:
        """How far it looks, in bars; 0 for a regime model, which tells of now."""
        return int(self.params.get("horizon", 0))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a user of this version must know."""
        if not self.horizon:
            return ("on real bars nobody knows the true regime, so nothing here says how often it is right",)
        found = []
        if not self.metrics.relative_loss < 1:
            found.append("its forecasts were no better than zero mean with the recent deviation")
        if self.brier > self.brier_base:
            found.append("its probabilities were no better than the plain share of rises")
        if self.metrics.trades and self.metrics.trades < 100:
            found.append(f"{self.metrics.trades} trades in validation are few: accuracy and profit factor are loose")
        return tuple(found)


def text(card: Card) -> str:
    """The card as a page of Markdown."""
    facts = {
        "expert": card.expert,
        "parameters": _params(card),
        "symbols, interval": f"{', '.join(card.symbols)}, {card.interval}",
        "learnt from": f"{iso(card.trained_from)} to {iso(card.trained_until)}, {card.rows:,} rows, seed {card.seed}",
        "data, code": f"{card.data[:12]}, {card.code}",
        "trained because": card.caused_by,
        **(_shown(card) if card.horizon else {}),
    }
    lines = [f"# {card.expert}", "", "| | |", "|---|---|", *(f"| {key} | {value} |" for key, value in facts.items())]
    bounds = f"Use it on {card.interval} bars, for rows known after {iso(card.seen_until)}; earlier rows shaped it."
    return "\n".join([*lines, "", bounds, *(f"Note: {warning}." for warning in card.warnings)]) + "\n"


def _shown(card: Card) -> dict[str, str]:
    """What it showed on rows it had not learnt from."""
    m = card.metrics
    return {
        "validated until": f"{iso(card.seen_until)}, {m.rows:,} rows",
        "confidence in its direction": _number(card.confidence),
        "loss over that of the naive forecast": _number(m.relative_loss),
        "correlation of mean and outcome": _number(m.ic),
        "accuracy": f"{_number(m.accuracy)} of {m.calls:,} calls",
        "profit factor before costs": f"{_number(m.profit_factor)} over {m.trades:,} trades",
        "Brier score, of the share of rises": f"{_number(card.brier)}, {_number(card.brier_base)}",
        "coverage of its 90 % intervals": _number(card.coverage),
        "against the champion": _test(card),
    }


def changes(old: Card, new: Card) -> tuple[tuple[str, object, object], ...]:
    """Fields of two cards that differ, as (name, old, new); nested ones by dotted names, in order."""
    before, after = (_flat("", msgspec.to_builtins(card)) for card in (old, new))
    names = dict.fromkeys([*before, *after])
    pairs = [(name, before.get(name), after.get(name)) for name in names]
    return tuple((name, a, b) for name, a, b in pairs if repr(a) != repr(b))


def _flat(prefix: str, value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        return {prefix: value}
    found: dict[str, object] = {}
    for key, part in value.items():
        found |= _flat(f"{prefix}.{key}" if prefix else str(key), part)
    return found


def _params(card: Card) -> str:
    return ", ".join(f"{key} {value}" for key, value in sorted(card.params.items()))


def _number(value: float) -> str:
    return "unknown" if math.isnan(value) else f"{value:.3f}"


def _test(card: Card) -> str:
    if not card.parent:
        return "there was none"
    if card.test is None:
        return f"{card.parent}: too few common rows to compare"
    return f"{card.parent}: t = {card.test.statistic:.2f}, p = {card.test.p_value:.3f}, {card.test.n:,} instants"
