"""What an expert is worth on bars it has not seen: purged walk-forward forecasts held against naive ones.

Time is cut into blocks of as many rows; each block but the first is forecast by a copy that was fitted on the rows
before it whose outcomes were known by then. Labels overlap and symbols move together, so figures are of instants
(means over symbols) and intervals are from sums over blocks of five horizons, Student's t.
"""

import math
from dataclasses import dataclass, replace
from itertools import pairwise

import msgspec
import numpy as np
from numpy.typing import NDArray

from seakeep.backtest.certainty import Row, by_certainty
from seakeep.core.errors import NotEnoughHistory
from seakeep.core.market import Float64, Int64
from seakeep.models import Expert
from seakeep.models.calibration import CalibrationParams, brier, fit_calibration
from seakeep.models.comparison import by_instant, crps
from seakeep.models.folding import Folds, label_ms, part_of
from seakeep.models.segments import first_rows
from seakeep.models.skill import BLOCK, Skill
from seakeep.models.skill import measure as measure_skill
from seakeep.models.training import Panel

__all__ = [
    "NAIVE",
    "Against",
    "Bin",
    "Scorecard",
    "Walk",
    "earlier_blocks",
    "mean_interval",
    "reliability",
    "score",
    "walk_forward",
]

NAIVE = ("zero mean", "last sign", "historical mean", "recent deviation")
"""The naive forecasts: three means with the expert's own deviation, which say what its mean is worth, and zero mean
with the deviation of the last 96 bars, which says what the whole is worth."""

_BINS = 10


class Against(msgspec.Struct, frozen=True):
    """The expert against a naive forecast, over the instants where both speak.

    `gain` is the share of the naive loss (mean CRPS) that the expert saves, with its 95 % interval: below 0 it is
    worse; `p_value` that of a gain <= 0. `accuracy` is how often that forecast's own direction is right, NaN where it
    has none.
    """

    name: str
    gain: float
    low: float
    high: float
    p_value: float
    accuracy: float


class Bin(msgspec.Struct, frozen=True):
    """Opinions of about the same probability `said` of a rise: `came` true, of `n`."""

    said: float
    came: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True, eq=False)
class Walk:
    """Forecasts (n, 2), mean and deviation, of every row of the panel that comes after the first block (else NaN), the
    probability of a rise (n,) calibrated on the blocks before, the folds, and the experts fitted for each."""

    said: Float64
    prob_up: Float64
    folds: Folds
    experts: tuple[Expert, ...]


@dataclass(frozen=True, eq=False)
class Scorecard:
    """One expert in figures. `accuracy` of its direction over `calls`, with its interval; `brier` of its calibrated
    probability against `brier_base`, that of the plain share of rises before; `certainty` its accuracy by how far the
    probability was from one half."""

    rows: int
    instants: int
    skill: Skill
    calls: int
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    against: tuple[Against, ...]
    brier: float
    brier_base: float
    coverage: float
    reliability: tuple[Bin, ...]
    certainty: tuple[Row, ...]
    confidence: tuple[float, ...]


def earlier_blocks(ts: Int64, lasts: Int64, k: int, embargo: int = 0) -> Folds:
    """(rows known and decided before, rows of a block) of `k` blocks after the first, of rows known at `ts` (n,) whose
    labels last `lasts` (n,), in any order; `embargo` in ms is left out before each block.

    >>> [(len(a), len(b)) for a, b in earlier_blocks(np.arange(9), np.full(9, 1), 2)]
    [(3, 3), (6, 3)]

    Raises: NotEnoughHistory if there are fewer instants than blocks; ValueError for k < 1.
    """
    if k < 1 or embargo < 0:
        raise ValueError(f"need k >= 1 blocks and an embargo >= 0, got {k} and {embargo}")
    edges = np.unique([int(part[0]) for part in np.array_split(np.sort(ts), k + 1) if len(part)])
    if len(edges) < k + 1:
        raise NotEnoughHistory(f"{k} steps forward need {k + 1} blocks of time", value=len(np.unique(ts)))
    stops = [*edges.tolist()[1:], int(ts.max()) + 1]
    return tuple(
        (np.flatnonzero(ts + lasts <= begin - embargo), np.flatnonzero((ts >= begin) & (ts < end)))
        for begin, end in pairwise(stops)
    )


