"""Which of several strategies trades: rated by regime, record, risk profile, sentiment, volatility and hour.

Every member is followed on paper all the time, at the same thresholds and costs, traded or not: that is its record. A
member takes over when it is rated more than `improvement` above the one that trades, above `least`, and the cool-down
has passed. A part that is not known yet is left out, and its weight goes to the others.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import msgspec

from seakeep.core.beliefs import FeatureFrame
from seakeep.core.errors import ConfigError
from seakeep.core.market import Float64
from seakeep.core.units import DAY_MS, HOUR_MS
from seakeep.strategy.base import STRATEGIES, Strategy

__all__ = ["PARTS", "PROFILES", "Moment", "Rating", "Record", "Selection", "Selector", "rate"]

PARTS = {"regime": 0.30, "record": 0.25, "profile": 0.15, "sentiment": 0.15, "volatility": 0.10}
"""What each part weighs; those that are known are brought to a sum of 1. The 0.05 that users of such scores give to the
importance of features is left out: members are rules, which learn no importance."""
PROFILES = {"conservative": (0.05, 1.5), "moderate": (0.10, 1.2), "aggressive": (0.15, 1.0)}
"""Largest drawdown and least yearly Sharpe ratio of each profile."""

_SESSIONS = ((0, 8), (8, 14), (14, 22), (22, 24))
"""Hours (UTC) that are told apart."""
_HOURLY = 0.10
_GOOD_SHARPE, _GOOD_FACTOR = 2.0, 2.0
"""A Sharpe ratio and a profit factor that count in full."""


@STRATEGIES.register("selector")
class Selector(Strategy):
    """Several strategies of which one trades at a time: the first of `members` until another has earned it."""

    members: str = "trend, reversion"
    profile: str = "moderate"
    improvement: float = 0.15
    least: float = 0.7
    cooldown_hours: int = 24
    min_trades: int = 10

    @cached_property
    def parts(self) -> dict[str, Strategy]:
        """The strategies by name. Raises: ConfigError for an unknown or missing member, or an unknown profile."""
        names = [name.strip() for name in self.members.split(",") if name.strip()]
        if len(set(names)) < 2 or len(set(names)) < len(names) or "selector" in names:
            raise ConfigError("selector.members must name two or more strategies, each once", value=self.members)
        if self.profile not in PROFILES:
            raise ConfigError("selector.profile is not known", value=self.profile, remedy=", ".join(PROFILES))
        return {name: STRATEGIES[name]() for name in names}

    @cached_property
    def features(self) -> tuple[str, ...]:  # type: ignore[override]
        """Every feature some member reads."""
        return tuple(dict.fromkeys(spec for part in self.parts.values() for spec in part.features))

    @cached_property
    def lookback(self) -> int:  # type: ignore[override]
        """As many rows as the member that looks back furthest."""
        return max(part.lookback for part in self.parts.values())

    def score(self, frame: FeatureFrame, forecasts: Mapping[str, Float64]) -> Float64:
        """The score of the first member (n,): who trades before there is a record. A running engine selects."""
        return next(iter(self.parts.values())).score(frame, forecasts)


@dataclass(slots=True)
class _Tally:
    """Returns per bar of one kind of moment: their number, sum, and sum of squares."""

    n: int = 0
    total: float = 0.0
    squares: float = 0.0

    def add(self, value: float) -> None:
        self.n, self.total, self.squares = self.n + 1, self.total + value, self.squares + value * value

    def sharpe(self, bars_per_year: float) -> float:
        """Yearly Sharpe ratio; 0 where nothing was risked."""
        mean = self.total / self.n
        variance = max(0.0, self.squares / self.n - mean * mean)
        return mean / math.sqrt(variance) * math.sqrt(bars_per_year) if variance > 0 else 0.0


@dataclass(slots=True)
class Record:
    """What a member has earned on paper, per bar and per trade, cost included."""

    all: _Tally = field(default_factory=_Tally)
    by_regime: dict[str, _Tally] = field(default_factory=dict)
    by_volatility: dict[bool, _Tally] = field(default_factory=dict)
    by_session: dict[int, list[int]] = field(default_factory=dict)
    """Trades and wins by the hours they were opened in."""
    trades: int = 0
    wins: int = 0
    gained: float = 0.0
    lost: float = 0.0
    equity: float = 1.0
    peak: float = 1.0
    drawdown: float = 0.0

    def bar(self, made: float) -> None:
        """One bar's return on paper, over all markets."""
        self.all.add(made)
        self.equity *= max(0.0, 1.0 + made)
        self.peak = max(self.peak, self.equity)
        self.drawdown = max(self.drawdown, 1.0 - self.equity / self.peak)

    def moment(self, made: float, regime: str, wild: bool | None) -> None:
        """The same bar in one market, in the regime and the volatility it began in."""
        self.by_regime.setdefault(regime, _Tally()).add(made)
        if wild is not None:
            self.by_volatility.setdefault(wild, _Tally()).add(made)

    def trade(self, made: float, opened: int) -> None:
        """A finished trade: what it made, and when it was opened."""
        self.trades += 1
        self.wins += made > 0
        self.gained += max(0.0, made)
        self.lost += max(0.0, -made)
        hour = self.by_session.setdefault(_session(opened), [0, 0])
        hour[0] += 1
        hour[1] += made > 0


