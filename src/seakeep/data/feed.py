"""Stored history as a feed: one `Slice` for each instant at which something became known."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import TypeVar

import numpy as np

from seakeep.core.errors import DataError
from seakeep.core.events import Slice
from seakeep.core.market import Bar, BarFrame, Int64, NewsItem, Observation, OrderBook
from seakeep.core.units import interval_ms, iso
from seakeep.data.depth import BookSeen
from seakeep.data.observations import FUNDING_RATE

__all__ = ["HistoricalFeed"]

_CHUNK = 16_384
"""Slices built at a time: bounds the memory of a long history, and costs nothing."""
_VALUES = ("open", "high", "low", "close", "volume")
Known = TypeVar("Known", Observation, NewsItem, BookSeen)


class HistoricalFeed:
    """A `core.ports.Feed` over bars of any symbols and intervals and what is known beside them, ordered by `known_at`.

    Each slice holds all that became known at its `ts`; its bars are sorted by symbol, then length of the interval. A
    symbol with a gap, or delisted, is absent from the slices it has no bar for. News, readings of sentiment and order
    books come with the first bar that is known when they are, or later: nothing is decided between bars; of several
    books of a symbol the newest is given. A funding rate is owed at its own instant and comes then. Only instants later
    than `start_after` are given, which is how a run is taken up where it stopped. Every iteration starts from the
    beginning.

    >>> frame = BarFrame.from_rows("BTC/USDT", "1m", [(0, 10, 12, 9, 11, 5), (60_000, 11, 11, 8, 9, 7)])
    >>> [(s.ts, s.bars[0].close) for s in HistoricalFeed([frame])]
    [(60000, 11.0), (120000, 9.0)]

    Raises: DataError naming symbol and time if a frame's times do not ascend, a value is not a finite number, two
    frames hold the same symbol and interval, or something is known before it happened.
    """

    def __init__(
        self,
        frames: Sequence[BarFrame],
        observations: Iterable[Observation] = (),
        news: Iterable[NewsItem] = (),
        books: Iterable[BookSeen] = (),
        *,
        start_after: int | None = None,
    ) -> None:
        self._frames = sorted(frames, key=lambda f: (f.symbol, interval_ms(f.interval)))
        _check_frames(self._frames)
        self._known = [frame.known_at for frame in self._frames]
        bars = np.unique(np.concatenate([np.empty(0, np.int64), *self._known]))
        seen = sorted(observations, key=lambda o: (o.known_at, o.source, o.name, o.symbol or "", o.ts))
        owed = np.array([o.known_at for o in seen if o.name == FUNDING_RATE], np.int64)
        self._instants = np.unique(np.concatenate([bars, owed]))
        self._observations = _by_instant(seen, self._instants)
        told = sorted(news, key=lambda n: (n.known_at, n.source, n.ts, n.title, n.url))
        _check_news(told)
        self._news = _by_instant(told, bars)
        self._books = _by_instant(sorted(books, key=lambda b: (b.known_at, b.book.ts, b.book.symbol)), bars)
        if start_after is not None:
            self._instants = self._instants[self._instants > start_after]

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
                    ts,
                    bars[start:stop],
                    books=_newest(self._books.get(ts, ())),
                    observations=self._observations.get(ts, ()),
                    news=self._news.get(ts, ()),
                )
                start = stop

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


def _by_instant(items: Sequence[Known], instants: Int64) -> Mapping[int, tuple[Known, ...]]:
    """What comes at which of the instants (n,), ascending: the first at which it is known. Later ones are left out."""
    known = np.array([item.known_at for item in items], np.int64)
    rows = np.searchsorted(instants, known)
    by_row = groupby(zip(rows.tolist(), items, strict=True), key=itemgetter(0))
    return {int(instants[row]): tuple([item for _, item in group]) for row, group in by_row if row < len(instants)}


def _newest(seen: Sequence[BookSeen]) -> tuple[OrderBook, ...]:
    """The last book of each symbol, by symbol."""
    last = {one.book.symbol: one.book for one in seen}
    return tuple([last[symbol] for symbol in sorted(last)])


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


def _check_news(news: Sequence[NewsItem]) -> None:
    for item in news:
        if item.known_at < item.ts:
            known, said = iso(item.known_at), iso(item.ts)
            message = f"news {item.title!r} is known at {known}, before it was published at {said}"
            raise DataError(message, remedy="set known_at to when it could be read")
