"""The page of market regimes: what holds now, the coloured price, what was earned in each, how long each lasted."""

from collections.abc import Sequence
from dataclasses import dataclass

from seakeep.backtest.pages.regimechart import COLOURS, regime_chart
from seakeep.backtest.pages.report import pages
from seakeep.core.beliefs import Regime
from seakeep.core.market import BarFrame, Float64
from seakeep.core.units import interval_ms
from seakeep.models.regimeperformance import RegimePerformance
from seakeep.models.regimes import RegimeTable

__all__ = ["RegimeView", "render"]


@dataclass(frozen=True)
class RegimeView:
    """One symbol: its bars, their regimes, and what holding it earned in each."""

    bars: BarFrame
    table: RegimeTable
    performance: tuple[RegimePerformance, ...]

    @property
    def now(self) -> Regime:
        """The regime of the last bar."""
        return self.table.regime()

    @property
    def stays_ms(self) -> dict[str, Float64]:
        """How long each label lasted, run by run, in ms."""
        bar_ms = interval_ms(self.bars.interval)
        return {label: lengths * bar_ms for label, lengths in self.table.stays().items()}


def render(views: Sequence[RegimeView], model: str, fitted: str) -> str:
    """The page as text (UTF-8); `fitted` says what the model learnt from."""
    template = pages().get_template("regimes.html")
    charts = [regime_chart(view.bars, view.table) for view in views]
    pairs = list(zip(views, charts, strict=True))
    return template.render(pairs=pairs, model=model, fitted=fitted, colours=COLOURS)
