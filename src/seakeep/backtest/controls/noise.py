"""Markets whose edge is known: none at all, or exactly so much Sharpe ratio for who reads the last return's sign.

A bar's return is sigma[t] (kappa s[t-1] + z[t]) with s the sign of the return before, z Student's t of unit variance
and log sigma an autoregression of its own: volatility clusters, tails are fat. With kappa = 0 no rule earns anything
before costs, however it is found. Otherwise holding s[t-1] through each bar has the Sharpe ratio that was asked for.
"""

import math

import numpy as np
from pydantic import Field
from scipy.signal import lfilter

from seakeep.core.config import Section
from seakeep.core.errors import ConfigError
from seakeep.core.jit import kernel
from seakeep.core.market import BarFrame, Float64
from seakeep.core.units import DAY_MS, YEAR_MS, interval_ms

__all__ = ["EDGE_FEATURE", "NoiseParams", "market"]

EDGE_FEATURE = "roc:1"
"""The feature whose sign is the planted edge."""

_START = 1_577_836_800_000
_SYMBOL = "CTRL/USDT"


class NoiseParams(Section):
    """What market to make."""

    bars: int = Field(8760, ge=2, le=1_000_000, description="length of the history")
    interval: str = Field("1h", description="length of a bar")
    sharpe: float = Field(0.0, ge=0, le=20, description="annual Sharpe ratio of the planted edge; 0: none")
    volatility: float = Field(0.6, gt=0, le=2, description="standard deviation of returns, a year")
    tail: float = Field(5.0, gt=4, le=1000, description="degrees of freedom of the shocks; small: fat tails")
    clustering: float = Field(0.15, ge=0, le=0.5, description="variance of the logarithm of volatility; 0: constant")


def market(params: NoiseParams, seed: int) -> BarFrame:
    """Bars of such a market. Same parameters and seed, same bits.

    >>> len(market(NoiseParams(bars=24), 1))
    24

    Raises: ConfigError if the edge cannot be so large on bars of that length.
    """
    rng, n = np.random.default_rng(seed), params.bars
    years = interval_ms(params.interval) / YEAR_MS
    shocks = rng.standard_t(params.tail, n) * math.sqrt((params.tail - 2) / params.tail)
    scale = _scale(params, rng) * params.volatility * math.sqrt(years)
    returns = np.maximum(_returns(shocks, scale, _kappa(params)), -0.9)
    close = 100 * np.cumprod(1 + returns)
    opened = np.append(100.0, close[:-1])
    reach = np.abs(rng.standard_normal((2, n))) * scale / 3
    high, low = np.maximum(opened, close) * (1 + reach[0]), np.minimum(opened, close) / (1 + reach[1])
    ts = _START + interval_ms(params.interval) * np.arange(n, dtype=np.int64)
    return BarFrame(_SYMBOL, params.interval, ts, opened, high, low, close, np.exp(0.5 * rng.standard_normal(n)))


def _kappa(params: NoiseParams) -> float:
    """How far the mean leans, in deviations: volatility that varies takes some of it, so it leans further."""
    ratio = params.sharpe * math.sqrt(interval_ms(params.interval) / YEAR_MS)
    first = math.exp(-params.clustering)
    room = first - ratio**2 * (1 - first)
    if room <= 0 or ratio >= 1:
        raise ConfigError("no such edge on bars this long", value=params.sharpe, remedy="take shorter bars")
    return ratio / math.sqrt(room)


def _scale(params: NoiseParams, rng: np.random.Generator) -> Float64:
    """Volatility (n,) with a mean square of 1; half of a burst is gone after a day, or after a longer bar."""
    keep = 0.5 ** min(1.0, interval_ms(params.interval) / DAY_MS)
    draws = rng.standard_normal(params.bars) * math.sqrt(params.clustering)
    draws[1:] *= math.sqrt(1 - keep**2)
    return np.exp(lfilter([1.0], [1.0, -keep], draws) - params.clustering)


@kernel
def _returns(shocks: Float64, scale: Float64, kappa: float) -> Float64:
    """Returns (n,) that lean to the sign of the one before; the first leans nowhere."""
    returns = np.empty(len(shocks))
    lean = 0.0
    for t in range(len(shocks)):
        returns[t] = scale[t] * (lean + shocks[t])
        lean = kappa if returns[t] > 0 else -kappa
    return returns
