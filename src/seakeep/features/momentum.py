"""Momentum: how fast, how far and how one-sidedly the price has moved.

Bounded oscillators are neutral (50, 0, or -50 for Williams %R) where nothing moved; TA-Lib gives 0 there, which for
an RSI would call a market without a trade oversold.
"""

import numpy as np

from seakeep.core.market import Float64
from seakeep.features.base import FAINT, compiled, ema_rows, indicator, wilder_rows, window_rows
from seakeep.features.rows import STILL, change, log_return, reach, typical_price
from seakeep.features.smoothing import blend
from seakeep.features.windows import crests, rolling_mean, rolling_mean_into, rolling_share, suffixes, turn, turn_crests

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
    out = np.empty(len(close))
    out[:1] = np.nan
    age, gain, loss = 0, 0.0, 0.0
    for i in range(1, len(close)):
        step = close[i] - close[i - 1]
        age = age + 1 if np.isfinite(step) else 0
        gain = blend(gain, max(step, 0.0), age, length, 1.0 / length)
        loss = blend(loss, max(-step, 0.0), age, length, 1.0 / length)
        moved = gain + loss
        share = (gain - loss) / moved if moved > STILL * abs(close[i]) else 0.0
        out[i] = centre + width * share if age >= length else np.nan
    return out


@indicator("rsi", lookback=lambda length: wilder_rows(length, forgotten=FAINT) + 1)
@compiled
def rsi(close: Float64, length: int = 14) -> Float64:
    """Relative strength index 0..100, Wilder's smoothing (n,); first value in row `length`; 50 where nothing moved."""
    return _balance(close, length, 50.0, 50.0)


@indicator("cmo", lookback=lambda length: wilder_rows(length, forgotten=FAINT) + 1)
@compiled
def cmo(close: Float64, length: int = 14) -> Float64:
    """Chande momentum oscillator -100..100 with Wilder's smoothing, as in TA-Lib (n,); 0 where nothing moved."""
    return _balance(close, length, 0.0, 100.0)


@compiled
def _raw_k(high: Float64, low: Float64, close: Float64, length: int) -> Float64:
    """Where the close lies in the range of `length` rows, 0..100; 50 where there is no range."""
    out = np.empty(len(close))
    tops, depths, hole = crests(length), crests(length), -1
    for start in range(0, len(close), length):
        top = depth = -np.inf
        for i in range(start, min(start + length, len(close))):
            k = i - start
            hole = i if np.isnan(high[i] + low[i]) else hole
            top, depth = max(top, high[i]), max(depth, -low[i])
            bottom = -max(depth, depths[k + 1])
            span = max(top, tops[k + 1]) - bottom
            tops[k], depths[k] = high[i], -low[i]
            place = 100.0 * (close[i] - bottom) / span if span > STILL * abs(bottom) else 50.0
            out[i] = place if i - hole >= length else np.nan
        turn_crests(tops)
        turn_crests(depths)
    return out


def _stoch_rows(length: int, smooth: int, signal: int) -> int:
    return length + smooth + signal - 2


@indicator("stoch_k", lookback=_stoch_rows)
@compiled
def stoch_k(high: Float64, low: Float64, close: Float64, length: int = 14, smooth: int = 3, signal: int = 3) -> Float64:
    """Slow stochastic %K 0..100 (n,); starts with its %D, in row length + smooth + signal - 3, as in TA-Lib."""
    line = _raw_k(high, low, close, length)
    rolling_mean_into(line, line, smooth)
    average = rolling_mean(line, signal)
    for i in range(len(line)):
        line[i] += 0.0 * average[i]
    return line


@indicator("stoch_d", lookback=_stoch_rows)
@compiled
def stoch_d(high: Float64, low: Float64, close: Float64, length: int = 14, smooth: int = 3, signal: int = 3) -> Float64:
    """Slow stochastic %D 0..100: the simple average of %K over `signal` rows (n,)."""
    line = _raw_k(high, low, close, length)
    rolling_mean_into(line, line, smooth)
    return rolling_mean_into(line, line, signal)


@indicator("stochrsi", lookback=lambda length, window: wilder_rows(length, forgotten=FAINT) + window)
@compiled
def stochrsi(close: Float64, length: int = 14, window: int = 14) -> Float64:
    """Where the RSI lies in its own range of `window` rows, 0..100 (n,); 50 where it has none."""
    strength = rsi(close, length)
    return _raw_k(strength, strength, strength, window)


@indicator("willr", lookback=window_rows)
@compiled
def willr(high: Float64, low: Float64, close: Float64, length: int = 14) -> Float64:
    """Williams %R -100..0 (n,); -50 where there is no range."""
    line = _raw_k(high, low, close, length)
    for i in range(len(line)):
        line[i] -= 100.0
    return line


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
@compiled
def rolling_return(close: Float64, length: int = 1) -> Float64:
    """Log return over `length` rows (n,)."""
    return log_return(close, length)


@indicator("mom", lookback=lambda length: length + 1)
@compiled
def mom(close: Float64, length: int = 10) -> Float64:
    """Change over `length` rows in price units (n,)."""
    return change(close, length)


@indicator("ppo", lookback=lambda fast, slow: ema_rows(max(fast, slow)))
@compiled
def ppo(close: Float64, fast: int = 12, slow: int = 26) -> Float64:
    """Fast minus slow exponential average in percent of the slow one (n,); each seeded on its own, as in TA-Lib."""
    out = np.empty(len(close))
    age, quick, lazy = 0, 0.0, 0.0
    for i in range(len(close)):
        age = age + 1 if np.isfinite(close[i]) else 0
        quick = blend(quick, close[i], age, fast, 2.0 / (fast + 1.0))
        lazy = blend(lazy, close[i], age, slow, 2.0 / (slow + 1.0))
        out[i] = 100.0 * (quick - lazy) / lazy if age >= max(fast, slow) else np.nan
    return out


