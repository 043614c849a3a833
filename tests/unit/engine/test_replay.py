"""The journal alone rebuilds the state that was running."""

import msgspec
import pytest

from seakeep.core.errors import IntegrityError
from seakeep.core.events import Filled, Slice
from seakeep.engine.engine import Engine
from seakeep.engine.replay import market_events, replay
from seakeep.risk.stops import StopParams
from tests.unit.engine.scenes import PERP, bars, pipeline, play

PATH = [99, 101, 102, 99, 98, 103, 104, 96, 95, 101, 120, 80]
CHOSEN = pipeline(PERP, stops=StopParams(stop_loss=0.02, take_profit=0.04))


def test_replay_equals_run() -> None:
    running, journal, _ = play(CHOSEN, bars(PATH, PERP.symbol, wick=0.005))
    rebuilt = Engine(CHOSEN)
    replay(rebuilt, journal.entries)
    for part in ("portfolio", "cash", "peak", "day_open", "day", "sequence", "breaker", "equity"):
        assert getattr(rebuilt.state, part) == getattr(running.state, part), part
    for symbol, market in running.state.markets.items():
        again = rebuilt.state.markets[symbol]
        assert (again.mark, again.qty, again.orders) == (market.mark, market.qty, market.orders)


def test_a_changed_fill_does_not_replay() -> None:
    _, journal, _ = play(CHOSEN, bars(PATH, PERP.symbol, wick=0.005))
    row = next(i for i, entry in enumerate(journal.entries) if isinstance(entry[1], Filled))
    seq, event, records = journal.entries[row]
    assert isinstance(event, Filled)
    cheaper = msgspec.structs.replace(event.fill, price=event.fill.price / 2)
    journal.entries[row] = (seq, Filled(event.ts, cheaper), records)
    with pytest.raises(IntegrityError, match="does not replay"):
        replay(Engine(CHOSEN), journal.entries)


def test_another_configuration_does_not_replay() -> None:
    _, journal, _ = play(CHOSEN, bars(PATH, PERP.symbol))
    with pytest.raises(IntegrityError, match="restore the configuration"):
        replay(Engine(pipeline(PERP)), journal.entries)


def test_market_events_leave_out_what_the_venue_said() -> None:
    _, journal, _ = play(CHOSEN, bars(PATH, PERP.symbol))
    events = list(market_events(journal.entries))
    assert len(events) == len(PATH)
    assert all(isinstance(event, Slice) for event in events)
