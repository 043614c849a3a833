"""Kernel = driver = ledger, to the last bit: every fill and equity, over drawn strategies, costs, delays, stops."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seakeep.backtest.driver import MemoryJournal, Records
from seakeep.backtest.kernel.simulator import KINDS, History, KernelParams, KernelRun, simulate
from seakeep.backtest.result import digest
from seakeep.brokers.latency import LatencyParams
from seakeep.brokers.sim import SimBroker, SimParams
from seakeep.core.market import BarFrame, Float64, Instrument, Observation
from seakeep.core.verdicts import Decision
from seakeep.data.feed import HistoricalFeed
from seakeep.engine.engine import Engine
from seakeep.engine.run import run
from seakeep.engine.state import Market as Desk
from seakeep.execution.costs import CostParams
from seakeep.ledger.journal import Ledger
from seakeep.risk.limits import Limits
from seakeep.risk.stops import StopParams
from seakeep.strategy.decide import Thresholds
from tests.parity.pair import HOUR, OTHER, PERPETUAL, SPOT, Market, agree, engine_of, opinions, same, venue_of, walk

LIVELY = Thresholds(long=0.3, short=-0.3, exit=0.1)
DELAYS = [LatencyParams(model="fixed", low_ms=ms) for ms in (0, 250, HOUR, 5 * HOUR // 2)] + [LatencyParams()]


def holed(frame: BarFrame, seed: int) -> BarFrame:
    """The frame with a tenth of its bars missing."""
    keep = np.random.default_rng(seed).random(len(frame)) > 0.1
    columns = (getattr(frame, name)[keep] for name in ("ts", "open", "high", "low", "close", "volume"))
    return BarFrame(frame.symbol, frame.interval, *columns)


@st.composite
def scenes(draw: st.DrawFn, instruments: Sequence[Instrument], weights: Sequence[float]) -> tuple[Market, KernelParams]:
    """A market, a strategy on it, and everything that may happen to its orders."""
    seed, n = draw(st.integers(0, 10_000)), draw(st.integers(2, 160))
    sigma, volume = draw(st.sampled_from([0.005, 0.02, 0.05])), draw(st.sampled_from([20.0, 300.0, 1e4]))
    frames = [walk(i.symbol, n, seed + k, sigma, volume) for k, i in enumerate(instruments)]
    if n > 20 and len(frames) > 1 and draw(st.booleans()):
        frames[0] = holed(frames[0], seed)
    off, rate = draw(st.sampled_from([0, 12])), np.random.default_rng(seed)
    due = [h * HOUR + off for h in range(8, n + 8, 8)] if PERPETUAL in instruments else []
    paid = [
        Observation("drawn", "funding_rate", PERPETUAL.symbol, ts, ts, round(float(rate.normal()) * 1e-3, 6))
        for ts in due
    ]
    stops = StopParams(
        stop_loss=draw(st.sampled_from([0.0, 0.01, 0.05])),
        take_profit=draw(st.sampled_from([0.0, 0.01, 0.05])),
        trailing=draw(st.sampled_from([0.0, 0.0, 0.02])),
    )
    params = KernelParams(
        instruments={i.symbol: i for i in instruments},
        cash=Decimal(draw(st.sampled_from(["1000", "10000.01", "100000"]))),
        weight=draw(st.sampled_from(weights)),
        thresholds=LIVELY,
        stops=stops,
        limits=Limits.static(draw(st.sampled_from([10.0, 0.4])), draw(st.sampled_from([20.0, 0.7]))),
        costs=CostParams(
            half_spread_bps=draw(st.sampled_from([0.0, 1.0, 20.0])), temporary=draw(st.sampled_from([0.0, 0.1, 1.0]))
        ),
        latency=draw(st.sampled_from(DELAYS)),
        sim=SimParams(
            participation=draw(st.sampled_from([0.1, 1.0])),
            path=draw(st.sampled_from(["worst", "expected", "best"])),
            touch_fills=draw(st.booleans()),
            window_bars=draw(st.sampled_from([1, 24])),
        ),
        trade_from=draw(st.sampled_from([0, n // 3 * HOUR])),
        seed=draw(st.integers(0, 99)),
    )
    stay = draw(st.sampled_from([0.5, 0.8, 0.95]))
    return Market(frames, opinions(frames, seed, stay=stay), paid), params


few = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
many = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
ONE, TWO = scenes([SPOT], [0.1, 0.5, 1.0]), scenes([SPOT, OTHER], [0.1, 0.5, 0.9])
SHORTS, MIXED = scenes([PERPETUAL], [0.1, 0.9, 4.5]), scenes([PERPETUAL, OTHER], [0.1, 0.5, 0.9])


@few
@given(ONE)
def test_one_market_is_that_of_the_driver(scene: tuple[Market, KernelParams]) -> None:
    agree(*scene)


@few
@given(TWO)
def test_two_markets_with_shared_cash_are_those_of_the_driver(scene: tuple[Market, KernelParams]) -> None:
    agree(*scene)


@few
@given(SHORTS)
def test_both_sides_of_a_perpetual_are_those_of_the_driver(scene: tuple[Market, KernelParams]) -> None:
    agree(*scene)


@few
@given(MIXED)
def test_a_perpetual_beside_a_coin_is_that_of_the_driver(scene: tuple[Market, KernelParams]) -> None:
    agree(*scene)


@pytest.mark.slow
@many
@given(st.one_of(ONE, TWO, SHORTS, MIXED))
def test_hundreds_of_drawn_runs_are_those_of_the_driver(scene: tuple[Market, KernelParams]) -> None:
    agree(*scene)


def wild(n: int = 300, seed: int = 16) -> tuple[Market, KernelParams]:
    """A leveraged perpetual in a market that liquidates."""
    frames = [walk(PERPETUAL.symbol, n, seed, sigma=0.06, volume=1e6)]
    paid = [Observation("x", "funding_rate", PERPETUAL.symbol, h * HOUR, h * HOUR, 1e-4) for h in range(8, n + 8, 8)]
    params = KernelParams(
        instruments={PERPETUAL.symbol: PERPETUAL}, weight=4.5, thresholds=LIVELY, sim=SimParams(participation=1.0)
    )
    return Market(frames, opinions(frames, seed, stay=0.9), paid), params


@pytest.mark.parametrize("seed", [2, 16, 39])
def test_margin_calls_are_those_of_the_driver(seed: int) -> None:
    made = agree(*wild(seed=seed))
    kinds = [KINDS[kind] for kind in made.fills["kind"]]
    assert kinds.count("liquidation") == made.metrics["liquidations"] >= 3


def test_every_kind_of_fill_occurs_and_is_that_of_the_driver() -> None:
    frames = [walk(SPOT.symbol, 400, 3), walk(OTHER.symbol, 400, 4)]
    market = Market(frames, opinions(frames, 3, stay=0.9))
    params = KernelParams(
        instruments={SPOT.symbol: SPOT, OTHER.symbol: OTHER},
        weight=0.45,
        thresholds=LIVELY,
        stops=StopParams(stop_loss=0.02, take_profit=0.03),
        limits=Limits.static(max_weight=0.4, max_gross=0.6),
    )
    fixed = agree(market, params)
    trailed = agree(market, replace(params, stops=StopParams(trailing=0.03)))
    kinds = {KINDS[kind] for run in (fixed, trailed) for kind in run.fills["kind"]}
    assert kinds == {"market", "stop", "target", "trailing"}
    assert fixed.metrics["unknowable"] > 0


def test_a_run_through_the_ledger_is_that_of_the_kernel(tmp_path: Path) -> None:
    frames = [walk(SPOT.symbol, 200, 1), walk(OTHER.symbol, 200, 2)]
    market = Market(frames, opinions(frames, 1))
    params = KernelParams(
        instruments={SPOT.symbol: SPOT, OTHER.symbol: OTHER},
        weight=0.5,
        thresholds=LIVELY,
        stops=StopParams(stop_loss=0.03),
    )
    kept = Records()
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        ledger.start_run("p")
        run(engine_of(market, params), HistoricalFeed(frames), venue_of(params), ledger)
        for _, event, records in ledger.entries("p"):
            kept.add(event, records)
        assert ledger.verify("p").ok
    made = agree(market, params)
    assert len(kept.fills) > 20
    same(kept, made, params)


class Told(Engine):
    """An engine whose decisions are given: a target for each symbol where it changes."""

    def __init__(self, pipeline: object, targets: dict[str, dict[int, float]]) -> None:
        super().__init__(pipeline)  # type: ignore[arg-type]
        self._targets = targets

    def _decisions(self, fresh: Sequence[Desk], ts: int) -> list[Decision]:
        asked = [(m.instrument.symbol, self._targets[m.instrument.symbol].get(ts)) for m in fresh]
        return [
            Decision(self._id("d"), "told", symbol, ts, target, target, 1.0, (("told", target),))
            for symbol, target in asked
            if target is not None
        ]


def changes(column: Float64, ts: Sequence[int]) -> dict[int, float]:
    """When a target is asked for: where it differs from the last known one."""
    found, before = {}, 0.0
    for at, target in zip(ts, column.tolist(), strict=True):
        if target == target and target != before:
            found[at] = before = target
    return found


STOPS = [StopParams(), StopParams(stop_loss=0.02, take_profit=0.04), StopParams(trailing=0.02, take_profit=0.03)]


def told_as_the_kernel_is(
    frames: Sequence[BarFrame], paid: Sequence[Observation], targets: Float64, params: KernelParams
) -> KernelRun:
    """The kernel's run of these targets, held to the pass that visits every row and to an engine that is told them."""
    history = History.of(frames, paid)
    made = simulate(history, targets, params, details=True)
    dense = simulate(history, targets, replace(params, sparse=False), details=True)
    assert made.fills.tobytes() == dense.fills.tobytes()
    asked = {s: changes(targets[:, j], history.ts.tolist()) for j, s in enumerate(history.symbols)}
    pipeline = engine_of(Market(frames, {}, paid), params).pipeline
    journal = MemoryJournal()
    run(Told(pipeline, asked), HistoricalFeed(frames, paid), venue_of(params), journal)
    same(journal.records, made, params)
    return made


