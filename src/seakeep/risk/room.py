"""What is left under the limits of the whole book, and how the additions of a slice share it.

Each figure of the book is a convex function of the share s in [0, 1] of the additions that is made, so the largest
share within a limit is one number. A book that is over a limit already takes only additions that lower the figure.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import NamedTuple

import msgspec
import numpy as np

from seakeep.core.market import Float64
from seakeep.risk.case import Case
from seakeep.risk.measures import Tail, correlated, tail_of

__all__ = ["NEAR", "ROOM_RULES", "Book", "Check", "all_checks", "fits"]

NEAR = 0.8
"""A limit used to this share is a near miss."""
ROOM_RULES = frozenset(
    ["max_gross", "max_net", "max_leverage", "max_concentration", "max_correlated", "max_cvar", "max_marginal_cvar"]
)
"""Names of the limits on the whole book."""
_EXACT = 1e-12
_HALVINGS = 40
_UNKNOWN: Mapping[str, float] = MappingProxyType({})


class Check(NamedTuple):
    """A figure of the book with all additions, its limit, and the share of the members' additions that fits."""

    rule: str
    value: float
    limit: float
    share: float
    members: frozenset[str]
    message: str


class Book(msgspec.Struct, frozen=True, eq=False, dict=True):
    """Weights (k,) of `symbols` without the additions of the slice, and the additions; as lists, for k is small."""

    case: Case
    symbols: tuple[str, ...]
    base: list[float]
    added: list[float]

    @classmethod
    def of(cls, case: Case, base: Mapping[str, float], added: Mapping[str, float]) -> "Book":
        """From weights by symbol; a symbol that is neither held nor asked for is left out."""
        symbols = tuple([s for s in dict.fromkeys([*base, *added]) if base.get(s, 0.0) or added.get(s, 0.0)])
        return cls(case, symbols, [base.get(s, 0.0) for s in symbols], [added.get(s, 0.0) for s in symbols])

    def at(self, share: float) -> list[float]:
        """Weights (k,) with that share of every addition."""
        return [b + share * a for b, a in zip(self.base, self.added, strict=True)]

    @cached_property
    def members(self) -> frozenset[str]:
        """Symbols that are added to."""
        return frozenset(s for s, a in zip(self.symbols, self.added, strict=True) if a)

    @cached_property
    def tail(self) -> Tail | None:
        """The days its tail rests on; None if not known."""
        return tail_of(self.case.history, self.symbols, self.case.limits)

    @cached_property
    def correlation(self) -> Float64:
        """Correlations (k, k) of its symbols; NaN where not known."""
        k, history = len(self.symbols), self.case.history
        found = np.full((k, k), np.nan)
        if history is not None and history.correlation is not None:
            rows = [i for i, s in enumerate(self.symbols) if s in history.symbols]
            columns = [history.symbols.index(self.symbols[i]) for i in rows]
            found[np.ix_(rows, rows)] = history.correlation[np.ix_(columns, columns)]
        np.fill_diagonal(found, 1.0)
        return found


def fits(case: Case, base: Mapping[str, float], added: Mapping[str, float]) -> bool:
    """Whether a book and what is added to it (weights by symbol) are so small that no figure can come near its limit.

    Every figure but the leverage is at most the sum of the absolute weights, and the CVaR at most the sum of what each
    position has alone (it is subadditive).
    """
    limits, history, gross, worst = case.limits, case.history, 0.0, 0.0
    alone = _UNKNOWN if history is None or history.alone is None else history.alone
    for side in (base, added):
        for symbol, weight in side.items():
            if weight:
                gross += abs(weight)
                worst += abs(weight) * alone.get(symbol, math.inf)
    least = min(limits.max_gross, limits.max_net, limits.max_correlated, limits.max_concentration)
    if gross >= 1.0 or gross >= NEAR * min(least, limits.max_leverage * (1.0 - gross)):
        return False
    return history is None or worst < NEAR * min(limits.max_cvar, limits.max_marginal_cvar) * case.limit_share


def all_checks(book: Book) -> Iterator[Check]:
    """Every limit on the whole book, in the order they are named to people."""
    yield _gross(book)
    yield from _net(book)
    yield from _leverage(book)
    if len(book.symbols) > 1:
        yield from _coins(book)
        yield from _clusters(book)
    if book.tail is not None:
        yield from _tail(book, book.tail)


