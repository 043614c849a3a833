"""A market that goes silent blinds the breaker; a written word lets it see again, and the loss is counted."""

from collections.abc import Iterator

import msgspec
import pytest

from seakeep.brokers.sim import SimBroker
from seakeep.core.events import Control, Event, Slice
from seakeep.data.feed import HistoricalFeed
from seakeep.engine.engine import Engine
from seakeep.engine.pipeline import Pipeline
from seakeep.engine.replay import replay
from seakeep.engine.run import run
from seakeep.risk.breaker import BreakerState
from seakeep.risk.limits import Limits
from tests.unit.engine.scenes import HOUR, SPOT, Kept, bars, pipeline

GONE = "LUNA/USDT"
LUNA = msgspec.structs.replace(SPOT, symbol=GONE, base="LUNA")


def world(silent_from: int = 4, hours: int = 14) -> Iterator[Event]:
    """Two markets that rise; one of them is not heard of again."""
    path = [99.0, 101.0, *(102.0 + n for n in range(hours - 2))]
    return iter(HistoricalFeed([bars(path), bars(path[:silent_from], GONE)]))


def chosen(**limits: float) -> Pipeline:
    instruments = {SPOT.symbol: SPOT, GONE: LUNA}
    return pipeline(instruments=instruments, limits=Limits(max_concentration=1.0, max_correlated=1.0, **limits))


def word(hour: float, symbol: str = GONE) -> Control:
    return Control(round(hour * HOUR), "write-off", "the coin is gone", ((symbol, 0.0),), "me", "id")


def played(told: Control | None, events: Iterator[Event], **limits: float) -> tuple[Engine, Kept]:
    made = chosen(**limits)
    engine, journal = Engine(made), Kept()
    broker = SimBroker(made.instruments, made.initial_cash, seed=1)
    every = sorted([*events, *([] if told is None else [told])], key=lambda event: event.ts)
    run(engine, every, broker, journal)
    return engine, journal


def test_a_silent_market_blinds_the_breaker_for_as_long_as_nothing_is_said() -> None:
    engine, _ = played(None, world())
    assert engine.state.breaker is BreakerState.BLIND


def test_a_write_off_counts_the_loss_and_lets_the_breaker_see_and_keeps_the_position() -> None:
    blind, _ = played(None, world())
    engine, journal = played(word(10.5), world())
    assert engine.state.breaker is BreakerState.NORMAL
    assert engine.state.markets[GONE].qty == blind.state.markets[GONE].qty > 0
    lost = blind.state.markets[GONE].qty * blind.state.markets[GONE].mark
    assert engine.state.equity == pytest.approx(blind.state.equity - lost)
    replay(Engine(chosen()), journal.entries)


def test_the_loss_of_a_write_off_trips_the_breaker_and_flattening_ends() -> None:
    engine, _ = played(word(10.5), world(), max_drawdown=0.05, reduce_drawdown=0.04)
    assert engine.state.breaker is BreakerState.HALTED
    assert engine.state.markets[SPOT.symbol].qty == 0


def test_a_market_that_speaks_again_is_worth_its_price_again() -> None:
    engine, _ = played(word(5.5), iter([*world(), *_later()]))
    assert engine.state.markets[GONE].mark > 0
    assert engine.state.breaker is BreakerState.NORMAL


def _later() -> Iterator[Event]:
    late = [s for s in HistoricalFeed([bars([120.0] * 16, GONE)]) if s.ts > 14 * HOUR]
    return (Slice(s.ts, s.bars) for s in late)


@pytest.mark.parametrize("told", [word(10.5, SPOT.symbol), word(10.5, "NEVER/USDT"), word(4.5)])
def test_what_still_speaks_is_unknown_or_has_hardly_paused_is_left_alone(told: Control) -> None:
    engine, _ = played(told, world())
    assert engine.state.breaker is BreakerState.BLIND
    assert all(market.mark > 0 for market in engine.state.markets.values())
