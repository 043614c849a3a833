"""Drawdown and recovery: what a curve went through, and what a Brownian motion will go through.

Drawdowns are positive fractions of the peak, and the first row of a curve counts as a peak. The laws are those of an
arithmetic Brownian motion watched all the time: of a log price, where the depth of a drawdown d is -log(1 - d). A curve
seen once a day has somewhat smaller drawdowns than its law says.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import bdtrik, binom, ndtri

from seakeep.core.errors import DataError, NotEnoughHistory
from seakeep.core.market import Float64
from seakeep.stats.returns import Drawdowns, drawdown, drawdowns

__all__ = [
    "PERCENTILES",
    "Percentiles",
    "average_drawdown",
    "conditional_drawdown",
    "depth_percentiles",
    "drawdown_probability",
    "expected_max_drawdown",
    "max_drawdown_quantile",
    "pain_index",
    "recovery_percentiles",
    "ulcer_index",
    "worst_drawdowns",
]

PERCENTILES = (50.0, 75.0, 90.0, 95.0, 99.0)
_LEVEL = 0.95
_MIN_EPISODES = 10


@dataclass(frozen=True, slots=True, eq=False)
class Percentiles:
    """Percentiles (p,) of a distribution: `value`, the 95 % interval `low` to `high`, the Monte Carlo `error`.

    inf is "longer than was watched". `error` is NaN where nothing was simulated; `n` counts what the estimate rests
    on, and `warnings` says where it is weak.
    """

    percentiles: Float64
    value: Float64
    low: Float64
    high: Float64
    error: Float64
    n: int
    method: str
    warnings: tuple[str, ...] = ()


def _losses(equity: Float64) -> Float64:
    """Drawdown after each row but the first (n - 1,). Raises: DataError, NotEnoughHistory."""
    if len(equity) < 2:
        raise NotEnoughHistory("a drawdown needs at least 2 rows of equity", value=len(equity))
    bad = np.flatnonzero(~(np.isfinite(equity) & (equity >= 0)))
    if len(bad) or equity[0] <= 0:
        row = int(bad[0]) if len(bad) else 0
        raise DataError(
            f"equity at row {row} is not a positive number", value=float(equity[row]), remedy="fix or drop the row"
        )
    return drawdown(equity)[1:]


def ulcer_index(equity: Float64) -> float:
    """Root mean square of the drawdowns of an equity curve (n,), its first row not counted (Martin, 1987).

    >>> ulcer_index(np.array([100.0, 80.0, 100.0, 100.0, 100.0]))
    0.1
    """
    return float(np.sqrt(np.mean(_losses(equity) ** 2)))


def pain_index(equity: Float64) -> float:
    """Mean of the drawdowns of an equity curve (n,), its first row not counted."""
    return float(np.mean(_losses(equity)))


def average_drawdown(equity: Float64) -> float:
    """Mean depth of the stays below a peak; 0 if there was none."""
    _losses(equity)
    depth = drawdowns(equity).depth
    return float(depth.mean()) if len(depth) else 0.0


def conditional_drawdown(equity: Float64, level: float = 0.95) -> float:
    """Mean depth of the drawdowns at least as deep as their `level` quantile (linear).

    Every run of rows at the top counts as a drawdown of zero between two others, as in R's PerformanceAnalytics.

    Raises: ValueError unless 0 < level < 1.
    """
    if not 0 < level < 1:
        raise ValueError(f"level must be in (0, 1), got {level}")
    top = np.diff((_losses(equity) == 0).astype(np.int8), prepend=0)
    depth = np.append(drawdowns(equity).depth, np.zeros(np.count_nonzero(top == 1)))
    return float(depth[depth >= np.quantile(depth, level)].mean())


def worst_drawdowns(equity: Float64, top: int = 5) -> Drawdowns:
    """The `top` deepest stays below a peak, deepest first; fewer if there were fewer."""
    _losses(equity)
    found = drawdowns(equity)
    order = np.argsort(-found.depth, kind="stable")[:top]
    return Drawdowns(found.peak[order], found.trough[order], found.recovered[order], found.depth[order])


def depth_percentiles(equity: Float64, percentiles: tuple[float, ...] = PERCENTILES) -> Percentiles:
    """Percentiles of the depth of the drawdowns of an equity curve (n,), with intervals from order statistics [1]_.

    An end beyond the deepest or the shallowest drawdown seen is 1 or 0: the data cannot bound it.

    Raises: NotEnoughHistory below 10 drawdowns.

    .. [1] David and Nagaraja, "Order Statistics", 3rd ed. (2003), section 7.1.
    """
    _losses(equity)
    depth, shares = np.sort(drawdowns(equity).depth), _shares(percentiles)
    n = _enough(len(depth))
    ranks = np.ceil(bdtrik([[(1 - _LEVEL) / 2], [(1 + _LEVEL) / 2]], n, shares)).astype(np.int64)
    bounded = np.concatenate([[0.0], depth, [1.0]])
    low, high = bounded[np.clip(ranks[0], 0, n + 1)], bounded[np.clip(ranks[1] + 1, 0, n + 1)]
    unknown = np.full(len(shares), np.nan)
    value = np.quantile(depth, shares)
    return Percentiles(shares * 100, value, low, high, unknown, n, "empirical, order statistics", _tail(shares, n))


def recovery_percentiles(equity: Float64, percentiles: tuple[float, ...] = PERCENTILES) -> Percentiles:
    """Percentiles of the rows from a trough back to the old peak, a drawdown still open counted as censored.

    Kaplan and Meier's estimate [1]_ with the log-log interval of Brookmeyer and Crowley [2]_; inf where too few
    drawdowns lasted long enough to say.

    Raises: NotEnoughHistory below 10 drawdowns.

    .. [1] Kaplan and Meier, Journal of the American Statistical Association 53 (1958).
    .. [2] Brookmeyer and Crowley, "A confidence interval for the median survival time", Biometrics 38 (1982).
    """
    _losses(equity)
    found, shares = drawdowns(equity), _shares(percentiles)
    n = _enough(len(found))
    closed = found.recovered < len(equity)
    rows = (np.minimum(found.recovered, len(equity) - 1) - found.trough).astype(np.float64)
    times, curve, below, above = _kaplan_meier(rows, closed)
    value, low, high = (_crossing(times, line, 1 - shares) for line in (curve, below, above))
    unknown = np.full(len(shares), np.nan)
    warnings = _tail(shares, n) + (() if closed.all() else ("the last drawdown is still open",))
    return Percentiles(shares * 100, value, low, high, unknown, n, "Kaplan-Meier", warnings)


def _kaplan_meier(rows: Float64, closed: NDArray[np.bool_]) -> tuple[Float64, Float64, Float64, Float64]:
    """Times (k,) at which drawdowns ended, the share that lasts longer, and its ends."""
    times = np.unique(rows[closed])
    ended = np.array([np.count_nonzero(closed & (rows == t)) for t in times], np.float64)
    at_risk = np.array([np.count_nonzero(rows >= t) for t in times], np.float64)
    curve = np.cumprod(1 - ended / at_risk)
    with np.errstate(divide="ignore", invalid="ignore"):
        greenwood = np.cumsum(ended / (at_risk * (at_risk - ended)))
        half = ndtri((1 + _LEVEL) / 2) * np.sqrt(greenwood) / np.abs(np.log(curve))
        ends = np.stack([curve ** np.exp(half), curve ** np.exp(-half)])
    bounded = np.where(np.isfinite(ends), ends, [[0.0], [1.0]])
    return times, np.asarray(curve), bounded[0], bounded[1]


def _crossing(times: Float64, curve: Float64, shares: Float64) -> Float64:
    """First time at which each share (or less) is left; inf where that never comes."""
    left = curve[:, None] <= shares + 1e-12
    found = np.append(times, np.inf)
    return found[np.where(left.any(axis=0), left.argmax(axis=0), len(times))] if len(times) else left.sum(0) + np.inf


def _shares(percentiles: tuple[float, ...]) -> Float64:
    shares = np.array(percentiles, np.float64) / 100
    if not (len(shares) and ((shares > 0) & (shares < 1)).all()):
        raise ValueError(f"percentiles must be between 0 and 100, got {percentiles}")
    return shares


def _enough(n: int) -> int:
    if n < _MIN_EPISODES:
        raise NotEnoughHistory(f"percentiles need at least {_MIN_EPISODES} drawdowns", value=n)
    return n


def _tail(shares: Float64, n: int) -> tuple[str, ...]:
    far = [f"{100 * share:g}" for share in shares if n * (1 - share) < 1]
    return (f"{n} drawdowns say little about percentile {', '.join(far)}",) if far else ()


def drawdown_probability(depth: float, mean: float | Float64, std: float | Float64, horizon: float) -> float | Float64:
    """Probability that a Brownian motion falls `depth` or more below its highest point within `horizon` periods.

    `mean` and `std` are those of one period, numbers or arrays (m,). The Laplace transform of the first time is
    Taylor's [1]_, inverted by Abate and Whitt's [2]_ Euler sum, to about 1e-9, with more terms where a strong fall
    makes the time nearly certain.

    >>> round(float(drawdown_probability(1.0, 0.0, 1.0, 1.0)), 6)
    0.629223

    Raises: ValueError unless depth, std and horizon are positive.

    .. [1] Taylor, "A stopped Brownian motion formula", Annals of Probability 3 (1975).
    .. [2] Abate and Whitt, "Numerical inversion of Laplace transforms", ORSA Journal on Computing 7 (1995).
    """
    drift, spread = np.atleast_1d(mean).astype(np.float64), np.atleast_1d(std).astype(np.float64)
    if not (depth > 0 and horizon > 0 and (spread > 0).all() and np.isfinite(drift).all()):
        raise ValueError(f"depth, std and horizon must be > 0, got {depth}, {std} and {horizon}")
    slope, speed = (drift / spread**2)[:, None], 2 / (spread**2)[:, None]

    def transform(s: NDArray[np.complex128]) -> NDArray[np.complex128]:
        root = np.sqrt(slope * slope + speed * s)
        below = (root - slope) + (root + slope) * np.exp(-2 * root * depth)
        return np.asarray(2 * root * np.exp(-(slope + root) * depth) / below / s)

    steepness = math.sqrt(max(0.0, float(-slope.min())) * depth)
    chance = np.clip(_inverted(transform, horizon, min(4000, 60 + int(10 * steepness))), 0.0, 1.0)
    return chance if np.ndim(mean) or np.ndim(std) else float(chance[0])


_EULER, _AVERAGED = 25.0, 14


def _inverted(transform: Callable[[NDArray[np.complex128]], NDArray[np.complex128]], t: float, terms: int) -> Float64:
    """The function at t whose Laplace transform is given, rows (m,): alternating sum with binomial averaging."""
    k = np.arange(terms + _AVERAGED + 1)
    values = transform(np.asarray((_EULER + 2j * np.pi * k) / (2 * t), np.complex128)).real * np.where(k % 2, -1.0, 1.0)
    values[:, 0] /= 2
    sums = np.cumsum(values, axis=1)[:, terms:]
    weights = binom(_AVERAGED, np.arange(_AVERAGED + 1)) / 2.0**_AVERAGED
    return np.asarray(np.exp(_EULER / 2) / t * (sums @ weights))


def max_drawdown_quantile(share: float, mean: float, std: float, horizon: float) -> float:
    """Depth that the largest drawdown of a Brownian motion stays below with probability `share`.

    Raises: ValueError unless 0 < share < 1, and as `drawdown_probability`.
    """
    if not 0 < share < 1:
        raise ValueError(f"share must be in (0, 1), got {share}")

    def excess(depth: float) -> float:
        return 1 - share - float(drawdown_probability(depth, mean, std, horizon))

    scale = std * math.sqrt(horizon)
    bottom = 1e-3 * min(scale, std * std / abs(mean) if mean else scale)
    return float(brentq(excess, bottom, 9 * scale + max(-mean, 0.0) * horizon, xtol=1e-10 * scale))


def expected_max_drawdown(mean: float, std: float, horizon: float) -> float:
    """Expected largest drawdown of a Brownian motion over `horizon` periods, in its own units.

    sqrt(pi / 2) std sqrt(horizon) without drift, else the integral of `drawdown_probability` over all depths [1]_.

    .. [1] Magdon-Ismail, Atiya, Pratap and Abu-Mostafa, "On the maximum drawdown of a Brownian motion", Journal of
       Applied Probability 41 (2004).
    """
    scale = std * math.sqrt(horizon)
    if mean == 0:
        return math.sqrt(math.pi / 2) * scale
    sure = max(0.0, -mean * horizon - 8 * scale)
    half = (max(-mean, 0.0) * horizon + 8 * scale - sure) / 2
    nodes, weights = np.polynomial.legendre.leggauss(96)
    chances = [float(drawdown_probability(sure + half * (x + 1), mean, std, horizon)) for x in nodes]
    return float(sure + half * np.dot(weights, chances))
