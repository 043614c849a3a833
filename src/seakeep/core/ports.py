"""The plugs: what the engine's loop needs from the edges, as Protocols."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from seakeep.core.account import Portfolio
from seakeep.core.events import Command, Event, Record, Reply
from seakeep.core.market import BarFrame, Instrument
from seakeep.core.orders import Order

__all__ = ["BarStore", "Broker", "Feed", "Journal"]


class Feed(Protocol):
    """Market events in time order."""

    def __iter__(self) -> Iterator[Event]: ...


class Broker(Protocol):
    """A venue. `advance` gives the replies that became known up to the event; `send` never blocks on a fill."""

    def advance(self, event: Event) -> Iterable[Reply]: ...

    def send(self, command: Command) -> None: ...

    def snapshot(self) -> tuple[Portfolio, tuple[Order, ...]]:
        """The venue's own view: balances and positions, and open orders."""
        ...


class Journal(Protocol):
    """Where events and what they caused are kept, in order.

    `write` may buffer; after `commit` returns, everything written is durable. The loop commits before it sends.
    """

    def write(self, event: Event, records: Sequence[Record]) -> None: ...

    def commit(self) -> None: ...


class BarStore(Protocol):
    """Bars by symbol and interval."""

    def read(self, symbol: str, interval: str, start: int | None = None, end: int | None = None) -> BarFrame: ...

    def write(self, frame: BarFrame) -> int: ...

    def instrument(self, symbol: str) -> Instrument: ...
