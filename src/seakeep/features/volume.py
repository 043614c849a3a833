"""Volume: where the money goes. Running totals (obv, ad, pvt) have no level of their own and are refused live."""

import numpy as np

from seakeep.core.market import Float64
from seakeep.features.base import FAINT, compiled, ema_rows, indicator, window_rows
from seakeep.features.rows import change, ratio, typical_price
from seakeep.features.smoothing import blend
from seakeep.features.windows import rolling_mean, rolling_mean_into, rolling_share, rolling_std

__all__ = ["ad", "adosc", "cmf", "eom", "force_index", "obv", "obv_slope", "pvt", "volume_z", "vwap"]


@compiled
def _total(x: Float64) -> Float64:
    """Running total, written over `x` (n,); a NaN counts as nothing and is left in its own row only."""
    total = 0.0
    for i in range(len(x)):
        if not np.isnan(x[i]):
            total += x[i]
            x[i] = total
    return x


@compiled
def _signed(close: Float64, volume: Float64) -> Float64:
    """Volume with the sign of the change of the close (n,); NaN in row 0."""
    out = np.empty(len(close))
    out[:1] = np.nan
    for i in range(1, len(close)):
        out[i] = np.sign(close[i] - close[i - 1]) * volume[i]
    return out


@compiled
def _money_flow(high: Float64, low: Float64, close: Float64, volume: Float64) -> Float64:
    """Volume times where the close lies in the bar, -1 low .. 1 high (n,); 0 in a bar without range."""
    out = np.empty(len(close))
    for i in range(len(close)):
        out[i] = _flow(high[i], low[i], close[i], volume[i])
    return out


@compiled
def _flow(high: float, low: float, close: float, volume: float) -> float:
    span = high - low
    return volume * (((close - low) - (high - close)) / span if span != 0.0 else 0.0)


@indicator("obv", lookback=lambda: 2, instead="obv_slope")
@compiled
def obv(close: Float64, volume: Float64) -> Float64:
    """On-balance volume, starting at the first row's volume as in TA-Lib (n,)."""
    steps = _signed(close, volume)
    steps[:1] = volume[:1]
    return _total(steps)


@indicator("obv_slope", lookback=lambda length: length + 1)
@compiled
def obv_slope(close: Float64, volume: Float64, length: int = 20) -> Float64:
    """Change of on-balance volume over `length` rows as a share of the volume traded, -1..1 (n,); 0 without trades."""
    return rolling_share(_signed(close, volume), volume, length, 0.0)


@indicator("ad", lookback=lambda: 2, instead="cmf or adosc")
@compiled
def ad(high: Float64, low: Float64, close: Float64, volume: Float64) -> Float64:
    """Accumulation/distribution line from row 0 (n,)."""
    return _total(_money_flow(high, low, close, volume))


@indicator("adosc", lookback=lambda fast, slow: ema_rows(max(fast, slow)))
@compiled
def adosc(high: Float64, low: Float64, close: Float64, volume: Float64, fast: int = 3, slow: int = 10) -> Float64:
    """Chaikin oscillator: fast minus slow exponential average of the A/D line, both seeded by its first row (n,).

    Kept as the distance of each average behind the line, so the level of the line never enters.
    """
    out = np.empty(len(close))
    keep_fast, keep_slow = 1.0 - 2.0 / (fast + 1.0), 1.0 - 2.0 / (slow + 1.0)
    age, behind_fast, behind_slow = 0, 0.0, 0.0
    for i in range(len(close)):
        flow = _flow(high[i], low[i], close[i], volume[i])
        age = age + 1 if np.isfinite(flow) else 0
        behind_fast = keep_fast * (behind_fast + flow) if age > 1 else 0.0
        behind_slow = keep_slow * (behind_slow + flow) if age > 1 else 0.0
        out[i] = behind_slow - behind_fast if age >= max(fast, slow) else np.nan
    return out


@indicator("cmf", lookback=window_rows)
@compiled
def cmf(high: Float64, low: Float64, close: Float64, volume: Float64, length: int = 20) -> Float64:
    """Chaikin money flow: flow over volume in the last `length` rows, -1..1 (n,); 0 without trades."""
    return rolling_share(_money_flow(high, low, close, volume), volume, length, 0.0)


@indicator("vwap", lookback=window_rows)
@compiled
def vwap(high: Float64, low: Float64, close: Float64, volume: Float64, length: int = 14) -> Float64:
    """Rolling volume-weighted average of the typical price (n,); NaN where nothing was traded in the whole window."""
    return rolling_share(typical_price(high, low, close) * volume, volume, length, np.nan)


@indicator("volume_z", lookback=window_rows)
@compiled
def volume_z(volume: Float64, length: int = 20) -> Float64:
    """Volume in population deviations from its mean over `length` rows (n,); 0 where it did not vary."""
    return ratio(volume - rolling_mean(volume, length), rolling_std(volume, length, 0), 0.0)


@indicator("pvt", lookback=lambda: 2, instead="force_index")
@compiled
def pvt(close: Float64, volume: Float64) -> Float64:
    """Price-volume trend: running total of volume times return, from 0 in row 0 (n,)."""
    steps = np.empty(len(close))
    steps[:1] = 0.0
    for i in range(1, len(close)):
        steps[i] = volume[i] * (close[i] / close[i - 1] - 1.0)
    return _total(steps)


@indicator("eom", lookback=lambda length: length + 1)
@compiled
def eom(high: Float64, low: Float64, volume: Float64, length: int = 14) -> Float64:
    """Ease of movement: mean of (move of the bar's middle) x (its range) / volume (n,); 0 for a bar without trades."""
    move = change((high + low) / 2.0, 1)
    line = ratio(move * (high - low), volume, 0.0)
    return rolling_mean_into(line, line, length)


@indicator("force_index", lookback=lambda length: ema_rows(length, forgotten=FAINT) + 1)
@compiled
def force_index(close: Float64, volume: Float64, length: int = 13) -> Float64:
    """Elder's force index: exponential average of change times volume (n,); first value in row `length`."""
    out = np.empty(len(close))
    out[:1] = np.nan
    age, level = 0, 0.0
    for i in range(1, len(close)):
        force = (close[i] - close[i - 1]) * volume[i]
        age = age + 1 if np.isfinite(force) else 0
        level = blend(level, force, age, length, 2.0 / (length + 1.0))
        out[i] = level if age >= length else np.nan
    return out
