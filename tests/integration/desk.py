"""A user folder with a small market and the settings to trade it: what parity and kill tests share."""

from collections.abc import Iterable
from pathlib import Path

from seakeep.app.settings import Settings, load
from seakeep.core.market import BarFrame
from seakeep.data.observations import write_observations
from seakeep.data.store import ParquetStore
from seakeep.data.synthetic import SyntheticMarket, SyntheticParams, generate

SYMBOLS = ("BTC/USDT", "ETH/USDT")
EXPERTS = {"ma": {}, "rsi": {}, "volatility": {}}
LIVELY = {"strategy.long": 0.3, "strategy.short": -0.3, "strategy.exit": 0.1, "strategy.min_confidence": 0.2}
"""Thresholds that trade often enough on a short market to be worth comparing."""


def market(days: int, seed: int = 5, interval: str = "1h", symbols: tuple[str, ...] = SYMBOLS) -> SyntheticMarket:
    return generate(SyntheticParams(symbols=symbols, delisted=None, interval=interval, days=days, seed=seed))


def stock(userdir: Path, frames: Iterable[BarFrame], made: SyntheticMarket | None = None) -> ParquetStore:
    """Put bars into the store of a user folder, and the trading rules and funding rates of a made market."""
    store = ParquetStore(userdir / "data")
    if made is not None:
        write_observations(store.root, made.observations)
    for frame in frames:
        if made is not None:
            store.set_instrument(made.instruments[frame.symbol])
        store.write(frame)
    return store


def half(frame: BarFrame) -> BarFrame:
    return frame.rows(0, len(frame) // 2)


def settings(symbols: tuple[str, ...] = SYMBOLS, **overrides: object) -> Settings:
    """Lively settings on hourly bars with every expert; dotted keys are written with a double underscore."""
    dotted = {key.replace("__", "."): value for key, value in overrides.items()}
    chosen = {"run.symbols": symbols, "run.interval": "1h", "run.train": "15d", "experts": EXPERTS}
    return load(None, {}, {**chosen, **LIVELY, **dotted}).settings
