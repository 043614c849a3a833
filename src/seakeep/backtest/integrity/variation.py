"""The same idea run again in another world: what may differ, and the function that runs it."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from seakeep.backtest.result import Result
from seakeep.brokers.latency import LatencyParams
from seakeep.core.market import BarFrame
from seakeep.execution.costs import CostParams

__all__ = ["AS_IT_WAS", "Bars", "Param", "Rerun", "Variation"]

Param = int | float | bool | str

Bars = Callable[[tuple[BarFrame, ...]], tuple[BarFrame, ...]]
"""Changes the market: takes all frames of the run, warm-up included, and gives as many of the same symbols."""


@dataclass(frozen=True, kw_only=True)
class Variation:
    """What differs from the run that is judged; what is left out stays as it was.

    `cost_scale` multiplies fees, spread and impact, `spread_scale` and `impact_scale` one of them on top. With
    `entry_delay` k decisions are taken on opinions that are k bars old; stops and targets are not delayed.
    `timerange` [start, end) in UTC ms lies inside the run. `symbols` may name stored ones the run did not trade.
    Experts are fitted again where bars, symbols or the start differ.

    Raises: ValueError naming the field that is out of range.
    """

    params: tuple[tuple[str, Param], ...] = ()
    cost_scale: float = 1.0
    spread_scale: float = 1.0
    impact_scale: float = 1.0
    costs: CostParams | None = None
    latency: LatencyParams | None = None
    path: Literal["worst", "expected", "best"] | None = None
    touch_fills: bool | None = None
    entry_delay: int = 0
    cash_scale: Decimal | int = 1
    symbols: tuple[str, ...] | None = None
    timerange: tuple[int | None, int | None] | None = None
    bars: Bars | None = None

    def __post_init__(self) -> None:
        for name in ("cost_scale", "spread_scale", "impact_scale"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name} must be a finite number >= 0, got {getattr(self, name)}")
        if not 0 <= self.entry_delay <= 10_000:
            raise ValueError(f"entry_delay must be in 0 .. 10000 bars, got {self.entry_delay}")
        if not self.cash_scale > 0:
            raise ValueError(f"cash_scale must be > 0, got {self.cash_scale}")


AS_IT_WAS = Variation()
"""Nothing differs: a rerun of this gives the run that is judged."""

Rerun = Callable[[Variation], Result]
"""Runs a variation through the one loop. Raises SeakeepError where the varied run cannot be made."""
