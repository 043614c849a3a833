"""Slices a second through the loop: one symbol with two indicators, and four symbols with three experts.

    .venv/bin/python benchmarks/driver.py

Goals: 10,000 and 3,000 slices a second of process CPU time. Every slice counted may be traded on: the warm-up is fed
before the clock starts. With backtesting.py installed by hand (`pip install backtesting==0.6.6`) the first run is
also made by it, in turn, on the same bars: the same averages, the same rule, filled at the next open, the same fee.
"""

import statistics
import time
from collections.abc import Callable, Mapping
from decimal import Decimal
from importlib.util import find_spec

import numpy as np

from seakeep.backtest.driver import MemoryJournal
from seakeep.brokers.sim import SimBroker
from seakeep.core.beliefs import FeatureFrame
from seakeep.core.market import BarFrame, Float64
from seakeep.data.feed import HistoricalFeed
from seakeep.data.synthetic import SyntheticMarket, SyntheticParams, generate
from seakeep.engine.engine import Engine
from seakeep.engine.pipeline import Pipeline
from seakeep.engine.run import run
from seakeep.models import EXPERTS
from seakeep.models.training import fit_experts
from seakeep.risk.sizing import Sizing
from seakeep.strategy import Strategy
from seakeep.strategy.decide import Thresholds
from seakeep.strategy.trend import Trend

ROUNDS = 5
WARM_UP, SLICES = 288 * 30, 288 * 60
FEE = 0.001
GOALS = {"1 symbol, 2 indicators": 10_000, "4 symbols, 3 experts": 3_000}


class Cross(Strategy):
    """Long while the fast average is above the slow one."""

    features = ("sma:20", "sma:50")

    def score(self, frame: FeatureFrame, forecasts: Mapping[str, Float64]) -> Float64:
        return np.where(frame["sma:20"] > frame["sma:50"], 1.0, -1.0)


def market(symbols: tuple[str, ...]) -> SyntheticMarket:
    return generate(SyntheticParams(symbols=symbols, delisted=None, days=(WARM_UP + SLICES) // 288, seed=3))


def pipeline(made: SyntheticMarket, strategy: Strategy, names: tuple[str, ...]) -> Pipeline:
    """The parts, experts fitted on the warm-up."""
    experts = {name: EXPERTS[name]() for name in names}
    fit_experts(experts, [frame.rows(0, WARM_UP) for frame in made.frames.values()], 1)
    return Pipeline(
        run_id="bench",
        interval="5m",
        instruments=made.instruments,
        strategy_name="bench",
        strategy=strategy,
        experts=experts,
        initial_cash=Decimal(1_000_000),
        trade_from=int(next(iter(made.frames.values())).known_at[WARM_UP]),
        thresholds=Thresholds(min_confidence=0.0),
        sizing=Sizing(method="fixed", fixed_weight=0.1),
    )


def ours(chosen: Pipeline, made: SyntheticMarket) -> tuple[float, int]:
    """CPU seconds of the slices after the warm-up, and the fills they made."""
    engine, journal = Engine(chosen), MemoryJournal()
    broker = SimBroker(chosen.instruments, chosen.initial_cash, seed=1)
    slices = list(HistoricalFeed(list(made.frames.values())))
    run(engine, slices[:WARM_UP], broker, journal)
    start = time.process_time()
    run(engine, slices[WARM_UP:], broker, journal)
    return time.process_time() - start, len(journal.records.fills)


def peer(frame: BarFrame) -> Callable[[], tuple[float, int]] | None:
    """The same run by backtesting.py; None where it is not installed."""
    if find_spec("backtesting") is None:
        return None
    import backtesting
    from backtesting.lib import crossover

    class TheirCross(backtesting.Strategy):  # type: ignore[misc]
        def init(self) -> None:
            self.fast, self.slow = (self.I(average, self.data.Close, n) for n in (20, 50))

        def next(self) -> None:
            if crossover(self.fast, self.slow):
                self.buy(size=0.1)
            elif crossover(self.slow, self.fast):
                self.position.close()

    table = frame.rows(WARM_UP, WARM_UP + SLICES).to_pandas().rename(columns=str.title)
    table[["Open", "High", "Low", "Close"]] /= 1000  # it trades whole units only

    def timed() -> tuple[float, int]:
        test = backtesting.Backtest(table, TheirCross, cash=1_000_000, commission=FEE, finalize_trades=True)
        start = time.process_time()
        stats = test.run()
        return time.process_time() - start, 2 * int(stats["# Trades"])

    return timed


def average(close: Float64, n: int) -> Float64:
    """Simple moving average (n,), NaN while warming up."""
    sums = np.cumsum(np.insert(np.asarray(close, dtype=float), 0, 0.0))
    return np.concatenate([np.full(n - 1, np.nan), (sums[n:] - sums[:-n]) / n])


def report(name: str, rounds: list[tuple[float, int]]) -> float:
    rate = SLICES / statistics.median(seconds for seconds, _ in rounds)
    goal = GOALS.get(name)
    verdict = f"goal {goal:,}: {'met' if rate >= goal else 'MISSED'}" if goal else ""
    print(f"{name:24} {rate:8,.0f} slices/s  {1e6 / rate:5.1f} us each  {rounds[0][1]:4} fills  {verdict}")
    return rate


def main() -> None:
    """Run every case in turn, round by round, so that a busy machine slows all of them alike."""
    one, four = market(("BTC/USDT",)), market(("BTC/USDT", "ETH/USDT", "SOL/USDT", "XRP/USDT"))
    single, expert = pipeline(one, Cross(), ()), pipeline(four, Trend(), ("ma", "rsi", "volatility"))
    theirs = peer(one.frames["BTC/USDT"])
    cases: dict[str, Callable[[], tuple[float, int]]] = {
        "1 symbol, 2 indicators": lambda: ours(single, one),
        "4 symbols, 3 experts": lambda: ours(expert, four),
    }
    if theirs is not None:
        cases["backtesting.py"] = theirs
    rounds = [{name: case() for name, case in cases.items()} for _ in range(ROUNDS + 1)][1:]
    rates = {name: report(name, [r[name] for r in rounds]) for name in cases}
    if "backtesting.py" in rates:
        first = next(iter(rates))
        print(f"a slice of ours costs {rates['backtesting.py'] / rates[first]:.1f} x a bar of backtesting.py")
    else:
        print("backtesting.py is not installed: no ratio")


if __name__ == "__main__":
    main()
