import json
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from typer.testing import CliRunner

from seakeep.app.cli import app
from seakeep.app.commands.research import parse_grid
from seakeep.app.search.studies import count, earned, study, trial_ledger
from seakeep.app.settings import load
from seakeep.backtest.search.folds import WalkForward
from seakeep.core.errors import ConfigError
from seakeep.core.units import DAY_MS, HOUR_MS
from seakeep.data.store import ParquetStore
from seakeep.data.synthetic import SyntheticParams, generate
from tests.unit.backtest.factory import make

GRID = {"fast": (5, 10), "slow": (20, 30)}


@pytest.fixture(scope="module")
def userdir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("user")
    market = generate(SyntheticParams(symbols=("BTC/USDT",), delisted=None, days=100, interval="4h", seed=3))
    ParquetStore(folder / "data").write(market.frames["BTC/USDT"])
    return folder


def settings(**more):
    options = {"run.symbols": "BTC/USDT", "run.interval": "4h", "strategy.name": "trend", "strategy.params.unit": 10}
    return load(None, {}, {**options, **more}).settings


def walk(folder, workers=1):
    scheme = WalkForward(train_ms=40 * DAY_MS, test_ms=20 * DAY_MS)
    return study(settings(), folder, GRID, scheme, workers)


def test_a_walk_forward_judges_every_bar_after_the_first_training_and_counts_its_sets(userdir):
    found = walk(userdir)
    ts = found.study.curve.ts
    assert (np.diff(ts) == 4 * HOUR_MS).all()
    assert len(ts) == 60 * 6
    assert found.counted == 5
    assert found.line.search.trials == 1
    assert found.line.family == 4
    assert walk(userdir).counted == 0
    assert trial_ledger(userdir).search().trials == 5


def test_the_command_prints_the_study_and_the_trials_know_of_it(userdir):
    run = CliRunner()
    common = ["--userdir", str(userdir), "--json"]
    words = ["walk-forward", "--grid", "fast=5:10:5", "slow=20,30", "-s", "BTC/USDT", "-i", "4h", *common]
    done = json.loads(run.invoke(app, [*words, "--train", "40d", "--test", "20d"], catch_exceptions=False).stdout)
    assert (done["parameter_sets"], len(done["windows"]), done["bars"]) == (4, 3, 360)
    counted = json.loads(run.invoke(app, ["trials", *common, "--last", "2"], catch_exceptions=False).stdout)
    assert counted["trials"] >= 5
    assert len(counted["listed"]) == 2


def test_the_terminal_shows_windows_trials_and_what_they_say(userdir):
    walk(userdir)
    words = ["--userdir", str(userdir)]
    shown = CliRunner().invoke(app, ["trials", *words], catch_exceptions=False).stdout
    assert "trend (walk-forward)" in shown
    assert "best of" in shown
    none = CliRunner().invoke(app, ["trials", *words, "--symbols", "XRP/USDT"], catch_exceptions=False).stdout
    assert "nothing has been tried yet" in none


def test_a_finished_run_is_counted_once_and_judged_beside_the_others(tmp_path):
    def run(strategy, drift):
        made = make(strategy=strategy, drift=drift)
        return replace(made, manifest={"data": {symbol: {"hash": "x"} for symbol in made.symbols}})

    first = count(run("one", 0.0), {"a": 1}, tmp_path)
    assert (first.search.trials, first.dsr) == (1, first.psr)
    assert count(run("one", 0.0), {"a": 1}, tmp_path) == first
    second = count(run("two", 0.001), {"a": 1}, tmp_path)
    assert second.search.trials == 2
    assert second.dsr < second.psr


def test_returns_end_with_ruin():
    curve = earned(np.arange(5) * HOUR_MS, np.array([100.0, 50.0, -10.0, 5.0, 6.0]))
    assert curve.returns.tolist() == [-0.5, -1.0]
    assert curve.ts.tolist() == [HOUR_MS, 2 * HOUR_MS]


def test_a_grid_is_read_exactly_in_decimals():
    grid = parse_grid(["full=0.1:0.5:0.1 fast=10:30:10", "mode=a,b", "on=true,false"])
    assert grid["full"] == (0.1, 0.2, 0.3, 0.4, 0.5)
    assert [Decimal(str(v)) for v in grid["fast"]] == [10, 20, 30]
    assert (grid["mode"], grid["on"]) == (("a", "b"), (True, False))


@pytest.mark.parametrize(
    "text",
    ["fast", "=1,2", "fast=5:1:1", "fast=1:2:0", "fast=1:9", "fast=inf:1:1", "fast=nan", "fast=1:1e9:1", "a=1 a=2"],
)
def test_a_grid_that_cannot_be_is_refused(text):
    with pytest.raises(ConfigError):
        parse_grid([text])


def test_the_controls_command_publishes_the_rates(monkeypatch):
    from seakeep.backtest.controls import rates

    few = rates.ControlParams(markets=6, strategies=40, edge_markets=2, leaks=8)
    monkeypatch.setattr(rates, "QUICK", few)
    done = CliRunner().invoke(app, ["controls", "--quick", "--json"], catch_exceptions=False)
    found = {rate["name"]: rate for rate in json.loads(done.stdout)["rates"]}
    assert done.exit_code == 0
    assert found["planted leaks found"]["share"] == 1.0
    assert found["noise, one strategy alone"]["at_most"] == 0.05
