"""Whether the world still is what a model was trained on: shares of each feature's values, and the error it makes.

The population stability index is the symmetric Kullback-Leibler divergence of binned shares; above 0.2 is the usual
sign of a shift. B. Yurdakul, "Statistical properties of the population stability index" (2018): without any shift it
is about (bins - 1) (1 / n + 1 / m) for independent rows; those of slow features are far fewer than they look.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np
from pydantic import Field

from seakeep.core.beliefs import FeatureFrame
from seakeep.core.config import Section
from seakeep.core.market import BarFrame, Float64
from seakeep.features.frame import build
from seakeep.models.comparison import Metrics

__all__ = [
    "Drift",
    "DriftParams",
    "Reference",
    "Shift",
    "drift",
    "population_stability",
    "reference",
    "shifts",
    "without_level",
]

_LEAST_SHARE = 1e-4
"""An empty bin counts as this share, so that one row in it is not infinite news."""
_ROWS_PER_BIN = 10


class DriftParams(Section):
    """When a champion is trained again before its time, and when it is taken down."""

    psi: float = Field(0.2, gt=0, description="retrain when a feature's population stability index is above this")
    retrain_ratio: float = Field(1.1, gt=1, description="retrain when live relative error over that of validation is")
    demote_ratio: float = Field(1.25, gt=1, description="take the champion down when that ratio is above this")
    least_horizons: int = Field(10, ge=2, description="no verdict on errors before this many independent horizons")
    window: str = Field("30d", description="the newest bars that are held against the ones it was trained on")


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """What k features looked like: `edges` (k, bins - 1) between the bins, the `shares` (k, bins) in them, and the
    largest index (k,) that one window of the same rows has against all of them.
    """

    names: tuple[str, ...]
    edges: Float64
    shares: Float64
    usual: Float64


class Shift(msgspec.Struct, frozen=True):
    """The index of one feature, and the largest that was usual before; NaN where unknown."""

    name: str
    psi: float
    usual: float


class Drift(msgspec.Struct, frozen=True):
    """The shift of each feature, and the live relative error over that of validation; NaN where unknown."""

    shifts: tuple[Shift, ...]
    error_ratio: float

    def shifted(self, limit: float) -> tuple[Shift, ...]:
        """Features whose index is above the limit and above what was usual, the worst first."""
        return tuple(sorted((s for s in self.shifts if s.psi > limit and not s.psi <= s.usual), key=lambda s: -s.psi))


def reference(frame: FeatureFrame, names: tuple[str, ...], window_ms: int, bins: int = 10) -> Reference:
    """Bins of equal share of these columns of the rows (n, k), NaN left out; one without a number has NaN edges.

    A slow feature spends a month in few of its bins, so each window of the rows is held against all of them: only what
    differs more than any of those has shifted. Raises: KeyError if the frame lacks one of the names.
    """
    inner = np.arange(1, bins) / bins
    edges, shares = np.full((len(names), bins - 1), np.nan), np.full((len(names), bins), np.nan)
    for j, name in enumerate(names):
        seen = _seen(frame[name])
        if len(seen):
            edges[j] = np.quantile(seen, inner)
            shares[j] = _shares(seen, edges[j])
    whole = Reference(names, edges, shares, np.full(len(names), np.nan))
    found = [[s.psi for s in shifts(whole, part)] for part in _windows(frame, window_ms)]
    usual = np.fmax.reduce(np.array(found).reshape(len(found), len(names)), axis=0, initial=-np.inf)
    return replace(whole, usual=np.where(np.isfinite(usual), usual, np.nan))


def _windows(frame: FeatureFrame, window_ms: int) -> Iterator[FeatureFrame]:
    """The rows of each window of that length, back from the end; a shorter one at the beginning is left out."""
    ago = int(frame.ts.max()) - frame.ts
    for k in range(int(ago.max() + 1) // window_ms):
        rows = np.flatnonzero(ago // window_ms == k)
        yield FeatureFrame(frame.symbol, frame.ts[rows], frame.names, frame.values[rows])


def without_level(bars: BarFrame, specs: Sequence[str]) -> tuple[str, ...]:
    """The specs that say the same when every price is doubled and every volume trebled; the others move with the level
    of the market, which is no shift.

    Raises: ConfigError for a spec that cannot be read.
    """
    prices = {name: 2.0 * getattr(bars, name) for name in ("open", "high", "low", "close")}
    raised = replace(bars, **prices, volume=3.0 * bars.volume)
    before, after = build(bars, specs), build(raised, specs)
    equal = np.isclose(before.values, after.values, rtol=1e-6, atol=1e-9, equal_nan=True)
    return tuple(name for j, name in enumerate(before.names) if equal[:, j].all())


def shifts(before: Reference, frame: FeatureFrame) -> tuple[Shift, ...]:
    """Shift of each feature of the reference on these rows; NaN with fewer than 10 rows a bin.

    Raises: KeyError if the frame lacks one of its features.
    """
    found = []
    for j, name in enumerate(before.names):
        seen = _seen(frame[name])
        enough = len(seen) >= _ROWS_PER_BIN * before.shares.shape[1] and bool(np.isfinite(before.edges[j]).all())
        psi = population_stability(before.shares[j], _shares(seen, before.edges[j])) if enough else math.nan
        found.append(Shift(name, psi, float(before.usual[j])))
    return tuple(found)


def population_stability(expected: Float64 | Sequence[float], actual: Float64 | Sequence[float]) -> float:
    """Sum of (a - e) ln(a / e) over the shares of the same bins; 0 when they agree, and symmetric.

    >>> round(population_stability([0.5, 0.5], [0.75, 0.25]), 6)
    0.274653
    """
    e, a = (np.maximum(np.asarray(shares, np.float64), _LEAST_SHARE) for shares in (expected, actual))
    return float(((a - e) * np.log(a / e)).sum())


def drift(shifted: tuple[Shift, ...], validated: Metrics, live: Metrics, least_rows: int) -> Drift:
    """Drift of a version; its error is not judged on fewer than `least_rows` live rows.

    Errors are relative to those of the naive forecast of the same rows, so that a wild week is not a bad model.
    """
    known = live.rows >= least_rows and validated.relative_loss > 0
    return Drift(shifted, live.relative_loss / validated.relative_loss if known else math.nan)


def _seen(column: Float64) -> Float64:
    return column[np.isfinite(column)]


def _shares(values: Float64, edges: Float64) -> Float64:
    """Share of the values in each bin; a bin holds its right edge."""
    counts = np.bincount(np.searchsorted(edges, values, side="left"), minlength=len(edges) + 1)
    return np.asarray(counts / len(values))
