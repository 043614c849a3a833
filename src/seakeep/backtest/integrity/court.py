"""The integrity court: every check of a run, by name, and the grade they come to.

A check gets a `Case` and gives a `Check`. What cannot be run is not judged; a strategy that fails in a varied world
fails that check.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import msgspec

from seakeep.backtest.integrity.band import Band, band
from seakeep.backtest.integrity.band import check as band_check
from seakeep.backtest.integrity.capacity import CapacityParams, capacity_check
from seakeep.backtest.integrity.crossvalidation import CrossValidationParams, cross_validation_check
from seakeep.backtest.integrity.decay import DecayParams, decay_check
from seakeep.backtest.integrity.family import Family, FamilyParams, family
from seakeep.backtest.integrity.friction import costs, latency, volume
from seakeep.backtest.integrity.judgement import Check, Grade, grade
from seakeep.backtest.integrity.lookahead import look_ahead, replay, warm_up
from seakeep.backtest.integrity.luck import luck
from seakeep.backtest.integrity.nested import WalkForwardParams, walk_forward_check
from seakeep.backtest.integrity.overfit import OverfittingParams, overfitting_check
from seakeep.backtest.integrity.robustness import RobustnessParams, parameters, robustness_check
from seakeep.backtest.integrity.stress import StressParams, stress_check
from seakeep.backtest.integrity.survivorship import Listing, survivorship
from seakeep.backtest.integrity.tradesruin import TradesRuinParams, trades_ruin_check
from seakeep.backtest.integrity.tried import Tried
from seakeep.backtest.integrity.variation import Rerun
from seakeep.backtest.kernel.candidates import Venue
from seakeep.backtest.kernel.tape import History
from seakeep.backtest.result import Result
from seakeep.backtest.sharpeline import judge as sharpe_line
from seakeep.core.config import Section
from seakeep.core.errors import ConfigError, DataError, NotEnoughHistory
from seakeep.core.market import BarFrame, Observation
from seakeep.engine.pipeline import Pipeline
from seakeep.stats.returns import simple_returns

__all__ = ["COURT", "QUICK", "Case", "Integrity", "IntegrityParams", "Judge", "judge", "verdict"]


class IntegrityParams(Section):
    """What the court tries, and what it asks for: a section for each check that has something to set."""

    family: FamilyParams = FamilyParams()
    walk_forward: WalkForwardParams = WalkForwardParams()
    cross_validation: CrossValidationParams = CrossValidationParams()
    overfitting: OverfittingParams = OverfittingParams()
    robustness: RobustnessParams = RobustnessParams()
    stress: StressParams = StressParams()
    capacity: CapacityParams = CapacityParams()
    ruin: TradesRuinParams = TradesRuinParams()
    decay: DecayParams = DecayParams()


@dataclass(frozen=True, eq=False)
class Case:
    """A finished run before the court: its result and parts, its bars (warm-up included), and what may be rerun.

    `venue` is that of the run, with its seed and costs, `observations` what it was told beside bars, `listings` the
    store's at its interval, `tried` what was counted on the same days. `count` counts the family. `band` is its
    fill band, where it was made already; a result without a judged Sharpe ratio is taken for the only trial.
    """

    result: Result
    rerun: Rerun
    pipeline: Pipeline
    frames: tuple[BarFrame, ...]
    venue: Venue = Venue()
    observations: tuple[Observation, ...] = ()
    listings: tuple[Listing, ...] = ()
    tried: Tried | None = None
    params: IntegrityParams = IntegrityParams()
    count: Callable[[Family], None] | None = None
    band: Band | None = None

    @property
    def seed(self) -> int:
        """The seed of the run."""
        return self.venue.seed

    @cached_property
    def family(self) -> Family:
        """The run with its parameters moved, made once. Raises: NotEnoughHistory."""
        history = History.of(self.frames, self.observations)
        made = family(self.result, self.rerun, self.pipeline, history, self.venue, self.params.family)
        if self.count is not None:
            self.count(made)
        return made


class Integrity(msgspec.Struct, frozen=True):
    """What the court says of a run. `whole` is False when only the quick checks were made: that is no grade."""

    grade: Grade
    checks: tuple[Check, ...]
    band: Band | None
    whole: bool


Judge = Callable[[Case], Check]


COURT: Mapping[str, Judge] = {
    "look-ahead": lambda case: look_ahead(
        case.frames, case.pipeline.strategy_name, case.pipeline.strategy, case.pipeline.experts
    ),
    "replay": lambda case: replay(case.result, case.rerun),
    "warm-up": lambda case: warm_up(
        case.frames, case.pipeline.strategy_name, case.pipeline.strategy, case.pipeline.experts
    ),
    "survivorship": lambda case: survivorship(case.result, case.rerun, case.listings),
    "fill band": lambda case: band_check(case.result, case.band or band(case.result, case.rerun)),
    "costs": lambda case: costs(case.result, case.rerun),
    "latency": lambda case: latency(case.result, case.rerun),
    "slippage by volume": lambda case: volume(case.result),
    "capacity": lambda case: capacity_check(
        case.result,
        case.rerun,
        case.params.capacity,
        order_limit=case.pipeline.limits.max_order_notional,
        seed=case.seed,
    ),
    "walk-forward": lambda case: walk_forward_check(case.family, case.params.walk_forward),
    "cross-validation": lambda case: cross_validation_check(case.family, case.params.cross_validation),
    "overfitting": lambda case: overfitting_check(case.family, case.tried, case.params.overfitting),
    "robustness": lambda case: robustness_check(
        case.result, case.rerun, parameters(case.pipeline.strategy), case.params.robustness, seed=case.seed
    ),
    "stress": lambda case: stress_check(case.result, case.rerun, case.venue.costs, case.params.stress, seed=case.seed),
    "luck": lambda case: luck(
        case.result.judged or sharpe_line(simple_returns(case.result.curves.equity), case.result.interval),
        case.tried,
        case.seed,
    ),
    "risk of ruin": lambda case: trades_ruin_check(case.result, case.params.ruin, seed=case.seed),
    "alpha decay": lambda case: decay_check(case.pipeline, case.frames, case.params.decay, seed=case.seed),
}
"""Every check of the court by name, in the order they are shown."""

QUICK = ("look-ahead", "warm-up", "fill band", "slippage by volume", "luck")
"""The checks a backtest makes by itself: those that need no reruns, and the band."""


def judge(case: Case, name: str) -> Check:
    """One check of the court. Raises: KeyError if there is none of that name."""
    try:
        return COURT[name](case)
    except (NotEnoughHistory, DataError) as error:
        return Check(name=name, status="not judged", reason=f"it could not be run: {error}")
    except ConfigError as error:
        return Check(name=name, status="fail", reason=str(error))


def verdict(checks: Sequence[Check], found: Band | None) -> Integrity:
    """The checks with their grade; the whole court sat if every one of its checks is there."""
    whole = {check.name for check in checks} >= COURT.keys()
    return Integrity(grade(checks), tuple(checks), found, whole)
