"""How well a run did, and how sure we may be: every estimate with its interval and the number it rests on.

Returns are simple, a period is a bar, a year has 365 days: annual figures use YEAR_MS / interval periods. No risk-free
rate is taken off unless it is passed. What cannot be estimated is NaN, never a stand-in.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

import msgspec
import numpy as np

from seakeep.core.jit import kernel
from seakeep.core.market import Float64, Int64
from seakeep.core.units import DAY_MS, YEAR_MS
from seakeep.stats.bootstrap import percentile_interval, resample
from seakeep.stats.returns import drawdowns, max_drawdown, simple_returns

__all__ = [
    "LEVEL",
    "Estimate",
    "Trades",
    "annual_return",
    "calmar",
    "measure",
    "omega",
    "probabilistic_sharpe",
    "profit_factor",
    "sharpe",
    "sharpe_error",
    "sortino",
    "volatility",
    "win_rate",
]

LEVEL = 0.95
"""Confidence of every interval."""
MIN_RETURNS = 30
"""Fewer returns, or days, say nothing about a year."""
MIN_TRADES = 10
"""Fewer trades give an average, but no interval."""

_NAN = float("nan")
_NORMAL = NormalDist()


class Estimate(msgspec.Struct, frozen=True):
    """A number, the interval that holds the true one with confidence `LEVEL`, and how many observations it rests on.

    NaN is "not known": of `value` when there are too few observations, of the ends also when it is a fact of the run
    and not an estimate (the time in market is what it was).
    """

    value: float
    low: float = _NAN
    high: float = _NAN
    n: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Trades:
    """Closed round trips, columns (m,): profit in quote units and as a fraction of what was put in, and how long."""

    pnl: Float64
    ret: Float64
    duration_ms: Float64


def annual_return(returns: Float64, periods: float) -> float:
    """Compound growth a year (CAGR) of simple returns (n,), `periods` of them a year; NaN if there are none.

    >>> round(annual_return(np.array([0.1, 0.1]), 1), 6)
    0.1
    """
    return float(np.prod(1 + returns) ** (periods / len(returns)) - 1) if len(returns) else _NAN


def volatility(returns: Float64, periods: float) -> float:
    """Standard deviation of returns (n,) a year, by n - 1; NaN below two returns."""
    return float(np.std(returns, ddof=1) * math.sqrt(periods)) if len(returns) > 1 else _NAN


def sharpe(returns: Float64, periods: float, risk_free: float = 0.0) -> float:
    """Mean excess return over its standard deviation, a year; `risk_free` is the rate of one period.

    NaN below two returns, or if they do not vary.
    """
    deviation = volatility(returns, 1)
    return float((np.mean(returns) - risk_free) / deviation * math.sqrt(periods)) if deviation > 0 else _NAN


def sortino(returns: Float64, periods: float, target: float = 0.0) -> float:
    """Mean return above `target` over the downside deviation (over all n), a year; NaN if none falls short."""
    if not len(returns):
        return _NAN
    downside = math.sqrt(np.mean(np.minimum(returns - target, 0) ** 2))
    return float((np.mean(returns) - target) / downside * math.sqrt(periods)) if downside > 0 else _NAN


def omega(returns: Float64, threshold: float = 0.0) -> float:
    """Sum of what returns are above `threshold` over the sum of what they are below; NaN if none is below."""
    excess = returns - threshold
    lost = -float(excess[excess < 0].sum())
    return float(excess[excess > 0].sum()) / lost if lost > 0 else _NAN


def calmar(returns: Float64, periods: float) -> float:
    """Compound growth a year over the largest drawdown; NaN if there was no drawdown."""
    worst = max_drawdown(np.append(1.0, np.cumprod(1 + returns)))
    return annual_return(returns, periods) / worst if worst > 0 else _NAN


def profit_factor(pnl: Float64) -> float:
    """Profit of the winners over the loss of the losers; NaN (infinite) if nothing was lost.

    >>> profit_factor(np.array([-20.0, 20.0, 10.0]))
    1.5
    """
    return omega(pnl)


def win_rate(pnl: Float64) -> Estimate:
    """Share of trades with a profit, with Wilson's score interval [1]_.

    .. [1] Wilson, "Probable inference", Journal of the American Statistical Association 22 (1927).
    """
    n = len(pnl)
    if not n:
        return Estimate(_NAN)
    share, z = float(np.mean(pnl > 0)), _NORMAL.inv_cdf((1 + LEVEL) / 2)
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return Estimate(share, max(0.0, centre - half), min(1.0, centre + half), n)


def sharpe_error(ratio: float, n: int, skew: float = 0.0, kurtosis: float = 3.0) -> float:
    """Standard error of a Sharpe ratio of n returns, both per period; `kurtosis` of a normal is 3.

    Lo's [1]_ error for normal returns, with Mertens' [2]_ correction for skew and fat tails, by n - 1 as in [3]_.
    NaN below two returns, or where the moments leave no variance.

    >>> round(sharpe_error(0.7079, 134, -0.225, 2.957), 4)
    0.1028

    .. [1] Lo, "The statistics of Sharpe ratios", Financial Analysts Journal 58 (2002).
    .. [2] Mertens, "Comments on variance of the IID estimator in Lo (2002)", University of Basel (2002).
    .. [3] Bailey and Lopez de Prado, "The Sharpe ratio efficient frontier", Journal of Risk 15 (2012).
    """
    variance = 1 - skew * ratio + (kurtosis - 1) / 4 * ratio**2
    return math.sqrt(variance / (n - 1)) if n > 1 and variance > 0 else _NAN


def probabilistic_sharpe(
    ratio: float, n: int, skew: float = 0.0, kurtosis: float = 3.0, benchmark: float = 0.0
) -> float:
    """Probability that the true Sharpe ratio is above `benchmark`; ratios per period (Bailey and Lopez de Prado).

    >>> round(probabilistic_sharpe(0.458, 24, -2.448, 10.164), 3)
    0.913
    """
    error = sharpe_error(ratio, n, skew, kurtosis)
    return _NORMAL.cdf((ratio - benchmark) / error) if math.isfinite(error) else _NAN


def measure(
    ts: Int64,
    equity: Float64,
    trades: Trades | None = None,
    gross: Float64 | None = None,
    traded: float | None = None,
    seed: int = 0,
) -> Mapping[str, Estimate]:
    """Every figure of a run, by name, always the same names.

    `ts` (n,) UTC ms and `equity` (n,) in quote units, one row a bar; `gross` (n,) exposure as a fraction of equity;
    `traded` the value of all fills in quote units; what is not given is NaN. Drawdown lengths and trade durations are
    in milliseconds. Intervals: Lo and Mertens for the Sharpe ratio, Wilson for the win rate, and the stationary
    bootstrap, of days (of bars if they are longer) or of trades, for the rest.

    Raises: ValueError if shapes differ, times do not ascend or an equity is not a finite number.
    """
    _check(ts, equity, gross)
    return {
        **_growth(ts, equity, seed),
        **_risk_adjusted(ts, equity),
        **_trading(trades, seed),
        "exposure": Estimate(_NAN) if gross is None else Estimate(float(np.mean(gross > 0)), n=len(gross)),
        "turnover": _turnover(ts, equity, traded),
    }
