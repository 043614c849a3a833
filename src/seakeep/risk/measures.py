"""The account as numbers: one snapshot per slice, and the tail and the correlations of the book behind it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from seakeep.core.jit import kernel
from seakeep.core.market import Float64
from seakeep.core.verdicts import RiskSnapshot
from seakeep.risk.case import History
from seakeep.risk.limits import Limits
from seakeep.stats.quantiles import split_rank

__all__ = [
    "WORTHLESS",
    "Tail",
    "correlated",
    "correlations",
    "deviation",
    "history_from",
    "measure",
    "ruin_chance",
    "tail_of",
    "worst_days",
]

WORTHLESS = 1e9
"""Weight per quote unit in an account that is worth nothing: beyond every limit, and still a number."""
_RUIN, _RUIN_DAYS = 0.5, 90
_RUIN_LOG = math.log(_RUIN)
_ITSELF = np.ones((1, 1))
_ITSELF.flags.writeable = False


def measure(
    ts: int,
    equity: float,
    peak: float,
    day_open: float,
    values: Mapping[str, float],
    *,
    week_open: float | None = None,
    limit_share: float = 1.0,
) -> RiskSnapshot:
    """Snapshot from equity, its peak, its value at 00:00 UTC (of Monday), and each position's signed market value.

    Losses are positive fractions. An equity that is not positive is a drawdown of 1 and exposure beyond every limit.

    >>> measure(0, 95.0, 100.0, 100.0, {"BTC/USDT": 47.5}).gross
    0.5
    """
    scale = 1.0 / equity if equity > 0 else WORTHLESS
    exposure: list[tuple[str, float]] = []
    gross: float = 0
    for symbol, value in values.items():
        if value:
            exposure.append((symbol, value * scale))
            gross += abs(value * scale)
    drawdown, daily = 1.0 - max(equity, 0.0) / peak, _loss(equity, day_open)
    weekly = 0.0 if week_open is None else _loss(equity, week_open)
    return RiskSnapshot(
        ts, equity, drawdown, daily, gross, tuple(exposure), None, None, None, None, None, "NORMAL", weekly, limit_share
    )


def _loss(equity: float, opened: float) -> float:
    if not opened > 0:
        return 1.0
    return 1.0 - equity / opened if equity < opened else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Tail:
    """Days (n, k) on which every one of `symbols` has a return; weights (k,) are in their order."""

    symbols: tuple[str, ...]
    table: Float64
    confidence: float

    def figures(self, weights: Float64) -> tuple[float, float]:
        """VaR and CVaR of a day, positive fractions of equity: `stats.components`' historical rule, without slopes."""
        if not np.count_nonzero(weights):
            return 0.0, 0.0
        below, part = split_rank(len(self.table), self.confidence)
        var, cvar = worst_days(self.table, np.ascontiguousarray(weights, np.float64), below, part)
        return var, cvar

    def cvar(self, weights: Float64) -> float:
        """CVaR of a day."""
        return self.figures(weights)[1]

    def volatility(self, weights: Float64) -> float:
        """Deviation of a day's return."""
        return deviation(self.table @ weights)


def deviation(x: Float64) -> float:
    """What `x.std(ddof=1)` gives, to the last bit, at a third of its price."""
    apart = x - np.add.reduce(x) / len(x)
    return math.sqrt(np.add.reduce(apart * apart) / (len(x) - 1))


def ruin_chance(volatility: float) -> float:
    """Probability that a book of that daily volatility loses half of its equity within 90 days.

    The first-passage law of a geometric Brownian motion whose expected return is zero: what a book earned lately is no
    reason to think it safer, and its tails are thinner than a market's. `risk.ruin` asks the returns themselves.

    >>> round(ruin_chance(0.04), 4)
    0.0946
    """
    if not volatility > 0:
        return 0.0
    spread = volatility * math.sqrt(_RUIN_DAYS)
    shift = 0.5 * spread * spread
    return _normal((_RUIN_LOG + shift) / spread) + _normal((_RUIN_LOG - shift) / spread) / _RUIN


def _normal(z: float) -> float:
    return 0.5 * math.erfc(-z / math.sqrt(2.0))


@kernel
def worst_days(table: Float64, weights: Float64, below: int, part: float) -> tuple[float, float]:
    """VaR and CVaR of weights (k,) on days (n, k), n > below + 1.

    VaR lies `part` of the way from the `below`-th to the next worst day, counted from 0; CVaR is the mean loss of the
    days worse than it. The worst days are kept in order while the table is read once.
    """
    worst, kept, most = np.empty(below + 2), 0, below + 2
    for row in range(len(table)):
        made = 0.0
        for column in range(len(weights)):
            made += table[row, column] * weights[column]
        if kept == most and made >= worst[most - 1]:
            continue
        at = min(kept, most - 1)
        while at > 0 and worst[at - 1] > made:
            worst[at] = worst[at - 1]
            at -= 1
        worst[at] = made
        kept = min(kept + 1, most)
    quantile = worst[below] + part * (worst[below + 1] - worst[below])
    total, count = 0.0, 0
    for value in worst:
        if value < quantile:
            total += value
            count += 1
    return -quantile, -total / count if count else -quantile


