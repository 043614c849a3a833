"""From decisions to fills: how many passed each gate, and what the rules said about the others."""

from collections import Counter
from collections.abc import Sequence

import msgspec

from seakeep.backtest.result import Result
from seakeep.core.orders import Order, Status
from seakeep.core.verdicts import Decision, Outcome, RiskVerdict

__all__ = ["Funnel", "Judged", "Reason", "funnel", "judged", "reasons"]


class Funnel(msgspec.Struct, frozen=True):
    """Counts along the way; `outcomes` has every outcome of the gate, also those that never occurred."""

    decisions: int
    outcomes: tuple[tuple[Outcome, int], ...]
    orders: int
    refused_orders: int
    fills: int


class Reason(msgspec.Struct, frozen=True):
    """A rule, how often it spoke, and its latest words."""

    rule: str
    severity: str
    count: int
    message: str


class Judged(msgspec.Struct, frozen=True):
    """A decision and the gate's answer to it (None: it never came to a review)."""

    decision: Decision
    verdict: RiskVerdict | None


def funnel(result: Result) -> Funnel:
    """The counts of one run."""
    outcomes = Counter(verdict.outcome for verdict in result.verdicts)
    return Funnel(
        len(result.decisions),
        tuple((outcome, outcomes[outcome]) for outcome in Outcome),
        len(result.orders),
        sum(order.status is Status.REJECTED for order in result.orders),
        len(result.fills),
    )


def reasons(verdicts: Sequence[RiskVerdict], orders: Sequence[Order]) -> list[Reason]:
    """Every rule that cut, refused or halted something, most frequent first; refused orders are counted too."""
    spoken = [(hit.rule, hit.severity, hit.message) for verdict in verdicts for hit in verdict.hits]
    spoken += [
        (order.reason.partition(":")[0], "order", order.reason) for order in orders if order.status is Status.REJECTED
    ]
    latest = {(rule, severity): message for rule, severity, message in spoken}
    counts = Counter((rule, severity) for rule, severity, _ in spoken)
    return [Reason(rule, severity, n, latest[rule, severity]) for (rule, severity), n in counts.most_common()]


def judged(result: Result, last: int) -> list[Judged]:
    """The `last` decisions with their verdicts, newest first."""
    answers = {verdict.decision_id: verdict for verdict in result.verdicts}
    return [Judged(decision, answers.get(decision.id)) for decision in reversed(result.decisions[-last:])]
