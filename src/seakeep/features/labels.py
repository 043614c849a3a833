"""What to learn: the return that followed, and which barrier the price touched first.

Labels look ahead by design: they are targets of training, never features. After M. Lopez de Prado, Advances in
Financial Machine Learning (2018), chapters 2 and 3.
"""

import math
from dataclasses import dataclass

import numpy as np
from pydantic import Field

from seakeep.core.config import Section
from seakeep.core.market import Float64, Int64
from seakeep.core.units import DAY_MS
from seakeep.features.base import compiled

__all__ = ["BarrierParams", "Labels", "cusum_filter", "daily_volatility", "forward_return", "triple_barrier"]


class BarrierParams(Section):
    """Where the barriers stand: multiples of each event's target, and a limit in time."""

    take_profit: float = Field(1.0, gt=0, description="upper barrier in targets above the event's close")
    stop_loss: float = Field(1.0, gt=0, description="lower barrier in targets below the event's close")
    min_target: float = Field(0.0, ge=0, description="events whose target return is smaller are left out")
    horizon_ms: int = Field(DAY_MS, gt=0, description="the vertical barrier: the first bar at least this much later")


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """One row per labelled event: `start` and `end` row, `target`, simple return `ret`, and `label`, all (m,).

    The label is +1 or -1 for the barrier touched first, 0 if time ran out.
    """

    start: Int64
    end: Int64
    target: Float64
    ret: Float64
    label: Int64


def forward_return(close: Float64, horizon: int) -> Float64:
    """Log return from each row to `horizon` rows later (n,); NaN in the last `horizon` rows.

    >>> forward_return(np.array([1.0, math.e, math.e]), 1).tolist()
    [1.0, 0.0, nan]

    Raises: ValueError if horizon < 1.
    """
    if horizon < 1:
        raise ValueError(f"horizon must be >= 1 bar, got {horizon}")
    out = np.full(len(close), np.nan)
    out[:-horizon] = np.log(close[horizon:] / close[:-horizon])
    return out


def daily_volatility(ts: Int64, close: Float64, span: int = 100) -> Float64:
    """Exponentially weighted deviation of the one-day simple return (n,); NaN until two such returns are known.

    The return is against the last row at or before one day earlier; `ts` in ms; weights of `span`, bias corrected.
    """
    before = np.searchsorted(ts, ts - DAY_MS, "right") - 1
    day = np.where(before >= 0, close / close[before] - 1.0, np.nan)
    return _weighted_std(day, 2.0 / (span + 1.0))


@compiled
def _weighted_std(x: Float64, alpha: float) -> Float64:
    out = np.full(len(x), np.nan)
    weight = squares = mean = spread = 0.0
    for i in range(len(x)):
        if np.isnan(x[i]):
            continue
        keep = 1.0 - alpha
        weight, squares, spread = keep * weight + 1.0, keep * keep * squares + 1.0, keep * spread
        step = x[i] - mean
        mean += step / weight
        spread += step * (x[i] - mean)
        free = weight - squares / weight
        if free > 1e-12:
            out[i] = math.sqrt(spread / free)
    return out


@compiled
def cusum_filter(close: Float64, threshold: float) -> Int64:
    """Rows at which the log price has moved `threshold` since the last event on that side: symmetric CUSUM (m,)."""
    rows = np.empty(len(close), np.int64)
    count, up, down = 0, 0.0, 0.0
    for i in range(1, len(close)):
        step = np.log(close[i] / close[i - 1])
        up, down = max(0.0, up + step), min(0.0, down + step)
        if down < -threshold:
            down = 0.0
        elif up > threshold:
            up = 0.0
        else:
            continue
        rows[count] = i
        count += 1
    return rows[:count].copy()


def triple_barrier(ts: Int64, close: Float64, events: Int64, target: Float64, params: BarrierParams) -> Labels:
    """Labels each event (a row number) by the barrier that a later close touches first.

    `target` (n,) is the return that one barrier unit is worth at each row, usually a volatility. Events with a NaN or
    too small target are left out, and so are those that the data end before any barrier. Raises: ValueError for an
    event outside the data.
    """
    if len(events) and not (events.min() >= 0 and events.max() < len(close)):
        raise ValueError(f"events must be rows in 0 .. {len(close) - 1}")
    chosen = events[target[events] >= max(params.min_target, np.finfo(float).tiny)]
    limit = np.searchsorted(ts, ts[chosen] + params.horizon_ms, "left")
    ends, labels = _first_touch(
        close, chosen, limit, target[chosen] * params.take_profit, target[chosen] * params.stop_loss
    )
    told = ends >= 0
    start, end = chosen[told], ends[told]
    return Labels(start, end, target[start], close[end] / close[start] - 1.0, labels[told])


@compiled
def _first_touch(close: Float64, start: Int64, limit: Int64, up: Float64, down: Float64) -> tuple[Int64, Int64]:
    """Row and sign of the first touch of each event; row -1 where the data end first."""
    ends, labels = np.full(len(start), -1), np.zeros(len(start), np.int64)
    for event in range(len(start)):
        first = start[event]
        for i in range(first + 1, min(limit[event] + 1, len(close))):
            moved = close[i] / close[first] - 1.0
            if moved >= up[event] or moved <= -down[event]:
                ends[event], labels[event] = i, 1 if moved > 0.0 else -1
                break
            if i == limit[event]:
                ends[event] = i
    return ends, labels
