"""The commands as a person types them: import, list, check, download."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from seakeep.app.commands import data
from seakeep.core.errors import ConfigError, DataError

RUN = CliRunner()
HOUR = 3_600_000


def command(userdir: Path, *words: object):
    app = typer.Typer()
    data.register(app)
    return RUN.invoke(app, [*map(str, words), "--userdir", str(userdir)])


def hours(path: Path, rows: int, skip: int = -1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"{1_704_067_200_000 + i * HOUR},2,3,1,2,{i + 1}" for i in range(rows) if i != skip]
    path.write_text("\n".join(lines))
    return path


def test_a_folder_is_imported_listed_and_checked(tmp_path):
    hours(tmp_path / "in/BTCUSDT-1h.csv", 9, skip=4)
    hours(tmp_path / "in/1h_perp/ETHUSDT.csv", 5)
    done = command(tmp_path, "import-data", tmp_path / "in", "--json")
    assert done.exit_code == 0, done.output
    assert {f["symbol"]: f["written"] for f in json.loads(done.stdout)["imported"]} == {
        "BTC/USDT": 8,
        "ETH/USDT:USDT": 5,
    }
    listed = json.loads(command(tmp_path, "list-data", "--json").stdout)["data"]
    assert [(e["symbol"], e["interval"], e["rows"]) for e in listed] == [
        ("BTC/USDT", "1h", 8),
        ("ETH/USDT:USDT", "1h", 5),
    ]
    (report,) = json.loads(command(tmp_path, "check-data", "-s", "BTC/USDT", "--json").stdout)["reports"]
    assert {f["kind"]: f["count"] for f in report["findings"]}["gap"] == 1
    for words in (["check-data"], ["list-data"], ["import-data", tmp_path / "in"]):
        shown = command(tmp_path, *words)
        assert shown.exit_code == 0
        assert "BTC/USDT" in shown.stdout


def test_one_bad_file_in_a_folder_does_not_stop_the_good_ones_but_is_told(tmp_path):
    hours(tmp_path / "in/BTCUSDT-1h.csv", 9)
    (tmp_path / "in/ETHUSDT-1h.csv").write_text("1704067200000,1,1,1,x,1\n" * 3)
    done = command(tmp_path, "import-data", tmp_path / "in", "--json")
    assert done.exit_code == 1
    answer = json.loads(done.stdout)
    assert len(answer["imported"]) == 1
    assert "ETHUSDT-1h.csv line 1: close must be a number" in answer["failed"][0]
    assert answer["failed"][0] in done.stderr


def test_wrong_words_end_in_an_error_that_names_them(tmp_path):
    file = hours(tmp_path / "BTCUSDT-1h.csv", 9)
    cases = [
        (["import-data", file, "--market", "moon"], ConfigError, "--market"),
        (["import-data", file, "--map", "time"], ConfigError, "time=Date"),
        (["import-data", file, "--symbol", "../x"], ConfigError, "not a symbol"),
        (["list-data"], DataError, "holds no bars"),
        (["download-data", "-s", "BTC/USDT", "--exchange", "binanze"], ConfigError, "did you mean binance"),
    ]
    for words, kind, says in cases:
        done = command(tmp_path, *words)
        assert isinstance(done.exception, kind), words
        assert says in str(done.exception)


def test_files_of_two_symbols_are_not_poured_into_one(tmp_path):
    hours(tmp_path / "in/BTCUSDT-1h.csv", 9)
    hours(tmp_path / "in/ETHUSDT-1h.csv", 9)
    done = command(tmp_path, "import-data", tmp_path / "in", "--symbol", "BTC/USDT")
    assert isinstance(done.exception, ConfigError)
    with pytest.raises(ConfigError, match="BTC/USDT and ETH/USDT"):
        raise done.exception
