"""Nothing reaches the venue that the gate has not sealed, however events and commands follow each other."""

from collections.abc import Iterable
from decimal import Decimal

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seakeep.backtest.driver import MemoryJournal
from seakeep.brokers import SimBroker
from seakeep.brokers.executor import SEAL_MS, Approvals, Charter, SealedBroker
from seakeep.core.account import Portfolio, Position
from seakeep.core.beliefs import FeatureFrame
from seakeep.core.events import Cancel, Command, Control, Event, Record, Rejected, Reply, Slice, Submit, Tick
from seakeep.core.market import Bar, Float64, Instrument
from seakeep.core.orders import Order, OrderType, Side, Status
from seakeep.core.units import HOUR_MS
from seakeep.core.verdicts import Outcome, RiskVerdict
from seakeep.engine.engine import Engine
from seakeep.engine.pipeline import Pipeline
from seakeep.engine.run import run
from seakeep.risk.limits import Limits
from seakeep.risk.ratchet import RatchetParams
from seakeep.strategy import Strategy

CHARTER = Charter(run_id="r", key=bytes(range(32)), limits=Limits(), ratchet=RatchetParams())
COINS = ("BTC", "ETH")


class Venue:
    """A venue that keeps what it is sent; `held` is its book."""

    def __init__(self) -> None:
        self.sent: list[Command] = []
        self.held = Decimal(0)

    def advance(self, event: Event) -> Iterable[Reply]:
        return ()

    def send(self, command: Command) -> None:
        self.sent.append(command)

    def snapshot(self) -> tuple[Portfolio, tuple[Order, ...]]:
        return book(self.held), ()


class Desk:
    """Both sides of the door, with a book and limits that the gate judges on."""

    def __init__(self) -> None:
        self.venue, self.held, self.limits = Venue(), Decimal(0), CHARTER.limits
        self.gate = Approvals(MemoryJournal(), CHARTER, lambda: (book(self.held), self.limits))
        self.door = SealedBroker(self.venue, CHARTER, self.gate.take)
        self.tick(0)

    def tick(self, ts: int) -> list[Reply]:
        return list(self.door.advance(Tick(ts)))

    def judge(self, order: Order, outcome: Outcome = Outcome.APPROVED, symbol: str = "A/U") -> None:
        self.gate.write(Tick(0), [verdict(order.decision_id, outcome, symbol), order])


def book(held: Decimal) -> Portfolio:
    return Portfolio(quote="U", cash={"U": Decimal(1)}, positions={"A/U": Position(symbol="A/U", qty=held)})


def order(number: int, qty: str = "1", decision: str = "") -> Order:
    return Order(
        id=f"o{number}", parent_id="p", decision_id=decision or f"d{number}", symbol="A/U", venue="sim", side=Side.BUY,
        type=OrderType.MARKET, qty=Decimal(qty), ts=0, status=Status.SUBMITTED,
    )  # fmt: skip


def verdict(decision: str, outcome: Outcome, symbol: str) -> RiskVerdict:
    return RiskVerdict(decision, symbol, 0, outcome, 0.1, None, None, ())


def said(desk: Desk) -> str:
    (reply,) = desk.tick(1)
    assert isinstance(reply, Rejected)
    return reply.reason


def test_a_sealed_order_passes_once_and_a_cancellation_always() -> None:
    desk = Desk()
    desk.judge(order(1))
    desk.door.send(Submit(order(1)))
    desk.door.send(Submit(order(1)))
    desk.door.send(Cancel("o1", "A/U"))
    assert desk.venue.sent == [Submit(order(1)), Cancel("o1", "A/U")]
    assert "not a sealed order" in said(desk)


def test_a_seal_taken_from_the_wire_and_shown_again_is_refused() -> None:
    desk = Desk()
    desk.judge(order(1))
    token = desk.gate.take("o1")
    door = SealedBroker(desk.venue, CHARTER, lambda _: token)
    list(door.advance(Tick(0)))
    door.send(Submit(order(1)))
    door.send(Submit(order(1)))
    door.send(Submit(order(2)))
    assert desk.venue.sent == [Submit(order(1))]
    assert [reply.reason.partition(" (")[0] for reply in door.advance(Tick(1))] == [
        "not carried out: the approval was used before"
    ] * 2


@pytest.mark.parametrize("outcome", [Outcome.REFUSED, Outcome.HALTED])
def test_what_the_gate_did_not_allow_is_never_sealed(outcome: Outcome) -> None:
    desk = Desk()
    desk.judge(order(1), outcome)
    desk.judge(order(2), symbol="B/U")
    desk.gate.write(Tick(0), [order(3)])
    for number in (1, 2, 3):
        desk.door.send(Submit(order(number)))
    assert not desk.venue.sent
    assert len(desk.tick(1)) == 3


def test_limits_that_people_change_meanwhile_make_the_seal_stale() -> None:
    desk = Desk()
    desk.judge(order(1))
    list(desk.door.advance(Control(1, "set-limits", "thin", (("max_weight", 0.01),))))
    desk.door.send(Submit(order(1)))
    assert "limits have changed" in said(desk)
    desk.limits = Limits(max_weight=0.01)
    desk.judge(order(2))
    desk.door.send(Submit(order(2)))
    assert desk.venue.sent == [Submit(order(2))]


