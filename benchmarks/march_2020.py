"""A walk of the drawdown through March 2020: where the breaker reduces, flattens and halts, in tables.

    python benchmarks/march_2020.py [FOLDER]

Hourly prices of BTC and ETH (BTCUSDT.parquet and ETHUSDT.parquet in the folder), held half and half with no way out but
the gate's: by a desk that has set all limits on size aside, from February and from the week of the crash on, and under
the gate's own limits.
"""

import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import numpy as np
from pyarrow import parquet

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

HOURLY = Path(__file__).parents[1] / "../shared/data/ohlcv/1h_early"
START, END = parse_time("20191101"), parse_time("20200401")
FEBRUARY, CRASH_WEEK = parse_time("20200215"), parse_time("20200310")
COINS = ("BTC", "ETH")
BREAKER_ONLY = Limits.static().model_copy(
    update={"max_daily_loss": 0.05, "max_weekly_loss": 0.10, "reduce_drawdown": 0.15, "max_drawdown": 0.20}
)
WALKS = (
    ("BTC and ETH at 45 % each, limits on size set aside, from 15 February", BREAKER_ONLY, FEBRUARY),
    ("the same, begun two days before the crash", BREAKER_ONLY, CRASH_WEEK),
    ("the same wish under the gate's own limits, from 15 February", Limits(), FEBRUARY),
)


class Hold(Strategy):
    """Long, always."""

    features = ("close",)

    def score(self, frame: FeatureFrame, forecasts: dict[str, Float64]) -> Float64:  # type: ignore[override]
        return np.ones(len(frame))


def read(coin: str, folder: Path = HOURLY) -> BarFrame:
    """Hourly bars of one coin, of a Parquet file with ts, open, high, low, close, volume. Raises: FileNotFoundError."""
    path = folder / f"{coin}USDT.parquet"
    table = parquet.read_table(path).to_pydict()
    names = ("open", "high", "low", "close", "volume")
    ts = np.array([int(stamp.timestamp() * 1000) for stamp in table["ts"]])
    _, rows = np.unique(ts, return_index=True)
    rows = rows[(ts[rows] >= START) & (ts[rows] < END)]
    return BarFrame(f"{coin}/USDT", "1h", ts[rows], *(np.array(table[name], dtype=float)[rows] for name in names))


def walk(limits: Limits, start: int, folder: Path = HOURLY) -> list[RiskSnapshot]:
    """The snapshots of a walk from that instant on, with 45 % of equity wanted in each coin."""
    frames = [read(coin, folder) for coin in COINS]
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
        sizing=Sizing(fixed_weight=0.45),
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
    """Print each turn of the breaker: the losses it saw, and what was held."""
    print(f"\n{title}\n{'when (UTC)':22}{'breaker':>16}{'day':>8}{'week':>8}{'peak':>8}{'exposure':>10}")
    for s in turns(seen):
        losses = "".join(f"{-x:>8.1%}" for x in (s.daily_loss, s.weekly_loss, s.drawdown))
        print(f"{iso(s.ts):22}{s.breaker:>16}{losses}{s.gross:>10.1%}")
    worst = max(seen, key=lambda s: s.drawdown)
    print(f"worst: {-worst.drawdown:.1%} from the peak at {iso(worst.ts)}; at the end {-seen[-1].drawdown:.1%}")


def main(folder: Path) -> None:
    """The three tables."""
    missing = [coin for coin in COINS if not (folder / f"{coin}USDT.parquet").exists()]
    if missing:
        print(f"no {' or '.join(missing)} in {folder}: name the folder of BTCUSDT.parquet and ETHUSDT.parquet")
        return
    for title, limits, start in WALKS:
        show(title, walk(limits, start, folder))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else HOURLY)
