"""Which of two forecasters is better: losses of forecasts, figures of one version, and a paired test that allows
for horizons that overlap and for symbols that move together.

F. X. Diebold and R. S. Mariano, "Comparing predictive accuracy", JBES 13 (1995); D. Harvey, S. Leybourne and
P. Newbold, "Testing the equality of prediction mean squared errors", International Journal of Forecasting 13 (1997);
T. Gneiting and A. E. Raftery, "Strictly proper scoring rules", JASA 102 (2007), for the loss.
"""

import math

import msgspec
import numpy as np

from seakeep.core.errors import NotEnoughHistory
from seakeep.core.market import Float64, Int64

__all__ = ["Comparison", "Metrics", "by_instant", "crps", "diebold_mariano", "measure"]


class Comparison(msgspec.Struct, frozen=True):
    """A paired test over `n` instants: `gain` is the mean loss of the old less that of the new one.

    `statistic` is Student's with n - 1 degrees of freedom when neither is better; `p_value` is the chance of one as
    high then, so that a small one says the new is better. `lags` autocovariances are allowed for.
    """

    n: int
    lags: int
    gain: float
    statistic: float
    p_value: float


class Metrics(msgspec.Struct, frozen=True):
    """How forecasts did on rows they had not seen.

    `rows` that had a forecast and an outcome; `loss` and that of the naive forecast, mean CRPS in log return; `ic` the
    correlation of mean and outcome; `accuracy` of the direction over `calls`; trades one after the other in the
    direction of the mean, before costs: how many, and profits over losses. NaN where there is nothing to measure.
    """

    rows: int
    loss: float
    naive_loss: float
    ic: float
    calls: int
    accuracy: float
    trades: int
    profit_factor: float

    @property
    def relative_loss(self) -> float:
        """Loss over that of the naive forecast of the same rows: below 1 is skill."""
        return self.loss / self.naive_loss if self.naive_loss > 0 else math.nan


def crps(forecast: Float64, y: Float64) -> Float64:
    """Continuous ranked probability score (n,) of normal forecasts, mean and deviation (n, 2), of outcomes (n,).

    In the unit of y, and smaller is better; NaN where either is. Without deviation it is the absolute error.

    >>> crps(np.array([[0.0, 1.0]]), np.array([0.0])).round(6).item()
    0.233695
    """
    from scipy.special import ndtr

    mean, std = forecast[:, 0], forecast[:, 1]
    z = np.divide(y - mean, std, out=np.zeros(len(y)), where=std > 0)
    density = np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
    spread = std * (z * (2 * ndtr(z) - 1) + 2 * density - 1 / math.sqrt(math.pi))
    return np.asarray(np.where(std > 0, spread, np.where(std == 0, np.abs(y - mean), np.nan)))


def by_instant(ts: Int64, losses: Float64) -> Float64:
    """Mean over the symbols (m,) of losses (n,) at each instant, in order of time; NaN are left out.

    Symbols move together, so an instant is one observation however many there are.
    """
    seen = np.isfinite(losses)
    _, where = np.unique(ts[seen], return_inverse=True)
    return np.asarray(np.bincount(where, weights=losses[seen]) / np.bincount(where))


def diebold_mariano(old: Float64, new: Float64, horizon: int) -> Comparison:
    """Whether `new` loses less than `old`, both (n,) in order of time, of forecasts over `horizon` rows.

    Long-run variance of the difference from horizon - 1 autocovariances, with the correction for small samples; where
    that is no variance, with Bartlett's weights. Equal losses have statistic 0.

    Raises: NotEnoughHistory below two horizons and 3 rows; ValueError for a NaN or unequal lengths.
    """
    if old.shape != new.shape or not np.isfinite(old).all() or not np.isfinite(new).all() or horizon < 1:
        raise ValueError("need two series of finite losses of one length, and a horizon of at least 1")
    n, lags = len(old), horizon - 1
    if n < max(3, 2 * horizon):
        raise NotEnoughHistory("a comparison needs two horizons", value=n, remedy="validate on more bars")
    gain = old - new
    mean = float(gain.mean())
    variance = _long_run(gain - mean, lags) / n
    small = (n + 1 - 2 * horizon + horizon * (horizon - 1) / n) / n
    flat = variance <= 0 or not gain.any()
    statistic = 0.0 if flat else mean / math.sqrt(variance) * math.sqrt(small)
    return Comparison(n, lags, mean, statistic, _upper_tail(statistic, n - 1))


def _long_run(x: Float64, lags: int) -> float:
    """Variance of sqrt(n) times the mean of centred values (n,)."""
    n = len(x)
    covariances = np.array([float(x[k:] @ x[: n - k]) / n for k in range(lags + 1)])
    plain = float(covariances[0] + 2 * covariances[1:].sum())
    if plain > 0:
        return plain
    return float(covariances[0] + 2 * ((1 - np.arange(1, lags + 1) / (lags + 1)) * covariances[1:]).sum())


def _upper_tail(statistic: float, freedom: int) -> float:
    from scipy.special import stdtr

    return float(stdtr(freedom, -statistic))


def measure(ts: Int64, forecast: Float64, y: Float64, naive: Float64, horizon_ms: int) -> Metrics:
    """Figures of forecasts (n, 2) of outcomes y (n,) known at `ts` (n,), symbol after symbol; `naive` (n,) deviations
    make the forecast to beat, with mean zero. Rows where a forecast, an outcome or the naive one is missing do not
    count.
    """
    seen = np.isfinite(forecast).all(axis=1) & np.isfinite(y) & np.isfinite(naive)
    ts, forecast, y, naive = ts[seen], forecast[seen], y[seen], naive[seen]
    mean, calls = forecast[:, 0], (forecast[:, 0] != 0) & (y != 0)
    right = np.sign(mean[calls]) == np.sign(y[calls])
    profits = (np.sign(mean) * y)[_one_after_another(ts, horizon_ms) & calls]
    lost = float(-profits[profits < 0].sum())
    varies = len(y) > 2 and mean.std() > 0 and y.std() > 0
    return Metrics(
        rows=len(y),
        loss=_mean(crps(forecast, y)),
        naive_loss=_mean(crps(np.column_stack([np.zeros(len(y)), naive]), y)),
        ic=float(np.corrcoef(mean, y)[0, 1]) if varies else math.nan,
        calls=int(calls.sum()),
        accuracy=_mean(right.astype(np.float64)),
        trades=len(profits),
        profit_factor=float(profits[profits > 0].sum()) / lost if lost > 0 else math.nan,
    )


def _mean(values: Float64) -> float:
    return float(values.mean()) if len(values) else math.nan


def _one_after_another(ts: Int64, horizon_ms: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Rows whose trade begins where one before it has ended, on a grid of horizons common to all symbols."""
    return np.asarray(ts % horizon_ms == ts[0] % horizon_ms) if len(ts) else np.zeros(0, np.bool_)
