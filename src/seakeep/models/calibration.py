"""What a forecast is worth in probability: a map from z = mean / std to the chance of a rise, an interval, abstention.

The map is isotonic (any rising step function, drawn through) [1]_, Platt's (a logistic curve) [2]_, or the plain share
of rises: the one with the smallest Brier score on blocks of time it was not fitted on; a tie goes to the simpler. Each
step of the isotonic map rests on `STEP` outcomes that do not overlap: the few forecasts furthest out would otherwise
say what becomes of all that is further out still.
Neither may fall: a forecaster that is wrong more often than not is told to be silent, not to be turned around.

.. [1] Zadrozny and Elkan, "Transforming classifier scores into accurate multiclass probability estimates", KDD (2002).
.. [2] Platt, "Probabilistic outputs for support vector machines" (1999), with the targets of its section 2.2.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal, overload

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from seakeep.core.config import Section
from seakeep.core.errors import NotEnoughHistory
from seakeep.core.market import Float64, Int64
from seakeep.models.base import Learnt
from seakeep.models.conformal import conformal_width, scores
from seakeep.models.folding import Folds, purged_folds

__all__ = ["STEP", "Calibration", "CalibrationParams", "brier", "fit_calibration"]

Mask = NDArray[np.bool_]

Method = Literal["share", "platt", "isotonic"]
_METHODS: tuple[Method, ...] = ("share", "platt", "isotonic")
"""The maps, the simplest first."""
LEAST_ROWS = 100
"""Rows that a map needs."""
STEP = 20
"""Outcomes apart in time that a step of the isotonic map rests on."""


class CalibrationParams(Section):
    """How forecasts become probabilities and intervals, and when an expert is silent."""

    level: float = Field(0.90, gt=0.5, lt=1, description="share of outcomes that an interval is to hold")
    wide: float = Field(2.5, gt=1, le=1000, description="abstain where an interval is so many times the usual one")
    folds: int = Field(5, ge=2, le=20, description="blocks of time on which the two maps are compared")


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """A fitted map: probability `p` (m,) at the knots `z` (m,) ascending, flat beyond them, straight between.

    `method` says which map it is. `half_width` is in deviations, at `level`; it abstains where a deviation exceeds
    `widest`. `n` rows it rests on; `brier` of the map on rows it was not fitted on, `brier_normal` of the bare normal
    law, `brier_base` of the plain share of rises; `covered` is the share of later rows that intervals of earlier rows
    held.
    """

    method: Method
    z: Float64
    p: Float64
    level: float
    half_width: float
    widest: float
    n: int
    brier: float
    brier_normal: float
    brier_base: float
    covered: float

    def __post_init__(self) -> None:
        rising = len(self.z) == len(self.p) > 0 and (np.diff(self.z) > 0).all() and (np.diff(self.p) >= 0).all()
        if not (rising and self.p[0] >= 0 and self.p[-1] <= 1 and self.half_width >= 0 and self.widest >= 0):
            raise ValueError("a calibration needs knots that rise, probabilities in [0, 1] and widths >= 0")
        for column in (self.z, self.p):
            column.flags.writeable = False

    @overload
    def prob_up(self, mean: float, std: float) -> float: ...
    @overload
    def prob_up(self, mean: Float64, std: Float64) -> Float64: ...
    def prob_up(self, mean: Float64 | float, std: Float64 | float) -> Float64 | float:
        """Probability of a rise, of a forecast or of (n,); NaN where mean or std is, or where std is not positive."""
        if isinstance(mean, float):
            return float(np.interp(mean / std, self.z, self.p)) if std > 0 and math.isfinite(mean) else math.nan
        z = np.divide(mean, std, out=np.full(len(mean), np.nan), where=np.asarray(std) > 0)
        return np.where(np.isnan(z), np.nan, np.interp(z, self.z, self.p))

    def interval(self, mean: Float64, std: Float64) -> tuple[Float64, Float64]:
        """Low and high end of the log return at `level`, of a forecast or of (n,)."""
        return mean - self.half_width * std, mean + self.half_width * std

    @overload
    def abstains(self, mean: float, std: float) -> bool: ...
    @overload
    def abstains(self, mean: Float64, std: Float64) -> Mask: ...
    def abstains(self, mean: Float64 | float, std: Float64 | float) -> Mask | bool:
        """Whether the interval is wide against the usual, or the forecast is no number; of one or of (n,)."""
        if isinstance(mean, float):
            return not (0 < std <= self.widest and math.isfinite(mean))
        return ~((np.asarray(std) > 0) & (std <= self.widest) & np.isfinite(mean))

    def state(self) -> dict[str, Learnt]:
        """Its parts as plain arrays and scalars by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def restored(cls, state: Mapping[str, Learnt]) -> "Calibration":
        """The calibration of that state. Raises: ValueError if parts are missing, unknown or do not fit together."""
        names = {field.name for field in fields(cls)}
        if set(state) != names:
            raise ValueError(f"a calibration has {sorted(names)}, not {sorted(state)}")
        return cls(**state)  # type: ignore[arg-type]


