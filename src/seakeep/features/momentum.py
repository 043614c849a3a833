"""Momentum: how fast, how far and how one-sidedly the price has moved.

Bounded oscillators are neutral (50, 0, or -50 for Williams %R) where nothing moved; TA-Lib gives 0 there, which for
an RSI would call a market without a trade oversold.
"""

import numpy as np

from seakeep.core.market import Float64
from seakeep.features.base import FAINT, compiled, ema_rows, indicator, wilder_rows, window_rows
from seakeep.features.rows import STILL, change, log_return, ratio, typical_price, walk
from seakeep.features.smoothing import ema, nested, nested_into
from seakeep.features.windows import rolling_max, rolling_mean, rolling_min, rolling_sum

__all__ = [
    "awesome",
    "bop",
    "cci",
    "cmo",
    "mfi",
    "mom",
    "ppo",
    "roc",
    "rolling_return",
    "rsi",
    "stoch_d",
    "stoch_k",
    "stochrsi",
    "trix",
    "tsi",
    "ultosc",
    "willr",
]


@compiled
def _balance(close: Float64, length: int, centre: float, width: float) -> Float64:
    """Wilder-smoothed gains minus losses as a share of both, -1..1, times `width` about the `centre` (n,)."""
    out = np.full(len(close), np.nan)
    seen, gain, loss, alpha = 0, 0.0, 0.0, 1.0 / length
    for i in range(1, len(close)):
        step = close[i] - close[i - 1]
        if not np.isfinite(step):
            seen, gain, loss = 0, 0.0, 0.0
            continue
        up, down = max(step, 0.0), max(-step, 0.0)
        if seen < length:
            seen += 1
            gain += up * alpha
            loss += down * alpha
        else:
            gain += (up - gain) * alpha
            loss += (down - loss) * alpha
        if seen == length:
            moved = gain + loss
            out[i] = centre + (width * (gain - loss) / moved if moved > STILL * abs(close[i]) else 0.0)
    return out


@indicator("rsi", lookback=lambda length: wilder_rows(length, forgotten=FAINT) + 1)
def rsi(close: Float64, length: int = 14) -> Float64:
    """Relative strength index 0..100, Wilder's smoothing (n,); first value in row `length`; 50 where nothing moved."""
    return _balance(close, length, 50.0, 50.0)


@indicator("cmo", lookback=lambda length: wilder_rows(length, forgotten=FAINT) + 1)
def cmo(close: Float64, length: int = 14) -> Float64:
    """Chande momentum oscillator -100..100 with Wilder's smoothing, as in TA-Lib (n,); 0 where nothing moved."""
    return _balance(close, length, 0.0, 100.0)


@compiled
def _raw_k(high: Float64, low: Float64, close: Float64, length: int) -> Float64:
    """Where the close lies in the range of `length` rows, 0..100; 50 where there is no range."""
    top, bottom = rolling_max(high, length), rolling_min(low, length)
    for i in range(len(top)):
        reach = top[i] - bottom[i]
        top[i] = 50.0 if reach <= STILL * abs(bottom[i]) else 100.0 * (close[i] - bottom[i]) / reach
    return top


def _stoch_rows(length: int, smooth: int, signal: int) -> int:
    return length + smooth + signal - 2


@indicator("stoch_k", lookback=_stoch_rows)
def stoch_k(high: Float64, low: Float64, close: Float64, length: int = 14, smooth: int = 3, signal: int = 3) -> Float64:
    """Slow stochastic %K 0..100 (n,); starts with its %D, in row length + smooth + signal - 3, as in TA-Lib."""
    line = rolling_mean(_raw_k(high, low, close, length), smooth)
    return line + 0.0 * rolling_mean(line, signal)


@indicator("stoch_d", lookback=_stoch_rows)
def stoch_d(high: Float64, low: Float64, close: Float64, length: int = 14, smooth: int = 3, signal: int = 3) -> Float64:
    """Slow stochastic %D 0..100: the simple average of %K over `signal` rows (n,)."""
    return rolling_mean(rolling_mean(_raw_k(high, low, close, length), smooth), signal)


@indicator("stochrsi", lookback=lambda length, window: wilder_rows(length, forgotten=FAINT) + window)
def stochrsi(close: Float64, length: int = 14, window: int = 14) -> Float64:
    """Where the RSI lies in its own range of `window` rows, 0..100 (n,); 50 where it has none."""
    strength = rsi(close, length)
    return _raw_k(strength, strength, strength, window)


@indicator("willr", lookback=window_rows)
def willr(high: Float64, low: Float64, close: Float64, length: int = 14) -> Float64:
    """Williams %R -100..0 (n,); -50 where there is no range."""
    return _raw_k(high, low, close, length) - 100.0


@indicator("cci", lookback=window_rows)
@compiled
def cci(high: Float64, low: Float64, close: Float64, length: int = 20) -> Float64:
    """Commodity channel index: distance to the mean in units of 0.015 mean absolute deviations (n,)."""
    price = typical_price(high, low, close)
    mean = rolling_mean(price, length)
    out = np.full(len(close), np.nan)
    for i in range(length - 1, len(close)):
        spread = 0.0
        for k in range(i - length + 1, i + 1):
            spread += abs(price[k] - mean[i])
        spread *= 0.015 / length
        out[i] = 0.0 if spread <= STILL * abs(mean[i]) else (price[i] - mean[i]) / spread
    return out


