"""Regimes by rules: thresholds on the change, the volatility and the trends of the last 48 points, first match.

With hourly points: volatile if the standard deviation of the returns times sqrt(24) is above 1.5 %; bull (bear) if the
price changed by more than +5 % (-5 %) and more than 60 % of the points trend up (down); ranging if it changed by less
than 3 % and the mean strength of trend is below 0.3; else what most points say. Where points are longer than an hour,
the thresholds on changes and deviations grow with the square root of their length.
"""

import math
from functools import cached_property
from typing import Self

import numpy as np

from seakeep.core.beliefs import FeatureFrame
from seakeep.core.market import Float64, Int64
from seakeep.core.units import HOUR_MS, interval_ms
from seakeep.models.regimes import LABELS, REGIMES, RegimeModel
from seakeep.models.segments import first_rows

__all__ = ["RegimeRules"]

POINTS = 48
_MEAN = 20
"""Points whose mean close a close is held against, to tell whether it trends."""


@REGIMES.register("rules")
class RegimeRules(RegimeModel):
    """First match over the last 48 points. A point trends up if its close is above the mean of its last 20, down if
    below; how strongly is the distance in deviations of 20 steps, at most 1.
    """

    volatile: float = 0.015
    change: float = 0.05
    still: float = 0.03
    share: float = 0.6
    strength: float = 0.3
    trust: float = 0.15
    """Weight of the label that matches; the rest is spread evenly."""

    @cached_property
    def features(self) -> tuple[str, ...]:
        """Return and deviation over the points; close, its mean and deviation of each."""
        names = (f"log_return:{POINTS - 1}", f"return_std:{POINTS - 1}", "close", f"sma:{_MEAN}", f"return_std:{_MEAN}")
        return tuple(self.spec(name) for name in names)

    @property
    def points(self) -> int:
        """The points the rules count over."""
        return POINTS

    def fit(self, frame: FeatureFrame, seed: int) -> Self:
        """Rules are not learnt."""
        return self

    def matched(self, frame: FeatureFrame, rows: Int64) -> Int64:
        """Code of the first rule that matches at each of `rows` (m,); -1 where a number is missing."""
        change, deviation, close, mean, spread = (frame[name] for name in self.features)
        trend = np.zeros(len(close))
        moving = (spread > 0) & (mean > 0) & (close > 0)
        trend[moving] = np.log(close[moving] / mean[moving]) / (spread[moving] * math.sqrt(_MEAN))
        trend[np.isnan(spread)] = np.nan
        back = rows[:, None] - self.stride * np.arange(POINTS)
        points = np.where(back >= first_rows(frame.ts)[rows, None], trend[np.maximum(back, 0)], np.nan)
        up, down = (points > 0).mean(axis=1), (points < 0).mean(axis=1)
        strength = np.minimum(np.abs(points), 1.0).mean(axis=1)
        longer = math.sqrt(max(interval_ms(self.interval), HOUR_MS) / HOUR_MS)
        moved, a_day = np.expm1(change[rows]), deviation[rows] * math.sqrt(24) / longer
        limit, still = self.change * longer, self.still * longer
        rules = (
            a_day > self.volatile,
            (moved > limit) & (up > self.share),
            (moved < -limit) & (down > self.share),
            (np.abs(moved) < still) & (strength < self.strength),
            up > 0.5,
            down > 0.5,
        )
        codes = [LABELS.index(label) for label in ("volatile", "bull", "bear", "ranging", "bull", "bear")]
        found = np.select(rules, codes, LABELS.index("ranging"))
        return np.where(np.isfinite(strength + a_day + moved), found, -1)

    def beliefs(self, frame: FeatureFrame, rows: Int64) -> Float64:
        """The label that matches, trusted as far as its record goes (m, 5)."""
        codes = self.matched(frame, rows)
        probs = np.full((len(rows), len(LABELS)), (1 - self.trust) / 4)
        probs[:, -1] = 0.0
        seen = codes >= 0
        probs[seen, codes[seen]] += self.trust
        probs[~seen] = np.nan
        return probs