@indicator("trix", lookback=lambda length: ema_rows(length, 3) + 1)
@compiled
def trix(close: Float64, length: int = 15) -> Float64:
    """One-row rate of change of a triple exponential average, percent (n,); first value in row 3 (length - 1) + 1."""
    out = np.empty(len(close))
    alpha, late = 2.0 / (length + 1.0), length - 1
    age, e1, e2, e3 = 0, 0.0, 0.0, 0.0
    for i in range(len(close)):
        age = age + 1 if np.isfinite(close[i]) else 0
        e1 = blend(e1, close[i], age, length, alpha)
        e2 = blend(e2, e1, age - late, length, alpha)
        before, e3 = e3, blend(e3, e2, age - 2 * late, length, alpha)
        out[i] = 100.0 * (e3 / before - 1.0) if age > 3 * late + 1 else np.nan
    return out


@indicator("ultosc", lookback=lambda *lengths: max(lengths) + 1)
@compiled
def ultosc(high: Float64, low: Float64, close: Float64, short: int = 7, middle: int = 14, long: int = 28) -> Float64:
    """Ultimate oscillator 0..100 over three windows weighted 4, 2, 1 (n,); 50 where nothing moved."""
    out = np.zeros(len(close))
    out[:1] = np.nan
    for weight, length in ((4.0, short), (2.0, middle), (1.0, long)):
        _add_pressure(out, high, low, close, length, weight * (100.0 / 7.0))
    return out


@compiled
def _add_pressure(out: Float64, high: Float64, low: Float64, close: Float64, length: int, weight: float) -> Float64:
    """Adds to `out` the weighted share of the true range that the closes of `length` rows lie above its bottom."""
    parts, wholes = suffixes(length), suffixes(length)
    for start in range(1, len(close), length):
        above, below, before = 0.0, 0.0, close[start - 1]
        for i in range(start, min(start + length, len(close))):
            k, bought, span = i - start, close[i] - min(low[i], before), reach(high[i], low[i], before)
            above, below, before = above + bought, below + span, close[i]
            total, divisor = parts[k + 1] + above, wholes[k + 1] + below
            parts[k], wholes[k] = bought, span
            out[i] += weight * (total / divisor if divisor != 0.0 else 0.5)
        turn(parts)
        turn(wholes)
    return out


@indicator("mfi", lookback=lambda length: length + 1)
@compiled
def mfi(high: Float64, low: Float64, close: Float64, volume: Float64, length: int = 14) -> Float64:
    """Money flow index 0..100 (n,); first value in row `length`; 50 where no money moved the price."""
    inflow, moved = np.empty(len(close)), np.empty(len(close))
    before = np.nan
    for i in range(len(close)):
        price = (high[i] + low[i] + close[i]) / 3.0
        flow, side = price * volume[i], np.sign(price - before)
        inflow[i], moved[i], before = 50.0 * flow * (abs(side) + side), flow * abs(side), price
    return rolling_share(inflow, moved, length, 50.0)


@indicator("bop", lookback=lambda: 1)
@compiled
def bop(open: Float64, high: Float64, low: Float64, close: Float64) -> Float64:  # noqa: A002
    """Balance of power (close - open) / (high - low), -1..1 (n,); 0 where there is no range."""
    out = np.empty(len(close))
    for i in range(len(close)):
        span = high[i] - low[i]
        out[i] = (close[i] - open[i]) / span if span != 0.0 else 0.0
    return out


@indicator("tsi", lookback=lambda slow, fast: ema_rows(slow) + ema_rows(fast) + 1)
@compiled
def tsi(close: Float64, slow: int = 25, fast: int = 13) -> Float64:
    """True strength index -100..100: doubly smoothed change over doubly smoothed absolute change (n,)."""
    out = np.empty(len(close))
    out[:1] = np.nan
    alpha, beta, late = 2.0 / (slow + 1.0), 2.0 / (fast + 1.0), slow - 1
    age, net1, net2, walk1, walk2 = 0, 0.0, 0.0, 0.0, 0.0
    for i in range(1, len(close)):
        step = close[i] - close[i - 1]
        age = age + 1 if np.isfinite(step) else 0
        net1, walk1 = blend(net1, step, age, slow, alpha), blend(walk1, abs(step), age, slow, alpha)
        net2, walk2 = blend(net2, net1, age - late, fast, beta), blend(walk2, walk1, age - late, fast, beta)
        out[i] = (100.0 * net2 / walk2 if walk2 != 0.0 else 0.0) if age >= late + fast else np.nan
    return out


@indicator("awesome", lookback=lambda fast, slow: max(fast, slow))
@compiled
def awesome(high: Float64, low: Float64, fast: int = 5, slow: int = 34) -> Float64:
    """Awesome oscillator: fast minus slow simple average of the middle of each bar, price units (n,)."""
    out = np.zeros(len(high))
    for weight, length in ((0.5 / fast, fast), (-0.5 / slow, slow)):
        older = suffixes(length)
        for start in range(0, len(high), length):
            running = 0.0
            for i in range(start, min(start + length, len(high))):
                both = high[i] + low[i]
                running += both
                out[i] += weight * (older[i - start + 1] + running)
                older[i - start] = both
            turn(older)
    return out
