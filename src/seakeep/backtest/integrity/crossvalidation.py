"""The cross-validation check: parameters chosen on part of history and judged on the rest, in every way there is.

Combinatorial purged cross-validation gives several paths through all of history, each made of days that the choice did
not see, and so a distribution of Sharpe ratios where a walk-forward gives one [1]_. Days that share a holding with a
test are purged, and an embargo leaves out those that follow it.

.. [1] Lopez de Prado, "Advances in Financial Machine Learning", chapters 7 and 12 (2018).
"""

from dataclasses import dataclass

import numpy as np
from pydantic import Field

from seakeep.backtest.integrity.daily import sharpes
from seakeep.backtest.integrity.family import Family, picked
from seakeep.backtest.integrity.judgement import Check, Plot, Series, Status
from seakeep.backtest.notation import duration, plain
from seakeep.backtest.search.folds import Combinatorial, Fold, purged_kfold, stitch
from seakeep.core.config import Section
from seakeep.core.errors import NotEnoughHistory
from seakeep.core.market import Float64
from seakeep.core.units import DAY_MS

__all__ = ["NAME", "CrossValidationParams", "Paths", "cross_validation_check", "paths"]

NAME = "cross-validation"


class CrossValidationParams(Section):
    """How history is cut, and what is left out at the cuts."""

    folds: int = Field(10, ge=3, le=30, description="blocks that history is cut into")
    tests: int = Field(2, ge=1, le=5, description="blocks that are judged at once")
    kfold: int = Field(5, ge=2, le=30, description="blocks of the plain purged K-fold beside it")
    embargo: float = Field(0.01, ge=0, lt=0.5, description="share of all days left out after a judged block")
    least_days: int = Field(10, ge=2, le=1000, description="days of a block below which nothing is said")


@dataclass(frozen=True, eq=False)
class Paths:
    """Sharpe ratios a year: of each path (p,), in sample (s,) of the choice in each split, and of K-fold's one path.

    `chosen` (s,) are the columns chosen, `purged` the share of training days that was left out.
    """

    ratios: Float64
    inside: Float64
    kfold: float
    chosen: tuple[int, ...]
    purged: float
    n_splits: int


def paths(members: Family, params: CrossValidationParams) -> Paths:
    """Judge a family along every path. Raises: NotEnoughHistory if blocks are too short, or nothing is left to choose
    on once what overlaps is left out."""
    d = len(members.ts)
    most = max(params.folds, params.kfold)
    if d < most * params.least_days:
        remedy = f"{most * params.least_days} days do, or fewer folds"
        raise NotEnoughHistory(f"{d} days are too few for {most} blocks", value=d, remedy=remedy)
    embargo = round(params.embargo * d)
    scheme = Combinatorial(folds=params.folds, tests=min(params.tests, params.folds - 1), embargo=embargo)
    folds = _split(scheme, members)
    chosen = [picked(members.returns, fold.train) for fold in folds]
    inside = [_ratio(members.returns[f.train, j], members.a_year) for f, j in zip(folds, chosen, strict=True)]
    walked = stitch(scheme, folds, [members.returns[f.test, j] for f, j in zip(folds, chosen, strict=True)])
    out = np.mean([1 - len(f.train) / (d - len(f.test)) for f in folds])
    single = _one_path(purged_kfold(params.kfold, embargo=embargo), members)
    ratios = np.sort(sharpes(walked.T, members.a_year))
    return Paths(ratios, np.array(inside), single, tuple(chosen), float(out), len(folds))


def _split(scheme: Combinatorial, members: Family) -> tuple[Fold, ...]:
    """Splits of the days; a day's outcome is known when the holdings it was part of are closed."""
    folds = scheme.split(members.ts - DAY_MS, members.ts + members.held_ms)
    if min(len(fold.train) for fold in folds) < len(members.ts) // 10:
        held = duration(members.held_ms)
        raise NotEnoughHistory(f"holdings last {held}: without the days that share one too few are left to choose on")
    return folds


def _one_path(scheme: Combinatorial, members: Family) -> float:
    folds = _split(scheme, members)
    judged = [members.returns[fold.test, picked(members.returns, fold.train)] for fold in folds]
    return _ratio(stitch(scheme, folds, judged)[:, 0], members.a_year)


def _ratio(returns: Float64, a_year: float) -> float:
    return float(sharpes(returns[None], a_year)[0])


def cross_validation_check(members: Family, params: CrossValidationParams | None = None) -> Check:
    """Sharpe ratios over all paths: fails if the middle one earns nothing, passes if every one earns, K-fold included.

    Raises: NotEnoughHistory.
    """
    asked = params or CrossValidationParams()
    found = paths(members, asked)
    low, middle, high = float(found.ratios[0]), float(np.median(found.ratios)), float(found.ratios[-1])
    status: Status = "fail" if middle <= 0 else "pass" if min(low, found.kfold) > 0 else "warn"
    own = _ratio(members.returns[:, members.own], members.a_year)
    reason = (
        f"chosen on part of history and judged on the rest in {found.n_splits} ways: Sharpe {plain(low)} to "
        f"{plain(high)} over {len(found.ratios)} paths, {plain(middle)} in the middle, {plain(found.kfold)} by purged "
        f"K-fold; {plain(float(np.median(found.inside)))} in sample"
    )
    figures: tuple[tuple[str, float | str], ...] = (
        *members.figures,
        ("paths", float(len(found.ratios))),
        ("lowest path", low),
        ("middle path", middle),
        ("highest path", high),
        (f"purged K-fold of {asked.kfold}", found.kfold),
        ("in sample, middle of the splits", float(np.median(found.inside))),
        ("the run as it is", own),
        ("sets that were ever chosen", float(len(set(found.chosen)))),
        ("days purged around a test", duration(members.held_ms)),
        ("days not chosen on for overlap and embargo", f"{found.purged:.1%}"),
    )
    names = tuple(f"path {i + 1}" for i in range(len(found.ratios)))
    plot = Plot("", names, (Series("Sharpe out of sample", tuple(found.ratios.tolist())),), "ratio")
    return Check(name=NAME, status=status, reason=reason, figures=figures, plot=plot)
