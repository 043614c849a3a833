"""Neural experts find a planted sequence, find nothing in noise, and repeat to the bit."""

import math
import subprocess
import sys
from typing import ClassVar

import numpy as np
import pytest

from seakeep.core.errors import ConfigError, NotEnoughHistory, NotFitted
from seakeep.core.market import Float64
from seakeep.features.checks import lookback_law, prefix_law, shape_law
from seakeep.models import EXPERTS
from seakeep.models.attribution import attribute
from seakeep.models.folding import part_of
from seakeep.models.networks import KINDS
from seakeep.models.neural import DeepParams, LstmExpert, NetworkExpert, deep_experts, missing, trainable
from tests.unit.models.sequenceworld import TINY, pooled, rows


class Pair(NetworkExpert):
    """A mixture of two networks, quick to fit."""

    kinds: ClassVar[tuple[str, ...]] = ("gru", "transformer")


@pytest.fixture(scope="module")
def pair() -> NetworkExpert:
    """Fitted on two symbols with a planted sequence."""
    frame, y = pooled(1_500, 1, signal=1.0)
    return Pair(**TINY).fit(frame, y, 5)


def test_a_planted_sequence_is_found_and_its_noise_is_measured(pair: NetworkExpert) -> None:
    frame, y, truth = rows(1_500, 9, signal=1.0)
    mean, std = pair.predict(frame)[10:].T
    assert np.corrcoef(mean, truth[10:])[0, 1] > 0.9
    assert pair.confidence > 0.9
    assert pair.scale == pytest.approx(0.01, rel=0.2)
    assert np.mean(np.abs(y[10:] - mean) < std) == pytest.approx(0.6827, abs=0.06)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*KINDS, "deep_ensemble"])
def test_a_planted_sequence_is_found_by_every_network(name: str) -> None:
    frame, y = pooled(1_500, 1, signal=1.0)
    expert = EXPERTS[name](**TINY).fit(frame, y, 5)
    late, _, truth = rows(1_500, 9, signal=1.0)
    assert np.corrcoef(expert.predict(late)[10:, 0], truth[10:])[0, 1] > 0.8
    assert expert.confidence > 0.9
    again = EXPERTS[name](**TINY).fit(frame, y, 5)
    assert again.predict(late).tobytes() == expert.predict(late).tobytes()


def test_in_noise_there_is_no_confidence() -> None:
    found = []
    for seed in range(12):
        frame, y, _ = rows(1_200, 100 + seed)
        found.append(LstmExpert(**TINY | {"epochs": 3}).fit(frame, y, seed).confidence)
    assert np.mean(found) < 0.2
    assert np.median(found) == 0.0


def test_same_seed_same_bits_and_another_seed_others() -> None:
    frame, y = pooled(400, 3, signal=1.0)
    one, two, other = (LstmExpert(**TINY | {"epochs": 2}).fit(frame, y, seed) for seed in (1, 1, 2))
    assert one.predict(frame).tobytes() == two.predict(frame).tobytes()
    assert (one.state()["weights_"] != other.state()["weights_"]).any()


