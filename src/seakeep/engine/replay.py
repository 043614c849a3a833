"""Replay: the journal alone rebuilds the state that was running. Recovery, audit and tests are this one mechanism.

To take up a run that was killed, run it again from its own journal: `market_events` are the feed, a fresh simulated
venue repeats its replies, and the ledger holds every entry against what it has kept before it goes on writing.
"""

from collections.abc import Iterable, Iterator, Sequence

from seakeep.core.errors import IntegrityError
from seakeep.core.events import Control, Event, Record, Slice, Tick
from seakeep.engine.engine import Engine

__all__ = ["Entry", "market_events", "replay"]

Entry = tuple[int, Event, Sequence[Record]]
"""Sequence number, event, and the records it caused, as the journal kept them."""


def replay(engine: Engine, entries: Iterable[Entry]) -> None:
    """Process every journaled event and hold what it causes against what was written.

    Raises: IntegrityError naming the entry that does not replay.
    """
    for entry in entries:
        _same(entry, entry[1], engine.process(entry[1]).records)


def market_events(entries: Iterable[Entry]) -> Iterator[Event]:
    """The events that came from the feed, without the venue's replies."""
    return (event for _, event, _ in entries if isinstance(event, Slice | Tick | Control))


def _same(entry: Entry, event: Event, records: Sequence[Record]) -> None:
    seq, kept_event, kept_records = entry
    now, kept = [event, *records], [kept_event, *kept_records]
    if now != kept:
        differing = next((pair for pair in zip(now, kept, strict=False) if pair[0] != pair[1]), (len(now), len(kept)))
        raise IntegrityError(
            f"entry {seq} does not replay: now {differing[0]}, journaled {differing[1]}",
            remedy="restore the configuration, data and version the run was made with",
        )
