"""`compare` as a person asks it."""

import json
from pathlib import Path

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from seakeep.app.commands import compare
from seakeep.app.console import Exit
from seakeep.backtest.saving import save
from seakeep.core.errors import ConfigError
from tests.unit.backtest.factory import make


@pytest.fixture(scope="module")
def userdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    for name, result in (("first", make(bars=24 * 40)), ("second", make(bars=24 * 50, every=7))):
        save(result, folder / "results" / name)
    return folder


def ask(userdir: Path, *words: str) -> Result:
    app = typer.Typer()
    compare.register(app)
    app.command("other")(lambda: None)
    return CliRunner().invoke(app, ["compare", *words, "--userdir", str(userdir), "--samples", "100"])


def test_the_same_run_twice_differs_by_nothing(userdir: Path) -> None:
    answer = json.loads(ask(userdir, "first", "first", "--json").stdout)
    assert {(d["difference"], d["p_value"]) for d in answer["contrasts"][0]["differences"]} == {(0.0, 1.0)}


def test_two_runs_are_shown_side_by_side_with_what_was_left_out(userdir: Path) -> None:
    said = ask(userdir, "first", "second").stdout
    for word in ("Sharpe", "Max drawdown", "difference", "240 of 1,200 bars"):
        assert word in said
    answer = json.loads(ask(userdir, "first", "second", "--json").stdout)
    assert answer["contrasts"][0]["bars"] == 24 * 40
    assert len(answer["metrics"]) == 2


@pytest.mark.parametrize("name", ["missing", "../first", "", "/etc"])
def test_a_run_that_is_not_there_is_not_found(userdir: Path, name: str) -> None:
    done = ask(userdir, "first", name)
    assert done.exit_code == Exit.NOT_FOUND
    assert "there are: first, second" in done.stderr


def test_one_run_is_not_a_comparison(userdir: Path) -> None:
    assert isinstance(ask(userdir, "first").exception, ConfigError)
