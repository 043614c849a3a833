"""What we intend and what the gate says about it."""

from enum import StrEnum

import msgspec

__all__ = ["Decision", "Outcome", "RiskSnapshot", "RiskVerdict", "RuleHit"]


class Decision(msgspec.Struct, frozen=True, tag="decision", tag_field="is"):
    """A strategy wants `target` (signed weight of equity) in a symbol; contributions add up to the score."""

    id: str
    strategy: str
    symbol: str
    ts: int
    target: float
    score: float
    confidence: float
    contributions: tuple[tuple[str, float], ...]
    regime: str = "unknown"


class RiskSnapshot(msgspec.Struct, frozen=True, tag="snapshot", tag_field="is"):
    """The account as the gate sees it. Fractions of equity; losses and drawdowns are positive; None is "not known".

    `breaker` is the state of the circuit breaker after it has seen these numbers.
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


class RuleHit(msgspec.Struct, frozen=True):
    """One rule that spoke: its value, the limit it met, and what it says. Severity: info, warn, block."""

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


class RiskVerdict(msgspec.Struct, frozen=True, tag="verdict", tag_field="is"):
    """The gate's answer to one decision. Only `seakeep.risk` constructs one (a test proves it)."""

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

    @property
    def allowed(self) -> bool:
        """Whether an order may follow."""
        return self.outcome in (Outcome.APPROVED, Outcome.RESIZED)
