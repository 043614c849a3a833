"""Entries and exits become stances: by hand, by law, and as the runs they make."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seakeep.backtest.kernel.signals import stances
from seakeep.backtest.kernel.simulator import KernelParams, simulate
from seakeep.core.market import BarFrame, Instrument

ROW = st.tuples(*[st.booleans()] * 4)


def test_a_position_stays_until_its_exit_and_turns_over_at_the_other_entry() -> None:
    held = stances([1, 0, 0, 0, 1, 0], [0, 0, 1, 0, 0, 0], [0, 0, 0, 0, 0, 1], [0] * 6)
    assert held.tolist() == [1, 1, 0, 0, 1, -1]


def test_an_entry_that_meets_its_exit_or_the_other_entry_is_none() -> None:
    assert stances([1, 1], [1, 0], [0, 1], [0, 0]).tolist() == [0, 0]
    assert stances([1, 1], [0, 1]).tolist() == [1, 0]


@given(st.lists(ROW, min_size=1, max_size=30))
def test_both_sides_exchanged_are_the_other_stance(rows: list[tuple[bool, ...]]) -> None:
    entries, exits, short_entries, short_exits = np.array(rows).T
    held = stances(entries, exits, short_entries, short_exits)
    assert (held == -stances(short_entries, short_exits, entries, exits)).all()
    assert (held[1:][~np.array(rows).any(axis=1)[1:]] == held[:-1][~np.array(rows).any(axis=1)[1:]]).all()


def test_columns_are_symbols_and_do_not_touch_each_other() -> None:
    entries, exits = np.random.default_rng(1).random((2, 50, 3)) < 0.2
    together = stances(entries, exits)
    for j in range(3):
        np.testing.assert_array_equal(together[:, j], stances(entries[:, j], exits[:, j]))


def test_the_kernel_trades_them() -> None:
    frame = BarFrame.from_rows("BTC/USDT", "1h", [(i * 3_600_000, 100, 101, 99, 100, 1e6) for i in range(9)])
    params = KernelParams(instruments={"BTC/USDT": Instrument(symbol="BTC/USDT", base="BTC", quote="USDT")})
    held = stances([0, 1, 0, 0, 0, 1, 0, 0, 0], [0, 0, 0, 1, 0, 0, 0, 1, 0])
    run = simulate([frame], held, params, details=True)
    assert [fill.side.value for fill in run.trades(params)] == ["BUY", "SELL", "BUY", "SELL"]
    assert run.metrics["equity"] < float(Decimal(10_000))


@pytest.mark.parametrize(
    ("entries", "exits"), [([1, 0], [1]), ([np.nan, 1], [0, 0]), ([2, 0], [0, 0]), (1, 0), ([[[1]]], [[[0]]])]
)
def test_what_is_no_signal_is_refused(entries: object, exits: object) -> None:
    with pytest.raises(ValueError, match="signals must"):
        stances(entries, exits)  # type: ignore[arg-type]
