"""The history a model is fitted to, checked once: enough of it, finite, and varying."""

import numpy as np
from numpy.typing import ArrayLike

from seakeep.core.errors import DataError, NotEnoughHistory
from seakeep.core.market import Float64

__all__ = ["checked_matrix", "checked_returns"]


def checked_returns(returns: ArrayLike, least: int) -> Float64:
    """Log returns (n,) as float64.

    Raises: NotEnoughHistory below `least`; DataError if one is not finite or they do not vary; ValueError if they are
    not one column.
    """
    sample = np.asarray(returns, np.float64)
    if sample.ndim != 1:
        raise ValueError(f"returns must be one column (n,), got shape {sample.shape}")
    return checked_matrix(sample[:, None], least)[:, 0]


def checked_matrix(returns: ArrayLike, least: int) -> Float64:
    """Log returns (n, assets) as float64.

    Raises: NotEnoughHistory below `least` rows; DataError if one is not finite or a column does not vary; ValueError
    if it is not a table.
    """
    sample = np.asarray(returns, np.float64)
    if sample.ndim != 2 or not sample.shape[1]:
        raise ValueError(f"returns must be a table (n, assets), got shape {sample.shape}")
    if len(sample) < least:
        raise NotEnoughHistory(f"the fit needs {least} returns", value=len(sample), remedy="take a longer history")
    bad = np.argwhere(~np.isfinite(sample))
    if len(bad):
        row, column = bad[0].tolist()
        raise DataError(
            f"return {row} of asset {column} is not a finite number",
            value=float(sample[row, column]),
            remedy="fill or drop the gap, and take logs of positive prices only",
        )
    still = np.flatnonzero(sample.max(axis=0) == sample.min(axis=0))
    if len(still):
        raise DataError(f"the returns of asset {still[0]} do not vary", remedy="drop it: it has no risk to simulate")
    return sample
