"""The members of a selector, followed on paper: the record that a selection rests on."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from seakeep.strategy.decide import Blend, Thresholds, stance
from seakeep.strategy.selection import Moment, Selection, Selector

__all__ = ["Paper", "Seen"]


class Seen(NamedTuple):
    """One market at a bar: its price, its regime and volatility, what a side costs, and each member's score."""

    symbol: str
    price: float
    regime: str
    wild: bool | None
    cost: float
    can_short: bool
    scores: Mapping[str, float]


@dataclass(slots=True)
class _Held:
    """A paper position: its side, what it has made, and when it was opened."""

    side: int = 0
    made: float = 0.0
    opened: int = 0


class Paper:
    """Trades every member on paper, in every market with the same money, and selects among them."""

    def __init__(self, selector: Selector, thresholds: Thresholds, bars_per_year: float) -> None:
        self.selection = Selection(selector, bars_per_year)
        self.thresholds, self.members = thresholds, selector.parts
        self._held: dict[str, dict[str, _Held]] = {name: {} for name in selector.parts}
        self._last: dict[str, Seen] = {}

    def follow(self, seen: Sequence[Seen], moment: Moment) -> None:
        """Count the bar that has just closed for every member, let each take its new stance, and select."""
        for name, record in self.selection.records.items():
            made = [self._bar(name, market, moment.ts) for market in seen]
            for market, value in zip(seen, made, strict=True):
                before = self._last.get(market.symbol)
                if before is not None:
                    record.moment(value, before.regime, before.wild)
            record.bar(sum(made) / len(made))
        self._last |= {market.symbol: market for market in seen}
        self.selection.review(_leanings(seen, tuple(self.selection.records)), moment)

    def score(self, symbol: str) -> float:
        """The newest score of the chosen member on that market."""
        return self._last[symbol].scores[self.selection.active]

    def _bar(self, name: str, market: Seen, ts: int) -> float:
        """What this member made in that market with its last bar, less what its new stance costs."""
        held = self._held[name].setdefault(market.symbol, _Held())
        before = self._last.get(market.symbol)
        made = held.side * (market.price / before.price - 1.0) if before is not None else 0.0
        held.made += made
        wanted = self._wanted(market, name, held.side)
        if wanted == held.side:
            return made
        cost = abs(wanted - held.side) * market.cost
        if held.side:
            self.selection.records[name].trade(held.made - market.cost, held.opened)
        self._held[name][market.symbol] = _Held(wanted, -market.cost if wanted else 0.0, ts)
        return made - cost

    def _wanted(self, market: Seen, name: str, side: int) -> int:
        """What the member would hold; nothing while it abstains."""
        score = market.scores[name]
        if math.isnan(score):
            return 0
        return stance(Blend(score, 1.0, ()), side, self.thresholds, can_short=market.can_short)


def _leanings(seen: Sequence[Seen], names: Sequence[str]) -> dict[str, float | None]:
    """Mean score of each member over the markets on which it has one."""
    found: dict[str, float | None] = {}
    for name in names:
        scores = [score for score in (market.scores[name] for market in seen) if not math.isnan(score)]
        found[name] = sum(scores) / len(scores) if scores else None
    return found
