"""The learning experts: a planted signal is found, noise is not, and bad rows are met with a clear word."""

import msgspec
import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from seakeep.core.beliefs import FeatureFrame
from seakeep.core.errors import ConfigError, ModelError, NotEnoughHistory
from seakeep.core.market import Float64
from seakeep.models import EXPERTS
from seakeep.models.calibration import fit_calibration
from seakeep.models.folding import label_ms, out_of_fold, purged_folds
from seakeep.models.forest import BoostingExpert
from seakeep.models.ml import LearningExpert
from seakeep.models.skill import measure
from tests.unit.models.planted import FEATURES, HOUR, KEPT, SMALL, WITHOUT, rows, small

KINDS = sorted(SMALL)


def made(name: str, **params: object) -> LearningExpert:
    return small(EXPERTS[name], name, **params)  # type: ignore[arg-type]


def grid(v: float, x: Float64) -> FeatureFrame:
    """Rows of volatility `v` whose first input is x, the others in the middle."""
    values = np.column_stack([np.full(len(x), v), 50 + 50 * x, np.full(len(x), 50.0), np.zeros(len(x))])
    return FeatureFrame("A/B", np.arange(len(x)), FEATURES, values)


@pytest.mark.parametrize("name", KINDS)
def test_a_planted_signal_is_found_and_its_size_is_right(name: str) -> None:
    frame, y = rows(2_500, 0.6, 1)
    expert = made(name, rows=600 if name == "svm" else 2_500).fit(frame, y, 1)
    assert expert.confidence > 0.95
    x = np.linspace(-1, 1, 400)
    calm, wild = (expert.predict(grid(v, x)) for v in (0.01, 0.02))
    truth = 0.01 * 0.6 * np.sign(x) * x**2
    slope = float(calm[:, 0] @ truth / (calm[:, 0] @ calm[:, 0]))
    assert np.corrcoef(calm[:, 0], truth)[0, 1] > 0.8
    assert 0.6 < slope < 1.6
    assert calm[:, 1] == pytest.approx(0.01, rel=0.06)
    np.testing.assert_allclose(wild, 2 * calm, rtol=1e-12)


@pytest.mark.parametrize("name", KINDS)
def test_the_interval_of_its_unseen_skill_is_above_zero(name: str) -> None:
    frame, y = rows(1_500, 1.0, 2, horizon=3)
    expert = made(name, horizon=3, folds=2)
    forecast = out_of_fold(expert, frame, y, 1, k=4)
    folds = purged_folds(frame.ts, label_ms(frame.ts, 3), 4, 3 * HOUR)
    skill = measure(forecast[:, 0] / forecast[:, 1], y, frame.ts, folds, 3 * HOUR)
    assert skill.low > 0


def test_noise_is_not_believed_in() -> None:
    found = []
    for seed in range(40):
        frame, y = rows(500, 0.0, 1_000 + seed, horizon=4)
        found.append(made("boosting", horizon=4, trees=15, rows=500).fit(frame, y, seed).confidence)
    assert np.mean(np.array(found) < 0.5) >= 0.95


@pytest.mark.parametrize("name", KINDS)
def test_the_same_seed_gives_the_same_bits_on_one_thread_and_two(name: str) -> None:
    frame, y = rows(800, 0.3, 3)
    drawn = []
    for threads in (1, 2):
        with threadpool_limits(limits=threads):
            drawn.append(made(name).fit(frame, y, 5).predict(frame))
    assert drawn[0].tobytes() == drawn[1].tobytes()
    if name != "svm":
        assert drawn[0].tobytes() != made(name).fit(frame, y, 6).predict(frame).tobytes()


@pytest.mark.parametrize("name", KINDS)
def test_poison_in_unseen_rows_does_not_reach_what_is_learnt(name: str) -> None:
    frame, y = rows(400, 0.3, 4, horizon=3)
    clean = out_of_fold(made(name, horizon=3, folds=2), frame, y, 1, k=3)
    train, test = purged_folds(frame.ts, label_ms(frame.ts, 3), 3, 3 * HOUR)[1]
    wrong = np.setdiff1d(np.arange(len(y)), train)
    values, labels = frame.values.copy(), y.copy()
    labels[wrong] = 1e3
    values[np.setdiff1d(wrong, test)] = 1e3
    other = FeatureFrame(frame.symbol, frame.ts, frame.names, values)
    poisoned = out_of_fold(made(name, horizon=3, folds=2), other, labels, 1, k=3)
    assert clean[test].tobytes() == poisoned[test].tobytes()


@pytest.mark.parametrize("name", KINDS)
def test_what_was_stored_predicts_the_same_bits(name: str) -> None:
    frame, y = rows(400, 0.3, 5)
    expert = made(name)
    assert expert.state() == {}
    state = expert.fit(frame, y, 1).state()
    again = made(name).restore({key: value.copy() if hasattr(value, "copy") else value for key, value in state.items()})
    assert again.predict(frame).tobytes() == expert.predict(frame).tobytes()
    assert (again.confidence, again.scale) == (expert.confidence, expert.scale)
    with pytest.raises(ValueError, match="does not learn"):
        made(name).restore({"other_": 1.0})


