"""Volume: where the money goes. Running totals (obv, ad, pvt) have no level of their own and are refused live."""

import numpy as np

from seakeep.core.market import Float64
from seakeep.features.base import FAINT, compiled, ema_rows, indicator, window_rows
from seakeep.features.rows import change, ratio, typical_price
from seakeep.features.smoothing import smooth_into
from seakeep.features.windows import rolling_mean, rolling_std, rolling_sum

__all__ = ["ad", "adosc", "cmf", "eom", "force_index", "obv", "obv_slope", "pvt", "volume_z", "vwap"]


@compiled
def _total(x: Float64) -> Float64:
    """Running total (n,); a NaN counts as nothing and leaves a NaN in its own row only."""
    out = np.full(len(x), np.nan)
    total = 0.0
    for i in range(len(x)):
        if not np.isnan(x[i]):
            total += x[i]
            out[i] = total
    return out


@compiled
def _signed(close: Float64, volume: Float64) -> Float64:
    """Volume with the sign of the change of the close (n,); NaN in row 0."""
    out = np.full(len(close), np.nan)
    for i in range(1, len(close)):
        out[i] = np.sign(close[i] - close[i - 1]) * volume[i]
    return out


@compiled
def _money_flow(high: Float64, low: Float64, close: Float64, volume: Float64) -> Float64:
    """Volume times where the close lies in the bar, -1 low .. 1 high (n,); 0 in a bar without range."""
    out = np.empty(len(close))
    for i in range(len(close)):
        reach = high[i] - low[i]
        out[i] = volume[i] * (((close[i] - low[i]) - (high[i] - close[i])) / reach if reach != 0.0 else 0.0)
    return out


@indicator("obv", lookback=lambda: 2, instead="obv_slope")
def obv(close: Float64, volume: Float64) -> Float64:
    """On-balance volume, starting at the first row's volume as in TA-Lib (n,)."""
    steps = _signed(close, volume)
    steps[:1] = volume[:1]
    return _total(steps)


@indicator("obv_slope", lookback=lambda length: length + 1)
def obv_slope(close: Float64, volume: Float64, length: int = 20) -> Float64:
    """Change of on-balance volume over `length` rows as a share of the volume traded, -1..1 (n,); 0 without trades."""
    return ratio(rolling_sum(_signed(close, volume), length), rolling_sum(volume, length), 0.0)


@indicator("ad", lookback=lambda: 2, instead="cmf or adosc")
def ad(high: Float64, low: Float64, close: Float64, volume: Float64) -> Float64:
    """Accumulation/distribution line from row 0 (n,)."""
    return _total(_money_flow(high, low, close, volume))


@indicator("adosc", lookback=lambda fast, slow: ema_rows(max(fast, slow)))
@compiled
def adosc(high: Float64, low: Float64, close: Float64, volume: Float64, fast: int = 3, slow: int = 10) -> Float64:
    """Chaikin oscillator: fast minus slow exponential average of the A/D line, both seeded by its first row (n,).

    Kept as the distance of each average behind the line, so the level of the line never enters.
    """
    flow = _money_flow(high, low, close, volume)
    out = np.full(len(close), np.nan)
    keep_fast, keep_slow = 1.0 - 2.0 / (fast + 1.0), 1.0 - 2.0 / (slow + 1.0)
    seen, behind_fast, behind_slow = 0, 0.0, 0.0
    for i in range(len(close)):
        if not np.isfinite(flow[i]):
            seen, behind_fast, behind_slow = 0, 0.0, 0.0
            continue
        if seen > 0:
            behind_fast = keep_fast * (behind_fast + flow[i])
            behind_slow = keep_slow * (behind_slow + flow[i])
        seen += 1
        if seen >= max(fast, slow):
            out[i] = behind_slow - behind_fast
    return out


@indicator("cmf", lookback=window_rows)
def cmf(high: Float64, low: Float64, close: Float64, volume: Float64, length: int = 20) -> Float64:
    """Chaikin money flow: flow over volume in the last `length` rows, -1..1 (n,); 0 without trades."""
    flow = _money_flow(high, low, close, volume)
    return ratio(rolling_sum(flow, length), rolling_sum(volume, length), 0.0)


@indicator("vwap", lookback=window_rows)
def vwap(high: Float64, low: Float64, close: Float64, volume: Float64, length: int = 14) -> Float64:
    """Rolling volume-weighted average of the typical price (n,); NaN where nothing was traded in the whole window."""
    paid = rolling_sum(typical_price(high, low, close) * volume, length)
    return ratio(paid, rolling_sum(volume, length), np.nan)


@indicator("volume_z", lookback=window_rows)
def volume_z(volume: Float64, length: int = 20) -> Float64:
    """Volume in population deviations from its mean over `length` rows (n,); 0 where it did not vary."""
    return ratio(volume - rolling_mean(volume, length), rolling_std(volume, length, 0), 0.0)


@indicator("pvt", lookback=lambda: 2, instead="force_index")
@compiled
def pvt(close: Float64, volume: Float64) -> Float64:
    """Price-volume trend: running total of volume times return, from 0 in row 0 (n,)."""
    steps = np.zeros(len(close))
    for i in range(1, len(close)):
        steps[i] = volume[i] * (close[i] / close[i - 1] - 1.0)
    return _total(steps)


@indicator("eom", lookback=lambda length: length + 1)
@compiled
def eom(high: Float64, low: Float64, volume: Float64, length: int = 14) -> Float64:
    """Ease of movement: mean of (move of the bar's middle) x (its range) / volume (n,); 0 for a bar without trades."""
    move = change((high + low) / 2.0, 1)
    return rolling_mean(ratio(move * (high - low), volume, 0.0), length)


@indicator("force_index", lookback=lambda length: ema_rows(length, forgotten=FAINT) + 1)
@compiled
def force_index(close: Float64, volume: Float64, length: int = 13) -> Float64:
    """Elder's force index: exponential average of change times volume (n,); first value in row `length`."""
    force = change(close, 1)
    for i in range(len(force)):
        force[i] *= volume[i]
    return smooth_into(force, force, length, 2.0 / (length + 1.0))
