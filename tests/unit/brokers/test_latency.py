"""Delays depend on seed and order alone."""

import pytest
from pydantic import ValidationError

from seakeep.brokers.latency import LatencyParams, delay_ms


def test_drawn_delays_fill_the_range_and_repeat() -> None:
    drawn = [delay_ms(LatencyParams(), 7, f"o{i}") for i in range(5000)]
    assert (min(drawn), max(drawn)) == (100, 500)
    assert abs(sum(drawn) / 5000 - 300) < 4 * 115.8 / 5000**0.5  # deviation of a uniform of 401 values is 115.8
    assert drawn[::-1] == [delay_ms(LatencyParams(), 7, f"o{i}") for i in reversed(range(5000))]
    assert drawn != [delay_ms(LatencyParams(), 8, f"o{i}") for i in range(5000)]


def test_a_fixed_delay_is_the_low_one_and_a_reversed_range_is_refused() -> None:
    assert delay_ms(LatencyParams(model="fixed", low_ms=250), 1, "x") == 250
    with pytest.raises(ValidationError, match="must not be below"):
        LatencyParams(low_ms=600)
