"""Stored history as a feed: one `Slice` for each instant at which something became known."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any, TypeVar

import numpy as np

from seakeep.core.errors import DataError
from seakeep.core.events import Slice
from seakeep.core.market import Bar, BarFrame, Int64, NewsItem, Observation
from seakeep.core.units import interval_ms, iso

__all__ = ["HistoricalFeed"]

_CHUNK = 16_384
"""Slices built at a time: bounds the memory of a long history, and costs nothing."""
_VALUES = ("open", "high", "low", "close", "volume")
Dated = TypeVar("Dated", Observation, NewsItem)


class HistoricalFeed:
    """A `core.ports.Feed` over bars of any symbols and intervals, observations and news, ordered by `known_at`.

    Each slice holds all that became known at its `ts`; its bars are sorted by symbol, then length of the interval. A
    symbol with a gap, or delisted, is absent from the slices it has no bar for. Only instants later than `start_after`
    are given, which is how a run is taken up where it stopped. Every iteration starts from the beginning.

    >>> frame = BarFrame.from_rows("BTC/USDT", "1m", [(0, 10, 12, 9, 11, 5), (60_000, 11, 11, 8, 9, 7)])
    >>> [(s.ts, s.bars[0].close) for s in HistoricalFeed([frame])]
    [(60000, 11.0), (120000, 9.0)]

    Raises: DataError naming symbol and time if a frame's times do not ascend, a value is not a finite number, two
    frames hold the same symbol and interval, or a news item is known before it was published.
    """

    def __init__(
        self,
        frames: Sequence[BarFrame],
        observations: Iterable[Observation] = (),
        news: Iterable[NewsItem] = (),
        *,
        start_after: int | None = None,
    ) -> None:
        self._frames = sorted(frames, key=lambda f: (f.symbol, interval_ms(f.interval)))
        _check_frames(self._frames)
        self._observations = _by_instant(observations, lambda o: (o.known_at, o.source, o.name, o.symbol or "", o.ts))
        self._news = _by_instant(news, lambda n: (n.known_at, n.source, n.ts, n.title))
        _check_news(self._news)
        self._known = [frame.known_at for frame in self._frames]
        self._instants = self._merge(start_after)

    def __len__(self) -> int:
        """How many slices there are."""
        return len(self._instants)

    def __iter__(self) -> Iterator[Slice]:
        for first in range(0, len(self._instants), _CHUNK):
            instants = self._instants[first : first + _CHUNK]
            bars, stops = self._bars(instants)
            start = 0
            for ts, stop in zip(instants.tolist(), stops, strict=True):
                yield Slice(
                    ts, bars[start:stop], observations=self._observations.get(ts, ()), news=self._news.get(ts, ())
                )
                start = stop

    def _merge(self, start_after: int | None) -> Int64:
        dated = [np.fromiter(group, np.int64, len(group)) for group in (self._observations, self._news)]
        instants = np.unique(np.concatenate([*self._known, *dated]))
        return instants if start_after is None else instants[instants > start_after]

    def _bars(self, instants: Int64) -> tuple[tuple[Bar, ...], list[int]]:
        """All bars known at these instants in slice order, and for each instant where its bars stop."""
        rows = [np.searchsorted(known, (instants[0], instants[-1] + 1)) for known in self._known]
        cuts = [frame.rows(int(a), int(b)) for frame, (a, b) in zip(self._frames, rows, strict=True)]
        known = np.concatenate([instants[:0], *(cut.known_at for cut in cuts)])
        order = np.argsort(known, kind="stable")
        owner = np.repeat(np.arange(len(cuts)), np.array([len(cut) for cut in cuts], np.int64))[order].tolist()
        columns = [
            np.concatenate([getattr(cut, name) for cut in cuts])[order].tolist() if cuts else []
            for name in ("ts", *_VALUES)
        ]
        opens, *values = columns
        symbols, intervals = ([getattr(cut, name) for cut in cuts] for name in ("symbol", "interval"))
        named = (map(names.__getitem__, owner) for names in (symbols, intervals))
        bars = tuple(map(Bar, *named, opens, known[order].tolist(), *values))
        return bars, np.searchsorted(known[order], instants, "right").tolist()


def _by_instant(items: Iterable[Dated], key: Callable[[Dated], Any]) -> Mapping[int, tuple[Dated, ...]]:
    ordered = sorted(items, key=key)
    return {ts: tuple(group) for ts, group in groupby(ordered, key=attrgetter("known_at"))}


def _check_frames(frames: Sequence[BarFrame]) -> None:
    """Frames come sorted, so two of the same symbol and interval are neighbours."""
    for before, frame in zip([None, *frames], frames, strict=False):
        what = f"{frame.symbol} {frame.interval}"
        if before is not None and (before.symbol, before.interval) == (frame.symbol, frame.interval):
            raise DataError(f"{what} bars were given twice", remedy="merge them into one frame")
        _check_times(frame, what)
        for name in _VALUES:
            bad = ~np.isfinite(getattr(frame, name))
            if bad.any():
                row = int(np.argmax(bad))
                value = float(getattr(frame, name)[row])
                message = f"{what} at {iso(int(frame.ts[row]))}: {name} must be a finite number"
                raise DataError(message, value=value, remedy="drop the bar")


def _check_times(frame: BarFrame, what: str) -> None:
    disorder = np.diff(frame.ts) <= 0
    if disorder.any():
        row = int(np.argmax(disorder)) + 1
        late, early = int(frame.ts[row]), int(frame.ts[row - 1])
        wrong = "is there twice" if late == early else f"comes after {iso(early)}"
        raise DataError(f"{what}: the bar at {iso(late)} {wrong}", remedy="sort the bars and drop duplicates")


def _check_news(news: Mapping[int, tuple[NewsItem, ...]]) -> None:
    for ts, items in news.items():
        for item in items:
            if ts < item.ts:
                message = f"news {item.title!r} is known at {iso(ts)}, before it was published at {iso(item.ts)}"
                raise DataError(message, remedy="set known_at to when it could be read")
