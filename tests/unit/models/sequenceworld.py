"""Pooled feature rows with a planted sequence: what follows is told by the return three rows ago."""

import numpy as np

from seakeep.core.beliefs import FeatureFrame
from seakeep.core.market import Float64
from seakeep.models.neural import LstmExpert

BAR_MS = 300_000
TINY = {"horizon": 1, "window": 6, "units": 8, "epochs": 40, "rate": 1e-2, "patience": 6, "batch": 128}


def rows(n: int, seed: int, signal: float = 0.0) -> tuple[FeatureFrame, Float64, Float64]:
    """Frame (n, 6), outcomes of deviation 1 %, and the part of them that is no noise."""
    rng = np.random.default_rng(seed)
    ret = 0.01 * rng.standard_normal(n)
    others = [np.full(n, 0.01) * np.exp(0.1 * rng.standard_normal(n)), np.full(n, 0.01)]
    others += [rng.uniform(0, 1, n), rng.uniform(-1, 1, n), rng.standard_normal(n)]
    truth = np.zeros(n)
    truth[3:] = signal * ret[:-3]
    y = truth + 0.01 * rng.standard_normal(n)
    return FeatureFrame("A/B", np.arange(n) * BAR_MS, LstmExpert().features, np.column_stack([ret, *others])), y, truth


def pooled(n: int, seed: int, signal: float = 0.0) -> tuple[FeatureFrame, Float64]:
    """Two symbols of n rows at the same times, one after the other."""
    (one, y, _), (two, z, _) = rows(n, seed, signal), rows(n, seed + 1, signal)
    ts, values = np.concatenate([one.ts, two.ts]), np.vstack([one.values, two.values])
    return FeatureFrame("*", ts, one.names, values), np.concatenate([y, z])
