"""From the newest features of one symbol to the opinion on it: forecasts, signals, blend, size."""

import math

from seakeep.core.beliefs import FeatureFrame, Forecast, Signal
from seakeep.core.market import Float64
from seakeep.engine.pipeline import Pipeline
from seakeep.risk.sizing import full_weight
from seakeep.strategy.decide import Blend, blend
from seakeep.strategy.signals import from_forecast, from_score

__all__ = ["forecast", "opine"]

_SQRT2 = math.sqrt(2.0)


def forecast(pipeline: Pipeline, frame: FeatureFrame) -> dict[str, Float64]:
    """Mean and deviation (n, 2) of every expert for the rows of the frame."""
    return {name: expert.predict(frame) for name, expert in pipeline.experts.items()}


def opine(pipeline: Pipeline, frame: FeatureFrame) -> tuple[Blend, float]:
    """The blended opinion on the frame's last row, and the weight a full-conviction stance would take."""
    forecasts = forecast(pipeline, frame)
    signals = [s for name, table in forecasts.items() if (s := _expert_signal(pipeline, frame, name, table))]
    score = float(pipeline.strategy.score(frame, forecasts)[-1])
    ts = int(frame.ts[-1])
    half_life = pipeline.bar_ms
    own = from_score(pipeline.strategy_name, pipeline.strategy.group, frame.symbol, ts, score, half_life)
    opinion = blend([own, *signals] if own else [], pipeline.group_weights)
    return opinion, _weight(pipeline, forecasts)


def _expert_signal(pipeline: Pipeline, frame: FeatureFrame, name: str, table: Float64) -> Signal | None:
    expert = pipeline.experts[name]
    mean, std = table[-1].tolist()
    if expert.scale <= 0:
        return None
    prob_up = 0.5 * math.erfc(-mean / (std * _SQRT2)) if std > 0 else math.nan
    belief = Forecast(
        name,
        "1",
        frame.symbol,
        int(frame.ts[-1]),
        expert.horizon * pipeline.bar_ms,
        mean,
        std,
        prob_up,
        expert.confidence,
    )
    return from_forecast(belief, expert.group, expert.scale)


def _weight(pipeline: Pipeline, forecasts: dict[str, Float64]) -> float:
    """Size by the most confident mean and the volatility expert's deviation, where there are any."""
    if pipeline.sizing.method == "fixed" or not forecasts:
        return full_weight(math.nan, math.nan, 0.0, pipeline.sizing)
    loudest = max(pipeline.experts, key=lambda name: pipeline.experts[name].confidence)
    widest = "volatility" if "volatility" in forecasts else loudest
    horizon = pipeline.experts[widest].horizon
    mean, std = float(forecasts[loudest][-1, 0]), float(forecasts[widest][-1, 1])
    return full_weight(mean, std, pipeline.bars_per_year / horizon, pipeline.sizing)
