"""Reruns: nothing changed gives the same run, each change reaches its part, and worse worlds earn less."""

from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from seakeep.app.bootstrap import Session, prepare
from seakeep.app.runs import run_backtest
from seakeep.app.variations import rerun
from seakeep.backtest.integrity.tardy import tardy
from seakeep.backtest.integrity.variation import AS_IT_WAS, Variation
from seakeep.backtest.result import digest
from seakeep.brokers.latency import LatencyParams
from seakeep.core.beliefs import FeatureFrame
from seakeep.core.errors import ConfigError, DataError
from seakeep.core.market import BarFrame
from seakeep.core.units import HOUR_MS
from seakeep.features.frame import build
from seakeep.models.classical import RsiExpert
from seakeep.models.training import fit_experts
from tests.unit.backtest.courtroom import Honest, market, stored

BARS = (market(500), market(500, "ETH/USDT", 2))


@pytest.fixture
def session(tmp_path: Path) -> Session:
    options = {"run__train": "7d", "experts__rsi": {"horizon": 4}, "strategy__cost_gate__mode": "off"}
    settings = stored(tmp_path, "court_honest", *BARS, **options)
    return prepare(settings, tmp_path, "base")


def test_nothing_changed_is_the_same_run_and_is_made_once(session: Session, tmp_path: Path) -> None:
    counted: list[int] = []
    run = rerun(session, tmp_path, lambda: counted.append(1))
    assert run(AS_IT_WAS) is run(Variation())
    assert len(counted) == 1
    assert digest(run(AS_IT_WAS).fills) == digest(run_backtest(session.settings, tmp_path).fills)


def test_all_costs_scale_with_the_cost_scale(session: Session, tmp_path: Path) -> None:
    run = rerun(session, tmp_path)
    free, once, twice = (run(Variation(cost_scale=s)) for s in (0.0, 1.0, 2.0))
    assert free.costs.fees == free.costs.slippage == 0
    for fill_once, fill_twice in zip(once.fills[:2], twice.fills[:2], strict=True):
        assert fill_twice.fee / (fill_twice.qty * fill_twice.price) == Decimal("0.002")
        assert fill_once.fee / (fill_once.qty * fill_once.price) == Decimal("0.001")
    assert free.curves.equity[-1] > once.curves.equity[-1] > twice.curves.equity[-1]


def test_spread_and_impact_scale_apart_and_leave_fees(session: Session, tmp_path: Path) -> None:
    run = rerun(session, tmp_path)
    base = run(AS_IT_WAS)
    for dear in (run(Variation(spread_scale=20)), run(Variation(impact_scale=2000))):
        assert dear.costs.slippage > 5 * base.costs.slippage
        assert dear.costs.fees == pytest.approx(base.costs.fees, rel=0.1)


def test_opinions_that_are_late_trade_as_much_later(session: Session, tmp_path: Path) -> None:
    run = rerun(session, tmp_path)
    on_time = run(AS_IT_WAS).decisions[:6]
    assert len(on_time) == 6
    for bars in (1, 3):
        late = {(d.symbol, d.ts, d.score) for d in run(Variation(entry_delay=bars)).decisions}
        assert {(d.symbol, d.ts + bars * HOUR_MS, d.score) for d in on_time} <= late


def test_late_parts_say_what_they_said_then() -> None:
    frame = build(BARS[0], ("close", "sma:10", "rsi:14"))
    experts = {"rsi": RsiExpert(horizon=4)}
    fit_experts(experts, [BARS[0]], 1)
    strategy, late = tardy(Honest(), experts, 3)
    on_time, delayed = experts["rsi"].predict(frame), late["rsi"].predict(frame)
    np.testing.assert_array_equal(delayed[3:], on_time[:-3])
    assert np.isnan(delayed[:3]).all()
    np.testing.assert_array_equal(strategy.score(frame, {})[3:], Honest().score(frame, {})[:-3])
    assert (strategy.lookback, late["rsi"].lookback) == (4, experts["rsi"].lookback + 3)
    few = FeatureFrame(frame.symbol, frame.ts[:2], frame.names, frame.values[:2])
    assert np.isnan(strategy.score(few, {})).all()
    assert tardy(Honest(), experts, 0)[1] is experts


def test_cash_params_symbols_and_time_reach_the_run(session: Session, tmp_path: Path) -> None:
    run = rerun(session, tmp_path)
    base = run(AS_IT_WAS)
    assert run(Variation(cash_scale=50)).initial_cash == 50 * base.initial_cash
    assert run(Variation(symbols=("ETH/USDT",))).symbols == ("ETH/USDT",)
    middle = int(base.curves.ts[len(base.curves.ts) // 2])
    early, late = run(Variation(timerange=(None, middle))), run(Variation(timerange=(middle, None)))
    assert early.curves.ts[-1] <= middle <= late.curves.ts[0]
    np.testing.assert_array_equal(early.curves.equity, base.curves.equity[: len(early.curves.ts)])
    with pytest.raises(ConfigError, match="no parameter"):
        run(Variation(params=(("speed", 3),)))


def test_changed_bars_are_traded_and_experts_learn_from_them(session: Session, tmp_path: Path) -> None:
    def doubled(frames: tuple[BarFrame, ...]) -> tuple[BarFrame, ...]:
        return tuple(
            BarFrame(f.symbol, f.interval, f.ts, *(2 * x for x in (f.open, f.high, f.low, f.close)), f.volume)
            for f in frames
        )

    run = rerun(session, tmp_path)
    other = run(Variation(bars=doubled))
    assert other.bars["BTC/USDT"].close[0] == 2 * run(AS_IT_WAS).bars["BTC/USDT"].close[0]
    with pytest.raises(DataError, match="not those of the run"):
        run(Variation(bars=lambda frames: frames[:1]))


def test_a_longer_way_is_as_good_as_a_late_bar(session: Session, tmp_path: Path) -> None:
    run = rerun(session, tmp_path)
    quick = run(Variation(latency=LatencyParams(model="fixed", low_ms=0)))
    slow = run(Variation(latency=LatencyParams(model="fixed", low_ms=500)))
    assert [(f.price, f.qty) for f in quick.fills] == [(f.price, f.qty) for f in slow.fills]


@pytest.mark.parametrize(
    "wrong", [{"cost_scale": -1.0}, {"spread_scale": float("nan")}, {"entry_delay": -1}, {"cash_scale": 0}]
)
def test_what_cannot_be_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Variation(**wrong)  # type: ignore[arg-type]
