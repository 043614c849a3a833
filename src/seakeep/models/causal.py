"""Features that say something of what comes: kept when two of three tests agree.

Granger: do past values help beyond the target's own past, linearly? Mutual information: does the target depend on the
value in any way, against circular shifts that keep both series as they are? Lasso: does the feature survive among all
the others, at the strength that purged folds cannot tell from the best? None of them proves a cause: they find what
would have helped to forecast, and noise passes two of three rarely.
"""

import math
from collections.abc import Sequence

import msgspec
import numpy as np
from pydantic import Field

from seakeep.core.config import Section
from seakeep.core.errors import NotEnoughHistory
from seakeep.core.market import Float64
from seakeep.models.folding import purged_folds

__all__ = ["CausalParams", "Vote", "granger", "lasso", "mutual_information", "select", "shift_p_value"]


class CausalParams(Section):
    """How features are tried."""

    lags: int = Field(3, ge=1, le=50, description="past values of feature and target that Granger's test looks at")
    level: float = Field(0.05, gt=0, lt=0.5, description="p-value below which a test votes for a feature")
    shifts: int = Field(199, ge=19, le=10_000, description="circular shifts the mutual information is held against")
    bins: int = Field(6, ge=2, le=50, description="bins of equal counts for the mutual information")
    folds: int = Field(5, ge=2, le=20, description="purged folds that choose the strength of the Lasso")


class Vote(msgspec.Struct, frozen=True):
    """One feature: the p-values of Granger's test and of its mutual information (in nats), its Lasso coefficient (of
    standardised variables; 0: dropped), how many of the three voted for it, and whether it is kept."""

    name: str
    granger_p: float
    information: float
    information_p: float
    coefficient: float
    votes: int

    @property
    def kept(self) -> bool:
        """Whether two of three voted for it."""
        return self.votes >= 2


def select(
    x: Float64, y: Float64, names: Sequence[str], params: CausalParams | None = None, seed: int = 0
) -> tuple[Vote, ...]:
    """Try each column of x (n, k), known at each row, on the target y (n,), decided before the next row.

    Rows are of one series in order of time. Outcomes must not overlap: of longer ones give every h-th row. Rows with a
    NaN are left out. Raises: NotEnoughHistory below ten rows for each lag and feature; ValueError for shapes that do
    not fit.
    """
    params = params or CausalParams()
    if x.ndim != 2 or y.shape != (len(x),) or len(names) != x.shape[1]:
        raise ValueError(f"x {x.shape}, y {y.shape} and {len(names)} names do not fit together")
    seen = np.isfinite(x).all(axis=1) & np.isfinite(y)
    x, y = x[seen], y[seen]
    needed = 10 * max(2 * params.lags + 1, x.shape[1])
    if len(y) < needed:
        raise NotEnoughHistory(f"three tests of {x.shape[1]} features need {needed} rows", value=len(y))
    weights = lasso(x, y, params.folds)
    rng = np.random.default_rng(seed)
    votes = []
    for j, name in enumerate(names):
        before = granger(x[1:, j], y[:-1], params.lags)
        information, p_value = shift_p_value(x[:, j], y, params.bins, params.shifts, rng)
        count = (before < params.level) + (p_value < params.level) + (weights[j] != 0)
        votes.append(Vote(name, before, information, p_value, float(weights[j]), int(count)))
    return tuple(votes)


def granger(x: Float64, y: Float64, lags: int) -> float:
    """p-value of the F test that `lags` past values of x (n,) say nothing of y (n,) beyond y's own past [1]_.

    A constant series says nothing: 1. Raises: NotEnoughHistory if there are too few rows.

    .. [1] Granger, "Investigating causal relations by econometric models", Econometrica 37 (1969).
    """
    from scipy.special import fdtrc

    n = len(y) - lags
    free = n - 2 * lags - 1
    if free < 1:
        raise NotEnoughHistory(f"Granger's test with {lags} lags needs {3 * lags + 2} rows", value=len(y))
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return 1.0
    past = [np.column_stack([series[lags - i : len(y) - i] for i in range(1, lags + 1)]) for series in (y, x)]
    own = np.column_stack([np.ones(n), past[0]])
    little, much = (_residual(design, y[lags:]) for design in (own, np.column_stack([own, past[1]])))
    if much <= 0:
        return 0.0 if little > 0 else 1.0
    return float(fdtrc(lags, free, (little - much) / lags / (much / free)))


