"""Spread and impact against the square-root law."""

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from seakeep.execution.costs import CostParams, CostRates, SymbolCosts, range_variance, taker_price

REFERENCE = Path(__file__).parents[3] / "../shared/reference/market_impact/square_root_law_barra.json"
positive = st.floats(1e-6, 10, allow_nan=False)


@pytest.mark.skipif(not REFERENCE.exists(), reason="shared/reference/market_impact is absent")
def test_impact_is_the_square_root_law_of_the_literature() -> None:
    case = json.loads(REFERENCE.read_text())
    for row, expected in zip(case["inputs"]["rows"], case["expected"]["impact_fraction"], strict=True):
        price = taker_price(1.0, 1, row["participation"], row["sigma_daily"], CostRates(0.0, row["Y"]))
        assert price - 1.0 == pytest.approx(expected, rel=1e-12)


def test_a_worked_example_pays_half_the_spread_and_the_impact() -> None:
    # 100 x (1 + 0.0001 + 0.15 x 0.02 x sqrt(0.04)) = 100 x 1.0007
    rates = CostParams().rates("BTC/USDT")
    assert taker_price(100.0, 1, 0.04, 0.02, rates) == pytest.approx(100.07, rel=1e-12)
    assert taker_price(100.0, -1, 0.04, 0.02, rates) == pytest.approx(99.93, rel=1e-12)


@given(st.sampled_from([1, -1]), positive, positive, positive, positive, st.floats(1, 5), st.integers(0, 3))
def test_a_worse_assumption_never_gives_a_better_price(
    side: int, share: float, sigma: float, spread: float, impact: float, factor: float, which: int
) -> None:
    base = [share, sigma, spread, impact]
    worse = [x * factor if i == which else x for i, x in enumerate(base)]
    prices = [taker_price(100.0, side, a, b, CostRates(c, d)) for a, b, c, d in (base, worse)]
    assert side * (prices[1] - prices[0]) >= 0
    assert prices[1] >= 0


@given(st.sampled_from([1, -1]), positive, positive)
def test_the_compiled_price_is_its_twin(side: int, share: float, sigma: float) -> None:
    rates = CostRates(0.0001, 0.15)
    assert taker_price(100.0, side, share, sigma, rates) == taker_price.py_func(100.0, side, share, sigma, rates)
    assert range_variance(100.0 + sigma, 100.0) == pytest.approx(range_variance.py_func(100.0 + sigma, 100.0), 1e-14)


def test_the_range_estimator_is_parkinsons() -> None:
    # ln(e^0.1) = 0.1; 0.01 / (4 ln 2) = 0.00360673760222...
    assert range_variance(math.exp(0.1), 1.0) == pytest.approx(0.0036067376022224087, rel=1e-12)
    assert range_variance(5.0, 5.0) == 0.0


def test_a_symbol_may_have_its_own_costs() -> None:
    costs = CostParams(half_spread_bps=1, symbols={"DOGE/USDT": SymbolCosts(half_spread_bps=8, temporary=0.3)})
    assert costs.rates("BTC/USDT").half_spread == 0.0001
    assert costs.rates("DOGE/USDT") == pytest.approx((0.0008, 0.35))


@pytest.mark.parametrize("bad", [{"half_spread_bps": -1}, {"temporary": -0.1}, {"permanent": math.nan}, {"fee": 1}])
def test_impossible_costs_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        CostParams(**bad)