@few
@given(
    st.integers(0, 10_000),
    st.sampled_from([PERPETUAL, SPOT]),
    st.sampled_from(STOPS),
    st.sampled_from(DELAYS),
    st.sampled_from([(0, 1000), (3 * HOUR // 2, 1000), (0, 3)]),
)
def test_pyramids_reductions_and_turns_are_those_of_told_decisions(
    seed: int, first: Instrument, stops: StopParams, delay: LatencyParams, pace: tuple[int, int]
) -> None:
    n, draw = 120, np.random.default_rng(seed)
    frames = [walk(first.symbol, n, seed, volume=1e3), walk(OTHER.symbol, n, seed + 1, volume=1e3)]
    paid = [Observation("x", "funding_rate", PERPETUAL.symbol, h * HOUR, h * HOUR, 1e-4) for h in range(8, n + 8, 8)]
    paid = paid if first is PERPETUAL else []
    targets = np.where(draw.random((n, 2)) < 0.7, np.nan, draw.choice([-0.6, -0.2, 0.0, 0.2, 0.4, 0.6], (n, 2)))
    targets = np.abs(targets) if first is SPOT else np.column_stack([targets[:, 0], np.abs(targets[:, 1])])
    told = Limits.static(max_gross=0.9).model_copy(update={"min_order_gap_ms": pace[0], "max_open_orders": pace[1]})
    params = KernelParams(
        instruments={first.symbol: first, OTHER.symbol: OTHER}, limits=told, stops=stops, latency=delay
    )
    told_as_the_kernel_is(frames, paid, targets, params)


@pytest.mark.parametrize(
    ("before", "after", "kinds"),
    [
        (0.6, 0.2, ["market", "market", "stop"]),  # in, less, and the stop of the entry closes what is left
        (0.2, 0.6, ["market", "market", "stop"]),  # in, more, and one stop closes it all
        (0.6, 0.0, ["market", "market"]),
    ],
)
def test_what_is_held_after_a_change_of_size_is_closed_by_its_stop(
    before: float, after: float, kinds: list[str]
) -> None:
    close = np.array([100.0, 100, 100, 100, 100, 80, 80, 80])
    before_it = np.concatenate([close[:1], close[:-1]])
    frame = BarFrame(
        SPOT.symbol, "1h", np.arange(8) * HOUR, before_it, np.maximum(close, before_it), close, close, np.full(8, 1e5)
    )
    targets = np.full((8, 1), np.nan)
    targets[0], targets[2] = before, after
    params = KernelParams(instruments={SPOT.symbol: SPOT}, stops=StopParams(stop_loss=0.1), limits=Limits.static())
    made = told_as_the_kernel_is([frame], [], targets, params)
    assert [KINDS[kind] for kind in made.fills["kind"]] == kinds
    assert sum(f["side"] * f["lots"] for f in made.fills) == 0


def test_stances_are_targets_in_units() -> None:
    frames = [walk(PERPETUAL.symbol, 100, 9)]
    paid = [Observation("x", "funding_rate", PERPETUAL.symbol, h * HOUR, h * HOUR, 1e-4) for h in range(8, 108, 8)]
    units = np.random.default_rng(9).integers(-2, 4, 100)
    params = KernelParams(instruments={PERPETUAL.symbol: PERPETUAL}, weight=0.25)
    history = History.of(frames, paid)
    by_unit, by_weight = (simulate(history, asked, params, details=True) for asked in (units, units * 0.25))
    assert by_unit.fills.tobytes() == by_weight.fills.tobytes()
    assert len(by_unit.fills) > 20


@pytest.mark.parametrize("name", ["BTCUSDT", "ETHUSDT"])
def test_real_hours_are_traded_as_the_driver_trades_them(name: str) -> None:
    parquet = Path(__file__).parents[2] / "../shared/data/ohlcv/1h" / f"{name}.parquet"
    if not parquet.exists():
        pytest.skip(f"{parquet.name} is not in ../shared/data/ohlcv/1h")
    table = np.array(parquet_rows(parquet, 1_500))
    frame = BarFrame.from_rows(SPOT.symbol, "1h", table)  # type: ignore[arg-type]
    close = frame.close
    fast, slow = (np.convolve(close, np.ones(w) / w)[: len(close)] for w in (12, 48))
    score = np.clip(40.0 * (fast / slow - 1.0), -1, 1)
    score[:48] = np.nan
    params = KernelParams(
        instruments={SPOT.symbol: replace_lot(SPOT)},
        weight=0.9,
        thresholds=LIVELY,
        stops=StopParams(trailing=0.02),
        latency=LatencyParams(),
    )
    made = agree(Market([frame], {SPOT.symbol: score}), params)
    assert len(made.fills) > 20


def replace_lot(instrument: Instrument) -> Instrument:
    """The lot Binance trades in."""
    return Instrument(symbol=instrument.symbol, base=instrument.base, quote=instrument.quote, lot=Decimal("0.00001"))


def parquet_rows(path: Path, count: int) -> list[list[float]]:
    """The last bars of a file as (ts, open, high, low, close, volume)."""
    import pyarrow.parquet as pq

    table = pq.read_table(path).to_pandas().tail(count)
    stamps = table["ts"].to_numpy("datetime64[ms]").astype(np.int64)
    columns = [stamps.tolist(), *(table[c].tolist() for c in ("open", "high", "low", "close", "volume"))]
    return [list(row) for row in zip(*columns, strict=True)]


def test_the_digest_of_the_kernel_is_the_drivers() -> None:
    market, params = wild(120)
    made = agree(market, params)
    journal = MemoryJournal()
    run(engine_of(market, params), HistoricalFeed(market.frames, market.observations), venue_of(params), journal)
    assert digest(made.trades(params)) == digest(journal.records.fills)
    assert isinstance(venue_of(params), SimBroker)