def _residual(design: Float64, y: Float64) -> float:
    """Sum of squares that least squares leaves."""
    left = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    return float(left @ left)


def mutual_information(x: Float64, y: Float64, bins: int) -> float:
    """Mutual information (nats) of x (n,) and y (n,) in bins of equal counts, bias included; 0 for a constant.

    >>> a = np.arange(100.0)
    >>> round(mutual_information(a, a, 4), 4) == round(math.log(4), 4)
    True
    """
    return _information(_binned(x, bins), _binned(y, bins), bins)


def _binned(x: Float64, bins: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Bin (n,) of each value, equal values in the same one."""
    edges = np.unique(np.quantile(x, np.linspace(0, 1, bins + 1)[1:-1]))
    return np.searchsorted(edges, x, "right").astype(np.int64)


def _information(
    a: np.ndarray[tuple[int], np.dtype[np.int64]], b: np.ndarray[tuple[int], np.dtype[np.int64]], bins: int
) -> float:
    joint = np.bincount(a * bins + b, minlength=bins * bins).reshape(bins, bins) / len(a)
    apart = joint.sum(axis=1)[:, None] * joint.sum(axis=0)
    met = joint > 0
    return max(float((joint[met] * np.log(joint[met] / apart[met])).sum()), 0.0)


def shift_p_value(x: Float64, y: Float64, bins: int, shifts: int, rng: np.random.Generator) -> tuple[float, float]:
    """Mutual information of x and y (n,), and the share of circular shifts of x with as much.

    A shift keeps what each series remembers of itself and breaks what they have in common.
    """
    a, b = _binned(x, bins), _binned(y, bins)
    found = _information(a, b, bins)
    margin = max(1, len(x) // 20)
    by = rng.integers(margin, len(x) - margin, shifts)
    as_much = sum(_information(np.roll(a, int(shift)), b, bins) >= found for shift in by)
    return found, (1 + as_much) / (1 + shifts)


def lasso(x: Float64, y: Float64, folds: int) -> Float64:
    """Coefficients (k,) of standardised columns (n, k) for the standardised y (n,): the strongest penalty whose error
    on folds of time lies within one standard error of the best [1]_.

    .. [1] Tibshirani, JRSS B 58 (1996); Hastie, Tibshirani and Friedman, The Elements of Statistical Learning, 7.10.
    """
    from sklearn.linear_model import lasso_path

    spread = x.std(axis=0)
    z = np.divide(x - x.mean(axis=0), spread, out=np.zeros_like(x), where=spread > 0)
    if not y.std() > 0:
        return np.zeros(x.shape[1])
    u = (y - y.mean()) / y.std()
    top = float(np.abs(z.T @ u).max()) / len(u)
    if not top > 0:
        return np.zeros(x.shape[1])
    strengths = top * np.logspace(0, -2.5, 30)
    errors = []
    for train, test in purged_folds(np.arange(len(u)), 1, folds):
        _, weights, _ = lasso_path(z[train], u[train], alphas=strengths)
        errors.append(((u[test][:, None] - z[test] @ weights) ** 2).mean(axis=0))
    table = np.array(errors)
    mean, error = table.mean(axis=0), table.std(axis=0, ddof=1) / math.sqrt(folds)
    best = int(mean.argmin())
    chosen = int(np.flatnonzero(mean <= mean[best] + error[best])[0])
    _, weights, _ = lasso_path(z, u, alphas=strengths[: chosen + 1])
    return np.asarray(weights[:, -1])
