"""Trend: moving averages, MACD, directional movement, Aroon, stops that follow, regression lines, Ichimoku."""

import math

import numpy as np

from seakeep.core.market import Float64
from seakeep.features import smoothing
from seakeep.features.base import FAINT, compiled, ema_rows, indicator, wilder_rows, window_rows
from seakeep.features.rows import change, reach
from seakeep.features.smoothing import blend, wilder
from seakeep.features.volatility import atr
from seakeep.features.windows import (
    rolling_age,
    rolling_efficiency,
    rolling_mean,
    rolling_mean_into,
    rolling_middle,
    rolling_share,
    rolling_slope,
    rolling_weighted_into,
)

__all__ = [
    "adx",
    "adxr",
    "aroon_down",
    "aroon_osc",
    "aroon_up",
    "dema",
    "dx",
    "ema",
    "hma",
    "kama",
    "kijun",
    "linreg",
    "linreg_slope",
    "macd",
    "macd_hist",
    "macd_signal",
    "minus_di",
    "plus_di",
    "psar",
    "rma",
    "sma",
    "span_a",
    "span_b",
    "supertrend",
    "t3",
    "tema",
    "tenkan",
    "trima",
    "vwma",
    "wma",
    "zlema",
]

_REVERSALS = 1_000
"""Rows after which a trailing stop has reversed and so forgotten where it started; see `psar`."""


@indicator("sma", lookback=window_rows)
@compiled
def sma(close: Float64, length: int = 20) -> Float64:
    """Simple moving average (n,); first value in row length - 1."""
    return rolling_mean(close, length)


@indicator("ema", lookback=ema_rows)
@compiled
def ema(close: Float64, length: int = 20) -> Float64:
    """Exponential moving average, alpha 2 / (length + 1), seeded by the simple one (n,)."""
    return smoothing.ema(close, length)


@indicator("rma", lookback=wilder_rows)
@compiled
def rma(close: Float64, length: int = 14) -> Float64:
    """Wilder's moving average, alpha 1 / length, seeded by the simple one (n,)."""
    return wilder(close, length)


@indicator("wma", lookback=window_rows)
@compiled
def wma(close: Float64, length: int = 20) -> Float64:
    """Moving average weighted 1 (oldest) to length (newest) (n,)."""
    return rolling_weighted_into(np.zeros(len(close)), 0.0, close, length, 0.0, 2.0 / (length * (length + 1)))


@indicator("dema", lookback=lambda length: ema_rows(length, 2))
@compiled
def dema(close: Float64, length: int = 20) -> Float64:
    """Double exponential average 2 e1 - e2 (Mulloy 1994) (n,); first value in row 2 (length - 1)."""
    out = np.empty(len(close))
    alpha, late = 2.0 / (length + 1.0), length - 1
    age, e1, e2 = 0, 0.0, 0.0
    for i in range(len(close)):
        age = age + 1 if np.isfinite(close[i]) else 0
        e1 = blend(e1, close[i], age, length, alpha)
        e2 = blend(e2, e1, age - late, length, alpha)
        out[i] = 2.0 * e1 - e2 if age > 2 * late else np.nan
    return out


@indicator("tema", lookback=lambda length: ema_rows(length, 3))
@compiled
def tema(close: Float64, length: int = 20) -> Float64:
    """Triple exponential average 3 e1 - 3 e2 + e3 (Mulloy 1994) (n,); first value in row 3 (length - 1)."""
    out = np.empty(len(close))
    alpha, late = 2.0 / (length + 1.0), length - 1
    age, e1, e2, e3 = 0, 0.0, 0.0, 0.0
    for i in range(len(close)):
        age = age + 1 if np.isfinite(close[i]) else 0
        e1 = blend(e1, close[i], age, length, alpha)
        e2 = blend(e2, e1, age - late, length, alpha)
        e3 = blend(e3, e2, age - 2 * late, length, alpha)
        out[i] = 3.0 * (e1 - e2) + e3 if age > 3 * late else np.nan
    return out


@indicator("trima", lookback=window_rows)
@compiled
def trima(close: Float64, length: int = 20) -> Float64:
    """Triangular moving average: the simple average of a simple average (n,)."""
    half = (length + 1) // 2
    line = rolling_mean(close, half)
    return rolling_mean_into(line, line, length + 1 - half)


