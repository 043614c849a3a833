"""Windows do not cross symbols or holes, parts do not share labels, and noise proves nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seakeep.core.errors import NotEnoughHistory
from seakeep.models.sequences import proven, split_in_time, window_ends


@given(st.lists(st.integers(5, 40), min_size=1, max_size=4), st.integers(2, 8), st.integers(0, 10**6))
def test_a_window_is_of_one_symbol_without_a_hole_or_a_nan(lengths: list[int], window: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    ts = np.concatenate([np.flatnonzero(rng.random(n) < 0.9) * 10 for n in lengths])
    symbol = np.cumsum(np.append(0, np.diff(ts) <= 0))[: len(ts)]
    x = np.where(rng.random((len(ts), 2)) < 0.03, np.nan, 1.0)
    found = set(window_ends(ts, x, window, 10).tolist())
    for end in range(window - 1, len(ts)):
        part = slice(end - window + 1, end + 1)
        whole = symbol[end] == symbol[end - window + 1] and np.all(np.diff(ts[part]) == 10)
        assert (end in found) == bool(whole and np.isfinite(x[part]).all())


@given(st.integers(1, 30), st.floats(0.2, 0.6))
def test_no_label_reaches_from_one_part_into_the_next(horizon: int, tail: float) -> None:
    ts = np.tile(np.arange(700) * 5, 2)
    parts = split_in_time(ts, np.arange(10, 1400), horizon, tail, 10_000)
    assert ts[parts.learn].max() + 5 * horizon <= ts[parts.stop].min()
    assert ts[parts.stop].max() + 5 * horizon <= ts[parts.judge].min()
    assert ts[parts.judge].max() == ts.max()


def test_only_the_newest_rows_are_used() -> None:
    parts = split_in_time(np.arange(5_000), np.arange(5_000), 1, 0.3, 1_000)
    assert parts.learn.min() == 4_000


@pytest.mark.parametrize("n", [0, 1, 10, 150])
def test_too_few_rows_are_refused(n: int) -> None:
    with pytest.raises(NotEnoughHistory, match="a network needs 50 windows"):
        split_in_time(np.arange(n), np.arange(n), 5, 0.3, 1_000)


def test_noise_proves_nothing_on_average_as_the_normal_law_says() -> None:
    rng = np.random.default_rng(1)
    found = [proven(*rng.standard_normal((2, 600)), np.arange(600), 5) for _ in range(500)]
    # E max(0, 1 - 1 / t^2) over t > 0 is 2 Phi(-1) - phi(1) = 0.0753 for normal t; errors of the mean are 0.008.
    assert np.mean(found) == pytest.approx(0.0753, abs=0.025)
    assert np.mean(np.array(found) == 0) > 0.78


def test_symbols_that_move_together_do_not_count_twice() -> None:
    rng = np.random.default_rng(2)
    mean, ts = rng.standard_normal(400), np.arange(400)
    y = 0.2 * mean + rng.standard_normal(400)
    once = proven(mean, y, ts, 4)
    assert 0.5 < once < 1
    assert proven(np.tile(mean, 9), np.tile(y, 9), np.tile(ts, 9), 4) == pytest.approx(once, rel=1e-12)


def test_a_direction_that_is_wrong_or_has_no_record_is_silent() -> None:
    mean, ts = np.random.default_rng(3).standard_normal(300), np.arange(300)
    assert proven(mean, mean, ts, 1) == pytest.approx(1.0)
    assert proven(mean, -mean, ts, 1) == 0.0
    assert proven(mean, mean, ts, 100) == 0.0
    assert proven(0 * mean, mean, ts, 1) == 0.0
    assert proven(mean[:0], mean[:0], ts[:0], 1) == 0.0