def walk_forward(expert: Expert, rows: Panel, seed: int, k: int = 5) -> Walk:
    """Forecast each of `k` blocks from what was known before it. The expert itself is left as it is.

    Raises: NotEnoughHistory if the first block is too short to learn from.
    """
    ts = rows.frame.ts
    lasts = label_ms(ts, expert.horizon)
    folds = earlier_blocks(ts, lasts, k)
    said, fitted = np.full((len(ts), 2), np.nan), []
    for train, test in folds:
        copy = replace(expert).fit(part_of(rows.frame, train), rows.y[train], seed)
        said[test] = _predict(copy, rows, test)
        fitted.append(copy)
    return Walk(said, _probability(said, rows, folds, lasts), folds, tuple(fitted))


def _predict(expert: Expert, rows: Panel, test: Int64) -> Float64:
    """Forecasts (m, 2) of those rows, each with the rows of its lookback."""
    wanted = np.zeros(len(rows.frame), np.bool_)
    reach = np.maximum(test[:, None] - np.arange(expert.lookback), first_rows(rows.frame.ts)[test][:, None])
    wanted[reach.ravel()] = True
    kept = np.flatnonzero(wanted)
    said = expert.predict(part_of(rows.frame, kept))
    return said[np.searchsorted(kept, test)]


def _probability(said: Float64, rows: Panel, folds: Folds, lasts: Int64) -> Float64:
    """Probability of a rise (n,): the bare normal law in the first block, then calibrated on the blocks before."""
    from scipy.special import ndtr

    p = np.full(len(said), np.nan)
    ts, seen = rows.frame.ts, np.empty(0, np.int64)
    for _, test in folds:
        mean, std = said[test].T
        known = seen[ts[seen] + lasts[seen] <= ts[test].min()] if len(seen) else seen
        try:
            fitted = fit_calibration(said[known], rows.y[known], ts[known], lasts[known], CalibrationParams())
            p[test] = fitted.prob_up(mean, std)
        except NotEnoughHistory:
            p[test] = ndtr(np.divide(mean, std, out=np.full(len(test), np.nan), where=std > 0))
        seen = np.concatenate([seen, test])
    return p


def score(walk: Walk, rows: Panel) -> Scorecard:
    """The figures of forecasts made by `walk_forward`. Raises: NotEnoughHistory if no row has a forecast and an
    outcome."""
    ts, y, said = rows.frame.ts, rows.y, walk.said
    seen = np.isfinite(said).all(axis=1) & np.isfinite(y) & np.isfinite(rows.naive) & (rows.naive > 0)
    if not seen.any():
        raise NotEnoughHistory("no row has a forecast and an outcome", remedy="more bars, or another expert")
    loss = np.where(seen, crps(said, y), np.nan)
    calls = seen & (said[:, 0] != 0) & (y != 0)
    right = np.where(calls, np.sign(said[:, 0]) == np.sign(y), np.nan)
    accuracy, low, high, _ = mean_interval(ts, right, rows.horizon_ms)
    judged = seen & (y != 0) & np.isfinite(walk.prob_up)
    p, up = walk.prob_up[judged], y[judged] > 0
    return Scorecard(
        rows=int(seen.sum()),
        instants=len(np.unique(ts[seen])),
        skill=measure_skill(np.where(seen, said[:, 0], np.nan), y / rows.naive, ts, walk.folds, rows.horizon_ms),
        calls=int(calls.sum()),
        accuracy=accuracy,
        accuracy_low=low,
        accuracy_high=high,
        against=tuple(_against(name, forecast, loss, rows) for name, forecast in _naive(rows, walk).items()),
        brier=brier(p, up) if len(p) else math.nan,
        brier_base=_base_brier(walk, rows, judged),
        coverage=float(np.mean(np.abs(y[seen] - said[seen, 0]) <= 1.6448536269514722 * said[seen, 1])),
        reliability=reliability(ts[judged], p, up, rows.horizon_ms),
        certainty=_certainty(ts[judged], p, up, rows.horizon_ms),
        confidence=tuple(expert.confidence for expert in walk.experts),
    )


