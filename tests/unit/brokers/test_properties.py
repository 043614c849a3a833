"""What holds for any market and any orders."""

from decimal import Context, Decimal, Inexact, localcontext

from hypothesis import given, settings
from hypothesis import strategies as st

from seakeep.brokers import LatencyParams, SimBroker, SimParams
from seakeep.core.account import Portfolio
from seakeep.core.events import (
    Accepted,
    Cancel,
    CancelAll,
    Canceled,
    Command,
    Filled,
    Funded,
    Liquidated,
    Rejected,
    Reply,
    Slice,
)
from seakeep.core.orders import Order, OrderType, Status
from seakeep.execution.accounting import apply_fill, apply_funding, unrealised
from seakeep.execution.costs import CostParams
from seakeep.execution.orders import apply
from tests.unit.brokers.scene import PERP, SPOT, D, Prices, hour, order, venue

TYPES = {
    OrderType.MARKET: (),
    OrderType.LIMIT: ("price",),
    OrderType.STOP: ("stop_price",),
    OrderType.STOP_LIMIT: ("price", "stop_price"),
    OrderType.TRAILING: ("trail",),
}
levels = st.integers(80, 120)


@st.composite
def bars(draw: st.DrawFn) -> Prices:
    a, b, c, d = (float(draw(levels)) for _ in range(4))
    return a, max(a, b, c, d), min(a, b, c, d), b


@st.composite
def asks(draw: st.DrawFn) -> tuple[str, OrderType, str, dict[str, object]]:
    kind = draw(st.sampled_from(list(TYPES)))
    more: dict[str, object] = {name: D(draw(levels)) for name in TYPES[kind]}
    if kind is OrderType.TRAILING:
        more["trail"] = D(draw(st.integers(1, 30))) / 100
    more["reduce_only"] = draw(st.booleans())
    qty = str(D(draw(st.integers(-4000, 4000).filter(bool))) / 100)
    return qty, kind, draw(st.sampled_from([SPOT, PERP])), more


hours = st.tuples(
    bars(), bars(), st.integers(0, 300), st.lists(asks(), max_size=3), st.sampled_from(["", "one", "all"])
)
stories = st.lists(hours, min_size=2, max_size=14)
Story = list[tuple[Prices, Prices, int, list[tuple[str, OrderType, str, dict[str, object]]], str]]


def play(broker: SimBroker, story: Story) -> list[tuple[Slice, list[Reply], list[Command]]]:
    """Run the story: bars of both markets, funding at every instant, and the orders of each hour."""
    told = []
    for k, (spot, perp, volume, wishes, cancel) in enumerate(story):
        first, second = hour(k, spot, volume=float(volume)), hour(k, perp, symbol=PERP, volume=float(volume), rate=1e-4)
        event = Slice(first.ts, (*first.bars, *second.bars), observations=second.observations)
        replies = list(broker.advance(event))
        sent: list[Command] = [
            order(f"o{k}-{i}", qty, kind, k=k, symbol=symbol, **more)
            for i, (qty, kind, symbol, more) in enumerate(wishes)
        ]
        sent += [Cancel(f"o{k - 1}-0", SPOT)] if cancel == "one" else [CancelAll()] if cancel == "all" else []
        for command in sent:
            broker.send(command)
        told.append((event, replies, sent))
    return told


def shaky() -> SimBroker:
    return venue(costs=CostParams(half_spread_bps=5), latency=LatencyParams(), cash="4000")


@settings(max_examples=60, deadline=None)
@given(stories)
def test_the_books_agree_and_every_unit_is_conserved(story: Story) -> None:
    broker = shaky()
    ours = Portfolio(quote="USDT", cash={"USDT": D(4000)})
    for _, replies, _ in play(broker, story):
        for reply in replies:
            if isinstance(reply, Filled | Liquidated):
                ours = apply_fill(ours, reply.fill)
            elif isinstance(reply, Funded):
                ours = apply_funding(ours, reply.symbol, reply.amount)
    theirs = broker.snapshot()[0]
    assert ours == theirs
    marks = {SPOT: D(97), PERP: D(103)}
    with localcontext(Context(prec=200, traps=[Inexact])):
        gained = [p.realised - p.fees + p.funding + unrealised(p, marks[s]) for s, p in theirs.positions.items()]
        assert theirs.equity(marks) == D(4000) + sum(gained, Decimal(0))
    assert SPOT not in theirs.positions or theirs.positions[SPOT].qty >= 0