def test_arrays_that_are_no_trees_are_refused() -> None:
    state = made("forest").fit(*rows(400, 0.3, 5), 1).state()
    loop = {**state, "left_": np.zeros_like(state["left_"])}
    with pytest.raises(ModelError, match="no trees"):
        made("forest").restore(loop)
    with pytest.raises(ModelError, match="no trees"):
        made("forest").restore({**state, "value_": np.zeros(1)})


def test_constant_prices_and_ten_rows_are_too_little_to_learn_from() -> None:
    frame, _ = rows(400, 0.3, 6)
    still = FeatureFrame("A/B", frame.ts, frame.names, np.column_stack([np.zeros(400), frame.values[:, 1:]]))
    for few, labels in ((still, np.zeros(400)), rows(10, 0.3, 6)):
        with pytest.raises(NotEnoughHistory, match="100 rows"):
            made("boosting").fit(few, labels, 1)


def test_holes_are_left_out_of_learning_and_answered_with_silence() -> None:
    frame, y = rows(500, 0.3, 7)
    values = frame.values.copy()
    values[100:110, 1], values[200, 0], values[300, 3] = np.nan, 0.0, np.inf
    holed = FeatureFrame("A/B", frame.ts, frame.names, values)
    silent = np.isnan(made("boosting").fit(holed, y, 1).predict(holed)).any(axis=1)
    assert np.flatnonzero(silent).tolist() == [*range(100, 110), 200, 300]


def test_a_market_that_only_rises_tells_nothing_apart_and_gives_no_opinion() -> None:
    frame, y = rows(400, 0.0, 8)
    rising = np.abs(y) + 1e-3
    expert = made("boosting").fit(frame, rising, 1)
    assert (expert.confidence, expert.scale) == (0.0, 0.0)
    forecast = out_of_fold(expert, frame, rising, 1)
    assert not forecast[:, 0].any()
    assert fit_calibration(forecast, rising, frame.ts, HOUR).prob_up(0.0, 0.01) > 0.95


def test_a_symbol_listed_yesterday_is_learnt_from_with_the_others_and_told_of() -> None:
    old, y = rows(600, 0.5, 9)
    new, fresh = rows(24, 0.5, 10)
    pooled = FeatureFrame(
        "*", np.concatenate([old.ts, old.ts[-24:]]), old.names, np.concatenate([old.values, new.values])
    )
    expert = made("boosting").fit(pooled, np.append(y, fresh), 1)
    assert np.isfinite(expert.predict(new)).all()


def test_an_input_that_is_left_out_does_not_count() -> None:
    frame, y = rows(600, 0.5, 11)
    expert = made("boosting", without=WITHOUT + ", rsi").fit(frame, y, 1)
    assert expert.inputs == KEPT[1:]
    assert expert.confidence < 0.5
    with pytest.raises(ConfigError, match="did you mean volume"):
        _ = BoostingExpert(without="volum").features
    with pytest.raises(ConfigError, match="no input is left"):
        _ = BoostingExpert(without=",".join(BoostingExpert().inputs)).features


def test_a_copy_that_need_not_prove_itself_takes_the_proof_over() -> None:
    frame, y = rows(500, 0.5, 12)
    expert = made("boosting").fit(frame, y, 1)
    copy = expert.unproven()
    assert copy.folds == 0
    assert msgspec.structs.asdict(copy.fit(frame, y, 1).proof_) == msgspec.structs.asdict(expert.proof_)
    assert copy.predict(frame).tobytes() == expert.predict(frame).tobytes()
    assert made("boosting", folds=0).fit(frame, y, 1).confidence == 0.0


@pytest.mark.parametrize(
    ("name", "params"),
    [("forest", {"trees": 0}), ("boosting", {"rate": -1.0}), ("svm", {"cost": float("nan")}), ("svm", {"folds": 1})],
)
def test_a_parameter_out_of_its_limits_is_refused_by_name(name: str, params: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(params))):
        EXPERTS[name](**params)


@pytest.mark.parametrize("name", KINDS)
def test_what_tuning_may_try_is_allowed(name: str) -> None:
    kind = EXPERTS[name]
    assert issubclass(kind, LearningExpert)
    for key, limits in kind.space.items():
        whole = isinstance(getattr(kind, key), int)
        assert [kind(**{key: int(x) if whole else x}) for x in (limits.low, limits.high)]


def test_a_function_that_ranks_well_but_loses_is_silent() -> None:
    frame, _ = rows(1_500, 0.0, 13)
    x = frame["rsi:14"] / 50 - 1
    # It rises seven times of ten where x is high, yet a fall is three times a rise: the rank pays, the mean does not.
    up = np.random.default_rng(14).random(len(x)) < np.where(x > 0, 0.7, 0.3)
    skewed = np.where(x > 0, np.where(up, 0.01, -0.03), np.where(up, 0.03, -0.01))
    expert = made("boosting").fit(frame, skewed, 1)
    assert (expert.confidence, expert.scale) == (0.0, 0.0)
