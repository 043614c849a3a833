"""From the newest features to opinions: forecasts, signals, blend, size; all symbols of a slice at once.

Experts are fitted on pooled rows of all symbols, so they predict on pooled rows too: one call a slice, not one a
symbol. A strategy is asked symbol by symbol.
"""

import math
from collections.abc import Iterator, Mapping, Sequence

import msgspec
import numpy as np

from seakeep.core.beliefs import FeatureFrame, Forecast, Signal
from seakeep.core.errors import ConfigError
from seakeep.core.market import Float64
from seakeep.core.units import iso
from seakeep.engine.pipeline import Pipeline
from seakeep.risk.sizing import full_weight
from seakeep.strategy.decide import Blend, blend
from seakeep.strategy.signals import from_forecast, from_score

__all__ = ["Opinion", "opine"]

_SQRT2 = math.sqrt(2.0)


class Opinion(msgspec.Struct, frozen=True):
    """The blended view of one symbol, the weight of equity a full-conviction stance would take, and who answered."""

    view: Blend
    weight: float
    answered: tuple[tuple[str, bool], ...] = ()


def opine(pipeline: Pipeline, frames: Sequence[FeatureFrame]) -> Iterator[Opinion]:
    """One opinion for the last row of each symbol's frame, in order."""
    tables = _forecast(pipeline, frames)
    stop = 0
    for frame in frames:
        start, stop = stop, stop + len(frame)
        forecasts = {name: table[start:stop] for name, table in tables.items()}
        beliefs = _beliefs(pipeline, frame, forecasts)
        signals = _signals(pipeline, frame, forecasts, beliefs)
        answered = tuple([(name, belief.mean == belief.mean) for name, belief in beliefs.items()]) if beliefs else ()
        yield Opinion(blend(signals, pipeline.group_weights), _weight(pipeline, beliefs), answered)


def _forecast(pipeline: Pipeline, frames: Sequence[FeatureFrame]) -> dict[str, Float64]:
    """Mean and deviation (rows of all frames, 2) of every expert."""
    if not pipeline.experts:
        return {}
    if len(frames) == 1:
        pooled = frames[0]
    else:
        stamps, values = [f.ts for f in frames], [f.values for f in frames]
        pooled = FeatureFrame("*", np.concatenate(stamps), frames[0].names, np.concatenate(values))
    return {name: expert.predict(pooled) for name, expert in pipeline.experts.items()}


def _beliefs(pipeline: Pipeline, frame: FeatureFrame, forecasts: Mapping[str, Float64]) -> dict[str, Forecast]:
    ts, beliefs = int(frame.ts[-1]), {}
    for name, table in forecasts.items():
        expert = pipeline.experts[name]
        mean, std = table[-1].tolist()
        up = 0.5 * math.erfc(-mean / (std * _SQRT2)) if std > 0 else math.nan
        horizon_ms = expert.horizon * pipeline.bar_ms
        beliefs[name] = Forecast(name, "1", frame.symbol, ts, horizon_ms, mean, std, up, expert.confidence)
    return beliefs


def _signals(
    pipeline: Pipeline, frame: FeatureFrame, forecasts: Mapping[str, Float64], beliefs: Mapping[str, Forecast]
) -> list[Signal]:
    """The strategy's own signal first; who abstains is not there."""
    strategy = pipeline.strategy
    score = _score(pipeline, frame, forecasts)
    own = from_score(pipeline.strategy_name, strategy.group, frame.symbol, int(frame.ts[-1]), score, pipeline.bar_ms)
    signals = [] if own is None else [own]
    for name, belief in beliefs.items():
        expert = pipeline.experts[name]
        signal = from_forecast(belief, expert.group, expert.scale)
        if signal is not None:
            signals.append(signal)
    return signals


def _score(pipeline: Pipeline, frame: FeatureFrame, forecasts: Mapping[str, Float64]) -> float:
    """The strategy's newest score. Raises: ConfigError if it fails, or leaves [-1, 1]."""
    try:
        score = float(pipeline.strategy.score(frame, forecasts)[-1])
    except Exception as error:
        raise _at_fault(pipeline, frame, f"failed: {type(error).__name__}: {error}") from error
    if abs(score) > 1.0:
        raise _at_fault(pipeline, frame, f"scored {score:g}, outside [-1, 1]")
    return score


def _at_fault(pipeline: Pipeline, frame: FeatureFrame, what: str) -> ConfigError:
    where = f"{frame.symbol} at {iso(int(frame.ts[-1]))}"
    return ConfigError(f"strategy {pipeline.strategy_name}, {where}: {what}", remedy="correct its score")


def _weight(pipeline: Pipeline, beliefs: Mapping[str, Forecast]) -> float:
    """Size by the mean of the most confident expert and the deviation of the volatility expert, where there are any."""
    if not beliefs:
        return full_weight(math.nan, math.nan, 0.0, pipeline.sizing)
    loudest = max(beliefs.values(), key=_confidence)
    widest = beliefs.get("volatility", loudest)
    horizons = pipeline.bars_per_year * pipeline.bar_ms / widest.horizon_ms
    return full_weight(loudest.mean, widest.std, horizons, pipeline.sizing)


def _confidence(belief: Forecast) -> float:
    return belief.confidence
