"""The gate inside the engine: people's orders, a strategy that fails, limits that move, what every order needs."""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seakeep.brokers.sim import SimBroker, SimParams
from seakeep.core.beliefs import FeatureFrame
from seakeep.core.errors import ConfigError
from seakeep.core.events import Control, Event, Filled, Slice, Submit, Tick
from seakeep.core.market import BarFrame, Float64
from seakeep.core.orders import Order, OrderType, Status
from seakeep.core.units import YEAR_MS
from seakeep.core.verdicts import Outcome, RiskSnapshot, RiskVerdict
from seakeep.data.feed import HistoricalFeed
from seakeep.engine.engine import Engine
from seakeep.engine.pipeline import Pipeline
from seakeep.engine.replay import replay
from seakeep.engine.run import run
from seakeep.risk.breaker import BreakerState
from seakeep.risk.limits import Limits
from seakeep.risk.stops import StopParams
from tests.unit.engine.scenes import HOUR, PERP, Above, Kept, bars, pipeline, play

DAY = 24 * HOUR
SYMBOL = "BTC/USDT"


class Wedged(Above):
    """Works until the price passes 150, then fails."""

    def score(self, frame: FeatureFrame, forecasts: Mapping[str, Float64]) -> Float64:
        if frame["close"][-1] > 150:
            raise RuntimeError("wedged")
        return super().score(frame, forecasts)


def feed(chosen: Pipeline, path: list[float], *extra: Event, frame: BarFrame | None = None) -> tuple[Engine, Kept]:
    """Bars and people's orders in time order through the loop, with the simulated venue."""
    engine, journal = Engine(chosen), Kept()
    slices = list(HistoricalFeed([frame or bars(path)]))
    broker = SimBroker(chosen.instruments, chosen.initial_cash, seed=1, params=SimParams(funding_interval_ms=YEAR_MS))
    run(engine, sorted([*slices, *extra], key=lambda event: event.ts), broker, journal)
    return engine, journal


def test_flatten_closes_at_once_though_the_strategy_fails() -> None:
    engine, broken = Engine(pipeline(strategy=Wedged())), []
    broker = SimBroker(engine.pipeline.instruments, engine.pipeline.initial_cash, seed=1)
    for event in HistoricalFeed([bars([99, 101, 102, 160, 161, 162])]):
        for reply in tuple(broker.advance(event)):
            engine.process(reply)
        try:
            commands = engine.process(event).commands
        except ConfigError as error:
            broken.append(str(error))
            commands = engine.process(Control(event.ts, "flatten", "the strategy hangs")).commands
        for command in commands:
            broker.send(command)
    assert "wedged" in broken[0]
    assert engine.state.portfolio.positions[SYMBOL].qty == 0
    assert engine.state.breaker is BreakerState.FLATTEN


def test_a_flatten_order_carries_the_decision_and_the_verdict_that_allow_it() -> None:
    engine, journal = feed(pipeline(), [99, 101, 102, 103, 104], Control(4 * HOUR, "flatten", "leave"))
    ordered = next(records for _, event, records in journal.entries if isinstance(event, Control))
    kinds = [type(record).__name__ for record in ordered]
    assert kinds == ["Decision", "RiskVerdict", "Order"]
    assert engine.state.breaker is BreakerState.HALTED


@pytest.mark.parametrize(("action", "state"), [("halt", "HALTED"), ("reduce", "REDUCE_LATCHED")])
def test_halt_and_reduce_keep_what_is_held_and_hold_until_a_reset(action: str, state: str) -> None:
    path = [99, 101, 102, 99, 98, 103, 104]
    engine, journal = feed(pipeline(), path, Control(3 * HOUR, action, "talk first"))
    assert engine.state.breaker == state
    late = [v for v in journal.records(RiskVerdict) if v.ts > 3 * HOUR]  # type: ignore[attr-defined]
    assert late
    assert all(v.target == 0 for v in late if v.allowed), "only exits pass"  # type: ignore[attr-defined]
    engine.process(Control(9 * HOUR, "reset-breaker", "reviewed"))
    assert engine.state.breaker is BreakerState.NORMAL


