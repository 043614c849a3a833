"""History through the one loop, and what it left behind as a `Result`.

`MemoryJournal` keeps what a ledger would; `assemble` makes the result of either, so a backtest and a dry run of the
same days are compared like with like.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np

from seakeep.backtest.result import Curves, Result, buy_and_hold, curves
from seakeep.backtest.sharpeline import SharpeLine, judge
from seakeep.core.account import Portfolio
from seakeep.core.errors import IntegrityError, NotEnoughHistory
from seakeep.core.events import Event, Filled, Funded, Liquidated, Record
from seakeep.core.market import BarFrame
from seakeep.core.orders import Fill, Order
from seakeep.core.ports import Broker, Feed
from seakeep.core.verdicts import Decision, RiskSnapshot, RiskVerdict
from seakeep.engine.engine import Engine
from seakeep.engine.pipeline import Pipeline
from seakeep.engine.run import run
from seakeep.execution.trips import RoundTrip, round_trips
from seakeep.stats.performance import Trades, measure
from seakeep.stats.returns import simple_returns

__all__ = ["MemoryJournal", "Records", "assemble", "backtest", "check_books"]


@dataclass
class Records:
    """What a run produced, by kind, in order; orders are kept in their last state."""

    snapshots: list[RiskSnapshot] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    verdicts: list[RiskVerdict] = field(default_factory=list)
    orders: dict[str, Order] = field(default_factory=dict)
    fills: list[Fill] = field(default_factory=list)
    funding: Decimal = Decimal(0)

    def add(self, event: Event, records: Sequence[Record]) -> None:
        """Sort one journal entry into its kinds."""
        match event:
            case Filled() | Liquidated():
                self.fills.append(event.fill)
            case Funded():
                self.funding += event.amount
            case _:
                pass
        for record in records:
            match record:
                case RiskSnapshot():
                    self.snapshots.append(record)
                case Decision():
                    self.decisions.append(record)
                case RiskVerdict():
                    self.verdicts.append(record)
                case Order():
                    self.orders[record.id] = record


class MemoryJournal:
    """A journal that lives as long as the process: for backtests."""

    def __init__(self) -> None:
        self.records = Records()

    def write(self, event: Event, records: Sequence[Record]) -> None:
        """Keep what the event caused."""
        self.records.add(event, records)

    def commit(self) -> None:
        """Nothing outlives a backtest, so nothing has to be durable."""


def backtest(
    pipeline: Pipeline,
    feed: Feed,
    broker: Broker,
    frames: Mapping[str, BarFrame],
    manifest: Mapping[str, object],
    seen: Callable[[int], None] | None = None,
) -> Result:
    """Run history through the loop and judge it.

    Raises: IntegrityError if our book and the venue's disagree at the end; NotEnoughHistory if no slice was traded.
    """
    engine, journal = Engine(pipeline), MemoryJournal()
    run(engine, feed, broker, journal, seen)
    check_books(engine.state.portfolio, broker.snapshot()[0])
    return assemble(pipeline, journal.records, frames, manifest)


def check_books(ours: Portfolio, venue: Portfolio) -> None:
    """Hold our account against the venue's, to the last digit. Raises: IntegrityError naming what differs."""
    for asset in ours.cash.keys() | venue.cash.keys():
        _same(f"cash in {asset}", ours.cash.get(asset, Decimal(0)), venue.cash.get(asset, Decimal(0)))
    for symbol in ours.positions.keys() | venue.positions.keys():
        mine, theirs = (book.positions.get(symbol) for book in (ours, venue))
        _same(f"position in {symbol}", mine.qty if mine else Decimal(0), theirs.qty if theirs else Decimal(0))


def _same(what: str, ours: Decimal, venue: Decimal) -> None:
    if ours != venue:
        raise IntegrityError(f"{what}: our book says {ours}, the venue {venue}", remedy="stop and reconcile by hand")


def assemble(
    pipeline: Pipeline, records: Records, frames: Mapping[str, BarFrame], manifest: Mapping[str, object]
) -> Result:
    """The result of a run from its records and the bars it traded on.

    Raises: NotEnoughHistory if no slice was traded.
    """
    if not records.snapshots:
        raise NotEnoughHistory("the run has not traded a single bar", remedy="ask for more days")
    symbols = tuple(pipeline.instruments)
    account = curves(records.snapshots, symbols)
    benchmark = buy_and_hold(frames, account.ts, float(pipeline.initial_cash))
    trips = round_trips(records.fills)
    traded = float(sum((fill.price * fill.qty for fill in records.fills), Decimal(0)))
    return Result(
        run_id=pipeline.run_id,
        strategy=pipeline.strategy_name,
        symbols=symbols,
        interval=pipeline.interval,
        quote=pipeline.quote,
        initial_cash=float(pipeline.initial_cash),
        curves=account,
        benchmark=benchmark,
        fills=tuple(records.fills),
        orders=tuple(records.orders.values()),
        decisions=tuple(records.decisions),
        verdicts=tuple(records.verdicts),
        trips=trips,
        bars=frames,
        metrics=measure(account.ts, account.equity, _trades(trips), account.gross, traded),
        benchmark_metrics=measure(account.ts, benchmark),
        manifest=manifest,
        funding=float(records.funding),
        judged=_judged(account, pipeline.interval),
    )


def _judged(account: Curves, interval: str) -> SharpeLine:
    """The Sharpe ratio as that of the only trial; who counts trials judges again. After ruin there are no returns."""
    ruined = np.flatnonzero(account.equity <= 0)
    alive = account.equity[: ruined[0]] if len(ruined) else account.equity
    return judge(simple_returns(alive) if len(alive) > 1 else np.empty(0), interval)


def _trades(trips: Sequence[RoundTrip]) -> Trades:
    columns = [(float(t.pnl), float(t.ret), t.exit_ts - t.entry_ts) for t in trips]
    pnl, ret, duration_ms = np.array(columns, dtype=np.float64).reshape(-1, 3).T
    return Trades(pnl, ret, duration_ms)
