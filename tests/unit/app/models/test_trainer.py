import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from seakeep.app.models import trainer
from seakeep.app.models.review import review
from seakeep.app.models.store import regime_slot
from seakeep.app.models.trainer import asked_experts, model_store, plan, train
from seakeep.app.places import bar_store
from seakeep.app.sections import RegimeSettings, Settings
from seakeep.core.errors import ConfigError, NotEnoughHistory
from seakeep.core.market import BarFrame
from seakeep.core.units import DAY_MS
from seakeep.data.synthetic import SyntheticParams, generate
from seakeep.features.frame import build
from seakeep.models import REGIMES

NOW = 1_700_000_000_000
SYMBOLS = ("BTC/USDT", "ETH/USDT")


def market(days: int = 60, seed: int = 5) -> dict[str, BarFrame]:
    made = generate(SyntheticParams(symbols=SYMBOLS, delisted=None, interval="1h", days=days, seed=seed))
    return dict(made.frames)


def settings(*symbols: str) -> Settings:
    return Settings.model_validate({"run": {"symbols": symbols or SYMBOLS, "interval": "1h"}})


def stored(userdir: Path, frames: dict[str, BarFrame]) -> Path:
    store = bar_store(settings(), userdir)
    for frame in frames.values():
        store.write(frame)
    return userdir


def trained(userdir: Path, *experts: str, using: Settings | None = None) -> trainer.Training:
    chosen = using or settings()
    return train(plan(chosen, userdir, asked_experts(chosen, experts)), userdir, NOW)


def test_every_expert_becomes_a_version_and_the_first_of_its_kind_the_champion(tmp_path: Path) -> None:
    found = trained(stored(tmp_path, market()), "ma", "volatility")
    assert [(one.version, one.champion, one.new) for one in found.trained] == [
        ("ma-1", True, True),
        ("volatility-1", True, True),
    ]
    card = model_store(tmp_path)["ma-1"].card
    assert card.trained_until - card.trained_from == pytest.approx(
        0.8 * (card.seen_until - card.trained_from), rel=1e-3
    )
    assert card.metrics.rows == pytest.approx(2 * (0.2 * 60 * 24 - 48), abs=3)


def test_training_again_on_the_same_bars_makes_nothing_new(tmp_path: Path) -> None:
    first = trained(stored(tmp_path, market()), "ma", "rsi")
    again = trained(tmp_path, "ma", "rsi")
    assert [one.version for one in again.trained] == [one.version for one in first.trained]
    assert not any(one.new for one in again.trained)


def test_a_stored_version_predicts_the_bits_it_was_validated_with(tmp_path: Path) -> None:
    frames = market()
    trained(stored(tmp_path, frames), "rsi")
    loaded = model_store(tmp_path).load(model_store(tmp_path)["rsi-1"])
    rows = trainer.panel(tuple(frames.values()), loaded.expert)
    fresh = trainer.validate(type(loaded.expert)(), rows, 1, settings().training)
    assert np.array_equal(loaded.expert.predict(rows.frame), fresh.expert.predict(rows.frame), equal_nan=True)
    assert loaded.calibration.prob_up(0.01, 0.02) == fresh.calibration.prob_up(0.01, 0.02)


def test_a_bad_symbol_and_a_bad_expert_stop_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flat = np.full(1_440, 7.0)
    frames = market()
    still = replace(frames["ETH/USDT"], symbol="DOGE/USDT", open=flat, high=flat, low=flat, close=flat)
    young = replace(frames["ETH/USDT"].rows(1_430, 1_440), symbol="NEW/USDT")
    stored(tmp_path, frames | {"still": still, "young": young})
    using = settings("BTC/USDT", "DOGE/USDT", "NEW/USDT", "XRP/USDT")
    using = using.model_copy(update={"experts": {"ma": {"horizon": 2_000}, "rsi": {}}})
    found = trained(tmp_path, using=using)
    assert [one.expert for one in found.trained] == ["rsi"]
    assert {failure.what for failure in found.failures} == {"DOGE/USDT", "NEW/USDT", "XRP/USDT", "ma"}


def test_without_a_usable_symbol_or_with_an_unknown_expert_nothing_begins(tmp_path: Path) -> None:
    with pytest.raises(NotEnoughHistory, match="no symbol can be trained on"):
        plan(settings(), stored(tmp_path, {}), {"ma": {}})
    with pytest.raises(ConfigError, match="unknown expert"):
        asked_experts(settings(), ("magic",))


def test_two_processes_make_the_same_versions_as_one(tmp_path: Path) -> None:
    here, there = stored(tmp_path / "a", market(40)), stored(tmp_path / "b", market(40))
    trained(here, "ma", "rsi")
    train(plan(settings(), there, asked_experts(settings(), ("ma", "rsi"))), there, NOW, workers=2)
    artefacts = [{v.card.expert: v.artefact for v in model_store(folder).versions()} for folder in (here, there)]
    assert artefacts[0] == artefacts[1]
    assert set(artefacts[0]) == {"ma", "rsi"}


def momentum(frame: BarFrame, rise: float) -> BarFrame:
    """Prices that go on as they went over the last two days, the more so the larger `rise`, amid noise."""
    rng = np.random.default_rng(11)
    steps = rng.standard_normal(len(frame)) * 0.004
    for i in range(48, len(steps)):
        steps[i] += rise * steps[i - 48 : i].mean()
    close = 100 * np.exp(np.cumsum(steps))
    return replace(frame, open=close, high=close * 1.001, low=close * 0.999, close=close)