class Moment(msgspec.Struct, frozen=True):
    """What a rating looks at beside the record; `tone` in [-1, 1] and `wild` None where not known."""

    ts: int
    regime: str
    wild: bool | None
    tone: float | None


class Rating(msgspec.Struct, frozen=True):
    """How a member is rated now, in [0, 1] but for the hour, and of what parts."""

    total: float
    parts: tuple[tuple[str, float], ...]
    hour: float = 1.0


def rate(record: Record, leaning: float | None, moment: Moment, profile: str, bars_per_year: float) -> Rating:
    """The rating of a record at a moment; `leaning` is the member's own score now, in [-1, 1].

    regime, volatility: Sharpe ratio there over 2, from 0.5 at none. record: 0.3 Sharpe / 2 + 0.2 win rate + 0.2 (1 -
    drawdown) + 0.3 profit factor / 2. profile: half how far the drawdown stays within the profile's, half Sharpe over
    its least. sentiment: whether it leans with the tone. Each clipped to [0, 1]. Hours shift it by up to 10 %.
    """
    parts = dict(_parts(record, leaning, moment, profile, bars_per_year))
    weight = sum(PARTS[name] for name in parts)
    total = sum(PARTS[name] * value for name, value in parts.items()) / weight if weight else 0.0
    trades, wins = record.by_session.get(_session(moment.ts), (0, 0))
    hour = 1.0 + _HOURLY * (2.0 * wins / trades - 1.0) if trades >= 10 else 1.0
    return Rating(total * hour, tuple(parts.items()), hour)


def _parts(
    record: Record, leaning: float | None, moment: Moment, profile: str, bars_per_year: float
) -> list[tuple[str, float]]:
    found: list[tuple[str, float]] = []
    here = record.by_regime.get(moment.regime)
    if here is not None and moment.regime != "unknown":
        found.append(("regime", _share(0.5 + 0.5 * here.sharpe(bars_per_year) / _GOOD_SHARPE)))
    if record.trades:
        sharpe, win = record.all.sharpe(bars_per_year), record.wins / record.trades
        factor = record.gained / record.lost if record.lost > 0 else _GOOD_FACTOR * (record.gained > 0)
        kept = 1.0 - record.drawdown
        most, least = PROFILES[profile]
        made = 0.3 * _share(sharpe / _GOOD_SHARPE) + 0.2 * win + 0.2 * kept + 0.3 * _share(factor / _GOOD_FACTOR)
        found.append(("record", made))
        found.append(("profile", 0.5 * _share(1.0 - record.drawdown / most) + 0.5 * _share(sharpe / least)))
    if moment.tone is not None and leaning is not None:
        found.append(("sentiment", _share(0.5 + 0.5 * moment.tone * leaning)))
    wild = None if moment.wild is None else record.by_volatility.get(moment.wild)
    if wild is not None:
        found.append(("volatility", _share(0.5 + 0.5 * wild.sharpe(bars_per_year) / _GOOD_SHARPE)))
    return found


def _share(value: float) -> float:
    return min(1.0, max(0.0, value))


def _session(ts: int) -> int:
    hour = ts % DAY_MS // HOUR_MS
    return next(i for i, (start, end) in enumerate(_SESSIONS) if start <= hour < end)


class Selection:
    """Who trades now, since when and why; one for the whole account."""

    def __init__(self, selector: Selector, bars_per_year: float) -> None:
        self.selector, self.bars_per_year = selector, bars_per_year
        self.records = {name: Record() for name in selector.parts}
        self.active = next(iter(self.records))
        self.since: int | None = None
        self.why = "the first of the members"
        self.switches: list[tuple[int, str]] = []

    def review(self, leanings: Mapping[str, float | None], moment: Moment) -> bool:
        """Rate every member and switch where one has earned it; whether it did. `leanings` are the members' scores."""
        params = self.selector
        if self.since is None:
            self.since = moment.ts
        ready = min(record.trades for record in self.records.values()) >= params.min_trades
        if not ready or moment.ts - self.since < params.cooldown_hours * HOUR_MS:
            return False
        ratings = {
            name: rate(record, leanings.get(name), moment, params.profile, self.bars_per_year)
            for name, record in self.records.items()
        }
        best = max(ratings, key=lambda name: ratings[name].total)
        now, then = ratings[best], ratings[self.active]
        if best == self.active or now.total <= params.least or now.total - then.total <= params.improvement:
            return False
        parts = ", ".join(f"{name} {value:.2f}" for name, value in now.parts)
        self.why = f"{best} rated {now.total:.2f} took over from {self.active} at {then.total:.2f} ({parts})"
        self.active, self.since = best, moment.ts
        self.switches.append((moment.ts, self.why))
        return True
