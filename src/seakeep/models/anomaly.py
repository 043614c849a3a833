"""The anomaly expert: it has no direction, but forbids entries where the market is unlike any it has seen.

The distance of a row is Mahalanobis's of its inputs from their medians, with the correlations of what is left when each
input is cut at three robust deviations, so that what it is to find does not shape its ruler [1]_. The threshold is a
quantile of the distances on the rows it learnt from: exact, whatever their law.

.. [1] Huber and Ronchetti, "Robust Statistics", 2nd edition (2009), chapter 8: pseudo-observations.
"""

from functools import cached_property
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from seakeep.core.beliefs import FeatureFrame
from seakeep.core.errors import ConfigError, NotEnoughHistory, NotFitted
from seakeep.core.market import Float64
from seakeep.models.base import EXPERTS, Expert
from seakeep.models.inputs import VOLATILITY, specs, table

__all__ = ["AnomalyExpert"]

_INPUTS = ("return_1", "return_6", "burst", "range", "near", "volume")
_CUT = 3.0
_QUARTILE = 1.3489795003921634
"""Distance between the quartiles of a normal law, in deviations."""
_RIDGE = 0.01
_LEAST_EPISODES = 10


@EXPERTS.register("anomaly")
class AnomalyExpert(Expert):
    """`quantile` is the share of its training rows that it finds ordinary."""

    group: ClassVar[str] = "volatility"
    vetoes: ClassVar[bool] = True

    quantile: float = 0.995

    def __post_init__(self) -> None:
        """Raises: ConfigError for a quantile outside (0, 1)."""
        if not 0 < self.quantile < 1:
            raise ConfigError("quantile must be in (0, 1)", value=self.quantile, remedy="the default is 0.995")

    @cached_property
    def features(self) -> tuple[str, ...]:
        """Returns, bursts of volatility and of volume, ranges, distance from the average."""
        return specs(_INPUTS)

    def fit(self, frame: FeatureFrame, y: Float64, seed: int) -> Self:
        """Learn what is usual from all rows that are whole; `y` (n,) only scales its deviation."""
        x, recent = table(frame, _INPUTS), frame[VOLATILITY]
        whole = np.isfinite(x).all(axis=1)
        moved = np.isfinite(y) & (recent > 0)
        found, needed = int((whole & moved).sum()), max(_LEAST_EPISODES * self.horizon, 100)
        if found < needed:
            raise NotEnoughHistory(f"a fit over {self.horizon} bars needs {needed} rows", value=found)
        self.centre_, self.spread_ = _robust(x[whole])
        cut = np.clip((x[whole] - self.centre_) / self.spread_, -_CUT, _CUT)
        moments = np.atleast_2d(cut.T @ cut) / len(cut)
        self.precision_ = np.linalg.inv(moments + _RIDGE * np.eye(len(moments)))
        self.threshold_ = float(np.quantile(self._distance(x[whole]), self.quantile))
        self.factor_ = float(np.sqrt(np.mean(y[moved] ** 2) / np.mean(recent[moved] ** 2)))
        return self

    def distance(self, frame: FeatureFrame) -> Float64:
        """How unusual each row is (n,): NaN where an input is missing. Raises: NotFitted."""
        if not hasattr(self, "precision_"):
            raise NotFitted("AnomalyExpert must be fitted before it predicts")
        return self._distance(table(frame, _INPUTS))

    def veto(self, frame: FeatureFrame) -> NDArray[np.bool_]:
        """Which rows (n,) forbid an entry: the unusual, and those that cannot be judged. Raises: NotFitted."""
        return np.asarray(~(self.distance(frame) <= self.threshold_))

    def predict(self, frame: FeatureFrame) -> Float64:
        """Zero mean and the learnt multiple of the recent deviation (n, 2), grown where the row is unusual.

        NaN where an input is missing or the price has stood still.
        """
        distance = self.distance(frame)
        strange = np.maximum(distance / self.threshold_, 1.0) if self.threshold_ > 0 else 1.0
        out = np.zeros((len(frame), 2))
        out[:, 1] = self.factor_ * frame[VOLATILITY] * strange
        out[~(out[:, 1] > 0)] = np.nan
        return out

    @property
    def confidence(self) -> float:
        """It never votes on direction."""
        return 0.0

    @property
    def scale(self) -> float:
        """It has no mean forecast."""
        return 0.0

    def _distance(self, x: Float64) -> Float64:
        z = (x - self.centre_) / self.spread_
        return np.asarray(np.sqrt(np.einsum("ij,jk,ik->i", z, self.precision_, z)))


def _robust(x: Float64) -> tuple[Float64, Float64]:
    """Median and robust deviation of each column (k,) of rows (n, k); 1 where a column hardly varies."""
    low, centre, high = np.quantile(x, (0.25, 0.5, 0.75), axis=0)
    spread = (high - low) / _QUARTILE
    spread = np.where(spread > 0, spread, x.std(axis=0))
    return centre, np.where(spread > 0, spread, 1.0)
