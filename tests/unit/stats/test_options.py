import math

import numpy as np
import pytest
import QuantLib
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from seakeep.core.errors import ConfigError, DataError
from seakeep.stats import options
from seakeep.stats.options import Option, black76, black76_greeks, black_scholes, greeks, implied_volatility

PANELS = ("haug_worked_examples", "haug_black76_calls_grid")


def within(case, key=None):
    tolerance = case["tolerance"] | case["tolerance"].get("per_key", {}).get(key, {})
    return {"rel": tolerance.get("rel", 0), "abs": tolerance.get("abs", 0)}


def spot_terms(row):
    return Option(row["type"], row["K"], row["T"]), row["S"], row["sigma"], row["r"], row.get("q", 0)


def forward_terms(row):
    return Option(row["type"], row["K"], row["T"]), row["F"], row["sigma"], row["r"]


@pytest.mark.parametrize("name", PANELS)
def test_prices_are_those_of_haug(reference, name):
    case = reference("options", name)
    found = [black_scholes(*spot_terms(row)).item() for row in case["inputs"]["rows"]]
    assert found == pytest.approx(case["expected"]["price"], **within(case))


def test_greeks_are_those_of_haug(reference):
    case = reference("options", "haug_greeks")
    found = [getattr(greeks(*spot_terms(row)), row["greek"]).item() for row in case["inputs"]["rows"]]
    assert found == pytest.approx(case["expected"]["value"], **within(case))


def test_prices_and_greeks_are_those_of_the_quantlib_panel(reference):
    case = reference("options", "bsm_greeks_panel_a")
    found = [greeks(*spot_terms(row)) for row in case["inputs"]["rows"]]
    for key, expected in case["expected"].items():
        name = {"theta_per_year": "theta", "dividendRho": "dividend_rho"}.get(key, key)
        values = [getattr(one, name).item() for one in found]
        assert values == pytest.approx(expected, **within(case, key)), key


def test_black76_is_that_of_the_quantlib_panel(reference):
    case = reference("options", "black76_panel_a")
    rows, expected = case["inputs"]["rows"], case["expected"]
    found = [black76_greeks(*forward_terms(row)) for row in rows]
    names = {"price": "price", "delta_forward": "delta", "gamma_forward": "gamma", "vega": "vega"}
    for key, name in names.items():
        assert [getattr(one, name).item() for one in found] == pytest.approx(expected[key], **within(case, key)), key
    for row, one, sigma in zip(rows, found, expected["implied_vol_roundtrip"], strict=True):
        if one.vega >= 1e-3:
            back = implied_volatility(forward_terms(row)[0], one.price, row["F"], row["r"], row["r"])
            assert back.item() == pytest.approx(sigma, **within(case, "implied_vol_roundtrip"))


def test_hulls_examples(reference):
    case = reference("options", "hull_black76_put")
    assert black76(*forward_terms(case["inputs"])).item() == pytest.approx(
        case["expected"]["full_precision"], abs=1e-10
    )
    case = reference("options", "hull_black_scholes_example")
    for kind, price in case["expected"]["full_precision"].items():
        assert black_scholes(*spot_terms(case["inputs"] | {"type": kind})).item() == pytest.approx(price, abs=1e-10)
    case = reference("options", "hull_greeks_example")
    found, expected = greeks(*spot_terms(case["inputs"])), case["expected"]
    for name in ("price", "delta", "gamma", "vega", "rho"):
        assert getattr(found, name).item() == pytest.approx(expected[name], **within(case, name))
    assert found.theta / 365 == pytest.approx(
        expected["theta_per_calendar_day"], **within(case, "theta_per_calendar_day")
    )
    case = reference("options", "hull_implied_volatility")
    row = case["inputs"]
    found = implied_volatility(Option("call", row["K"], row["T"]), row["price"], row["S"], row["r"], row["q"])
    assert found.item() == pytest.approx(case["expected"]["full_precision"], abs=1e-8)


