import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from seakeep.app.cli import app
from seakeep.app.models.beliefs import chosen, pinned, unseen
from seakeep.app.models.trainer import plan, train
from seakeep.app.places import bar_store
from seakeep.app.sections import Settings
from seakeep.app.settings import load
from seakeep.core.errors import ConfigError, IntegrityError
from seakeep.data.synthetic import SyntheticParams, generate

OPTIONS = {"run.symbols": "BTC/USDT", "run.interval": "1h", "experts.ma": {}, "experts.volatility": {}}


@pytest.fixture(scope="module")
def userdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("user")
    made = generate(SyntheticParams(symbols=("BTC/USDT",), delisted=None, interval="1h", days=90, seed=2))
    store = bar_store(settings(), folder)
    for frame in made.frames.values():
        store.set_instrument(made.instruments[frame.symbol])
        store.write(frame)
    assert run("train", "-s", "BTC/USDT", "-e", "ma,volatility", "--workers", "1", userdir=folder).exit_code == 0
    return folder


def settings(**more: object) -> Settings:
    return load(None, {}, OPTIONS | {key.replace("__", "."): value for key, value in more.items()}).settings


def run(*words: str, userdir: Path) -> Result:
    return CliRunner().invoke(app, [*words, "--userdir", str(userdir), "--json"])


def test_training_again_on_the_same_bars_says_so(userdir: Path) -> None:
    said = json.loads(run("train", "-s", "BTC/USDT", "-e", "ma", "--workers", "1", userdir=userdir).stdout)
    assert [(one["version"], one["new"]) for one in said["trained"]] == [("ma-1", False)]


def test_versions_are_listed_shown_and_compared(userdir: Path) -> None:
    rows = json.loads(run("models", "list", userdir=userdir).stdout)
    assert [(row["version"], row["stage"]) for row in rows] == [("ma-1", "champion"), ("volatility-1", "champion")]
    card = json.loads(run("models", "show", "ma", userdir=userdir).stdout)
    assert [event["what"] for event in card["events"]] == ["trained", "promoted"]
    assert card["card"]["symbols"] == ["BTC/USDT"]
    assert json.loads(run("models", "diff", "ma-1", "ma-1", userdir=userdir).stdout) == []


def test_there_is_nothing_to_roll_back_to_and_no_version_of_that_name(userdir: Path) -> None:
    for words, said in (
        (("rollback", "ma"), "no champion before ma-1"),
        (("show", "magic-1"), "no such model version"),
    ):
        done = run("models", *words, userdir=userdir)
        assert isinstance(done.exception, ConfigError)
        assert said in str(done.exception)


def test_a_run_takes_the_champions_and_pins_them(userdir: Path) -> None:
    using = settings(models__use="registry")
    assert pinned(using, userdir).models.versions == {"ma": "ma-1", "volatility": "volatility-1"}
    beliefs = chosen(using, userdir)
    assert set(beliefs.calibrations) == set(beliefs.experts) == {"ma", "volatility"}
    assert unseen(beliefs, None) == beliefs.seen_until
    with pytest.raises(ConfigError, match="have seen bars until"):
        unseen(beliefs, beliefs.seen_until - 1)


def test_what_the_registry_cannot_give_is_said(userdir: Path) -> None:
    asks = {"experts.ma": {"fast": 5}}, {"experts.rsi": {}}, {"models.versions": {"ma": "volatility-1"}}
    said = "was trained with fast = 20", "no champion of rsi", "is of volatility"
    for ask, words in zip(asks, said, strict=True):
        using = load(None, {}, OPTIONS | {"models.use": "registry"} | ask).settings
        with pytest.raises(ConfigError, match=words):
            chosen(using, userdir)


def test_a_champion_whose_file_was_altered_is_refused_by_a_run_and_by_show(userdir: Path) -> None:
    kept = {path: path.read_bytes() for path in (userdir / "models" / "artefacts").iterdir()}
    for path, content in kept.items():
        path.write_bytes(content[:-9] + b"tampered!")
    with pytest.raises(IntegrityError, match="altered"):
        chosen(settings(models__use="registry"), userdir)
    assert isinstance(run("models", "show", "ma", userdir=userdir).exception, IntegrityError)
    for path, content in kept.items():
        path.write_bytes(content)


def test_nothing_to_train_on_is_an_error(tmp_path: Path) -> None:
    done = run("train", "-e", "ma", userdir=tmp_path)
    assert "no symbol can be trained on" in str(done.exception)
    assert not (tmp_path / "models" / "registry.db").exists()


def test_a_run_takes_the_regime_model_of_the_registry_as_it_was_fitted(userdir: Path) -> None:
    using = settings(regime__model="vote", models__use="registry")
    before = chosen(using, userdir)
    assert (before.regimes_fitted, "regimes" in before.versions) == (False, False)
    todo = plan(using, userdir, {})
    assert train(todo, userdir, 1_700_000_000_000).trained[0].version == "regime-vote-1"
    beliefs = chosen(using, userdir)
    assert pinned(using, userdir).models.versions["regimes"] == beliefs.versions["regimes"] == "regime-vote-1"
    assert (beliefs.regimes_fitted, beliefs.history_ms(using)) == (True, 0)
    assert beliefs.seen_until >= todo.seen_until
    with pytest.raises(ConfigError, match="was fitted with dwell = 6"):
        chosen(settings(regime__model="vote", regime__params={"dwell": 3}, models__use="registry"), userdir)
