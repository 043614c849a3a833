"""A walk of the drawdown through March 2020: where the breaker reduces, flattens and halts.

    pytest tests/integration/test_march_2020.py -s

prints the tables. Hourly prices of BTC and ETH, held half and half with no way out but the gate's: by a desk that has
set all limits on size aside, from February and from the week of the crash on, and under the gate's own limits.
"""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from seakeep.backtest.driver import MemoryJournal, check_books
from seakeep.brokers.sim import SimBroker
from seakeep.core.beliefs import FeatureFrame
from seakeep.core.market import BarFrame, Float64, Instrument
from seakeep.core.units import iso, parse_time
from seakeep.core.verdicts import RiskSnapshot
from seakeep.data.feed import HistoricalFeed
from seakeep.engine.engine import Engine
from seakeep.engine.pipeline import Pipeline
from seakeep.engine.run import run
from seakeep.risk.limits import Limits
from seakeep.risk.sizing import Sizing
from seakeep.strategy import Strategy

HOURLY = Path(__file__).parents[2] / "../shared/data/ohlcv/1h_early"
START, END = parse_time("20191101"), parse_time("20200401")
FEBRUARY, CRASH_WEEK = parse_time("20200215"), parse_time("20200310")
COINS = ("BTC", "ETH")
BREAKER_ONLY = Limits.static().model_copy(
    update={"max_daily_loss": 0.05, "max_weekly_loss": 0.10, "reduce_drawdown": 0.15, "max_drawdown": 0.20}
)


class Hold(Strategy):
    """Long, always."""

    features = ("close",)

    def score(self, frame: FeatureFrame, forecasts: dict[str, Float64]) -> Float64:  # type: ignore[override]
        return np.ones(len(frame))


def read(coin: str) -> BarFrame:
    """Hourly bars of one coin; the test is skipped by name where they are not there."""
    path = HOURLY / f"{coin}USDT.parquet"
    if not path.exists():
        pytest.skip(f"{path.name} is not in ../shared/data/ohlcv/1h_early")
    from pyarrow import parquet

    table = parquet.read_table(path).to_pydict()
    names = ("open", "high", "low", "close", "volume")
    ts = np.array([int(stamp.timestamp() * 1000) for stamp in table["ts"]])
    _, rows = np.unique(ts, return_index=True)
    rows = rows[(ts[rows] >= START) & (ts[rows] < END)]
    return BarFrame(f"{coin}/USDT", "1h", ts[rows], *(np.array(table[name], dtype=float)[rows] for name in names))


def walk(limits: Limits, weight: float, start: int) -> list[RiskSnapshot]:
    """The snapshots of the walk."""
    frames = [read(coin) for coin in COINS]
    chosen = Pipeline(
        run_id="march",
        interval="1h",
        instruments={f.symbol: Instrument(symbol=f.symbol, base=f.symbol[:3], quote="USDT") for f in frames},
        strategy_name="hold",
        strategy=Hold(),
        experts={},
        initial_cash=Decimal(100_000),
        trade_from=start,
        limits=limits,
        sizing=Sizing(fixed_weight=weight),
    )
    engine, journal = Engine(chosen), MemoryJournal()
    broker = SimBroker(chosen.instruments, chosen.initial_cash, seed=1)
    run(engine, HistoricalFeed(frames), broker, journal)
    check_books(engine.state.portfolio, broker.snapshot()[0])
    return journal.records.snapshots


def turns(seen: list[RiskSnapshot]) -> Iterator[RiskSnapshot]:
    """The first snapshot of each state."""
    before = ""
    for snapshot in seen:
        if snapshot.breaker != before:
            before = snapshot.breaker
            yield snapshot


def show(title: str, seen: list[RiskSnapshot]) -> None:
    print(f"\n{title}\n{'when (UTC)':22}{'breaker':>16}{'day':>8}{'week':>8}{'peak':>8}{'exposure':>10}")  # noqa: T201
    for s in turns(seen):
        losses = "".join(f"{-x:>8.1%}" for x in (s.daily_loss, s.weekly_loss, s.drawdown))
        print(f"{iso(s.ts):22}{s.breaker:>16}{losses}{s.gross:>10.1%}")  # noqa: T201
    worst = max(seen, key=lambda s: s.drawdown)
    print(f"worst: {-worst.drawdown:.1%} from the peak at {iso(worst.ts)}; at the end {-seen[-1].drawdown:.1%}")  # noqa: T201


def test_a_slow_fall_latches_and_what_is_left_of_it_halts_before_the_crash() -> None:
    seen = walk(BREAKER_ONLY, 0.45, FEBRUARY)
    show("BTC and ETH at 45 % each, limits on size set aside, from 15 February", seen)
    states = [s.breaker for s in turns(seen)]
    assert states[-4:] == ["REDUCE_WEEK", "REDUCE_LATCHED", "FLATTEN", "HALTED"]
    halted = seen[next(i for i, s in enumerate(seen) if s.breaker == "HALTED") :]
    assert halted[0].ts < parse_time("20200312")
    assert all(s.gross == 0 for s in halted)
    assert len({s.equity for s in halted}) == 1, "nothing is lost after the halt"


def test_the_crash_is_left_within_its_first_hours() -> None:
    seen = walk(BREAKER_ONLY, 0.45, CRASH_WEEK)
    show("the same, begun two days before the crash", seen)
    states = [s.breaker for s in turns(seen)]
    assert states[-1] == "HALTED"
    flat = next(s for s in turns(seen) if s.breaker == "FLATTEN")
    assert iso(flat.ts)[:10] == "2020-03-12"
    assert flat.drawdown >= 0.20
    assert seen[-1].drawdown < 0.35, "from the day before to its end the crash took 48 % and 56 % of the coins"


def test_under_the_gates_own_limits_the_crash_trips_nothing() -> None:
    seen = walk(Limits(), 0.45, FEBRUARY)
    show("the same wish under the gate's own limits, from 15 February", seen)
    assert {s.breaker for s in seen} == {"NORMAL"}
    assert max(s.gross for s in seen) < 0.31
    assert 0.10 < max(s.drawdown for s in seen) < 0.15
