"""What the trial ledger counted on the days of a run, and the test that the best of it earns at all."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from seakeep.backtest.integrity.luck import luck, snooping
from seakeep.backtest.integrity.tried import Tried, tried
from seakeep.backtest.sharpeline import judge
from seakeep.backtest.trials import Evaluation, TrialLedger, evaluation
from seakeep.core.errors import LedgerError
from seakeep.core.market import Float64
from seakeep.core.units import DAY_MS
from tests.unit.backtest.families import START, noise


def trial(
    returns: Float64, name: str = "trend", symbols: tuple[str, ...] = ("BTC/USDT",), **more: object
) -> Evaluation:
    ts = START + DAY_MS * np.arange(1, len(returns) + 1)
    return msgspec.structs.replace(evaluation(name, {}, (symbols, "1d", "bars"), ts, returns), **more)


def test_only_other_rules_over_all_of_the_days_on_the_same_market_are_there(tmp_path: Path) -> None:
    table = noise(100, 6).astype(np.float32).astype(np.float64)
    own, ledger = trial(table[:, 0]), TrialLedger(tmp_path / "trials.db")
    other = trial(table[:, 1], "other", ("BTC/USDT", "ETH/USDT"))
    ledger.record([own, other, trial(table[:, 2], study="mine"), trial(table[:, 3], symbols=("ADA/USDT",))])
    ledger.record([trial(table[:50, 4]), trial(table[:, 0] * (1 + 1e-6), "copy")])
    found = tried(ledger, own, "mine")
    assert found.total == 2
    np.testing.assert_allclose(found.returns, table[:, :2], atol=1e-9)
    assert tried(ledger, own).total == 3


def test_a_longer_trial_is_cut_to_the_days_of_the_run(tmp_path: Path) -> None:
    long, ledger = noise(100, 1)[:, 0], TrialLedger(tmp_path / "trials.db")
    ledger.record([trial(long)])
    own = trial(noise(30, 1, seed=3)[:, 0])
    np.testing.assert_allclose(tried(ledger, own).returns[:, 1], long[:30], atol=1e-8)


def test_no_ledger_is_a_lone_trial_and_a_wrong_file_an_error(tmp_path: Path) -> None:
    own = trial(noise(30, 1)[:, 0])
    assert tried(TrialLedger(tmp_path / "none.db"), own).total == 1
    (tmp_path / "bad.db").write_text("not a ledger " * 100)
    with pytest.raises(LedgerError, match=r"bad\.db"):
        tried(TrialLedger(tmp_path / "bad.db"), own)


def test_the_best_of_noise_is_not_taken_for_skill_and_a_real_edge_is() -> None:
    days, line = noise(365, 20), judge(noise(8760, 1)[:, 0] + 0.01, "1h")
    assert line.passes
    nothing = luck(line, Tried(days, 20))
    assert nothing.status == "warn"
    assert dict(nothing.figures)["p of the best of them, Hansen's test"] > 0.05
    days[:, 0] += 0.004
    edge = luck(line, Tried(days, 20))
    assert (edge.status, dict(edge.figures)["of them better than cash for sure (stepwise)"]) == ("pass", 1.0)


def test_a_lone_trial_and_a_month_have_no_family_to_test() -> None:
    assert snooping(None) is snooping(Tried(noise(90, 1), 1)) is snooping(Tried(noise(20, 3), 3)) is None
