"""The last door before a venue: it lets through what the gate has sealed, and nothing else.

    approvals = Approvals(journal, charter, lambda: (state.portfolio, state.limits))     # the gate's side
    venue = SealedBroker(broker, charter, approvals.take)                                # the executor's side
    run(engine, feed, venue, approvals)

The gate's side listens to what is journaled: an order is sealed when a verdict that allows its decision has been
written, over the order, the book and the limits it was judged on, and an instant at which it expires. The executor
opens the seal against its own view: positions as the venue has them, limits as the journaled words of people left them,
its own clock. An order that was never sealed, was altered, has gone stale or was used before is answered with a
rejection and does not reach the venue. Cancelling needs no seal. Nothing here is random, so a replay repeats every
answer.
"""

from collections.abc import Callable, Iterable, Sequence

import msgspec

from seakeep.core.account import Portfolio, Position
from seakeep.core.errors import ConfigError, InvalidOrder
from seakeep.core.events import Command, Control, Event, Record, Rejected, Reply, Submit
from seakeep.core.orders import Order, Status
from seakeep.core.ports import Broker, Journal
from seakeep.core.verdicts import RiskVerdict
from seakeep.risk import ratchet
from seakeep.risk.limits import Limits
from seakeep.risk.seal import BookView, Terms, open_sealed, seal

__all__ = ["SEAL_MS", "Approvals", "Charter", "SealedBroker"]

SEAL_MS = 30_000
"""How long an order may be on its way from the gate to the venue."""


class Charter(msgspec.Struct, frozen=True, kw_only=True):
    """What both sides know before the run: its name, the key (32 bytes or more), the limits it starts with."""

    run_id: str
    key: bytes
    limits: Limits
    ratchet: ratchet.RatchetParams

    def book(self, portfolio: Portfolio) -> str:
        """Hash of what is held, by symbol."""
        held = (Position(symbol=s, qty=p.qty.normalize()) for s, p in portfolio.positions.items() if p.qty)
        return BookView(self.run_id, tuple(held), (), "").digest


class Approvals:
    """A journal that seals each order it is given, if an allowed verdict on the order's decision was written."""

    def __init__(self, journal: Journal, charter: Charter, judged: Callable[[], tuple[Portfolio, Limits]]) -> None:
        """`judged` tells the book and the limits that the event just processed was judged on."""
        self._journal, self._charter, self._judged = journal, charter, judged
        self._allowed: dict[str, str] = {}
        self._sealed: dict[str, bytes] = {}

    def write(self, event: Event, records: Sequence[Record]) -> None:
        """Journal the event with what it caused; then seal the orders among it."""
        self._journal.write(event, records)
        self._allowed |= {r.decision_id: r.symbol for r in records if isinstance(r, RiskVerdict) and r.allowed}
        for record in records:
            if isinstance(record, Order) and record.status is Status.SUBMITTED:
                self._seal(record)

    def commit(self) -> None:
        """As the journal's."""
        self._journal.commit()

    def take(self, order_id: str) -> bytes:
        """The sealed order of that id, handed out once; empty if there is none."""
        return self._sealed.pop(order_id, b"")

    def _seal(self, order: Order) -> None:
        if self._allowed.get(order.decision_id) == order.symbol:
            portfolio, limits = self._judged()
            terms = Terms(self._charter.book(portfolio), limits.version, order.ts + SEAL_MS, order.id)
            self._sealed[order.id] = seal(order, terms, self._charter.key)


class SealedBroker:
    """A venue behind a door that opens to sealed orders only."""

    def __init__(self, venue: Broker, charter: Charter, take: Callable[[str], bytes]) -> None:
        """`take` gives the seal that came with an order of that id."""
        self._venue, self._charter, self._take = venue, charter, take
        self._limits = ratchet.Ratchet(charter.limits)
        self._spent, self._now = _Spent(), 0
        self._refused: list[Reply] = []

    def advance(self, event: Event) -> Iterable[Reply]:
        """What was refused since the last event, then the venue's replies."""
        self._now = event.ts
        if isinstance(event, Control):
            self._limits = _turned(self._limits, self._charter.ratchet, event)
        refused, self._refused = self._refused, []
        return [*refused, *self._venue.advance(event)]

    def send(self, command: Command) -> None:
        """Pass on a cancellation, or the order under the seal; a rejection comes with the next event otherwise."""
        if not isinstance(command, Submit):
            self._venue.send(command)
            return
        try:
            opened = self._opened(command.order)
        except InvalidOrder as error:
            self._refused.append(Rejected(self._now, command.order.id, f"not carried out: {error}"))
        else:
            self._venue.send(Submit(opened))

    def snapshot(self) -> tuple[Portfolio, tuple[Order, ...]]:
        """The venue's own view."""
        return self._venue.snapshot()

    def _opened(self, order: Order) -> Order:
        """The order under the seal. Raises: InvalidOrder that says why it is not carried out."""
        book, version = self._charter.book(self._venue.snapshot()[0]), self._limits.limits.version
        token, key = self._take(order.id), self._charter.key
        opened = open_sealed(token, key, now=self._now, book=book, limits=version, spent=self._spent)
        if opened != order:
            raise InvalidOrder("another order than the one that was sealed", value=order.id)
        return opened


class _Spent:
    """Seals used and not yet expired: an expired one is refused anyway."""

    def __init__(self) -> None:
        self._until: dict[str, int] = {}

    def __contains__(self, nonce: object) -> bool:
        return nonce in self._until

    def use(self, nonce: str, expires_ts: int, now: int) -> bool:
        """Whether the nonce is new; from now on it is not."""
        while self._until and self._until[oldest := next(iter(self._until))] <= now:
            del self._until[oldest]
        new = nonce not in self._until
        self._until[nonce] = expires_ts
        return new


def _turned(now: ratchet.Ratchet, params: ratchet.RatchetParams, told: Control) -> ratchet.Ratchet:
    """The limits after a person's word; one that the ratchet refuses changes nothing."""
    try:
        match told.action:
            case "set-limits":
                return ratchet.request(now, params, told)
            case "confirm-limits":
                return ratchet.confirm(now, told.ts, told.id)
            case "cancel-limits":
                return ratchet.cancel(now, told.id)
            case _:
                return now
    except ConfigError:
        return now
