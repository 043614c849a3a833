"""A newcomer's file from another system: taken over as it is, run, and not half taken over when it is wrong."""

import json
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

FOREIGN = {
    "cross.py": """
        import numpy as np
        from backtesting import Strategy
        from backtesting.lib import crossover

        def mean(values, n):
            out = np.full(len(values), np.nan)
            out[n - 1 :] = np.convolve(values, np.ones(n) / n, "valid")
            return out

        class SmaCross(Strategy):
            lookback = 60

            def init(self):
                self.fast = self.I(mean, self.data.Close, 5)
                self.slow = self.I(mean, self.data.Close, 20)

            def next(self):
                if crossover(self.fast, self.slow):
                    self.buy()
                elif crossover(self.slow, self.fast):
                    self.position.close()
        """,
    "dips.py": """
        from freqtrade.strategy import IStrategy

        class Dips(IStrategy):
            timeframe = "1h"
            stoploss = -0.05
            lookback = 40

            def populate_indicators(self, dataframe, metadata):
                dataframe["mean"] = dataframe["close"].rolling(20).mean()
                return dataframe

            def populate_entry_trend(self, dataframe, metadata):
                dataframe.loc[dataframe["close"] < dataframe["mean"], "enter_long"] = 1
                return dataframe

            def populate_exit_trend(self, dataframe, metadata):
                dataframe.loc[dataframe["close"] > dataframe["mean"], "exit_long"] = 1
                return dataframe
        """,
}


def seakeep(*words: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-W", "ignore", "-m", "seakeep.app.cli", *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=100)


def test_foreign_strategies_run_as_they_are(tmp_path: Path) -> None:
    seakeep("generate-data", "--days", "20", "--interval", "1h", cwd=tmp_path)
    for name, source in FOREIGN.items():
        (tmp_path / name).write_text(dedent(source), "utf-8")
        told = json.loads(seakeep("migrate", name, "--json", cwd=tmp_path).stdout)
        (adopted,) = told["strategies"]
        done = seakeep("backtest", "--strategy", adopted["name"], "--json", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["round_trips"] > 3
    assert adopted["asks"]["risk.stops.stop_loss"] == 0.05


def test_a_file_without_a_strategy_is_refused_and_not_copied(tmp_path: Path) -> None:
    (tmp_path / "nothing.py").write_text("x = 1\n")
    (tmp_path / "broken.py").write_text("raise RuntimeError('no')\n")
    for name, says in (
        ("nothing.py", "brings no strategy"),
        ("broken.py", "RuntimeError: no"),
        ("no.py", "no such file"),
    ):
        done = seakeep("migrate", name, cwd=tmp_path)
        assert done.returncode == 4
        assert says in done.stderr
    assert not (tmp_path / "user_data").exists()
