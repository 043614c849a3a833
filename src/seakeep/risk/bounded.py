"""How large a position may be so that a drawdown stays unlikely: sizing by ruin rather than by return."""

from collections.abc import Callable

import msgspec
import numpy as np

from seakeep.core.market import Float64
from seakeep.risk.ruin import Probability, RuinParams, share_odds

__all__ = ["BoundedFraction", "bounded_fraction"]

MOST, LEAST = 10.0, 1e-3
"""Shares between which the bound is looked for; below the least it is interpolated to nothing."""
_COARSE, _FINE, _ROUNDS = 16, 5, 2


class BoundedFraction(msgspec.Struct, frozen=True):
    """Largest share of a position that keeps P(drawdown >= depth) at or below a bound.

    `low` and `high` are the shares at which the upper and the lower end of that probability meet the bound, `error`
    what a Monte Carlo error of the probability moves the share by; `odds` the probability at `value`.
    """

    value: float
    low: float
    high: float
    error: float
    odds: Probability
    n: int
    method: str
    warnings: tuple[str, ...] = ()


def bounded_fraction(
    returns: Float64, depth: float, probability: float, horizon: int, params: RuinParams, *, seed: int
) -> BoundedFraction:
    """Largest share f of a position, up to 10, with P(largest drawdown >= depth within horizon) <= probability.

    `returns` (n,) are those of the position held at a share of 1, rebalanced every period, so a share f earns f x r;
    a period that would lose more than everything is ruin. Every share meets the same futures of `ruin.ruin_odds`.

    Raises: as `ruin_odds`; ValueError unless depth and probability are in (0, 1) and the futures can tell that
    probability.
    """
    if not (0 < depth < 1 and 0 < probability < 1):
        raise ValueError(f"depth and probability must be in (0, 1), got {depth} and {probability}")
    if probability * params.worlds * params.paths < 100:
        futures = params.worlds * params.paths
        raise ValueError(f"{futures} futures cannot tell a probability of {probability}; raise worlds or paths")

    def odds(shares: Float64) -> tuple[Probability, ...]:
        return share_odds(returns, shares, depth, horizon, params, seed=seed)

    low, value, high = _crossings(odds, probability)
    (at,) = odds(np.array([value]))
    error = at.error * (high - low) / (at.high - at.low)
    warnings = (*at.warnings, *((f"the bound is not met even at {MOST}",) if value >= MOST else ()))
    return BoundedFraction(value, low, high, error, at, at.n, "crossing over common futures", warnings)


def _crossings(odds: Callable[[Float64], tuple[Probability, ...]], bound: float) -> tuple[float, ...]:
    """Shares at which the upper end, the value and the lower end of the probability pass the bound; `MOST` if not.

    A coarse grid brackets each, finer ones narrow the brackets; inside the last, two hundredths wide, it is a line.
    """
    shares = np.append(0.0, np.geomspace(LEAST, MOST, _COARSE))
    for left in range(_ROUNDS, -1, -1):
        found = odds(shares[1:]) if shares[0] == 0 else odds(shares)
        rows = np.array([(p.high, p.value, p.low) for p in found])
        table = np.vstack([np.zeros(3), rows]) if shares[0] == 0 else rows
        brackets = [_bracket(shares, column, bound) for column in table.T]
        if left:
            shares = np.unique(np.concatenate([np.linspace(a, b, _FINE + 2) for a, b, *_ in brackets]))
    return tuple(a + (b - a) * ((bound - p) / (q - p) if q > p else 1.0) for a, b, p, q in brackets)


def _bracket(shares: Float64, chances: Float64, bound: float) -> tuple[float, float, float, float]:
    """The shares before and after the bound is first passed, and their chances."""
    over = np.flatnonzero(chances > bound)
    at = int(over[0]) if len(over) else len(shares)
    if at == len(shares):
        return MOST, MOST, bound, bound
    return float(shares[at - 1]), float(shares[at]), float(chances[at - 1]), float(chances[at])
