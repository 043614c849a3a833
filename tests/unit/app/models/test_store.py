import sqlite3
from pathlib import Path

import numpy as np
import pytest

from seakeep.app.models.store import ModelStore, Outcome, Version
from seakeep.core.errors import ConfigError, IntegrityError, LedgerError
from seakeep.models.calibration import Calibration
from seakeep.models.card import Card, changes, text
from seakeep.models.comparison import Metrics

METRICS = Metrics(100, 0.9, 1.0, 0.1, 100, 0.55, 20, float("nan"))
SLOT = ("rsi", "1h", 48)


def card(seed: int = 1, parent: str = "") -> Card:
    return Card(
        expert="rsi",
        params={"horizon": 48, "period": 14},
        interval="1h",
        symbols=("BTC/USDT",),
        seed=seed,
        folds=3,
        trained_from=0,
        trained_until=1_000,
        seen_until=2_000,
        rows=80,
        data="d" * 64,
        code="1",
        caused_by="asked for",
        metrics=METRICS,
        confidence=0.5,
        coverage=0.9,
        brier=0.25,
        brier_base=0.25,
        parent=parent,
    )


def parts(slope: float) -> dict[str, dict[str, object]]:
    expert = {"slope_": slope, "deviation_": 0.02, "confidence_": 0.5, "scale_": 0.001}
    z, p = np.array([-1.0, 1.0]), np.array([0.4, 0.6])
    calibration = Calibration("platt", z, p, 0.9, 1.6, 0.1, 100, 0.25, 0.25, 0.25, 0.9).state()
    looks = {"names": "rsi:14", "edges": np.full((1, 9), 50.0), "shares": np.full((1, 10), 0.1), "usual": np.zeros(1)}
    return {"expert": expert, "calibration": calibration, "reference": looks}


def added(store: ModelStore, seed: int) -> Version:
    return store.add(card(seed), parts(float(seed)), f"key {seed}", seed)  # type: ignore[arg-type]


def test_what_is_kept_comes_back_as_it_was(tmp_path: Path) -> None:
    store = ModelStore(tmp_path / "models")
    added(store, 3)
    version = store["rsi-1"]
    loaded = store.load(version)
    assert (changes(version.card, card(3)), version.stage) == ((), "candidate")
    assert loaded.expert.state() == parts(3.0)["expert"]
    assert loaded.calibration.prob_up(0.5, 1.0) == pytest.approx(0.55)
    assert loaded.reference.names == ("rsi:14",)


def test_the_same_key_is_one_version(tmp_path: Path) -> None:
    store = ModelStore(tmp_path)
    assert added(store, 1).id == added(store, 1).id == "rsi-1"
    assert added(store, 2).id == "rsi-2"
    assert len(store.versions()) == 2


def test_there_is_one_champion_and_rolling_back_brings_the_one_before(tmp_path: Path) -> None:
    store = ModelStore(tmp_path)
    for seed in (1, 2, 3):
        store.promote(added(store, seed).id, "better", seed)
    assert [version.stage for version in store.versions()] == ["retired", "retired", "champion"]
    assert store.rollback("rsi-3", "worse", 4).id == "rsi-2"
    assert store.rollback("rsi-2", "worse", 5).id == "rsi-1"
    with pytest.raises(ConfigError, match="no champion before rsi-1"):
        store.rollback("rsi-1", "worse", 6)
    champion = store.champion(SLOT)
    assert champion is not None
    assert champion.id == "rsi-1"


def test_a_demoted_version_is_not_brought_back(tmp_path: Path) -> None:
    store = ModelStore(tmp_path)
    for seed in (1, 2):
        store.promote(added(store, seed).id, "better", seed)
    restored = store.demote("rsi-2", "its error grew", 3)
    assert restored is not None
    assert restored.id == "rsi-1"
    store.promote(added(store, 4).id, "better", 4)
    store.demote("rsi-3", "its error grew", 5)
    assert store.demote("rsi-1", "its error grew", 6) is None
    assert store.champion(SLOT) is None
    assert [event.what for event in store.events("rsi-2")] == ["trained", "promoted", "demoted"]


@pytest.mark.parametrize("harm", ["altered", "cut", "emptied", "gone"])
def test_a_harmed_artefact_is_refused_by_name(tmp_path: Path, harm: str) -> None:
    store = ModelStore(tmp_path)
    version = added(store, 1)
    path = tmp_path / "artefacts" / f"{version.artefact}.npz"
    content = path.read_bytes()
    middle = len(content) // 2
    harmed = {"altered": content[:middle] + b"\x00" + content[middle + 1 :], "cut": content[:middle], "emptied": b""}
    path.unlink() if harm == "gone" else path.write_bytes(harmed[harm])
    with pytest.raises(IntegrityError, match=f"{version.artefact}.npz"):
        store.load(version)


def test_a_harmed_artefact_is_mended_by_training_the_same_again(tmp_path: Path) -> None:
    store = ModelStore(tmp_path)
    version = added(store, 1)
    (tmp_path / "artefacts" / f"{version.artefact}.npz").write_bytes(b"no archive")
    assert store.load(added(store, 1)).expert.state() == parts(1.0)["expert"]


def test_another_file_of_that_name_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "registry.db").write_bytes(b"this is a diary, and no database at all")
    with pytest.raises(LedgerError, match="registry"):
        added(ModelStore(tmp_path), 1)
    with sqlite3.connect(tmp_path / "other.db") as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
    (tmp_path / "other.db").replace(tmp_path / "registry.db")
    with pytest.raises(LedgerError, match="not a registry of models"):
        ModelStore(tmp_path).versions()


def test_an_unknown_version_names_the_nearest(tmp_path: Path) -> None:
    store = ModelStore(tmp_path)
    with pytest.raises(ConfigError, match="seakeep train"):
        _ = store["rsi-1"]
    added(store, 1)
    with pytest.raises(ConfigError, match="did you mean rsi-1"):
        _ = store["rsi-2"]


def test_events_are_only_added(tmp_path: Path) -> None:
    store = ModelStore(tmp_path)
    added(store, 1)
    with sqlite3.connect(tmp_path / "registry.db") as connection:
        for statement in ("DELETE FROM events", "UPDATE events SET reason = ''"):
            with pytest.raises(sqlite3.IntegrityError, match="only added"):
                connection.execute(statement)


def test_a_live_record_is_kept_in_order_of_time(tmp_path: Path) -> None:
    store = ModelStore(tmp_path)
    added(store, 1)
    for stop in (30, 20, 30):
        store.record(Outcome("rsi-1", 10, stop, METRICS))
    assert [outcome.stop for outcome in store.outcomes("rsi-1")] == [20, 30]


def test_a_card_says_what_it_must_not_be_used_for_and_two_what_differs() -> None:
    page = text(card())
    assert "earlier rows shaped it" in page
    assert "20 trades in validation are few" in page
    assert ("seed", 1, 2) in changes(card(1), card(2))
    assert [name for name, _, _ in changes(card(1), card(1, parent="rsi-9"))] == ["parent"]
