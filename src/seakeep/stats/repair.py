"""The nearest correlation or covariance matrix that is positive definite, and what the repair changed.

Alternating projections on the matrices with eigenvalues above a floor and on those with a unit diagonal, with
Dykstra's correction, converge to the nearest such matrix in the Frobenius norm [1]_; clipping eigenvalues and
rescaling does not.

.. [1] Higham, "Computing the nearest correlation matrix", IMA Journal of Numerical Analysis 22 (2002).
"""

from dataclasses import dataclass

import numpy as np

from seakeep.core.errors import ConvergenceError, DataError
from seakeep.core.market import Float64

__all__ = ["Repair", "nearest_correlation", "nearest_covariance"]


@dataclass(frozen=True, slots=True, eq=False)
class Repair:
    """A positive definite `matrix` (k, k), the Frobenius `distance` to what was given, and the entry changed most.

    `smallest` are the smallest eigenvalues of the correlations before and after; `row`, `column` and `change` (new
    less old) name the largest change of an entry; nothing was done if `changed` is false.
    """

    matrix: Float64
    changed: bool
    distance: float
    smallest: tuple[float, float]
    row: int
    column: int
    change: float
    passes: int


def nearest_correlation(matrix: Float64, floor: float = 1e-8, tolerance: float = 1e-10) -> Repair:
    """The nearest correlation matrix with no eigenvalue below `floor`.

    >>> repair = nearest_correlation(np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0], [0.0, 1.0, 1.0]]))
    >>> repair.matrix[0].round(4).tolist(), round(repair.distance, 4)
    ([1.0, 0.7607, 0.1573], 0.5278)

    Raises: ValueError unless 0 < floor < 1, DataError for a matrix that is not square, finite, symmetric and with a
    unit diagonal, ConvergenceError if the projections do not settle.
    """
    given = _checked(matrix)
    if not np.allclose(np.diag(given), 1.0, atol=1e-8):
        raise DataError("a correlation matrix has ones on its diagonal", remedy="use nearest_covariance")
    if not 0 < floor < 1:
        raise ValueError(f"floor must be in (0, 1), got {floor}")
    before = float(np.linalg.eigvalsh(given)[0])
    if before >= floor:
        return Repair(given, False, 0.0, (before, before), 0, 0, 0.0, 0)
    near, passes = _project(given, floor, tolerance)
    return _described(given, near, before, passes)


def nearest_covariance(matrix: Float64, floor: float = 1e-8, tolerance: float = 1e-10) -> Repair:
    """The covariance with the same variances and the nearest correlations with no eigenvalue below `floor`.

    Raises: as `nearest_correlation`; DataError if a variance is not positive.
    """
    given = _checked(matrix)
    variances = np.diag(given)
    if not (variances > 0).all():
        row = int(np.argmin(variances))
        raise DataError(f"the variance of asset {row} is not positive", value=float(variances[row]), remedy="drop it")
    scale = np.sqrt(np.outer(variances, variances))
    correlation = given / scale
    np.fill_diagonal(correlation, 1.0)
    repair = nearest_correlation(correlation, floor, tolerance)
    return (
        _described(given, repair.matrix * scale, repair.smallest[0], repair.passes)
        if repair.changed
        else Repair(given, False, 0.0, repair.smallest, 0, 0, 0.0, 0)
    )


def _project(given: Float64, floor: float, tolerance: float) -> tuple[Float64, int]:
    unit, correction = given.copy(), np.zeros_like(given)
    for passes in range(1, 10_001):
        shifted = unit - correction
        values, vectors = np.linalg.eigh(shifted)
        definite = (vectors * np.maximum(values, floor)) @ vectors.T
        correction = definite - shifted
        unit = 0.5 * (definite + definite.T)
        np.fill_diagonal(unit, 1.0)
        if np.abs(unit - definite).max() <= tolerance:
            return _lifted(unit, floor), passes
    raise ConvergenceError("the projections did not settle in 10,000 passes", remedy="raise the tolerance")


def _lifted(unit: Float64, floor: float) -> Float64:
    """Mixed with the identity by what the last projection still misses, so that the floor holds exactly."""
    least = float(np.linalg.eigvalsh(unit)[0])
    weight = max(0.0, (floor - least) / (1 - least))
    return np.asarray((1 - weight) * unit + weight * np.eye(len(unit)))


def _described(given: Float64, near: Float64, before: float, passes: int) -> Repair:
    deviation = np.sqrt(np.diag(near))
    after = float(np.linalg.eigvalsh(near / np.outer(deviation, deviation))[0])
    moved = near - given
    row, column = (int(i) for i in np.unravel_index(int(np.abs(moved).argmax()), moved.shape))
    near.flags.writeable = False
    change = float(moved[row, column])
    return Repair(near, True, float(np.linalg.norm(moved)), (before, after), row, column, change, passes)


def _checked(matrix: Float64) -> Float64:
    given = np.array(matrix, np.float64)
    if given.ndim != 2 or given.shape[0] != given.shape[1] or not given.size:
        raise DataError("a covariance matrix is square", value=given.shape)
    if not np.isfinite(given).all():
        row, column = np.argwhere(~np.isfinite(given))[0].tolist()
        raise DataError(f"entry ({row}, {column}) is not a finite number", value=given[row, column].item())
    if not np.allclose(given, given.T, rtol=1e-8, atol=1e-12 * float(np.abs(given).max())):
        raise DataError("a covariance matrix is symmetric", remedy="average it with its transpose if that is rounding")
    return np.asarray(0.5 * (given + given.T))
