"""Markets with a planted truth, strategies that see it, and reruns of them through the one loop."""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import numpy as np

from seakeep.app.bootstrap import Session
from seakeep.app.sections import Settings
from seakeep.app.variations import rerun
from seakeep.backtest.integrity.variation import Rerun
from seakeep.core.beliefs import FeatureFrame
from seakeep.core.market import BarFrame, Float64, Instrument
from seakeep.core.units import HOUR_MS
from seakeep.engine.pipeline import Pipeline
from seakeep.risk.limits import Limits
from seakeep.risk.sizing import Sizing
from seakeep.strategy import Strategy

START = 1_704_067_200_000


class Holder(Strategy):
    """Buys once and keeps it."""

    def score(self, frame: FeatureFrame, forecasts: Mapping[str, Float64]) -> Float64:
        return np.ones(len(frame))


class Hourly(Strategy):
    """Long from every odd hour of the day to the next even one, flat in between."""

    def score(self, frame: FeatureFrame, forecasts: Mapping[str, Float64]) -> Float64:
        return np.where(frame.ts // HOUR_MS % 2 == 1, 1.0, 0.0)


def frame(close: Float64, symbol: str = "BTC/USDT", volume: float = 1e6, wick: float = 0.001) -> BarFrame:
    """Hourly bars that open where the one before closed."""
    opened = np.append(close[:1], close[:-1])
    high, low = np.maximum(opened, close) * (1 + wick), np.minimum(opened, close) * (1 - wick)
    ts = START + HOUR_MS * np.arange(len(close))
    return BarFrame(symbol, "1h", ts, opened, high, low, np.array(close), np.full(len(close), volume))


def scene(strategy: Strategy, *frames: BarFrame, limits: Limits | None = None) -> tuple[Session, Rerun]:
    """A session of these bars and its reruns, as a run prepared from stored bars would have."""
    symbols = tuple(bars.symbol for bars in frames)
    spot = {s: Instrument(symbol=s, base=s.partition("/")[0], quote="USDT", tick=Decimal("0.0001")) for s in symbols}
    pipeline = Pipeline(
        run_id="planted",
        interval="1h",
        instruments=spot,
        strategy_name="planted",
        strategy=strategy,
        experts={},
        initial_cash=Decimal(10_000),
        trade_from=START + 10 * HOUR_MS,
        sizing=Sizing(method="fixed", fixed_weight=0.1),
        limits=limits or Limits(),
    )
    settings = Settings.model_validate({"run": {"symbols": symbols}})
    session = Session(settings, pipeline, frames)
    return session, rerun(session, Path())
