"""The search for an expert's parameters (Optuna), judged on purged folds only, within a budget, and resumable.

A trial is judged by the log-likelihood of the returns under the forecasts of rows that were not learnt from: it rewards
a mean that is right and a deviation that is honest. Every trial draws from its own seed, so a search that was killed
and resumed finds what an unbroken one finds. The defaults are the first trial: tuning cannot end below them, except
that the best of many trials flatters itself, which is why a tuned expert still has to beat the champion elsewhere.
"""

import math
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from pydantic import Field

from seakeep.core.beliefs import FeatureFrame
from seakeep.core.config import Section
from seakeep.core.errors import ConfigError, NotEnoughHistory
from seakeep.core.market import Float64
from seakeep.core.registry import build, nearest
from seakeep.models.base import EXPERTS
from seakeep.models.folding import out_of_fold
from seakeep.models.ml import LearningExpert, Range

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

__all__ = ["Tuning", "TuningBudget", "log_score", "tune"]

Params = dict[str, float | int]

_PROOF = 2
"""Folds on which an expert under trial proves itself, within the rows that each fold of the judgement leaves it."""


class TuningBudget(Section):
    """How long to search."""

    trials: int = Field(30, ge=1, le=10_000, description="trials in all, those of earlier runs of a study included")
    seconds: float = Field(600.0, gt=0, le=86_400, description="time that all trials together may take")
    folds: int = Field(4, ge=2, le=20, description="purged folds a trial is judged on")


class Tuning(msgspec.Struct, frozen=True):
    """The best parameters found, their score and that of the defaults (log-likelihood a row), and trials made."""

    expert: str
    params: Params
    score: float
    default_score: float
    trials: int


def tune(
    name: str,
    frame: FeatureFrame,
    y: Float64,
    seed: int,
    budget: TuningBudget | None = None,
    fixed: Params | None = None,
    store: Path | None = None,
) -> Tuning:
    """Search the parameters of expert `name` on pooled features (n, k) and forward log returns (n,).

    `fixed` parameters, the horizon for one, are not searched. `store` is a SQLite file that keeps the study: the same
    call goes on where it was stopped, within the same budget. Without a limit in `seconds`, same seed, same answer.

    Raises: ConfigError for an expert that has nothing to tune, or a store that is none; NotEnoughHistory if no trial
    could be judged.
    """
    import optuna

    budget, fixed = budget or TuningBudget(), fixed or {}
    space, first = _space(name, fixed)
    study = _study(_title(name, fixed, seed, budget), store)

    def judge(trial: "Trial") -> float:
        params = fixed | {key: _draw(trial, key, limits, first[key]) for key, limits in space.items()}
        return _judged(name, params, frame, y, seed, budget.folds)

    while not _spent(study, budget):
        done = len(_finished(study))
        study.sampler = optuna.samplers.TPESampler(seed=(seed + done) % 2**32, n_startup_trials=8)
        if done == 0 and not study.get_trials(states=(optuna.trial.TrialState.WAITING,)):
            study.enqueue_trial(first)
        study.optimize(judge, n_trials=1)
    scores = [trial.value for trial in _finished(study)]
    if not math.isfinite(study.best_value):
        raise NotEnoughHistory(f"no trial of {name} could be judged", value=len(frame), remedy="use more history")
    return Tuning(name, fixed | study.best_params, study.best_value, float(scores[0] or math.nan), len(scores))


def log_score(forecast: Float64, y: Float64) -> float:
    """Mean log-likelihood of log returns (n,) under normal forecasts (n, 2), rows with a NaN left out; NaN without any.

    >>> round(log_score(np.array([[0.0, 1.0]]), np.array([0.0])), 6)
    -0.918939
    """
    mean, std = forecast[:, 0], forecast[:, 1]
    seen = np.isfinite(mean) & np.isfinite(y) & (std > 0)
    if not seen.any():
        return math.nan
    z = (y[seen] - mean[seen]) / std[seen]
    return float(np.mean(-0.5 * z * z - np.log(std[seen]))) - 0.5 * math.log(2 * math.pi)


def _space(name: str, fixed: Params) -> tuple[dict[str, Range], Params]:
    """What to search, and the defaults."""
    part = EXPERTS[name]
    known = [key for key in EXPERTS if issubclass(EXPERTS[key], LearningExpert)]
    if not issubclass(part, LearningExpert) or not part.space:
        raise ConfigError("this expert has nothing to tune", value=name, remedy=nearest(name, known))
    space = {key: limits for key, limits in part.space.items() if key not in fixed}
    if not space:
        raise ConfigError(f"every parameter of {name} is fixed", remedy="leave one out, or do not tune")
    defaults = {field.name: field.default for field in fields(part) if field.name in space}
    return space, defaults  # type: ignore[return-value]


def _study(title: str, store: Path | None) -> "Study":
    """The study of that title, with what is stored of it. Raises: ConfigError if the file cannot be used."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = None if store is None else f"sqlite:///{store}"
    try:
        return optuna.create_study(study_name=title, storage=storage, direction="maximize", load_if_exists=True)
    except Exception as error:
        remedy = "give a file in a folder that exists, or remove what is there"
        raise ConfigError(
            f"no study can be kept here: {type(error).__name__}", value=str(store), remedy=remedy
        ) from error


def _title(name: str, fixed: Params, seed: int, budget: TuningBudget) -> str:
    """Studies of different questions in one file do not mix."""
    return " ".join([name, *(f"{key}={value}" for key, value in sorted(fixed.items())), f"{seed} {budget.folds}"])


def _draw(trial: "Trial", key: str, limits: Range, default: float) -> float | int:
    if isinstance(default, int):
        return trial.suggest_int(key, int(limits.low), int(limits.high), log=limits.log)
    return trial.suggest_float(key, limits.low, limits.high, log=limits.log)


def _judged(name: str, params: Params, frame: FeatureFrame, y: Float64, seed: int, folds: int) -> float:
    """Score of these parameters; minus infinity where the folds leave too little to learn from."""
    quick: Params = {"folds": _PROOF}
    expert = build(EXPERTS, name, quick | params)
    try:
        score = log_score(out_of_fold(expert, frame, y, seed, folds), y)
    except NotEnoughHistory:
        return -math.inf
    return score if math.isfinite(score) else -math.inf


def _finished(study: "Study") -> list["FrozenTrial"]:
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def _spent(study: "Study", budget: TuningBudget) -> bool:
    finished = _finished(study)
    taken = sum(trial.duration.total_seconds() for trial in finished if trial.duration is not None)
    return len(finished) >= budget.trials or taken >= budget.seconds
