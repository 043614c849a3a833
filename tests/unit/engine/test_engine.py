"""From bars to fills and back: what the engine decides, guards, refuses and remembers."""

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest

from seakeep.core.errors import ConfigError, UnknownOrder
from seakeep.core.events import Accepted, Canceled, Control, Filled, Slice, Submit
from seakeep.core.orders import Order, OrderType, Side, Status
from seakeep.core.verdicts import Decision, Outcome, RiskSnapshot, RiskVerdict
from seakeep.engine.engine import Engine
from seakeep.engine.run import run
from seakeep.risk.breaker import BreakerState
from seakeep.risk.limits import Limits
from seakeep.risk.sizing import Sizing
from seakeep.risk.stops import StopParams
from tests.unit.engine.scenes import HOUR, PERP, Kept, bars, pipeline, play


def test_a_crossing_is_bought_at_the_next_open_and_sold_at_the_open_after_the_way_back() -> None:
    _, journal, _ = play(pipeline(), bars([99, 101, 102, 99, 98]))
    fills = [event.fill for event in journal.events(Filled)]  # type: ignore[attr-defined]
    assert [(f.side, f.ts // HOUR, float(f.mid)) for f in fills] == [(Side.BUY, 2, 101.0), (Side.SELL, 4, 99.0)]
    assert all(f.price > f.mid if f.side is Side.BUY else f.price < f.mid for f in fills)


def test_our_book_and_the_venues_agree_to_the_last_digit() -> None:
    engine, _, broker = play(pipeline(), bars([99, 101, 102, 99, 98, 103, 104]))
    venue, _ = broker.snapshot()
    assert engine.state.portfolio.cash == venue.cash
    assert engine.state.portfolio.positions == venue.positions


def test_spot_is_never_sold_short_and_a_perpetual_is() -> None:
    path = [101, 99, 98, 97]
    _, spot, _ = play(pipeline(), bars(path))
    _, perpetual, _ = play(pipeline(PERP), bars(path, PERP.symbol))
    assert [d.target for d in spot.records(Decision)] == [0.1, 0.0]  # type: ignore[attr-defined]
    assert [d.target for d in perpetual.records(Decision)] == [0.1, -0.1]  # type: ignore[attr-defined]


def test_a_stop_that_fills_cancels_its_target() -> None:
    guarded = pipeline(stops=StopParams(stop_loss=0.02, take_profit=0.5))
    _, journal, broker = play(guarded, bars([99, 101, 103, 90, 89, 88]))
    stop_fill = journal.events(Filled)[1].fill  # type: ignore[attr-defined]
    assert (stop_fill.side, stop_fill.ts // HOUR) == (Side.SELL, 4)
    assert [e.reason for e in journal.events(Canceled)] != []  # type: ignore[attr-defined]
    assert broker.snapshot()[1] == ()


def test_once_the_stop_has_begun_to_close_the_entry_adds_no_more() -> None:
    guarded = pipeline(stops=StopParams(stop_loss=0.02))
    thin = replace(bars([99, 101, 101, 90, 90, 90, 90]), volume=np.array([1e6, 1e6, 20, 30, 40, 1e6, 1e6]))
    engine, journal, _ = play(guarded, thin)
    sides = [event.fill.side for event in journal.events(Filled)]  # type: ignore[attr-defined]
    assert sides == sorted(sides), "every purchase comes before the first sale"
    assert engine.state.portfolio.positions["BTC/USDT"].qty == 0
    assert engine.state.markets["BTC/USDT"].orders == {}


def test_protection_travels_with_the_entry() -> None:
    guarded = pipeline(stops=StopParams(trailing=0.03, take_profit=0.1))
    _, journal, _ = play(guarded, bars([99, 100.5, 101]))
    sent = [o for o in journal.records(Order) if o.status is Status.SUBMITTED]  # type: ignore[attr-defined]
    assert [o.type for o in sent] == [OrderType.MARKET, OrderType.TRAILING, OrderType.LIMIT]  # type: ignore[attr-defined]
    assert [o.reduce_only for o in sent] == [False, True, True]  # type: ignore[attr-defined]


def test_a_drawdown_closes_everything_and_latches_until_a_written_reset() -> None:
    wild = pipeline(limits=Limits(max_weight=0.5, max_drawdown=0.05), thresholds=pipeline().thresholds)
    wild = pipeline(limits=wild.limits, sizing=wild.sizing.model_copy(update={"fixed_weight": 0.5}))
    engine, journal, _ = play(wild, bars([99, 200, 200, 150, 150, 150, 150]))
    assert engine.state.breaker is BreakerState.HALTED
    assert engine.state.portfolio.positions["BTC/USDT"].qty == 0
    exits = [d for d in journal.records(Decision) if d.strategy == "breaker"]  # type: ignore[attr-defined]
    assert [d.target for d in exits] == [0.0]  # type: ignore[attr-defined]
    halted = [v for v in journal.records(RiskVerdict) if v.outcome is Outcome.HALTED]  # type: ignore[attr-defined]
    assert halted, "the strategy still wants to buy, and each wish is answered"
    engine.process(Control(8 * HOUR, "reset-breaker", "reviewed"))
    assert engine.state.breaker is BreakerState.NORMAL


def test_a_tripped_breaker_takes_back_what_is_still_on_its_way_to_add() -> None:
    tight = pipeline(
        limits=Limits(max_weight=0.5, max_daily_loss=0.0001), sizing=Sizing(method="fixed", fixed_weight=0.5)
    )
    thin = replace(bars([99, 101, 101, 100.5, 101, 101, 101]), volume=np.array([1e6, 1e6, 20, 20, 20, 20, 20]))
    engine, journal, _ = play(tight, thin)
    states = [s.breaker for s in journal.records(RiskSnapshot)]  # type: ignore[attr-defined]
    tripped = (states.index("REDUCE_ONLY") + 1) * HOUR
    bought = [e.fill.ts for e in journal.events(Filled) if e.fill.side is Side.BUY]  # type: ignore[attr-defined]
    assert bought
    assert max(bought) < tripped
    assert engine.state.markets["BTC/USDT"].held == 1


def test_a_daily_loss_stops_new_risk_until_midnight() -> None:
    path = [99.0] * 4 + [101, 101, 94, 99, 101, 101] + [99.0] * 14 + [101, 101]
    tight = pipeline(limits=Limits(max_daily_loss=0.005, unknown_tail_share=1.0))
    engine, journal, _ = play(tight, bars(path))
    verdicts = journal.records(RiskVerdict)
    refused = [v.ts // HOUR for v in verdicts if not v.allowed]  # type: ignore[attr-defined]
    bought = [v.ts // HOUR for v in verdicts if v.allowed and v.target > 0]  # type: ignore[attr-defined]
    assert (refused, bought) == ([9, 10], [5, 25])
    assert engine.state.breaker is BreakerState.NORMAL


def test_nothing_is_sent_that_is_not_committed() -> None:
    chosen, journal = pipeline(), Kept()

    class Venue:
        sent: ClassVar[list[str]] = []

        def advance(self, event: object) -> tuple[()]:
            return ()

        def send(self, command: object) -> None:
            assert isinstance(command, Submit)
            assert journal.committed == len(journal.entries)
            assert command.order.id in {o.id for o in journal.records(Order)}  # type: ignore[attr-defined]
            self.sent.append(command.order.id)

        def snapshot(self) -> object:
            raise AssertionError

    from seakeep.data.feed import HistoricalFeed

    run(Engine(chosen), HistoricalFeed([bars([99, 101, 102])]), Venue(), journal)  # type: ignore[arg-type]
    assert Venue.sent == ["t-o2"]


def test_the_same_events_give_the_same_records() -> None:
    frame = bars([99, 101, 102, 99, 98, 103, 104, 96], wick=0.01)
    once, again = (play(pipeline(), frame)[1].entries for _ in range(2))
    assert once == again


def test_the_future_does_not_change_what_was_decided() -> None:
    path = [99, 101, 102, 99, 98, 103, 104, 96]
    whole = play(pipeline(), bars(path))[1].entries
    part = play(pipeline(), bars(path[:5]))[1].entries
    assert whole[: len(part)] == part


def test_a_reply_to_an_order_we_never_sent_stops_us() -> None:
    with pytest.raises(UnknownOrder, match="not open here"):
        Engine(pipeline()).process(Accepted(1, "stranger"))


def test_a_pause_takes_no_decisions_and_resuming_does() -> None:
    engine = Engine(pipeline())
    engine.process(Control(0, "pause", "lunch"))
    slices = [Slice(b.close_time, (b,)) for s in [bars([99, 101])] for b in _bars(s)]
    assert all(not engine.process(event).commands for event in slices)
    engine.process(Control(0, "resume", "back"))
    later = _bars(bars([99, 101, 102]))[2]
    assert engine.process(Slice(later.close_time, (later,))).commands


def test_an_unknown_control_is_named() -> None:
    with pytest.raises(ConfigError, match="dance"):
        Engine(pipeline()).process(Control(0, "dance", ""))


def _bars(frame):  # type: ignore[no-untyped-def]
    from seakeep.data.feed import HistoricalFeed

    return [bar for piece in HistoricalFeed([frame]) for bar in piece.bars]