ACTIONS = ("honest", "unsealed", "altered", "refused", "stale book", "late", "again")


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(ACTIONS), max_size=12))
def test_no_sequence_of_commands_brings_an_unsealed_altered_stale_or_used_order_to_the_venue(done: list[str]) -> None:
    desk, honest, now = Desk(), [], 0
    for number, action in enumerate(done):
        asked = msgspec.structs.replace(order(number), ts=now)
        if action != "unsealed":
            desk.judge(asked, Outcome.REFUSED if action == "refused" else Outcome.APPROVED)
        if action == "altered":
            asked = msgspec.structs.replace(asked, qty=Decimal("1.00000001"))
        if action == "stale book":
            desk.held = desk.venue.held = desk.held + 1
        if action == "late":
            now += SEAL_MS
        desk.tick(now)
        desk.door.send(Submit(asked))
        if action == "again":
            desk.door.send(Submit(asked))
        if action in ("honest", "again"):
            honest.append(Submit(asked))
    assert desk.venue.sent == honest


class Restless(Strategy):
    """In and out of everything, by the last digit of the price."""

    features = ("close",)

    def score(self, frame: FeatureFrame, forecasts: dict[str, Float64]) -> Float64:  # type: ignore[override]
        return np.where(np.floor(frame["close"]) % 3 == 0, -1.0, 1.0)


class Watched(SimBroker):
    """The simulated venue, with a list of the orders that reach it."""

    def __init__(self, instruments: dict[str, Instrument], cash: Decimal) -> None:
        super().__init__(instruments, cash, seed=1)
        self.reached: list[Order] = []

    def send(self, command: Command) -> None:
        if isinstance(command, Submit):
            self.reached.append(command.order)
        super().send(command)


class Kept(MemoryJournal):
    """A journal that keeps every entry."""

    def __init__(self) -> None:
        super().__init__()
        self.entries: list[tuple[Event, tuple[Record, ...]]] = []

    def write(self, event: Event, records: Iterable[Record]) -> None:  # type: ignore[override]
        self.entries.append((event, tuple(records)))


def traded(events: list[Event], *, sealed: bool) -> tuple[Watched, Kept]:
    instruments = {f"{c}/USDT": Instrument(symbol=f"{c}/USDT", base=c, quote="USDT") for c in COINS}
    engine = Engine(
        Pipeline(
            run_id="r", interval="1h", instruments=instruments, strategy_name="restless", strategy=Restless(),
            experts={}, initial_cash=Decimal(10_000), trade_from=0,
        )
    )  # fmt: skip
    venue, journal = Watched(instruments, Decimal(10_000)), Kept()
    if not sealed:
        run(engine, events, venue, journal)
        return venue, journal
    state = engine.state
    charter = msgspec.structs.replace(CHARTER, limits=engine.pipeline.limits)
    gate = Approvals(journal, charter, lambda: (state.portfolio, state.limits))
    run(engine, events, SealedBroker(venue, charter, gate.take), gate)
    return venue, journal


def hours(prices: list[int], told: dict[int, tuple[str, float]]) -> list[Event]:
    """A slice an hour of both coins, and what a person says after some of them."""
    events: list[Event] = []
    for k, price in enumerate(prices):
        start, end = k * HOUR_MS, (k + 1) * HOUR_MS
        row = (price, price + 2.0, price - 2.0, price + 1.0)
        bars = tuple(Bar(f"{coin}/USDT", "1h", start, end, *row, 1e6) for coin in COINS)
        events.append(Slice(end, bars))
        if k in told:
            action, value = told[k]
            changes = (("max_weight", value),) if action == "set-limits" else ()
            events.append(Control(end, action, "why", changes, "me", f"c{k}"))
    return events


words = st.tuples(
    st.sampled_from(["pause", "resume", "reduce", "flatten", "halt", "reset-breaker", "set-limits"]),
    st.floats(0.01, 0.2),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(80, 120), min_size=12, max_size=30), st.dictionaries(st.integers(0, 29), words, max_size=5))
def test_no_sequence_of_events_makes_an_order_leave_without_a_sealed_approval(
    prices: list[int], told: dict[int, tuple[str, float]]
) -> None:
    events = hours(prices, told)
    venue, journal = traded(events, sealed=True)
    records = [record for _, caused in journal.entries for record in caused]
    allowed = {r.decision_id for r in records if isinstance(r, RiskVerdict) and r.allowed}
    submitted = [r for r in records if isinstance(r, Order) and r.status is Status.SUBMITTED]
    assert venue.reached == submitted
    assert {o.decision_id for o in venue.reached} <= allowed
    assert len({o.id for o in venue.reached}) == len(venue.reached)
    assert traded(events, sealed=False)[1].entries == journal.entries, "the door changes nothing that was approved"


def test_the_walk_of_the_property_trades() -> None:
    prices = [80 + k % 7 * 5 for k in range(30)]
    assert len(traded(hours(prices, {}), sealed=True)[0].reached) > 20
