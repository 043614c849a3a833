"""The walk-forward check: parameters tuned on the past, again and again, and judged on what followed.

Twice: on the last half year (rolling) and on everything so far (anchored). Efficiency is what a day out of sample
earned over what it earned in sample; stability how little the choice moved [1]_.

.. [1] Pardo, "The Evaluation and Optimization of Trading Strategies", 2nd edition, chapter 11 (2008).
"""

import math
from collections.abc import Sequence
from functools import partial

import numpy as np
from pydantic import Field

from seakeep.backtest.integrity.family import Family
from seakeep.backtest.integrity.judgement import Check, Plot, Series, Status
from seakeep.backtest.notation import percent, plain
from seakeep.backtest.search.folds import WalkForward
from seakeep.backtest.search.walkforward import Curve, Params, Study, walk_forward
from seakeep.backtest.sharpeline import judge
from seakeep.core.config import Section
from seakeep.core.errors import NotEnoughHistory
from seakeep.core.market import Float64
from seakeep.core.units import DAY_MS
from seakeep.stats.returns import max_drawdown

__all__ = ["NAME", "WalkForwardParams", "studies", "walk_forward_check"]

NAME = "walk-forward"
_POINTS = 200
"""Points of a line in the picture, at most."""


class WalkForwardParams(Section):
    """How long parameters are tuned and then judged, and what must be left of what was earned."""

    train_days: int = Field(
        182, ge=30, le=3650, description="days a rolling window is tuned on, and the first anchored"
    )
    test_days: int = Field(30, ge=5, le=3650, description="days that are then judged")
    least: int = Field(3, ge=2, le=1000, description="judged windows below which nothing is said")
    enough: float = Field(0.5, gt=0, le=1, description="efficiency from here on passes")
    stable: float = Field(0.0, ge=-1, le=1, description="stability of a choice from here on passes; 0 is chance")


def studies(members: Family, params: WalkForwardParams) -> dict[str, Study]:
    """The rolling and the anchored study of a family. Raises: NotEnoughHistory if there are too few windows."""
    span = (int(members.ts[0]) - DAY_MS, int(members.ts[-1]) + 1)
    evaluate = partial(_days, members, {_key(point): j for j, point in enumerate(members.points)})
    found = {}
    for name, anchored in (("rolling", False), ("anchored", True)):
        train, test = params.train_days * DAY_MS, params.test_days * DAY_MS
        found[name] = walk_forward(
            evaluate, members.axes, WalkForward(train_ms=train, test_ms=test, anchored=anchored), span
        )
        windows = len(found[name].choices)
        if windows < params.least:
            days = params.train_days + params.least * params.test_days
            raise NotEnoughHistory(f"{windows} judged windows say nothing", remedy=f"a run of {days} days does")
    return found


def _key(point: Params) -> tuple[object, ...]:
    return tuple(point.values())


def _days(members: Family, column: dict[tuple[object, ...], int], point: Params, start: int, end: int) -> Curve:
    """The days of a member that end in (start, end]."""
    first, last = np.searchsorted(members.ts, (start, end), "right")
    return Curve(members.ts[first:last], members.returns[first:last, column[_key(point)]])


def walk_forward_check(members: Family, params: WalkForwardParams | None = None) -> Check:
    """Walk-forward with nested tuning: fails if what was tuned loses out of sample, rolling or anchored; passes if
    both keep enough of what they earned in sample and no choice moves more than chance.

    Raises: NotEnoughHistory.
    """
    asked = params or WalkForwardParams()
    found = studies(members, asked)
    lost = any(study.curve.returns.mean() <= 0 for study in found.values())
    kept = all(study.efficiency.value >= asked.enough for study in found.values())
    loose = {f"{p} ({name})": s for name, study in found.items() for p, s in study.stability if s < asked.stable}
    status: Status = "fail" if lost else "pass" if kept and not loose else "warn"
    told = [_told(name, study, members.a_year) for name, study in found.items()]
    moved = [f"the choice of {', '.join(loose)} moves more than chance"] if loose else []
    figures = [*members.figures, ("as it is, Sharpe on the judged days", _untuned(found["rolling"], members))]
    for name, study in found.items():
        figures += _figures(name, study, members)
    return Check(
        name=NAME, status=status, reason="; ".join([*told, *moved]), figures=tuple(figures), plot=_plot(found, members)
    )


def _told(name: str, study: Study, a_year: float) -> str:
    inside = _mean(np.array([choice.inside for choice in study.choices])) * math.sqrt(a_year)
    line, value = judge(study.curve.returns, "1d"), study.efficiency
    ends = "" if math.isnan(value.low) else f" ({percent(value.low, 0)} to {percent(value.high, 0)})"
    kept = "nothing was earned in sample" if math.isnan(value.value) else f"efficiency {percent(value.value, 0)}{ends}"
    return (
        f"tuned anew {len(study.choices)} times ({name}) it shows a Sharpe of {plain(line.sharpe.value)} on the days "
        f"that followed and {plain(inside)} on those it was tuned on: {kept}"
    )


def _figures(name: str, study: Study, members: Family) -> list[tuple[str, float | str]]:
    line = judge(study.curve.returns, "1d").sharpe
    choosing = np.array([choice.outside - choice.average for choice in study.choices]) * math.sqrt(members.a_year)
    agreement = np.array([choice.agreement for choice in study.choices])
    known = choosing[np.isfinite(choosing)]
    grown = _growth(study.curve.returns)
    rows: list[tuple[str, float | str]] = [
        (f"{name}: efficiency", study.efficiency.value),
        (f"{name}: Sharpe out of sample", f"{plain(line.value)} ({plain(line.low)} to {plain(line.high)})"),
        (f"{name}: return out of sample", percent(float(grown[-1]))),
        (f"{name}: largest drawdown out of sample", percent(max_drawdown(1 + grown))),
        (f"{name}: Sharpe gained over the average set", float(known.mean()) if len(known) else math.nan),
        (f"{name}: rank correlation in and out of sample", _mean(agreement)),
    ]
    return rows + [(f"{name}: stability of {parameter}", value) for parameter, value in study.stability]


def _untuned(study: Study, members: Family) -> float:
    rows = np.searchsorted(members.ts, study.curve.ts)
    return judge(members.returns[rows, members.own], "1d").sharpe.value


def _mean(values: Float64) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else math.nan


def _growth(returns: Float64) -> Float64:
    return np.asarray(np.cumprod(1 + returns) - 1)


def _plot(found: dict[str, Study], members: Family) -> Plot:
    """Growth over the judged days: tuned both ways, the run as it is, and the average member."""
    ts = found["rolling"].curve.ts
    rows = np.searchsorted(members.ts, ts)
    lines = {f"tuned, {name}": study.curve.returns for name, study in found.items()}
    lines |= {"as it is": members.returns[rows, members.own], "average set": members.returns[rows].mean(axis=1)}
    shown = np.unique(np.linspace(0, len(ts) - 1, min(len(ts), _POINTS)).astype(np.int64))
    x = tuple(((ts[shown] - ts[0]) / DAY_MS).round(1).tolist())
    return Plot("days judged", x, tuple(Series(name, _at(y, shown)) for name, y in lines.items()))


def _at(returns: Float64, shown: Sequence[int] | np.ndarray) -> tuple[float, ...]:
    return tuple(_growth(returns)[shown].round(5).tolist())
