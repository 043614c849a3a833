"""What the risk desk found out about one book: what was measured, and a part for each question that was asked.

A part that was not asked for is None or empty; the page, the terminal and the JSON show the parts there are. Weights
and losses are fractions of equity, losses positive; intervals hold with 95 %.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import msgspec
import numpy as np

from seakeep.core.market import Float64, Int64
from seakeep.montecarlo.summary import Fan, Summary
from seakeep.risk.court import Ruling
from seakeep.risk.crises import Replay
from seakeep.risk.ruin import BreakerOdds, Odds, Ruin, Survival
from seakeep.risk.stress import StressLoss
from seakeep.stats.components import Components, Incremental
from seakeep.stats.performance import Estimate
from seakeep.stats.tails import Tail

__all__ = [
    "Correlations",
    "Findings",
    "Lead",
    "Level",
    "Measured",
    "Order",
    "RuinOdds",
    "Simulation",
    "SizedPosition",
    "SizingRule",
    "Stresses",
    "Survivors",
    "Trial",
    "Volatility",
    "VolatilityModel",
    "as_data",
]


class Order(msgspec.Struct, frozen=True):
    """A candidate order: signed share of equity."""

    symbol: str
    weight: float


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """The book, and the history it was measured on: `weights` (k,) and last `prices` (k,) by symbol, `ts` (n,) the
    instants at which its returns (n,) were known. `equity` is None where only weights are known; what is not in
    positions is cash. The book keeps its weights through the whole history, as it stands today."""

    source: str
    quote: str
    symbols: tuple[str, ...]
    weights: Float64
    prices: Float64
    equity: float | None
    interval: str
    ts: Int64
    returns: Float64
    order: Order | None
    cautions: tuple[str, ...]

    @property
    def cash(self) -> float:
        """Share of equity that is not in positions; negative if borrowed."""
        return 1.0 - float(self.weights.sum())


@dataclass(frozen=True, slots=True, eq=False)
class Correlations:
    """Correlation (k, k) of the assets with the ends of its 95 % interval, and how it was estimated."""

    symbols: tuple[str, ...]
    matrix: Float64
    low: Float64
    high: Float64
    method: str
    warnings: tuple[str, ...] = ()


class Lead(msgspec.Struct, frozen=True):
    """Two assets and the lag, in bars by which `first` is ahead (negative: behind), at which their returns are most
    correlated other than at the same bar; `leader` is empty unless the p-value, for all pairs and lags together, is
    below 5 %."""

    first: str
    second: str
    lag: int
    value: float
    error: float
    p_value: float
    leader: str
    n: int


class SizedPosition(msgspec.Struct, frozen=True):
    """A position as a rule would have it: signed share of equity."""

    symbol: str
    weight: Estimate


class SizingRule(msgspec.Struct, frozen=True, kw_only=True):
    """How large the book should be by one rule: `share` of today's positions, None if their proportions change."""

    rule: str
    says: str
    share: Estimate | None
    positions: tuple[SizedPosition, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """The court: its ruling, what was foreseen for each day at `ts` (m,) by the trusted model (m, 2), a column a
    confidence, the returns (m,) that came, and its figures for the day to come, one (VaR, CVaR) a confidence."""

    ruling: Ruling
    confidences: tuple[float, ...]
    ts: Int64
    returns: Float64
    var: Float64
    tomorrow: tuple[tuple[Estimate, Estimate], ...]

    @property
    def failed(self) -> tuple[Int64, ...]:
        """Rows in which the loss was beyond VaR, for each confidence."""
        return tuple(np.flatnonzero(self.returns < -column) for column in self.var.T)


class Level(msgspec.Struct, frozen=True):
    """Volatility a year at one horizon in bars, with its standard error; NaN where it is not known."""

    bars: int
    value: float
    error: float


class VolatilityModel(msgspec.Struct, frozen=True, kw_only=True):
    """One model on one series: volatility a year of the next bar, over the horizon and in the long run.

    `persistence`, `half_life` (bars) and `nu` as in `stats.volatility`; `failed` says why there is no fit.
    """

    model: str
    now: Level | None = None
    ahead: Level | None = None
    long_run: float | None = None
    persistence: float | None = None
    half_life: float | None = None
    nu: float | None = None
    aic: float | None = None
    failed: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Volatility:
    """The models of one series, the name of the one with the best AIC, and its volatility a year (n,) over time."""

    name: str
    models: tuple[VolatilityModel, ...]
    best: str
    path: Float64
    n: int


@dataclass(frozen=True, slots=True, eq=False)
class Simulation:
    """Monte Carlo over `days`: the summary, the fan, the histogram of profit and loss, and what an order would change.

    `edges` (m + 1,) are end values less the start; `counts` (m,).
    """

    level: str
    days: float
    summary: Summary
    fan: Fan
    edges: Float64
    counts: Int64
    after: Summary | None
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Survivors:
    """Survival curves, and the floor they are above, in the same unit as their capitals."""

    floor: float
    curves: Survival


@dataclass(frozen=True, slots=True, eq=False)
class RuinOdds:
    """Odds from the book's own returns, `after` an order too; by the closed form of a Brownian motion; of the breaker.

    Periods are bars, `per_day` of them a day.
    """

    per_day: int
    ruin: Ruin
    after: Ruin | None
    closed: Odds
    survivors: Survivors
    breaker: BreakerOdds


@dataclass(frozen=True, slots=True, eq=False)
class Stresses:
    """Assumed stresses and crises replayed, before and, where there is an order, `after` it."""

    market: str
    losses: tuple[StressLoss, ...]
    replays: tuple[Replay, ...]
    after: tuple[StressLoss, ...]
    replays_after: tuple[Replay, ...]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Findings:
    """Everything that was asked of one book.

    `refused` holds (method, reason) of tails that could not be estimated, `missing` (part, reason) of whole parts.
    """

    measured: Measured
    trial: Trial | None = None
    tails: tuple[Tail, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()
    components: Components | None = None
    incremental: Incremental | None = None
    correlations: Correlations | None = None
    leads: tuple[Lead, ...] = ()
    volatility: tuple[Volatility, ...] = ()
    simulation: Simulation | None = None
    ruin: RuinOdds | None = None
    stresses: Stresses | None = None
    sizing: tuple[SizingRule, ...] = ()
    missing: tuple[tuple[str, str], ...] = ()


_SERIES = {"ts", "returns", "path", "var", "edges", "counts"}
"""Columns a bar long; a document gives their ends or what follows from them."""


def as_data(findings: Findings) -> dict[str, Any]:
    """The findings as plain dictionaries and lists, without the parts that are not there and without whole series.

    A number that is not known, or is infinite, becomes null when it is written as JSON.
    """
    measured, parts = findings.measured, _mapping(findings)
    parts["measured"] = {
        "source": measured.source,
        "quote": measured.quote,
        "positions": [
            {"symbol": s, "weight": w, "price": p}
            for s, w, p in zip(measured.symbols, measured.weights.tolist(), measured.prices.tolist(), strict=True)
        ],
        "cash": measured.cash,
        "equity": measured.equity,
        "interval": measured.interval,
        "first": int(measured.ts[0]),
        "last": int(measured.ts[-1]),
        "n": len(measured.ts),
        "order": plain(measured.order),
        "cautions": list(measured.cautions),
    }
    if findings.components is not None:
        held = findings.components
        parts["components"] |= {
            "var_component": plain(held.var_component),
            "cvar_component": plain(held.cvar_component),
        }
    if findings.trial is not None:
        trial = findings.trial
        parts["trial"] |= {"failed": [trial.ts[rows].tolist() for rows in trial.failed]}
    return {name: part for name, part in parts.items() if part not in (None, [], ())}


def plain(value: object) -> Any:
    """Structs and dataclasses as dictionaries, arrays as lists.

    >>> plain(np.array([1.0, 2.0]))
    [1.0, 2.0]
    """
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if is_dataclass(value) and not isinstance(value, type):
        return _mapping(value)
    if isinstance(value, msgspec.Struct):
        return {name: plain(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return value


def _mapping(value: Any) -> dict[str, Any]:
    kept = [
        f.name for f in fields(value) if f.name not in _SERIES or not isinstance(getattr(value, f.name), np.ndarray)
    ]
    return {name: plain(getattr(value, name)) for name in kept}
