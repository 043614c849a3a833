"""A finished search as one object: what candidates and their neighbourhoods are worth, and which one is chosen."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from seakeep.backtest.search.objectives import Objective, Periods, front, scores
from seakeep.backtest.search.plateau import Pick, Rule, choose, neighbourhoods, nested, robust
from seakeep.backtest.search.space import Point, Space
from seakeep.backtest.search.walkforward import Params
from seakeep.core.errors import DataError
from seakeep.core.market import Float64, Int64

__all__ = ["Ranked", "Standing", "Survey", "Terms", "survey"]

MAX_FAMILY = 2_000
"""Columns that the probability of overfitting is worked out over; of more, evenly many of the ranking are taken."""


_NONE = "\0"
"""A word that is no value."""


class Ranked(Protocol):
    """What is surveyed: parameters, daily returns (d,), how many fills, largest loss from a peak, turnover a year."""

    @property
    def params(self) -> Params: ...
    @property
    def returns(self) -> Float64: ...
    @property
    def fills(self) -> int: ...
    @property
    def drawdown(self) -> float: ...
    @property
    def turnover(self) -> float: ...


class Terms(Protocol):
    """How a search chooses: by which objective, by which rule, over neighbours within which share."""

    @property
    def objective(self) -> Objective: ...
    @property
    def rule(self) -> Rule: ...
    @property
    def within(self) -> float: ...
    @property
    def turnover(self) -> bool: ...


@dataclass(frozen=True, eq=False)
class Standing:
    """One candidate: parameters, objective, what its neighbourhood is worth and of how many, scores by test (f,)."""

    point: Point
    params: Params
    value: float
    worth: float
    neighbours: int
    folds: Float64
    growth: float
    drawdown: float
    turnover: float
    fills: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Survey:
    """k candidates over d days: `points` (k, p), their `values` and the `worth` of their neighbourhoods (k,).

    `front` are the rows that no other beats in growth and drawdown (and turnover) at once; `nested` (q,) the daily
    returns, at `nested_ts`, of choosing anew in each window on what came before it, `changed` how often that changed.
    `given_up` are points that were not run to the end: nothing is known of them but that they fell behind.
    """

    space: Space
    tests: Periods
    points: Int64
    values: Float64
    worth: Float64
    pick: Pick
    standings: tuple[Standing, ...]
    front: Int64
    nested: Float64
    nested_ts: Int64
    changed: int
    family: Float64
    days: Float64
    given_up: frozenset[Point] = frozenset()

    @property
    def chosen(self) -> Standing:
        """The choice."""
        return self.standings[self.pick.chosen]

    @property
    def peak(self) -> Standing:
        """The highest point."""
        return self.standings[self.pick.peak]

    @property
    def edges(self) -> tuple[str, ...]:
        """Parameters for which the choice is the first or last of several numbers: what lies beyond was not tried."""
        ends = zip(self.space.names, self.space.values, self.chosen.point, strict=True)
        return tuple(
            name
            for name, values, i in ends
            if len(values) > 1 and i in (0, len(values) - 1) and not isinstance(values[0], bool | str)
        )

    @property
    def ranking(self) -> tuple[Standing, ...]:
        """All candidates, the best neighbourhood first; those that never traded last."""
        return tuple(sorted(self.standings, key=lambda one: (-_low(one.worth), -_low(one.value))))


def _low(value: float) -> float:
    return value if np.isfinite(value) else -np.inf


def survey(
    space: Space,
    candidates: Sequence[Ranked],
    tests: Periods,
    terms: Terms,
    score: Callable[[Float64], Float64],
    given_up: Sequence[Ranked] = (),
) -> Survey:
    """Survey these candidates; one that never traded has no value, and as a neighbour it is worth 0: cash.

    Raises: DataError if there is none, or none traded.
    """
    candidates, points = _placed(space, candidates)
    if not candidates:
        raise DataError("no candidate lies in this space", remedy="ask for more --trials")
    days = np.column_stack([candidate.returns for candidate in candidates])
    traded = np.array([candidate.fills > 0 for candidate in candidates])
    values = np.where(traded, score(days), np.nan)
    around = neighbourhoods(space, points, terms.within)
    worth = np.where(traded, robust(np.where(traded, values, 0.0), around, terms.rule), np.nan)
    pick = choose(values, worth)
    growth = scores(days, tests.test, "return", tests.periods).mean(axis=0)
    folds = scores(days, tests.test, terms.objective, tests.periods)
    table = np.column_stack([growth, [-c.drawdown for c in candidates], [-c.turnover for c in candidates]])
    table[~traded] = np.nan
    stitched, chosen = nested(days, tests, around, terms.objective, terms.rule)
    standings = tuple(
        Standing(
            tuple(points[i].tolist()),
            c.params,
            float(values[i]),
            float(worth[i]),
            len(around[i]),
            folds[:, i],
            float(growth[i]),
            c.drawdown,
            c.turnover,
            c.fills,
        )
        for i, c in enumerate(candidates)
    )
    return Survey(
        space=space,
        tests=tests,
        points=points,
        values=values,
        worth=worth,
        pick=pick,
        standings=standings,
        front=front(table if terms.turnover else table[:, :2]),
        nested=stitched,
        nested_ts=np.concatenate([tests.ts[rows] for rows in tests.test]),
        changed=int((np.diff(chosen) != 0).sum()),
        family=_family(days, values, pick.chosen),
        days=days,
        given_up=frozenset(map(tuple, _placed(space, given_up)[1].tolist())),
    )


def _placed(space: Space, candidates: Sequence[Ranked]) -> tuple[list[Ranked], Int64]:
    """Candidates whose values are all of the space, and their points (k, p), in the order of the points."""
    index = [{value: i for i, value in enumerate(values)} for values in space.values]
    found = []
    for candidate in candidates:
        point = tuple(
            at.get(candidate.params.get(name, _NONE), -1) for name, at in zip(space.names, index, strict=True)
        )
        if -1 not in point:
            found.append((point, candidate))
    found.sort(key=lambda one: one[0])
    points = np.array([point for point, _ in found], np.int64).reshape(len(found), len(space.names))
    return [candidate for _, candidate in found], points


def _family(days: Float64, values: Float64, chosen: int) -> Float64:
    """The returns that overfitting is judged over: all, or evenly many of the ranking with the choice among them."""
    k = days.shape[1]
    if k <= MAX_FAMILY:
        return days
    order = np.argsort(-np.where(np.isfinite(values), values, -np.inf), kind="stable")
    taken = np.unique(np.append(order[np.linspace(0, k - 1, MAX_FAMILY).astype(np.int64)], chosen))
    return days[:, taken]