def test_a_challenger_that_is_better_out_of_sample_takes_over(tmp_path: Path) -> None:
    stored(tmp_path, {"BTC/USDT": momentum(market(150)["BTC/USDT"], 0.9)})
    using = settings("BTC/USDT").model_copy(update={"experts": {"ma": {"fast": 2, "slow": 300}}})
    trained(tmp_path, using=using)
    found = trained(tmp_path, using=using.model_copy(update={"experts": {"ma": {}}}))
    test = model_store(tmp_path)["ma-2"].card.test
    assert test is not None
    assert test.p_value < 0.05
    assert found.trained[0].champion
    assert [v.stage for v in model_store(tmp_path).versions()] == ["retired", "champion"]
    back = trained(tmp_path, using=using)
    assert (back.trained[0].version, back.trained[0].champion) == ("ma-1", False)


def test_a_champion_whose_error_drifts_is_demoted_and_its_record_kept(tmp_path: Path) -> None:
    bars, using = market(150)["BTC/USDT"], settings("BTC/USDT")
    follows = momentum(bars.rows(0, 2_600), 0.9)
    turned = momentum(bars.rows(2_600, 3_600), -0.9)
    stored(tmp_path, {"past": follows})
    trained(tmp_path, "ma", using=using)
    stored(tmp_path, {"later": turned})
    (found,), faults = review(plan(using, tmp_path, {"ma": {}}), tmp_path, NOW + DAY_MS)
    assert found.drift.error_ratio > 1.25
    assert (found.demoted, found.successor, faults) == (True, "", ())
    assert model_store(tmp_path)["ma-1"].stage == "retired"
    assert model_store(tmp_path).outcomes("ma-1")[0].metrics.rows == 1_000 - 48


def test_a_regime_model_is_kept_with_versions_and_tells_the_same_bits(tmp_path: Path) -> None:
    using = settings("BTC/USDT").model_copy(update={"regime": RegimeSettings(model="vote")})
    bars = market()["BTC/USDT"]
    stored(tmp_path, {"first": bars.rows(0, 1_300)})
    first, again = (trained(tmp_path, "ma", using=using).trained[-1] for _ in range(2))
    assert (first.version, first.champion, first.new) == ("regime-vote-1", True, True)
    assert (again.version, again.new, again.why) == ("regime-vote-1", False, "it is champion already")
    stored(tmp_path, {"rest": bars.rows(1_300, len(bars))})
    assert trained(tmp_path, "ma", using=using).trained[-1].version == "regime-vote-2"
    store = model_store(tmp_path)
    assert store.champion(regime_slot("vote", "1h")) == store["regime-vote-2"]
    kept, fresh = store.load_regimes(store["regime-vote-1"]), REGIMES["vote"](interval="1h")
    frame = build(bars, fresh.features)
    told = fresh.fit(build(bars.rows(0, 1_300), fresh.features), 1).classify(frame)
    np.testing.assert_array_equal(kept.classify(frame).probs, told.probs)
    assert store.rollback("regime-vote-2", "for a look", NOW).id == "regime-vote-1"
    assert "nobody knows the true regime" in store["regime-vote-2"].card.warnings[0]
    with pytest.raises(ConfigError, match="not of regimes"):
        store.load_regimes(store["ma-1"])


def test_a_regime_model_that_cannot_be_fitted_stops_no_expert(tmp_path: Path) -> None:
    asked = {"regime": RegimeSettings(model="hmm"), "experts": {"volatility": {"horizon": 4}}}
    using = settings("BTC/USDT").model_copy(update=asked)
    stored(tmp_path, {"few": market(25)["BTC/USDT"]})
    found = trained(tmp_path, using=using)
    assert [one.version for one in found.trained] == ["volatility-1"]
    assert found.failures[-1].what == "regime-hmm"


@pytest.mark.slow
def test_a_network_is_trained_kept_and_asked_again_without_keras(tmp_path: Path) -> None:
    params = {"horizon": 4, "window": 8, "units": 4, "epochs": 2, "rows": 1_200}
    using = settings("BTC/USDT").model_copy(update={"experts": {"lstm": params}})
    bars = market()["BTC/USDT"]
    stored(tmp_path, {"BTC/USDT": bars})
    found = trained(tmp_path, using=using)
    assert [(one.version, one.champion) for one in found.trained] == [("lstm-1", True)], found.failures
    loaded = model_store(tmp_path).load(model_store(tmp_path)["lstm-1"])
    said = loaded.expert.predict(build(bars, loaded.expert.features))
    assert np.isfinite(said[200:]).all()
    trained(stored(tmp_path / "b", {"BTC/USDT": bars}), using=using)
    artefacts = [model_store(folder)["lstm-1"].artefact for folder in (tmp_path, tmp_path / "b")]
    assert artefacts[0] == artefacts[1]


def killed(tmp_path: Path, count: int) -> None:
    stored(tmp_path, market(80))
    script = Path(__file__).with_name("killed_training.py")
    command = [sys.executable, str(script), str(tmp_path), str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    whole, *after = json.loads(done.stdout)
    assert [row[0] for row in whole] == ["ma-1", "rsi-1", "volatility-1"]
    assert len(after) == count
    assert all(held == whole for held in after)


def test_training_that_is_killed_at_five_points_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    killed(tmp_path, 5)


@pytest.mark.slow
def test_training_that_is_killed_at_twenty_points_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    killed(tmp_path, 20)
