"""The three statistical experts: ARMA of returns, GARCH, and a hidden Markov chain.

They are fitted on log returns over the deviation of the last `unit` bars, pooled over symbols: what is learnt has no
scale, and each symbol lends it its own. Their mean is shrunk toward zero by what purged folds leave of it. A forecast
at a row filters the last `window` rows from the long run, so it needs no more than those.
"""

import math
from abc import abstractmethod
from functools import cached_property
from typing import ClassVar, Self

import numpy as np

from seakeep.core.beliefs import FeatureFrame
from seakeep.core.errors import NotEnoughHistory, NotFitted
from seakeep.core.market import Float64
from seakeep.models.base import EXPERTS
from seakeep.models.proof import JudgedExpert
from seakeep.models.segments import first_rows, newest
from seakeep.stats.arma import ArmaFit, fit_arma, sum_variance, sum_weights
from seakeep.stats.filtering import arma_states, filter_windows, garch_variances, scaled_densities
from seakeep.stats.hmm import HmmFit, HmmSettings, fit_hmm
from seakeep.stats.volatility import Garch, fit_garch

__all__ = ["ArmaExpert", "GarchExpert", "HmmExpert"]

_MIN_EPISODES = 10
"""Independent horizons without which a direction has no record."""
_SIGNIFICANT = 1.96


class _ReturnsExpert(JudgedExpert):
    """An expert on log returns in units of their recent deviation."""

    unit: int = 480
    """Bars of the deviation that returns are measured in."""
    window: int = 96
    """Rows filtered before each forecast."""
    rows: int = 20_000
    """Newest rows that are fitted, in equal parts of each symbol."""
    shrink_ = 1.0
    """How much of its mean the rows it had not seen leave, 0 .. 1."""
    warm: bool = False
    """Whether a second fit starts from the first, as a daily retraining may; the bits then depend on it."""

    @cached_property
    def features(self) -> tuple[str, ...]:
        """Log return and its deviation, per bar."""
        return ("log_return:1", f"return_std:{self.unit}")

    @property
    def lookback(self) -> int:  # type: ignore[override]
        """The window, and a row before it for the lagged return."""
        return self.window + 1

    def fit(self, frame: FeatureFrame, y: Float64, seed: int) -> Self:
        """Learn the process from features (n, 2), and be judged by the forward log returns (n,).

        Raises: NotEnoughHistory, ConvergenceError.
        """
        x = newest(self._scaled(frame), frame.ts, self.rows)
        least = max(_MIN_EPISODES * self.horizon, 4 * self.window)
        if len(x) < least:
            raise NotEnoughHistory(f"a fit over {self.horizon} bars needs {least} rows", value=len(x))
        self._learn(x, seed)
        unit = frame[self.features[1]] * math.sqrt(self.horizon)
        if self.folds:
            self.shrink_ = 1.0
        found = self.judge(frame, y, np.where(unit > 0, unit, np.nan), seed)
        if found:
            self.shrink_ = min(1.0, found.shrink)
            self.scale_ *= self.shrink_
        return self

    def unproven(self) -> Self:
        """An unfitted copy that is not judged, and keeps as much of its mean as this one."""
        copy = super().unproven()
        copy.shrink_ = self.shrink_
        return copy

    @abstractmethod
    def _learn(self, x: Float64, seed: int) -> None:
        """Fit the process on scaled returns (m,)."""

    @abstractmethod
    def _forecast(self, x: Float64, frame: FeatureFrame) -> tuple[Float64, Float64]:
        """Mean and variance (n,) of the scaled return over the horizon."""

    def predict(self, frame: FeatureFrame) -> Float64:
        """Mean and deviation (n, 2); NaN until `window` returns of the symbol are known, or where one is missing."""
        if not hasattr(self, "fitted_"):
            raise NotFitted(f"{type(self).__name__} must be fitted before it predicts")
        mean, variance = self._forecast(self._scaled(frame), frame)
        unit = frame[self.features[1]]
        out = np.empty((len(frame), 2))
        out[:, 0], out[:, 1] = self.shrink_ * mean * unit, np.sqrt(variance) * unit
        return out

    def _scaled(self, frame: FeatureFrame) -> Float64:
        """Returns (n,) over their deviation; NaN where the price stands still."""
        ret, unit = (frame[name] for name in self.features)
        return np.asarray(np.divide(ret, unit, out=np.full(len(ret), np.nan), where=unit > 0))


