"""Small markets and runs for the engine's tests."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

import numpy as np

from seakeep.brokers.sim import SimBroker
from seakeep.core.beliefs import FeatureFrame
from seakeep.core.events import Event, Record
from seakeep.core.market import BarFrame, Float64, Instrument, InstrumentKind
from seakeep.data.feed import HistoricalFeed
from seakeep.engine.engine import Engine
from seakeep.engine.pipeline import Pipeline
from seakeep.engine.run import run
from seakeep.risk.sizing import Sizing
from seakeep.strategy import Strategy

HOUR = 3_600_000
SPOT = Instrument(symbol="BTC/USDT", base="BTC", quote="USDT")
PERP = Instrument(
    symbol="BTC/USDT:USDT",
    base="BTC",
    quote="USDT",
    kind=InstrumentKind.PERPETUAL,
    max_leverage=Decimal(5),
    maintenance_margin=Decimal("0.005"),
)


class Above(Strategy):
    """Long above a level, short below it."""

    features = ("close",)
    level: float = 100.0

    def score(self, frame: FeatureFrame, forecasts: Mapping[str, Float64]) -> Float64:
        return np.where(frame["close"] > self.level, 1.0, -1.0)


class Kept:
    """A journal that remembers entries, and how many were written before each commit."""

    def __init__(self) -> None:
        self.entries: list[tuple[int, Event, Sequence[Record]]] = []
        self.committed = 0

    def write(self, event: Event, records: Sequence[Record]) -> None:
        self.entries.append((len(self.entries) + 1, event, records))

    def commit(self) -> None:
        self.committed = len(self.entries)

    def records(self, kind: type) -> list[Record]:
        return [record for _, _, records in self.entries for record in records if isinstance(record, kind)]

    def events(self, kind: type) -> list[Event]:
        return [event for _, event, _ in self.entries if isinstance(event, kind)]


def bars(closes: Sequence[float], symbol: str = "BTC/USDT", wick: float = 0.0) -> BarFrame:
    close = np.array(closes, dtype=float)
    before = np.concatenate([close[:1], close[:-1]])
    high, low = np.maximum(before, close) * (1 + wick), np.minimum(before, close) * (1 - wick)
    return BarFrame(symbol, "1h", np.arange(len(close)) * HOUR, before, high, low, close, np.full(len(close), 1e6))


def pipeline(instrument: Instrument = SPOT, **parts: object) -> Pipeline:
    chosen = Pipeline(
        run_id="t",
        interval="1h",
        instruments={instrument.symbol: instrument},
        strategy_name="above",
        strategy=Above(),
        experts={},
        initial_cash=Decimal(10_000),
        sizing=Sizing(method="fixed", fixed_weight=0.1),
    )
    return replace(chosen, **parts)  # type: ignore[arg-type]


def play(chosen: Pipeline, frame: BarFrame) -> tuple[Engine, Kept, SimBroker]:
    engine, journal = Engine(chosen), Kept()
    broker = SimBroker(chosen.instruments, chosen.initial_cash, seed=1)
    run(engine, HistoricalFeed([frame]), broker, journal)
    return engine, journal, broker
