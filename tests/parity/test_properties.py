"""Kernel and driver make the same fills and the same equity, to the last bit, whatever is traded and however."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seakeep.backtest.kernel.simulator import KernelParams
from seakeep.brokers.latency import LatencyParams
from seakeep.brokers.sim import SimParams
from seakeep.core.market import BarFrame, Observation
from seakeep.execution.costs import CostParams
from seakeep.risk.limits import Limits
from seakeep.risk.stops import StopParams
from seakeep.strategy.decide import Thresholds
from tests.parity.pair import HOUR, OTHER, PERPETUAL, SPOT, Market, agree, opinions, walk

ACCOUNTS = {"one": (SPOT,), "two, shared cash": (SPOT, OTHER), "perpetual": (PERPETUAL,), "both": (PERPETUAL, OTHER)}
WEIGHTS = {"one": (0.1, 1.0), "two, shared cash": (0.5, 1.0), "perpetual": (0.1, 2.0, 4.5), "both": (0.1, 0.9)}
LATENCIES = (
    LatencyParams(model="fixed", low_ms=0),
    LatencyParams(),
    LatencyParams(model="fixed", low_ms=HOUR),
    LatencyParams(model="fixed", low_ms=5 * HOUR // 2),
)


def with_gaps(frame: BarFrame, seed: int) -> BarFrame:
    """The frame without every tenth bar or so."""
    kept = np.random.default_rng(seed).random(len(frame)) > 0.1
    columns = (frame.ts, frame.open, frame.high, frame.low, frame.close, frame.volume)
    return BarFrame(frame.symbol, frame.interval, *(column[kept] for column in columns))


@st.composite
def markets(draw, account):
    seed, n = draw(st.integers(0, 2**31)), draw(st.integers(60, 250))
    sigma, volume = draw(st.sampled_from((0.005, 0.02, 0.05))), draw(st.sampled_from((20.0, 300.0, 1e4)))
    frames = [walk(part.symbol, n, seed + k, sigma, volume) for k, part in enumerate(ACCOUNTS[account])]
    if len(frames) > 1 and draw(st.booleans()):
        frames[0] = with_gaps(frames[0], seed)
    rates = np.random.default_rng(seed).normal(0, 1e-3, n // 8 + 1).round(6)
    funding = [
        Observation("venue", "funding_rate", PERPETUAL.symbol, 8 * (i + 1) * HOUR, 8 * (i + 1) * HOUR, float(rate))
        for i, rate in enumerate(rates)
    ]
    scores = opinions(frames, seed, stay=draw(st.sampled_from((0.5, 0.8, 0.95))))
    return Market(frames, scores, funding if PERPETUAL in ACCOUNTS[account] else ())


@st.composite
def runs(draw):
    account = draw(st.sampled_from(sorted(ACCOUNTS)))
    params = KernelParams(
        instruments={part.symbol: part for part in ACCOUNTS[account]},
        cash=Decimal(draw(st.sampled_from((1_000, 10_000, 100_000)))),
        weight=draw(st.sampled_from(WEIGHTS[account])),
        thresholds=Thresholds(long=0.3, short=-0.3, exit=0.1),
        stops=StopParams(
            stop_loss=draw(st.sampled_from((0.0, 0.01, 0.05))),
            take_profit=draw(st.sampled_from((0.0, 0.01, 0.05))),
            trailing=draw(st.sampled_from((0.0, 0.02))),
        ),
        latency=draw(st.sampled_from(LATENCIES)),
        seed=draw(st.integers(0, 99)),
        limits=Limits.static(draw(st.sampled_from((10.0, 0.4))), draw(st.sampled_from((20.0, 0.7)))),
        costs=CostParams(
            half_spread_bps=draw(st.sampled_from((0.0, 1.0, 20.0))), temporary=draw(st.sampled_from((0.0, 0.1, 1.0)))
        ),
        sim=SimParams(
            participation=draw(st.sampled_from((0.1, 1.0))),
            path=draw(st.sampled_from(("worst", "expected", "best"))),
            touch_fills=draw(st.booleans()),
            window_bars=draw(st.sampled_from((1, 24, 96))),
        ),
        trade_from=draw(st.sampled_from((0, 50 * HOUR))),
    )
    return draw(markets(account)), params


@given(runs())
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_kernel_and_driver_make_the_same_run(run) -> None:
    agree(*run)


@pytest.mark.slow
@given(runs())
@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
def test_kernel_and_driver_make_the_same_run_however_often_one_looks(run) -> None:
    agree(*run)
