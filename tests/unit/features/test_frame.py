"""Specs, resampling and the as-of join."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seakeep.core.errors import ConfigError, DataError
from seakeep.core.market import BarFrame
from seakeep.features import build, lookback, resample
from seakeep.features.spec import parse

MINUTE = 60_000


def minutes(opens: list[int]) -> BarFrame:
    """One-minute bars at these minutes; the close is the minute itself."""
    at = np.array(opens, dtype=float)
    return BarFrame("X", "1m", np.array(opens, np.int64) * MINUTE, at, at + 0.5, at - 0.5, at.copy(), np.ones(len(at)))


def test_a_longer_bar_counts_only_once_it_has_closed() -> None:
    bars = minutes(list(range(100, 131)))
    closes = build(bars, ["close@15m"])["close@15m"]
    # [105, 120) closes with the bar that opens at 119; the partial first bucket [90, 105) never does
    assert np.isnan(closes[:19]).all()
    assert closes[19:].tolist() == [119.0] * 12


def test_a_bucket_whose_last_bars_are_missing_is_known_with_the_next_bar() -> None:
    bars = minutes([0, 1, 2, 3, 8, 9, 10])
    assert build(bars, ["close@5m"])["close@5m"].tolist()[3:] == pytest.approx([np.nan, 3.0, 9.0, 9.0], nan_ok=True)


@given(st.sets(st.integers(0, 200), max_size=80).map(sorted))
def test_no_longer_bar_holds_what_was_not_yet_known(opens: list[int]) -> None:
    bars = minutes(opens)
    frame = build(bars, ["close@15m", "close"])
    seen = ~np.isnan(frame["close@15m"])
    assert (frame["close@15m"][seen] <= frame["close"][seen]).all()
    assert (frame.ts == bars.ts + MINUTE).all()


@given(st.sets(st.integers(0, 200), min_size=1, max_size=80).map(sorted))
def test_resampling_loses_no_volume_and_no_extreme(opens: list[int]) -> None:
    bars = minutes(opens)
    longer = resample(bars, "10m")
    if len(longer):
        inside = bars.between(int(longer.ts[0]), int(longer.known_at[-1]))
        assert longer.volume.sum() == len(inside)
        assert (longer.high.max(), longer.low.min()) == (inside.high.max(), inside.low.min())
        assert (longer.open[0], longer.close[-1]) == (inside.open[0], inside.close[-1])
    assert (longer.ts % (10 * MINUTE) == 0).all()


def test_weeks_start_on_monday() -> None:
    days = np.arange(30) * 1440 * MINUTE
    one = np.ones(30)
    week = resample(BarFrame("X", "1d", days, one, one, one, one, one), "1w")
    assert (week.ts // (1440 * MINUTE)).tolist() == [4, 11, 18]  # 1970-01-05 was a Monday


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("rsj:14", "did you mean rsi"),
        ("clos", "did you mean close"),
        ("rsi:14,2", "it takes: length"),
        ("rsi:0", "length must be in 1 .. 10000"),
        ("rsi:-3", "length"),
        ("rsi:1e9", "whole number"),
        ("rsi:999999999", "10000"),
        ("rsi:14.5", "whole number"),
        ("rsi:", "whole number"),
        ("bb_upper:20,nan", "width must be a positive number"),
        ("bb_upper:20,0", "width must be a positive number"),
        ("return_std:1", "length must be in 2"),
        ("close:3", "takes no numbers"),
        ("rsi:14@15", "not an interval"),
        ("RSI 14", "not a feature"),
        ("", "not a feature"),
        ("ts", "unknown indicator"),
    ],
)
def test_a_wrong_spec_is_refused_with_the_reason(spec: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        parse(spec)


def test_an_interval_that_the_bars_cannot_make_is_refused() -> None:
    for interval in ("90s", "30s"):
        with pytest.raises(ConfigError, match="no multiple"):
            build(minutes([1, 2]), [f"close@{interval}"])


def test_bars_out_of_order_are_refused_by_row() -> None:
    for opens in ([1, 3, 2], [1, 2, 2]):
        with pytest.raises(DataError, match=r"bar 2 .* is not after bar 1"):
            build(minutes(opens), ["close"])


def test_no_bars_and_no_specs_give_an_empty_frame() -> None:
    assert build(minutes([]), ["rsi:14", "rsi:14@15m"]).values.shape == (0, 2)
    assert build(minutes([1, 2]), []).values.shape == (2, 0)


def test_the_lookback_counts_base_bars() -> None:
    assert lookback(["sma:20", "close"], "5m") == 20
    assert lookback(["sma:20@15m"], "5m") == 63
    assert lookback([], "5m") == 1