@indicator("roc", lookback=lambda length: length + 1)
@compiled
def roc(close: Float64, length: int = 10) -> Float64:
    """Rate of change over `length` rows in percent (n,)."""
    out = np.empty(len(close))
    out[:length] = np.nan
    for i in range(length, len(close)):
        out[i] = 100.0 * (close[i] / close[i - length] - 1.0)
    return out


@indicator("log_return", lookback=lambda length: length + 1)
def rolling_return(close: Float64, length: int = 1) -> Float64:
    """Log return over `length` rows (n,)."""
    return log_return(close, length)


@indicator("mom", lookback=lambda length: length + 1)
def mom(close: Float64, length: int = 10) -> Float64:
    """Change over `length` rows in price units (n,)."""
    return change(close, length)


@indicator("ppo", lookback=lambda fast, slow: ema_rows(max(fast, slow)))
def ppo(close: Float64, fast: int = 12, slow: int = 26) -> Float64:
    """Fast minus slow exponential average in percent of the slow one (n,); each seeded on its own, as in TA-Lib."""
    below = ema(close, slow)
    return 100.0 * ratio(ema(close, fast) - below, below, np.nan)


@indicator("trix", lookback=lambda length: ema_rows(length, 3) + 1)
@compiled
def trix(close: Float64, length: int = 15) -> Float64:
    """One-row rate of change of a triple exponential average, percent (n,); first value in row 3 (length - 1) + 1."""
    return roc(nested(close, (length, length, length), (0.0, 0.0, 1.0)), 1)


@indicator("ultosc", lookback=lambda *lengths: max(lengths) + 1)
@compiled
def ultosc(high: Float64, low: Float64, close: Float64, short: int = 7, middle: int = 14, long: int = 28) -> Float64:
    """Ultimate oscillator 0..100 over three windows weighted 4, 2, 1 (n,); 50 where nothing moved."""
    pressure, reach = np.full(len(close), np.nan), np.full(len(close), np.nan)
    for i in range(1, len(close)):
        bottom = min(low[i], close[i - 1])
        pressure[i], reach[i] = close[i] - bottom, max(high[i], close[i - 1]) - bottom
    out = np.zeros(len(close))
    for weight, length in ((4.0, short), (2.0, middle), (1.0, long)):
        part, whole = rolling_sum(pressure, length), rolling_sum(reach, length)
        for i in range(len(close)):
            out[i] += weight * (part[i] / whole[i] if whole[i] != 0.0 else 0.5) * (100.0 / 7.0)
    return out


@indicator("mfi", lookback=lambda length: length + 1)
@compiled
def mfi(high: Float64, low: Float64, close: Float64, volume: Float64, length: int = 14) -> Float64:
    """Money flow index 0..100 (n,); first value in row `length`; 50 where no money moved the price."""
    price = typical_price(high, low, close)
    up, down = np.full(len(close), np.nan), np.full(len(close), np.nan)
    for i in range(1, len(close)):
        flow, step = price[i] * volume[i], price[i] - price[i - 1]
        up[i] = flow if step > 0.0 else 0.0 * (flow + step)
        down[i] = flow if step < 0.0 else 0.0 * (flow + step)
    inflow = rolling_sum(up, length)
    return 100.0 * ratio(inflow, inflow + rolling_sum(down, length), 0.5)


@indicator("bop", lookback=lambda: 1)
@compiled
def bop(open: Float64, high: Float64, low: Float64, close: Float64) -> Float64:  # noqa: A002
    """Balance of power (close - open) / (high - low), -1..1 (n,); 0 where there is no range."""
    out = np.empty(len(close))
    for i in range(len(close)):
        reach = high[i] - low[i]
        out[i] = (close[i] - open[i]) / reach if reach != 0.0 else 0.0
    return out


@indicator("tsi", lookback=lambda slow, fast: ema_rows(slow) + ema_rows(fast) + 1)
@compiled
def tsi(close: Float64, slow: int = 25, fast: int = 13) -> Float64:
    """True strength index -100..100: doubly smoothed change over doubly smoothed absolute change (n,)."""
    net, walked, lengths = change(close, 1), walk(close), (slow, fast)
    nested_into(net, net, lengths, (0.0, 100.0))
    nested_into(walked, walked, lengths, (0.0, 1.0))
    return ratio(net, walked, 0.0)


@indicator("awesome", lookback=lambda fast, slow: max(fast, slow))
@compiled
def awesome(high: Float64, low: Float64, fast: int = 5, slow: int = 34) -> Float64:
    """Awesome oscillator: fast minus slow simple average of the middle of each bar, price units (n,)."""
    middle = np.empty(len(high))
    for i in range(len(high)):
        middle[i] = (high[i] + low[i]) / 2.0
    line, slower = rolling_mean(middle, fast), rolling_mean(middle, slow)
    for i in range(len(line)):
        line[i] -= slower[i]
    return line
