"""The regime study a person asks for: fit on the first part, tell the rest, count what was earned."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from seakeep.backtest.notation import stamp
from seakeep.backtest.pages.regimepage import RegimeView, render
from seakeep.core.beliefs import FeatureFrame
from seakeep.core.errors import ConfigError, DataError, NotEnoughHistory
from seakeep.core.market import BarFrame
from seakeep.core.registry import build as build_part
from seakeep.core.units import YEAR_MS, interval_ms, iso
from seakeep.features.frame import build
from seakeep.features.labels import forward_return
from seakeep.models.regimeperformance import by_regime
from seakeep.models.regimes import REGIMES, RegimeModel, as_record

__all__ = ["answer", "study", "write_page"]


def study(history: Sequence[BarFrame], name: str, train: float, seed: int) -> tuple[list[RegimeView], str]:
    """Regimes of each symbol after the instant before which the model was fitted, and what it was fitted on.

    That instant divides the time all symbols cover at `train`. Raises: ConfigError for an unknown model or no symbol;
    NotEnoughHistory if the first part is too short, or a symbol has nothing after it.
    """
    if not history or not all(len(bars) for bars in history):
        raise ConfigError("name at least one symbol that has bars", value=[bars.symbol for bars in history])
    interval = history[0].interval
    model = build_part(REGIMES, name, {"interval": interval})
    first, last = min(int(bars.ts[0]) for bars in history), max(int(bars.known_at[-1]) for bars in history)
    split = first + int(train * (last - first))
    frames = [build(bars, model.features) for bars in history]
    model.fit(_before(frames, split), seed)
    views = [_view(model, bars, frame, split) for bars, frame in zip(history, frames, strict=True)]
    symbols = ", ".join(bars.symbol for bars in history)
    return views, f"fitted on {symbols}, {interval} bars before {stamp(split)} UTC; told from there on"


def _before(frames: Sequence[FeatureFrame], split: int) -> FeatureFrame:
    """What was known before the split, symbol after symbol."""
    ends = [int(np.searchsorted(frame.ts, split)) for frame in frames]
    ts = np.concatenate([frame.ts[:end] for frame, end in zip(frames, ends, strict=True)])
    values = np.concatenate([frame.values[:end] for frame, end in zip(frames, ends, strict=True)])
    return FeatureFrame("*", ts, frames[0].names, values)


def _view(model: RegimeModel, bars: BarFrame, frame: FeatureFrame, split: int) -> RegimeView:
    start = int(np.searchsorted(frame.ts, split))
    if start >= len(bars):
        raise NotEnoughHistory(f"{bars.symbol} has no bar after {iso(split)}", remedy="lower --train, or leave it out")
    before = max(0, start - model.lookback)
    seen = FeatureFrame(frame.symbol, frame.ts[before:], frame.names, frame.values[before:])
    table, told = model.classify(seen).rows(start - before), bars.rows(start, len(bars))
    periods = YEAR_MS / interval_ms(bars.interval)
    return RegimeView(told, table, by_regime(table.codes, forward_return(told.close, 1), periods))


def answer(views: Sequence[RegimeView], model: str, fitted: str) -> dict[str, Any]:
    """The study as plain data: for each symbol the record of now, shares, runs and performance."""
    rows = []
    for view in views:
        stays = {
            label: {"runs": len(ms), "mean_hours": float(ms.mean() / 3.6e6), "longest_hours": float(ms.max() / 3.6e6)}
            for label, ms in view.stays_ms.items()
            if len(ms)
        }
        performance = [msgspec.to_builtins(row) for row in view.performance]
        rows.append(
            {"symbol": view.bars.symbol, **as_record(view.now)}
            | {"shares": view.table.shares(), "stays": stays, "buy_and_hold": performance}
        )
    return {"model": model, "fitted": fitted, "regimes": rows}


def write_page(path: Path, views: Sequence[RegimeView], model: str, fitted: str) -> None:
    """Write the page, whole or not at all. Raises: DataError if it cannot be written."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(render(views, model, fitted), encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error}", remedy="name another file after --html") from None
