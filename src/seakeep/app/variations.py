"""Reruns of a prepared session: each variation is the same loop with one thing changed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import msgspec

from seakeep.app.bootstrap import Session, prepare
from seakeep.backtest.driver import backtest
from seakeep.backtest.integrity.tardy import tardy
from seakeep.backtest.integrity.variation import AS_IT_WAS, Rerun, Variation
from seakeep.backtest.result import Result
from seakeep.brokers.sim import SimBroker
from seakeep.core.errors import DataError
from seakeep.core.market import BarFrame, Instrument
from seakeep.core.registry import build
from seakeep.engine.pipeline import Pipeline
from seakeep.execution.costs import CostParams, SymbolCosts
from seakeep.models import EXPERTS, Expert
from seakeep.models.training import fit_experts
from seakeep.strategy import STRATEGIES

__all__ = ["rerun"]


def rerun(session: Session, userdir: Path, seen: Callable[[], None] | None = None) -> Rerun:
    """Runs variations of this session; `seen` is called after each one, for a progress bar.

    The run as it was is made once and kept.
    """
    kept: dict[str, Result] = {}

    def run(variation: Variation) -> Result:
        if variation == AS_IT_WAS and "base" in kept:
            return kept["base"]
        result = _run(session, userdir, variation)
        if variation == AS_IT_WAS:
            kept["base"] = result
        if seen is not None:
            seen()
        return result

    return run


def _run(session: Session, userdir: Path, variation: Variation) -> Result:
    session = _with_symbols(session, userdir, variation.symbols)
    frames = session.frames if variation.bars is None else _checked(variation.bars(session.frames), session.frames)
    start, end = variation.timerange or (None, None)
    frames = tuple(frame.between(None, end) for frame in frames)
    pipeline = _pipeline(session, variation, frames, start)
    first = pipeline.trade_from - pipeline.bar_ms
    traded = {frame.symbol: frame.between(first, None) for frame in frames}
    feed = session.feed(frames=frames, end=end)
    return backtest(pipeline, feed, _broker(session, pipeline, variation), traded, {"run_id": pipeline.run_id})


def _with_symbols(session: Session, userdir: Path, symbols: Sequence[str] | None) -> Session:
    """The session on these symbols, its experts fitted on their history; it does not start earlier than it did."""
    if symbols is None or tuple(symbols) == session.settings.run.symbols:
        return session
    run = session.settings.run.model_copy(update={"symbols": tuple(symbols)})
    other = prepare(session.settings.model_copy(update={"run": run}), userdir, session.pipeline.run_id)
    trade_from = max(session.pipeline.trade_from, other.pipeline.trade_from)
    return replace(other, pipeline=replace(other.pipeline, trade_from=trade_from))


def _checked(frames: tuple[BarFrame, ...], before: Sequence[BarFrame]) -> tuple[BarFrame, ...]:
    """The changed frames. Raises: DataError if a symbol was lost, or one has no bar left."""
    symbols = tuple(frame.symbol for frame in before)
    if tuple(frame.symbol for frame in frames) != symbols or not all(len(frame) for frame in frames):
        remedy = "a change of bars keeps every symbol, in order, with at least one bar"
        raise DataError("the varied bars are not those of the run", value=[f.symbol for f in frames], remedy=remedy)
    return frames


def _pipeline(session: Session, variation: Variation, frames: Sequence[BarFrame], start: int | None) -> Pipeline:
    pipeline, settings = session.pipeline, session.settings
    trade_from = max(pipeline.trade_from, start or 0)
    experts: Mapping[str, Expert] = pipeline.experts
    if variation.bars is not None or trade_from > pipeline.trade_from:
        experts = {name: build(EXPERTS, name, params) for name, params in settings.experts.items()}
        _fit(experts, frames, trade_from - pipeline.bar_ms, settings.run.seed)
    strategy = pipeline.strategy
    if variation.params:
        strategy = build(STRATEGIES, pipeline.strategy_name, {**settings.strategy.params, **dict(variation.params)})
    strategy, experts = tardy(strategy, experts, variation.entry_delay)
    return replace(
        pipeline,
        strategy=strategy,
        experts=experts,
        trade_from=trade_from,
        instruments={s: _charging(i, variation.cost_scale) for s, i in pipeline.instruments.items()},
        initial_cash=pipeline.initial_cash * variation.cash_scale,
    )


def _fit(experts: Mapping[str, Expert], frames: Sequence[BarFrame], last_open: int, seed: int) -> None:
    """Fit on the bars that were known when trading starts."""
    history = [frame.between(None, last_open + 1) for frame in frames]
    if experts:
        fit_experts(experts, [bars for bars in history if len(bars)], seed)


def _charging(instrument: Instrument, scale: float) -> Instrument:
    if scale == 1.0:
        return instrument
    by = Decimal(repr(float(scale)))
    fees = {"maker_fee": instrument.maker_fee * by, "taker_fee": instrument.taker_fee * by}
    return msgspec.structs.replace(instrument, **fees)


def _broker(session: Session, pipeline: Pipeline, variation: Variation) -> SimBroker:
    broker, asked = session.settings.broker, {"path": variation.path, "touch_fills": variation.touch_fills}
    return SimBroker(
        pipeline.instruments,
        pipeline.initial_cash,
        params=broker.sim.model_copy(update={key: value for key, value in asked.items() if value is not None}),
        costs=_scaled(variation.costs or session.settings.costs, variation),
        latency=variation.latency or broker.latency,
        seed=session.settings.run.seed,
    )


def _scaled(costs: CostParams, variation: Variation) -> CostParams:
    """Spread and impact times their scales; bounds of the settings do not bind an experiment."""
    spread = variation.cost_scale * variation.spread_scale
    impact = variation.cost_scale * variation.impact_scale

    def scaled(own: SymbolCosts) -> dict[str, float]:
        return {
            "half_spread_bps": own.half_spread_bps * spread,
            "temporary": own.temporary * impact,
            "permanent": own.permanent * impact,
        }

    symbols = {symbol: own.model_copy(update=scaled(own)) for symbol, own in costs.symbols.items()}
    return costs.model_copy(update={**scaled(costs), "symbols": symbols})
