"""A whole pipeline through the kernel is the pipeline through the driver."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from seakeep.backtest.driver import MemoryJournal
from seakeep.backtest.kernel.candidates import Venue, from_pipeline, told, unheard
from seakeep.backtest.kernel.simulator import History
from seakeep.backtest.result import digest
from seakeep.brokers.sim import SimBroker
from seakeep.core.beliefs import FeatureFrame
from seakeep.core.errors import ConfigError
from seakeep.core.market import Float64
from seakeep.data.feed import HistoricalFeed
from seakeep.engine.engine import Engine
from seakeep.engine.pipeline import Pipeline
from seakeep.engine.run import run
from seakeep.models import EXPERTS
from seakeep.models.training import fit_experts
from seakeep.risk.limits import Limits
from seakeep.risk.sizing import Sizing
from seakeep.risk.stops import StopParams
from seakeep.strategy import Strategy
from seakeep.strategy.decide import Thresholds
from seakeep.strategy.trend import Trend
from tests.integration.desk import market

MADE = market(days=60)
FRAMES = list(MADE.frames.values())


def pipeline(names: tuple[str, ...] = ("ma", "rsi", "volatility"), **parts: object) -> Pipeline:
    experts = {name: EXPERTS[name]() for name in names}
    fit_experts(experts, [frame.rows(0, 360) for frame in FRAMES], 1)
    made = Pipeline(
        run_id="candidate",
        interval="1h",
        instruments=MADE.instruments,
        strategy_name="trend",
        strategy=Trend(fast=10, slow=30, unit=30, full=1.0),
        experts=experts,
        initial_cash=Decimal(10_000),
        trade_from=int(FRAMES[0].known_at[400]),
        thresholds=Thresholds(long=0.3, short=-0.3, exit=0.1, min_confidence=0.2),
        limits=Limits.static(),
        stops=StopParams(stop_loss=0.02, take_profit=0.03),
    )
    return replace(made, **parts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "sizing",
    [
        Sizing(fixed_weight=0.3),
        Sizing(method="volatility", target_volatility=0.5),
        Sizing(method="kelly", max_kelly=5.0),
    ],
    ids=lambda sizing: sizing.method,
)
def test_strategy_experts_blend_and_size_are_those_of_the_engine(sizing: Sizing) -> None:
    candidate, venue = pipeline(sizing=sizing), Venue(seed=3)
    ranked = from_pipeline(candidate, History.of(FRAMES, MADE.observations), venue, details=True)
    broker, journal = SimBroker(candidate.instruments, candidate.initial_cash, seed=3), MemoryJournal()
    run(Engine(candidate), HistoricalFeed(FRAMES, MADE.observations), broker, journal)
    assert len(ranked.fills) >= 8
    assert digest(ranked.trades(told(candidate, venue))) == digest(journal.records.fills)
    np.testing.assert_array_equal(ranked.equity, [s.equity for s in journal.records.snapshots])


def test_what_the_kernel_leaves_out_is_named() -> None:
    candidate = pipeline((), overlay=pipeline(()).overlay.model_copy(update={"enabled": True}))
    assert unheard(candidate) == ("sizes that follow sentiment",)
    with pytest.raises(ConfigError, match="leaves out sizes that follow sentiment"):
        from_pipeline(candidate, FRAMES)
    assert from_pipeline(candidate, FRAMES, strict=False).metrics["equity"] > 0


class Bad(Strategy):
    """Scores that break the contract in one way or another."""

    way: str = "raises"

    def score(self, frame: FeatureFrame, forecasts: Mapping[str, Float64]) -> Float64:
        if self.way == "raises":
            raise RuntimeError("no")
        return (
            np.zeros(3)
            if self.way == "short"
            else np.full(len(frame), 1.0 if self.way == "nan" else 2.0) * (np.nan if self.way == "nan" else 1.0)
        )


def test_scores_that_break_the_contract_are_refused() -> None:
    for way, message in (("raises", "RuntimeError: no"), ("short", "one score for each"), ("wild", r"\[-1, 1\]")):
        with pytest.raises(ConfigError, match=message):
            from_pipeline(pipeline((), strategy=Bad(way=way)), FRAMES)
    assert from_pipeline(pipeline((), strategy=Bad(way="nan")), FRAMES).metrics["fills"] == 0
