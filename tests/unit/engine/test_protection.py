"""Stop and target stand for all that is held, whatever changes its size: 10 coins at 100, worked by hand."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from seakeep.brokers.latency import LatencyParams
from seakeep.brokers.sim import SimBroker
from seakeep.core.events import Filled
from seakeep.core.market import Instrument
from seakeep.core.orders import Order, OrderType, Side, Status
from seakeep.core.verdicts import Decision
from seakeep.data.feed import HistoricalFeed
from seakeep.engine.engine import Engine
from seakeep.engine.pipeline import Pipeline
from seakeep.engine.run import run
from seakeep.engine.state import Market
from seakeep.execution.costs import CostParams
from seakeep.risk.limits import Limits
from seakeep.risk.stops import StopParams
from tests.unit.engine.scenes import HOUR, PERP, SPOT, Kept, bars, pipeline

LADDER = StopParams(stop_loss=0.05, ladder=((0.1, 0.5), (0.2, 0.5)))
NEAR = StopParams(stop_loss=0.05, take_profit=0.2)


class Told(Engine):
    """An engine that is told its targets by bar."""

    def __init__(self, chosen: Pipeline, targets: Mapping[int, float]) -> None:
        super().__init__(chosen)
        self._targets = targets

    def _decisions(self, fresh: Sequence[Market], ts: int) -> list[Decision]:
        target = self._targets.get(ts // HOUR - 1)
        if target is None:
            return []
        return [Decision(self._id("d"), "told", fresh[0].instrument.symbol, ts, target, 1.0, 1.0, ())]


def told(
    targets: Mapping[int, float],
    closes: Sequence[float],
    instrument: Instrument = PERP,
    stops: StopParams = NEAR,
    late: int = 0,
    **limits: int,
) -> tuple[Engine, Kept]:
    """A run of these targets without fees or slippage."""
    free = msgspec.structs.replace(instrument, taker_fee=Decimal(0), maker_fee=Decimal(0))
    chosen = pipeline(free, stops=stops, limits=Limits.static().model_copy(update=limits))
    engine, journal = Told(chosen, targets), Kept()
    costs, latency = CostParams(half_spread_bps=0.0, temporary=0.0), LatencyParams(model="fixed", low_ms=late)
    broker = SimBroker(chosen.instruments, chosen.initial_cash, costs=costs, latency=latency)
    run(engine, HistoricalFeed([bars(closes, free.symbol)]), broker, journal)
    return engine, journal


def resting(engine: Engine) -> list[tuple[OrderType, Side, int, float]]:
    """The open orders: type, side, whole coins and the price they wait for."""
    (market,) = engine.state.markets.values()
    orders = market.orders.values()
    return [(o.type, o.side, int(o.qty), float(o.stop_price or o.price or 0)) for o in orders]


def traded(journal: Kept) -> list[tuple[int, float]]:
    """Whole coins bought (+) or sold, and the price."""
    fills = [event.fill for event in journal.events(Filled)]  # type: ignore[attr-defined]
    return [(int(f.side.sign * f.qty), float(f.mid)) for f in fills]


def test_after_a_part_is_sold_the_stop_of_the_entry_closes_the_rest() -> None:
    engine, _ = told({0: 0.1, 2: 0.06}, [100, 100, 98, 98, 96])
    # equity 10,000 - 10 x 2: 0.06 x 9,980 / 98 = 6.1102 are left, guarded where the entry put it
    assert engine.state.portfolio.positions[PERP.symbol].qty == Decimal("6.1102")
    assert [(kind, price) for kind, _, _, price in resting(engine)] == [(OrderType.STOP, 95), (OrderType.LIMIT, 120)]
    closed, journal = told({0: 0.1, 2: 0.06}, [100, 100, 100, 100, 90, 90])
    assert traded(journal) == [(10, 100.0), (-4, 100.0), (-6, 95.0)]
    assert resting(closed) == []


def test_after_an_addition_one_stop_closes_it_all() -> None:
    engine, _ = told({0: 0.06, 2: 0.1}, [100] * 5)
    sell = Side.SELL
    assert resting(engine) == [(OrderType.STOP, sell, 10, 95.0), (OrderType.LIMIT, sell, 10, 120.0)]
    _, journal = told({0: 0.06, 2: 0.1}, [100, 100, 100, 100, 90, 90])
    assert traded(journal) == [(6, 100.0), (4, 100.0), (-10, 95.0)]


def test_after_a_turn_the_other_side_is_guarded() -> None:
    engine, journal = told({0: 0.1, 2: -0.04}, [100] * 5)
    assert traded(journal) == [(10, 100.0), (-14, 100.0)]
    assert resting(engine) == [(OrderType.STOP, Side.BUY, 4, 105.0), (OrderType.LIMIT, Side.BUY, 4, 80.0)]


def test_a_ladder_shares_all_that_is_held() -> None:
    engine, _ = told({0: 0.06, 2: 0.1}, [100] * 5, stops=LADDER)
    assert [(int(qty), price) for _, _, qty, price in resting(engine)] == [(10, 95.0), (5, 110.0), (5, 120.0)]


def test_a_trailing_stop_keeps_what_it_has_gained_when_a_part_is_sold() -> None:
    trailing = StopParams(trailing=0.05)
    _, journal = told({0: 0.1, 4: 0.06}, [100, 100, 110, 110, 106, 106, 100], stops=trailing)
    # the best price was 110, so it stands at 104.5; 10 x 106 + 9,000 = 10,060: 0.06 x 10,060 / 106 = 5.69 are left
    assert traded(journal)[0] == (10, 100.0)
    assert traded(journal)[1:] == [(-4, 106.0), (-5, 104.5)]


def test_a_reduction_that_overtakes_an_exit_is_guarded_anew() -> None:
    late = 5 * HOUR // 2
    engine, _ = told({0: 0.1, 6: 0.0, 7: 0.06}, [100] * 16, SPOT, late=late)
    assert engine.state.portfolio.positions[SPOT.symbol].qty == 6
    assert resting(engine) == [(OrderType.STOP, Side.SELL, 6, 95.0), (OrderType.LIMIT, Side.SELL, 6, 120.0)]


def test_an_addition_that_is_refused_leaves_the_stop_where_it_is() -> None:
    engine, journal = told({0: 0.06, 2: 0.1}, [100] * 5, min_order_gap_ms=5 * HOUR)
    refused = [o for o in journal.records(Order) if o.status is Status.REJECTED]  # type: ignore[attr-defined]
    assert [o.reason.partition(":")[0] for o in refused] == ["min_order_gap_ms"]
    assert resting(engine) == [(OrderType.STOP, Side.SELL, 6, 95.0), (OrderType.LIMIT, Side.SELL, 6, 120.0)]
