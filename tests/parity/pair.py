"""The same run through the driver and through the kernel, and what must be equal between them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np

from seakeep.backtest.driver import MemoryJournal, Records, check_books
from seakeep.backtest.kernel.simulator import History, KernelParams, KernelRun, Opinions, simulate
from seakeep.backtest.result import digest
from seakeep.brokers.sim import SimBroker
from seakeep.core.beliefs import FeatureFrame
from seakeep.core.market import BarFrame, Float64, Instrument, InstrumentKind, Observation
from seakeep.data.feed import HistoricalFeed
from seakeep.engine.engine import Engine
from seakeep.engine.pipeline import Pipeline
from seakeep.engine.run import run
from seakeep.risk.sizing import Sizing
from seakeep.strategy import Strategy

HOUR = 3_600_000
SPOT = Instrument(symbol="BTC/USDT", base="BTC", quote="USDT", lot=Decimal("0.001"))
OTHER = Instrument(symbol="ETH/USDT", base="ETH", quote="USDT", lot=Decimal("0.01"), taker_fee=Decimal("0.00075"))
PERPETUAL = Instrument(
    symbol="BTC/USDT:USDT",
    base="BTC",
    quote="USDT",
    kind=InstrumentKind.PERPETUAL,
    lot=Decimal("0.001"),
    tick=Decimal("0.1"),
    maker_fee=Decimal("0.0002"),
    taker_fee=Decimal("0.00055"),
    max_leverage=Decimal(5),
    maintenance_margin=Decimal("0.005"),
)


@dataclass(frozen=True, eq=False)
class Market:
    """Bars of each symbol and funding, and the scores a strategy will give (n,) by symbol."""

    frames: Sequence[BarFrame]
    scores: Mapping[str, Float64]
    observations: Sequence[Observation] = ()


def walk(symbol: str, n: int, seed: int, sigma: float = 0.02, volume: float = 1e4, tick: float = 0.01) -> BarFrame:
    """Hourly bars around 100 with gaps between close and open, prices on the tick."""
    draw = np.random.default_rng(seed)
    steps = sigma * draw.standard_normal((4, n))
    close = 100 * np.exp(np.cumsum(steps[0]))
    before = np.concatenate([[100.0], close[:-1]]) * np.exp(0.3 * steps[1])
    high = np.maximum(before, close) * np.exp(np.abs(0.7 * steps[2]))
    low = np.minimum(before, close) * np.exp(-np.abs(0.7 * steps[3]))
    prices = [np.round(p / tick) * tick for p in (before, high, low, close)]
    prices = [np.array([float(f"{p:.2f}") for p in column]) for column in prices]
    volumes = np.round(volume * draw.uniform(0.2, 2.0, n), 3)
    return BarFrame(symbol, "1h", np.arange(n, dtype=np.int64) * HOUR, *prices, volumes)


def opinions(frames: Sequence[BarFrame], seed: int, abstain: float = 0.05, stay: float = 0.9) -> dict[str, Float64]:
    """Scores in [-1, 1] that move in jumps and sometimes abstain."""
    draw, found = np.random.default_rng(seed), {}
    for frame in frames:
        raw = draw.uniform(-1, 1, len(frame))
        moved = draw.random(len(frame)) > stay
        moved[0] = True
        score = raw[np.maximum.accumulate(np.where(moved, np.arange(len(frame)), 0))]
        found[frame.symbol] = np.where(draw.random(len(frame)) < abstain, np.nan, np.round(score, 2))
    return found


def engine_of(market: Market, params: KernelParams) -> Engine:
    """An engine whose strategy gives the scores of the market."""
    stamps = {frame.symbol: frame.known_at for frame in market.frames}

    class Scripted(Strategy):
        features = ("close",)

        def score(self, frame: FeatureFrame, forecasts: Mapping[str, Float64]) -> Float64:
            return market.scores[frame.symbol][np.searchsorted(stamps[frame.symbol], frame.ts)]

    return Engine(
        Pipeline(
            run_id="p",
            interval="1h",
            instruments={s: params.instruments[s] for s in stamps},
            strategy_name="scripted",
            strategy=Scripted(),
            experts={},
            initial_cash=params.cash,
            trade_from=params.trade_from,
            thresholds=params.thresholds,
            limits=params.limits,
            sizing=Sizing(method="fixed", fixed_weight=params.weight),
            stops=params.stops,
        )
    )


def venue_of(params: KernelParams) -> SimBroker:
    """The driver's venue on the same terms."""
    return SimBroker(
        params.instruments, params.cash, costs=params.costs, latency=params.latency, params=params.sim, seed=params.seed
    )


def drive(market: Market, params: KernelParams) -> Records:
    """Through feed, engine and simulated venue."""
    engine, broker, journal = engine_of(market, params), venue_of(params), MemoryJournal()
    run(engine, HistoricalFeed(market.frames, market.observations), broker, journal)
    check_books(engine.state.portfolio, broker.snapshot()[0])
    return journal.records


def compile_run(market: Market, params: KernelParams) -> KernelRun:
    """Through the kernel."""
    history = History.of(market.frames, market.observations)
    table = np.full((len(history), len(history.symbols)), np.nan)
    for j, frame in enumerate(history.frames):
        table[np.searchsorted(history.ts, frame.known_at), j] = market.scores[frame.symbol]
    return simulate(history, Opinions(score=table), params, details=True)


def agree(market: Market, params: KernelParams) -> KernelRun:
    """Hold one to the other: every fill, every equity; and both to the kernel that visits every row."""
    driven, compiled = drive(market, params), compile_run(market, params)
    same(driven, compiled, params)
    dense = compile_run(market, replace(params, sparse=False))
    assert dense.fills.tobytes() == compiled.fills.tobytes()
    np.testing.assert_array_equal(dense.equity, compiled.equity)
    for name, value in compiled.metrics.items():
        np.testing.assert_allclose(dense.metrics[name], value, rtol=1e-12, err_msg=name)
    return compiled


def same(driven: Records, compiled: KernelRun, params: KernelParams) -> None:
    """Every fill and every equity of the driver, to the last bit."""
    ours, theirs = compiled.trades(params), driven.fills
    for made, wanted in zip(sorted(ours, key=_key), sorted(theirs, key=_key), strict=False):
        assert _key(made) == _key(wanted)
    assert digest(ours) == digest(theirs)
    assert compiled.ts.tolist() == [s.ts for s in driven.snapshots]
    np.testing.assert_array_equal(compiled.equity, [s.equity for s in driven.snapshots])


def _key(fill: object) -> tuple[object, ...]:
    return tuple(getattr(fill, name) for name in ("ts", "symbol", "side", "price", "qty", "fee", "liquidity"))
