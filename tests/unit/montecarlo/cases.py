"""Reference cases and histories the tests of this folder share."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seakeep.core.market import Float64

SHARED = Path(__file__).resolve().parents[3] / "../shared"


def reference(name: str) -> dict[str, Any]:
    path = SHARED / "reference" / f"{name}.json"
    if not path.exists():
        pytest.skip(f"shared/reference/{name}.json is not here")
    case: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return case


def close(case: dict[str, Any], key: str, actual: Any, error: Any = 0.0) -> None:
    """Within the tolerance of the case, and four standard errors where the number was simulated."""
    rule = {**case["tolerance"], **case["tolerance"].get("per_key", {}).get(key, {})}
    wanted = np.asarray(case["expected"][key], float)
    allowed = rule.get("abs", 0) + rule.get("rel", 0) * np.abs(wanted) + 4 * np.asarray(error)
    assert (np.abs(np.asarray(actual) - wanted) <= allowed).all(), (key, actual, wanted)


def clustered(n: int = 1500, seed: int = 5) -> Float64:
    """Returns whose volatility comes and goes."""
    rng = np.random.default_rng(seed)
    calm = np.repeat(rng.random(n // 50) < 0.6, 50)
    return np.where(calm, 0.01, 0.04) * rng.standard_normal(len(calm)) + 0.0005
