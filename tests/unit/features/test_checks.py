"""The laws catch the functions that break them."""

import numpy as np
import pytest

from seakeep.core.errors import ConfigError
from seakeep.core.market import Float64
from seakeep.features import INDICATORS, checks, indicator

X = np.random.default_rng(1).normal(size=300).cumsum()


def test_a_glance_ahead_breaks_the_prefix_law() -> None:
    def centred(start: int, stop: int) -> Float64:
        return np.convolve(X[start:stop], np.ones(3) / 3, "same") if stop > start else np.empty(0)

    assert checks.prefix_law("centred", centred, 300, [100])[0].row == 99
    assert checks.prefix_law("sum", lambda a, b: np.cumsum(X[a:b]), 300, [1, 100, 299]) == []


def test_a_longer_memory_than_stated_breaks_the_lookback_law() -> None:
    def total(start: int, stop: int) -> Float64:
        return np.cumsum(X[start:stop])

    broken = checks.lookback_law("sum", total, 300, 50, [50, 300])
    assert [(v.law, v.row) for v in broken] == [("lookback", 299)]
    assert broken[0].expected == pytest.approx(X.sum())
    assert checks.lookback_law("sum", total, 300, 50, [50, 300], differences=True) == []


def test_lost_rows_and_late_holes_break_the_shape_law() -> None:
    def holed(start: int, stop: int) -> Float64:
        return np.where(np.arange(start, stop) == 200, np.nan, X[start:stop])

    assert [v.row for v in checks.shape_law("holed", holed, 300, 5)] == [200]
    assert checks.shape_law("diff", lambda a, b: np.diff(X[a:b]), 300, 5)[0].expected == 1
    assert checks.shape_law("two columns", lambda a, b: np.ones((b - a, 2)), 300, 0) == []


def test_a_second_draw_from_one_generator_breaks_the_seed_law() -> None:
    shared = np.random.default_rng(1)
    assert checks.seed_law("shared", lambda _: shared.normal(size=3), 1)[0].row == 0
    assert checks.seed_law("own", lambda seed: np.random.default_rng(seed).normal(size=3), 1) == []


def test_a_stranger_registers_an_indicator_as_the_built_ins_do() -> None:
    with pytest.raises(ValueError, match="already registered"):

        @indicator("rsi", lookback=lambda: 1)
        def other(close: Float64) -> Float64:
            return close

    with pytest.raises(ValueError, match="needs a number as default"):

        @indicator("unsure", lookback=lambda length: length)
        def unsure(close: Float64, length: int) -> Float64:
            return close

    with pytest.raises(ConfigError, match="did you mean bb_upper"):
        INDICATORS["bb_uper"]


def test_at_least_sixty_indicators_are_listed_in_five_families() -> None:
    parts = [INDICATORS[name] for name in INDICATORS]
    assert len(parts) >= 60
    assert {part.family for part in parts} == {"trend", "momentum", "volatility", "volume", "microstructure"}
    assert all(part.summary for part in parts)
