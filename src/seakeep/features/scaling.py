"""Scalers that are fitted on training rows once and then only applied."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from seakeep.core.errors import NotEnoughHistory
from seakeep.core.market import Float64

__all__ = ["Scaler", "fit"]


@dataclass(frozen=True, slots=True, eq=False)
class Scaler:
    """What was learnt from the training rows, per column: `centre` (k,) and `scale` (k,)."""

    centre: Float64
    scale: Float64

    def apply(self, values: Float64) -> Float64:
        """(values - centre) / scale of any rows (n, k); NaN stays NaN."""
        return (values - self.centre) / self.scale


def fit(values: Float64, kind: Literal["standard", "minmax", "robust"] = "standard") -> Scaler:
    """A scaler from training rows (n, k); NaN cells are left out, a constant column is only centred.

    standard: mean and population deviation; minmax: minimum and range, so training rows lie in 0..1; robust: median
    and distance between the quartiles.

    >>> fit(np.array([[1.0], [3.0]]), "minmax").apply(np.array([[5.0]])).tolist()
    [[2.0]]

    Raises: NotEnoughHistory for a column without a number; ValueError for an unknown kind.
    """
    empty = np.flatnonzero(~np.isfinite(values).any(axis=0))
    if len(empty):
        raise NotEnoughHistory(f"column {int(empty[0])} has no number in {len(values)} training rows")
    seen = np.where(np.isfinite(values), values, np.nan)
    if kind == "standard":
        centre, scale = np.nanmean(seen, axis=0), np.nanstd(seen, axis=0)
    elif kind == "minmax":
        centre = np.nanmin(seen, axis=0)
        scale = np.nanmax(seen, axis=0) - centre
    elif kind == "robust":
        low, centre, high = np.nanquantile(seen, (0.25, 0.5, 0.75), axis=0)
        scale = high - low
    else:
        raise ValueError(f"no scaler of kind {kind!r}; there are standard, minmax and robust")
    still = scale <= 1e-15 * np.abs(centre)
    return Scaler(centre, np.where(still, 1.0, scale))
