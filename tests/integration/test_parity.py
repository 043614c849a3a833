"""The same days in memory, through a ledger, in one go or in instalments: the same decisions and the same trades."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from seakeep.app.places import ledger_location
from seakeep.app.runs import dry_run, run_backtest
from seakeep.app.settings import Settings
from seakeep.backtest.driver import MemoryJournal, Records, check_books
from seakeep.backtest.result import Result, digest
from seakeep.brokers.sim import SimBroker
from seakeep.core.orders import OrderType, Side, Status
from seakeep.core.units import parse_time
from seakeep.data.feed import HistoricalFeed
from seakeep.data.importer import ImportOptions, import_file
from seakeep.data.store import ParquetStore
from seakeep.engine.engine import Engine
from seakeep.engine.pipeline import Pipeline
from seakeep.engine.run import run
from seakeep.ledger.journal import Ledger
from seakeep.risk.sizing import Sizing
from seakeep.risk.stops import StopParams
from seakeep.strategy.decide import Thresholds
from seakeep.strategy.trend import Trend
from tests.integration.desk import half, market, settings, stock

ROOT = Path(__file__).parents[2]
HOURLY = ROOT / "../shared/data/ohlcv/1h"
MADE = market(days=60)
PERPETUALS = ("BTC/USDT:USDT", "ETH/USDT:USDT")


def traded(result: Result) -> tuple[object, ...]:
    """What two runs of the same days must share, whatever they are called."""
    own = result.run_id
    decisions = [msgspec.structs.replace(d, id=d.id.removeprefix(own)) for d in result.decisions]
    verdicts = [msgspec.structs.replace(v, decision_id=v.decision_id.removeprefix(own)) for v in result.verdicts]
    return digest(result.fills), decisions, verdicts, result.curves.equity.tolist()


def length(chosen: Settings, userdir: Path, run_id: str) -> int:
    with Ledger.open(ledger_location(chosen, userdir), readonly=True) as ledger:
        assert ledger.verify(run_id).ok
        return ledger.run(run_id).head_seq


def test_a_dry_run_makes_the_trades_of_the_backtest(tmp_path: Path) -> None:
    stock(tmp_path, MADE.frames.values(), MADE)
    backtested, dry = run_backtest(settings(), tmp_path), dry_run(settings(), tmp_path)
    assert len(backtested.fills) >= 10
    assert len(backtested.decisions) == len(backtested.verdicts) >= 10
    assert traded(dry) == traded(backtested)


def test_asking_again_adds_nothing(tmp_path: Path) -> None:
    stock(tmp_path, MADE.frames.values(), MADE)
    first = dry_run(settings(), tmp_path)
    entries = length(settings(), tmp_path, first.run_id)
    again = dry_run(settings(), tmp_path)
    assert (again.run_id, traded(again)) == (first.run_id, traded(first))
    assert length(settings(), tmp_path, first.run_id) == entries


@pytest.mark.parametrize("with_rules", [True, False], ids=["rules known", "rules read off the bars"])
def test_two_instalments_make_the_run_of_one_go(tmp_path: Path, with_rules: bool) -> None:
    rules, parts, whole = MADE if with_rules else None, tmp_path / "parts", tmp_path / "whole"
    stock(parts, map(half, MADE.frames.values()), rules)
    started = dry_run(settings(), parts)
    stock(parts, MADE.frames.values(), rules)
    ended = dry_run(settings(), parts)
    stock(whole, MADE.frames.values(), rules)
    assert 0 < len(started.fills) < len(ended.fills)
    assert ended.run_id == started.run_id
    assert traded(ended) == traded(dry_run(settings(), whole))
    length(settings(), parts, ended.run_id)


def test_an_instalment_may_end_anywhere(tmp_path: Path) -> None:
    frames = list(MADE.frames.values())
    for share in (0.55, 0.7, 0.85, 1.0):
        stock(tmp_path, (frame.rows(0, int(len(frame) * share)) for frame in frames), MADE)
        grown = dry_run(settings(), tmp_path)
    assert traded(grown) == traded(run_backtest(settings(), tmp_path))


def test_a_later_end_of_the_time_range_continues_the_run(tmp_path: Path) -> None:
    stock(tmp_path, MADE.frames.values(), MADE)
    first = dry_run(settings(run__timerange="20240120-20240210"), tmp_path)
    longer = dry_run(settings(run__timerange="20240120-20240225"), tmp_path)
    assert longer.run_id == first.run_id
    assert traded(longer) == traded(run_backtest(settings(run__timerange="20240120-20240225"), tmp_path))
    assert longer.fills[: len(first.fills)] == first.fills


def test_the_ledger_may_be_either_database(tmp_path: Path, location: str) -> None:
    stock(tmp_path, map(half, MADE.frames.values()), MADE)
    url = location if "://" in location else f"sqlite:///{location}"
    chosen = settings(ledger__url=url)
    dry_run(chosen, tmp_path)
    stock(tmp_path, MADE.frames.values(), MADE)
    ended = dry_run(chosen, tmp_path)
    assert traded(ended) == traded(run_backtest(chosen, tmp_path))
    length(chosen, tmp_path, ended.run_id)


def test_real_bitcoin_and_ether_hours_give_the_same_trades_to_the_cent(tmp_path: Path) -> None:
    store = ParquetStore(tmp_path / "data")
    for name in ("BTCUSDT", "ETHUSDT"):
        path = HOURLY / f"{name}.parquet"
        if not path.exists():
            pytest.skip(f"{path.name} is not in ../shared/data/ohlcv/1h")
        import_file(store, path, ImportOptions())
    last = store.held("BTC/USDT", "1h")[0].last
    end = min(last, parse_time("20240401"))
    chosen = settings(run__timerange=f"{end - 90 * 86_400_000}-{end}")
    backtested, dry = run_backtest(chosen, tmp_path), dry_run(chosen, tmp_path)
    assert len(backtested.fills) >= 10
    assert traded(dry) == traded(backtested)
    length(chosen, tmp_path, dry.run_id)


def test_perpetuals_in_two_instalments_make_the_run_of_one_go(tmp_path: Path) -> None:
    made = market(days=60, symbols=PERPETUALS)
    stops = {"risk__stops__stop_loss": 0.01, "risk__stops__take_profit": 0.015}
    chosen = settings(PERPETUALS, **stops, strategy__params={"fast": 10, "slow": 30, "unit": 30, "full": 1.0})
    stock(tmp_path, map(half, made.frames.values()), made)
    assert dry_run(chosen, tmp_path).fills
    stock(tmp_path, made.frames.values(), made)
    ended = dry_run(chosen, tmp_path)
    assert traded(ended) == traded(run_backtest(chosen, tmp_path))
    assert ended.funding != 0
    assert min(weight for row in ended.curves.exposure.tolist() for weight in row) < 0
    length(chosen, tmp_path, ended.run_id)


def perpetuals() -> tuple[Pipeline, HistoricalFeed]:
    """Both sides of two margined markets, with stops and targets close enough to be met, and their funding."""
    made = market(days=60, symbols=PERPETUALS)
    pipeline = Pipeline(
        run_id="perpetual",
        interval="1h",
        instruments=made.instruments,
        strategy_name="trend",
        strategy=Trend(fast=10, slow=30, unit=30, full=1.0),
        experts={},
        initial_cash=Decimal(10_000),
        trade_from=int(next(iter(made.frames.values())).known_at[200]),
        thresholds=Thresholds(long=0.3, short=-0.3, exit=0.1),
        sizing=Sizing(method="fixed", fixed_weight=0.10),
        stops=StopParams(stop_loss=0.01, take_profit=0.015),
    )
    return pipeline, HistoricalFeed(list(made.frames.values()), made.observations)


def venue(pipeline: Pipeline) -> SimBroker:
    return SimBroker(pipeline.instruments, pipeline.initial_cash, seed=3)


def test_shorts_stops_targets_and_funding_are_the_same_through_the_ledger(tmp_path: Path) -> None:
    pipeline, feed = perpetuals()
    memory, broker, engine = MemoryJournal(), venue(pipeline), Engine(pipeline)
    run(engine, feed, broker, memory)
    check_books(engine.state.portfolio, broker.snapshot()[0])
    kept = Records()
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        ledger.start_run(pipeline.run_id)
        run(Engine(pipeline), feed, venue(pipeline), ledger)
        for _, event, records in ledger.entries(pipeline.run_id):
            kept.add(event, records)
        assert ledger.verify(pipeline.run_id).ok
    assert kept == memory.records
    filled = {order.type for order in kept.orders.values() if order.status is Status.FILLED}
    assert filled >= {OrderType.MARKET, OrderType.STOP, OrderType.LIMIT}
    assert {fill.side for fill in kept.fills} == {Side.BUY, Side.SELL}
    assert min(weight for s in kept.snapshots for _, weight in s.exposure) < 0
    assert kept.funding != 0


def test_trailing_stops_are_the_same_through_the_ledger(tmp_path: Path) -> None:
    pipeline, feed = perpetuals()
    pipeline = replace(pipeline, stops=StopParams(trailing=0.01))
    memory = MemoryJournal()
    run(Engine(pipeline), feed, venue(pipeline), memory)
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        ledger.start_run(pipeline.run_id)
        run(Engine(pipeline), feed, venue(pipeline), ledger)
        kept = Records()
        for _, event, records in ledger.entries(pipeline.run_id):
            kept.add(event, records)
    assert kept == memory.records
    assert OrderType.TRAILING in {o.type for o in kept.orders.values() if o.status is Status.FILLED}
