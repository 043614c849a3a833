"""A support vector machine with radial kernel, learnt by scikit-learn and asked by a kernel of our own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from seakeep.core.errors import ModelError
from seakeep.core.jit import FUSED, kernel
from seakeep.core.market import Float64
from seakeep.features import scaling
from seakeep.models.base import EXPERTS
from seakeep.models.ml import LearningExpert, Range

__all__ = ["RadialMachine", "SvmExpert", "radial_sum"]

_FAR = 4.0
"""Standardised inputs are cut here, so that one wild input does not put a row out of reach of all others."""


@dataclass(frozen=True, slots=True, eq=False)
class RadialMachine:
    """f(x) = sum of weights[j] exp(-gamma |s - support[:, j]|^2) + intercept, s = (x - centre) / spread cut to +-4.

    `centre` and `spread` (k,) of the rows it learnt from; `support` (k, m) are its vectors, `weights` (m,).
    """

    centre: Float64
    spread: Float64
    support: Float64
    weights: Float64
    gamma: float
    intercept: float

    def __post_init__(self) -> None:
        k = len(self.centre)
        if self.spread.shape != (k,) or self.support.shape != (k, len(self.weights)) or not (self.spread > 0).all():
            raise ModelError("these arrays are no support vector machine", remedy="train the expert again")
        for column in (self.centre, self.spread, self.support, self.weights):
            column.flags.writeable = False

    def predict(self, x: Float64) -> Float64:
        """Value (n,) of rows (n, k) without NaN."""
        standard = np.ascontiguousarray(np.clip((x - self.centre) / self.spread, -_FAR, _FAR))
        return np.asarray(radial_sum(standard, self.support, self.weights, self.gamma) + self.intercept)


@kernel(fastmath=FUSED)
def radial_sum(x: Float64, support: Float64, weights: Float64, gamma: float) -> Float64:
    """Sum of the weighted radial kernels (n,) between rows (n, k) and support vectors (k, m)."""
    out = np.zeros(len(x))
    square = np.empty(len(weights))
    for row in range(len(x)):
        square[:] = 0.0
        for j in range(x.shape[1]):
            value = x[row, j]
            for i in range(len(weights)):
                square[i] += (value - support[j, i]) * (value - support[j, i])
        for i in range(len(weights)):
            out[row] += weights[i] * np.exp(-gamma * square[i])
    return out


@EXPERTS.register("svm")
class SvmExpert(LearningExpert):
    """Support vector regression. `cost` of an error in deviations, `tube` within which an error is none, `reach` of a
    vector: the kernel's gamma is 1 / (reach^2 k) for k inputs."""

    form: ClassVar[type[RadialMachine]] = RadialMachine
    space: ClassVar[Mapping[str, Range]] = {
        "cost": Range(0.003, 3.0, log=True),
        "tube": Range(0.1, 1.0),
        "reach": Range(0.5, 5.0, log=True),
    }
    limits: ClassVar[Mapping[str, Range]] = {
        "rows": Range(100, 20_000),
        "cost": Range(1e-6, 1e6),
        "tube": Range(0.0, 10.0),
        "reach": Range(0.01, 100.0),
    }

    rows: int = 2_000
    cost: float = 0.1
    tube: float = 0.5
    reach: float = 1.5

    def learn(self, x: Float64, u: Float64, seed: int) -> RadialMachine:
        """The machine of these rows; nothing in it is random."""
        from sklearn.svm import SVR

        scaler = scaling.fit(x)
        standard = np.clip(scaler.apply(x), -_FAR, _FAR)
        gamma = 1.0 / (self.reach**2 * x.shape[1])
        machine = SVR(kernel="rbf", C=self.cost, epsilon=self.tube, gamma=gamma).fit(standard, u)
        return RadialMachine(
            centre=scaler.centre,
            spread=scaler.scale,
            support=np.ascontiguousarray(machine.support_vectors_.T),
            weights=np.ascontiguousarray(machine.dual_coef_[0]),
            gamma=gamma,
            intercept=float(machine.intercept_[0]),
        )
