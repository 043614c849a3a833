"""The overfitting check: is the set of parameters that looked best any better than the middle on the other half?

Over the family of the run, and over everything the trial ledger counted on the same days. A family that is alike all
over makes the best of it a coin toss without any harm; so what the choice lost counts beside its rank.
"""

import numpy as np
from pydantic import Field

from seakeep.backtest.integrity.daily import sharpes
from seakeep.backtest.integrity.family import Family
from seakeep.backtest.integrity.judgement import Check, Plot, Series, Status
from seakeep.backtest.integrity.tried import Tried
from seakeep.backtest.notation import percent, plain
from seakeep.core.config import Section
from seakeep.core.errors import NotEnoughHistory
from seakeep.core.market import Float64
from seakeep.stats.cscv import Cscv, cscv

__all__ = ["NAME", "OverfittingParams", "overfitting_check"]

NAME = "overfitting"
_TENTHS = 10
_FEW = 5
"""Fewer trials than this are no family: the ranks of a handful say nothing."""


class OverfittingParams(Section):
    """How history is halved, and which probabilities are acceptable."""

    blocks: int = Field(16, ge=4, le=20, multiple_of=2, description="blocks that history is halved by")
    least_days: int = Field(5, ge=2, le=1000, description="days of a block below which nothing is said")
    unlikely: float = Field(0.2, gt=0, lt=1, description="a probability of overfitting up to here passes")
    likely: float = Field(0.5, gt=0, lt=1, description="one from here on fails if the choice loses as well")
    losing: float = Field(0.2, ge=0, lt=1, description="share of choices that may lose out of sample")


def overfitting_check(members: Family, tried: Tried | None = None, params: OverfittingParams | None = None) -> Check:
    """Probability of backtest overfitting; the worse of the family and of what was tried decides.

    Raises: NotEnoughHistory.
    """
    asked = params or OverfittingParams()
    if len(members.ts) < asked.blocks * asked.least_days:
        remedy = f"{asked.blocks * asked.least_days} days do"
        raise NotEnoughHistory(f"too few days for {asked.blocks} blocks", value=len(members.ts), remedy=remedy)
    found = {f"{len(members.points)} sets of parameters": cscv(members.returns, asked.blocks)}
    if tried is not None and tried.returns.shape[1] >= _FEW:
        found[f"{tried.returns.shape[1]} trials that were counted"] = cscv(tried.returns, asked.blocks)
    statuses = {_status(one, asked) for one in found.values()}
    status: Status = "fail" if "fail" in statuses else "warn" if "warn" in statuses else "pass"
    reasons = [_told(name, one) for name, one in found.items()]
    ratios = sharpes(members.returns.T, members.a_year)
    reasons.append(f"Sharpe ratios of the sets go from {plain(float(ratios.min()))} to {plain(float(ratios.max()))}")
    figures: list[tuple[str, float | str]] = [*members.figures]
    for name, one in found.items():
        figures += _figures(name, one, members.a_year)
    figures += [("Sharpe of the run as it is", float(ratios[members.own])), ("rank of the run", _rank(ratios, members))]
    first = next(iter(found.values()))
    names = ("worst tenth", *(f"{i + 1}" for i in range(1, _TENTHS - 1)), "best tenth")
    plot = Plot("", names, (Series("where the best in sample came to stand", _tenths(first)),))
    return Check(name=NAME, status=status, reason="; ".join(reasons), figures=tuple(figures), plot=plot)


def _status(found: Cscv, asked: OverfittingParams) -> Status:
    if found.pbo <= asked.unlikely and found.loss <= asked.losing:
        return "pass"
    return "fail" if found.pbo >= asked.likely and found.loss > asked.losing else "warn"


def _told(name: str, found: Cscv) -> str:
    return (
        f"of {name} the best on one half is below the middle on the other in {percent(found.pbo, 0)} of "
        f"{len(found.rank):,} halvings, and loses there in {percent(found.loss, 0)}"
    )


def _figures(name: str, found: Cscv, a_year: float) -> list[tuple[str, float | str]]:
    inside, outside = (
        float(np.median(half[np.isfinite(half)])) * a_year**0.5 for half in (found.inside, found.outside)
    )
    return [
        (f"probability of overfitting, {name}", found.pbo),
        (f"share that loses out of sample, {name}", found.loss),
        (f"Sharpe of the best, in sample and out, {name}", f"{plain(inside)}, {plain(outside)}"),
        (f"slope of out of sample on in sample, {name}", found.slope),
    ]


def _rank(ratios: Float64, members: Family) -> str:
    return f"{1 + int((ratios > ratios[members.own] + 1e-12).sum())} of {len(ratios)}"


def _tenths(found: Cscv) -> tuple[float, ...]:
    """Share of halvings by the tenth of the family that the choice came to stand in."""
    share = (found.rank - 0.5) / found.k
    counts = np.bincount(np.minimum((share * _TENTHS).astype(np.int64), _TENTHS - 1), minlength=_TENTHS)
    return tuple((counts / counts.sum()).tolist())
