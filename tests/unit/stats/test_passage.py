"""First passages against games and motions whose odds are known."""

import json
import math
from pathlib import Path

import pytest
from scipy.stats import invgauss, norm

from seakeep.stats.passage import gamblers_duration, gamblers_ruin, loss_probability

SHARED = Path(__file__).parents[3] / "../shared/reference"


def published(name):
    path = SHARED / "risk_of_ruin" / f"{name}.json"
    if not path.exists():
        pytest.skip(f"the reference numbers risk_of_ruin/{name}.json are not beside this checkout")
    case = json.loads(path.read_text())
    return case["inputs"]["rows"], case["expected"]


@pytest.mark.parametrize(
    ("name", "slack"), [("feller_gamblers_ruin_fair", 1e-9), ("feller_gamblers_ruin_unfair", 6e-4)]
)
def test_the_classical_ruin_problem_is_that_of_feller(name, slack):
    rows, expected = published(name)
    ruined = [gamblers_ruin(row["p"], row["z"], row["a"]) for row in rows]
    assert ruined == pytest.approx(expected["prob_ruin"], abs=slack)
    lasting = [gamblers_duration(row["p"], row["z"], row["a"]) for row in rows]
    assert lasting == pytest.approx(expected["expected_duration"], abs=max(slack, 0.06 if "unfair" in name else 0))


def test_ruin_against_the_infinitely_rich_and_of_a_gbm_are_the_closed_forms():
    rows, expected = published("ruin_infinite_horizon_unit_stakes")
    assert [gamblers_ruin(r["p"], r["units"]) for r in rows] == pytest.approx(expected["prob_ruin"], abs=1e-12)
    rows, expected = published("gbm_ever_hit_loss_fraction")
    ever = [loss_probability(r["loss"], r["mu"] - r["sigma"] ** 2 / 2, r["sigma"]) for r in rows]
    assert ever == pytest.approx(expected["prob_ever"], abs=1e-12)


@pytest.mark.parametrize("units", [1, 17, 400])
def test_a_large_game_neither_overflows_nor_leaves_the_unit_interval(units):
    for p in (1e-6, 0.2, 0.5 - 1e-13, 0.999999):
        both = gamblers_ruin(p, units, 1000) + gamblers_ruin(1 - p, 1000 - units, 1000)
        assert both == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("horizon", [1, 30, 365])
def test_the_time_to_a_loss_is_inverse_gaussian(horizon):
    depth, mean, std = -math.log(0.8), -0.002, 0.03
    law = invgauss(mu=std**2 / (-mean * depth), scale=(depth / std) ** 2)
    assert loss_probability(0.2, mean, std, horizon) == pytest.approx(law.cdf(horizon), abs=1e-9)
    level = 2 * norm.cdf(-depth / (std * math.sqrt(horizon)))
    assert loss_probability(0.2, 0.0, std, horizon) == pytest.approx(level, abs=1e-12)