def test_a_reset_without_a_reason_is_refused() -> None:
    engine = Engine(pipeline())
    engine.process(Control(0, "halt", ""))
    with pytest.raises(ConfigError, match="written reason"):
        engine.process(Control(1, "reset-breaker", "  "))
    assert engine.state.breaker is BreakerState.HALTED


def test_a_tighter_limit_holds_for_the_next_decision_and_a_looser_one_a_day_later() -> None:
    loose = pipeline(limits=Limits(unknown_tail_share=1.0))
    tighten = Control(HOUR, "set-limits", "", (("max_weight", 0.02),))
    ask = Control(2 * HOUR, "set-limits", "more room", (("max_weight", 0.08),), "risk", "c1")
    confirm = Control(27 * HOUR, "confirm-limits", "as agreed", id="c1")
    path = [99.0, 99, 99, 101] + [101.0] * 20 + [99.0] * 5 + [101.0] * 3
    engine, journal = feed(loose, path, tighten, ask, confirm)
    bought = [v.target for v in journal.records(RiskVerdict) if v.target > 0]  # type: ignore[attr-defined]
    assert bought == [0.02, 0.08]
    rebuilt = Engine(loose)
    replay(rebuilt, journal.entries)
    assert rebuilt.state.limits == engine.state.limits


def test_a_tick_alone_can_find_the_book_stale_and_a_bar_makes_it_fresh() -> None:
    engine, _ = feed(pipeline(), [99, 101, 102])
    assert engine.state.markets[SYMBOL].qty > 0
    assert engine.process(Tick(6 * HOUR)).commands == ()
    assert engine.state.breaker is BreakerState.NORMAL
    engine.process(Tick(6 * HOUR + 1))
    assert engine.state.breaker is BreakerState.BLIND
    (late,) = [b for s in HistoricalFeed([bars([99, 101, 102, 103, 103, 103, 103])]) for b in s.bars][-1:]
    engine.process(Slice(late.close_time, (late,)))
    assert engine.state.breaker is BreakerState.NORMAL


def test_a_position_that_has_gained_enough_is_followed_by_its_stop() -> None:
    stops = StopParams(stop_loss=0.05, trailing=0.02, activation=0.03)
    _, journal = feed(pipeline(stops=stops), [99, 101, 102, 103, 106, 107, 108])
    sent = [o for o in journal.records(Order) if o.status is Status.SUBMITTED]  # type: ignore[attr-defined]
    assert [o.type for o in sent] == [OrderType.MARKET, OrderType.STOP, OrderType.TRAILING]  # type: ignore[attr-defined]
    first, stop, trail = sent
    assert trail.ts // HOUR == 5, "106 is 3 % above the entry near 101"  # type: ignore[attr-defined]
    assert (trail.decision_id, trail.reduce_only) == (stop.decision_id, True)  # type: ignore[attr-defined]
    assert first.qty == stop.qty == trail.qty  # type: ignore[attr-defined]


def test_a_ladder_of_targets_sells_in_parts_that_add_up() -> None:
    ladder = StopParams(ladder=((0.02, 0.5), (0.04, 0.3), (0.08, 0.2)))
    engine, journal = feed(pipeline(stops=ladder), [99, 101, 101, 104, 106, 120, 120])
    fills = [event.fill for event in journal.events(Filled)]  # type: ignore[attr-defined]
    sold = [fill.qty for fill in fills[1:4]]
    assert sum(sold) == fills[0].qty
    assert float(sold[0] / fills[0].qty) == pytest.approx(0.5, abs=0.01)
    assert engine.state.breaker is BreakerState.NORMAL


