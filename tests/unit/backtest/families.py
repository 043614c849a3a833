"""Families of a known truth: daily returns of parameter sets that were never traded."""

import numpy as np

from seakeep.backtest.integrity.family import Family
from seakeep.backtest.search.walkforward import grid_points
from seakeep.core.market import Float64
from seakeep.core.units import DAY_MS

START = 1_704_067_200_000


def of(returns: Float64, own: int = 0, held_days: float = 0.0) -> Family:
    """A family with one parameter whose values are the columns of returns (d, k)."""
    grid = {"speed": tuple(range(1, returns.shape[1] + 1))}
    ts = START + DAY_MS * np.arange(1, len(returns) + 1)
    return Family(grid, grid_points(grid), ts, returns, own, int(held_days * DAY_MS), "kernel", 1.0)


def noise(days: int, sets: int, seed: int = 1, size: float = 0.01) -> Float64:
    """Independent returns (days, sets) whose columns have exactly no mean."""
    drawn = np.random.default_rng(seed).normal(0, size, (days, sets))
    return np.asarray(drawn - drawn.mean(axis=0))


def with_best(days: int, sets: int, best: int, seed: int = 1) -> Float64:
    """Noise of which one column earns 1 % a day and the others lose as much."""
    drift = np.full(sets, -0.01)
    drift[best] = 0.01
    return noise(days, sets, seed, 0.002) + drift
