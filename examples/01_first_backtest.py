"""A first backtest with the library: make a market, write a strategy, run it through the loop, read the figures.

    python examples/01_first_backtest.py

The market is invented and its seed is fixed, so everyone sees the same numbers. What they say about the strategy, they
say about this market only.
"""

from collections.abc import Mapping
from decimal import Decimal

import numpy as np

from seakeep.backtest.driver import backtest
from seakeep.backtest.result import Result, digest
from seakeep.brokers.sim import SimBroker
from seakeep.core.beliefs import FeatureFrame
from seakeep.core.market import Float64
from seakeep.data.feed import HistoricalFeed
from seakeep.data.synthetic import SyntheticMarket, SyntheticParams, generate
from seakeep.engine.pipeline import Pipeline
from seakeep.risk.limits import Limits
from seakeep.risk.sizing import Sizing
from seakeep.strategy import STRATEGIES, Strategy

SYMBOLS = ("BTC/USDT", "ETH/USDT")
METRICS = ("cagr", "volatility", "max_drawdown", "sharpe", "win_rate", "profit_factor")


@STRATEGIES.register("channel")
class Channel(Strategy):
    """Long near the top of a channel of four days, out of it near its bottom."""

    features = ("close", "donchian_upper:96", "donchian_lower:96")

    def score(self, frame: FeatureFrame, forecasts: Mapping[str, Float64]) -> Float64:
        """-1 at the bottom of the channel, 1 at its top; NaN, which abstains, while it has no width."""
        close, upper, lower = (frame[name] for name in self.features)
        width = np.where(upper > lower, upper - lower, np.nan)
        return np.clip((2 * close - upper - lower) / width, -1, 1)


def run(market: SyntheticMarket) -> Result:
    """A year through the loop: every bar a slice, every decision judged, every order filled by a simulated venue."""
    pipeline = Pipeline(
        run_id="first",
        interval="1h",
        instruments=market.instruments,
        strategy_name="channel",
        strategy=STRATEGIES["channel"](),
        experts={},
        initial_cash=Decimal(10_000),
        sizing=Sizing(method="fixed", fixed_weight=0.20),
        limits=Limits(max_weight=0.15),
    )
    feed = HistoricalFeed(list(market.frames.values()))
    venue = SimBroker(market.instruments, pipeline.initial_cash, seed=1)
    return backtest(pipeline, feed, venue, market.frames, {"seed": 11})


def show(result: Result) -> None:
    """Figures, each with its interval where it is an estimate, beside those of buying and holding."""
    outcomes = [str(verdict.outcome) for verdict in result.verdicts]
    print(f"{result.strategy} on {', '.join(result.symbols)}: {len(result.curves.ts):,} slices")
    print(f"equity {result.initial_cash:,.2f} to {result.curves.equity[-1]:,.2f} {result.quote}")
    for name in METRICS:
        ours, held = result.metrics[name], result.benchmark_metrics[name]
        beside = f"   buy and hold {held.value:7.3f}" if np.isfinite(held.value) else ""
        print(f"  {name:14} {ours.value:7.3f}   95 % interval {ours.low:7.3f} to {ours.high:7.3f}{beside}")
    print(f"verdicts: {', '.join(f'{outcomes.count(kind)} {kind}' for kind in sorted(set(outcomes)))}")
    first = next(verdict for verdict in result.verdicts if verdict.hits)
    print(f"the first that was changed: {first.hits[0].rule}, {first.hits[0].message}")
    print(f"costs {result.costs.total:,.2f}, {len(result.trips)} round trips, digest {digest(result.fills)[:16]}")


if __name__ == "__main__":
    show(run(generate(SyntheticParams(symbols=SYMBOLS, delisted=None, interval="1h", days=365, seed=11))))
