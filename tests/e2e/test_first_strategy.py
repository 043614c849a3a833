"""The ten lines of the README, copied into a folder of strategies, trade."""

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def seakeep(*words: str, cwd: Path) -> str:
    command = [sys.executable, "-m", "seakeep.app.cli", *words]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stderr
    return done.stdout


def readme() -> tuple[str, list[str]]:
    """The strategy of the README, and the commands that follow it."""
    text = (ROOT / "README.md").read_text("utf-8")
    found = re.search(r"<!-- first-strategy -->\n```python\n(.*?)```\n+```sh\n(.*?)```", text, re.DOTALL)
    assert found
    return found[1], [line.removeprefix("seakeep ") for line in found[2].splitlines()]


def test_the_first_strategy_of_the_readme_trades_the_same_in_both_commands(tmp_path: Path) -> None:
    source, commands = readme()
    folder = tmp_path / "user_data" / "strategies"
    folder.mkdir(parents=True)
    (folder / "breakout.py").write_text(source, encoding="utf-8")
    assert [command.split()[0] for command in commands] == ["generate-data", "backtest", "trade"]
    answers = [json.loads(seakeep(*command.split(), "--json", cwd=tmp_path)) for command in commands]
    backtested, traded = answers[1:]
    assert backtested["strategy"] == traded["strategy"] == "breakout"
    assert backtested["round_trips"] > 10
    assert backtested["digest"] == traded["digest"]
    assert Path(tmp_path, traded["report"]).is_file()


def test_init_lays_out_a_folder_in_which_it_is_listed(tmp_path: Path) -> None:
    seakeep("init", "mine", cwd=tmp_path)
    listed = json.loads(seakeep("list-strategies", "--userdir", "mine", "--json", cwd=tmp_path))
    assert {"breakout", "trend", "reversion"} <= {part["name"] for part in listed}
