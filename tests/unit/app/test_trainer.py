import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from seakeep.app import trainer
from seakeep.app.modelreview import review
from seakeep.app.places import bar_store
from seakeep.app.sections import Settings
from seakeep.app.trainer import asked_experts, model_store, plan, train
from seakeep.core.errors import ConfigError, NotEnoughHistory
from seakeep.core.market import BarFrame
from seakeep.core.units import DAY_MS
from seakeep.data.synthetic import SyntheticParams, generate

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
