"""What the gate costs: a review of twenty candidates, and the way from an event to an order.

    .venv/bin/python benchmarks/gate.py

Goals: a full review of 20 candidates on a book of 20 assets in 10 ms; from an event to its order in 60 us at the 99th
percentile. Both on one thread, in process, without a rule book. Beside them, in turn: the same figures the way they are
usually had, by recomputing VaR and the correlation matrix in pandas for every candidate (where pandas is installed).
"""

import statistics
import time
from collections.abc import Callable
from decimal import Decimal
from importlib.util import find_spec

import numpy as np

from seakeep.brokers.sim import SimBroker
from seakeep.core.account import Portfolio
from seakeep.core.beliefs import FeatureFrame
from seakeep.core.events import Submit
from seakeep.core.market import BarFrame, Float64, Instrument, InstrumentKind
from seakeep.core.verdicts import Decision, RiskSnapshot
from seakeep.data.feed import HistoricalFeed
from seakeep.engine.engine import Engine
from seakeep.engine.pipeline import Pipeline
from seakeep.risk.breaker import BreakerState
from seakeep.risk.case import Candidate, Case, MarketFacts
from seakeep.risk.flip import find
from seakeep.risk.limits import Limits
from seakeep.risk.measures import history_from
from seakeep.risk.review import review
from seakeep.strategy import Strategy

ASSETS, DAYS, ROUNDS = 20, 250, 200
HOUR = 3_600_000
SYMBOLS = tuple(f"C{i}/U:U" for i in range(ASSETS))


def twenty(step: float) -> Case:
    """Twenty additions to a book of twenty positions, some of which meet their limits."""
    rng = np.random.default_rng(5)
    returns = 0.03 * rng.standard_t(4, (DAYS, ASSETS)) + 0.03 * rng.standard_t(4, (DAYS, 1))
    limits = Limits(max_correlated=1.0)
    held = dict(zip(SYMBOLS, rng.uniform(0.005, 0.02, ASSETS).tolist(), strict=True))
    instruments = {
        s: Instrument(symbol=s, base=s[:2], quote="U", kind=InstrumentKind.PERPETUAL, max_leverage=Decimal(5))
        for s in SYMBOLS
    }
    gross = sum(held.values())
    decisions = [Decision(f"d{i}", "s", s, 0, held[s] + step, 0.7, 0.8, ()) for i, s in enumerate(SYMBOLS)]
    return Case(
        snapshot=RiskSnapshot(0, 1e6, 0.01, 0.01, gross, tuple(held.items())),
        candidates=tuple(
            Candidate(decision=d, instrument=instruments[d.symbol], held=held[d.symbol], mark=100.0) for d in decisions
        ),
        limits=limits,
        breaker=BreakerState.NORMAL,
        instruments=instruments,
        markets={s: MarketFacts(symbol=s, mark=100.0, seen=0, age_bars=0.0, volume_1h=1e8) for s in SYMBOLS},
        portfolio=Portfolio(quote="U", cash={"U": Decimal(10**6)}),
        history=history_from(SYMBOLS, returns, limits),
    )


def usual(case: Case) -> Callable[[], object] | None:
    """VaR, CVaR and correlations of the book with each candidate, in pandas; None where it is not installed."""
    if find_spec("pandas") is None or case.history is None:
        return None
    import pandas as pd

    table = pd.DataFrame(case.history.returns, columns=SYMBOLS)

    def judged() -> object:
        found = []
        for candidate in case.candidates:
            weights = pd.Series(case.held)
            weights[candidate.symbol] = candidate.decision.target
            made = table @ weights
            var = made.quantile(0.05)
            found.append((var, made[made < var].mean(), table.corr().loc[candidate.symbol].abs().max()))
        return found

    return judged


class Flips(Strategy):
    """In and out by turns, so that every bar is an order."""

    features = ("close",)

    def score(self, frame: FeatureFrame, forecasts: object) -> Float64:
        return np.where(frame["close"].astype(np.int64) % 2 == 0, 1.0, -1.0)


def orders(bars: int = 24 * 150) -> tuple[list[float], list[float]]:
    """Seconds of `process` for each slice that sends an addition, and for one that closes; after the tail is known."""
    rng = np.random.default_rng(3)
    close = np.floor(1000 + 100 * np.sin(np.arange(bars) / 50) + rng.normal(0, 5, bars))
    frame = BarFrame("A/U", "1h", np.arange(bars) * HOUR, close, close + 1, close - 1, close, np.full(bars, 1e6))
    chosen = Pipeline(
        run_id="bench",
        interval="1h",
        instruments={"A/U": Instrument(symbol="A/U", base="A", quote="U")},
        strategy_name="flips",
        strategy=Flips(),
        experts={},
        initial_cash=Decimal(1_000_000),
        trade_from=24 * 70 * HOUR,
    )
    engine, broker = Engine(chosen), SimBroker(chosen.instruments, chosen.initial_cash, seed=1)
    adds: list[float] = []
    closes: list[float] = []
    for event in HistoricalFeed([frame]):
        for reply in tuple(broker.advance(event)):
            engine.process(reply)
        start = time.thread_time()
        result = engine.process(event)
        spent = time.thread_time() - start
        sent = [command.order for command in result.commands if isinstance(command, Submit)]
        if sent:
            (closes if sent[0].reduce_only else adds).append(spent)
        for command in result.commands:
            broker.send(command)
    return adds, closes


def timed(call: Callable[[], object]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


def main() -> None:
    """Interleaved rounds; medians, and percentiles for single events, of processor time."""
    small, large = twenty(0.005), twenty(0.05)
    cases: dict[str, Callable[[], object]] = {
        "20 additions that fit": lambda: review(small),
        "20 additions, limits met": lambda: review(large),
        "one flip of those": lambda: find(large, 0),
    }
    beside = usual(small)
    if beside is not None:
        cases["pandas, per candidate"] = beside
    rounds = [{name: timed(call) for name, call in cases.items()} for _ in range(ROUNDS + 5)][5:]
    for name in cases:
        ms = 1e3 * statistics.median([r[name] for r in rounds])
        goal = "goal 10 ms: " + ("met" if ms <= 10 else "MISSED") if name.startswith("20") else ""
        print(f"{name:28} {ms:8.2f} ms  {goal}")
    if beside is not None:
        ratios = [r["pandas, per candidate"] / max(r["20 additions that fit"], 1e-9) for r in rounds]
        print(f"the review costs 1 / {statistics.median(ratios):.1f} of pandas, per candidate")
    for name, spent in zip(("event to order, adds", "event to order, closes"), orders(), strict=True):
        us = 1e6 * np.array(spent)
        p50, p99 = np.percentile(us, (50, 99))
        print(
            f"{name:28} {p50:6.0f} us, 99th {p99:6.0f} us  goal 60 us: {'met' if p99 <= 60 else 'MISSED'}  n {len(us)}"
        )


if __name__ == "__main__":
    main()
