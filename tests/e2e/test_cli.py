"""The command line as a person meets it: bad input is one clear line and its exit code, and nothing is half-written."""

import json
import os
import random
import re
import resource
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from seakeep.app.cli import main
from seakeep.data.store import ParquetStore
from seakeep.data.synthetic import SyntheticParams, generate

ROOT = Path(__file__).parents[2]
HOUR = 3_600_000
ROWS = [(1_704_067_200_000 + i * HOUR, 100 + i, 102 + i, 99 + i, 101 + i, 5) for i in range(48)]
HEAD = "open_time,open,high,low,close,volume"
STRATEGY = """
import numpy as np
from seakeep.strategy import STRATEGIES, Strategy

@STRATEGIES.register("{name}")
class Mine(Strategy):
    features = ("close", "{feature}")

    def score(self, frame, forecasts):
        {body}
"""
_names = (f"mine_{i}" for i in count())


class Answer(NamedTuple):
    """What a command left: its exit code, stdout and stderr."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one line that says what is wrong."""
        assert "Traceback" not in self.err
        assert self.out == ""
        (line,) = self.err.splitlines()
        assert line.startswith("error: ")
        return line

    @property
    def json(self) -> Any:
        """The one JSON document on stdout."""
        assert self.code == 0, self.err
        return json.loads(self.out)


Command = Callable[..., Answer]


