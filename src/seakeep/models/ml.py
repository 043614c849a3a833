"""What the learning experts share: they learn the direction of the coming return and tell the mean it paid.

With u = y / (v sqrt(h)), v the recent deviation of a bar and h the horizon, rows of calm and of wild times and of all
symbols weigh alike. The learnt function f aims at the sign of u: on real bars that ranks returns better than aiming at
u, whose few giants drown the rest (`docs/explanation/learning.md` has both, measured). Purged folds then say what f is
worth on rows it never saw: `shrink` is the slope of u on f within the folds, cut to 0 .. 3; `deviation` the root mean
square of what is left; and `confidence` follows their skill. A function that learnt noise is so shrunk to little and
not believed, and one that ranks returns but whose bets would not have paid (a slope of 0) is silent.

Mean = shrink (f(x) - level) v sqrt(h): an opinion against the usual; that prices rose while it learnt is none.
"""

import math
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import fields
from functools import cached_property
from typing import Any, ClassVar, Protocol, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from seakeep.core.beliefs import FeatureFrame
from seakeep.core.errors import ConfigError, NotEnoughHistory, NotFitted
from seakeep.core.market import Float64, Int64
from seakeep.models.base import Expert, Learnt
from seakeep.models.folding import label_ms, purged_folds
from seakeep.models.inputs import VOLATILITY, all_but, specs, table
from seakeep.models.proof import MOST_FOLDS, Proof, deviation, proof

__all__ = ["Function", "LearningExpert", "Range"]

_LEAST_EPISODES = 10
_LEAST_ROWS = 100


class Range(msgspec.Struct, frozen=True):
    """Where tuning looks for a parameter; `log` on a logarithmic scale."""

    low: float
    high: float
    log: bool = False


_LIMITS = {"horizon": Range(1, 100_000), "folds": Range(0, MOST_FOLDS), "rows": Range(_LEAST_ROWS, 1_000_000)}


class Function(Protocol):
    """A learnt function: a frozen dataclass of arrays and numbers."""

    def predict(self, x: Float64) -> Float64:
        """Forecast (n,) of rows (n, k) without NaN."""


