"""Plateau over peak: a set of parameters is worth what its neighbours are worth.

Whoever picks the highest point of a surface of estimates picks its noise as well. A point whose neighbours do as well
is where the surface is high; a point that stands alone is where the noise is.
"""

from collections.abc import Callable, Sequence
from itertools import product
from typing import Literal

import msgspec
import numpy as np

from seakeep.backtest.search.objectives import Objective, Periods, scores
from seakeep.backtest.search.space import Point, Space
from seakeep.core.errors import DataError
from seakeep.core.market import Float64, Int64

__all__ = ["RULES", "Pick", "Rule", "box", "choose", "neighbourhoods", "nested", "reach", "robust", "surroundings"]

Rule = Literal["worst", "mean", "peak"]
RULES: tuple[Rule, ...] = ("worst", "mean", "peak")
"""What a neighbourhood is worth: its worst member, their mean; or the point alone, which is what not to do."""

_LATTICE = 3
"""In more dimensions than this only one parameter is moved at a time when a neighbourhood is filled up."""


def reach(space: Space, axis: int, ordinal: int, within: float) -> tuple[int, int]:
    """First and last ordinal whose value lies within that share of this one; at least one step to each side.

    >>> reach(Space.of({"fast": (10, 20, 45, 50, 55, 90)}), 0, 3, 0.2)
    (2, 4)
    """
    values = space.values[axis]
    if not all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
        return ordinal, ordinal
    numbers = np.array(values, np.float64)
    room = within * abs(numbers[ordinal]) * (1 + 1e-12)
    low = int(np.searchsorted(numbers, numbers[ordinal] - room, "left"))
    high = int(np.searchsorted(numbers, numbers[ordinal] + room, "right")) - 1
    return max(0, min(low, ordinal - 1)), min(len(values) - 1, max(high, ordinal + 1))


def box(space: Space, point: Point, within: float) -> list[tuple[int, int]]:
    """The reach of a point along each parameter."""
    return [reach(space, axis, ordinal, within) for axis, ordinal in enumerate(point)]


def neighbourhoods(space: Space, points: Int64, within: float) -> list[Int64]:
    """Rows of the points (k, p) inside the reach of each, itself included; words and switches must be equal.

    None at all where the surroundings of a point were not tried: what is not known around it cannot hold it up.
    """
    known, found = set(map(tuple, points.tolist())), []
    reaches = [
        {i: reach(space, axis, i, within) for i in set(points[:, axis].tolist())} for axis in range(points.shape[1])
    ]
    for row in points.tolist():
        point, ends = tuple(row), [axis[i] for axis, i in zip(reaches, row, strict=True)]
        low, high = np.array(ends).T
        rows = np.flatnonzero(((points >= low) & (points <= high)).all(axis=1))
        found.append(rows if known.issuperset(_filled(point, ends)) else rows[:0])
    return found


def surroundings(space: Space, point: Point, within: float) -> list[Point]:
    """The ends of the reach of a point and the points between them and it, itself included, that fill it up."""
    return _filled(point, box(space, point, within))


def _filled(point: Point, reaches: Sequence[tuple[int, int]]) -> list[Point]:
    ends = [tuple(dict.fromkeys((low, i, high))) for i, (low, high) in zip(point, reaches, strict=True)]
    if len(ends) <= _LATTICE:
        return list(product(*ends))
    single = [(*point[:j], i, *point[j + 1 :]) for j, axis in enumerate(ends) for i in axis]
    return list(dict.fromkeys([point, *single]))


def robust(values: Float64, around: Sequence[Int64], rule: Rule) -> Float64:
    """What each neighbourhood is worth (k,); NaN where it is not known.

    >>> robust(np.array([1.0, 9.0, 1.0]), [np.array([0, 1]), np.array([0, 1, 2]), np.array([1, 2])], "worst").tolist()
    [1.0, 1.0, 1.0]
    """
    if rule == "peak":
        return values
    fold: Callable[[Float64], float] = np.min if rule == "worst" else np.mean
    return np.array([float(fold(values[rows])) if len(rows) else np.nan for rows in around])


class Pick(msgspec.Struct, frozen=True):
    """Rows of the choice and of the highest value, and whether the choice rests on its neighbours."""

    chosen: int
    peak: int
    rests: bool


def choose(values: Float64, worth: Float64) -> Pick:
    """The point with the best neighbourhood; of equals the one that is best itself.

    Where no neighbourhood is known the highest point is taken, and said not to rest on anything.
    Raises: DataError if no point has a value.
    """
    if not np.isfinite(values).any():
        raise DataError("no candidate traded", remedy="widen the space, or lower strategy.long")
    peak = int(np.nanargmax(values))
    if not np.isfinite(worth).any():
        return Pick(peak, peak, rests=False)
    best = np.flatnonzero(worth == np.nanmax(worth))
    return Pick(int(best[np.nanargmax(np.where(np.isfinite(values[best]), values[best], -np.inf))]), peak, rests=True)


def nested(
    days: Float64, tests: Periods, around: Sequence[Int64], objective: Objective, rule: Rule
) -> tuple[Float64, Int64]:
    """Daily returns of the tests (q,), each of the candidate (column of `days` (d, k)) chosen on the training before.

    Also the columns that were chosen (f,); -1 and cash where none traded. Nothing is chosen with what came after it.
    """
    inside = scores(days, tests.train, objective, tests.periods)
    moved = np.array([(days[rows] != 0).any(axis=0) for rows in tests.train])
    worth = [np.where(there, robust(row, around, rule), np.nan) for row, there in zip(inside, moved, strict=True)]
    own = np.where(moved, inside, np.nan)
    chosen = np.array([choose(a, b).chosen if np.isfinite(a).any() else -1 for a, b in zip(own, worth, strict=True)])
    held = [
        days[rows, j] if j >= 0 else np.zeros(len(tests.ts[rows])) for rows, j in zip(tests.test, chosen, strict=True)
    ]
    return np.concatenate(held), chosen