@pytest.fixture
def home(tmp_path: Path, market: Path) -> Path:
    """A user folder with bars of its own, and no settings."""
    shutil.copytree(market, tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("market")
    made = generate(SyntheticParams(symbols=("BTC/USDT", "ETH/USDT"), delisted=None, interval="1h", days=30, seed=5))
    store = ParquetStore(folder / "data")
    for frame in made.frames.values():
        store.set_instrument(made.instruments[frame.symbol])
        store.write(frame)
    return folder


@pytest.fixture
def seakeep(home: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Command:
    """The command line in this process, in a folder of its own and with no settings in the environment."""
    monkeypatch.chdir(home.parent)
    for name in [name for name in os.environ if name.startswith("SEAKEEP__")]:
        monkeypatch.delenv(name)

    def call(*words: object) -> Answer:
        capfdbinary.readouterr()
        monkeypatch.setattr(sys, "argv", ["seakeep", *map(str, words)])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        out, err = capfdbinary.readouterr()
        return Answer(code, out.decode(), err.decode())

    return call


def process(*words: object, run: Sequence[str] = (), **options: Any) -> Answer:
    """The command line as a process of its own."""
    command = [*run, sys.executable, "-m", "seakeep.app.cli", *map(str, words)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60, **options)
    return Answer(done.returncode, done.stdout, done.stderr)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder but the log."""
    files = (p for p in folder.rglob("*") if p.is_file() and p.parent.name != "logs")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


# --- files that are not what they should be


def text(rows: Sequence[Sequence[object]], head: str = HEAD) -> str:
    return "\n".join([head, *(",".join(map(str, row)) for row in rows)])


def with_cell(row: int, column: int, cell: object) -> str:
    cells = [list(r) for r in ROWS]
    cells[row][column] = cell  # type: ignore[call-overload]
    return text(cells)


BAD_FILES = {
    "a column is missing": (text([r[:4] + r[5:] for r in ROWS], HEAD.replace(",close", "")), "no column for close"),
    "text in a price": (with_cell(10, 1, "abc"), "line 12: open must be a number (got 'abc')"),
    "a negative volume": (with_cell(10, 5, -3), "line 12: volume must be finite and >= 0 (got '-3')"),
    "not a number": (with_cell(3, 4, "nan"), "line 5: close must be a finite number"),
    "infinite": (with_cell(3, 2, "inf"), "line 5: high must be a finite number"),
    "no rows": (text([]), "holds no rows"),
    "empty": ("", "is empty"),
}


@pytest.mark.parametrize(("content", "says"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_file_is_named_with_its_fault_and_nothing_is_stored(
    seakeep: Command, home: Path, tmp_path: Path, content: str, says: str
) -> None:
    (tmp_path / "bars.csv").write_text(content, encoding="utf-8")
    before = contents(home)
    answer = seakeep("import-data", "bars.csv", "--symbol", "SOL/USDT", "--interval", "1h", "--userdir", home)
    assert answer.code == 1
    assert answer.error.startswith("error: bars.csv")
    assert says in answer.error
    assert contents(home) == before


def test_a_truncated_zip_is_refused(seakeep: Command, home: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "whole.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bars.csv", text(ROWS))
    for share in (0.3, 0.9):
        whole = (tmp_path / "whole.zip").read_bytes()
        (tmp_path / "cut.zip").write_bytes(whole[: int(len(whole) * share)])
        answer = seakeep("import-data", "cut.zip", "--symbol", "SOL/USDT", "--interval", "1h", "--userdir", home)
        assert answer.code == 1
        assert "cut.zip is damaged" in answer.error
    assert not (home / "data" / "SOL_USDT").exists()


def test_a_shuffled_file_with_repeats_is_put_in_order_and_said(seakeep: Command, home: Path, tmp_path: Path) -> None:
    rows = [*ROWS, *ROWS[:7]]
    random.Random(1).shuffle(rows)
    (tmp_path / "bars.csv").write_text(text(rows), encoding="utf-8")
    answer = seakeep("import-data", "bars.csv", "-s", "SOL/USDT", "-i", "1h", "--userdir", home, "--json")
    (done,) = answer.json["imported"]
    assert (done["rows"], done["written"], done["duplicates"]) == (55, 48, 7)
    assert done["disordered"] > 0
    frame = ParquetStore(home / "data").read("SOL/USDT", "1h")
    assert frame.ts.tolist() == [row[0] for row in ROWS]
    assert frame.close.tolist() == [row[4] for row in ROWS]


# --- settings and options


def test_an_unknown_setting_is_refused_with_the_nearest_one(seakeep: Command, home: Path) -> None:
    (home / "config.toml").write_text("[risk.limits]\nmax_wieght = 0.1\n", encoding="utf-8")
    for command in ("backtest", "trade", "show-config", "ledger verify"):
        answer = seakeep(*command.split(), "--userdir", home)
        assert answer.code == 4
        assert "risk.limits.max_wieght (config.toml:2)" in answer.error
        assert "did you mean risk.limits.max_weight?" in answer.error
    assert not (home / "ledger.db").exists()


REFUSED = {
    "strategy": (["--strategy", "tredn"], 4, "unknown strategy (got 'tredn'); did you mean trend?"),
    "symbol without data": (["--symbols", "SOL/USDT"], 1, "no 1h bars of this symbol (got 'SOL/USDT')"),
    "symbol of another form": (["--symbols", "btcusdt"], 4, "must be written like BTC/USDT"),
    "interval without data": (["--interval", "4h"], 1, "BTC/USDT is held at 1h"),
    "no interval": (["--interval", "banana"], 4, "1m, 5m, 1h or 1d"),
    "after the data": (["--timerange", "20300101-"], 1, "held: 2024-01-01T00:00:00Z to 2024-01-30T23:00:00Z"),
    "before the data": (["--timerange", "20100101-20110101"], 1, "held: 2024-01-01T00:00:00Z"),
    "inverted": (
        ["--timerange", "20240120-20240110"],
        4,
        "run.timerange: must begin before it ends (option) (got '20240120-20240110')",
    ),
    "no time range": (["--timerange", "january"], 4, "20240101-20240601"),
    "too little data": (["--timerange", "20240131-"], 1, "before a first decision is possible"),
    "no settings file": (["--config", "nowhere.toml"], 4, "no such settings file (got 'nowhere.toml')"),
}


@pytest.mark.parametrize(("options", "code", "says"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("command", ["backtest", "trade"])
def test_an_option_that_cannot_be_meant_is_refused(
    seakeep: Command, home: Path, command: str, options: list[str], code: int, says: str
) -> None:
    before = contents(home)
    answer = seakeep(command, *options, "--userdir", home)
    assert answer.code == code
    assert says in answer.error
    assert contents(home) == before


@pytest.mark.parametrize("speed", ["banana", "-1", "nan", "inf", "0", ""])
def test_a_speed_is_max_real_or_a_number(seakeep: Command, home: Path, speed: str) -> None:
    answer = seakeep("trade", "--speed", speed, "--userdir", home)
    assert (answer.code, "--speed must be max, real or a number" in answer.error) == (4, True)
    assert not (home / "ledger.db").exists()


def test_real_money_is_refused(seakeep: Command, home: Path) -> None:
    answer = seakeep("trade", "--live", "--userdir", home)
    assert (answer.code, "--live is not available" in answer.error) == (4, True)
    assert not (home / "ledger.db").exists()


BAD_SETTINGS = {
    "unknown expert": ("[experts.forrest]", "unknown expert (got 'forrest'); did you mean forest?"),
    "unknown parameter": ("[experts.ma]\nfastt = 3", "expert ma has no parameter 'fastt'; did you mean fast?"),
    "text for a number": ('[experts.ma]\nfast = "3"', "must be int (got '3')"),
    "beyond its bounds": ("[strategy.params]\nfast = 0", "length must be in 1 .. 10000 (got 0)"),
    "a secret": ('[broker]\napi_secret = "x"', "may not be in a file"),
    "no TOML": ("[run", "is not TOML"),
}


@pytest.mark.parametrize(("content", "says"), BAD_SETTINGS.values(), ids=BAD_SETTINGS)
def test_a_setting_that_cannot_be_meant_is_refused(seakeep: Command, home: Path, content: str, says: str) -> None:
    (home / "config.toml").write_text(content, encoding="utf-8")
    answer = seakeep("trade", "--userdir", home)
    assert answer.code == 4
    assert says in answer.error
    assert not (home / "ledger.db").exists()


# --- strategies that are not what they should be


def install(home: Path, source: str) -> None:
    (home / "strategies").mkdir(exist_ok=True)
    (home / "strategies" / f"{next(_names)}.py").write_text(source, encoding="utf-8")


def mine(body: str, feature: str = "sma:20") -> tuple[str, str]:
    name = next(_names)
    return name, STRATEGY.format(name=name, feature=feature, body=body)


BROKEN = {
    "syntax": ("def score(:", "SyntaxError: invalid syntax"),
    "import": ("import nothing_of_that_name", "No module named 'nothing_of_that_name'"),
    "exit": ("raise SystemExit(3)", "SystemExit: 3"),
    "name taken": ("from seakeep.strategy import STRATEGIES\nSTRATEGIES.add('trend', 1)", "is already registered"),
}


@pytest.mark.parametrize(("source", "says"), BROKEN.values(), ids=BROKEN)
def test_a_strategy_file_that_cannot_be_loaded_is_named(seakeep: Command, home: Path, source: str, says: str) -> None:
    install(home, source)
    answer = seakeep("backtest", "--userdir", home)
    assert answer.code == 4
    assert re.search(r"error: mine_\d+\.py cannot be loaded: ", answer.error)
    assert says in answer.error


MISTAKEN = {
    "wrong shape": ("return frame['close'][:3]", "one score for each row"),
    "no array": ("return None", "one score for each row"),
    "infinite": ("return np.full(len(frame), np.inf)", "[-1, 1]"),
    "too large": ("return np.full(len(frame), 7.0)", "must score in [-1, 1] (got 7.0)"),
    "too large once": ("return np.where(frame.ts == 1705968000000, 7.0, 0.0)", "[-1, 1]"),
    "looks ahead": ("return np.sign(np.append(np.diff(frame['close']), 0))", "looks ahead"),
    "looks at all": ("return np.sign(frame['close'] - frame['close'].mean())", "looks ahead"),
    "looks back unsaid": ("return np.sign(frame['close'] - np.roll(frame['close'], 1))", "look"),
    "random": ("return np.random.default_rng().uniform(-1, 1, len(frame))", "looks ahead"),
    "another column": ("return frame['closse']", "no feature 'closse'"),
    "an exception": ("return 1 / 0", "ZeroDivisionError"),
}


@pytest.mark.parametrize(("body", "says"), MISTAKEN.values(), ids=MISTAKEN)
def test_a_mistaken_strategy_is_found_before_it_trades(seakeep: Command, home: Path, body: str, says: str) -> None:
    name, source = mine(body)
    install(home, source)
    answer = seakeep("trade", "--strategy", name, "--userdir", home)
    assert answer.code == 4
    assert f"strategy {name}" in answer.error
    assert says in answer.error
    assert not (home / "ledger.db").exists()


def test_an_unknown_indicator_is_refused_with_the_nearest_one(seakeep: Command, home: Path) -> None:
    name, source = mine("return frame['close'] * 0", feature="rsj:14")
    install(home, source)
    answer = seakeep("backtest", "--strategy", name, "--userdir", home)
    assert (answer.code, "'rsj'); did you mean rsi?" in answer.error) == (4, True)


@pytest.mark.parametrize("made_of", ["Strategy", "object"])
def test_a_strategy_without_a_score_is_refused(seakeep: Command, home: Path, made_of: str) -> None:
    name = next(_names)
    lines = ["from seakeep.strategy import STRATEGIES, Strategy", f'@STRATEGIES.register("{name}")']
    install(home, "\n".join([*lines, f"class Mine({made_of}):", '    features = ("close",)']))
    answer = seakeep("backtest", "--strategy", name, "--userdir", home)
    assert (answer.code, f"{name} is not a class of Strategy with a score" in answer.error) == (4, True)


def test_a_strategy_that_always_abstains_trades_nothing_and_the_report_says_so(seakeep: Command, home: Path) -> None:
    name, source = mine("return np.full(len(frame), np.nan)")
    install(home, source)
    answer = seakeep("backtest", "--strategy", name, "--userdir", home)
    assert answer.code == 0
    assert "No round trip was closed" in answer.out
    assert "decisions 0" in answer.out


# --- places that cannot be used

WRITERS = {
    "backtest": ["backtest"],
    "trade": ["trade"],
    "generate-data": ["generate-data", "--days", "60", "--symbols", "XRP/USDT"],
    "demo": ["demo", "--days", "1"],
    "import-data": ["import-data", "bars.csv", "-s", "SOL/USDT", "-i", "1h"],
    "new-strategy": ["new-strategy", "later"],
}


@pytest.mark.parametrize("words", WRITERS.values(), ids=WRITERS)
def test_a_user_folder_that_is_a_file_is_refused(seakeep: Command, tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "bars.csv").write_text(text(ROWS), encoding="utf-8")
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    answer = seakeep(*words, "--userdir", "file")
    assert answer.code in (1, 4)
    assert "file" in answer.error
    assert (tmp_path / "file").read_text("utf-8") == "mine"


def as_user() -> list[str]:
    """Root may write anywhere; in a user namespace of another user we may not."""
    return ["unshare", "-U", "--map-user=1000", "--map-group=1000"] if os.geteuid() == 0 else []


@pytest.mark.parametrize("words", WRITERS.values(), ids=WRITERS)
def test_a_user_folder_that_may_not_be_written_is_refused(home: Path, words: list[str]) -> None:
    if as_user() and subprocess.run([*as_user(), "true"], check=False, capture_output=True).returncode:
        pytest.skip("root without user namespaces may write everywhere")
    (home.parent / "bars.csv").write_text(text(ROWS), encoding="utf-8")
    words = [str(home.parent / word) if word == "bars.csv" else word for word in words]
    before = contents(home)
    folders = [home, *(p for p in home.rglob("*") if p.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    try:
        answer = process(*words, "--userdir", home, run=as_user())
    finally:
        for folder in folders:
            folder.chmod(0o755)
    assert answer.code in (1, 4, 8)
    assert "ermission denied" in answer.error
    assert contents(home) == before


def test_a_damaged_ledger_is_named_and_left_as_it_is(seakeep: Command, home: Path) -> None:
    (home / "ledger.db").write_bytes(b"This was a database once." * 400)
    before = contents(home)
    for words in (["trade"], ["ledger", "verify"], ["show-trades"]):
        answer = seakeep(*words, "--userdir", home)
        assert answer.code == 8
        assert "ledger.db" in answer.error
        assert contents(home) == before


def test_a_ledger_with_a_flipped_byte_is_not_traded_on(seakeep: Command, home: Path) -> None:
    settings = ["--timerange", "20240120-20240125"]
    assert seakeep("trade", *settings, "--userdir", home).code == 0
    path = home / "ledger.db"
    bars = path.read_bytes()
    at = bars.index(b"BTC/USDT", len(bars) // 2)
    path.write_bytes(bars[:at] + b"X" + bars[at + 1 :])
    verified = seakeep("ledger", "verify", "--userdir", home)
    assert verified.code == 8
    assert re.search(r"entry \d+", verified.out)
    again = seakeep("trade", *settings, "--userdir", home)
    assert again.code == 8
    assert "entry" in again.error


def limited() -> None:
    """No file may grow beyond 100 kB: what a full disk does to a write that is under way."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))


def test_a_disk_that_fills_up_while_trading_loses_nothing_that_was_committed(home: Path, seakeep: Command) -> None:
    answer = process("trade", "--userdir", home, preexec_fn=limited)
    assert answer.code in (1, 4, 8)
    assert answer.error
    assert not [path for path in contents(home) if "results" in path]
    done = seakeep("trade", "--userdir", home, "--json")
    assert done.json["digest"] == seakeep("backtest", "--userdir", home, "--json").json["digest"]
    assert seakeep("ledger", "verify", "--userdir", home).code == 0


SMALL_DISK = 'mount -t tmpfs -o size="$1" none "$2" && cp -r "$3"/. "$2" && shift 3 && exec "$@"'


def on_small_disk(home: Path, size: str) -> list[str]:
    """Runs a command with a copy of the user folder on a small disk of its own."""
    mounted = home.parent / "disk"
    mounted.mkdir()
    probe = ["unshare", "-rm", "sh", "-c", 'mount -t tmpfs none "$1"', "sh", str(mounted)]
    if subprocess.run(probe, check=False, capture_output=True).returncode:
        pytest.skip("a small disk cannot be mounted here")
    return ["unshare", "-rm", "sh", "-c", SMALL_DISK, "sh", size, str(mounted), str(home)]


@pytest.mark.parametrize("words", [w for n, w in WRITERS.items() if n not in ("demo", "new-strategy")], ids=" ".join)
def test_a_full_disk_is_said(home: Path, words: list[str]) -> None:
    many = [(ROWS[0][0] + i * HOUR, 100, 100, 100, 100, (i * i) % 7919) for i in range(20_000)]
    (home.parent / "bars.csv").write_text(text(many), encoding="utf-8")
    words = [str(home.parent / word) if word == "bars.csv" else word for word in words]
    used = sum(-(-len(content) // 4096) * 4096 for content in contents(home).values())
    run = on_small_disk(home, f"{used // 1024 + 40}k")
    answer = process(*words, "--userdir", home.parent / "disk", run=run)
    assert answer.code in (1, 4, 8)
    assert re.search("No space left|the disk is full", answer.error), answer.error


# --- what comes back


def test_every_command_with_json_answers_with_one_document(seakeep: Command, home: Path) -> None:
    answers = {
        "backtest": seakeep("backtest", "--userdir", home, "--json").json,
        "trade": seakeep("trade", "--userdir", home, "--json").json,
    }
    for words in ("show-config", "list-data", "check-data", "list-strategies", "report", "show-trades"):
        answers[words] = seakeep(words, "--userdir", home, "--json").json
    for words in ("ledger runs", "ledger verify", "ledger export"):
        answers[words] = seakeep(*words.split(), "--userdir", home, "--json").json
    for words in ("list-indicators", "list-experts"):
        answers[words] = seakeep(words, "--json").json
    answers["generate-data"] = seakeep("generate-data", "--days", 2, "--userdir", "other", "--json").json
    assert all(answers.values())
    assert answers["backtest"]["digest"] == answers["trade"]["digest"]
    assert answers["report"]["run_id"] == answers["trade"]["run_id"]
    assert len(answers["list-indicators"]) >= 60
    assert answers["ledger runs"][0]["entries"] > 720


def test_show_config_names_where_each_value_came_from(
    seakeep: Command, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "config.toml").write_text("[run]\nseed = 9\n", encoding="utf-8")
    monkeypatch.setenv("SEAKEEP__RISK__LIMITS__MAX_GROSS", "0.5")
    monkeypatch.setenv("MAX_POSITION_SIZE", "0.05")
    shown = seakeep("show-config", "--userdir", home, "--json").json
    assert shown["run.seed"] == {"value": 9, "source": "config.toml:2"}
    assert shown["risk.limits.max_gross"] == {"value": 0.5, "source": "env SEAKEEP__RISK__LIMITS__MAX_GROSS"}
    assert shown["risk.limits.max_weight"] == {"value": 0.05, "source": "env MAX_POSITION_SIZE"}
    assert shown["run.interval"]["source"] == "default"


def test_what_is_not_there_has_an_exit_code_of_its_own(seakeep: Command, home: Path) -> None:
    for words in (["report"], ["report", "nothing"], ["ledger", "verify"], ["show-trades"], ["no-such-command"]):
        answer = seakeep(*words, *(["--userdir", home] if words != ["no-such-command"] else []))
        assert (words, answer.code) == (words, 2)
        assert "Traceback" not in answer.err


def test_every_command_explains_itself(seakeep: Command) -> None:
    listed = re.findall(r"^  ([a-z][a-z-]+) ", seakeep("--help").out.partition("Commands:")[2], re.MULTILINE)
    assert {"demo", "backtest", "trade", "report", "ledger", "show-config"} <= set(listed)
    for name in listed:
        answer = seakeep(name, "--help")
        assert (name, answer.code) == (name, 0)
        assert "--help" in answer.out
