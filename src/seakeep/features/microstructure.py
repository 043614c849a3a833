"""Microstructure from bars: what trading costs, how informed it is, how much the price wanders on its way."""

import math

import numpy as np

from seakeep.core.market import Float64
from seakeep.features.base import compiled, indicator
from seakeep.features.rows import change, log_return, ratio
from seakeep.features.windows import rolling_efficiency, rolling_mean, rolling_mean_into, rolling_share, rolling_std

__all__ = [
    "amihud",
    "autocorrelation",
    "corwin_schultz",
    "efficiency_ratio",
    "hurst",
    "kyle_lambda",
    "roll_spread",
    "variance_ratio",
    "volume_imbalance",
]


@compiled
def _serial(step: Float64, length: int) -> tuple[Float64, Float64]:
    """Covariance of `length` pairs of neighbouring steps, and the variance of the later ones (n,)."""
    pairs, before = np.full(len(step), np.nan), np.full(len(step), np.nan)
    for i in range(1, len(step)):
        pairs[i], before[i] = step[i] * step[i - 1], step[i - 1]
    mean = rolling_mean(step, length)
    return rolling_mean(pairs, length) - mean * rolling_mean(before, length), rolling_std(step, length, 0) ** 2


@indicator("roll_spread", lookback=lambda length: length + 2)
@compiled
def roll_spread(close: Float64, length: int = 50) -> Float64:
    """Roll's (1984) effective spread as a fraction of the price: 2 sqrt(-cov of neighbouring returns) (n,).

    0 where the covariance is positive: there the model sees no bounce between bid and ask.
    """
    covariance, _ = _serial(log_return(close, 1), length)
    spread: Float64 = 2.0 * np.sqrt(np.maximum(-covariance, 0.0))
    return spread


@indicator("autocorrelation", lookback=lambda length: length + 2, least=2)
@compiled
def autocorrelation(close: Float64, length: int = 50) -> Float64:
    """Correlation of neighbouring log returns over `length` pairs, about -1..1 (n,); 0 where nothing moved."""
    covariance, variance = _serial(log_return(close, 1), length)
    return ratio(covariance, variance, 0.0)


@indicator("corwin_schultz", lookback=lambda length: length + 1)
@compiled
def corwin_schultz(high: Float64, low: Float64, length: int = 20) -> Float64:
    """Corwin and Schultz's (2012) spread from highs and lows, a fraction of the price (n,).

    Mean over `length` pairs of bars, each at least 0 as the authors advise.
    """
    out = np.full(len(high), np.nan)
    root = math.sqrt(2.0) - 1.0
    for i in range(1, len(high)):
        before, now = np.log(high[i - 1] / low[i - 1]), np.log(high[i] / low[i])
        both = np.log(max(high[i], high[i - 1]) / min(low[i], low[i - 1]))
        alpha = (math.sqrt(before * before + now * now) - both) / root
        out[i] = max(2.0 * math.tanh(alpha / 2.0), 0.0) if np.isfinite(alpha) else np.nan
    return rolling_mean_into(out, out, length)


@indicator("amihud", lookback=lambda length: length + 1)
@compiled
def amihud(close: Float64, volume: Float64, length: int = 20) -> Float64:
    """Amihud's (2002) illiquidity: mean absolute log return per unit of quote volume over the rows with trades (n,).

    NaN where nothing was traded in the whole window.
    """
    step = log_return(close, 1)
    impact, traded = np.full(len(close), np.nan), np.full(len(close), np.nan)
    for i in range(1, len(close)):
        money = close[i] * volume[i]
        traded[i] = np.sign(money)
        impact[i] = abs(step[i]) / money if money > 0.0 else 0.0 * (money + step[i])
    return rolling_share(impact, traded, length, np.nan)


@indicator("kyle_lambda", lookback=lambda length: length + 1)
@compiled
def kyle_lambda(close: Float64, volume: Float64, length: int = 50) -> Float64:
    """Kyle's lambda: log return per unit of signed volume, least squares through the origin over `length` rows (n,).

    A bar's volume takes the sign of its return. NaN where no volume moved the price in the whole window.
    """
    step = log_return(close, 1)
    signed = np.sign(step) * volume
    return rolling_share(step * signed, signed * signed, length, np.nan)


@indicator("volume_imbalance", lookback=lambda length: length + 1)
@compiled
def volume_imbalance(close: Float64, volume: Float64, length: int = 50) -> Float64:
    """Share of one-sided volume, 0..1, in bulk classification (Easley, Lopez de Prado and O'Hara 2012) (n,).

    Of each bar's volume the share Phi(change / deviation of changes) is bought; bars of `length` rows share one
    deviation. 0 without trades.
    """
    step = change(close, 1)
    deviation = rolling_std(step, length, 0)
    out = np.full(len(close), np.nan)
    for i in range(length, len(close)):
        unit = deviation[i] * math.sqrt(2.0)
        total = one_sided = 0.0
        for k in range(i - length + 1, i + 1):
            total += volume[k]
            one_sided += volume[k] * abs(math.erf(step[k] / unit)) if unit > 0.0 else 0.0
        out[i] = np.nan if np.isnan(unit + total) else one_sided / total if total > 0.0 else 0.0
    return out


@indicator("efficiency_ratio", lookback=lambda length: length + 1)
@compiled
def efficiency_ratio(close: Float64, length: int = 10) -> Float64:
    """Kaufman's efficiency: distance made over distance walked in `length` rows, 0..1 (n,); 0 where nothing moved."""
    return rolling_efficiency(close, length, 0.0)


@indicator("variance_ratio", lookback=lambda length, lag: length + lag, least=2)
@compiled
def variance_ratio(close: Float64, length: int = 100, lag: int = 5) -> Float64:
    """Lo and MacKinlay's (1988) variance ratio: above 1 the price trends, below 1 it reverts (n,); 1 where it is still.

    Variance of overlapping `lag`-row log returns over `lag` times that of one-row returns, on `length` of each.
    """
    one, many = rolling_std(log_return(close, 1), length, 0), rolling_std(log_return(close, lag), length, 0)
    return ratio(many * many, lag * one * one, 1.0)


@indicator("hurst", lookback=lambda length, lag: length + lag, least=2)
@compiled
def hurst(close: Float64, length: int = 100, lag: int = 5) -> Float64:
    """Hurst exponent by scaling of the standard deviation: log(std over lag rows / std over 1) / log(lag) (n,).

    0.5 is a random walk, and the answer where nothing moved; more trends, less reverts.
    """
    one, many = rolling_std(log_return(close, 1), length, 0), rolling_std(log_return(close, lag), length, 0)
    growth = ratio(many, one, math.sqrt(lag))
    exponent: Float64 = np.log(np.maximum(growth, 1e-12)) / math.log(lag)
    return exponent
