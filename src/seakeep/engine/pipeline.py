"""The chosen parts of one run, frozen: what to trade, who has an opinion, how it becomes an order, what limits it."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from seakeep.core.market import Instrument
from seakeep.core.units import YEAR_MS, interval_ms
from seakeep.models import Expert
from seakeep.risk.limits import Limits
from seakeep.risk.sizing import Sizing
from seakeep.risk.stops import StopParams
from seakeep.strategy import Strategy
from seakeep.strategy.decide import Thresholds, Weights

__all__ = ["Pipeline"]


@dataclass(frozen=True)
class Pipeline:
    """Everything the engine is made of; fitted experts included. No decision is taken before `trade_from`."""

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
    def bars_per_year(self) -> float:
        """Bars in 365 days."""
        return YEAR_MS / self.bar_ms

    @cached_property
    def group_weights(self) -> dict[str, float]:
        """What each group of opinions weighs."""
        return self.weights.model_dump()
