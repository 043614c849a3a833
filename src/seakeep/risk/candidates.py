"""The VaR models that come before the court: how each is refitted, and the law it gives for the next day.

`refit(window, state)` makes the parameters that are held until the next refit, `state` being the last ones (None at
first); `law(state, window)` is asked every day with the returns up to the day before. A model of one's own is one
registration:

    CANDIDATES.add("mine", Candidate(refit, law))
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from seakeep.core.market import Float64
from seakeep.core.registry import Registry
from seakeep.stats.evt import fit_tail
from seakeep.stats.laws import (
    RISKMETRICS,
    CornishFisher,
    Empirical,
    Extreme,
    Law,
    LawSettings,
    Normal,
    StudentT,
    Weighted,
    filtered,
    fit_law,
)
from seakeep.stats.quantiles import age_weights
from seakeep.stats.volatility import Garch, filter_garch, fit_garch

__all__ = ["CANDIDATES", "Candidate"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A VaR model: what it refits, the law it forecasts with, and whether that law is inside its domain."""

    refit: Callable[[Float64, Any], Any]
    law: Callable[[Any, Float64], Law]
    inside: Callable[[Law], bool] = lambda law: True


CANDIDATES: Registry[Candidate] = Registry("VaR model", "var_models")
"""historical, age_weighted, normal, student_t, cornish_fisher, evt, ewma, filtered, filtered_evt."""


def _nothing(window: Float64, state: None) -> None:
    """For a model whose figures are read from the window itself."""


def _garch(window: Float64, state: Garch | None) -> Garch:
    return fit_garch(window, errors="normal", presample="sample", start=state).params


def _garch_and_tail(window: Float64, state: tuple[Garch, Extreme] | None) -> tuple[Garch, Extreme]:
    params = _garch(window, state[0] if state else None)
    residuals = filter_garch(window, params, "sample").residuals
    return params, Extreme(fit_tail(-residuals), np.sort(residuals))


def _filtered(params: Garch, window: Float64) -> Law:
    return filtered(filter_garch(window, params, "sample"), lambda z: Empirical(np.sort(z)))


def _filtered_evt(state: tuple[Garch, Extreme], window: Float64) -> Law:
    return filtered(filter_garch(window, state[0], "sample"), lambda z: state[1])


def _ewma(state: None, window: Float64) -> Law:
    return filtered(filter_garch(window, RISKMETRICS, "sample"), lambda z: Normal(0.0, 1.0, len(z)))


def _domain(law: Law) -> bool:
    return not (isinstance(law, CornishFisher) and law.outside)


def _finite_mean(law: Law) -> bool:
    return not (isinstance(law, Extreme) and law.pareto.xi >= 1) and not (isinstance(law, StudentT) and law.fit.nu <= 1)


_DECAY = LawSettings().age_decay

CANDIDATES.add("historical", Candidate(_nothing, lambda state, x: Empirical(np.sort(x))))
CANDIDATES.add("age_weighted", Candidate(_nothing, lambda state, x: Weighted(x, age_weights(len(x), _DECAY))))
CANDIDATES.add("normal", Candidate(_nothing, lambda state, x: fit_law(x, "normal")))
CANDIDATES.add("student_t", Candidate(lambda x, state: fit_law(x, "student_t"), lambda law, x: law, _finite_mean))
CANDIDATES.add("cornish_fisher", Candidate(_nothing, lambda state, x: fit_law(x, "cornish_fisher"), _domain))
CANDIDATES.add("evt", Candidate(lambda x, state: fit_law(x, "evt"), lambda law, x: law, _finite_mean))
CANDIDATES.add("ewma", Candidate(_nothing, _ewma))
CANDIDATES.add("filtered", Candidate(_garch, _filtered))
CANDIDATES.add("filtered_evt", Candidate(_garch_and_tail, _filtered_evt))
