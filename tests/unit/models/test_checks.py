"""Every registered expert keeps its promises on a synthetic market; one that does not is found out."""

from typing import Self

import numpy as np
import pytest

from seakeep.core.beliefs import FeatureFrame
from seakeep.core.market import Float64
from seakeep.models import EXPERTS
from seakeep.models.checks import check
from seakeep.models.classical import RsiExpert
from tests.unit.models.planted import SMALL, rows, small


@pytest.mark.parametrize("name", sorted(SMALL))
def test_a_learning_expert_that_found_something_keeps_every_law(name: str) -> None:
    assert check(name, small(EXPERTS[name], name), *rows(500, 0.6, 1)) == []  # type: ignore[arg-type]


class Seer(RsiExpert):
    """Looks one row ahead."""

    def predict(self, frame: FeatureFrame) -> Float64:
        return np.roll(super().predict(frame), -1, axis=0)


class Drifter(RsiExpert):
    """Never learns the same twice, and is never sure of how far it may be wrong."""

    def fit(self, frame: FeatureFrame, y: Float64, seed: int) -> Self:
        super().fit(frame, y, seed)
        self.slope_ += len(SEEN)
        SEEN.append(seed)
        return self

    def predict(self, frame: FeatureFrame) -> Float64:
        made = super().predict(frame)
        made[:, 1] *= 0.0
        return made


class Forgetful(RsiExpert):
    """Keeps a part of what it learnt from its state."""

    def state(self) -> dict[str, float]:  # type: ignore[override]
        return {"slope_": 0.0, "deviation_": self.deviation_, "confidence_": 2.0, "scale_": 0.0}

    @property
    def confidence(self) -> float:
        return 2.0


SEEN: list[int] = []


@pytest.mark.parametrize(
    ("kind", "laws"),
    [
        (Seer, {"prefix", "lookback"}),
        (Drifter, {"seed", "deviation"}),
        (Forgetful, {"memory", "confidence"}),
        (RsiExpert, set()),
    ],
)
def test_who_breaks_a_promise_is_found_out(kind: type[RsiExpert], laws: set[str]) -> None:
    assert {found.law for found in check("it", kind(horizon=1), *rows(400, 0.5, 1))} == laws
