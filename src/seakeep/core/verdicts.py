"""What we intend and what the gate says about it."""

from enum import StrEnum

import msgspec

__all__ = ["Decision", "Outcome", "RiskSnapshot", "RiskVerdict", "RuleHit"]


class Decision(msgspec.Struct, frozen=True, tag="decision", tag_field="is"):
    """A strategy wants `target` (signed weight of equity) in a symbol; contributions add up to the score.

    `dissent` is how far the voices lie apart, 0 when they agree. An entry carries the log return that is expected of it
    (`edge`) and the most that its way in and out may cost (`cost`), both as fractions of the price, where they are
    known; `veto` names the experts that forbid it; `note` is what else led to it.
    """

    id: str
    strategy: str
    symbol: str
    ts: int
    target: float
    score: float
    confidence: float
    contributions: tuple[tuple[str, float], ...]
    regime: str = "unknown"
    dissent: float = 0.0
    edge: float | None = None
    cost: float | None = None
    veto: str = ""
    note: str = ""


class RiskSnapshot(msgspec.Struct, frozen=True, tag="snapshot", tag_field="is"):
    """The account as the gate sees it. Fractions of equity; losses and drawdowns are positive; None is "not known".

    `breaker` is the state of the circuit breaker after it has seen these numbers. Tail figures are those of one day;
    they are measured where something hangs on them: with decisions, and once a day. `limit_share` is what the traffic
    light leaves of the tail limits.
    """

    ts: int
    equity: float
    drawdown: float
    daily_loss: float
    gross: float
    exposure: tuple[tuple[str, float], ...]
    var: float | None = None
    cvar: float | None = None
    volatility: float | None = None
    correlated_exposure: float | None = None
    p_ruin: float | None = None
    breaker: str = "NORMAL"
    weekly_loss: float = 0.0
    limit_share: float = 1.0


class RuleHit(msgspec.Struct, frozen=True):
    """One rule that spoke: its value, the limit it met, and what it says.

    Severity: block refused, warn cut the target or spoke, info is near. A rule book cuts by "resize", its `limit` then
    the largest absolute weight it allows.
    """

    rule: str
    severity: str
    value: float
    limit: float
    message: str


class Outcome(StrEnum):
    """The four answers of the gate."""

    APPROVED = "APPROVED"
    RESIZED = "RESIZED"
    REFUSED = "REFUSED"
    HALTED = "HALTED"


_ALLOWED = (Outcome.APPROVED, Outcome.RESIZED)


class RiskVerdict(msgspec.Struct, frozen=True, tag="verdict", tag_field="is"):
    """The gate's answer to one decision. Only `seakeep.risk` constructs one (a test proves it).

    `targets` are the take-profit prices, nearest first, each with its share of the position; `limits` and `book` are
    the versions of what it was judged by.
    """

    decision_id: str
    symbol: str
    ts: int
    outcome: Outcome
    target: float
    stop: float | None
    take_profit: float | None
    hits: tuple[RuleHit, ...]
    near_misses: tuple[RuleHit, ...] = ()
    flip: str = ""
    targets: tuple[tuple[float, float], ...] = ()
    limits: str = ""
    book: str = ""

    @property
    def allowed(self) -> bool:
        """Whether an order may follow."""
        return self.outcome in _ALLOWED
