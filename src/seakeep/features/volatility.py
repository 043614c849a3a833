"""Volatility: ranges, deviations, bands and channels.

Deviations of returns are per bar: times sqrt(bars a year) annualises them (R's TTR does that with its N).
"""

import math

import numpy as np

from seakeep.core.market import Float64
from seakeep.features.base import compiled, ema_rows, indicator, wilder_rows, window_rows
from seakeep.features.rows import log_return, ratio, reach, typical_price
from seakeep.features.smoothing import blend, ema
from seakeep.features.windows import rolling_max, rolling_mean, rolling_middle, rolling_min, rolling_std

__all__ = [
    "atr",
    "bb_lower",
    "bb_middle",
    "bb_position",
    "bb_upper",
    "bb_width",
    "donchian_lower",
    "donchian_middle",
    "donchian_upper",
    "garman_klass",
    "garman_klass_gap",
    "keltner_lower",
    "keltner_middle",
    "keltner_upper",
    "natr",
    "parkinson",
    "realised_vol",
    "return_std",
    "rogers_satchell",
    "stddev",
    "true_range",
    "yang_zhang",
]


@compiled
def _root_mean(x: Float64, length: int) -> Float64:
    root: Float64 = np.sqrt(np.maximum(rolling_mean(x, length), 0.0))
    return root


@indicator("true_range", lookback=lambda: 2)
@compiled
def true_range(high: Float64, low: Float64, close: Float64) -> Float64:
    """Range of the bar and the close before it, price units (n,); NaN in row 0, as in TA-Lib."""
    out = np.empty(len(close))
    out[:1] = np.nan
    for i in range(1, len(close)):
        out[i] = reach(high[i], low[i], close[i - 1])
    return out


@indicator("atr", lookback=lambda length: wilder_rows(length) + 1)
@compiled
def atr(high: Float64, low: Float64, close: Float64, length: int = 14) -> Float64:
    """Wilder's average true range, price units (n,); first value in row `length`."""
    out = np.empty(len(close))
    out[:1] = np.nan
    age, level = 0, 0.0
    for i in range(1, len(close)):
        span = reach(high[i], low[i], close[i - 1])
        age = age + 1 if np.isfinite(span) else 0
        level = blend(level, span, age, length, 1.0 / length)
        out[i] = level if age >= length else np.nan
    return out


@indicator("natr", lookback=lambda length: wilder_rows(length) + 1)
@compiled
def natr(high: Float64, low: Float64, close: Float64, length: int = 14) -> Float64:
    """Average true range in percent of the close (n,)."""
    out = atr(high, low, close, length)
    for i in range(len(out)):
        out[i] *= 100.0 / close[i]
    return out


@indicator("stddev", lookback=window_rows)
@compiled
def stddev(close: Float64, length: int = 20) -> Float64:
    """Population standard deviation of the close, price units (n,)."""
    return rolling_std(close, length, 0)


@indicator("return_std", lookback=lambda length: length + 1, least=2)
@compiled
def return_std(close: Float64, length: int = 20) -> Float64:
    """Sample standard deviation of the last `length` log returns, per bar (n,); first value in row `length`."""
    return rolling_std(log_return(close, 1), length, 1)


@indicator("realised_vol", lookback=lambda length: length + 1)
@compiled
def realised_vol(close: Float64, length: int = 20) -> Float64:
    """Root mean square of the last `length` log returns, per bar (n,); first value in row `length`."""
    step = log_return(close, 1)
    return _root_mean(step * step, length)


@indicator("bb_middle", lookback=window_rows)
@compiled
def bb_middle(close: Float64, length: int = 20) -> Float64:
    """Middle Bollinger band: the simple average (n,)."""
    return rolling_mean(close, length)


@indicator("bb_upper", lookback=window_rows)
@compiled
def bb_upper(close: Float64, length: int = 20, width: float = 2.0) -> Float64:
    """Upper Bollinger band: `width` population deviations above the average (n,)."""
    return _band(close, length, width)


@compiled
def _band(close: Float64, length: int, width: float) -> Float64:
    """`width` population deviations above the simple average (n,)."""
    line, spread = rolling_mean(close, length), rolling_std(close, length, 0)
    for i in range(len(line)):
        line[i] += width * spread[i]
    return line


@indicator("bb_lower", lookback=window_rows)
@compiled
def bb_lower(close: Float64, length: int = 20, width: float = 2.0) -> Float64:
    """Lower Bollinger band: `width` population deviations below the average (n,)."""
    return _band(close, length, -width)


@indicator("bb_width", lookback=window_rows)
@compiled
def bb_width(close: Float64, length: int = 20, width: float = 2.0) -> Float64:
    """Distance between the Bollinger bands in percent of the middle one (n,)."""
    return 200.0 * width * ratio(rolling_std(close, length, 0), rolling_mean(close, length), np.nan)


@indicator("bb_position", lookback=window_rows)
@compiled
def bb_position(close: Float64, length: int = 20, width: float = 2.0) -> Float64:
    """Where the close lies between the Bollinger bands: 0 lower, 1 upper (n,); 0.5 where nothing moved."""
    line, spread = rolling_mean(close, length), rolling_std(close, length, 0)
    for i in range(len(line)):
        line[i] = 0.5 + ((close[i] - line[i]) / (2.0 * width * spread[i]) if spread[i] != 0.0 else 0.0)
    return line


@indicator("keltner_middle", lookback=lambda length: ema_rows(length))
@compiled
def keltner_middle(high: Float64, low: Float64, close: Float64, length: int = 20) -> Float64:
    """Middle of the Keltner channel: exponential average of the typical price (n,)."""
    return ema(typical_price(high, low, close), length)


