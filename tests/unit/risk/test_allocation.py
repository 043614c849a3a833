"""Weights of many assets against published ones."""

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest

from seakeep.risk.allocation import (
    growth_weights,
    hierarchical_parity,
    min_cvar,
    min_variance,
    risk_parity,
    volatility_scale,
)
from seakeep.risk.kelly import continuous_kelly

SHARED = Path(__file__).parents[3] / "../shared/reference"


def published(area, name):
    path = SHARED / area / f"{name}.json"
    if not path.exists():
        pytest.skip(f"the reference numbers {area}/{name}.json are not beside this checkout")
    case = json.loads(path.read_text())
    return case["inputs"], case["expected"]


def columns(inputs):
    with (SHARED / inputs["series_file"]).open() as lines:
        rows = list(csv.DictReader(lines))
    return np.array([[float(row[name]) for name in inputs["columns"]] for row in rows])


def test_empirical_growth_optimum_is_that_of_a_convex_solver():
    inputs, expected = published("kelly", "log_growth_optimal_3assets")
    returns = columns(inputs)
    for case, options in (("long_only_sum_le_1", {}), ("gross_leverage_le_3", {"gross": 3.0, "short": True})):
        weights, growth = growth_weights(returns, **options)
        assert growth == pytest.approx(expected[case]["growth"], abs=1e-7)
        assert weights == pytest.approx(expected[case]["weights"], abs=0.002)
    plain = continuous_kelly(returns.mean(axis=0), np.cov(returns.T)).weights
    assert plain == pytest.approx(expected["gaussian_approximation"]["weights"], rel=1e-8)


def test_equal_risk_contributions_are_those_of_maillard_roncalli_teiletche():
    inputs, expected = published("portfolio", "erc_maillard_roncalli_teiletche")
    deviations = np.array(inputs["volatility"])
    covariance = np.array(inputs["correlation"]) * np.outer(deviations, deviations)
    weights = risk_parity(covariance)
    volatility = math.sqrt(weights @ covariance @ weights)
    assert weights == pytest.approx(expected["erc_weights"], abs=1e-6)
    assert weights * 100 == pytest.approx(expected["erc_weights_percent"], abs=0.06)
    assert volatility * 100 == pytest.approx(expected["portfolio_volatility_percent"], abs=0.06)
    assert weights * (covariance @ weights) / volatility == pytest.approx(
        expected["risk_contributions_equal"], abs=1e-6
    )
    assert volatility_scale(weights, covariance, 0.2, 1) * volatility == pytest.approx(0.2)


def test_risk_parity_of_thirteen_funds_is_that_of_two_libraries():
    inputs, expected = published("portfolio", "risk_parity_edhec")
    covariance = np.cov(columns(inputs).T)
    weights = risk_parity(covariance)
    assert weights == pytest.approx(expected["weights"], abs=5e-4)
    assert math.sqrt(weights @ covariance @ weights) == pytest.approx(expected["volatility_per_period"], rel=1e-5)


def test_hierarchical_parity_is_that_of_the_paper():
    inputs, expected = published("portfolio", "hrp_lopez_de_prado_2016")
    weights = hierarchical_parity(np.array(inputs["covariance"]))
    assert weights == pytest.approx(expected["hrp_weights"], abs=1e-8)
    assert weights * 100 == pytest.approx(expected["hrp_weights_percent"], abs=0.006)
    inputs, expected = published("portfolio", "hrp_single_linkage_edhec")
    weights = hierarchical_parity(np.cov(columns(inputs).T))
    assert weights == pytest.approx(expected["paper_definition_euclidean_of_distance_columns"], abs=1e-6)


def test_least_cvar_is_that_of_three_solvers():
    inputs, expected = published("portfolio", "min_cvar_empirical_edhec")
    for level, case in ((0.95, expected["0.95"]), (0.9, expected["0.9"])):
        weights, cvar = min_cvar(columns(inputs), level)
        assert cvar == pytest.approx(case["cvar"], rel=1e-5)
        assert weights == pytest.approx(case["weights"], abs=0.002)


def test_least_variance_under_a_mean_is_that_of_rockafellar_and_uryasev():
    inputs, expected = published("portfolio", "rockafellar_uryasev_min_cvar")
    mean, covariance = np.array(inputs["mean"]), np.array(inputs["covariance"])
    weights = min_variance(covariance, mean, inputs["min_return"])
    assert weights == pytest.approx(expected["weights"], abs=2e-5)
    assert weights @ covariance @ weights == pytest.approx(expected["variance"], abs=1e-8)
