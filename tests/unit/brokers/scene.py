"""A market of hourly bars to trade in."""

from decimal import Decimal

from seakeep.brokers import LatencyParams, SimBroker, SimParams
from seakeep.core.events import Filled, Reply, Slice, Submit
from seakeep.core.market import Bar, Instrument, InstrumentKind, Observation
from seakeep.core.orders import Order, OrderType, Side, Status
from seakeep.core.units import HOUR_MS
from seakeep.execution.costs import CostParams

D = Decimal
SPOT, PERP = "BTC/USDT", "BTC/USDT:USDT"
INSTRUMENTS = {
    SPOT: Instrument(symbol=SPOT, base="BTC", quote="USDT", taker_fee=D("0.001"), maker_fee=D("0.0005"), lot=D("0.01")),
    PERP: Instrument(
        symbol=PERP,
        base="BTC",
        quote="USDT",
        kind=InstrumentKind.PERPETUAL,
        lot=D("0.01"),
        max_leverage=D(10),
        maintenance_margin=D("0.005"),
    ),
}
FREE = CostParams(half_spread_bps=0, temporary=0, permanent=0)
AT_ONCE = LatencyParams(model="fixed", low_ms=0)
Prices = tuple[float, float, float, float]


def venue(
    *, costs: CostParams = FREE, latency: LatencyParams = AT_ONCE, cash: str = "10000", params: SimParams | None = None
) -> SimBroker:
    """A venue without costs or delay, unless told otherwise."""
    return SimBroker(INSTRUMENTS, D(cash), costs=costs, latency=latency, params=params, seed=3)


def hour(k: int, *prices: Prices, volume: float = 1000.0, symbol: str = SPOT, rate: float | None = None) -> Slice:
    """The slice at the end of hour k: a bar (open, high, low, close), perhaps a funding rate."""
    start, end = k * HOUR_MS, (k + 1) * HOUR_MS
    bars = tuple(Bar(symbol, "1h", start, end, *p, volume) for p in prices)
    paid = () if rate is None else (Observation("test", "funding_rate", symbol, end, end, rate),)
    return Slice(end, bars, observations=paid)


def order(
    name: str, qty: str, kind: OrderType = OrderType.MARKET, *, k: int = 0, symbol: str = SPOT, **more: object
) -> Submit:
    """An order sent at the end of hour k; a negative quantity sells."""
    side = Side.BUY if D(qty) > 0 else Side.SELL
    made = Order(
        id=name,
        parent_id="p",
        decision_id="d",
        symbol=symbol,
        venue="sim",
        side=side,
        type=kind,
        qty=abs(D(qty)),
        ts=(k + 1) * HOUR_MS,
        status=Status.SUBMITTED,
        **more,
    )
    return Submit(made)


def fills(replies: list[Reply]) -> list[tuple[str, Decimal, Decimal]]:
    """Order, quantity and price of each fill."""
    return [(r.fill.order_id, r.fill.qty, r.fill.price) for r in replies if isinstance(r, Filled)]


FLAT: Prices = (100.0, 100.0, 100.0, 100.0)
