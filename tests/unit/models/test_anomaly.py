"""Ordinary rows pass, strange ones forbid an entry, and so does what cannot be judged."""

import numpy as np
import pytest
from scipy.stats import chi2

from seakeep.core.beliefs import FeatureFrame
from seakeep.core.errors import ConfigError, NotEnoughHistory
from seakeep.core.market import Float64
from seakeep.models.anomaly import AnomalyExpert
from tests.unit.models.planted import HOUR


def calm(n: int, seed: int) -> FeatureFrame:
    """Rows whose inputs are independent standard normals, save for scale."""
    rng = np.random.default_rng(seed)
    expert, v = AnomalyExpert(), 0.01
    columns = {name: np.ones(n) for name in expert.features}
    g = rng.standard_normal((6, n))
    columns["return_std:48"] = np.full(n, v)
    columns["log_return:1"], columns["log_return:6"] = v * g[0], v * np.sqrt(6) * g[1]
    columns["return_std:12"], columns["parkinson:20"] = v * np.exp(0.3 * g[2]), v * np.exp(0.3 * g[3])
    columns["close"], columns["ema:20"], columns["atr:50"] = 100 + g[4], np.full(n, 100.0), np.ones(n)
    columns["volume_z:20"] = g[5]
    values = np.column_stack([columns[name] for name in expert.features])
    return FeatureFrame("A/B", HOUR * np.arange(1, n + 1), expert.features, values)


def with_(frame: FeatureFrame, name: str, row: int, value: float) -> FeatureFrame:
    values: Float64 = frame.values.copy()
    values[row, frame.names.index(name)] = value
    return FeatureFrame(frame.symbol, frame.ts, frame.names, values)


def fitted(quantile: float = 0.99) -> AnomalyExpert:
    y = np.random.default_rng(2).normal(0, 0.02, 5_000)
    return AnomalyExpert(horizon=4, quantile=quantile).fit(calm(5_000, 1), y, 1)


def test_it_vetoes_just_the_share_it_was_told_to() -> None:
    expert = fitted()
    assert expert.veto(calm(5_000, 1)).mean() == pytest.approx(0.01, abs=1e-9)
    # Another 20,000 rows: binomial error, and that of a quantile of 5,000 rows, at three deviations.
    spread = 3 * np.sqrt(0.01 * 0.99 * (1 / 20_000 + 1 / 5_000))
    assert abs(expert.veto(calm(20_000, 3)).mean() - 0.01) < spread


def test_distances_of_normal_rows_follow_the_chi_law() -> None:
    found = np.sort(fitted().distance(calm(20_000, 4)) ** 2)
    share = (np.arange(20_000) + 0.5) / 20_000
    # Cutting at three deviations takes 1.3 % from a variance, the ridge adds 1 %: both cancel but for the tail.
    np.testing.assert_allclose(np.interp([0.1, 0.5, 0.9], share, found), chi2.ppf([0.1, 0.5, 0.9], 6), rtol=0.03)


@pytest.mark.parametrize(
    ("name", "value"), [("log_return:1", -0.3), ("return_std:12", 0.5), ("volume_z:20", 40.0), ("close", 140.0)]
)
def test_a_crash_a_burst_a_flood_and_a_gap_are_strange(name: str, value: float) -> None:
    frame = with_(calm(50, 5), name, 20, value)
    vetoed = fitted(0.999).veto(frame)
    assert vetoed[20]
    assert vetoed.sum() <= 2


def test_strange_rows_among_the_training_rows_do_not_hide_each_other() -> None:
    frame = calm(5_000, 6)
    values = frame.values.copy()
    values[:100, frame.names.index("log_return:1")] = -0.5
    dirty = FeatureFrame("A/B", frame.ts, frame.names, values)
    expert = AnomalyExpert(horizon=4, quantile=0.975).fit(dirty, np.full(5_000, 0.01), 1)
    assert expert.veto(dirty)[:100].all()


def test_what_cannot_be_judged_forbids_an_entry() -> None:
    frame = with_(calm(10, 7), "volume_z:20", 4, np.nan)
    assert fitted().veto(frame)[4]
    assert fitted().vetoes


def test_it_has_no_direction_and_grows_its_deviation_where_the_market_is_strange() -> None:
    expert, frame = fitted(), with_(calm(10, 8), "log_return:1", 3, -0.3)
    mean, std = expert.predict(frame).T
    assert (mean.any(), expert.confidence, expert.scale) == (False, 0.0, 0.0)
    usual = std[0]
    assert usual == pytest.approx(0.02, rel=0.05)
    assert std[3] > 5 * usual


def test_it_keeps_what_it_has_learnt_and_says_when_there_is_too_little() -> None:
    expert, frame = fitted(), calm(200, 9)
    again = AnomalyExpert(horizon=4, quantile=0.99).restore(expert.state())
    assert again.distance(frame).tobytes() == expert.distance(frame).tobytes()
    with pytest.raises(NotEnoughHistory, match="100 rows"):
        AnomalyExpert(horizon=4).fit(calm(10, 1), np.ones(10), 1)
    with pytest.raises(ConfigError, match="quantile"):
        AnomalyExpert(quantile=1.5)
