"""From what the engine remembers to what the gate looks at: market facts, daily returns, and the case of a slice."""

import math
from collections.abc import Sequence
from itertools import pairwise

import msgspec
import numpy as np

from seakeep.core.beliefs import Sentiment
from seakeep.core.market import Observation
from seakeep.core.units import DAY_MS, HOUR_MS
from seakeep.core.verdicts import Decision, RiskSnapshot
from seakeep.engine.pipeline import Pipeline
from seakeep.engine.state import EngineState, Forecast, Market
from seakeep.risk.case import Candidate, Case, History, MarketFacts, ModelHealth
from seakeep.risk.liquidity import hourly_volume
from seakeep.risk.measures import correlated, deviation, history_from, ruin_chance, tail_of
from seakeep.risk.overlay import adjust
from seakeep.risk.stops import Protection, protect
from seakeep.stats.coverage import traffic_light

__all__ = [
    "SENTIMENT",
    "case_of",
    "closing_time",
    "forecast_var",
    "history_of",
    "market_facts",
    "note_health",
    "note_sentiment",
    "prepare",
    "tailed",
]

_HEALTH_MEMORY = 50.0
"""Forecasts over which an expert's share of answers is averaged."""
_VOLATILITY_DAYS, _LEAST_DAYS = 30, 10
_YEARLY = math.sqrt(365.0)
_BARE: Protection = (None, ())
SENTIMENT = ("sentiment", "sentiment_volume", "sentiment_confidence")
"""Names of the observations that make a sentiment: score in [-1, 1], texts counted, confidence in [0, 1]."""


