"""Every section of the court is a setting, and one knob of each moves what the court says."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from seakeep.app.bootstrap import prepare
from seakeep.app.cli import app
from seakeep.app.integrity import lay
from seakeep.app.settings import Settings, known_keys, load
from seakeep.backtest.integrity.court import Case, IntegrityParams, judge
from seakeep.core.errors import ConfigError
from seakeep.core.market import BarFrame
from tests.unit.backtest.courtroom import stored
from tests.unit.backtest.factory import walk

QUICK = {
    "integrity.robustness.delays": (1,),
    "integrity.robustness.noise_draws": 1,
    "integrity.robustness.dropped": (),
    "integrity.robustness.samples": 100,
    "integrity.stress.moments": 1,
    "integrity.capacity.sizes": (1e4, 1e5),
    "integrity.capacity.samples": 100,
    "integrity.decay.samples": 100,
}
"""Court enough to see what is asked of it."""


def waves(bars: int = 900) -> BarFrame:
    """Daily bars that go up and down every 24 days, and up by a little: they earn for who follows them."""
    frame, days = walk("BTC/USDT", bars, "1d", 3), np.arange(bars)
    tide = np.exp(0.15 * np.sin(2 * np.pi * days / 24) + 0.0005 * days)
    columns = [np.round(column * tide, 2) for column in (frame.open, frame.high, frame.low, frame.close)]
    return BarFrame("BTC/USDT", "1d", frame.ts, *columns, np.full(bars, 1e6))


@pytest.fixture(scope="module")
def userdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("court")
    stored(folder, "trend", waves())
    return folder


def asked(**knobs: object) -> Settings:
    params = {"fast": 2, "slow": 5, "unit": 5, "full": 0.5}
    run = {
        "run.symbols": ["BTC/USDT"],
        "run.interval": "1d",
        "strategy.params": params,
        "strategy.cost_gate.mode": "off",
    }
    return load(None, {}, {**run, **QUICK, **knobs}).settings


def opened(userdir: Path, **knobs: object) -> Case:
    return lay(prepare(asked(**knobs), userdir, "court"), userdir)


@pytest.mark.parametrize(
    ("knob", "value", "check", "seen"),
    [
        ("family.most", 27, "overfitting", "27 by the kernel"),
        ("walk_forward.test_days", 20, "walk-forward", "tuned anew 36 times"),
        ("cross_validation.folds", 6, "cross-validation", "in 15 ways"),
        ("overfitting.blocks", 6, "overfitting", "of 20 halvings"),
        ("robustness.shift", 0.5, "robustness", "parameters: full 0.25"),
        ("stress.crash", 0.6, "stress", "flash crash"),
        ("capacity.sizes", (2e4, 3e4, 2e5), "capacity", "200k"),
        ("ruin.trades", 99, "risk of ruin", "within 99 trades"),
        ("decay.horizons", (1, 2, 5), "alpha decay", "1.0, 2.0, 5.0"),
    ],
)
def test_a_knob_moves_what_the_court_says(userdir: Path, knob: str, value: object, check: str, seen: str) -> None:
    before, after = (str(judge(opened(userdir, **knobs), check)) for knobs in ({}, {f"integrity.{knob}": value}))
    assert before != after
    assert seen in after


def test_every_section_of_the_court_is_shown_with_its_bounds(userdir: Path) -> None:
    shown = CliRunner().invoke(app, ["show-config", "--userdir", str(userdir), "--json"]).stdout
    keys = [key for key, field in known_keys() if key.startswith("integrity.") and key.count(".") == 2]
    assert {key.split(".")[1] for key in keys} == set(IntegrityParams.model_fields)
    assert all(f'"{key}"' in shown for key in keys)
    assert all(field.description for key, field in known_keys() if key in keys)
    with pytest.raises(ConfigError, match=r"integrity\.cross_validation\.folds"):
        asked(**{"integrity.cross_validation.folds": 2})


def test_a_family_is_counted_once_and_stands_behind_every_run_but_its_own(userdir: Path, tmp_path: Path) -> None:
    from seakeep.app.runs import counted
    from seakeep.app.search.studies import trial_ledger

    stored(tmp_path, "trend", waves())
    case = opened(tmp_path)
    own = counted(case.result, asked(), tmp_path).judged
    assert own is not None
    assert own.search.trials == 1
    members = case.family
    told = trial_ledger(tmp_path).trials()
    assert len(told) == 1 + (len(members.points) - 1) + 2
    assert {trial.source for trial in told[1:]} == {"integrity"}
    assert sum(trial.strategy == "trend (walk-forward)" for trial in told) == 2
    again = counted(opened(tmp_path).result, asked(), tmp_path).judged
    assert again == own
    moved = asked(**{"strategy.params": {"fast": 3, "slow": 7, "unit": 5, "full": 0.5}})
    other = counted(lay(prepare(moved, tmp_path, "other"), tmp_path).result, moved, tmp_path).judged
    assert other is not None
    assert other.search.trials == len(told) + 1
    assert opened(tmp_path).family.points == members.points
    assert len(trial_ledger(tmp_path).trials()) == len(told) + 1
