"""What the store holds beside bars: news, observations by symbol and name, order books, each with its longest gap."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from seakeep.data.depth import all_books
from seakeep.data.news import read_news
from seakeep.data.observations import all_observations

__all__ = ["Held", "inventory"]


class Held(msgspec.Struct, frozen=True):
    """Data of one kind: how many, when the first and the last became known, the longest time without any, and how many
    are not known yet at the instant of the inventory."""

    kind: str
    name: str
    symbol: str
    count: int
    first: int
    last: int
    longest_gap_ms: int
    later: int


def inventory(root: Path, now: int) -> tuple[Held, ...]:
    """Everything beside the bars, news first, as it stands at `now` (UTC ms). Raises: DataError for a damaged file."""
    found = _held("news", "news", "", [item.known_at for item in read_news(root)], now)
    groups: dict[tuple[str, str], list[int]] = {}
    for one in all_observations(root):
        groups.setdefault((one.symbol or "market", one.name), []).append(one.known_at)
    for (symbol, name), known in sorted(groups.items()):
        found += _held("observation", name, symbol, known, now)
    for symbol, books in sorted(all_books(root).items()):
        found += _held("books", "order books", symbol, [seen.known_at for seen in books], now)
    return tuple(found)


def _held(kind: str, name: str, symbol: str, known: Sequence[int], now: int) -> list[Held]:
    if not known:
        return []
    ts = np.sort(np.array(known, np.int64))
    gap = int(np.diff(ts).max()) if len(ts) > 1 else 0
    return [Held(kind, name, symbol, len(ts), int(ts[0]), int(ts[-1]), gap, int((ts > now).sum()))]