def _keltner_rows(length: int, atr_length: int, _: float) -> int:
    return max(ema_rows(length), wilder_rows(atr_length) + 1) + abs(length - 1 - atr_length)


@compiled
def _keltner(high: Float64, low: Float64, close: Float64, length: int, atr_length: int, width: float) -> Float64:
    """`width` average true ranges above the middle (n,); both averages are seeded to start as one, as in TA-Lib."""
    out = np.empty(len(close))
    late = length - 1 - atr_length
    first, second = max(-late, 0), max(late, 0) + 1
    age, middle, half, before = 0, 0.0, 0.0, np.nan
    for i in range(len(close)):
        price, span, before = (high[i] + low[i] + close[i]) / 3.0, reach(high[i], low[i], before), close[i]
        age = age + 1 if np.isfinite(price) else 0
        middle = blend(middle, price, age - first, length, 2.0 / (length + 1.0))
        half = blend(half, span, age - second, atr_length, 1.0 / atr_length)
        out[i] = middle + width * half if age >= second + atr_length else np.nan
    return out


@indicator("keltner_upper", lookback=_keltner_rows)
@compiled
def keltner_upper(
    high: Float64, low: Float64, close: Float64, length: int = 20, atr_length: int = 10, width: float = 2.0
) -> Float64:
    """Keltner channel: `width` average true ranges above its middle (n,)."""
    return _keltner(high, low, close, length, atr_length, width)


@indicator("keltner_lower", lookback=_keltner_rows)
@compiled
def keltner_lower(
    high: Float64, low: Float64, close: Float64, length: int = 20, atr_length: int = 10, width: float = 2.0
) -> Float64:
    """Keltner channel: `width` average true ranges below its middle (n,)."""
    return _keltner(high, low, close, length, atr_length, -width)


@indicator("donchian_upper", lookback=window_rows)
@compiled
def donchian_upper(high: Float64, length: int = 20) -> Float64:
    """Highest high of the last `length` rows, this one included (n,)."""
    return rolling_max(high, length)


@indicator("donchian_lower", lookback=window_rows)
@compiled
def donchian_lower(low: Float64, length: int = 20) -> Float64:
    """Lowest low of the last `length` rows, this one included (n,)."""
    return rolling_min(low, length)


@indicator("donchian_middle", lookback=window_rows)
@compiled
def donchian_middle(high: Float64, low: Float64, length: int = 20) -> Float64:
    """Middle of the Donchian channel (n,)."""
    return rolling_middle(high, low, length)


@compiled
def _drift_free(open: Float64, high: Float64, low: Float64, close: Float64) -> Float64:  # noqa: A002
    """Variance of each bar after Rogers and Satchell (1991), free of its drift."""
    variance: Float64 = np.log(high / close) * np.log(high / open) + np.log(low / close) * np.log(low / open)
    return variance


@compiled
def _gaps(open: Float64, close: Float64) -> Float64:  # noqa: A002
    """Log return from each close to the next open (n,); NaN in row 0."""
    out = np.full(len(close), np.nan)
    for i in range(1, len(close)):
        out[i] = np.log(open[i] / close[i - 1])
    return out


@indicator("parkinson", lookback=window_rows)
@compiled
def parkinson(high: Float64, low: Float64, length: int = 20) -> Float64:
    """Range volatility after Parkinson (1980), per bar (n,)."""
    reach = np.log(high / low)
    return _root_mean(reach * reach, length) / math.sqrt(4.0 * math.log(2.0))


@indicator("garman_klass", lookback=window_rows)
@compiled
def garman_klass(
    open: Float64,  # noqa: A002
    high: Float64,
    low: Float64,
    close: Float64,
    length: int = 20,
) -> Float64:
    """Open-high-low-close volatility after Garman and Klass (1980), per bar (n,)."""
    reach, drift = np.log(high / low), np.log(close / open)
    return _root_mean(0.5 * reach * reach - (2.0 * math.log(2.0) - 1.0) * drift * drift, length)


@indicator("garman_klass_gap", lookback=lambda length: length + 1)
@compiled
def garman_klass_gap(
    open: Float64,  # noqa: A002
    high: Float64,
    low: Float64,
    close: Float64,
    length: int = 20,
) -> Float64:
    """Garman and Klass's volatility with the opening gap of each bar added by Yang and Zhang, per bar (n,)."""
    reach, drift = np.log(high / low), np.log(close / open)
    gap = _gaps(open, close)
    return _root_mean(gap * gap + 0.5 * reach * reach - (2.0 * math.log(2.0) - 1.0) * drift * drift, length)


@indicator("rogers_satchell", lookback=window_rows)
@compiled
def rogers_satchell(
    open: Float64,  # noqa: A002
    high: Float64,
    low: Float64,
    close: Float64,
    length: int = 20,
) -> Float64:
    """Volatility after Rogers and Satchell (1991), unbiased under drift, per bar (n,)."""
    return _root_mean(_drift_free(open, high, low, close), length)


@indicator("yang_zhang", lookback=lambda length: length + 1, least=2)
@compiled
def yang_zhang(
    open: Float64,  # noqa: A002
    high: Float64,
    low: Float64,
    close: Float64,
    length: int = 20,
) -> Float64:
    """Volatility after Yang and Zhang (2000), unbiased under drift and opening gaps, per bar (n,)."""
    gap = _gaps(open, close)
    weight = 0.34 / (1.34 + (length + 1.0) / (length - 1.0))
    night, day = rolling_std(gap, length, 1), rolling_std(np.log(close / open), length, 1)
    path = rolling_mean(_drift_free(open, high, low, close), length)
    deviation: Float64 = np.sqrt(np.maximum(night * night + weight * day * day + (1.0 - weight) * path, 0.0))
    return deviation
