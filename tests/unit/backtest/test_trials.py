import math
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from seakeep.backtest.trials import Scope, TrialLedger, evaluation
from seakeep.core.errors import LedgerError
from seakeep.core.units import DAY_MS, HOUR_MS

BARS = (("BTC/USDT",), "1d", "hash")
DAYS = 200
WRITER = Path(__file__).with_name("trial_writer.py")


def made(seed, *, params=None, bars=BARS, start=0, study="", strategy="trend", returns=None):
    ts = start + DAY_MS * np.arange(1, DAYS + 1, dtype=np.int64)
    earned = np.random.default_rng(seed).normal(0.001, 0.02, DAYS) if returns is None else returns
    return evaluation(strategy, params or {"seed": seed}, bars, ts, earned, study=study)


@pytest.fixture
def ledger(tmp_path):
    return TrialLedger(tmp_path / "trials.db")


def test_each_evaluation_is_counted_once_however_often_it_is_made(ledger):
    assert ledger.record([made(1), made(2), made(1)]) == 2
    assert ledger.record([made(2), made(3)]) == 1
    assert [t.params for t in ledger.trials()] == ['{"seed":1}', '{"seed":2}', '{"seed":3}']


def test_same_parameters_on_other_bars_or_with_other_code_are_another_trial(ledger):
    other_bars = made(1, bars=(("BTC/USDT",), "1d", "other"))
    other_code = made(2, params={"seed": 1})
    assert ledger.record([made(1), other_bars, other_code]) == 3


def test_the_search_is_that_of_numpy(ledger):
    trials = [made(seed) for seed in range(12)]
    ledger.record(trials)
    annual = [t.sample.ratio * math.sqrt(365) for t in trials]
    found = ledger.search()
    assert (found.trials, found.effective) == (12, 12.0)
    assert found.variance == pytest.approx(np.var(annual, ddof=1))
    assert [t.sharpe for t in ledger.trials()] == pytest.approx(annual)


def test_copies_of_an_idea_are_trials_but_not_ideas(ledger):
    rng = np.random.default_rng(1)
    base = rng.normal(0, 0.02, DAYS)
    copies = [made(i, returns=base + rng.normal(0, 0.005, DAYS)) for i in range(20)]
    ledger.record(copies[:10])
    ledger.record([*copies[10:], made(99)])
    assert (ledger.search().trials, ledger.search().effective) == (21, 2.0)


def test_what_never_traded_is_a_trial_without_a_ratio(ledger):
    ledger.record([made(1), made(2), made(3, returns=np.zeros(DAYS)), made(4, returns=np.zeros(DAYS))])
    found = ledger.search()
    assert (found.trials, found.effective) == (4, 3.0)
    assert math.isfinite(found.variance)


def test_copies_cannot_be_told_from_chance_on_a_few_common_days(ledger):
    base = np.random.default_rng(5).normal(0, 0.02, DAYS)
    ledger.record([made(1, returns=base), made(2, returns=np.roll(base, -150), start=150 * DAY_MS)])
    assert ledger.search().effective == 2


def test_copies_are_found_where_histories_only_overlap(ledger):
    base = np.random.default_rng(6).normal(0, 0.02, DAYS)
    ledger.record([made(1, returns=base), made(2, returns=np.roll(base, -100), start=100 * DAY_MS)])
    assert ledger.search().effective == 1


def test_a_scope_holds_what_shares_a_symbol_and_some_time(ledger):
    eth = made(2, bars=(("ETH/USDT", "SOL/USDT"), "1d", "hash"))
    late = made(3, start=1000 * DAY_MS)
    ledger.record([made(1), eth, late, made(4, study="s1"), made(5, strategy="other")])

    def numbers(**scope):
        return [t.id for t in ledger.trials(Scope(**scope))]

    assert numbers(symbols=("SOL/USDT", "BTC/USDT")) == [1, 2, 3, 4, 5]
    assert numbers(symbols=("BTC/USDT",), start=0, stop=500 * DAY_MS) == [1, 4, 5]
    assert numbers(start=1000 * DAY_MS) == [3]
    assert numbers(besides="s1", strategy="trend") == [1, 2, 3]


def test_rows_cannot_be_changed_or_removed(ledger):
    ledger.record([made(1)])
    with sqlite3.connect(ledger.path) as connection:
        for statement in ("DELETE FROM trials", "UPDATE trials SET ratio = 9"):
            with pytest.raises(sqlite3.IntegrityError, match="only added"):
                connection.execute(statement)
    connection.close()


def test_a_ledger_that_is_not_there_is_one_trial_and_is_not_made_by_looking(ledger):
    assert ledger.search().trials == 1
    assert not ledger.path.exists()


def test_an_empty_file_becomes_a_ledger(ledger):
    ledger.path.touch()
    assert ledger.trials() == ()
    assert ledger.record([made(1)]) == 1


@pytest.mark.parametrize("content", [b"not a database at all, and long enough to be read as one", b""])
def test_another_file_is_refused_and_left_alone(tmp_path, content):
    path = tmp_path / "trials.db"
    path.write_bytes(content * 40)
    if not content:
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE other (x)")
        connection.close()
    before = path.read_bytes()
    with pytest.raises(LedgerError, match="trial ledger"):
        TrialLedger(path).record([made(1)])
    assert path.read_bytes() == before


def test_a_folder_that_is_not_there_is_an_error_that_says_so(tmp_path):
    with pytest.raises(LedgerError, match="unable to open"):
        TrialLedger(tmp_path / "nowhere" / "trials.db").record([made(1)])


@pytest.mark.parametrize("wrong", [np.array([]), np.array([0.1, np.nan])])
def test_returns_that_are_none_or_no_numbers_are_refused(wrong):
    with pytest.raises(ValueError, match="return"):
        evaluation("trend", {}, BARS, HOUR_MS * np.arange(1, len(wrong) + 1), wrong)


def test_names_and_parameters_from_outside_are_only_text(ledger):
    name = "x'); DROP TABLE trials; --"
    ledger.record([made(1, strategy=name, params={name: name})])
    assert [t.strategy for t in ledger.trials(Scope(strategy=name))] == [name]


def test_several_processes_record_at_once_and_none_is_lost(ledger):
    command = [sys.executable, str(WRITER), str(ledger.path)]
    with (
        subprocess.Popen([*command, "0", "25"], stdout=subprocess.PIPE) as one,
        subprocess.Popen([*command, "15", "25"], stdout=subprocess.PIPE) as two,
    ):
        assert (one.wait(), two.wait()) == (0, 0)
    assert sorted(t.params for t in ledger.trials()) == sorted(f'{{"seed":{i}}}' for i in range(40))


def test_a_killed_process_loses_nothing_it_had_recorded(ledger):
    with subprocess.Popen([sys.executable, str(WRITER), str(ledger.path), "0", "100000"], stdout=subprocess.PIPE) as p:
        said = [int(p.stdout.readline()) for _ in range(10)]
        p.kill()
    assert {t.params for t in ledger.trials()} >= {f'{{"seed":{i}}}' for i in said}
    assert ledger.record([made(1)]) == 1