def fit_calibration(
    forecast: Float64, y: Float64, ts: Int64, horizon_ms: int | Int64, params: CalibrationParams | None = None
) -> Calibration:
    """A map learnt from out-of-fold forecasts (n, 2), mean and deviation, and the log returns `y` (n,) that followed.

    Rows known at `ts` (n,), pooled or not; labels last `horizon_ms`. Rows with a NaN are left out, and so are those
    whose price ended where it began.

    Raises: NotEnoughHistory below 100 rows or where the folds leave nothing.
    """
    params = params or CalibrationParams()
    seen = np.isfinite(forecast).all(axis=1) & np.isfinite(y) & (forecast[:, 1] > 0) & (y != 0)
    if seen.sum() < LEAST_ROWS:
        raise NotEnoughHistory(f"a calibration needs {LEAST_ROWS} forecasts", value=int(seen.sum()))
    mean, std, y, ts = forecast[seen, 0], forecast[seen, 1], y[seen], ts[seen]
    lasts = np.broadcast_to(horizon_ms, seen.shape)[seen]
    z, up = mean / std, y > 0
    least = STEP * _rows_of_one(ts, lasts)
    judged = _judge(z, up, purged_folds(ts, lasts, params.folds), least)
    method = min(_METHODS, key=judged.__getitem__)
    knots, p = _fit(method, z, up, least)
    found = scores(mean, std, y)
    return Calibration(
        method=method,
        z=knots,
        p=p,
        level=params.level,
        half_width=conformal_width(found, params.level),
        widest=params.wide * float(np.median(std)),
        n=len(z),
        brier=judged[method],
        brier_normal=brier(_normal(z), up),
        brier_base=judged["share"],
        covered=_covered(found, ts, lasts, params),
    )


def brier(p: Float64, up: Mask) -> float:
    """Mean squared distance of probabilities (n,) from what came true (n,).

    >>> brier(np.array([1.0, 0.5]), np.array([True, False]))
    0.125
    """
    return float(np.mean((p - up) ** 2))


def _judge(z: Float64, up: Mask, folds: Folds, least: int) -> dict[Method, float]:
    """Brier score of each map on blocks of time that it was not fitted on."""
    guessed = {method: np.full(len(z), np.nan) for method in _METHODS}
    for train, test in folds:
        for method, p in guessed.items():
            p[test] = np.interp(z[test], *_fit(method, z[train], up[train], least))
    return {method: brier(p, up) for method, p in guessed.items()}


def _fit(method: Method, z: Float64, up: Mask, least: int) -> tuple[Float64, Float64]:
    """Knots of that map."""
    if method == "isotonic":
        return _isotonic(z, up, least)
    return _platt(z, up) if method == "platt" else (np.array([z.mean()]), np.array([(up.sum() + 1) / (len(up) + 2)]))


