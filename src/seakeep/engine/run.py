"""The one loop. Backtest, paper and live differ only in the feed, the broker and the journal they pass in."""

from collections.abc import Callable

from seakeep.core.events import Event
from seakeep.core.ports import Broker, Feed, Journal
from seakeep.engine.engine import Engine

__all__ = ["run", "step"]


def step(engine: Engine, broker: Broker, journal: Journal, event: Event) -> None:
    """Process one event: what it caused is committed before anything is sent."""
    result = engine.process(event)
    journal.write(event, result.records)
    if result.commands:
        journal.commit()
        for command in result.commands:
            broker.send(command)


def run(
    engine: Engine, feed: Feed, broker: Broker, journal: Journal, seen: Callable[[int], None] | None = None
) -> None:
    """Feed events to the engine until there are no more; `seen(ts)` is called after each, for a progress bar."""
    for event in feed:
        for reply in tuple(broker.advance(event)):
            step(engine, broker, journal, reply)
        step(engine, broker, journal, event)
        if seen is not None:
            seen(event.ts)
    journal.commit()