@kernel
def worst_sides(table: Float64, below: int, part: float) -> Float64:
    """CVaR of each column of (n, k) by itself (k,), the worse of long and short and never below 0."""
    columns = table.shape[1]
    found, weights = np.zeros(columns), np.zeros(columns)
    for column in range(columns):
        for side in (1.0, -1.0):
            weights[column] = side
            found[column] = max(found[column], worst_days(table, weights, below, part)[1])
        weights[column] = 0.0
    return found


def tail_of(history: History | None, symbols: tuple[str, ...], limits: Limits) -> Tail | None:
    """The days the tail of a book of these symbols rests on; None if there are too few, or a symbol has none."""
    if history is None or not set(symbols) <= set(history.symbols):
        return None
    table = history.returns
    if symbols != history.symbols:
        table = table[:, [history.symbols.index(symbol) for symbol in symbols]]
    if not history.complete:
        table = table[np.isfinite(table).all(axis=1)]
    return _tail(symbols, table, limits)


def _tail(symbols: tuple[str, ...], complete: Float64, limits: Limits) -> Tail | None:
    """The last of complete days (n, k), if they are enough."""
    table = complete[-limits.tail_days :]
    enough = max(limits.min_tail_days, 1.0 / (1.0 - limits.var_confidence) - 1e-9)
    return Tail(symbols, table, limits.var_confidence) if len(table) >= enough else None


def history_from(symbols: tuple[str, ...], returns: Float64, limits: Limits) -> History:
    """The history of daily returns (n, k) with the figures that hold for the day, measured under those limits."""
    complete = np.count_nonzero(np.isfinite(returns)) == returns.size
    tail = _tail(symbols, returns, limits) if complete else None
    alone = None if tail is None else dict(zip(symbols, _worse_sides(tail), strict=True))
    return History(symbols, returns, _correlations(returns, limits.min_tail_days), complete, alone)


def _worse_sides(tail: Tail) -> list[float]:
    """CVaR of each symbol by itself (k,), the worse of long and short."""
    below, part = split_rank(len(tail.table), tail.confidence)
    found: list[float] = worst_sides(tail.table, below, part).tolist()
    return found


def correlations(history: History, least: int) -> Float64:
    """Correlation of each pair (k, k) over the days both have; NaN with fewer than `least`, 0 with what never moves."""
    return _correlations(history.returns, least)


def _correlations(returns: Float64, least: int) -> Float64:
    k = returns.shape[1]
    if k == 1:
        return _ITSELF
    whole = returns[np.isfinite(returns).all(axis=1)]
    if len(whole) >= least:
        return _pearson(whole)
    found = np.full((k, k), np.nan)
    for i in range(k):
        for j in range(i):
            pair = returns[:, [i, j]]
            pair = pair[np.isfinite(pair).all(axis=1)]
            if len(pair) >= least:
                found[i, j] = found[j, i] = _pearson(pair)[0, 1]
    np.fill_diagonal(found, 1.0)
    return found


def _pearson(table: Float64) -> Float64:
    centred = table - table.mean(axis=0)
    norm = np.sqrt((centred**2).sum(axis=0))
    still = norm <= 1e-12 * np.sqrt(len(table))
    unit = centred / np.where(still, 1.0, norm)
    unit[:, still] = 0.0
    found = np.clip(unit.T @ unit, -1.0, 1.0)
    np.fill_diagonal(found, 1.0)
    return np.asarray(found)


def correlated(correlation: Float64, weights: Float64, threshold: float) -> Float64:
    """For each position (k,), the net exposure of all that move together with it; 0 where nothing else does.

    Those correlated to at least `threshold` in absolute value add with the sign of the correlation, so a hedge takes
    away; where the correlation is not known (NaN), the position adds in full.
    """
    if len(weights) == 1:
        return np.zeros(1)
    moving = weights != 0.0
    together = np.where(np.abs(correlation) >= threshold, np.sign(correlation), 0.0)
    unknown = np.isnan(correlation)
    others = ((together != 0.0) | unknown) @ moving.astype(np.float64) - moving
    net = np.abs(np.where(unknown, 0.0, together) @ weights) + unknown @ np.abs(weights)
    return np.asarray(np.where(moving & (others > 0), net, 0.0))
