"""Markets that are slightly other than they were are still markets."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seakeep.backtest.integrity.disturbance import Dropped, Noise, reshaped
from tests.unit.backtest.planted import frame

BARS = frame(100 * np.exp(np.cumsum(np.random.default_rng(1).normal(0, 0.01, 2000))))


@given(st.floats(0, 0.4), st.integers(0, 1000))
def test_noise_leaves_valid_bars_within_its_size(size: float, seed: int) -> None:
    (noisy,) = Noise(size, seed)((BARS,))
    assert (noisy.low <= np.minimum(noisy.open, noisy.close)).all()
    assert (noisy.high >= np.maximum(noisy.open, noisy.close)).all()
    assert (noisy.low > 0).all()
    for name in ("open", "close", "high", "low"):
        assert (np.abs(getattr(noisy, name) / getattr(BARS, name) - 1) <= size + 0.001 + 1e-12).all() or size > 0.001
    assert (np.abs(noisy.close / BARS.close - 1) <= size + 1e-12).all()
    assert (noisy.volume == BARS.volume).all()


def test_noise_is_even_and_belongs_to_seed_and_symbol() -> None:
    one, again, other = (Noise(0.001, seed)((BARS,))[0].close for seed in (3, 3, 4))
    assert (one == again).all()
    assert (one != other).any()
    change = one / BARS.close - 1
    assert change.std() == pytest.approx(0.001 / np.sqrt(3), rel=0.05)
    beside = Noise(0.001, 3)((frame(BARS.close, "ETH/USDT"), BARS))[1].close
    assert (beside == one).all()


def test_as_many_bars_are_dropped_as_asked_never_the_first_or_last() -> None:
    (left,) = Dropped(0.05, 7)((BARS,))
    assert len(BARS) - len(left) == pytest.approx(100, abs=4 * np.sqrt(95))
    assert (left.ts[0], left.ts[-1]) == (BARS.ts[0], BARS.ts[-1])
    assert (left.close == BARS.close[np.searchsorted(BARS.ts, left.ts)]).all()
    assert len(Dropped(0.0, 7)((BARS,))[0]) == len(BARS)


def test_what_is_out_of_range_is_refused() -> None:
    for wrong in (-0.1, 1.0, float("nan")):
        with pytest.raises(ValueError, match="must be in"):
            Noise(wrong, 1)
        with pytest.raises(ValueError, match="must be in"):
            Dropped(wrong, 1)
    with pytest.raises(ValueError, match="no column"):
        reshaped(BARS, {"opne": BARS.open})
