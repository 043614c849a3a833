"""Training experts on what was known: pooled rows, a clean split in time, and what a new version has to show.

What is validated is what is kept: a version is fitted on the rows before the split, calibrated on purged folds of them,
judged on the rows after it, and not fitted again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from seakeep.core.beliefs import FeatureFrame
from seakeep.core.config import Section
from seakeep.core.errors import NotEnoughHistory
from seakeep.core.market import BarFrame, Float64
from seakeep.core.units import interval_ms
from seakeep.features.frame import build
from seakeep.features.labels import forward_return
from seakeep.models.base import Expert
from seakeep.models.calibration import Calibration, CalibrationParams, fit_calibration
from seakeep.models.comparison import Comparison, Metrics, by_instant, crps, diebold_mariano, measure
from seakeep.models.drift import DriftParams
from seakeep.models.folding import label_ms, out_of_fold, part_of

__all__ = [
    "Panel",
    "TrainingParams",
    "Validated",
    "calibrate",
    "challenge",
    "fit_experts",
    "out_of_sample",
    "panel",
    "pooled",
    "validate",
]

_NAIVE = "return_std:96"
"""Deviation per bar of the naive forecast, which has no direction."""

Rows = NDArray[np.bool_]


class TrainingParams(Section):
    """What versions are trained on, how they are judged, and when."""

    lookback: str = Field("180d", description="how much history a version is trained and validated on")
    validation: float = Field(0.2, gt=0, lt=1, description="share of it, the newest, that a version is validated on")
    folds: int = Field(3, ge=2, le=20, description="purged folds that a version is calibrated on")
    p_value: float = Field(0.05, gt=0, le=0.5, description="a challenger replaces the champion below this p-value")
    every: str = Field("daily", pattern="^(daily|weekly|monthly)$", description="daily, weekly or monthly, 00:00 UTC")
    calibration: CalibrationParams = CalibrationParams()
    drift: DriftParams = DriftParams()


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """Rows of several symbols, one symbol after the other: features, log return over the horizon `y` (n,), and the
    deviation `naive` (n,) that recent bars alone would forecast for it.
    """

    frame: FeatureFrame
    y: Float64
    naive: Float64
    horizon_ms: int

    def part(self, rows: Rows) -> "Panel":
        """Those rows."""
        chosen = np.flatnonzero(rows)
        return Panel(part_of(self.frame, chosen), self.y[chosen], self.naive[chosen], self.horizon_ms)


@dataclass(frozen=True, slots=True, eq=False)
class Validated:
    """A fitted expert with its calibration, its figures on rows it had not seen, and what it said of them."""

    expert: Expert
    calibration: Calibration
    metrics: Metrics
    trained_until: int
    rows: int


def pooled(history: Sequence[BarFrame], specs: Sequence[str]) -> FeatureFrame:
    """Features of several symbols, one after the other; the one that begins last comes first, so that time goes back
    between two and shows where one ends.

    Raises: NotEnoughHistory without bars.
    """
    frames = [build(bars, specs) for bars in _newest_first(history)]
    values = np.concatenate([frame.values for frame in frames])
    return FeatureFrame("*", np.concatenate([frame.ts for frame in frames]), frames[0].names, values)


def _newest_first(history: Sequence[BarFrame]) -> list[BarFrame]:
    found = sorted((bars for bars in history if len(bars)), key=lambda bars: -int(bars.ts[0]))
    if not found:
        raise NotEnoughHistory("there are no bars to learn from", remedy="import bars first")
    return found


def panel(history: Sequence[BarFrame], expert: Expert) -> Panel:
    """The rows it learns from; labels that reach past the end are NaN. Raises: NotEnoughHistory without bars."""
    ordered = _newest_first(history)
    y = np.concatenate([forward_return(bars.close, expert.horizon) for bars in ordered])
    naive = pooled(ordered, (_NAIVE,)).values[:, 0] * np.sqrt(expert.horizon)
    return Panel(pooled(ordered, expert.features), y, naive, expert.horizon * interval_ms(ordered[0].interval))


def fit_experts(experts: Mapping[str, Expert], history: Sequence[BarFrame], seed: int) -> None:
    """Fit every expert on the pooled history of all symbols; labels that reach past its end are NaN and left out.

    Raises: NotEnoughHistory naming the expert.
    """
    for name, expert in experts.items():
        rows = panel(history, expert)
        try:
            expert.fit(rows.frame, rows.y, seed)
        except NotEnoughHistory as error:
            raise NotEnoughHistory(
                f"expert {name} cannot be fitted: {error}", remedy="import more bars before the start, or leave it out"
            ) from error


def calibrate(expert: Expert, rows: Panel, seed: int, folds: int, params: CalibrationParams) -> Calibration:
    """The calibration of an expert from what copies of it say of purged folds. Raises: NotEnoughHistory."""
    said = out_of_fold(expert, rows.frame, rows.y, seed, folds)
    return fit_calibration(said, rows.y, rows.frame.ts, label_ms(rows.frame.ts, expert.horizon), params)


def validate(expert: Expert, rows: Panel, seed: int, params: TrainingParams) -> Validated:
    """Fit a copy on the rows before the split, calibrate it on folds of them, and judge it on those after it.

    No label of a training row reaches past the split. Raises: NotEnoughHistory.
    """
    ts = rows.frame.ts
    split = _split(rows, params.validation)
    known = rows.part(ts + rows.horizon_ms <= split)
    fitted = replace(expert).fit(known.frame, known.y, seed)
    calibration = calibrate(expert, known, seed, params.folds, params.calibration)
    said, judged = out_of_sample(fitted, rows, split)
    metrics = measure(judged.frame.ts, said, judged.y, judged.naive, rows.horizon_ms)
    return Validated(fitted, calibration, metrics, split, len(known.frame))


def _split(rows: Panel, share: float) -> int:
    """The instant that has this share of the time after it."""
    first, last = int(rows.frame.ts.min()), int(rows.frame.ts.max())
    return last - int((last - first) * share)


def out_of_sample(expert: Expert, rows: Panel, since: int) -> tuple[Float64, Panel]:
    """What a fitted expert says, (m, 2), of the rows known after `since`, and those rows."""
    late = rows.frame.ts > since
    before = rows.part(_with_lookback(late, expert.lookback))
    said = expert.predict(before.frame)
    return said[before.frame.ts > since], rows.part(late)


def _with_lookback(rows: Rows, lookback: int) -> Rows:
    """These rows and the `lookback` - 1 before each."""
    n, wanted = len(rows), rows.astype(np.int64)
    reach = np.concatenate([[0], np.cumsum(wanted)])
    ends = np.minimum(np.arange(n) + lookback, n)
    return np.asarray(reach[ends] - reach[:n] > 0)


def challenge(old: Expert, new: Expert, old_rows: Panel, new_rows: Panel, since: int) -> Comparison:
    """Test the new against the old on the rows known after `since`, which neither had seen, by their mean CRPS.

    Both panels are of the same bars. Rows where one of them abstains are left out.

    Raises: NotEnoughHistory; ValueError if they do not look equally far.
    """
    if old.horizon != new.horizon:
        raise ValueError(f"horizons of {old.horizon} and {new.horizon} bars cannot be compared")
    losses = []
    for expert, rows in ((old, old_rows), (new, new_rows)):
        said, judged = out_of_sample(expert, rows, since)
        losses.append(crps(said, judged.y))
        ts = judged.frame.ts
    both = np.isfinite(losses[0]) & np.isfinite(losses[1])
    if not both.any():
        raise NotEnoughHistory("the two versions have no row in common", remedy="validate on more bars")
    first, second = (by_instant(ts[both], loss[both]) for loss in losses)
    return diebold_mariano(first, second, new.horizon)