def market_facts(market: Market, ts: int, pipeline: Pipeline) -> MarketFacts:
    """What is known about a market at `ts`; what nobody looks at is left out."""
    hour_ago, bar_ms, traded = ts - HOUR_MS, pipeline.bar_ms, market.traded
    while traded and traded[0][0] <= hour_ago:
        traded.popleft()
    hour = own = 0.0
    for bar in reversed(market.recent):
        if bar.close_time <= hour_ago:
            break
        hour += bar.volume * bar.close
    for _, notional in traded:
        own += notional
    return MarketFacts(
        symbol=market.instrument.symbol,
        mark=market.mark,
        seen=market.seen,
        age_bars=(ts - market.seen) / bar_ms,
        volume_1h=hourly_volume(hour, bar_ms) if market.recent else None,
        volume_24h=sum(market.volumes) if pipeline.rule_book is not None and market.recent else None,
        traded_1h=own,
        volatility=_volatility(market, ts // DAY_MS) if pipeline.swings else None,
        atr=_average_range(market, pipeline.stops.atr_bars) if pipeline.ranges else None,
        spread=market.spread,
    )


def _volatility(market: Market, day: int) -> float | None:
    """Deviation of the latest daily log returns."""
    if market.volatility_day != day:
        logs = np.log(list(market.closes)[-_VOLATILITY_DAYS - 1 :])
        moves = logs[1:] - logs[:-1]
        if not np.isfinite(moves).all():
            moves = moves[np.isfinite(moves)]
        market.volatility = deviation(moves) if len(moves) >= _LEAST_DAYS else None
        market.volatility_day = day
    return market.volatility


def _average_range(market: Market, bars: int) -> float | None:
    """Mean true range of the last bars as a fraction of the price; None before there are enough."""
    recent = list(market.recent)[-bars - 1 :]
    if len(recent) <= bars or not market.mark > 0:
        return None
    ranges = [max(b.high, a.close) - min(b.low, a.close) for a, b in pairwise(recent)]
    return sum(ranges) / (bars * market.mark)


def note_sentiment(state: EngineState, seen: Observation) -> None:
    """Take an observation about the tone of a symbol (None: of all) into its sentiment; others are left alone."""
    if seen.name not in SENTIMENT:
        return
    for symbol in state.markets if seen.symbol is None else (seen.symbol,):
        old = state.sentiment.get(symbol, Sentiment(symbol, seen.ts, math.nan, math.nan, math.nan))
        if seen.name == SENTIMENT[0]:
            new = msgspec.structs.replace(old, ts=seen.ts, score=seen.value)
        elif seen.name == SENTIMENT[1]:
            new = msgspec.structs.replace(old, volume=seen.value)
        else:
            new = msgspec.structs.replace(old, confidence=seen.value)
        state.sentiment[symbol] = new


def note_health(market: Market, expert: str, *, answered: bool) -> None:
    """Average an expert's answer, or the lack of it, into its health for this market."""
    share = market.health.get(expert, 1.0 if answered else 0.0)
    market.health[expert] = share + (answered - share) / _HEALTH_MEMORY


def closing_time(state: EngineState, ts: int) -> None:
    """A new UTC day: keep each market's price, and hold yesterday's VaR against what its book would have made."""
    begun, made = (ts // DAY_MS - 1) * DAY_MS, []
    for market in state.markets.values():
        price = market.mark if market.seen > begun and market.mark > 0 else math.nan
        if market.closes:
            made.append(price / market.closes[-1] - 1.0)
        market.closes.append(price)
    if made:
        state.daily.push(made)
    state.history = None
    if state.forecast is not None:
        _score(state, state.forecast)
        state.forecast = None


def _score(state: EngineState, forecast: Forecast) -> None:
    made = 0.0
    for symbol, weight in forecast.weights:
        closes = state.markets[symbol].closes
        made += weight * (closes[-1] / closes[-2] - 1.0)
    if not math.isfinite(made):
        return
    state.exceedances.append(made < -forecast.var)
    n = len(state.exceedances)
    if n >= state.limits.min_tail_days:
        state.limit_share = traffic_light(sum(state.exceedances), n, state.limits.var_confidence).limit_share


def history_of(state: EngineState) -> History | None:
    """Daily returns of every market, kept until the next day; None on the first two days."""
    if state.history is None and len(state.daily):
        state.history = history_from(tuple(state.markets), state.daily.table(), state.limits)
    return state.history


def prepare(pipeline: Pipeline) -> None:
    """Load the compiled tail and what follows from the settings, so that the first order does not wait for them."""
    symbols, limits = tuple(sorted(pipeline.instruments)), pipeline.limits
    _ = limits.version, pipeline.group_weights
    idle = history_from(symbols, np.zeros((limits.tail_days, len(symbols)), order="F"), limits)
    tail = tail_of(idle, symbols, limits)
    if tail is not None:
        tail.figures(np.ones(len(symbols)))


def forecast_var(state: EngineState, snapshot: RiskSnapshot) -> None:
    """Forecast a day's VaR of the book that was measured, to be held against what comes; none without a tail."""
    if snapshot.exposure and snapshot.var is not None:
        state.forecast = Forecast(snapshot.var, snapshot.exposure)


def tailed(state: EngineState, snapshot: RiskSnapshot) -> RiskSnapshot:
    """The snapshot with the tail figures and the correlated exposure of the book; None where not known."""
    if not snapshot.exposure:
        return msgspec.structs.replace(snapshot, var=0.0, cvar=0.0, volatility=0.0, correlated_exposure=0.0, p_ruin=0.0)
    history, symbols = history_of(state), tuple([symbol for symbol, _ in snapshot.exposure])
    tail = tail_of(history, symbols, state.limits)
    if tail is None or history is None or history.correlation is None:
        return snapshot
    weights, together = np.array([weight for _, weight in snapshot.exposure]), 0.0
    if len(symbols) > 1:
        columns = [history.symbols.index(symbol) for symbol in symbols]
        known = history.correlation[np.ix_(columns, columns)]
        together = float(correlated(known, weights, state.limits.correlation_threshold).max())
    (var, cvar), volatility = tail.figures(weights), tail.volatility(weights)
    return msgspec.structs.replace(
        snapshot,
        var=var,
        cvar=cvar,
        volatility=volatility,
        correlated_exposure=together,
        p_ruin=ruin_chance(volatility),
    )


def case_of(pipeline: Pipeline, state: EngineState, snapshot: RiskSnapshot, decisions: Sequence[Decision]) -> Case:
    """The case of a slice, its protective prices set. One that only closes needs no facts, and gathers none."""
    held = dict(snapshot.exposure)
    if pipeline.rule_book is None and not [d for d in decisions if d.target != 0.0]:
        return _bare_case(pipeline, state, snapshot, decisions)
    ts, overlay = snapshot.ts, pipeline.overlay
    markets = {symbol: market_facts(state.markets[symbol], ts, pipeline) for symbol in held}
    candidates, models, correlation = [], [], 1.0
    for decision in decisions:
        symbol = decision.symbol
        market = state.markets[symbol]
        if symbol not in markets:
            markets[symbol] = market_facts(market, ts, pipeline)
        stop, targets = _protection(pipeline, markets[symbol], decision) if pipeline.protects else _BARE
        if overlay.enabled:
            tone, mark = adjust(state.sentiment.get(symbol), decision.target, ts, overlay), market.mark
            stop = stop and mark + (stop - mark) * tone.stop
            targets = tuple((mark + (price - mark) * tone.take_profit, part) for price, part in targets)
            correlation = min(correlation, tone.correlation)
        candidates.append(
            Candidate(
                decision=decision,
                instrument=market.instrument,
                held=held.get(symbol, 0.0),
                mark=market.mark,
                stop=stop,
                targets=targets,
            )
        )
        for expert, share in market.health.items():
            models.append(ModelHealth(expert, symbol, share))
    return Case(
        snapshot=snapshot,
        candidates=tuple(candidates),
        limits=state.limits,
        breaker=state.breaker,
        instruments=pipeline.instruments,
        markets=markets,
        portfolio=state.portfolio,
        history=history_of(state),
        orders=state.open_orders(),
        models=tuple(models),
        sentiment=state.sentiment,
        limit_share=state.limit_share,
        correlation_factor=correlation,
    )


def _protection(pipeline: Pipeline, facts: MarketFacts, decision: Decision) -> Protection:
    yearly = None if facts.volatility is None else facts.volatility * _YEARLY
    return protect(facts.mark, decision.target, pipeline.stops, facts.atr, yearly)


def _bare_case(pipeline: Pipeline, state: EngineState, snapshot: RiskSnapshot, decisions: Sequence[Decision]) -> Case:
    held = dict(snapshot.exposure)
    candidates = []
    for decision in decisions:
        market, weight = state.markets[decision.symbol], held.get(decision.symbol, 0.0)
        candidates.append(Candidate(decision=decision, instrument=market.instrument, held=weight, mark=market.mark))
    return Case(
        snapshot=snapshot,
        candidates=tuple(candidates),
        limits=state.limits,
        breaker=state.breaker,
        instruments=pipeline.instruments,
        markets={},
        portfolio=state.portfolio,
    )
