"""Skill is found where it is, and believed no further than the evidence goes."""

import numpy as np
import pytest
from scipy.stats import kstest, spearmanr

from seakeep.core.market import Float64
from seakeep.models.folding import Folds, purged_folds
from seakeep.models.skill import belief, measure


def one_fold(n: int) -> Folds:
    return ((np.empty(0, np.int64), np.arange(n)),)


def overlapping(rng: np.random.Generator, n: int, horizon: int) -> Float64:
    steps = rng.standard_normal(n + horizon)
    total = np.append(0.0, np.cumsum(steps))
    return total[horizon : n + horizon] - total[:n]


def test_the_coefficient_is_spearmans() -> None:
    rng = np.random.default_rng(1)
    f = rng.integers(0, 9, 500).astype(float)
    u = f + rng.normal(0, 5, 500)
    assert measure(f, u, np.arange(500), one_fold(500), 1).ic == pytest.approx(spearmanr(f, u).statistic, rel=1e-12)


def test_beliefs_are_those_of_the_paper() -> None:
    # Sellke, Bayarri and Berger (2001), table 1: odds for nothing at p = 0.1, 0.05, 0.01, 0.001 at least these.
    odds = {0.1: 0.6259, 0.05: 0.4072, 0.01: 0.1252, 0.001: 0.0188}
    for p, bound in odds.items():
        assert belief(p) == pytest.approx((1 - bound) / (1 + bound), abs=1e-4)
    assert (belief(1.0), belief(0.37), belief(0.0)) == (0.0, 0.0, 1.0)


def test_p_values_are_uniform_where_persistent_forecasts_meet_overlapping_noise() -> None:
    rng, n, horizon, found = np.random.default_rng(2), 1_200, 8, []
    for _ in range(300):
        f = np.convolve(rng.standard_normal(n + 19), np.ones(20), "valid")
        found.append(measure(f, overlapping(rng, n, horizon), np.arange(n), one_fold(n), horizon).p_value)
    assert kstest(found, "uniform").pvalue > 0.01


def test_symbols_that_move_together_are_not_more_evidence() -> None:
    rng, n = np.random.default_rng(3), 400
    f, ts = rng.standard_normal(n), np.arange(n)
    u = 0.1 * f + rng.standard_normal(n)
    alone = measure(f, u, ts, purged_folds(ts, 1), 1)
    tenfold = np.tile(ts, 10)
    together = measure(np.tile(f, 10), np.tile(u, 10), tenfold, purged_folds(tenfold, 1), 1)
    assert together.p_value == pytest.approx(alone.p_value, rel=1e-6)
    assert (together.blocks, together.n) == (alone.blocks, 10 * alone.n)


def test_the_level_of_a_fold_is_not_skill() -> None:
    n = 400
    ts, u = np.arange(n), np.repeat([-1.0, 1.0], n // 2) + np.random.default_rng(4).normal(0, 0.1, n)
    folds = ((np.empty(0, np.int64), ts[:200]), (np.empty(0, np.int64), ts[200:]))
    assert measure(np.repeat([-1.0, 1.0], n // 2), u, ts, folds, 1).confidence == 0.0


def test_what_does_not_vary_or_is_too_short_has_no_skill() -> None:
    ts = np.arange(10)
    for f, u in ((np.ones(10), ts * 1.0), (ts * 1.0, np.full(10, np.nan)), (ts * 1.0, ts * 1.0)):
        found = measure(f, u, ts, one_fold(10), 1)
        assert (found.p_value, found.confidence) == (1.0, 0.0)
    with pytest.raises(ValueError, match="horizon"):
        measure(ts * 1.0, ts * 1.0, ts, one_fold(10), 0)