@settings(max_examples=60, deadline=None)
@given(stories)
def test_every_reply_fits_the_order_table_and_time_runs_forward(story: Story) -> None:
    broker, book, last = shaky(), dict[str, Order](), 0
    for event, replies, sent in play(broker, story):
        for reply in replies:
            assert last <= reply.ts <= event.ts
            last = reply.ts
            if isinstance(reply, Accepted | Rejected | Canceled):
                book[reply.order_id] = apply(book[reply.order_id], reply)
            elif isinstance(reply, Filled):
                book[reply.fill.order_id] = apply(book[reply.fill.order_id], reply)
                assert reply.ts > book[reply.fill.order_id].ts
        last = event.ts
        book |= {c.order.id: c.order for c in sent if hasattr(c, "order")}
    working = {o.id: o for o in broker.snapshot()[1]}
    assert working == {i: o for i, o in book.items() if o.status in (Status.ACCEPTED, Status.PARTIALLY_FILLED)}


@settings(max_examples=60, deadline=None)
@given(stories)
def test_prices_and_volume_keep_to_the_rules(story: Story) -> None:
    orders, taken = dict[str, Order](), dict[tuple[int, str], Decimal]()
    for event, replies, sent in play(shaky(), story):
        volume = {bar.symbol: bar.volume for bar in event.bars}
        for fill in [r.fill for r in replies if isinstance(r, Filled)]:
            asked, sign = orders[fill.order_id], fill.side.sign
            key = (event.ts, fill.symbol)
            taken[key] = taken.get(key, D(0)) + fill.qty
            assert float(taken[key]) <= 0.1 * volume[fill.symbol] * (1 + 1e-12)
            assert asked.price is None or sign * (asked.price - fill.price) >= 0
            stopped = asked.type is OrderType.STOP
            assert not stopped or sign * (fill.price - asked.stop_price) >= 0
            assert fill.price % D("0.01") == 0
        orders |= {c.order.id: c.order for c in sent if hasattr(c, "order")}


@settings(max_examples=40, deadline=None)
@given(stories)
def test_the_same_events_and_commands_give_the_same_replies(story: Story) -> None:
    first, second = play(shaky(), story), play(shaky(), story)
    assert first == second


markets = st.lists(bars(), min_size=4, max_size=10)
trades = st.lists(
    st.tuples(st.sampled_from([k for k in TYPES if k is not OrderType.TRAILING]), levels, levels), max_size=4
)


@settings(max_examples=60, deadline=None)
@given(markets, trades, st.integers(0, 50), st.integers(0, 50), st.floats(0, 3), st.floats(0, 3))
def test_worse_costs_never_make_the_account_richer(
    market: list[Prices], sales: list[tuple[OrderType, int, int]], spread: int, wider: int, impact: float, more: float
) -> None:
    ends = []
    for a, b in ((spread, impact), (spread + wider, impact + more)):
        broker = venue(costs=CostParams(half_spread_bps=a, temporary=b), cash="100000", params=SimParams())
        for k, prices in enumerate(market):
            broker.advance(hour(k, prices))
            if k == 0:
                broker.send(order("buy", "40"))
            for i, (kind, price, stop) in enumerate(sales if k == 1 else []):
                given_prices = {"price": D(price), "stop_price": D(stop)}
                broker.send(order(f"s{i}", "-10", kind, k=1, **{name: given_prices[name] for name in TYPES[kind]}))
        ends.append(broker.snapshot()[0].equity({SPOT: D(100)}))
    assert ends[1] <= ends[0]
    assert broker.snapshot()[0].positions[SPOT].qty >= 0