def mean_interval(ts: Int64, x: Float64, horizon_ms: int) -> tuple[float, float, float, float]:
    """Mean of the instants' means of x (n,), its 95 % interval, and the one-sided p-value of a mean <= 0.

    NaN rows are left out; fewer than three blocks of time give the mean alone.
    """
    from scipy.special import stdtr, stdtrit

    seen = np.isfinite(x)
    if not seen.any():
        return math.nan, math.nan, math.nan, 1.0
    per_instant, stamps = by_instant(ts, x), np.unique(ts[seen])
    mean = float(per_instant.mean())
    _, block = np.unique((stamps - stamps[0]) // (BLOCK * horizon_ms), return_inverse=True)
    sums = np.bincount(block, weights=per_instant - mean)
    blocks = len(sums)
    error = float(sums.std(ddof=1)) * math.sqrt(blocks) / len(stamps) if blocks > 2 else 0.0
    if not error > 0:
        return mean, math.nan, math.nan, 1.0
    reach = float(stdtrit(blocks - 1, 0.975)) * error
    return mean, mean - reach, mean + reach, float(stdtr(blocks - 1, -mean / error))


def _naive(rows: Panel, walk: Walk) -> dict[str, Float64]:
    """Forecasts (n, 2) by name; the last sign has the size it was worth in the rows known before each block."""
    n, ts = len(rows.y), rows.frame.ts
    back = round(rows.horizon_ms / max(int(np.median(np.diff(ts)[np.diff(ts) > 0])), 1))
    before = np.arange(n) - back
    there = before >= first_rows(ts)
    sign = np.full(n, np.nan)
    sign[there] = np.sign(rows.y[before[there]])
    last, history = np.full(n, np.nan), np.full(n, np.nan)
    for train, test in walk.folds:
        known = rows.y[train]
        last[test] = sign[test] * np.nanmean(sign[train] * known)
        history[test] = np.nanmean(known)
    means, own = (np.zeros(n), last, history, np.zeros(n)), walk.said[:, 1]
    return {
        name: np.column_stack([mean, rows.naive if name == NAIVE[3] else own])
        for name, mean in zip(NAIVE, means, strict=True)
    }


def _against(name: str, forecast: Float64, loss: Float64, rows: Panel) -> Against:
    theirs, mean = crps(forecast, rows.y), forecast[:, 0]
    both = np.isfinite(loss) & np.isfinite(theirs)
    level = float(by_instant(rows.frame.ts[both], theirs[both]).mean()) if both.any() else math.nan
    gain, low, high, p_value = mean_interval(rows.frame.ts, np.where(both, theirs - loss, np.nan), rows.horizon_ms)
    called = both & (mean != 0) & (rows.y != 0)
    right = float(np.mean(np.sign(mean[called]) == np.sign(rows.y[called]))) if called.any() else math.nan
    return Against(name, gain / level, low / level, high / level, p_value, right)


def _base_brier(walk: Walk, rows: Panel, judged: NDArray[np.bool_]) -> float:
    """Brier score of the share of rises among the rows that were known before each block."""
    total, n = 0.0, 0
    for train, test in walk.folds:
        told = test[judged[test]]
        moved = rows.y[train][np.isfinite(rows.y[train]) & (rows.y[train] != 0)]
        if len(told) and len(moved):
            share = float((moved > 0).mean())
            total += float(((share - (rows.y[told] > 0)) ** 2).sum())
            n += len(told)
    return total / n if n else math.nan


def _certainty(ts: Int64, p: Float64, up: NDArray[np.bool_], horizon_ms: int) -> tuple[Row, ...]:
    """Accuracy by certainty, with intervals that allow for outcomes that overlap."""
    if not len(p):
        return ()
    found, distance, right = [], np.abs(p - 0.5), ((p > 0.5) == up).astype(np.float64)
    for row in by_certainty(p, up.astype(np.float64)).both:
        spoke = (distance > 0) & (distance >= row.certainty)
        _, low, high, _ = mean_interval(ts[spoke], right[spoke], horizon_ms)
        found.append(msgspec.structs.replace(row, low=low, high=high))
    return tuple(found)


def reliability(ts: Int64, p: Float64, up: NDArray[np.bool_], horizon_ms: int) -> tuple[Bin, ...]:
    """Opinions (n,) in bins of about as many, by what they said; how many came true, with the 95 % interval."""
    if not len(p):
        return ()
    edges = np.unique(np.quantile(p, np.linspace(0, 1, _BINS + 1)))
    where = np.clip(np.searchsorted(edges, p, "right") - 1, 0, max(len(edges) - 2, 0))
    found = []
    for cell in np.unique(where):
        inside = where == cell
        came, low, high, _ = mean_interval(ts[inside], up[inside].astype(np.float64), horizon_ms)
        found.append(Bin(float(p[inside].mean()), came, low, high, int(inside.sum())))
    return tuple(found)