def _share(figure: Callable[[float], float], limit: float) -> tuple[float, float]:
    """The figure with all additions, and the largest share of them within the limit."""
    full = figure(1.0)
    if full <= limit + _EXACT * abs(limit):
        return full, 1.0
    empty = figure(0.0)
    if empty >= limit:
        return full, 1.0 if full <= empty else 0.0
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if figure(middle) <= limit else (low, middle)
    return full, low


def _gross(book: Book) -> Check:
    """Additions share what is left in proportion to what they ask."""
    limit = book.case.limits.max_gross
    gross, added = sum([abs(w) for w in book.at(1.0)]), sum([abs(a) for a in book.added])
    excess = gross - limit
    share = 1.0 if excess <= _EXACT * limit or added <= 0 else max(0.0, 1.0 - excess / added)
    message = "additions of this slice share what is left of the gross limit"
    return Check("max_gross", gross, limit, share, book.members, message)


def _net(book: Book) -> Iterator[Check]:
    limit = book.case.limits.max_net
    value, share = _share(lambda s: abs(sum(book.at(s))), limit)
    yield Check("max_net", value, limit, share, book.members, "long less short of the whole book")


def _leverage(book: Book) -> Iterator[Check]:
    """Perpetuals p against equity not in spot coins: p <= limit x (1 - spot), which is convex."""
    limit = book.case.limits.max_leverage
    margined = [book.case.margined(s) for s in book.symbols]
    if not any(margined):
        return

    def used(share: float) -> float:
        sides = zip(book.at(share), margined, strict=True)
        return sum([abs(w) if perpetual else limit * abs(w) for w, perpetual in sides])

    full, share = _share(used, limit)
    spot = sum([abs(w) for w, perpetual in zip(book.at(1.0), margined, strict=True) if not perpetual])
    value = (full - limit * spot) / (1.0 - spot) if spot < 1.0 else full
    yield Check("max_leverage", value, limit, share, book.members, "perpetuals over the equity that backs them")


def _coins(book: Book) -> Iterator[Check]:
    limit = book.case.limits.max_concentration
    coins: dict[str, list[int]] = {}
    for i, symbol in enumerate(book.symbols):
        coins.setdefault(symbol.partition("/")[0], []).append(i)
    for coin, rows in coins.items():
        members = frozenset(book.symbols[i] for i in rows) & book.members
        if len(rows) > 1 and members:
            value, share = _share(lambda s, rows=rows: abs(sum([book.at(s)[i] for i in rows])), limit)  # type: ignore[misc]
            yield Check("max_concentration", value, limit, share, members, f"net exposure to {coin} in all instruments")


def _clusters(book: Book) -> Iterator[Check]:
    """The neighbourhood of every position; only the tightest is named, but each holds for its own members."""
    limits, known = book.case.limits, book.correlation
    threshold = limits.correlation_threshold * book.case.correlation_factor
    exposure = correlated(known, np.array(book.at(1.0)), threshold)
    for i in np.argsort(-exposure, kind="stable").tolist():
        near = np.abs(known[i]) >= threshold
        members = frozenset(s for s, m in zip(book.symbols, near | np.isnan(known[i]), strict=True) if m)
        if not members & book.members:
            continue

        def moves(s: float, i: int = i) -> float:
            return float(correlated(known, np.array(book.at(s)), threshold)[i])

        value, share = _share(moves, limits.max_correlated)
        message = f"net exposure of what moves with {book.symbols[i]}"
        yield Check("max_correlated", value, limits.max_correlated, share, members & book.members, message)
        if share == 1.0:
            return


def _tail(book: Book, tail: Tail) -> Iterator[Check]:
    limits, left = book.case.limits, book.case.limit_share
    base, added = np.array(book.base), np.array(book.added)
    level = f"at {limits.var_confidence:.0%}, a day"
    limit, most = limits.max_cvar * left, limits.max_marginal_cvar * left
    value, share = _share(lambda s: tail.cvar(base + s * added), limit)
    yield Check("max_cvar", value, limit, share, book.members, f"CVaR of the book {level}")
    for i, symbol in enumerate(book.symbols):
        if not book.added[i]:
            continue
        rest, own = base + added, np.zeros(len(base))
        rest[i], own[i] = base[i], added[i]
        without = tail.cvar(rest)
        adds, part = value - without, 1.0
        if adds > most + _EXACT:
            adds, part = _share(lambda s, rest=rest, own=own: tail.cvar(rest + s * own), most + without)  # type: ignore[misc]
            adds -= without
        message = f"what this decision adds to the CVaR of the book {level}"
        yield Check("max_marginal_cvar", adds, most, part, frozenset({symbol}), message)
