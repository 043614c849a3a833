"""The market record of one-minute bars."""

import numpy as np
import pytest
import talib

from seakeep.core.errors import ConfigError, NotEnoughHistory
from seakeep.core.market import BarFrame
from seakeep.features.record import market_record
from tests.unit.features.test_talib import bars_from


def minutes(n: int) -> BarFrame:
    b = bars_from(21, n)
    return BarFrame("BTC/USDT", "1m", np.arange(n) * 60_000, b.open, b.high, b.low, b.close, b.volume)


def test_the_record_agrees_with_talib_on_every_time_frame() -> None:
    bars = minutes(4_000)
    record, fives = market_record(bars), bars.close[4::5]
    assert record.ts == 4_000 * 60_000
    assert record.current_price == bars.close[-1]
    assert record.rsi == pytest.approx(talib.RSI(bars.close, 14)[-1], rel=1e-8)
    assert record.rsi_3m == pytest.approx(talib.RSI(bars.close[2:3999:3], 14)[-1], rel=1e-8)
    assert record.rsi_5m == pytest.approx(talib.RSI(fives, 14)[-1], rel=1e-8)
    assert record.macd_5m == pytest.approx(talib.MACD(fives)[0][-1], rel=1e-6)
    assert record.williams_r == pytest.approx(talib.WILLR(bars.high, bars.low, bars.close, 14)[-1])
    adx = talib.ADX(bars.high, bars.low, bars.close, 14)[-1]
    assert record.trend_strength == pytest.approx(adx / 100.0, rel=1e-8)
    assert record.price_change_15m == pytest.approx(100.0 * (bars.close[-1] / bars.close[-16] - 1.0))
    assert record.avg_volume == pytest.approx((bars.close * bars.volume)[-20:].mean())


def test_a_steady_climb_is_an_uptrend_and_its_mirror_a_downtrend() -> None:
    up = np.linspace(100.0, 200.0, 400)
    for price, trend in ((up, "uptrend"), (up[::-1].copy(), "downtrend"), (np.full(400, 5.0), "sideways")):
        record = market_record(
            BarFrame("X", "1m", np.arange(400) * 60_000, price, price + 0.1, price - 0.1, price.copy(), np.ones(400))
        )
        assert record.trend == trend


def test_what_the_history_is_too_short_for_is_none() -> None:
    record = market_record(minutes(4))
    assert record.price_change_3m is not None
    assert (record.price_change_5m, record.rsi, record.trend, record.avg_volume) == (None, None, None, None)
    gap = minutes(200)
    hole = BarFrame(
        "X", "1m", np.r_[gap.ts[:-1], gap.ts[-1] + 60_000], gap.open, gap.high, gap.low, gap.close, gap.volume
    )
    assert market_record(hole).price_change_1m is None
    assert market_record(hole).price_change_3m == pytest.approx(100.0 * (gap.close[-1] / gap.close[-3] - 1.0))


def test_other_bars_and_no_bars_are_refused() -> None:
    with pytest.raises(ConfigError, match="1m bars"):
        market_record(bars_from(1, 50))
    with pytest.raises(NotEnoughHistory, match="no bar"):
        market_record(minutes(0))