def test_a_restored_expert_says_the_same_bits_without_keras(
    pair: NetworkExpert, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame, y, _ = rows(300, 4)
    monkeypatch.setitem(sys.modules, "keras", None)
    again = Pair(**TINY).restore(pair.state())
    assert again.predict(frame).tobytes() == pair.predict(frame).tobytes()
    assert (again.confidence, again.scale) == (pair.confidence, pair.scale)
    with pytest.raises(ConfigError, match=r"pip install 'seakeep\[deep\]'"):
        again.fit(frame, y, 1)


def test_the_laws_hold(pair: NetworkExpert) -> None:
    frame, _, _ = rows(120, 5)

    def over(start: int, stop: int) -> Float64:
        return pair.predict(part_of(frame, np.arange(start, stop)))

    cuts = (7, 40, 119)
    assert prefix_law("pair", over, 120, cuts) == []
    assert lookback_law("pair", over, 120, pair.lookback, cuts) == []
    assert shape_law("pair", over, 120, pair.lookback) == []


def test_its_forecast_is_the_sum_of_its_inputs_and_the_planted_one_moves_it_most(pair: NetworkExpert) -> None:
    frame, _, truth = rows(400, 9, signal=1.0)
    sizes = np.zeros(len(frame.names))
    for stop in np.argsort(-np.abs(truth))[:4] + 1:
        told = attribute(pair, part_of(frame, np.arange(stop)), frame)
        assert told.base + math.fsum(told.values) == pytest.approx(told.mean, abs=1e-15)
        assert told.mean == pair.predict(part_of(frame, np.arange(stop)))[-1, 0]
        assert told.method == "enumerated, exact"
        sizes += np.abs(told.values)
    assert told.names[int(sizes.argmax())] == "log_return:1"
    assert sizes.max() > 2 * np.sort(sizes)[-2]


def test_holes_other_symbols_and_standstill_abstain(pair: NetworkExpert) -> None:
    frame, _ = pooled(40, 6)
    values = frame.values.copy()
    values[20, 3] = np.nan
    values[60, 2] = 0.0
    said = pair.predict(type(frame)(frame.symbol, frame.ts, frame.names, values))[:, 0]
    silent = {*range(5), *range(20, 26), *range(40, 45), *range(60, 66)}
    assert set(np.flatnonzero(np.isnan(said)).tolist()) == silent
    late = part_of(frame, np.r_[0:20, 22:40])
    assert np.isnan(pair.predict(late)[20:25, 0]).all()


def test_what_is_said_scales_with_the_market(pair: NetworkExpert) -> None:
    frame, _, _ = rows(50, 7)
    tenfold = frame.values.copy()
    tenfold[:, :3] *= 10
    said = pair.predict(type(frame)(frame.symbol, frame.ts, frame.names, tenfold))
    np.testing.assert_allclose(said, 10 * pair.predict(frame), rtol=1e-9)


def test_rows_after_the_part_it_learnt_on_do_not_move_the_scaler() -> None:
    frame, y, _ = rows(600, 8)
    loud = frame.values.copy()
    loud[450:, 5] += 100.0
    quick = TINY | {"epochs": 1}
    one = LstmExpert(**quick).fit(frame, y, 1)
    two = LstmExpert(**quick).fit(type(frame)(frame.symbol, frame.ts, frame.names, loud), y, 1)
    assert one.state()["centre_"].tolist() == two.state()["centre_"].tolist()


@pytest.mark.parametrize("damage", ["missing", "short", "nan", "unknown"])
def test_a_damaged_state_is_refused(pair: NetworkExpert, damage: str) -> None:
    state = dict(pair.state())
    if damage == "missing":
        del state["centre_"]
    elif damage == "unknown":
        state["evil_"] = 1.0
    else:
        weights = np.array(state["weights_"])
        state["weights_"] = weights[:-1] if damage == "short" else np.where(weights > 0, np.nan, weights)
    with pytest.raises(ValueError, match=r"has learnt|must be finite"):
        Pair(**TINY).restore(state)


def test_before_it_is_fitted_or_with_little_it_says_so() -> None:
    frame, y, _ = rows(60, 9)
    with pytest.raises(NotFitted):
        LstmExpert(**TINY).predict(frame)
    for n in (0, 10, 60):
        with pytest.raises(NotEnoughHistory):
            LstmExpert(**TINY).fit(part_of(frame, np.arange(n)), y[:n], 1)
    still = type(frame)(frame.symbol, frame.ts, frame.names, np.zeros((60, 6)))
    with pytest.raises(NotEnoughHistory):
        LstmExpert(**TINY).fit(still, np.zeros(60), 1)


@pytest.mark.parametrize(
    ("key", "value"), [("units", 3), ("window", 3), ("rate", 0.0), ("tail", 1.0), ("epochs", 0), ("horizon", 0)]
)
def test_a_parameter_out_of_bounds_is_named(key: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"LstmExpert: {key} must be"):
        LstmExpert(**{key: value})


def test_horizons_are_counted_in_bars() -> None:
    found = deep_experts(DeepParams(use=("lstm", "deep_ensemble")), "5m")
    assert {name: expert.horizon for name, expert in found.items()} == {
        "lstm@1h": 12, "lstm@4h": 48, "lstm@24h": 288, "deep_ensemble@1h": 12, "deep_ensemble@4h": 48,
        "deep_ensemble@24h": 288,
    }  # fmt: skip
    with pytest.raises(ConfigError, match="1h is not a whole number of bars of 4h"):
        deep_experts(DeepParams(use=("lstm",)), "4h")
    with pytest.raises(ConfigError, match="did you mean lstm"):
        deep_experts(DeepParams(use=("lsmt",)), "5m")


def test_without_the_extra_a_run_goes_on_and_says_who_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    experts = {"lstm": LstmExpert(), "ma": EXPERTS["ma"]()}
    assert trainable(experts, optional=False) == (experts, {})
    monkeypatch.setitem(sys.modules, "jax", None)
    there, absent = trainable(experts, optional=True)
    assert list(there) == ["ma"]
    assert absent == {"lstm": "needs the extra deep: pip install 'seakeep[deep]'"} == {"lstm": missing(LstmExpert)}
    with pytest.raises(ConfigError, match="cannot be trained here: lstm; each needs the extra deep"):
        trainable(experts, optional=False)


def test_listing_the_experts_loads_neither_keras_nor_jax() -> None:
    code = "import sys; from seakeep.models import EXPERTS; EXPERTS['gru']; print({'keras', 'jax'} & {*sys.modules})"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout == b"set()\n"
