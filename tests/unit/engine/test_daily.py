"""The daily returns that the tail rests on, kept in a buffer."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from seakeep.engine.daily import DailyReturns


@given(st.integers(1, 3), st.integers(1, 7), st.integers(0, 40))
def test_the_table_is_the_last_days_of_all_that_were_pushed(markets: int, days: int, pushed: int) -> None:
    every = np.random.default_rng(pushed).normal(size=(pushed, markets))
    kept = DailyReturns(markets, days)
    for row in every:
        kept.push(row.tolist())
    assert len(kept) == min(pushed, days)
    assert np.array_equal(kept.table(), every[-days:])


def test_a_table_that_was_read_stays_as_it_was() -> None:
    kept = DailyReturns(1, 2)
    kept.push([0.1])
    kept.push([np.nan])
    table = kept.table()
    for made in (0.3, 0.4, 0.5):
        kept.push([made])
    assert np.array_equal(table, [[0.1], [np.nan]], equal_nan=True)
    assert table.flags.f_contiguous
