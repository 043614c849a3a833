"""Every example runs as its first lines say, from any folder, and says the same each time."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
SAYS = {
    "01_first_backtest.py": (
        r"channel on BTC/USDT, ETH/USDT: 8,760 slices",
        r"equity 10,000\.00 to [\d,]+\.\d\d USDT",
        r"sharpe +-?\d\.\d{3} +95 % interval",
        r"verdicts: \d+ APPROVED, \d+ RESIZED",
        r"costs \d+\.\d\d, \d+ round trips, digest [0-9a-f]{16}",
    )
}


def run(path: Path, cwd: Path, seed: str) -> str:
    command, env = [sys.executable, "-W", "error", str(path)], {**os.environ, "PYTHONHASHSEED": seed}
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=100)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_runs_and_says_the_same_each_time(path: Path, tmp_path: Path) -> None:
    first, second = run(path, tmp_path, "1"), run(path, tmp_path, "2")
    assert first == second
    for pattern in SAYS[path.name]:
        assert re.search(pattern, first), pattern
    assert list(tmp_path.iterdir()) == []


def test_an_example_is_numbered_and_says_how_it_is_run() -> None:
    assert [path.name[:2] for path in EXAMPLES] == [f"{i:02}" for i in range(1, len(EXAMPLES) + 1)]
    assert all(f"python examples/{path.name}" in path.read_text("utf-8") for path in EXAMPLES)
