"""From bars and specs to features: `build` on all rows for research, `LiveFeatures` bar by bar for the engine."""

from collections.abc import Sequence

import numpy as np

from seakeep.core.beliefs import FeatureFrame
from seakeep.core.market import BarFrame, Float64
from seakeep.features.live import LiveFeatures
from seakeep.features.resampling import check_order, resample
from seakeep.features.spec import Spec, lookback, parse

__all__ = ["LiveFeatures", "build", "lookback", "resample"]


def build(bars: BarFrame, specs: Sequence[str]) -> FeatureFrame:
    """Features (n, k) of every bar; `ts` is when each row is known: its bar's open plus the interval.

    A spec with "@15m" is computed on bars resampled to 15m; each row then holds the value of the last bar of 15m that
    had closed when the row became known. NaN while warming up.

    Raises: ConfigError naming a spec that cannot be read; DataError if the bars are not in order.
    """
    check_order(bars.ts)
    parsed = [parse(text) for text in dict.fromkeys(specs)]
    by_interval = {bars.interval: bars}
    values = np.empty((len(bars), len(parsed)), order="F")
    for j, spec in enumerate(parsed):
        interval = spec.interval or bars.interval
        if interval not in by_interval:
            by_interval[interval] = resample(bars, interval)
        values[:, j] = _as_of(bars, by_interval[interval], _column(by_interval[interval], spec))
    values.flags.writeable = False
    return FeatureFrame(bars.symbol, bars.known_at, tuple(spec.text for spec in parsed), values)


def _column(bars: BarFrame, spec: Spec) -> Float64:
    inputs = (np.ascontiguousarray(getattr(bars, name)) for name in spec.inputs)
    return spec.function(*inputs, *spec.params)


def _as_of(bars: BarFrame, longer: BarFrame, column: Float64) -> Float64:
    """The value that was known at each bar (n,): that of the last longer bar closed by then, NaN before the first."""
    if longer is bars:
        return column
    row = np.searchsorted(longer.known_at, bars.known_at, "right") - 1
    return np.where(row >= 0, np.append(column, np.nan)[row], np.nan)
