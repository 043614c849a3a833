"""The chosen parts of one run, frozen: what to trade, who has an opinion, how it becomes an order, what limits it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from seakeep.core.beliefs import FeatureFrame
from seakeep.core.market import Instrument
from seakeep.core.units import DAY_MS, HOUR_MS, YEAR_MS, interval_ms
from seakeep.execution.costs import CostParams
from seakeep.models import Expert
from seakeep.models.calibration import Calibration
from seakeep.models.regimes import RegimeModel
from seakeep.models.sentiment import CrowdParams, Lexicon, Scorer
from seakeep.risk.case import RuleBook
from seakeep.risk.limits import Limits
from seakeep.risk.overlay import OverlayParams
from seakeep.risk.ratchet import RatchetParams
from seakeep.risk.sizing import Sizing
from seakeep.risk.stops import StopParams
from seakeep.strategy import Alpha, Strategy
from seakeep.strategy.allocation import RegimeLimits
from seakeep.strategy.costgate import CostGate
from seakeep.strategy.decide import Thresholds, Weights
from seakeep.strategy.learning import Weighting
from seakeep.strategy.selection import Selector

__all__ = ["RETURNS", "Pipeline", "Vetoing"]

RETURNS = 240
"""Bars of returns that usual moves and correlations rest on."""


@runtime_checkable
class Vetoing(Protocol):
    """An expert that forbids entries."""

    def veto(self, frame: FeatureFrame) -> NDArray[np.bool_]:
        """Which rows (n,) forbid an entry."""
        ...


@dataclass(frozen=True)
class Pipeline:
    """Everything the engine is made of; fitted experts included. No decision is taken before `trade_from`.

    `calibrations` are those of experts, by name; an expert without one speaks as it is. `regimes` is fitted; without
    one no regime is told. `alphas` speak beside the strategy and the experts.
    """

    run_id: str
    interval: str
    instruments: Mapping[str, Instrument]
    strategy_name: str
    strategy: Strategy
    experts: Mapping[str, Expert]
    initial_cash: Decimal
    trade_from: int = 0
    thresholds: Thresholds = Thresholds()
    weights: Weights = Weights()
    limits: Limits = Limits()
    sizing: Sizing = Sizing()
    stops: StopParams = StopParams()
    overlay: OverlayParams = OverlayParams()
    ratchet: RatchetParams = RatchetParams()
    rule_book: RuleBook | None = None
    calibrations: Mapping[str, Calibration] = field(default_factory=dict)
    regimes: RegimeModel | None = None
    regime_limits: RegimeLimits = RegimeLimits()
    alphas: Mapping[str, Alpha] = field(default_factory=dict)
    weighting: Weighting = Weighting()
    cost_gate: CostGate = CostGate(mode="off")
    costs: CostParams = CostParams()
    scorer: Scorer = field(default_factory=Lexicon)
    crowd: CrowdParams = CrowdParams()

    @cached_property
    def quote(self) -> str:
        """The asset the account is kept in."""
        return next(iter(self.instruments.values())).quote

    @cached_property
    def specs(self) -> tuple[str, ...]:
        """Every feature spec some part reads, each once, in a stable order."""
        parts = (*(e.features for e in self.experts.values()), self.strategy.features)
        return tuple(dict.fromkeys(spec for specs in parts for spec in specs))

    @cached_property
    def tail(self) -> int:
        """How many feature rows the parts look back on."""
        return max([self.strategy.lookback, *(e.lookback for e in self.experts.values())])

    @cached_property
    def bar_ms(self) -> int:
        """Length of a bar."""
        return interval_ms(self.interval)

    @cached_property
    def kept_bars(self) -> int:
        """Bars the gate looks back on one by one: an hour, or the range that stops are set by."""
        return max(-(-HOUR_MS // self.bar_ms), self.stops.atr_bars + 1)

    @cached_property
    def ranges(self) -> bool:
        """Whether some part looks at the average true range: stops that are set by it, or a rule book."""
        return self.stops.atr_multiple > 0 or self.rule_book is not None

    @cached_property
    def swings(self) -> bool:
        """Whether some part looks at the volatility of a market: stops that are scaled by it, or a rule book."""
        return self.stops.adaptive or self.rule_book is not None

    @cached_property
    def protects(self) -> bool:
        """Whether positions have stops or targets."""
        stops = self.stops
        return bool(stops.stop_loss or stops.trailing or stops.atr_multiple or stops.take_profit or stops.ladder)

    @cached_property
    def day_bars(self) -> int:
        """Bars of a day."""
        return -(-DAY_MS // self.bar_ms)

    @cached_property
    def bars_per_year(self) -> float:
        """Bars in 365 days."""
        return YEAR_MS / self.bar_ms

    @cached_property
    def group_weights(self) -> dict[str, float]:
        """What each group of opinions weighs."""
        return self.weights.model_dump()

    def weights_in(self, regime: str) -> dict[str, float]:
        """What each group weighs in that regime."""
        tilt = self.weighting.tilts.get(regime)
        if tilt is None:
            return self.group_weights
        return {group: weight * tilt.get(group, 1.0) for group, weight in self.group_weights.items()}

    @cached_property
    def vetoing(self) -> dict[str, Vetoing]:
        """The experts that may forbid an entry."""
        return {name: e for name, e in self.experts.items() if e.vetoes and isinstance(e, Vetoing)}

    @cached_property
    def voices(self) -> tuple[str, ...]:
        """Everybody who may have an opinion of direction."""
        return (self.strategy_name, *self.experts, *self.alphas)

    @cached_property
    def returns_kept(self) -> int:
        """Bars of returns of all markets that some part looks back on; 0 where none does."""
        kept = [alpha.bars for alpha in self.alphas.values()]
        learns = self.weighting.method != "static" or isinstance(self.strategy, Selector)
        if learns or self.sizing.method == "kelly_portfolio":
            kept.append(RETURNS)
        return max(kept, default=0)
