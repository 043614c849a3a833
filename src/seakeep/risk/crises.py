"""Crises that happened, over again: what today's book would have lost, from bars that cover them.

It says which assets and days those bars do not cover; what is not covered has no loss, rather than none.
"""

from collections.abc import Mapping

import msgspec
import numpy as np

from seakeep.core.errors import DataError
from seakeep.core.market import BarFrame, Float64
from seakeep.core.units import interval_ms, iso, parse_time
from seakeep.risk.stress import Book, PositionLoss, equity_of, spot_of

__all__ = ["CRISES", "Crisis", "Replay", "replay"]


class Crisis(msgspec.Struct, frozen=True):
    """A stretch of real history, UTC days [start, end)."""

    name: str
    start: int
    end: int


CRISES: dict[str, Crisis] = {
    name: Crisis(name, parse_time(start), parse_time(end))
    for name, start, end in (
        ("march_2020", "20200307", "20200317"),
        ("may_2021", "20210512", "20210524"),
        ("may_2022", "20220505", "20220514"),
        ("november_2022", "20221105", "20221115"),
    )
}
"""Covid, the leverage flush after the mining ban, Terra, FTX: from the last calm close past the first low."""


class Replay(msgspec.Struct, frozen=True):
    """A crisis over again: the largest loss of today's quantities from the close before it, as a fraction of equity.

    `loss` is at closes, `worst` adds each position's worst price within the worst bar (they need not coincide, so it
    is a bound). Both are None unless every position is covered; `positions` then holds only those that are, and
    `uncovered` says what is missing and `covered` which share of the gross book is there.
    """

    crisis: str
    loss: float | None
    worst: float | None
    at: int | None
    covered: float
    positions: tuple[PositionLoss, ...]
    uncovered: tuple[tuple[str, str], ...]


def replay(book: Book, frames: Mapping[str, BarFrame], crisis: Crisis) -> Replay:
    """Let `crisis` happen to the book, quantities held, cash still; bars of one interval, by symbol.

    A perpetual without bars of its own uses those of its spot.

    Raises: DataError if equity is not positive, intervals differ or a price is not a positive number.
    """
    equity_of(book)
    bars, uncovered = {}, []
    for symbol, _ in book.values:
        frame = frames.get(spot_of(symbol, frames))
        reason = _gap(frame, crisis)
        if frame is None or reason:
            uncovered.append((symbol, reason))
        else:
            bars[symbol] = frame.between(crisis.start - interval_ms(frame.interval), crisis.end)
    if len({frame.interval for frame in bars.values()}) > 1:
        raise DataError("bars of one interval are needed", value=sorted({f.interval for f in bars.values()}))
    gross = sum(abs(value) for _, value in book.values)
    share = sum(abs(value) for symbol, value in book.values if symbol in bars) / gross if gross else 1.0
    return _replayed(book, bars, crisis, share, tuple(uncovered))


def _gap(frame: BarFrame | None, crisis: Crisis) -> str:
    """Why these bars do not cover the crisis and the bar before it; empty if they do."""
    if frame is None:
        return "no bars"
    step = interval_ms(frame.interval)
    wanted = np.arange(crisis.start - step, crisis.end, step)
    missing = wanted[~np.isin(wanted, frame.ts)]
    if not len(missing):
        return ""
    return f"{len(missing)} of {len(wanted)} bars missing, {iso(int(missing[0]))} to {iso(int(missing[-1]))}"


def _replayed(
    book: Book, bars: Mapping[str, BarFrame], crisis: Crisis, share: float, uncovered: tuple[tuple[str, str], ...]
) -> Replay:
    held = [(symbol, value) for symbol, value in book.values if symbol in bars]
    if not held:
        empty = 0.0 if not uncovered else None
        return Replay(crisis.name, empty, empty, None, share, (), uncovered)
    paths, extremes = np.array([_losses(bars[symbol], value) for symbol, value in held]).transpose(1, 0, 2)
    totals, bounds = paths.sum(axis=0), extremes.sum(axis=0)
    at, whole = int(totals.argmax()), not uncovered
    positions = tuple(PositionLoss(s, v, float(loss)) for (s, v), loss in zip(held, paths[:, at], strict=True))
    loss, worst = (max(0.0, float(row.max())) / book.equity if whole else None for row in (totals, bounds))
    return Replay(crisis.name, loss, worst, int(bars[held[0][0]].ts[at + 1]), share, positions, uncovered)


def _losses(frame: BarFrame, value: float) -> tuple[Float64, Float64]:
    """Loss of a position at each close of the crisis, and at each bar's worst price, against the close before it."""
    prices = np.stack([frame.close, frame.low, frame.high])
    if not (np.isfinite(prices).all() and (prices > 0).all()):
        raise DataError(f"{frame.symbol} has a price that is not a positive number", remedy="fix or drop the row")
    worst = frame.low if value > 0 else frame.high
    return value * (1 - frame.close[1:] / frame.close[0]), value * (1 - worst[1:] / frame.close[0])
