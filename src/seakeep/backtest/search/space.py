"""The space of a search: ordered values by parameter, the points in it, and in which order they are tried.

A point is a row of ordinals, the index of each value. A grid is walked in order, a random search draws without
replacement, and the samplers of Optuna are asked one by one; each gives the same points for the same seed, so that a
search that was cut off is taken up by walking again over what is known.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Literal

import numpy as np

from seakeep.backtest.notation import duration
from seakeep.backtest.search.walkforward import Param, Params
from seakeep.core.errors import ConfigError

if TYPE_CHECKING:
    import optuna

__all__ = ["MAX_CANDIDATES", "METHODS", "Estimated", "Method", "Point", "Space", "ask", "propose"]

Method = Literal["grid", "random", "tpe", "nsga2"]
METHODS: tuple[Method, ...] = ("grid", "random", "tpe", "nsga2")
"""All combinations; a sample of them; a Bayesian search (tree of Parzen estimators [1]_); a genetic search of the front
of several objectives (NSGA-II [2]_).

.. [1] Bergstra, Bardenet, Bengio and Kegl, "Algorithms for hyper-parameter optimization", NeurIPS 24 (2011).
.. [2] Deb, Pratap, Agarwal and Meyarivan, "A fast and elitist multiobjective genetic algorithm", IEEE TEC 6 (2002).
"""
MAX_CANDIDATES = 50_000
"""More of them are refused: the best of so many is luck before it is anything else."""

Point = tuple[int, ...]
Told = Callable[[Point], Sequence[float] | None]
"""What a point is worth, larger is better, one number for each objective; None where it cannot be said."""

_BEGIN = 20
"""Points a Bayesian search draws before it learns."""
_GENERATION = 40
"""Points of a generation of the genetic search."""
_CORNERS = 4
_LONGEST_AXIS = 10_000


@dataclass(frozen=True)
class Space:
    """Values (m,) of each parameter, in the order given; numbers ascend.

    >>> space = Space.of({"fast": (20, 10), "slow": (50,)})
    >>> space.size, space.params((1, 0))
    (2, {'fast': 20, 'slow': 50})
    """

    names: tuple[str, ...]
    values: tuple[tuple[Param, ...], ...]

    @classmethod
    def of(cls, given: Mapping[str, Sequence[Param]]) -> "Space":
        """A space of these values. Raises: ConfigError if it is empty, too long, or a value is there twice."""
        if not given:
            raise ConfigError("the space is empty", remedy="write --space fast=10:100:5 slow=50:400:10")
        for name, values in given.items():
            if not values or len(set(values)) < len(values) or len(values) > _LONGEST_AXIS:
                remedy = f"write fast=10:100:5 or fast=10,20,40, at most {_LONGEST_AXIS:,} values"
                raise ConfigError(f"{name} needs values, each once", value=list(values[:10]), remedy=remedy)
        return cls(tuple(given), tuple(_ordered(values) for values in given.values()))

    @property
    def size(self) -> int:
        """How many points there are."""
        return math.prod(self.shape)

    @property
    def shape(self) -> tuple[int, ...]:
        """How many values each parameter has."""
        return tuple(len(values) for values in self.values)

    def params(self, point: Sequence[int]) -> Params:
        """The values of a point by name."""
        return {name: values[i] for name, values, i in zip(self.names, self.values, point, strict=True)}

    def corners(self) -> Iterator[Point]:
        """Points in which parameters are at an end; in many dimensions one parameter at a time."""
        ends = [tuple(dict.fromkeys((0, m - 1))) for m in self.shape]
        if len(ends) <= _CORNERS:
            yield from product(*ends)
            return
        yield tuple(0 for _ in ends)
        yield from (tuple(m - 1 if i == j else 0 for i, m in enumerate(self.shape)) for j in range(len(ends)))


def _ordered(values: Sequence[Param]) -> tuple[Param, ...]:
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
    return tuple(sorted(values)) if numbers else tuple(values)


@dataclass(frozen=True)
class Estimated:
    """What a search of so many candidates would take, from one that was measured: seconds and bytes of each."""

    seconds: float
    bytes: int

    def refuse(self, space: Space, count: int, cap_bytes: int) -> None:
        """Raises: ConfigError if there are too many candidates, or they need more memory than the cap."""
        if count <= MAX_CANDIDATES and count * self.bytes <= cap_bytes:
            return
        sizes = " x ".join(str(m) for m in space.shape)
        took, held = duration(1e3 * count * self.seconds), count * self.bytes / 2**30
        what = f"{count:,} candidates of a space of {sizes} would take about {took} and {held:,.1f} GiB"
        remedy = (
            f"at most {MAX_CANDIDATES:,} within --memory {cap_bytes >> 20}: wider steps, or --method tpe --trials 500"
        )
        raise ConfigError(what, remedy=remedy)


def propose(space: Space, method: Method, trials: int, seed: int) -> Iterator[Point]:
    """The points of a grid (in order, at most `trials` if that is not 0) or of a random search (each once)."""
    if method == "grid":
        points = product(*map(range, space.shape))
        yield from (point for point, _ in zip(points, range(trials), strict=False)) if trials else points
        return
    draw, drawn = np.random.default_rng(seed), set[Point]()
    wanted = min(trials, space.size)
    if space.size <= 1 << 20:
        for flat in draw.permutation(space.size)[:wanted]:
            yield tuple(int(i) for i in np.unravel_index(flat, space.shape))
        return
    while len(drawn) < wanted:
        point = tuple(int(draw.integers(m)) for m in space.shape)
        if point not in drawn:
            drawn.add(point)
            yield point


def ask(space: Space, method: Method, trials: int, seed: int, tell: Told, objectives: int) -> Iterator[list[Point]]:
    """The points that a sampler of Optuna asks for, as many at once as it asks without hearing of the others: those
    that begin, then one by one, or a generation. A point may come again; all are told before the next are asked.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(directions=["maximize"] * objectives, sampler=_sampler(method, seed))
    shapes = dict(zip(space.names, space.shape, strict=True))
    spread: dict[str, optuna.distributions.BaseDistribution] = {
        name: optuna.distributions.IntDistribution(0, m - 1) for name, m in shapes.items()
    }
    asked = 0
    while asked < trials:
        step = _GENERATION if method == "nsga2" else _BEGIN if not asked else 1
        batch = [study.ask(spread) for _ in range(min(step, trials - asked))]
        points = [tuple(int(trial.params[name]) for name in space.names) for trial in batch]
        yield points
        asked += len(batch)
        for trial, point in zip(batch, points, strict=True):
            worth = tell(point)
            if worth is None or not np.isfinite(worth).all():
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
            else:
                study.tell(trial, list(worth))


def _sampler(method: Method, seed: int) -> "optuna.samplers.BaseSampler":
    from optuna.samplers import NSGAIISampler, TPESampler

    if method == "nsga2":
        return NSGAIISampler(population_size=_GENERATION, seed=seed % 2**32)
    return TPESampler(seed=seed % 2**32, n_startup_trials=_BEGIN)
