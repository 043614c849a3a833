"""When does it get that low? First-passage laws of a game and of a geometric Brownian motion with known parameters.

Losses are positive fractions. What a history leaves open about the parameters is not in these laws: `risk.ruin`
averages them over it.
"""

import math

import numpy as np
from scipy.special import log_ndtr, ndtr

from seakeep.core.market import Float64

__all__ = ["gamblers_duration", "gamblers_ruin", "loss_probability"]


def gamblers_ruin(win_rate: float, units: float, goal: float = math.inf) -> float:
    """Probability that unit stakes lose `units` before they reach `goal` units (never, if there is no goal).

    >>> round(gamblers_ruin(0.55, 10), 6), round(gamblers_ruin(0.5, 9, 10), 6)
    (0.134431, 0.1)

    Raises: ValueError outside 0 < win_rate < 1, 0 <= units <= goal.

    References: Feller, "An Introduction to Probability Theory and Its Applications" 1, chapter XIV.
    """
    _check_game(win_rate, units, goal)
    odds = math.log1p(-win_rate) - math.log(win_rate)
    if math.isinf(goal):
        return math.exp(min(0.0, odds * units))
    if abs(odds) * goal < 1e-9:
        return 1 - units / goal
    if odds < 0:
        return (math.exp(odds * units) - math.exp(odds * goal)) / -math.expm1(odds * goal)
    return math.expm1(odds * (units - goal)) / math.expm1(-odds * goal)


def gamblers_duration(win_rate: float, units: float, goal: float) -> float:
    """Expected number of unit stakes until `units` has become 0 or `goal` (Feller 1, chapter XIV).

    >>> round(gamblers_duration(0.5, 900, 1000), 6)
    90000.0
    """
    _check_game(win_rate, units, goal)
    edge = 2 * win_rate - 1
    if abs(edge) * goal < 1e-9:
        return float(units * (goal - units))
    return (goal * (1 - gamblers_ruin(win_rate, units, goal)) - units) / edge


def _check_game(win_rate: float, units: float, goal: float) -> None:
    if not (0 < win_rate < 1 and 0 <= units <= goal and goal > 0 and math.isfinite(units)):
        raise ValueError(f"a game needs 0 < win rate < 1 and 0 <= units <= goal, got {win_rate}, {units} and {goal}")


def loss_probability(
    loss: float, mean: float | Float64, std: float | Float64, horizon: float = math.inf
) -> float | Float64:
    """Probability that a geometric Brownian motion ever stands `loss` below its start within `horizon` periods.

    `mean` and `std` are those of one period's log return (growth mu, deviation sigma: mu - sigma^2 / 2), numbers or
    arrays (m,); it is watched all the time, so prices seen once a period fall that low somewhat less often.

    >>> round(float(loss_probability(0.3, 0.3 - 0.5**2 / 2, 0.5)), 6)
    0.606928

    Raises: ValueError unless 0 < loss < 1, std > 0, horizon > 0.

    References: Feller 2, chapter X; Thorp (2006), section 7.
    """
    drift, spread = np.asarray(mean, np.float64), np.asarray(std, np.float64)
    if not (0 < loss < 1 and horizon > 0 and (spread > 0).all() and np.isfinite(drift).all()):
        raise ValueError(f"a loss in (0, 1), std > 0 and horizon > 0 are needed, got {loss}, {std} and {horizon}")
    depth = -math.log1p(-loss)
    tilt = -2 * drift * depth / spread**2
    if math.isinf(horizon):
        chance = np.exp(np.minimum(tilt, 0.0))
    else:
        scale = spread * math.sqrt(horizon)
        late = tilt + log_ndtr((drift * horizon - depth) / scale)
        chance = np.minimum(ndtr((-depth - drift * horizon) / scale) + np.exp(np.minimum(late, 0.0)), 1.0)
    return np.asarray(chance) if chance.ndim else float(chance)
