"""Returns folded by day: enough of each day to measure any sequence of such days, to the bar, without its bars.

Sums add up, and a drawdown across two days is known from the heights of each, so that the bootstrap of a million bars
costs no more than that of their days.
"""

import numpy as np

from seakeep.core.jit import kernel
from seakeep.core.market import Float64, Int64

__all__ = ["fold", "unfold"]


@kernel
def fold(returns: Float64, starts: Int64) -> Float64:
    """What each day holds (d, 9), of simple returns (n,) > -1 and the row each day starts at (d,), the first 0.

    Columns: count, sum, sum of squares, sum of squares below zero, sum above zero, log return, and of the log path from
    0 at the day's start: its highest point, its lowest, and its largest fall.
    """
    days = np.zeros((len(starts), 9))
    for d in range(len(starts)):
        stop = starts[d + 1] if d + 1 < len(starts) else len(returns)
        level, high, low, fall = 0.0, 0.0, 0.0, 0.0
        for t in range(starts[d], stop):
            r = returns[t]
            days[d, 1] += r
            days[d, 2] += r * r
            if r < 0:
                days[d, 3] += r * r
            else:
                days[d, 4] += r
            level += np.log1p(r)
            high, low, fall = max(high, level), min(low, level), max(fall, high - level)
        days[d, 0] = stop - starts[d]
        days[d, 5], days[d, 6], days[d, 7], days[d, 8] = level, high, low, fall
    return days


@kernel
def unfold(days: Float64, rows: Int64) -> Float64:
    """Of the history made of these days one after another (7,): mean, standard deviation (by n - 1) and downside
    deviation (from zero, by n) of its returns, sum above zero, sum below (positive), log return, largest log fall.
    """
    total = np.zeros(5)
    level, high, fall = 0.0, 0.0, 0.0
    for d in rows:
        for j in range(5):
            total[j] += days[d, j]
        fall = max(fall, days[d, 8], high - (level + days[d, 7]))
        high = max(high, level + days[d, 6])
        level += days[d, 5]
    n, mean = total[0], total[1] / total[0]
    variance = (total[2] - n * mean * mean) / (n - 1)
    spread, short = np.sqrt(max(variance, 0.0)), np.sqrt(total[3] / n)
    return np.array([mean, spread, short, total[4], total[4] - total[1], level, fall])
