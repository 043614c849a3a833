"""An entry has to be worth its cost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seakeep.strategy.allocation import RegimeLimits
from seakeep.strategy.costgate import CostGate, expected_edge, worth

numbers = st.floats(-0.5, 0.5)


@given(st.lists(st.tuples(st.floats(0.01, 1), numbers), min_size=1, max_size=5))
def test_the_edge_of_one_side_is_the_loss_of_the_other_and_lies_among_the_voices(
    said: list[tuple[float, float]],
) -> None:
    long, short = expected_edge(said, 1), expected_edge(said, -1)
    assert long is not None
    assert short == -long
    means = [mean for _, mean in said]
    assert min(means) - 1e-9 <= long <= max(means) + 1e-9


@given(numbers, st.floats(0, 0.5), st.floats(0, 0.5), st.floats(0.1, 10))
def test_a_dearer_trade_is_never_more_worth_it(edge: float, cost: float, more: float, multiple: float) -> None:
    gate = CostGate(multiple=multiple)
    assert worth(edge, cost, gate) or not worth(edge, cost + more, gate)


def test_what_is_not_known_passes_only_where_it_need_not_be_known() -> None:
    assert expected_edge([], 1) is None
    assert [worth(None, 0.001, CostGate(mode=mode)) for mode in ("off", "known", "required")] == [True, True, False]
    assert not worth(0.5, None, CostGate())
    assert not worth(float("nan"), 0.001, CostGate())
    assert not worth(0.001, 0.001, CostGate())


def test_a_regime_can_only_take_from_the_largest_position() -> None:
    limits = RegimeLimits()
    assert limits.share("bull") == 1.0
    assert all(limits.share(label) < 1.0 for label in ("bear", "ranging", "volatile", "unknown", "never heard of"))
    with pytest.raises(ValueError, match="less than or equal to 1"):
        RegimeLimits(bull=1.2)
