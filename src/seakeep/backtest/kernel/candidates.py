"""A pipeline through the kernel: its scores over the whole history at once, so that thousands of candidates are ranked.

The strategy's own vectorised score, the experts' forecasts, the blend, the stance and the size are those of the engine.
What looks at the account or learns on the way (alphas, calibrations, selectors, vetoes, learnt weights, a cost gate, a
rule book, the overlay) is the driver's; `unheard` names what of a pipeline the kernel leaves out, and is the one place
that knows it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from seakeep.backtest.kernel.asks import Opinions
from seakeep.backtest.kernel.simulator import KernelRun, simulate
from seakeep.backtest.kernel.tape import History
from seakeep.backtest.kernel.terms import KernelParams
from seakeep.brokers.latency import LatencyParams
from seakeep.brokers.sim import SimParams
from seakeep.core.beliefs import FeatureFrame
from seakeep.core.errors import ConfigError
from seakeep.core.market import BarFrame, Float64
from seakeep.engine.pipeline import Pipeline
from seakeep.execution.costs import CostParams
from seakeep.features.frame import build
from seakeep.risk.sizing import full_weight
from seakeep.risk.stops import StopParams
from seakeep.strategy.selection import Selector

__all__ = ["Venue", "from_pipeline", "opinions", "told", "unheard"]


@dataclass(frozen=True, kw_only=True)
class Venue:
    """What the simulated venue is told beside the instruments; the parts are those of `brokers.sim`."""

    costs: CostParams = CostParams()
    latency: LatencyParams = LatencyParams()
    sim: SimParams = SimParams()
    seed: int = 0


def from_pipeline(
    pipeline: Pipeline,
    frames: Sequence[BarFrame] | History,
    venue: Venue | None = None,
    *,
    strict: bool = True,
    details: bool = False,
) -> KernelRun:
    """Run a pipeline over bars; funding rates come with a `History`.

    Raises: ConfigError naming what the kernel leaves out, if there is such a part and `strict`, or if the scores are
    not one number in [-1, 1] or NaN for each row; and what `simulate` raises.
    """
    left_out = unheard(pipeline, None if venue is None else venue.latency)
    if left_out and strict:
        remedy = "run it through the driver, or rank without them (strict=False)"
        raise ConfigError(f"the kernel leaves out {', '.join(left_out)}", remedy=remedy)
    history = frames if isinstance(frames, History) else History.of(frames)
    return simulate(history, opinions(pipeline, history), told(pipeline, venue or Venue()), details=details)


def unheard(pipeline: Pipeline, latency: LatencyParams | None = None) -> tuple[str, ...]:
    """What changes the decisions of this pipeline, or the delays of that venue, and the kernel leaves out.

    A part that is there and cannot speak is not named: a cost gate that only weighs what experts expect, without
    experts, lets everything pass.
    """
    sizing, drawn = pipeline.sizing.method, latency is not None and latency.model != "fixed"
    parts = {
        "a selector": isinstance(pipeline.strategy, Selector),
        "signals beside the strategy": bool(pipeline.alphas),
        "calibrations": bool(pipeline.calibrations),
        "regimes": pipeline.regimes is not None,
        "vetoes": bool(pipeline.vetoing),
        "learnt weights": pipeline.weighting.method != "static",
        "weights by regime": bool(pipeline.experts) and pipeline.weights_in("unknown") != pipeline.group_weights,
        "the cost gate": _gated(pipeline),
        "a rule book": pipeline.rule_book is not None,
        "sizes that follow sentiment": pipeline.overlay.enabled,
        f"sizing by {sizing}": sizing not in ("fixed", "volatility", "kelly"),
        **_moving(pipeline.stops),
        "delays longer than a bar": drawn and latency is not None and latency.high_ms >= pipeline.bar_ms,
    }
    return tuple(name for name, there in parts.items() if there)


def _gated(pipeline: Pipeline) -> bool:
    """Whether the cost gate may refuse an entry: it asks for an expectation, or some expert has one."""
    mode = pipeline.cost_gate.mode
    return mode == "required" or (mode == "known" and any(expert.scale > 0 for expert in pipeline.experts.values()))


def _moving(stops: StopParams) -> dict[str, bool]:
    """Stops and targets that are not at one distance."""
    return {
        "stops by true range": stops.atr_multiple > 0,
        "stops that adapt": stops.adaptive,
        "stops that begin to trail": stops.activation > 0,
        "a ladder of targets": bool(stops.ladder),
    }


def told(pipeline: Pipeline, venue: Venue) -> KernelParams:
    """What the kernel is told of a pipeline; of its limits the static ones hold."""
    return KernelParams(
        instruments=pipeline.instruments,
        cash=pipeline.initial_cash,
        weight=pipeline.sizing.fixed_weight,
        thresholds=pipeline.thresholds,
        stops=pipeline.stops,
        limits=pipeline.limits,
        costs=venue.costs,
        latency=venue.latency,
        sim=venue.sim,
        seed=venue.seed,
        trade_from=pipeline.trade_from,
    )


def opinions(pipeline: Pipeline, history: History) -> Opinions:
    """The blended view of every symbol at every instant, (n, k) each; NaN where all abstain or there is no bar."""
    shape = (len(history), len(history.symbols))
    score, confidence, weight = np.full(shape, np.nan), np.zeros(shape), np.full(shape, np.nan)
    for j, bars in enumerate(history.frames):
        rows = np.searchsorted(history.ts, bars.known_at)
        score[rows, j], confidence[rows, j], weight[rows, j] = _view(pipeline, build(bars, pipeline.specs))
    return Opinions(score=score, confidence=confidence, weight=weight)


def _view(pipeline: Pipeline, frame: FeatureFrame) -> tuple[Float64, Float64, Float64]:
    """Score, confidence and weight (n,) of one symbol."""
    forecasts = {name: expert.predict(frame) for name, expert in pipeline.experts.items()}
    voices = [(pipeline.strategy.group, 1.0, _scores(pipeline, frame, forecasts))]
    for name, table in forecasts.items():
        expert = pipeline.experts[name]
        if expert.scale > 0 and expert.confidence > 0:
            voices.append((expert.group, expert.confidence, np.clip(table[:, 0] / (2.0 * expert.scale), -1.0, 1.0)))
    return (*_blend(voices, pipeline.group_weights), _weights(pipeline, forecasts, len(frame)))


def _scores(pipeline: Pipeline, frame: FeatureFrame, forecasts: Mapping[str, Float64]) -> Float64:
    """The strategy's scores (n,). Raises: ConfigError if it fails, or they are not one in [-1, 1] or NaN a row."""
    name = pipeline.strategy_name
    try:
        scores = np.asarray(pipeline.strategy.score(frame, forecasts), dtype=np.float64)
    except Exception as error:
        raise ConfigError(f"strategy {name} failed: {type(error).__name__}: {error}") from error
    if scores.shape != (len(frame),):
        raise ConfigError(f"strategy {name} must give one score for each of {len(frame)} rows", value=scores.shape)
    if (np.abs(scores) > 1).any():
        wild = float(scores[np.abs(scores) > 1][0])
        raise ConfigError(f"strategy {name} must score in [-1, 1]", value=wild, remedy="use np.clip(score, -1, 1)")
    return scores


