"""Settings: precedence, provenance, refusals."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seakeep.app.settings import ALIASES, UNREAD, Loaded, Settings, config_path, known_keys, load
from seakeep.core.errors import ConfigError

KEY = "risk.limits.max_weight"
ENV = "SEAKEEP__RISK__LIMITS__MAX_WEIGHT"


def written(folder: Path, text: str) -> Path:
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    return path


def refusal(path: Path | None = None, env: dict[str, str] | None = None, **options: object) -> str:
    with pytest.raises(ConfigError) as caught:
        load(path, env or {}, options)
    return str(caught.value)


def max_weight(loaded: Loaded) -> tuple[float, str]:
    return loaded.settings.risk.limits.max_weight, loaded.provenance[KEY]


def test_each_source_beats_the_weaker_ones(tmp_path: Path) -> None:
    path = written(tmp_path, "[risk.limits]\nmax_weight = 0.02\n")
    alias, env = {"MAX_POSITION_SIZE": "0.03"}, {ENV: "0.04"}
    assert max_weight(load(None, {}, {})) == (0.10, "default")
    assert max_weight(load(path, {}, {})) == (0.02, "config.toml:2")
    assert max_weight(load(path, alias, {})) == (0.03, "env MAX_POSITION_SIZE")
    assert max_weight(load(path, alias | env, {})) == (0.04, f"env {ENV}")
    assert max_weight(load(path, alias | env, {KEY: 0.05})) == (0.05, "option")


def test_an_option_that_was_not_given_and_an_empty_alias_change_nothing() -> None:
    assert max_weight(load(None, {"MAX_POSITION_SIZE": ""}, {KEY: None})) == (0.10, "default")


def test_every_leaf_has_a_provenance_and_every_alias_a_key() -> None:
    known = dict(known_keys())
    leaves = {key for key in known if not any(other.startswith(f"{key}.") for other in known)}
    assert set(load(None, {}, {}).provenance) == leaves
    assert set(ALIASES.values()) <= leaves


@pytest.mark.parametrize("name", UNREAD)
def test_a_name_that_nothing_reads_yet_is_announced_not_swallowed(name: str) -> None:
    assert any(name in line for line in load(None, {name: "1"}, {}).notices)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("risk.limits.max_wieght", KEY),
        ("rnu.seed", "run.seed"),
        ("strategy.weights.techncal", "strategy.weights.technical"),
        ("strategy.zzz", "weights"),
    ],
)
def test_an_unknown_key_names_the_nearest_known_one(tmp_path: Path, typed: str, meant: str) -> None:
    section, _, name = typed.rpartition(".")
    text = refusal(written(tmp_path, f"[{section}]\n{name} = 1\n"))
    assert section in text
    assert meant in text
    assert "config.toml" in text
    assert meant in refusal(None, {"SEAKEEP__" + typed.upper().replace(".", "__"): "1"})


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("[risk.limits]\nmax_weight = '0.1'", KEY, "'0.1'"),
        ("[risk.limits]\nmax_weight = true", KEY, "True"),
        ("[risk.limits]\nmax_weight = nan", KEY, "nan"),
        ("[risk.limits]\nmax_weight = -1", KEY, "-1"),
        ("[run]\nseed = 1.5", "run.seed", "1.5"),
        ("[run]\nsymbols = 'BTC/USDT'", "run.symbols", "BTC/USDT"),
        ("[run]\nsymbols = ['btcusdt']", "run.symbols", "btcusdt"),
        ("[run]\ninterval = '5 minutes'", "run.interval", "5 minutes"),
        ("[run]\ntimerange = '20240601-20240101'", "run.timerange", "20240601-20240101"),
        ("[experts.ma]\nfast = [1]", "experts.ma.fast", "[1]"),
        ("risk = 3", "risk", "3"),
    ],
)
def test_a_wrong_value_names_key_value_and_line(tmp_path: Path, text: str, key: str, value: str) -> None:
    message = refusal(written(tmp_path, text))
    assert message.startswith(key)
    assert value in message
    assert re.search(r"config\.toml:\d", message)


def test_environment_text_becomes_the_type_its_key_asks_for() -> None:
    env = {
        "SEAKEEP__RUN__SYMBOLS": "BTC/USDT, ETH/USDT:USDT",
        "SEAKEEP__RUN__SEED": "7",
        "SEAKEEP__RUN__TIMERANGE": "20240101-",
        "SEAKEEP__BROKER__INITIAL_CASH": "2500.50",
        "SEAKEEP__EXPERTS__MA__FAST": "9",
        "SEAKEEP__STRATEGY__PARAMS__FULL": "1.5",
    }
    settings = load(None, env, {}).settings
    assert settings.run.symbols == ("BTC/USDT", "ETH/USDT:USDT")
    assert (settings.run.seed, settings.run.timerange) == (7, "20240101-")
    assert str(settings.broker.initial_cash) == "2500.50"
    assert (settings.experts, settings.strategy.params) == ({"ma": {"fast": 9}}, {"full": 1.5})


def test_thresholds_are_checked_together_and_handed_on_alone() -> None:
    assert "exit must be nearer to zero" in refusal(None, {"SEAKEEP__STRATEGY__EXIT": "0.9"})
    thresholds = load(None, {}, {"strategy.long": 0.7}).settings.strategy.thresholds
    assert (thresholds.long, set(type(thresholds).model_fields)) == (0.7, {"long", "short", "exit", "min_confidence"})


@pytest.mark.parametrize(
    "text",
    [
        "[broker]\napi_key = 'k3y-planted'",
        "[x]\nsecretKey='k3y-planted'",
        "[ledger]\nurl = 'pg://sea:k3y-planted@db/x'",
    ],
)
def test_a_secret_in_the_file_is_refused_and_never_shown(tmp_path: Path, text: str) -> None:
    message = refusal(written(tmp_path, text))
    assert "environment" in message
    assert "k3y-planted" not in message


def test_a_database_password_may_come_from_the_environment() -> None:
    loaded = load(None, {"DATABASE_URL": "postgresql://sea:keep@db/x"}, {})
    assert loaded.settings.ledger.url == "postgresql://sea:keep@db/x"
    assert loaded.provenance["ledger.url"] == "env DATABASE_URL"
    assert "keep" not in loaded.settings.model_dump_json()


def test_a_whole_table_may_be_given_as_an_option() -> None:
    loaded = load(None, {}, {"experts": {"ma": {"fast": 5}, "rsi": {}}})
    assert loaded.settings.experts == {"ma": {"fast": 5}, "rsi": {}}
    assert loaded.provenance["experts.ma.fast"] == "option"


def test_a_file_that_is_missing_not_toml_or_not_text_says_so(tmp_path: Path) -> None:
    assert "seakeep init" in refusal(tmp_path / "none.toml")
    assert "not TOML" in refusal(written(tmp_path, "[run\n"))
    assert "cannot read" in refusal(tmp_path)
    path = tmp_path / "latin.toml"
    path.write_bytes(b"[run]\n# \xff\n")
    assert "UTF-8" in refusal(path)


def test_the_user_folder_is_looked_in_only_when_no_file_is_named(tmp_path: Path) -> None:
    assert config_path(tmp_path, None) is None
    path = written(tmp_path, "")
    assert config_path(tmp_path, None) == path
    assert config_path(tmp_path, Path("other.toml")) == Path("other.toml")


def test_the_costs_of_one_symbol_are_checked_like_the_rest(tmp_path: Path) -> None:
    head = '[costs.symbols."BTC/USDT"]\n'
    loaded = load(written(tmp_path, head + "half_spread_bps = 3.0\n"), {}, {})
    assert loaded.settings.costs.rates("BTC/USDT").half_spread == 0.0003
    assert loaded.provenance["costs.symbols.BTC/USDT.half_spread_bps"] == "config.toml:2"
    assert "permanent" in refusal(written(tmp_path, head + "permament = 1\n"))


@given(st.floats(0.001, 9.0))
def test_settings_written_out_and_read_again_are_equal(weight: float) -> None:
    settings = load(None, {}, {KEY: weight}).settings
    assert Settings.model_validate_json(settings.model_dump_json(), strict=True) == settings
