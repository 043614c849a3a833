"""The VaR court: every model forecasts a history day by day, is judged by the coverage tests, and one is trusted.

Day t is forecast from the `window` days before it; parameters are refitted every `refit` days and held in between.

The rule
1. At each confidence five tests are put to a model: Kupiec (as many failures as promised), independence and duration
   (failures do not cluster), dynamic quantile (failures cannot be foretold), Z2 (CVaR deep enough). It is demoted if
   the smallest p-value is below `size` / 5, so a right model is demoted with probability `size` at most, a confidence.
   The p-values of the last three are simulated, because the chi-squared law rejects too often at 99 %.
2. It is also demoted if it was outside its domain, or could not be refitted, more than one time in twenty, or if its
   CVaR was ever not a positive number: then it has no score either.
3. Of those that stand, the one with the smallest joint score of VaR and CVaR (mean over confidences) is trusted.
4. Limits are multiplied by 3 / (3 + supplement) of the Basel traffic light, over the trusted model's last 250 days at
   99 %. If no model stands, the best score is named as the least bad, and limits are cut as in the red zone.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from pydantic import Field

from seakeep.core.config import Section
from seakeep.core.errors import ModelError
from seakeep.core.market import Float64
from seakeep.risk.candidates import CANDIDATES, Candidate
from seakeep.stats.coverage import (
    Coverage,
    TrafficLight,
    conditional,
    dynamic_quantile,
    failures,
    independence,
    kupiec,
    traffic_light,
    transitions,
    weibull_duration,
)
from seakeep.stats.quantiles import checked_returns
from seakeep.stats.resampled import duration_null, quantile_null, resampled
from seakeep.stats.shortfall import NullLaw, acerbi_szekely, joint_score, null_law

__all__ = ["CONFIDENCES", "CourtSettings", "Judgement", "Ruling", "Trial", "forecast", "hold_court"]

CONFIDENCES = (0.95, 0.99)
DECISIVE = ("kupiec", "independence", "weibull_duration", "dynamic_quantile", "z2")
MOST_AMISS = 0.05
LIGHT_DAYS, LIGHT_CONFIDENCE = 250, 0.99
RED_SHARE = 0.75
MIN_EXPECTED = 5
"""Failures that must be expected at the highest confidence before a verdict means anything."""


class CourtSettings(Section):
    """How forecasts are made and judged."""

    window: int = Field(500, ge=250, le=5000, description="days a forecast may look back")
    refit: int = Field(7, ge=1, le=250, description="days between refits")
    size: float = Field(0.05, gt=0, lt=0.5, description="chance that a right model is demoted at one confidence")
    simulations: int = Field(10_000, ge=1000, le=1_000_000, description="samples of the law of Z2")
    samples: int = Field(999, ge=99, le=100_000, description="samples of the laws of the other simulated tests")
    seed: int = Field(0, ge=0, description="seed of those samples")


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """One model's forecasts: VaR and CVaR (m, 2), a column a confidence; `amiss` counts days outside its domain,
    `kept` refits that failed, so that the parameters before were kept, out of `refits`."""

    model: str
    var: Float64
    cvar: Float64
    amiss: int
    kept: int
    refits: int

    @property
    def speechless(self) -> int:
        """Days without a CVaR that is positive and finite."""
        return int((~(np.isfinite(self.cvar) & (self.cvar > 0))).any(axis=1).sum())


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """A model at one confidence; `against` names the tests that reject it."""

    model: str
    confidence: float
    n: int
    failures: int
    expected: float
    tests: tuple[Coverage, ...]
    score: float
    mean_var: float
    mean_cvar: float
    against: tuple[str, ...]

    def p_value(self, test: str) -> float:
        """p-value of that test; NaN if it could not be made."""
        return next((t.p_value for t in self.tests if t.test == test), math.nan)


class Ruling(msgspec.Struct, frozen=True, kw_only=True):
    """Whom to trust, why, and what is left of the limits (`limit_share`, 0.75 to 1).

    `reasons` say of every model, best score first, why it stands or is demoted; `stands` is false if none does.
    """

    trusted: str
    stands: bool
    reason: str
    limit_share: float
    light: TrafficLight
    judgements: tuple[Judgement, ...]
    reasons: tuple[tuple[str, str], ...]
    demoted: tuple[str, ...]
    n: int


def forecast(returns: Float64, model: str, settings: CourtSettings | None = None) -> Trial:
    """VaR and CVaR of every day after the first window, each from the days before it alone; returns (n,) to (m, 2).

    Raises: ConfigError for an unknown model, ModelError if it cannot be fitted to the first window.
    """
    rules, candidate = settings or CourtSettings(), CANDIDATES[model]
    days = range(rules.window, len(returns))
    tails, amiss, kept, refits = np.empty((len(days), len(CONFIDENCES), 2)), 0, 0, 0
    state: Any = None
    for row, day in enumerate(days):
        window = returns[day - rules.window : day]
        if row % rules.refit == 0:
            state, failed = _refitted(candidate, window, state, first=row == 0)
            refits, kept = refits + 1, kept + failed
        law = candidate.law(state, window)
        tails[row] = [law.tail(confidence) for confidence in CONFIDENCES]
        amiss += not candidate.inside(law)
    return Trial(model, tails[:, :, 0], tails[:, :, 1], amiss, kept, refits)


def _refitted(candidate: Candidate, window: Float64, state: object, *, first: bool) -> tuple[object, bool]:
    """The new parameters, or the last ones and True where the fit fails; the first fit may not fail."""
    try:
        return candidate.refit(window, state), False
    except ModelError:
        if first:
            raise
        return state, True


def hold_court(
    returns: Float64, models: Sequence[str] | None = None, settings: CourtSettings | None = None
) -> tuple[Ruling, tuple[Trial, ...]]:
    """The ruling over daily simple returns (n,), oldest first, and the forecasts it rests on.

    `models` are names out of CANDIDATES, all of them if not given.

    Raises: NotEnoughHistory below window + 500 days, DataError (NaN, constant), ConfigError for an unknown model.
    """
    rules = settings or CourtSettings()
    need = rules.window + math.ceil(round(MIN_EXPECTED / (1 - max(CONFIDENCES)), 6))
    x = checked_returns(returns, need, "the VaR court")
    trials = tuple(forecast(x, model, rules) for model in (models or list(CANDIDATES)))
    days = x[rules.window :]
    laws = [_Laws.of(len(days), confidence, rules) for confidence in CONFIDENCES]
    found = [_judge(trial, days, i, law, rules) for trial in trials for i, law in enumerate(laws)]
    return _rule(trials, found, days), trials


@dataclass(frozen=True, slots=True, eq=False)
class _Laws:
    """Simulated laws that are the same for every model."""

    shortfall: NullLaw
    duration: Float64

    @classmethod
    def of(cls, n: int, confidence: float, rules: CourtSettings) -> "_Laws":
        shortfall = null_law(n, confidence, simulations=rules.simulations, seed=rules.seed)
        return cls(shortfall, duration_null(n, confidence, rules.samples, rules.seed))


def _judge(trial: Trial, days: Float64, column: int, laws: _Laws, rules: CourtSettings) -> Judgement:
    confidence, var, cvar = CONFIDENCES[column], trial.var[:, column], trial.cvar[:, column]
    hits = failures(days, var)
    count, follow = kupiec(int(hits.sum()), len(hits), confidence), independence(*transitions(hits))
    null = quantile_null(var, confidence, samples=rules.samples, seed=rules.seed)
    tests: tuple[Coverage, ...] = (
        count,
        follow,
        conditional(count, follow),
        resampled(dynamic_quantile(days, var, confidence), null),
        resampled(weibull_duration(hits)[0], laws.duration),
    )
    score = math.inf
    if not trial.speechless:
        tests += acerbi_szekely(days, var, cvar, confidence, laws.shortfall)
        score = float(joint_score(days, var, cvar, confidence).mean())
    return Judgement(
        model=trial.model,
        confidence=confidence,
        n=len(hits),
        failures=count.failures,
        expected=len(hits) * (1 - confidence),
        tests=tests,
        score=score,
        mean_var=float(var.mean()),
        mean_cvar=float(cvar.mean()),
        against=tuple(t.test for t in tests if t.test in DECISIVE and t.p_value < rules.size / len(DECISIVE)),
    )


def _rule(trials: tuple[Trial, ...], found: list[Judgement], days: Float64) -> Ruling:
    of = {t.model: [j for j in found if j.model == t.model] for t in trials}
    amiss = {t.model: _amiss(t) for t in trials}
    ranked = sorted(trials, key=lambda t: sum(j.score for j in of[t.model]))
    demoted = {t.model for t in trials if amiss[t.model] or any(j.against for j in of[t.model])}
    standing = [t for t in ranked if t.model not in demoted]
    chosen = (standing or ranked)[0]
    hits = failures(days, chosen.var[:, CONFIDENCES.index(LIGHT_CONFIDENCE)])[-LIGHT_DAYS:]
    light = traffic_light(int(hits.sum()), len(hits), LIGHT_CONFIDENCE)
    reasons = tuple((t.model, _reason(of[t.model], amiss[t.model])) for t in ranked)
    return Ruling(
        trusted=chosen.model,
        stands=bool(standing),
        reason=_sentence(chosen.model, len(standing), len(trials), light),
        limit_share=light.limit_share if standing else RED_SHARE,
        light=light,
        judgements=tuple(found),
        reasons=reasons,
        demoted=tuple(t.model for t in ranked if t.model in demoted),
        n=len(days),
    )


def _amiss(trial: Trial) -> str:
    days = len(trial.var)
    if trial.speechless:
        return f"its CVaR was no positive number on {trial.speechless} of {days} days"
    if trial.amiss > MOST_AMISS * days:
        return f"outside its domain on {trial.amiss} of {days} days"
    if trial.kept > MOST_AMISS * trial.refits:
        return f"{trial.kept} of {trial.refits} refits failed"
    return ""


def _reason(judged: list[Judgement], amiss: str) -> str:
    parts = [amiss] if amiss else []
    for j in judged:
        if j.against:
            tests = ", ".join(f"{name} {_chance(j.p_value(name))}" for name in j.against)
            parts.append(f"{j.confidence:.0%}: {j.failures} failures, {j.expected:.1f} expected; {tests}")
    if parts:
        return "demoted; " + "; ".join(parts)
    counts = "; ".join(f"{j.confidence:.0%}: {j.failures} failures, {j.expected:.1f} expected" for j in judged)
    return f"stands; {counts}"


def _chance(p: float) -> str:
    return f"p = {p:.2g}" if p >= 1e-6 else "p < 1e-6"


def _sentence(model: str, standing: int, total: int, light: TrafficLight) -> str:
    colour = f"{light.zone}: {light.failures} failures in the last {light.n} days at {LIGHT_CONFIDENCE:.0%}"
    if standing:
        return f"{model} has the best joint score of the {standing} models of {total} that stand; light {colour}"
    return (
        f"none of {total} models stands; {model} has the best joint score and limits are cut as in red; light {colour}"
    )
