"""Threshold runs through the command: opinions from a file or an expert, files on disk, mistakes named."""

import json
import subprocess
import sys

import numpy as np
import pytest

from seakeep.app.search.studies import trial_ledger
from seakeep.app.search.thresholds import from_file, study
from seakeep.backtest.threshold import ThresholdParams, combinations
from seakeep.core.errors import DataError, SchemaError
from seakeep.core.market import BarFrame

HOUR = 3_600_000


@pytest.fixture
def bars():
    close = 100 * np.exp(np.cumsum(np.random.default_rng(5).normal(0, 0.005, 600)))
    rows = [(i * HOUR, c, c * 1.004, c * 0.996, c, 1.0) for i, c in enumerate(close.tolist())]
    return BarFrame.from_rows("BTC/USDT", "1h", rows)


def written(path, lines):
    path.write_text("ts,prob_up\n" + "\n".join(lines) + "\n")
    return path


def test_opinions_of_a_file_stand_at_their_bars(tmp_path, bars):
    told = from_file(bars, written(tmp_path / "p.csv", [f"{5 * HOUR},0.7", f"{9 * HOUR},0.2", "-1,0.5"]))
    assert (told.prob_up[5], told.prob_up[9], int(np.isfinite(told.prob_up).sum())) == (0.7, 0.2, 2)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["0,1.5"], "line 2: prob_up must lie in"),
        (["0,nan"], "line 2: prob_up must lie in"),
        (["0,"], "line 2: not a number"),
        (["0,0.5", "0,0.6"], "line 3: this bar has an opinion already"),
    ],
)
def test_a_bad_row_is_named(tmp_path, bars, lines, said):
    with pytest.raises(SchemaError, match=said):
        from_file(bars, written(tmp_path / "p.csv", lines))


def test_a_file_without_the_columns_or_without_a_matching_row_is_named(tmp_path, bars):
    (tmp_path / "p.csv").write_text("time,p\n1,0.5\n")
    with pytest.raises(SchemaError, match="needs the columns"):
        from_file(bars, tmp_path / "p.csv")
    with pytest.raises(DataError, match="no row belongs"):
        from_file(bars, written(tmp_path / "q.csv", ["-5,0.5"]))


def test_bars_without_an_opinion_before_or_after_are_left_out(tmp_path, bars):
    lines = [f"{i * HOUR},{0.9 if i % 2 else 0.1}" for i in range(200, 260)]
    runs = study(from_file(bars, written(tmp_path / "p.csv", lines)), [ThresholdParams()], 50, tmp_path).runs
    assert len(runs[0].equity) == 60 + 50


def test_every_run_leaves_its_trades_and_its_statistics(tmp_path, bars):
    rng = np.random.default_rng(1)
    lines = [f"{ts},{p:.4f}" for ts, p in zip(bars.ts.tolist(), rng.random(len(bars)), strict=True)]
    told = from_file(bars, written(tmp_path / "p.csv", lines))
    done = study(told, combinations(ThresholdParams(), [0.1, 0.3], [7], [0.1], [1]), 50, tmp_path)
    folder = done.page.parent
    trades = (folder / "BTCUSDT1h-T0.1-L7O0.1P1" / "trades.csv").read_text().splitlines()
    assert trades[0].startswith("Side,Entry price,Exit price,Entry time")
    assert len(trades) - 1 == len(done.runs[0].trades) > 20
    told_of = json.loads((folder / "statistics.json").read_text())
    assert [row["trades"] for row in told_of] == [len(run.trades) for run in done.runs]
    assert "<script" not in done.page.read_text()


def test_every_run_is_a_trial_and_the_same_again_is_not(tmp_path, bars):
    lines = [f"{ts},{0.5 + 0.4 * (-1) ** i}" for i, ts in enumerate(bars.ts.tolist())]
    told = from_file(bars, written(tmp_path / "p.csv", lines))
    sets = combinations(ThresholdParams(), [0.1, 0.3], [2, 7], [0.1], [1])
    assert [study(told, sets, 50, tmp_path).counted for _ in range(2)] == [4, 0]
    kept = trial_ledger(tmp_path).trials()
    assert {trial.source for trial in kept} == {"threshold"}
    assert [trial.n for trial in kept] == [len(bars) - 1] * 4
    assert sorted(json.loads(trial.params)["leverage"] for trial in kept) == [2, 2, 7, 7]


def test_the_command_wants_one_source_of_opinions(tmp_path):
    said = subprocess.run(
        [sys.executable, "-m", "seakeep.app.cli", "threshold", "--userdir", str(tmp_path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert said.returncode == 4
    assert "--probabilities FILE or --expert NAME" in said.stderr
