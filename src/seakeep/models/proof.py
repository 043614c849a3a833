"""What unseen rows say of a forecaster: how much of its mean to keep, and how far its direction may be believed.

One path for every expert that is judged on purged, embargoed folds: the learning experts hand in what functions learnt
on the other folds say; the classical and statistical ones are `JudgedExpert`s, whose copies are fitted on them.
"""

from dataclasses import replace
from typing import Self

import msgspec
import numpy as np

from seakeep.core.beliefs import FeatureFrame
from seakeep.core.errors import ConfigError, NotEnoughHistory
from seakeep.core.market import Float64, Int64
from seakeep.models.base import Expert
from seakeep.models.folding import Folds, label_ms, out_of_fold, purged_folds
from seakeep.models.skill import measure

__all__ = ["MOST_FOLDS", "JudgedExpert", "Proof", "deviation", "judged", "proof"]

MOST_FOLDS = 20
_WILD, _GIANT = 4.0, 10.0
"""Outcomes are cut here, in deviations: for the slope, which would follow a handful of jumps, and for the deviation,
where one collapse would hide all else."""
_STEEP = 3.0
"""Steepest slope: a function learnt with a low rate or few trees tells less than it knows, but not less than this."""


class Proof(msgspec.Struct, frozen=True):
    """What unseen rows said: slope of the outcome on the forecast (0 .. 3), root mean square of what is left, and how
    far the direction may be believed."""

    shrink: float
    deviation: float
    confidence: float


def proof(forecast: Float64, outcome: Float64, ts: Int64, folds: Folds, horizon_ms: int) -> Proof:
    """What forecasts (n,) of rows that were not learnt from are worth on outcomes (n,), both in deviations.

    Each fold's forecasts count against their own mean. Rows with a NaN are left out. Forecasts that rank outcomes but
    whose bets would not have paid (a slope of 0) are not believed.
    """
    seen = np.isfinite(forecast) & np.isfinite(outcome)
    f = np.full(len(ts), np.nan)
    for _, test in folds:
        rows = test[seen[test]]
        f[rows] = forecast[rows] - forecast[rows].mean() if len(rows) else np.nan
    x, u = f[seen], outcome[seen]
    power = float(x @ x)
    slope = float(x @ np.clip(u, -_WILD, _WILD)) / power if power > 1e-12 * len(x) else 0.0
    shrink = min(_STEEP, max(0.0, slope))
    confidence = measure(f, outcome, ts, folds, horizon_ms).confidence if shrink > 0 else 0.0
    return Proof(shrink, deviation(u - shrink * x), confidence)


def deviation(rest: Float64) -> float:
    """Root mean square of errors (n,) in deviations, giants cut to ten; NaN of none."""
    return float(np.sqrt(np.mean(np.clip(rest, -_GIANT, _GIANT) ** 2))) if len(rest) else np.nan


def judged(expert: Expert, frame: FeatureFrame, y: Float64, unit: Float64 | float, seed: int, k: int) -> Proof | None:
    """What `k` purged folds of features (n, m) and log returns (n,) say of `expert`.

    `unit`, one or (n,), is the usual size of the outcome. Where the folds leave copies too little to learn from,
    nothing is known of its skill: None.
    """
    lasts = label_ms(frame.ts, expert.horizon)
    horizon_ms = int(np.median(lasts))
    try:
        folds = purged_folds(frame.ts, lasts, k, horizon_ms)
        said = out_of_fold(expert, frame, y, seed, k, horizon_ms)[:, 0]
    except NotEnoughHistory:
        return None
    return proof(said / unit, y / unit, frame.ts, folds, horizon_ms)


class JudgedExpert(Expert):
    """An expert that is fitted on all its rows and judged on purged folds of them."""

    folds: int = 5
    """Purged folds that its confidence is judged on; with 0 it has none."""

    def __post_init__(self) -> None:
        """Raises: ConfigError for a number of folds that cannot be."""
        if self.folds != 0 and not 2 <= self.folds <= MOST_FOLDS:
            raise ConfigError(f"folds must be 0, or 2 .. {MOST_FOLDS}", value=self.folds)

    def unproven(self) -> Self:
        """An unfitted copy that is not judged."""
        return replace(self, folds=0)

    def judge(self, frame: FeatureFrame, y: Float64, unit: Float64 | float, seed: int) -> Proof | None:
        """Learn `confidence` and `scale` once it is fitted, from the rows and outcomes it was fitted on; the proof is
        None where nothing could be judged."""
        mean = self.predict(frame)[:, 0]
        said = mean[np.isfinite(mean) & np.isfinite(y)]
        self.scale_ = float(np.sqrt(np.mean(said**2))) if len(said) else 0.0
        found = judged(self, frame, y, unit, seed, self.folds) if self.folds and self.scale_ > 0 else None
        self.confidence_ = found.confidence if found else 0.0
        return found

    @property
    def confidence(self) -> float:
        """How far its skill on rows it had not seen may be believed."""
        return self.confidence_

    @property
    def scale(self) -> float:
        """Root mean square of its mean forecasts on the rows it learnt from."""
        return self.scale_
