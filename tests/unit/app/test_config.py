"""show-config, init and new-strategy, as a user types them."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from seakeep.app.commands import config
from seakeep.app.settings import load
from seakeep.core.beliefs import FeatureFrame
from seakeep.core.errors import ConfigError

app = typer.Typer()
config.register(app)


def run(*words: str, **env: str) -> str:
    result = CliRunner().invoke(app, list(words), env=env, catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_init_writes_a_file_that_changes_nothing_until_a_line_is_uncommented(tmp_path: Path) -> None:
    run("init", str(tmp_path / "u"))
    path = tmp_path / "u" / "config.toml"
    assert set(load(path, {}, {}).provenance.values()) == {"default"}


UNSET: Any = {"experts": True, "run": {"timerange"}, "ledger": {"url"}, "regime": {"model"}}
"""What has no default to state."""


def test_every_commented_default_is_the_default(tmp_path: Path) -> None:
    path = tmp_path / "all.toml"
    path.write_text(re.sub(r"(?m)^#(?=[a-z\[])", "", config.config_text()), "utf-8")
    loaded, plain = load(path, {}, {}), load(None, {}, {})
    assert loaded.settings.experts == {"ma": {}}
    changes = {"run.timerange": None, "ledger.url": None, "regime.model": None}
    for key, value in changes.items():
        section, name = key.split(".")
        assert getattr(getattr(plain.settings, section), name) is value
    stated = {key for key, source in loaded.provenance.items() if source != "default"}
    assert stated == (set(plain.provenance) - {"experts"}) | {"experts.ma"}
    same = loaded.settings.model_dump(exclude=UNSET)
    assert same == plain.settings.model_dump(exclude=UNSET)


def test_init_refuses_to_overwrite_and_leaves_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "strategies").mkdir()
    mine = tmp_path / "strategies" / "breakout.py"
    mine.write_text("mine", "utf-8")
    with pytest.raises(ConfigError, match=r"breakout\.py is already there"):
        run("init", str(tmp_path))
    assert mine.read_text("utf-8") == "mine"
    assert not (tmp_path / "config.toml").exists()


def test_show_config_says_where_each_value_came_from_and_hides_passwords(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[run]\nseed = 9\n", "utf-8")
    env = {"DATABASE_URL": "postgresql://sea:keepout@db/x", "MAX_POSITION_SIZE": "0.05"}
    rows = json.loads(run("show-config", "--userdir", str(tmp_path), "--json", **env))
    assert rows["run.seed"] == {"value": 9, "source": "config.toml:2"}
    assert rows["risk.limits.max_weight"] == {"value": 0.05, "source": "env MAX_POSITION_SIZE"}
    assert rows["ledger.url"]["value"] == "postgresql://sea:***@db/x"
    table = run("show-config", "--userdir", str(tmp_path), **env)
    assert "keepout" not in table
    assert re.search(r"run\.seed\s+9\s+config\.toml:2", table)


def test_a_new_strategy_is_ten_lines_that_register_and_score(tmp_path: Path) -> None:
    run("new-strategy", "slow_breakout", "--userdir", str(tmp_path))
    source = (tmp_path / "strategies" / "slow_breakout.py").read_text("utf-8")
    assert len([line for line in source.splitlines() if line]) <= 10
    exec(compile(source, "slow_breakout.py", "exec"), {"__name__": "mine"})
    from seakeep.strategy import STRATEGIES

    strategy = STRATEGIES["slow_breakout"]()
    values = np.array([[90.0, 100, 80], [100, 100, 80], [80, 100, 80], [80, 80, 80]])
    frame = FeatureFrame("X/Y", np.arange(4), strategy.features, values)
    np.testing.assert_array_equal(strategy.score(frame, {}), [0.0, 1.0, -1.0, np.nan])


@pytest.mark.parametrize("name", ["class", "9x", "Ab", "é", "../x", "", "_", "trend", "a b"])
def test_a_name_that_cannot_be_a_strategy_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError):
        run("new-strategy", name, "--userdir", str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_strategy_file_is_never_overwritten(tmp_path: Path) -> None:
    run("new-strategy", "mine", "--userdir", str(tmp_path))
    with pytest.raises(ConfigError, match="already there"):
        run("new-strategy", "mine", "--userdir", str(tmp_path))
