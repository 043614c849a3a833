"""What a decision's own beliefs let the gate do with it: a veto, an edge below its cost, a regime's lower limit.

They speak as a rule book does, so the review, its hits and its flips treat them as any other rule: they refuse and cut
additions, and never a reduction.
"""

from collections.abc import Iterator

from seakeep.core.verdicts import Decision, RuleHit
from seakeep.engine.pipeline import Pipeline
from seakeep.risk.case import Case, RuleBook
from seakeep.risk.limits import Limits
from seakeep.strategy.costgate import worth

__all__ = ["Conditions", "conditions"]


class Conditions:
    """A rule book that hears what the decision carries, and then the book behind it."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._behind = pipeline.rule_book
        self._gate = pipeline.cost_gate
        self._regimes = None if pipeline.regimes is None else pipeline.regime_limits

    @property
    def version(self) -> str:
        """The version of the book behind it."""
        return "" if self._behind is None else self._behind.version

    def judge(self, case: Case) -> tuple[tuple[RuleHit, ...], ...]:
        """The hits on each candidate. Raises: RuleBookError from the book behind it."""
        own = [tuple(self._hits(c.decision, case.limits)) if not c.reduces else () for c in case.candidates]
        if self._behind is None:
            return tuple(own)
        said = self._behind.judge(case)
        return tuple((*mine, *theirs) for mine, theirs in zip(own, said, strict=True))

    def _hits(self, decision: Decision, limits: Limits) -> Iterator[RuleHit]:
        if decision.veto:
            message = f"{decision.veto} finds the market unlike any it has seen"
            yield RuleHit("veto", "block", 1.0, 0.0, message)
        if not worth(decision.edge, decision.cost, self._gate):
            edge, cost = decision.edge or 0.0, (decision.cost or 0.0) * self._gate.multiple
            expected = "nobody expects a return" if decision.edge is None else f"the expected {edge:.4%}"
            message = f"{expected}, which must exceed the most the round trip may cost, {cost:.4%}"
            yield RuleHit("edge_below_cost", "block", edge, cost, message)
        if self._regimes is not None:
            share = self._regimes.share(decision.regime)
            if share < 1.0:
                message = f"the regime is {decision.regime}: {share:.0%} of the largest position is left"
                most = share * limits.max_weight
                yield RuleHit("regime_limit", "resize", abs(decision.target), most, message)


def conditions(pipeline: Pipeline) -> RuleBook | None:
    """The rule book of this pipeline with its conditions; the bare one where there are none."""
    if pipeline.regimes is None and not pipeline.vetoing and pipeline.cost_gate.mode == "off":
        return pipeline.rule_book
    return Conditions(pipeline)
