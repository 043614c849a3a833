"""Curves through certified and published points."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seakeep.backtest.integrity.curvefits import decaying, fit, power

REFERENCE = Path(__file__).parents[5] / "shared/reference"


def case(name: str) -> dict[str, Any]:
    path = REFERENCE / f"{name}.json"
    if not path.exists():
        pytest.skip(f"reference case {name} is not here")
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def test_nist_certifies_the_saturating_curve() -> None:
    told = case("alpha_decay/exponential_saturation_nist_misra1a")
    x, y, expected = np.array(told["inputs"]["x"]), np.array(told["inputs"]["y"]), told["expected"]
    found = fit(x, y, lambda x, rate: -np.expm1(-rate * x), np.geomspace(1e-5, 1e-1, 40))
    assert (found.scale, found.rate) == pytest.approx((expected["b1"], expected["b2"]), rel=1e-6)
    assert (found.scale_error, found.rate_error) == pytest.approx((expected["se_b1"], expected["se_b2"]), rel=1e-5)
    assert found.residual == pytest.approx(expected["residual_ss"], rel=1e-6)
    assert math.log(2) / found.rate == pytest.approx(expected["half_life"], rel=1e-6)


def test_nist_certifies_the_power_law() -> None:
    told = case("market_impact/power_law_fit_nist_danwood")
    found = fit(np.array(told["inputs"]["x"]), np.array(told["inputs"]["y"]), power, np.linspace(0.1, 6, 40))
    expected = [told["expected"][key] for key in ("b1", "b2", "se_b1", "se_b2", "residual_ss")]
    assert [found.scale, found.rate, found.scale_error, found.rate_error, found.residual] == pytest.approx(
        expected, rel=1e-5
    )


def test_the_decay_of_information_coefficients_is_that_of_nonlinear_least_squares() -> None:
    told = case("alpha_decay/ic_decay_fit_seed8")
    x, y, expected = np.array(told["inputs"]["lags"]), np.array(told["inputs"]["ic"]), told["expected"]["nls"]
    found = fit(x, y, decaying, np.geomspace(0.01, 3, 60))
    assert (found.scale, found.rate) == pytest.approx((expected["a"], expected["k"]), rel=1e-5)
    assert found.rate_error == pytest.approx(expected["se_k"], rel=1e-5)


def test_points_on_a_curve_give_the_curve_without_error() -> None:
    x = np.arange(1.0, 20.0)
    found = fit(x, 3 * x**0.5, power, np.linspace(0.1, 2, 20))
    assert (found.scale, found.rate, found.residual) == pytest.approx((3, 0.5, 0), abs=1e-9)


def test_bad_points_are_refused() -> None:
    with pytest.raises(ValueError, match="two finite points"):
        fit(np.ones(1), np.ones(1), power, np.ones(2))
    with pytest.raises(ValueError, match="two finite points"):
        fit(np.ones(3), np.array([1.0, np.nan, 2.0]), power, np.ones(2))
