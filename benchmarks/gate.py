"""What the gate costs: a review of twenty candidates, and the way from an event to an order.

    .venv/bin/python benchmarks/gate.py

Goals: a full review of 20 candidates on a book of 20 assets in 10 ms; from an event to its order in 60 us at the 99th
percentile, 500 us with the rule book. All on one thread, in process. Beside the review, in turn: the same figures the
way they are usually had, by recomputing VaR and the correlation matrix in pandas for every candidate (where pandas is
installed). The first slice of a day measures the tail anew, so it stands by itself; so does the first of the
run, where every part speaks for the first time.
"""

import gc
import os
import statistics
import time
from collections.abc import Callable
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from seakeep.app.gate.rulebox import judge_of
from seakeep.brokers.sim import SimBroker
from seakeep.core.account import Portfolio
from seakeep.core.beliefs import FeatureFrame
from seakeep.core.events import Command, Submit
from seakeep.core.market import BarFrame, Float64, Instrument, InstrumentKind
from seakeep.core.verdicts import Decision, RiskSnapshot
from seakeep.data.feed import HistoricalFeed
from seakeep.engine.engine import Engine
from seakeep.engine.pipeline import Pipeline
from seakeep.risk.breaker import BreakerState
from seakeep.risk.case import Candidate, Case, MarketFacts, RuleBook
from seakeep.risk.flip import find
from seakeep.risk.limits import Limits
from seakeep.risk.measures import history_from
from seakeep.risk.review import review
from seakeep.risk.rules.portfolio import PortfolioRules
from seakeep.strategy import Strategy

ASSETS, DAYS, ROUNDS = 20, 250, 200
HOUR, DAY = 3_600_000, 86_400_000
WARM_DAYS, REPEATS = 70, 5
KINDS = ("no order", "closes", "adds", "first of a day, without", "first of a day, with an order", "first of the run")
MEASURES = ("processor, least", "processor", "clock")
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
    """In at an even price and out at an odd one, so that every other bar is an order; its own part is one cosine."""

    features = ("close",)

    def score(self, frame: FeatureFrame, forecasts: object) -> Float64:
        return np.cos(np.pi * frame["close"])


def pipeline_of(book: RuleBook | None) -> Pipeline:
    """One spot market that is traded in and out, heard by the gate after 70 days of returns."""
    return Pipeline(
        run_id="bench",
        interval="1h",
        instruments={"A/U": Instrument(symbol="A/U", base="A", quote="U")},
        strategy_name="flips",
        strategy=Flips(),
        experts={},
        initial_cash=Decimal(1_000_000),
        trade_from=WARM_DAYS * DAY,
        rule_book=book,
    )


def bars(days: int) -> BarFrame:
    """Hours of a market that swings."""
    n, rng = 24 * days, np.random.default_rng(3)
    close = np.floor(1000 + 100 * np.sin(np.arange(n) / 50) + rng.normal(0, 5, n))
    return BarFrame("A/U", "1h", np.arange(n) * HOUR, close, close + 1, close - 1, close, np.full(n, 1e6))


Spent = list[tuple[str, int, int]]
"""Of each slice: what it led to, and the nanoseconds of this thread's processor and of the clock it took."""


def slices(book: RuleBook | None, days: int) -> Spent:
    """One run. What counts is `Engine.process` of a slice: from the bars that became known to the orders and the
    journal's records; not the venue, not the writing. The garbage collector runs, over what came up since the start."""
    chosen, spent = pipeline_of(book), []
    engine, broker = Engine(chosen), SimBroker(chosen.instruments, chosen.initial_cash, seed=1)
    gc.collect()
    gc.freeze()
    for event in HistoricalFeed([bars(days)]):
        for reply in tuple(broker.advance(event)):
            engine.process(reply)
        wall, start = time.perf_counter_ns(), time.thread_time_ns()
        result = engine.process(event)
        cpu = time.thread_time_ns() - start
        wall = time.perf_counter_ns() - wall
        for command in result.commands:
            broker.send(command)
        if event.ts >= chosen.trade_from:
            spent.append((_kind(event.ts, result.commands), cpu, wall))
    gc.unfreeze()
    return spent


def _kind(ts: int, commands: tuple[Command, ...]) -> str:
    if ts == WARM_DAYS * DAY:
        return KINDS[-1]
    sent = [command.order for command in commands if isinstance(command, Submit)]
    if ts % DAY == 0:
        return "first of a day, with an order" if sent else "first of a day, without"
    return "no order" if not sent else "closes" if sent[0].reduce_only else "adds"


def latency(name: str, book: RuleBook | None, days: int, goal: float) -> None:
    """Percentiles by kind of event, of all repeats (as it was) and of the least of each event (without the others)."""
    runs = [slices(book, days) for _ in range(REPEATS)]
    kinds = np.array([kind for kind, _, _ in runs[0]])
    cpu, wall = (np.array([[row[i] for row in run] for run in runs]) / 1e3 for i in (1, 2))
    print(f"event to order {name}, us: 50th / 99th; goal {goal:g} at the 99th")
    for kind in KINDS:
        chosen = kinds == kind
        least, all_cpu, all_wall = cpu[:, chosen].min(axis=0), cpu[:, chosen], wall[:, chosen]
        figures = [np.percentile(x, (50, 99)) for x in (least, all_cpu, all_wall)]
        texts = [f"{what} {p50:5.0f} /{p99:6.0f}" for what, (p50, p99) in zip(MEASURES, figures, strict=True)]
        verdict = "met" if figures[0][1] <= goal else "MISSED"
        print(f"  {kind:30} n {chosen.sum():4}  {'   '.join(texts)}   {verdict}")


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
    latency("without a rule book", None, 150, 60.0)
    latency("with the portfolio rules (CLIPS)", PortfolioRules(judge_of("portfolio", Path())), 150, 500.0)
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; the least of each event is of {REPEATS} runs")


if __name__ == "__main__":
    main()
