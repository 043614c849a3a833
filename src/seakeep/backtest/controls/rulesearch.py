"""A search as researchers do it: random thresholds on real indicators, thousands of rules, the best one shown.

A rule is long above one threshold, short below another (or the reverse) and flat between them, on one indicator. It
decides at the close of a bar and holds through the next. Thresholds are drawn from what the indicator does on another
market, so a rule knows nothing of the bars it is tried on. Returns are before costs.
"""

from dataclasses import dataclass

import numpy as np

from seakeep.core.jit import kernel
from seakeep.core.market import BarFrame, Float64, Int64
from seakeep.core.units import DAY_MS
from seakeep.features.frame import build
from seakeep.stats.returns import simple_returns

__all__ = ["SPECS", "Found", "Rules", "draw_rules", "rule_returns", "search"]

SPECS = (
    "roc:1",
    "roc:6",
    "roc:24",
    "rsi:3",
    "rsi:14",
    "bb_position:20",
    "stoch_k:14",
    "cci:20",
    "mfi:14",
    "cmf:20",
    "aroon_osc:25",
    "ppo:12,26",
)
"""What rules may read: nothing with a price in its unit, so that a threshold means the same on any market."""


@dataclass(frozen=True, slots=True, eq=False)
class Rules:
    """p rules: the indicator each reads (p,), its thresholds `low` < `high` (p,), +1 to follow and -1 to fade (p,)."""

    column: Int64
    low: Float64
    high: Float64
    sign: Float64

    def __len__(self) -> int:
        return len(self.column)


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What p rules earned: Sharpe ratio per bar (p,), 0 for one that never traded, and returns by day (days, p)."""

    ratios: Float64
    daily: Float64


def draw_rules(count: int, bars: BarFrame, seed: int) -> Rules:
    """Random rules whose thresholds are values the indicators took on `bars`. Same seed, same rules."""
    rng = np.random.default_rng(seed)
    values, _ = _inputs(bars)
    column = rng.integers(0, len(SPECS), count)
    drawn = np.sort(values[column, rng.integers(0, values.shape[1], (2, count))], axis=0)
    return Rules(column, drawn[0], drawn[1], rng.choice(np.array([-1.0, 1.0]), count))


def search(bars: BarFrame, rules: Rules) -> Found:
    """Every rule on every bar, in one pass."""
    values, held = _inputs(bars)
    days = (bars.known_at[-len(held) :] - 1) // DAY_MS
    sums, daily = _tally(values, held, days - days[0], rules.column, rules.low, rules.high, rules.sign)
    n = len(held)
    mean = sums[:, 0] / n
    variance = np.maximum(sums[:, 1] - n * mean * mean, 0.0) / (n - 1)
    moved = variance > 0
    return Found(np.where(moved, mean / np.sqrt(np.where(moved, variance, 1.0)), 0.0), daily.T)


def rule_returns(bars: BarFrame, rules: Rules, which: int) -> Float64:
    """Returns (m,) of one rule, bar by bar, from the first bar on which every indicator is known."""
    values, held = _inputs(bars)
    score = values[rules.column[which]]
    return np.asarray(rules.sign[which] * held * _stance(score, rules.low[which], rules.high[which]))


def _stance(score: Float64, low: float, high: float) -> Float64:
    return (score > high).astype(np.float64) - (score < low)


def _inputs(bars: BarFrame) -> tuple[Float64, Float64]:
    """Indicators (k, m) where all are known, and the return (m,) of the bar after each."""
    values = build(bars, SPECS).values
    warm = int(np.isfinite(values).all(axis=1).argmax())
    return np.ascontiguousarray(values[warm:-1].T), simple_returns(bars.close)[warm:]


@kernel
def _tally(
    values: Float64, held: Float64, day: Int64, column: Int64, low: Float64, high: Float64, sign: Float64
) -> tuple[Float64, Float64]:
    """Sum and sum of squares (p, 2) and returns by day (p, days) of each rule."""
    sums, daily = np.zeros((len(column), 2)), np.zeros((len(column), day[-1] + 1))
    for p in range(len(column)):
        score, below, above, way = values[column[p]], low[p], high[p], sign[p]
        total, squares = 0.0, 0.0
        for t in range(len(held)):
            stance = (1.0 if score[t] > above else 0.0) - (1.0 if score[t] < below else 0.0)
            earned = way * stance * held[t]
            total += earned
            squares += earned * earned
            daily[p, day[t]] += earned
        sums[p, 0], sums[p, 1] = total, squares
    return sums, daily
