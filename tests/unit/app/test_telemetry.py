"""Telemetry: what is written, and what never is."""

import json
import logging
import subprocess
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seakeep.app.telemetry import is_secret_name, mask, secret_values, setup
from seakeep.core.errors import ConfigError

PLANTED = 'pl"anted\\sécret-9'
ENV = {"BINANCE_API_KEY": PLANTED, "DATABASE_URL": "postgresql://sea:p@ss/word9@db/x", "LANG": "C.UTF-8"}


def lines(userdir: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (userdir / "logs" / "seakeep.jsonl").read_text("utf-8").splitlines()]


def test_each_message_is_one_json_line_with_its_fields(tmp_path: Path) -> None:
    log = setup(tmp_path, ENV)
    log.info("filled\nfor real", symbol="BTC/USDT", qty=0.5)
    log.debug("too quiet to keep")
    (line,) = lines(tmp_path)
    assert (line["event"], line["symbol"], line["qty"], line["level"]) == ("filled\nfor real", "BTC/USDT", 0.5, "info")
    assert str(line["ts"]).endswith("Z")


def test_a_planted_secret_reaches_neither_the_file_nor_the_terminal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log = setup(tmp_path, ENV, verbose=True)
    log.info(f"using {PLANTED}", url=ENV["DATABASE_URL"], nested={"deep": [PLANTED, {"apiKey": "short"}]}, token="t0k")
    log.error("an object that shows it", thing=ValueError(PLANTED), raw=PLANTED.encode())
    try:
        raise ConnectionError(f"login {PLANTED} refused by {ENV['DATABASE_URL']}")
    except ConnectionError:
        log.exception("venue")
    text = (tmp_path / "logs" / "seakeep.jsonl").read_text("utf-8") + capfd.readouterr().err
    assert text.count("ConnectionError: login ***") == 2
    for leak in ("cret-9", "word9", "short", "t0k"):
        assert leak not in text


@pytest.mark.parametrize(
    "name", ["api_key", "apiKey", "BINANCE_SECRET_KEY", "NEWSAPI_KEY", "token", "PGPASSWORD", "Authorization", "secret"]
)
def test_names_of_secrets_are_known(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize("name", ["monkey", "keyboard", "min_order_gap_ms", "symbol", "PWD", "turnkey_rate"])
def test_other_names_are_left_alone(name: str) -> None:
    assert not is_secret_name(name)


@given(st.text(st.characters(categories=["L", "N"]), min_size=6), st.text(), st.text())
def test_a_known_secret_never_survives_the_mask(secret: str, before: str, after: str) -> None:
    assert secret not in mask(before + secret + after, secret_values({"SOME_TOKEN": secret}))


def test_the_log_turns_over_at_ten_megabytes_and_keeps_five_files(tmp_path: Path) -> None:
    log = setup(tmp_path, {})
    (handler,) = logging.getLogger("seakeep").handlers
    assert isinstance(handler, RotatingFileHandler)
    assert (handler.maxBytes, handler.backupCount) == (10_000_000, 4)
    handler.maxBytes = 300
    for number in range(40):
        log.info("row", number=number)
    files = sorted((tmp_path / "logs").iterdir())
    assert len(files) == 5
    assert all(file.stat().st_size <= 300 for file in files)


def test_a_second_setup_replaces_the_first(tmp_path: Path) -> None:
    setup(tmp_path / "a", {})
    setup(tmp_path / "b", {}).info("once")
    assert (tmp_path / "a" / "logs" / "seakeep.jsonl").read_text() == ""
    assert len(lines(tmp_path / "b")) == 1


def test_a_folder_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot write the log"):
        setup(tmp_path / "file", {})


def test_importing_telemetry_does_not_import_structlog() -> None:
    code = "import sys, seakeep.app.telemetry; sys.exit('structlog' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
