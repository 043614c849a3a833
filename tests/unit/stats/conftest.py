import csv
import json
from pathlib import Path

import numpy as np
import pytest

SHARED = Path(__file__).parents[3] / "../shared/reference"


@pytest.fixture
def reference():
    """Read a case of the published numbers: reference("drawdown", "edhec_drawdown_table")."""

    def case(area, name):
        path = SHARED / area / f"{name}.json"
        if not path.exists():
            pytest.skip(f"the reference numbers {area}/{name}.json are not beside this checkout")
        return json.loads(path.read_text())

    return case


@pytest.fixture
def series():
    """Read columns of a published series as floats (text where they are none)."""

    def columns(file):
        with (SHARED / file).open() as lines:
            rows = list(csv.DictReader(lines))
        return {name: _floats([row[name] for row in rows]) for name in rows[0]}

    return columns


def _floats(texts):
    try:
        return np.array(texts, np.float64)
    except ValueError:
        return texts
