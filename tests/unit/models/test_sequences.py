"""Windows do not cross symbols or holes, parts do not share labels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seakeep.core.errors import NotEnoughHistory
from seakeep.models.sequences import split_in_time, window_ends


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


def test_rows_beyond_the_most_are_thinned_over_all_of_the_time() -> None:
    parts = split_in_time(np.arange(5_000), np.arange(5_000), 1, 0.3, 1_000)
    assert (parts.learn.min(), parts.judge.max()) == (0, 4_999)
    assert 990 < len(parts.learn) + len(parts.stop) + len(parts.judge) <= 1_000


@pytest.mark.parametrize("n", [0, 1, 10, 150])
def test_too_few_rows_are_refused(n: int) -> None:
    with pytest.raises(NotEnoughHistory, match="a network needs 50 windows"):
        split_in_time(np.arange(n), np.arange(n), 5, 0.3, 1_000)