def test_the_tail_is_measured_once_there_are_sixty_days() -> None:
    steps = np.random.default_rng(4).normal(0, 0.02, 80)
    path = list(200 * np.exp(np.cumsum(steps)))
    daily = [np.linspace(a, b, 24) for a, b in pairwise(path)]
    engine, journal, _ = play(pipeline(), bars(list(np.concatenate(daily))))
    measured = {s.ts // DAY: s for s in journal.records(RiskSnapshot) if s.cvar}  # type: ignore[attr-defined]
    assert min(measured) in (60, 61)
    last = measured[max(measured)]
    closes = np.array(engine.state.markets[SYMBOL].closes)
    lost = -np.sort(closes[1:] / closes[:-1] - 1) * dict(last.exposure)[SYMBOL]  # type: ignore[attr-defined]
    assert lost[: max(1, len(lost) // 20)].mean() == pytest.approx(last.cvar, rel=0.35)  # type: ignore[attr-defined]
    assert last.var < last.cvar  # type: ignore[attr-defined]


def test_days_worse_than_the_forecast_shrink_the_tail_limits() -> None:
    """Each of fifteen days falls more than any before it, after 130 that hardly moved."""
    days = [*([0.0001, -0.0001] * 65), *(-0.002 * n for n in range(1, 16))]
    path = np.repeat(200 * np.cumprod(1 + np.array(days)), 24)
    engine, journal, _ = play(pipeline(limits=Limits.static()), bars(list(path)))
    assert sum(engine.state.exceedances) in (13, 14, 15)
    shares = [s.limit_share for s in journal.records(RiskSnapshot)]  # type: ignore[attr-defined]
    assert shares[0] == 1.0
    assert min(shares) == 0.75, "three quarters: Basel's multiplier of 4 against 3"


WORDS = ("pause", "resume", "reduce", "flatten", "halt", "reset-breaker", "tick", "none", "none", "none")
controls = st.sampled_from(WORDS)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(60, 140), controls), min_size=5, max_size=60), st.booleans(), st.booleans())
def test_no_order_leaves_without_an_approval_in_the_records(
    steps: list[tuple[float, str]], short: bool, guarded: bool
) -> None:
    instrument = PERP if short else pipeline().instruments[SYMBOL]
    stops = StopParams(stop_loss=0.03, trailing=0.02, activation=0.01, take_profit=0.05) if guarded else StopParams()
    chosen = pipeline(instrument, stops=stops, limits=Limits(max_drawdown=0.02, reduce_drawdown=0.01))
    frame = bars([price for price, _ in steps], instrument.symbol, wick=0.01)
    extra = [
        Tick((i + 1) * HOUR + 1) if word == "tick" else Control((i + 1) * HOUR + 1, word, "because")
        for i, (_, word) in enumerate(steps)
        if word != "none"
    ]
    engine, journal = feed(chosen, [], *extra, frame=frame)
    approved: set[str] = set()
    for _, _, records in journal.entries:
        approved |= {r.decision_id for r in records if isinstance(r, RiskVerdict) and r.allowed}
        for order in records:
            if isinstance(order, Order) and order.status is Status.SUBMITTED:
                assert order.decision_id in approved
    rebuilt = Engine(chosen)
    replay(rebuilt, journal.entries)
    assert rebuilt.state.breaker is engine.state.breaker


def test_commands_are_the_orders_of_the_records() -> None:
    engine = Engine(pipeline(stops=StopParams(stop_loss=0.02, take_profit=0.04)))
    for event in HistoricalFeed([bars([99, 101])]):
        result = engine.process(event)
    sent = [command.order for command in result.commands if isinstance(command, Submit)]
    assert sent == [record for record in result.records if isinstance(record, Order)]
    assert len(sent) == 3


def test_a_refusal_states_what_would_turn_it_once() -> None:
    tight = pipeline(limits=Limits(max_daily_loss=0.0001, unknown_tail_share=1.0))
    _, journal = feed(tight, [99, 101, 101, 99, 101, 101, 101])
    refused = [v for v in journal.records(RiskVerdict) if v.outcome is Outcome.REFUSED]  # type: ignore[attr-defined]
    assert [bool(v.flip) for v in refused] == [True] + [False] * (len(refused) - 1)  # type: ignore[attr-defined]
    assert refused[0].flip == "wait until 1970-01-02T00:00:00Z"  # type: ignore[attr-defined]
