"""The engine's fast path gives the bits that research gets from the same bars."""

import numpy as np
import pytest

from seakeep.core.errors import ConfigError, DataError
from seakeep.core.market import BarFrame
from seakeep.features import INDICATORS, LiveFeatures, build, lookback
from tests.unit.features.test_talib import bars_from

LIVE = [name for name in INDICATORS if not INDICATORS[name].anchored]
BARS = bars_from(7, 2_600)


def push(live: LiveFeatures, bars: BarFrame) -> None:
    for row in zip(*(getattr(bars, c).tolist() for c in ("ts", "open", "high", "low", "close", "volume")), strict=True):
        live.push(*row)


@pytest.mark.parametrize("spec", [name for name in LIVE if name != "kama"] + ["kama:10,2,9"])
def test_the_live_rows_have_the_bits_of_build_over_the_lookback(spec: str) -> None:
    needed = lookback([spec], "5m")
    for stop in (needed - 1, needed, needed + 1, 2 * needed + 5, len(BARS) - 1):
        for tail in (1, 3):
            live = LiveFeatures("5m", [spec, "sma:30"], tail)
            push(live, BARS.rows(max(0, stop - 2 * needed - 50), stop))
            ts, values = live.rows()
            start = 0 if stop < needed + tail else stop - needed - tail + 1
            frame = build(BARS.rows(start, stop), [spec])
            assert (ts == frame.ts[-tail:]).all()
            np.testing.assert_array_equal(values[:, 0], frame.values[-tail:, 0])


@pytest.mark.parametrize("spec", [name for name in LIVE if name != "kama"])
def test_a_longer_interval_has_the_bits_of_build_over_its_closed_bars(spec: str) -> None:
    name = f"{spec}:9@15m" if INDICATORS[spec].params and spec not in ("psar", "supertrend") else f"{spec}@15m"
    needed = lookback([name], "5m")
    bars = BARS.rows(1, len(BARS))
    live = LiveFeatures("5m", [name])
    push(live, bars)
    rows = needed // 3 - 1
    first = (len(bars) + 1) // 3 - rows
    whole = build(bars.between(first * 900_000, None), [name])
    np.testing.assert_array_equal(live.rows()[1][-1], whole.values[-1])


def test_every_row_agrees_with_research_on_two_intervals_with_holes_in_the_bars() -> None:
    specs = ["close", "rsi:7", "ema:9@15m", "volume@1h", "high@1h", "sma:3@15m"]
    keep = np.random.default_rng(3).random(1_500) > 0.1
    bars = BarFrame(
        "X", "5m", *(getattr(BARS, c)[:1_500][keep] for c in ("ts", "open", "high", "low", "close", "volume"))
    )
    frame, live = build(bars, specs), LiveFeatures("5m", specs, tail=2)
    for row in range(len(bars)):
        push(live, bars.rows(row, row + 1))
        ts, values = live.rows()
        assert (ts == frame.ts[max(0, row - 1) : row + 1]).all()
        np.testing.assert_allclose(values, frame.values[max(0, row - 1) : row + 1], rtol=1e-8)


def test_a_restart_needs_only_the_lookback() -> None:
    specs = ["rsi:14", "macd", "sma:9@15m", "rsi:5@30m"]
    for tail in (1, 4):
        old, new = LiveFeatures("5m", specs, tail), LiveFeatures("5m", specs, tail)
        push(old, BARS)
        push(new, BARS.rows(len(BARS) - new.lookback, len(BARS)))
        np.testing.assert_array_equal(old.rows()[1], new.rows()[1])


def test_other_specs_do_not_change_the_bits_of_one() -> None:
    alone, crowd = LiveFeatures("5m", ["rsi:14"]), LiveFeatures("5m", ["rsi:14", "ema:90", "supertrend"])
    push(alone, BARS)
    push(crowd, BARS)
    assert alone.rows()[1][0, 0] == crowd.rows()[1][0, 0]


@pytest.mark.parametrize("spec", [name for name in INDICATORS if INDICATORS[name].anchored])
def test_a_running_total_is_refused_live_with_what_to_use_instead(spec: str) -> None:
    with pytest.raises(ConfigError, match=f"{spec}.* use {INDICATORS[spec].instead}"):
        LiveFeatures("5m", [spec])


def test_a_bar_that_is_not_newer_is_refused() -> None:
    live = LiveFeatures("5m", ["close"])
    assert live.rows()[1].shape == (0, 1)
    push(live, BARS.rows(0, 2))
    for row in (0, 1):
        with pytest.raises(DataError, match="is not after bar"):
            push(live, BARS.rows(row, row + 1))
    assert len(live) == 2
