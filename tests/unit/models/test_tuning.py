"""The search stays on purged folds, within its budget, and goes on where it was stopped."""

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm

from seakeep.core.errors import ConfigError, NotEnoughHistory
from seakeep.models.tuning import TuningBudget, log_score, tune
from tests.unit.models.planted import WITHOUT, rows

FIXED = {"horizon": 1, "rows": 300, "without": WITHOUT}


def search(trials: int, store: Path | None = None, seed: int = 1, seconds: float = 600.0) -> object:
    frame, y = rows(400, 0.5, 1)
    budget = TuningBudget(trials=trials, folds=2, seconds=seconds)
    return tune("svm", frame, y, seed, budget, FIXED, store)


def test_the_score_is_the_normal_log_likelihood() -> None:
    forecast = np.array([[0.0, 1.0], [0.3, 2.0], [np.nan, 1.0]])
    want = norm.logpdf([0.5, -1.0], [0.0, 0.3], [1.0, 2.0]).mean()
    assert log_score(forecast, np.array([0.5, -1.0, 0.0])) == pytest.approx(want, rel=1e-12)
    assert np.isnan(log_score(forecast[2:], np.zeros(1)))


def test_a_search_never_ends_below_the_defaults_and_repeats_itself() -> None:
    first, second = search(5), search(5)
    assert first == second
    assert first.score >= first.default_score
    assert first.trials == 5
    assert {key: first.params[key] for key in FIXED} == FIXED


def test_a_search_that_was_stopped_finds_what_an_unbroken_one_finds(tmp_path: Path) -> None:
    search(2, tmp_path / "study.db")
    search(4, tmp_path / "study.db")
    assert search(4, tmp_path / "study.db") == search(4)


def test_time_used_by_earlier_runs_counts(tmp_path: Path) -> None:
    search(1, tmp_path / "study.db")
    assert search(50, tmp_path / "study.db", seconds=1e-6).trials == 1


def test_what_cannot_be_tuned_is_said() -> None:
    frame, y = rows(400, 0.5, 1)
    with pytest.raises(ConfigError, match="nothing to tune"):
        tune("rsi", frame, y, 1)
    with pytest.raises(ConfigError, match="every parameter of svm is fixed"):
        tune("svm", frame, y, 1, fixed={"cost": 1.0, "tube": 0.5, "reach": 1.0})
    with pytest.raises(NotEnoughHistory, match="no trial of svm"):
        tune("svm", *rows(20, 0.5, 1), 1, TuningBudget(trials=2, folds=2), FIXED)


def test_a_file_that_is_no_study_is_refused(tmp_path: Path) -> None:
    (tmp_path / "study.db").write_bytes(b"not a database" * 99)
    for place in (tmp_path / "study.db", tmp_path / "absent" / "study.db"):
        with pytest.raises(ConfigError, match="no study can be kept here"):
            search(1, place)
