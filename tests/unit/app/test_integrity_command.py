"""`seakeep integrity` as a person meets it: a grade, a page, and exit codes a script can act on."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from seakeep.app.cli import app
from seakeep.app.console import Exit
from tests.unit.backtest.courtroom import market, stored


def ask(userdir: Path, *arguments: str) -> Result:
    """The command over stored bars, in this process."""
    options = ["integrity", "--userdir", str(userdir), "--symbols", "BTC/USDT", "--workers", "1", *arguments]
    return CliRunner().invoke(app, options)


def test_a_run_gets_its_grade_its_page_and_its_json(tmp_path: Path) -> None:
    stored(tmp_path, "trend", market(500))
    (tmp_path / "config.toml").write_text("[strategy.params]\nfast = 5\nslow = 20\nunit = 10\nfull = 0.5\n")
    answer = ask(tmp_path, "--strategy", "trend", "--at-least", "F", "--json")
    assert answer.exit_code == Exit.OK, answer.output
    found = json.loads(answer.stdout)
    assert found["grade"] in "ABCDF"
    assert found["whole"] is True
    assert {check["status"] for check in found["checks"]} <= {"pass", "warn", "fail", "not judged"}
    assert found["band"]["worst"]["total_return"] <= found["band"]["best"]["total_return"]
    page = Path(found["report"])
    assert f"Grade {found['grade']}" in page.read_text()
    assert json.loads((page.parent / "integrity.json").read_text())["grade"]["letter"] == found["grade"]


@pytest.mark.parametrize("strategy", ["court_tomorrow", "court_short", "court_broken"])
def test_a_broken_contract_is_an_f_and_exit_six(strategy: str, tmp_path: Path) -> None:
    stored(tmp_path, strategy, market(300))
    answer = ask(tmp_path, "--strategy", strategy)
    assert answer.exit_code == Exit.INTEGRITY
    assert "grade F" in answer.stdout
    assert not (tmp_path / "results").exists()


def test_a_bar_that_is_set_higher_is_kept(tmp_path: Path) -> None:
    stored(tmp_path, "court_silent", market(300))
    assert ask(tmp_path, "--strategy", "court_silent", "--at-least", "A").exit_code == Exit.INTEGRITY
    assert ask(tmp_path, "--strategy", "court_silent", "--at-least", "F").exit_code == Exit.OK


def test_a_missing_folder_or_an_unknown_strategy_is_an_error_of_configuration(tmp_path: Path) -> None:
    stored(tmp_path, "court_honest", market(50))
    for answer in (ask(tmp_path / "none"), ask(tmp_path, "--strategy", "court_unheard")):
        assert answer.exit_code != 0
        assert type(answer.exception).__name__ == "ConfigError"