def _blend(voices: Sequence[tuple[str, float, Float64]], weights: Mapping[str, float]) -> tuple[Float64, Float64]:
    """Score and confidence (n,) as `strategy.decide.blend` gives them row by row; NaN where nobody is heard."""
    heard = [~np.isnan(score) for _, _, score in voices]
    groups = [group for group, _, _ in voices]
    n = len(heard[0])
    voice, sure, total = np.zeros(n), np.zeros(n), np.zeros(n)
    loud = []
    with np.errstate(divide="ignore", invalid="ignore"):
        for (group, confidence, _), there in zip(voices, heard, strict=True):
            members = sum(h.astype(np.int64) for h, g in zip(heard, groups, strict=True) if g == group)
            loudness = np.where(there, weights.get(group, 0.0) / members * confidence, 0.0)
            voice, sure = voice + loudness, sure + loudness * confidence
            loud.append(loudness)
        for loudness, (_, _, score), there in zip(loud, voices, heard, strict=True):
            total = total + np.where(there, loudness * score / voice, 0.0)
        return np.where(voice > 0, total, np.nan), np.where(voice > 0, sure / voice, 0.0)


def _weights(pipeline: Pipeline, forecasts: Mapping[str, Float64], n: int) -> Float64:
    """Weight of a full stance (n,): by the most confident expert's mean and the volatility expert's deviation."""
    if pipeline.sizing.method == "fixed" or not forecasts:
        return np.full(n, full_weight(math.nan, math.nan, 0.0, pipeline.sizing))
    loudest = max(forecasts, key=lambda name: pipeline.experts[name].confidence)
    widest = "volatility" if "volatility" in forecasts else loudest
    horizon, other = pipeline.experts[widest].horizon, pipeline.experts[loudest].horizon
    a_year, means = pipeline.bars_per_year / horizon, forecasts[loudest][:, 0] * (horizon / other)
    moves = zip(means.tolist(), forecasts[widest][:, 1].tolist(), strict=True)
    return np.array([full_weight(mean, std, a_year, pipeline.sizing) for mean, std in moves])
