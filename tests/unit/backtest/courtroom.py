"""Small markets, sessions and strategies to bring before the court."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import msgspec
import numpy as np

from seakeep.app.places import bar_store
from seakeep.app.settings import Settings, load
from seakeep.backtest.result import Result
from seakeep.core.beliefs import FeatureFrame
from seakeep.core.market import BarFrame, Float64
from seakeep.core.orders import Fill
from seakeep.strategy import STRATEGIES, Strategy

from .factory import walk


@STRATEGIES.register("court_honest")
class Honest(Strategy):
    """Follows the change of the last bars."""

    features = ("close", "sma:10")

    def score(self, frame: FeatureFrame, forecasts: Mapping[str, Float64]) -> Float64:
        close, slow = (frame[name] for name in self.features)
        return np.sign(close - slow)


@STRATEGIES.register("court_tomorrow")
class Tomorrow(Strategy):
    """Knows the next close."""

    def score(self, frame: FeatureFrame, forecasts: Mapping[str, Float64]) -> Float64:
        close = frame["close"]
        return np.sign(np.append(close[1:], close[-1:]) - close)


@STRATEGIES.register("court_silent")
class Silent(Strategy):
    """Never has an opinion."""

    def score(self, frame: FeatureFrame, forecasts: Mapping[str, Float64]) -> Float64:
        return np.full(len(frame), np.nan)


@STRATEGIES.register("court_short")
class Short(Strategy):
    """Gives a score too few."""

    def score(self, frame: FeatureFrame, forecasts: Mapping[str, Float64]) -> Float64:
        return np.zeros(max(len(frame) - 1, 0))


@STRATEGIES.register("court_broken")
class Broken(Strategy):
    """Fails."""

    def score(self, frame: FeatureFrame, forecasts: Mapping[str, Float64]) -> Float64:
        raise ZeroDivisionError("no rows")


def stored(userdir: Path, strategy: str, *frames: BarFrame, **options: object) -> Settings:
    """Settings of a run over these bars, which are put into the store of the user folder."""
    asked = {
        "run.symbols": [frame.symbol for frame in frames],
        "run.interval": frames[0].interval,
        "strategy.name": strategy,
        **{key.replace("__", "."): value for key, value in options.items()},
    }
    settings = load(None, {}, asked).settings
    for frame in frames:
        bar_store(settings, userdir).write(frame)
    return settings


def market(bars: int = 600, symbol: str = "BTC/USDT", seed: int = 1, interval: str = "1h") -> BarFrame:
    """A walk of round prices and much volume."""
    frame = walk(symbol, bars, interval, seed)
    prices = [np.round(column, 2) for column in (frame.open, frame.high, frame.low, frame.close)]
    return BarFrame(symbol, interval, frame.ts, *prices, np.full(bars, 1e6))


def charged(result: Result, scale: float, gross: float) -> Result:
    """That run where trades do not depend on costs: `gross` was earned before they were paid `scale` times."""
    by = Decimal(repr(scale))
    fills = tuple(
        replace_fill(fill, fee=fill.fee * by, price=fill.mid + (fill.price - fill.mid) * by) for fill in result.fills
    )
    paid = float(sum(f.fee + (f.price - f.mid) * f.qty * f.side.sign for f in fills))
    equity = result.curves.equity.copy()
    equity[-1] = result.initial_cash + gross - paid
    return replace(result, fills=fills, curves=replace(result.curves, equity=equity))


def replace_fill(fill: Fill, **changes: object) -> Fill:
    """A fill with some fields changed."""
    return msgspec.structs.replace(fill, **changes)
