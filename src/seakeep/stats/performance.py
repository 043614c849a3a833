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

from seakeep.core.market import Float64, Int64
from seakeep.core.units import DAY_MS, YEAR_MS
from seakeep.stats.bootstrap import percentile_interval, resample
from seakeep.stats.folding import fold, unfold
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
_RATIOS = ("cagr", "volatility", "max_drawdown", "sortino", "calmar", "omega")


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


def _check(ts: Int64, equity: Float64, gross: Float64 | None) -> None:
    if len(ts) != len(equity) or (gross is not None and len(gross) != len(ts)):
        raise ValueError("ts, equity and gross must have the same number of rows")
    if (np.diff(ts) <= 0).any():
        raise ValueError("the times of an equity curve must ascend")
    if not np.isfinite(equity).all():
        raise ValueError(f"equity at row {int(np.argmin(np.isfinite(equity)))} is not a finite number")


def _years(ts: Int64) -> float:
    return float(ts[-1] - ts[0]) / YEAR_MS if len(ts) else 0.0


def _periods(ts: Int64) -> float:
    """Bars a year: the usual distance of two rows counts, not the gaps."""
    return YEAR_MS / float(np.median(np.diff(ts)))


def _growth(ts: Int64, equity: Float64, seed: int) -> dict[str, Estimate]:
    n = max(0, len(equity) - 1)
    found = {name: Estimate(_NAN, n=n) for name in ("total_return", *_RATIOS)}
    if n and equity[0] > 0:
        found["total_return"] = Estimate(float(equity[-1] / equity[0] - 1), n=n)
        found["max_drawdown"] = Estimate(max_drawdown(equity), n=n)
    if n and (equity > 0).all():
        unknown = _unknown(n, _years(ts))
        found |= {name: ratio for name, ratio in _estimates(ts, equity, seed).items() if name not in unknown}
    return {**found, "max_drawdown_ms": Estimate(_longest_fall(ts, equity), n=n)}


def _unknown(n: int, years: float) -> set[str]:
    """What cannot be said after n returns in so many years."""
    few = {"volatility", "sortino", "omega"} if n < MIN_RETURNS else set()
    return few | ({"cagr", "calmar"} if years * YEAR_MS < MIN_RETURNS * DAY_MS else set())


def _estimates(ts: Int64, equity: Float64, seed: int) -> dict[str, Estimate]:
    """The `_RATIOS` of positive equity, with intervals if there are days enough."""
    starts = np.flatnonzero(np.diff((ts[1:] - 1) // DAY_MS, prepend=-1))
    days = fold(simple_returns(equity), starts)
    year = (_periods(ts), _years(ts))
    values = _ratios(unfold(days, np.arange(len(days)))[None], *year)[0].tolist()
    if len(days) < MIN_RETURNS:
        return {name: Estimate(value, n=len(equity) - 1) for name, value in zip(_RATIOS, values, strict=True)}
    samples = _ratios(resample(lambda rows: unfold(days, rows), len(days), seed=seed), *year)
    return {
        name: Estimate(value, *percentile_interval(column, LEVEL), n=len(equity) - 1)
        for name, value, column in zip(_RATIOS, values, samples.T, strict=True)
    }


def _ratios(folded: Float64, periods: float, years: float) -> Float64:
    """The `_RATIOS` (b, 6) of unfolded histories (b, 7); NaN where a denominator is zero."""
    mean, spread, short, gained, lost, growth, fall = folded.T
    annual, worst = np.expm1(np.minimum(growth / years, 700)), -np.expm1(-fall)
    with np.errstate(divide="ignore", invalid="ignore"):
        columns = (annual, spread * math.sqrt(periods), worst, mean / short * math.sqrt(periods), annual / worst)
        table = np.column_stack([*columns, gained / lost])
    table[~np.isfinite(table)] = _NAN
    return table


def _longest_fall(ts: Int64, equity: Float64) -> float:
    """Longest time from a peak to the return to it, ms; to the end if there was none; 0 without a drawdown."""
    if not len(ts):
        return _NAN
    stays = drawdowns(equity)
    lengths = ts[np.minimum(stays.recovered, len(ts) - 1)] - ts[stays.peak]
    return float(lengths.max(initial=0))


def _risk_adjusted(ts: Int64, equity: Float64) -> dict[str, Estimate]:
    n = max(0, len(equity) - 1)
    ratio = _NAN
    if n >= MIN_RETURNS and (equity > 0).all():
        returns = simple_returns(equity)
        ratio = sharpe(returns, 1)
    if not math.isfinite(ratio):
        return {"sharpe": Estimate(_NAN, n=n), "psr": Estimate(_NAN, n=n)}
    deviations = (returns - returns.mean()) / returns.std()
    squares = deviations * deviations
    skew, kurtosis = float((squares * deviations).mean()), float((squares * squares).mean())
    year = math.sqrt(_periods(ts))
    half = _NORMAL.inv_cdf((1 + LEVEL) / 2) * sharpe_error(ratio, n, skew, kurtosis)
    chance = probabilistic_sharpe(ratio, n, skew, kurtosis)
    ends = ((ratio - half) * year, (ratio + half) * year)
    return {"sharpe": Estimate(ratio * year, *ends, n), "psr": Estimate(chance, n=n)}


def _trading(trades: Trades | None, seed: int) -> dict[str, Estimate]:
    names = ("average_trade", "average_pnl", "average_duration_ms", "profit_factor")
    if trades is None or not len(trades.pnl):
        return {name: Estimate(_NAN) for name in ("win_rate", *names)}
    m, columns = len(trades.pnl), (trades.ret, trades.pnl, trades.duration_ms)
    table = np.column_stack([*columns, np.maximum(trades.pnl, 0), np.maximum(-trades.pnl, 0)])
    values = _averages(table.mean(axis=0)[None])[0].tolist()
    ends = [(_NAN, _NAN)] * len(names)
    if m >= MIN_TRADES:
        samples = _averages(resample(lambda rows: table[rows].mean(axis=0), m, block=1, seed=seed))
        ends = [percentile_interval(column, LEVEL) for column in samples.T]
    found = {name: Estimate(value, *both, m) for name, value, both in zip(names, values, ends, strict=True)}
    return {"win_rate": win_rate(trades.pnl), **found}


def _averages(means: Float64) -> Float64:
    """Means (b, 5) of return, profit, duration, gain and loss to (b, 4): the first three, and gain over loss."""
    lost = means[:, 4]
    return np.column_stack([means[:, :3], means[:, 3] / np.where(lost > 0, lost, _NAN)])


def _turnover(ts: Int64, equity: Float64, traded: float | None) -> Estimate:
    """Value traded over mean equity, a year."""
    years = _years(ts)
    if traded is None or years <= 0 or equity.mean() <= 0:
        return Estimate(_NAN)
    return Estimate(traded / float(equity.mean()) / years, n=len(equity))
