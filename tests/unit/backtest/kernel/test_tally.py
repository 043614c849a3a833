"""The equity curve carried in columns against the same curve marked row by row."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from seakeep.backtest.kernel.books import ACCOUNT, LANES
from seakeep.backtest.kernel.tally import SUMS, WIDTH, gather, hold, mark


def account(cash: float) -> np.ndarray:
    started = np.zeros(1, ACCOUNT)
    started["cash"] = cash
    return started


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), rows=st.integers(0, 300), cash=st.floats(0.0, 1e4), sigma=st.floats(1e-4, 0.2))
def test_rows_carried_together_are_rows_marked_one_by_one(seed: int, rows: int, cash: float, sigma: float) -> None:
    close = 100 * np.exp(np.cumsum(sigma * np.random.default_rng(seed).standard_normal(rows + 1)))
    carried, marked, sums = account(cash), account(cash), np.zeros((SUMS, WIDTH))
    for started in (carried, marked):
        mark(started[0], cash + 3.0 * close[0])
    hold(carried[0], close[1:], 3.0, sums)
    gather(carried[0], sums)
    for price in close[1:]:
        mark(marked[0], cash + 3.0 * price)
    assert carried["exposed"][0] == rows
    for name in (*(lane for lane in LANES if lane != "exposed"), "previous", "peak", "floor"):
        exact = name in ("rows", "max_drawdown", "lowest", "previous", "peak", "floor")
        np.testing.assert_allclose(carried[name], marked[name], rtol=0 if exact else 1e-12, atol=0 if exact else 1e-12)
