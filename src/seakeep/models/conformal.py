"""Conformal prediction: intervals that hold what they promise whatever the law of the errors, if rows are exchangeable.

Scores are |y - mean| / std of rows the forecaster never saw; the half-width is their quantile of rank
ceil((n + 1) level), which covers a new row with at least that chance [1]_. Scores pooled from purged folds are those of
the cross-conformal method [2]_. Returns are not quite exchangeable, so a calibration reports the coverage that came.

.. [1] Lei, G'Sell, Rinaldo, Tibshirani and Wasserman, "Distribution-free predictive inference for regression", Journal
   of the American Statistical Association 113 (2018).
.. [2] Barber, Candes, Ramdas and Tibshirani, "Predictive inference with the jackknife+", Annals of Statistics 49
   (2021).
"""

import math

import numpy as np

from seakeep.core.errors import NotEnoughHistory
from seakeep.core.market import Float64

__all__ = ["conformal_width", "scores"]

_ROUNDING = 1e-9
"""What rounding may add to a whole number before it counts."""


def scores(mean: Float64, std: Float64, y: Float64) -> Float64:
    """How far the outcomes (n,) fell from the means, in deviations, without the rows where one is not a number."""
    seen = np.isfinite(mean) & np.isfinite(y) & (std > 0)
    return np.asarray(np.abs(y[seen] - mean[seen]) / std[seen])


def conformal_width(found: Float64, level: float = 0.90) -> float:
    """Half-width in deviations that covers a new row with chance `level`, from the scores (n,) of rows kept aside.

    >>> conformal_width(np.arange(1.0, 20.0), 0.9)
    18.0

    Raises: NotEnoughHistory below level / (1 - level) scores, where only an infinite interval is sure enough;
    ValueError for a level outside (0, 1).
    """
    if not 0 < level < 1:
        raise ValueError(f"level must be in (0, 1), got {level}")
    rank = math.ceil((len(found) + 1) * level - _ROUNDING)
    if rank > len(found):
        needed = math.ceil(level / (1 - level) - _ROUNDING)
        raise NotEnoughHistory(f"an interval at level {level:g} needs {needed} rows kept aside", value=len(found))
    return float(np.partition(found, rank - 1)[rank - 1])