def _covered(found: Float64, ts: Int64, lasts: Int64, params: CalibrationParams) -> float:
    """Share of each block's scores within the half-width that the other blocks give."""
    held = np.empty(len(found))
    for train, test in purged_folds(ts, lasts, params.folds):
        held[test] = found[test] <= conformal_width(found[train], params.level)
    return float(held.mean())


def _rows_of_one(ts: Int64, lasts: Int64) -> int:
    """Rows that are worth one outcome: labels overlap, and symbols move together."""
    return math.ceil(len(ts) / len(np.unique(ts // max(int(np.median(lasts)), 1))))


def _isotonic(z: Float64, up: Mask, least: int = 1) -> tuple[Float64, Float64]:
    """Knots of the rising function nearest to the outcomes, neighbours taken together by about `least` rows; chances
    keep as far from 0 and 1 as n rows can tell."""
    from sklearn.isotonic import IsotonicRegression

    z, share, weight = _neighbours(z, up, least)
    edge = 1.0 / (len(up) + 2)
    fitted = IsotonicRegression(y_min=edge, y_max=1 - edge, out_of_bounds="clip").fit(z, share, weight)
    knots, first = np.unique(fitted.X_thresholds_, return_index=True)
    return knots, np.maximum.accumulate(fitted.y_thresholds_[first])


def _neighbours(z: Float64, up: Mask, least: int) -> tuple[Float64, Float64, Float64]:
    """Mean z, share of rises and number of rows (m,) of neighbours; rows of one z stay together."""
    order = np.argsort(z, kind="stable")
    z, up = z[order], up[order]
    starts = np.arange(max(1, len(z) // least)) * least
    starts = np.unique(np.searchsorted(z, z[starts], "left"))
    rows = np.diff(starts, append=len(z)).astype(np.float64)
    return np.add.reduceat(z, starts) / rows, np.add.reduceat(up.astype(np.float64), starts) / rows, rows


def _platt(z: Float64, up: Mask) -> tuple[Float64, Float64]:
    """Knots of p = 1 / (1 + exp(-(a z + b))), a >= 0, by Newton's method on the log-likelihood."""
    centre, spread = float(z.mean()), float(z.std())
    rises, falls = int(up.sum()), int((~up).sum())
    target = np.where(up, (rises + 1) / (rises + 2), 1 / (falls + 2))
    base = math.log((rises + 1) / (falls + 1))
    if spread <= 1e-12 * max(abs(centre), 1e-300):
        return np.array([centre]), np.array([1 / (1 + math.exp(-base))])
    x = np.column_stack([(z - centre) / spread, np.ones(len(z))])
    a, b = _logistic(x, target, base)
    grid = np.linspace(float(z.min()), float(z.max()), 65)
    if a <= 0:
        a, b = 0.0, base
    return grid, np.asarray(1 / (1 + np.exp(-(a * (grid - centre) / spread + b))))


def _logistic(x: Float64, target: Float64, base: float) -> tuple[float, float]:
    """Slope and intercept that make the targets (n,) likeliest; steps are halved until they raise the likelihood."""
    w = np.array([0.0, base])

    def loss(w: Float64) -> float:
        v = x @ w
        return float(np.sum(np.logaddexp(0.0, v) - target * v))

    for _ in range(50):
        p = 1 / (1 + np.exp(-(x @ w)))
        slope = x.T @ (p - target)
        bend = (x * (p * (1 - p))[:, None]).T @ x + 1e-9 * np.eye(2)
        step = np.linalg.solve(bend, slope)
        size = 1.0
        while loss(w - size * step) > loss(w) and size > 1e-6:
            size /= 2
        w = w - size * step
        if np.abs(size * step).max() < 1e-10:
            break
    return float(w[0]), float(w[1])


def _normal(z: Float64) -> Float64:
    from scipy.special import ndtr

    return np.asarray(ndtr(z), np.float64)
