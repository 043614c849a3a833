"""From an opinion to a decision: the stance, the size the tone leaves of it, and the numbers the gate will ask for."""

from seakeep.core.market import InstrumentKind
from seakeep.core.verdicts import Decision, Outcome
from seakeep.engine.costing import round_trip
from seakeep.engine.facts import note_health
from seakeep.engine.opinion import Opinion
from seakeep.engine.pipeline import Pipeline
from seakeep.engine.state import EngineState, Market
from seakeep.risk.overlay import adjust
from seakeep.strategy.decide import stance

__all__ = ["decision_of", "wanted_side"]

_PERPETUAL = InstrumentKind.PERPETUAL
_ALLOWED_NOTHING = (Outcome.APPROVED, (), False)
"""What a market was told about an entry without a size; it is said once."""


def wanted_side(pipeline: Pipeline, market: Market, opinion: Opinion) -> int:
    """The stance to take: +1, 0 or -1; the one there is while everyone abstains."""
    for expert, answered in opinion.answered:
        note_health(market, expert, answered=answered)
    if not opinion.view.contributions:
        return market.held
    can_short = market.instrument.kind is _PERPETUAL
    return stance(opinion.view, market.held, pipeline.thresholds, can_short=can_short)


def decision_of(
    pipeline: Pipeline, state: EngineState, market: Market, opinion: Opinion, wanted: int, ts: int
) -> Decision | None:
    """The decision to take that stance in a market; None while it stays as it is."""
    if wanted == market.held:
        market.told = ()
        return None
    symbol, target = market.instrument.symbol, wanted * opinion.weight
    if pipeline.overlay.enabled:
        target *= adjust(state.sentiment.get(symbol), target, ts, pipeline.overlay).size
    if target == 0.0 and not market.held and market.told == _ALLOWED_NOTHING:
        return None
    view, enters = opinion.view, target != 0.0
    gated = enters and pipeline.cost_gate.mode != "off"
    return Decision(
        state.next_id(pipeline.run_id, "d"),
        opinion.strategy or pipeline.strategy_name,
        symbol,
        ts,
        target,
        view.score,
        view.confidence,
        view.contributions,
        opinion.regime,
        view.dissent,
        edge=opinion.edge(wanted) if gated else None,
        cost=round_trip(pipeline, market, target, state.equity) if gated else None,
        veto=", ".join(opinion.veto) if enters else "",
        note=opinion.remark,
    )