@given(
    st.sampled_from(["call", "put"]),
    st.floats(0.2, 5.0),
    st.floats(0.01, 3.0),
    st.floats(0.05, 3.0),
    st.floats(-0.05, 0.2),
    st.floats(-0.05, 0.2),
)
def test_prices_and_slopes_are_those_of_quantlib(kind, moneyness, years, volatility, rate, dividend):
    ours = greeks(Option(kind, 100.0 * moneyness, years), 100.0, volatility, rate, dividend)
    payoff = QuantLib.PlainVanillaPayoff(
        QuantLib.Option.Call if kind == "call" else QuantLib.Option.Put, 100.0 * moneyness
    )
    forward, discount = 100.0 * math.exp((rate - dividend) * years), math.exp(-rate * years)
    theirs = QuantLib.BlackCalculator(payoff, forward, volatility * math.sqrt(years), discount)
    limits = {"rel": 1e-9, "abs": 1e-10}
    assert ours.price.item() == pytest.approx(theirs.value(), **limits)
    assert ours.delta.item() == pytest.approx(theirs.delta(100.0), **limits)
    assert ours.gamma.item() == pytest.approx(theirs.gamma(100.0), **limits)
    assert ours.vega.item() == pytest.approx(theirs.vega(years), **limits)
    assert ours.rho.item() == pytest.approx(theirs.rho(years), **limits)
    assert ours.dividend_rho.item() == pytest.approx(theirs.dividendRho(years), **limits)
    assert ours.theta.item() == pytest.approx(theirs.theta(100.0, years), rel=1e-7, abs=1e-7)


@given(
    st.sampled_from(["call", "put"]),
    st.floats(-2.0, 2.0),
    st.floats(0.003, 5.0),
    st.floats(0.02, 8.0),
    st.floats(-0.1, 0.3),
)
@settings(deadline=None)
def test_implied_volatility_gives_the_price_back(kind, distance, years, volatility, rate):
    option = Option(kind, 50.0 * math.exp(distance), years)
    found = greeks(option, 50.0, volatility, rate)
    intrinsic = option.sign * (50.0 - float(option.strike) * math.exp(-rate * years))
    time_value = float(found.price) - max(intrinsic, 0.0)
    most = 50.0 if kind == "call" else float(option.strike) * math.exp(-rate * years)
    assume(time_value > 1e-9 and most - float(found.price) > 1e-9)
    back = implied_volatility(option, found.price, 50.0, rate)
    lost = 1e-13 * (50.0 + float(option.strike)) / float(found.vega)
    assert back.item() == pytest.approx(volatility, abs=lost, rel=1e-12)


def test_out_of_the_money_prices_keep_their_digits():
    option = Option("call", np.array([150.0, 300.0, 1000.0]), 0.05)
    prices = black_scholes(option, 100.0, 0.3)
    assert prices[-1] < 1e-200
    assert implied_volatility(option, [*prices[:2].tolist(), prices[1]], 100.0)[:2] == pytest.approx(
        [0.3, 0.3], rel=1e-9
    )


def test_put_call_parity_and_broadcasting():
    strikes, years = np.array([80.0, 100.0, 120.0]), np.array([[0.1], [1.0]])
    call, put = (black_scholes(Option(kind, strikes, years), 100.0, 0.5, 0.03, 0.01) for kind in ("call", "put"))
    assert call.shape == (2, 3)
    assert call - put == pytest.approx(100 * np.exp(-0.01 * years) - strikes * np.exp(-0.03 * years), abs=1e-12)
    back = implied_volatility(Option("put", strikes, years), put, 100.0, 0.03, 0.01)
    assert back == pytest.approx(np.full((2, 3), 0.5), rel=1e-9)


def test_rho_of_black76_moves_only_the_discount():
    option, step = Option("put", 90.0, 0.7), 1e-6
    slope = (black76(option, 100.0, 0.6, 0.05 + step) - black76(option, 100.0, 0.6, 0.05 - step)) / (2 * step)
    assert black76_greeks(option, 100.0, 0.6, 0.05).rho == pytest.approx(slope, rel=1e-6)


@pytest.mark.parametrize(("kind", "price"), [("call", 19.0), ("call", 100.0), ("put", 80.0), ("call", 20.0)])
def test_a_price_with_an_arbitrage_is_refused(kind, price):
    with pytest.raises(DataError, match="must be inside"):
        implied_volatility(Option(kind, 80.0, 1.0), price, 100.0)


def test_bad_terms_are_refused_by_name():
    with pytest.raises(ConfigError, match="did you mean call"):
        Option("cal", 100.0, 1.0)
    with pytest.raises(ValueError, match="years must be a positive"):
        Option("call", 100.0, 0.0)
    with pytest.raises(ValueError, match="spot must be a positive"):
        black_scholes(Option("call", 100.0, 1.0), np.array([100.0, math.nan]), 0.2)
    with pytest.raises(ValueError, match="volatility must be"):
        black_scholes(Option("call", 100.0, 1.0), 100.0, -0.2)
    with pytest.raises(ValueError, match="rate must be"):
        black_scholes(Option("call", 100.0, 1.0), 100.0, 0.2, math.inf)


def test_the_solver_agrees_with_its_python_twin():
    values, distances = np.array([1e-8, 0.01, 0.3]), np.array([0.4, 0.1, 0.0])
    ours = options._total_volatilities(values, distances)
    assert ours == pytest.approx(options._total_volatilities.py_func(values, distances), rel=1e-12)
