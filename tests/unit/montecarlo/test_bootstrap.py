"""History drawn again: moments, dependence and the places blocks may start."""

import math

import numpy as np
import pytest

from seakeep.montecarlo.bootstrap import bootstrap
from seakeep.montecarlo.paths import Run, simulate, trace
from tests.unit.montecarlo.cases import clustered

RETURNS = clustered()


@pytest.mark.parametrize(("method", "length"), [("iid", None), ("block", 8), ("stationary", 8.5)])
def test_every_return_is_as_likely_at_every_step(method: str, length: float | None) -> None:
    model = bootstrap(RETURNS, method, length=length)  # type: ignore[arg-type]
    steps = np.diff(np.log(trace(model, Run(steps=19, paths=50_000, seed=2)).astype(float)), axis=1)
    for column in steps.T:
        assert column.mean() == pytest.approx(RETURNS.mean(), abs=4 * RETURNS.std() / math.sqrt(len(column)))
        assert column.std() == pytest.approx(RETURNS.std(), rel=0.03)
    assert np.abs(steps[:, 3][:, None][:200] - RETURNS).min(axis=1).max() < 1e-6


def test_only_blocks_keep_how_neighbours_depend_on_each_other() -> None:
    ramp = np.arange(1000.0) / 1e5
    share = {}
    for method, length in (("iid", None), ("block", 10), ("stationary", 10)):
        model = bootstrap(ramp, method, length=length)  # type: ignore[arg-type]
        steps = np.diff(np.log(trace(model, Run(steps=40, paths=1, seed=2)).astype(float)), axis=1)
        rows = np.round(steps * 1e5).astype(int)
        share[method] = (np.diff(rows, axis=1) % 1000 == 1).mean()
    assert share["iid"] < 0.01
    assert share["block"] == pytest.approx(36 / 39, abs=0.005)
    assert share["stationary"] == pytest.approx(0.9, abs=0.005)


def test_blocks_from_one_place_are_that_window_over_and_over() -> None:
    model = bootstrap(RETURNS, "block", length=3, starts=[10])
    values = simulate(model, Run(steps=6, paths=1, seed=1)).value
    assert np.allclose(np.log(values.astype(float)), 2 * RETURNS[10:13].sum(), atol=1e-6)
    assert model.means(6)[0] == pytest.approx(np.tile(RETURNS[10:13], 2))


@pytest.mark.parametrize(
    "bad",
    [{"length": 0.5}, {"method": "blok"}, {"length": 1e9}, {"starts": [0]}, {"method": "block", "starts": [1499]}],
)
def test_a_block_that_does_not_fit_is_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="got"):
        bootstrap(RETURNS, **bad)  # type: ignore[arg-type]