class LearningExpert(Expert):
    """An expert that learns a function of the inputs from at most `rows` evenly spread rows of the history.

    `folds` purged folds prove it; with 0 it keeps the proof it has, or says nothing of its confidence. `without` names
    inputs it does not look at, separated by commas.
    """

    form: ClassVar[type[Any]]
    """The dataclass of its function."""
    space: ClassVar[Mapping[str, Range]] = {}
    """What tuning may move."""
    limits: ClassVar[Mapping[str, Range]] = {}
    """Where its own parameters must lie."""

    folds: int = 5
    rows: int = 10_000
    without: str = ""

    def __post_init__(self) -> None:
        """Raises: ConfigError naming the parameter that is out of its limits."""
        for key, limit in {**_LIMITS, **self.limits}.items():
            value = getattr(self, key)
            if not limit.low <= value <= limit.high:
                raise ConfigError(f"{key} must be in {limit.low:g} .. {limit.high:g}", value=value)
        if self.folds == 1:
            raise ConfigError("folds must be 0, or at least 2", value=1)

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """Names of the columns of its function. Raises: ConfigError for an unknown name in `without`."""
        return all_but(self.without)

    @cached_property
    def features(self) -> tuple[str, ...]:
        """What the inputs are made of."""
        return specs(self.inputs)

    @abstractmethod
    def learn(self, x: Float64, u: Float64, seed: int) -> Function:
        """The function that these rows (n, k) without NaN and their targets (n,) teach."""

    def table(self, frame: FeatureFrame) -> Float64:
        """Its inputs (n, k); NaN while warming up."""
        return table(frame, self.inputs)

    def unit(self, frame: FeatureFrame) -> Float64:
        """Usual deviation of the log return over the horizon (n,): what a forecast of 1 means; NaN where it is 0."""
        unit = frame[VOLATILITY] * math.sqrt(self.horizon)
        return np.where(unit > 0, unit, np.nan)

    def fit(self, frame: FeatureFrame, y: Float64, seed: int) -> Self:
        """Learn from features (n, k) and forward log returns (n,), then prove it on purged folds."""
        x, unit = self.table(frame), self.unit(frame)
        rows = self._taught(np.isfinite(x).all(axis=1) & np.isfinite(y / unit))
        x, u = x[rows], y[rows] / unit[rows]
        if self.folds or not hasattr(self, "proof_"):
            self.proof_ = self._prove(x, u, frame.ts[rows], label_ms(frame.ts, self.horizon)[rows], seed)
        self.function_ = self.learn(x, np.sign(u), seed)
        f = self.function_.predict(x)
        self.level_ = float(f.mean())
        self.scale_ = float(np.sqrt(np.mean((self.proof_.shrink * (f - self.level_) * unit[rows]) ** 2)))
        return self

    def predict(self, frame: FeatureFrame) -> Float64:
        """Mean and deviation (n, 2); NaN where an input is missing or the price has stood still."""
        if not hasattr(self, "function_"):
            raise NotFitted(f"{type(self).__name__} must be fitted before it predicts")
        x, unit = self.table(frame), self.unit(frame)
        whole = np.isfinite(x).all(axis=1) & np.isfinite(unit)
        out = np.full((len(frame), 2), np.nan)
        out[whole, 0] = self.proof_.shrink * (self.function_.predict(x[whole]) - self.level_) * unit[whole] + 0.0
        out[whole, 1] = self.proof_.deviation * unit[whole]
        return out

    @property
    def confidence(self) -> float:
        """How far the skill on unseen rows may be believed."""
        return self.proof_.confidence

    @property
    def scale(self) -> float:
        """Root mean square of the mean forecast on the rows it learnt from."""
        return self.scale_

    def unproven(self) -> Self:
        """A copy to fit on other rows. If this one is fitted, the copy takes its proof and need not prove itself."""
        params = {field.name: getattr(self, field.name) for field in fields(self)}
        if not hasattr(self, "proof_"):
            return type(self)(**params)
        copy = type(self)(**{**params, "folds": 0})
        copy.proof_ = self.proof_
        return copy

    def state(self) -> dict[str, Learnt]:
        """Its function part by part, and its proof."""
        if not hasattr(self, "function_"):
            return {}
        parts = {f"{field.name}_": getattr(self.function_, field.name) for field in fields(self.form)}
        shown = {f"{key}_": value for key, value in msgspec.structs.asdict(self.proof_).items()}
        return {**parts, **shown, "level_": self.level_, "scale_": self.scale_}

    def restore(self, state: Mapping[str, Learnt]) -> Self:
        """Take over what another of its kind and parameters has learnt. Raises: ValueError or ModelError if parts do
        not fit."""
        names = [field.name for field in fields(self.form)]
        shown = Proof.__struct_fields__
        if set(state) != {f"{name}_" for name in (*names, *shown, "level", "scale")}:
            raise ValueError(f"{type(self).__name__} does not learn {sorted(state)}")
        self.function_ = self.form(**{name: state[f"{name}_"] for name in names})
        self.proof_ = Proof(*(float(state[f"{name}_"]) for name in shown))
        self.level_, self.scale_ = float(state["level_"]), float(state["scale_"])
        return self

    def _taught(self, usable: NDArray[np.bool_]) -> Int64:
        """At most `rows` of the usable rows, evenly spread. Raises: NotEnoughHistory."""
        found = np.flatnonzero(usable)
        needed = max(_LEAST_EPISODES * self.horizon, _LEAST_ROWS)
        if len(found) < needed:
            remedy = "train longer; rows whose price stands still do not count"
            raise NotEnoughHistory(
                f"a fit over {self.horizon} bars needs {needed} rows", value=len(found), remedy=remedy
            )
        return found[np.linspace(0, len(found) - 1, min(self.rows, len(found))).astype(np.int64)]

    def _prove(self, x: Float64, u: Float64, ts: Int64, lasts: Int64, seed: int) -> Proof:
        if self.folds == 0:
            return Proof(1.0, deviation(u), 0.0)
        horizon_ms = int(np.median(lasts))
        folds = purged_folds(ts, lasts, self.folds, horizon_ms)
        f = np.empty(len(u))
        for train, test in folds:
            f[test] = self.learn(x[train], np.sign(u[train]), seed).predict(x[test])
        return proof(f, u, ts, folds, horizon_ms)