@EXPERTS.register("arima")
class ArmaExpert(_ReturnsExpert):
    """ARIMA(p, 1, q) of the log price, orders by Schwarz's criterion; a mean that is not significant is 0."""

    group: ClassVar[str] = "ml"

    def _learn(self, x: Float64, seed: int) -> None:
        before = getattr(self, "_last", None) if self.warm else None
        orders = ((0, 0), (1, 0), (0, 1), (2, 0), (1, 1)) if before is None else ((len(before.phi), len(before.theta)),)
        fit: ArmaFit = min((fit_arma(x, p, q, before) for p, q in orders), key=lambda one: one.bic)
        self._last = fit
        phi, theta = (np.pad(part, (0, 2 - len(part))) for part in (fit.phi, fit.theta))
        self.fitted_, self.phi_, self.theta_ = 1, phi, theta
        self.mean_ = fit.mean if abs(fit.mean) > _SIGNIFICANT * fit.mean_error else 0.0
        self.weights_ = sum_weights(phi, theta, self.horizon)
        self.variance_ = fit.variance * sum_variance(phi, theta, self.horizon)

    def _forecast(self, x: Float64, frame: FeatureFrame) -> tuple[Float64, Float64]:
        states = arma_states(x - self.mean_, first_rows(frame.ts), self.phi_, self.theta_, self.window)
        mean = self.horizon * self.mean_ + states @ self.weights_
        return mean, np.where(np.isnan(mean), np.nan, self.variance_)


@EXPERTS.register("garch")
class GarchExpert(_ReturnsExpert):
    """GARCH(1,1) with t errors: how far, over the term structure of its variance.

    It points somewhere only if the last return says something of the next: a coefficient that is significant under
    changing variance (White's errors).
    """

    group: ClassVar[str] = "volatility"

    window: int = 240

    def _learn(self, x: Float64, seed: int) -> None:
        phi = self._lag(x)
        before = getattr(self, "_last", None) if self.warm else None
        fit = fit_garch(x[1:] - phi * x[:-1], start=before)
        self._last, found = fit.params, fit.params
        self.fitted_, self.level_ = 1, float(np.mean(x * x))
        self.params_ = np.array([found.omega, found.alpha, found.beta, phi])
        self.base_, self.slope_ = self._term(found, phi)
        self.lead_ = float(np.sum(phi ** np.arange(1, self.horizon + 1)))

    @staticmethod
    def _lag(x: Float64) -> float:
        """Coefficient of the return before, 0 where it is not significant."""
        now, before = x[1:], x[:-1]
        power = float(before @ before)
        phi = float(now @ before) / power
        error = math.sqrt(float(((now - phi * before) ** 2 * before**2).sum())) / power
        return phi if abs(phi) > _SIGNIFICANT * error else 0.0

    def _term(self, found: Garch, phi: float) -> tuple[float, float]:
        """Variance over the horizon = base + slope x variance of the next bar; a shock moves later returns too."""
        base = slope = 0.0
        ahead, share = 0.0, 1.0
        for k in range(self.horizon):
            reach = float(np.sum(phi ** np.arange(self.horizon - k))) ** 2
            base, slope = base + reach * ahead, slope + reach * share
            ahead, share = found.omega + found.persistence * ahead, found.persistence * share
        return base, slope

    def _forecast(self, x: Float64, frame: FeatureFrame) -> tuple[Float64, Float64]:
        ahead = garch_variances(x, first_rows(frame.ts), self.params_, self.level_, self.window)
        mean = np.where(np.isnan(ahead), np.nan, self.lead_ * x)
        return mean, self.base_ + self.slope_ * ahead


@EXPERTS.register("hmm")
class HmmExpert(_ReturnsExpert):
    """A hidden chain of normal states: the return over the horizon as a mixture over the paths of the states."""

    group: ClassVar[str] = "ml"

    states: int = 3

    def _learn(self, x: Float64, seed: int) -> None:
        before = getattr(self, "_last", None) if self.warm else None
        fit: HmmFit = fit_hmm(x, self.states, seed, before, HmmSettings(covariance="diag", tolerance=1e-4))
        self._last = fit
        self.fitted_, self.means_, self.deviations_ = 1, fit.means, np.sqrt(fit.covariances[:, :, 0])
        self.transition_, self.start_ = fit.transition, fit.odds
        self.first_, self.second_ = self._moments(fit)

    def _moments(self, fit: HmmFit) -> tuple[Float64, Float64]:
        """First and second moment (k,) of the sum of the returns to come, given the state now."""
        mean, square = fit.means[:, 0], fit.covariances[:, 0, 0] + fit.means[:, 0] ** 2
        first, second = np.zeros(len(mean)), np.zeros(len(mean))
        for _ in range(self.horizon):
            second = fit.transition @ (square + 2 * mean * first + second)
            first = fit.transition @ (mean + first)
        return first, second

    def _forecast(self, x: Float64, frame: FeatureFrame) -> tuple[Float64, Float64]:
        rows = np.arange(len(x))
        density = scaled_densities(x[:, None], self.means_, self.deviations_)
        probs = filter_windows(density, self.transition_, self.start_, rows, 1, self.window)
        probs[rows - self.window + 1 < first_rows(frame.ts)] = np.nan
        mean = probs @ self.first_
        return mean, probs @ self.second_ - mean**2
