"""The whole report on one book: every question, and for each that has no answer the reason."""

from collections.abc import Callable
from typing import TypeVar

import msgspec

from seakeep.app.risk import work as riskwork
from seakeep.app.risk.desk import Desk
from seakeep.app.risk.levels import Asked, simulation
from seakeep.backtest.pages.riskfindings import Findings
from seakeep.core.errors import SeakeepError
from seakeep.montecarlo.scenarios import scenario
from seakeep.risk.court import CourtSettings
from seakeep.risk.limits import Limits
from seakeep.stats.components import components, incremental
from seakeep.stats.quantiles import checked_confidence
from seakeep.stats.tails import Scaling

__all__ = ["PARTS", "Whole", "full_report", "tail_report"]

PARTS = 6
"""Steps of a whole report, for a progress bar."""
_COURT_BARS = 3000
_RUIN_DAYS = 365

T = TypeVar("T")


class Whole(msgspec.Struct, frozen=True, kw_only=True):
    """What a report is asked: the VaR's horizon in days and its scaling beside what is asked of the simulation."""

    simulated: Asked
    limits: Limits
    days: float = 1.0
    scaling: Scaling = "simulated"
    market: str | None = None


def tail_report(desk: Desk, whole: Whole) -> Findings:
    """VaR and CVaR by method, what each position adds and what a candidate order would change.

    Raises: ConfigError, NotEnoughHistory or DataError.
    """
    asked = whole.simulated
    level = checked_confidence(asked.confidence)
    bars = desk.bars(whole.days, "--var-horizon")
    found, refused = riskwork.tails(desk, level, bars, whole.scaling if bars > 1 else None, asked.seed)
    measured, order = desk.measured, desk.order
    return Findings(
        measured=measured,
        tails=found,
        refused=refused,
        components=components(desk.table, measured.weights, level, seed=asked.seed),
        incremental=None if order is None else incremental(desk.table, measured.weights, order, level, seed=asked.seed),
        correlations=riskwork.correlations(desk),
        leads=riskwork.leads(desk),
    )


def full_report(desk: Desk, whole: Whole, advance: Callable[[int], None] = lambda steps: None) -> Findings:
    """Everything; a part that the history does not allow is missing, with its reason.

    Raises: ConfigError for a confidence, horizon or scenario that is none; NotEnoughHistory or DataError if not even
    the tails can be measured.
    """
    asked, missing = whole.simulated, []
    scenario(asked.scenario)
    horizon = desk.bars(asked.days)

    def part(name: str, made: Callable[[], T]) -> T | None:
        try:
            return made()
        except SeakeepError as error:
            missing.append((name, str(error)))
            return None
        finally:
            advance(1)

    first = tail_report(desk, whole)
    advance(1)
    return Findings(
        measured=desk.measured,
        tails=first.tails,
        refused=first.refused,
        components=first.components,
        incremental=first.incremental,
        correlations=first.correlations,
        leads=first.leads,
        trial=part("the court", lambda: riskwork.court(desk, CourtSettings(seed=asked.seed), _COURT_BARS)),
        volatility=part("volatility", lambda: riskwork.volatilities(desk, horizon, assets=False)) or (),
        simulation=part("the simulation", lambda: simulation(desk, asked)),
        ruin=part("ruin", lambda: riskwork.ruin(desk, _RUIN_DAYS, asked.paths, asked.seed, whole.limits)),
        stresses=part("stress", lambda: riskwork.stresses(desk, whole.market)),
        missing=tuple(missing),
    )
