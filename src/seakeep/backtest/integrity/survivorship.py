"""Whether the choice of symbols knew who would survive: the run with and without those that were delisted."""

from collections.abc import Sequence

import msgspec

from seakeep.backtest.integrity.judgement import Check
from seakeep.backtest.integrity.variation import Rerun, Variation
from seakeep.backtest.notation import day, percent
from seakeep.backtest.result import Result
from seakeep.core.market import InstrumentKind
from seakeep.core.units import DAY_MS, interval_ms
from seakeep.data.universe import split_symbol

__all__ = ["Listing", "delisted", "survivorship"]

_MARGIN_MS = 2 * DAY_MS
"""Bars that end this much before the run does end because the symbol did, not because a download was older."""


class Listing(msgspec.Struct, frozen=True):
    """When a symbol could be traded: the opens of its first and its last bar, UTC ms."""

    symbol: str
    first: int
    last: int


def delisted(listings: Sequence[Listing], start: int, end: int) -> tuple[Listing, ...]:
    """Symbols that could be traded in [start, end) and were gone at least two days before its end.

    >>> delisted([Listing("A/USDT", 0, 10 * DAY_MS), Listing("B/USDT", 0, 3 * DAY_MS)], DAY_MS, 10 * DAY_MS)
    (Listing(symbol='B/USDT', first=0, last=259200000),)
    """
    return tuple(one for one in listings if one.first < end and start <= one.last < end - _MARGIN_MS)


def survivorship(result: Result, rerun: Rerun, listings: Sequence[Listing]) -> Check:
    """Compares the run to one with the symbols of the store that were delisted while it lasted, or without them.

    `listings` are those of the store at the run's interval. Not judged if none was delisted: nothing then tells
    whether the symbols were chosen by who is still there.
    """
    name = "survivorship"
    start, end = int(result.curves.ts[0]) - interval_ms(result.interval), int(result.curves.ts[-1])
    peers = [one for one in listings if _market(one.symbol) == _market(result.symbols[0])]
    gone = {one.symbol: one for one in delisted(peers, start, end)}
    if not gone:
        reason = f"no {result.quote} symbol of the store was delisted while the run lasted: it cannot be told"
        return Check(name=name, status="not judged", reason=reason, figures=(("listings", float(len(peers))),))
    left_out = sorted(gone.keys() - set(result.symbols))
    staying = tuple(symbol for symbol in result.symbols if symbol not in gone)
    if left_out:
        whole, survivors = _growth(rerun(Variation(symbols=(*result.symbols, *left_out)))), _growth(result)
    else:
        whole, survivors = _growth(result), _growth(rerun(Variation(symbols=staying))) if staying else float("nan")
    ends: list[tuple[str, float | str]] = [(f"{symbol} ends", day(gone[symbol].last)) for symbol in sorted(gone)]
    figures = (
        *ends,
        ("return with the delisted, %", 100 * whole),
        ("return of survivors, %", 100 * survivors),
        ("delta, %", 100 * (survivors - whole)),
    )
    who = ", ".join(left_out or sorted(gone))
    if not left_out:
        reason = f"the delisted are kept: {who}; survivors alone would show {percent(survivors, signed=True)}"
        return Check(name=name, status="pass", reason=reason, figures=figures)
    reason = (
        f"the run leaves out {who}, delisted while it lasted: with them it returns {percent(whole, signed=True)} "
        f"instead of {percent(survivors, signed=True)}"
    )
    return Check(name=name, status="fail" if whole <= 0 < survivors else "warn", reason=reason, figures=figures)


def _market(symbol: str) -> tuple[str, InstrumentKind]:
    """Quote and kind: one account trades one of them."""
    _, quote, kind = split_symbol(symbol)
    return quote, kind


def _growth(result: Result) -> float:
    return float(result.curves.equity[-1]) / result.initial_cash - 1