@indicator("hma", lookback=lambda length: length + math.isqrt(length) - 1, least=2)
@compiled
def hma(close: Float64, length: int = 20) -> Float64:
    """Hull moving average: the weighted average, over sqrt(length), of 2 wma(length / 2) - wma(length) (n,)."""
    line, root = wma(close, length // 2), int(math.sqrt(length))
    rolling_weighted_into(line, 2.0, close, length, 0.0, -2.0 / (length * (length + 1)))
    return rolling_weighted_into(line, 0.0, line, root, 0.0, 2.0 / (root * (root + 1)))


@indicator("zlema", lookback=lambda length: ema_rows(length) + (length - 1) // 2)
@compiled
def zlema(close: Float64, length: int = 20) -> Float64:
    """Zero-lag exponential average: of the close plus its change over (length - 1) / 2 rows (n,)."""
    out = np.empty(len(close))
    lag = (length - 1) // 2
    out[:lag] = np.nan
    age, level = 0, 0.0
    for i in range(lag, len(close)):
        ahead = close[i] + (close[i] - close[i - lag])
        age = age + 1 if np.isfinite(ahead) else 0
        level = blend(level, ahead, age, length, 2.0 / (length + 1.0))
        out[i] = level if age >= length else np.nan
    return out


def _kama_rows(length: int, fast: int, slow: int) -> int:
    """At its slowest it forgets (2 / (slow + 1)) squared a row."""
    return length + math.ceil(math.log(1e-10) / math.log1p(-((2.0 / (max(fast, slow) + 1)) ** 2)))


@indicator("kama", lookback=_kama_rows)
@compiled
def kama(close: Float64, length: int = 10, fast: int = 2, slow: int = 30) -> Float64:
    """Kaufman's adaptive moving average, seeded by the close of row length - 1 (n,); first value in row `length`."""
    quick, lazy = 2.0 / (fast + 1.0), 2.0 / (slow + 1.0)
    line, level = rolling_efficiency(close, length, 1.0), np.nan
    for i in range(length, len(close)):
        speed = (line[i] * (quick - lazy) + lazy) ** 2
        before = level if np.isfinite(level) else close[i - 1]
        line[i] = level = (1.0 - speed) * before + speed * close[i]
    return line


@indicator("t3", lookback=lambda length, _: ema_rows(length, 6))
@compiled
def t3(close: Float64, length: int = 5, volume_factor: float = 0.7) -> Float64:
    """Tillson's T3: six nested exponential averages, blended (n,); first value in row 6 (length - 1)."""
    v = volume_factor
    c6, c5, c4, c3 = -(v**3), 3 * v**2 + 3 * v**3, -6 * v**2 - 3 * v - 3 * v**3, 1 + 3 * v + v**3 + 3 * v**2
    out = np.empty(len(close))
    alpha, late = 2.0 / (length + 1.0), length - 1
    age, e1, e2, e3, e4, e5, e6 = 0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(len(close)):
        age = age + 1 if np.isfinite(close[i]) else 0
        e1 = blend(e1, close[i], age, length, alpha)
        e2 = blend(e2, e1, age - late, length, alpha)
        e3 = blend(e3, e2, age - 2 * late, length, alpha)
        e4 = blend(e4, e3, age - 3 * late, length, alpha)
        e5 = blend(e5, e4, age - 4 * late, length, alpha)
        e6 = blend(e6, e5, age - 5 * late, length, alpha)
        out[i] = c3 * e3 + c4 * e4 + c5 * e5 + c6 * e6 if age > 6 * late else np.nan
    return out


@indicator("vwma", lookback=window_rows)
@compiled
def vwma(close: Float64, volume: Float64, length: int = 20) -> Float64:
    """Volume-weighted moving average of the close (n,); NaN where nothing was traded in the whole window."""
    return rolling_share(close * volume, volume, length, np.nan)


def _macd_rows(fast: int, slow: int, signal: int) -> int:
    return ema_rows(max(fast, slow)) + ema_rows(signal)


@compiled
def _macd(close: Float64, fast: int, slow: int, signal: int, of_line: float, of_signal: float) -> Float64:
    """Weighted sum of MACD and its signal (n,), from where the signal starts; both averages start as one, as in TA-Lib.

    So the fast one skips the first numbers that the slow one is given.
    """
    fast, slow = min(fast, slow), max(fast, slow)
    out = np.empty(len(close))
    age, quick, lazy, average = 0, 0.0, 0.0, 0.0
    for i in range(len(close)):
        age = age + 1 if np.isfinite(close[i]) else 0
        quick = blend(quick, close[i], age - (slow - fast), fast, 2.0 / (fast + 1.0))
        lazy = blend(lazy, close[i], age, slow, 2.0 / (slow + 1.0))
        line = quick - lazy
        average = blend(average, line, age - (slow - 1), signal, 2.0 / (signal + 1.0))
        out[i] = of_line * line + of_signal * average if age > slow + signal - 2 else np.nan
    return out


@indicator("macd", lookback=_macd_rows)
@compiled
def macd(close: Float64, fast: int = 12, slow: int = 26, signal: int = 9) -> Float64:
    """Fast minus slow exponential average (n,); starts with its signal, in row slow + signal - 2."""
    return _macd(close, fast, slow, signal, 1.0, 0.0)


@indicator("macd_signal", lookback=_macd_rows)
@compiled
def macd_signal(close: Float64, fast: int = 12, slow: int = 26, signal: int = 9) -> Float64:
    """Exponential average of the MACD line (n,)."""
    return _macd(close, fast, slow, signal, 0.0, 1.0)


@indicator("macd_hist", lookback=_macd_rows)
@compiled
def macd_hist(close: Float64, fast: int = 12, slow: int = 26, signal: int = 9) -> Float64:
    """MACD line minus its signal (n,)."""
    return _macd(close, fast, slow, signal, 1.0, -1.0)


@compiled
def _directional(high: Float64, low: Float64, close: Float64, length: int, side: float) -> Float64:
    """Positive (side 1) or negative (-1) directional indicator or their index (0), 0..100; from row `length` on (n,).

    Wilder's sums S += x - S / length, starting, as in TA-Lib, with length - 1 moves.
    """
    out = np.empty(len(close))
    out[:1] = np.nan
    age, up, down, walked = 0, 0.0, 0.0, 0.0
    for i in range(1, len(close)):
        rise, fall, span = high[i] - high[i - 1], low[i - 1] - low[i], reach(high[i], low[i], close[i - 1])
        age = age + 1 if np.isfinite(rise + fall + span) else 0
        keep = 1.0 - 1.0 / length if age >= length else 1.0
        up = keep * up + (rise if rise > fall and rise > 0.0 else 0.0) if age > 0 else 0.0
        down = keep * down + (fall if fall > rise and fall > 0.0 else 0.0) if age > 0 else 0.0
        walked = keep * walked + span if age > 0 else 0.0
        part, whole = (abs(up - down), up + down) if side == 0.0 else (up if side > 0.0 else down, walked)
        out[i] = (100.0 * part / whole if whole > 0.0 else 0.0) if age >= length else np.nan
    return out


@indicator("plus_di", lookback=lambda length: wilder_rows(length, forgotten=FAINT) + 1)
@compiled
def plus_di(high: Float64, low: Float64, close: Float64, length: int = 14) -> Float64:
    """Positive directional indicator 0..100 (n,); first value in row `length`; 0 where nothing moved."""
    return _directional(high, low, close, length, 1.0)


@indicator("minus_di", lookback=lambda length: wilder_rows(length, forgotten=FAINT) + 1)
@compiled
def minus_di(high: Float64, low: Float64, close: Float64, length: int = 14) -> Float64:
    """Negative directional indicator 0..100 (n,); first value in row `length`; 0 where nothing moved."""
    return _directional(high, low, close, length, -1.0)


@indicator("dx", lookback=lambda length: wilder_rows(length, forgotten=FAINT) + 1)
@compiled
def dx(high: Float64, low: Float64, close: Float64, length: int = 14) -> Float64:
    """Directional movement index 0..100 (n,); 0 where nothing moved."""
    return _directional(high, low, close, length, 0.0)


@indicator("adx", lookback=lambda length: wilder_rows(length, 2, FAINT) + 1)
@compiled
def adx(high: Float64, low: Float64, close: Float64, length: int = 14) -> Float64:
    """Average directional index 0..100: Wilder's average of `dx` (n,); first value in row 2 length - 1.

    TA-Lib and R's TTR sum length - 1 moves to start with, Wilder himself `length`: they differ at first, then converge.
    """
    return wilder(dx(high, low, close, length), length)


@indicator("adxr", lookback=lambda length: wilder_rows(length, 2, FAINT) + length)
@compiled
def adxr(high: Float64, low: Float64, close: Float64, length: int = 14) -> Float64:
    """Mean of `adx` now and length - 1 rows ago (n,)."""
    index = adx(high, low, close, length)
    return index - change(index, length - 1) / 2.0


@indicator("aroon_up", lookback=lambda length: length + 1)
@compiled
def aroon_up(high: Float64, length: int = 25) -> Float64:
    """How recent the highest high of length + 1 rows is, 0..100 (n,)."""
    line = rolling_age(high, length + 1)
    for i in range(len(line)):
        line[i] = 100.0 * (length - line[i]) / length
    return line


@indicator("aroon_down", lookback=lambda length: length + 1)
@compiled
def aroon_down(low: Float64, length: int = 25) -> Float64:
    """How recent the lowest low of length + 1 rows is, 0..100 (n,)."""
    line = rolling_age(low, length + 1, -1.0)
    for i in range(len(line)):
        line[i] = 100.0 * (length - line[i]) / length
    return line


@indicator("aroon_osc", lookback=lambda length: length + 1)
@compiled
def aroon_osc(high: Float64, low: Float64, length: int = 25) -> Float64:
    """Aroon up minus Aroon down, -100..100 (n,)."""
    line, down = rolling_age(high, length + 1), rolling_age(low, length + 1, -1.0)
    for i in range(len(line)):
        line[i] = 100.0 * (down[i] - line[i]) / length
    return line


@indicator("psar", lookback=lambda *_: _REVERSALS)
@compiled
def psar(high: Float64, low: Float64, acceleration: float = 0.02, maximum: float = 0.2) -> Float64:
    """Wilder's parabolic stop and reverse, in price units (n,); first value in row 1.

    Its memory ends at a reversal that both histories share, which no number of rows guarantees; the default lookback
    is several times the longest that was seen. Distances are counted in the direction held: `side` mirrors the bars.
    """
    out = np.full(len(high), np.nan)
    start, side, stop, extreme, pace = 0, 1.0, 0.0, 0.0, acceleration
    for i in range(len(high)):
        if not np.isfinite(high[i] + low[i]):
            start = i + 1
        if i <= start:
            continue
        if i == start + 1:
            fall, rise = low[i - 1] - low[i], high[i] - high[i - 1]
            side = -1.0 if fall > 0.0 and fall > rise else 1.0
            stop = low[i - 1] if side > 0.0 else -high[i - 1]
            extreme, pace = high[i] if side > 0.0 else -low[i], acceleration
        before = max(i - 1, start + 1)
        near, far = (low[i], high[i]) if side > 0.0 else (-high[i], -low[i])
        if near <= stop:
            side = -side
            near, far, stop, pace = -far, -near, -extreme, acceleration
            floor = min(near, low[before] if side > 0.0 else -high[before])
            stop, extreme = min(stop, floor), far
            out[i] = side * stop
        else:
            out[i] = side * stop
            floor = min(near, low[before] if side > 0.0 else -high[before])
            if far > extreme:
                extreme, pace = far, min(pace + acceleration, maximum)
        stop = min(stop + pace * (extreme - stop), floor)
    return out


@indicator("supertrend", lookback=lambda length, _: wilder_rows(length) + _REVERSALS)
@compiled
def supertrend(high: Float64, low: Float64, close: Float64, length: int = 10, width: float = 3.0) -> Float64:
    """Band of `width` average ranges that follows the price and changes side when it is crossed (n,), price units.

    Below the close in an up-trend, above it in a down-trend. As with `psar`, its memory ends at a shared reversal.
    """
    ranges = atr(high, low, close, length)
    out = np.full(len(close), np.nan)
    upper = lower = np.nan
    rising = True
    for i in range(len(close)):
        middle, span = (high[i] + low[i]) / 2.0, width * ranges[i]
        if np.isnan(span):
            upper = lower = np.nan
            continue
        fresh = np.isnan(upper)
        if fresh or middle + span < upper or close[i - 1] > upper:
            upper = middle + span
        if fresh or middle - span > lower or close[i - 1] < lower:
            lower = middle - span
        rising = close[i] >= lower if rising or fresh else close[i] > upper
        out[i] = lower if rising else upper
    return out


@indicator("linreg_slope", lookback=window_rows, least=2)
@compiled
def linreg_slope(close: Float64, length: int = 14) -> Float64:
    """Slope of the least-squares line through the last `length` closes, price units a row (n,)."""
    return rolling_slope(close, length)


@indicator("linreg", lookback=window_rows, least=2)
@compiled
def linreg(close: Float64, length: int = 14) -> Float64:
    """End of the least-squares line through the last `length` closes (n,)."""
    line, slope = rolling_mean(close, length), rolling_slope(close, length)
    for i in range(len(line)):
        line[i] += slope[i] * ((length - 1) / 2)
    return line


@indicator("ichimoku_tenkan", lookback=window_rows)
@compiled
def tenkan(high: Float64, low: Float64, length: int = 9) -> Float64:
    """Ichimoku conversion line: middle of the range of `length` rows (n,)."""
    return rolling_middle(high, low, length)


@indicator("ichimoku_kijun", lookback=window_rows)
@compiled
def kijun(high: Float64, low: Float64, length: int = 26) -> Float64:
    """Ichimoku base line: middle of the range of `length` rows (n,)."""
    return rolling_middle(high, low, length)


@indicator("ichimoku_span_a", lookback=lambda fast, slow: max(fast, slow))
@compiled
def span_a(high: Float64, low: Float64, fast: int = 9, slow: int = 26) -> Float64:
    """Leading span A: mean of conversion and base line, at the row it is known: not shifted ahead (n,)."""
    line, base = rolling_middle(high, low, fast), rolling_middle(high, low, slow)
    for i in range(len(line)):
        line[i] = (line[i] + base[i]) / 2.0
    return line


@indicator("ichimoku_span_b", lookback=window_rows)
@compiled
def span_b(high: Float64, low: Float64, length: int = 52) -> Float64:
    """Leading span B: middle of the range of `length` rows, at the row it is known: not shifted ahead (n,)."""
    return rolling_middle(high, low, length)
