"""Sizes against closed forms."""

import math

import pytest

from seakeep.risk.sizing import Sizing, binary_kelly, full_weight, kelly_weight


def test_binary_kelly_is_the_published_formula() -> None:
    # Kelly (1956) with even odds: f = p - q; Thorp (1969) for a 53 % coin: 0.06.
    assert binary_kelly(0.53, 1.0) == pytest.approx(0.06)
    assert binary_kelly(0.40, 1.0) == 0.0


def test_continuous_kelly_is_drift_over_variance() -> None:
    # Thorp (2006): drift 6 %, deviation 40 % -> 0.06 / 0.16 = 0.375 of wealth; the mean log return is 0.06 - 0.08.
    sizing = Sizing(kelly_fraction=1.0, max_kelly=1.0)
    assert kelly_weight(0.06 - 0.5 * 0.16, 0.40, sizing) == pytest.approx(0.375)


def test_a_volatility_target_halves_the_weight_when_volatility_doubles() -> None:
    sizing = Sizing(method="volatility", target_volatility=0.1)
    calm, wild = (full_weight(0.0, std, 365.0, sizing) for std in (0.02, 0.04))
    assert calm == pytest.approx(0.1 / (0.02 * math.sqrt(365)))
    assert wild == pytest.approx(calm / 2)


@pytest.mark.parametrize("method", ["volatility", "kelly"])
def test_what_is_not_known_is_not_sized(method: str) -> None:
    assert full_weight(math.nan, math.nan, 365.0, Sizing.model_validate({"method": method})) == 0.0
