"""The case: everything the gate looks at to judge the decisions of one slice, and the port a rule book answers through.

A `Case` is a value. The same case always gets the same verdicts, so a verdict can be checked, explained and flipped by
reviewing a case that differs in one thing. What is not known is absent (None, or not in the mapping), never a default.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

import msgspec

from seakeep.core.account import Portfolio
from seakeep.core.beliefs import Sentiment
from seakeep.core.market import Float64, Instrument, InstrumentKind
from seakeep.core.orders import Order
from seakeep.core.verdicts import Decision, RiskSnapshot, RuleHit
from seakeep.risk.breaker import BreakerState
from seakeep.risk.limits import Limits

__all__ = ["Candidate", "Case", "History", "MarketFacts", "ModelHealth", "RuleBook", "reduces"]


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """One decision before the gate.

    `held` is the signed weight of equity now, `mark` the price it was decided at, `stop` and `targets` the protective
    prices that would travel with it (targets nearest first, each with its share of the position).
    """

    decision: Decision
    instrument: Instrument
    held: float
    mark: float
    stop: float | None = None
    targets: tuple[tuple[float, float], ...] = ()

    @property
    def symbol(self) -> str:
        """The decision's symbol."""
        return self.decision.symbol

    @property
    def base(self) -> float:
        """The weight an addition starts from: what is held, or 0 when the decision turns the position over."""
        return self.held if self.held * self.decision.target > 0 else 0.0

    @property
    def reduces(self) -> bool:
        """Whether it takes risk away; such a decision always passes."""
        return reduces(self.held, self.decision.target)

    @property
    def take_profit(self) -> float | None:
        """The nearest target price."""
        return self.targets[0][0] if self.targets else None


def reduces(held: float, target: float) -> bool:
    """Whether moving a signed weight from `held` to `target` only takes risk away.

    >>> reduces(0.1, 0.05), reduces(0.1, -0.05), reduces(-0.1, 0.0)
    (True, False, True)
    """
    return target == 0.0 or (held * target > 0 and abs(target) <= abs(held))


class MarketFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about one symbol's market. Volumes in quote units, `volatility` and `atr` as fractions of price.

    `seen` is when its last bar became known; `age_bars` how many bar lengths ago that is. `volatility` is the realised
    deviation of daily log returns; `traded_1h` what we ourselves have traded in the last hour (quote units).
    """

    symbol: str
    mark: float
    seen: int
    age_bars: float
    volume_1h: float | None = None
    volume_24h: float | None = None
    traded_1h: float = 0.0
    volatility: float | None = None
    atr: float | None = None
    spread: float | None = None


class ModelHealth(msgspec.Struct, frozen=True):
    """How often an expert lately had an answer for a symbol: a share of its last forecasts, in [0, 1]."""

    expert: str
    symbol: str
    share: float


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """Simple daily returns (n, k), oldest first, one column a symbol; NaN where a symbol had no price.

    `correlation` (k, k) is theirs; NaN, or None as a whole, where it is not known. `complete`: no NaN there. `alone` is
    the CVaR (k,) of each symbol by itself, the worse of long and short, if it was measured on the days and at the
    confidence of the limits; it bounds the CVaR of any book of them.
    """

    symbols: tuple[str, ...]
    returns: Float64
    correlation: Float64 | None = None
    complete: bool = False
    alone: Mapping[str, float] | None = None


_NONE: Mapping[str, Sentiment] = MappingProxyType({})


class Case(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """One slice before the gate: what is asked, of which account, in which market, under which limits.

    `snapshot.exposure` holds the signed weight of every position, the candidates' included. `limit_share` in (0, 1] is
    what the traffic light leaves of the tail limits, `correlation_factor` in (0, 1] what a bearish tone leaves of the
    correlation threshold.
    """

    snapshot: RiskSnapshot
    candidates: tuple[Candidate, ...]
    limits: Limits
    breaker: BreakerState
    instruments: Mapping[str, Instrument]
    markets: Mapping[str, MarketFacts]
    portfolio: Portfolio
    history: History | None = None
    orders: tuple[Order, ...] = ()
    models: tuple[ModelHealth, ...] = ()
    sentiment: Mapping[str, Sentiment] = _NONE
    limit_share: float = 1.0
    correlation_factor: float = 1.0

    @property
    def ts(self) -> int:
        """The instant it is judged at."""
        return self.snapshot.ts

    @property
    def held(self) -> dict[str, float]:
        """Signed weight of every position."""
        return dict(self.snapshot.exposure)

    def margined(self, symbol: str) -> bool:
        """Whether a position in it is a perpetual; what is not known counts as one."""
        known = self.instruments.get(symbol)
        return known is None or known.kind is InstrumentKind.PERPETUAL


class RuleBook(Protocol):
    """A book of rules that speaks to every candidate of a case.

    One tuple of hits per candidate, in order. Severity "block" refuses an addition, "resize" carries the largest
    absolute weight it allows in `limit`, "warn" and "info" only speak. Reductions pass whatever a book says.
    """

    @property
    def version(self) -> str:
        """Name and content hash of the book, as it is written into verdicts."""
        ...

    def judge(self, case: Case) -> tuple[tuple[RuleHit, ...], ...]:
        """The hits. Raises: RuleBookError; the review then refuses every addition."""
        ...
