"""Rolling windows in O(n) that neither drift nor let a NaN out of its window.

The rows are cut into blocks of `length`. A window is then the end of one block and the start of the next (van Herk
1992): a suffix sum of the older plus a running sum of the newer. Nothing is ever subtracted, a row depends on the rows
of its window alone, and a NaN is in a result only if it is in the window. The block before the first row is NaN, so
the first length - 1 rows are. One table holds the older block's suffixes and, row by row in their place, the values of
the newer, which `turn` makes suffixes at its end: so a result may be written over its input.
"""

import numpy as np

from seakeep.core.market import Float64
from seakeep.features.base import compiled

__all__ = [
    "crests",
    "rolling_age",
    "rolling_efficiency",
    "rolling_max",
    "rolling_mean",
    "rolling_mean_into",
    "rolling_middle",
    "rolling_min",
    "rolling_share",
    "rolling_slope",
    "rolling_std",
    "rolling_sum",
    "rolling_sum_into",
    "rolling_weighted",
    "rolling_weighted_into",
    "suffixes",
    "turn",
    "turn_crests",
]


@compiled
def suffixes(length: int) -> Float64:
    """The table of the block before the first (length + 1,): NaN, and the sum of no row, 0."""
    table = np.full(length + 1, np.nan)
    table[length] = 0.0
    return table


@compiled
def turn(table: Float64) -> Float64:
    """Makes the values of a block its suffix sums, in place (length + 1,)."""
    total = 0.0
    for k in range(len(table) - 2, -1, -1):
        total += table[k]
        table[k] = total
    return table


@compiled
def rolling_sum(x: Float64, length: int) -> Float64:
    """Sum of the last `length` rows (n,)."""
    return rolling_sum_into(np.empty(len(x)), x, length)


@compiled
def rolling_sum_into(out: Float64, x: Float64, length: int) -> Float64:
    """`rolling_sum`, written into `out`, which may be `x` itself: a large array less to allocate."""
    older = suffixes(length)
    for start in range(0, len(x), length):
        running = 0.0
        for k in range(min(length, len(x) - start)):
            value = x[start + k]
            running += value
            out[start + k] = older[k + 1] + running
            older[k] = value
        turn(older)
    return out


@compiled
def rolling_mean(x: Float64, length: int) -> Float64:
    """Mean of the last `length` rows (n,)."""
    return rolling_mean_into(np.empty(len(x)), x, length)


@compiled
def rolling_mean_into(out: Float64, x: Float64, length: int) -> Float64:
    """`rolling_mean`, written into `out`, which may be `x` itself."""
    rolling_sum_into(out, x, length)
    for i in range(len(out)):
        out[i] /= length
    return out


@compiled
def rolling_share(part: Float64, whole: Float64, length: int, otherwise: float) -> Float64:
    """Sum of `part` over sum of `whole` in the last `length` rows (n,), `otherwise` where the whole is 0.

    Written into `part`, which is returned.
    """
    parts, wholes = suffixes(length), suffixes(length)
    for start in range(0, len(part), length):
        above = below = 0.0
        for k in range(min(length, len(part) - start)):
            i = start + k
            above, below = above + part[i], below + whole[i]
            total, divisor = parts[k + 1] + above, wholes[k + 1] + below
            parts[k], wholes[k] = part[i], whole[i]
            part[i] = total / divisor if divisor != 0.0 else otherwise + 0.0 * total
        turn(parts)
        turn(wholes)
    return part


@compiled
def rolling_efficiency(x: Float64, length: int, otherwise: float) -> Float64:
    """Distance made over distance walked in the last `length` steps, 0..1 (n,); `otherwise` where nothing moved."""
    out = np.empty(len(x))
    out[:1] = np.nan
    older = suffixes(length)
    for start in range(1, len(x), length):
        running = 0.0
        for i in range(start, min(start + length, len(x))):
            step, made = abs(x[i] - x[i - 1]), abs(x[i] - x[max(i - length, 0)])
            running += step
            walked = older[i - start + 1] + running
            out[i] = made / walked if walked != 0.0 else otherwise
            older[i - start] = step
        turn(older)
    return out


@compiled
def rolling_weighted(x: Float64, length: int) -> Float64:
    """Sum of the last `length` rows weighted 1 (oldest) to `length` (newest) (n,)."""
    return rolling_weighted_into(np.zeros(len(x)), 0.0, x, length, 0.0, 1.0)


@compiled
def rolling_slope(x: Float64, length: int) -> Float64:
    """Slope of the least-squares line through the last `length` rows, a row (n,)."""
    scale = 12.0 / (length * (length * length - 1.0))
    return rolling_weighted_into(np.zeros(len(x)), 0.0, x, length, (length + 1.0) / 2.0, scale)


@compiled
def rolling_weighted_into(out: Float64, keep: float, x: Float64, length: int, centre: float, scale: float) -> Float64:
    """Sum of the last `length` rows weighted (1 .. length) - centre, times `scale`, plus `keep` times `out`.

    Written into `out`, which may be `x` itself.
    """
    older = suffixes(length)
    for start in range(0, len(x), length):
        running = aged = 0.0
        for k in range(min(length, len(x) - start)):
            value = x[start + k]
            aged += running
            running += value
            out[start + k] = keep * out[start + k] + scale * (older[k + 1] + ((length - centre) * running - aged))
            older[k] = value
        total = weighted = 0.0
        for k in range(length - 1, -1, -1):
            total += older[k]
            weighted += total
            older[k] = weighted - centre * total
    return out


@compiled
def rolling_std(x: Float64, length: int, ddof: int) -> Float64:
    """Standard deviation of the last `length` rows, divisor length - ddof (n,).

    Squares are taken of distances to a row inside the window, so a high level costs no digits.
    """
    n = len(x)
    out = np.empty(n)
    out[: length - 1] = np.nan
    first, second = np.empty(length), np.empty(length)
    share, scale = 1.0 / length, 1.0 / (length - ddof)
    for end in range(length - 1, n, length):
        origin = x[end]
        total = squares = 0.0
        for k in range(length):
            distance = x[end - k] - origin
            total += distance
            squares += distance * distance
            first[length - 1 - k], second[length - 1 - k] = total, squares
        out[end] = _root((squares - total * total * share) * scale)
        total = squares = 0.0
        for i in range(end + 1, min(end + length, n)):
            distance = x[i] - origin
            total += distance
            squares += distance * distance
            both = first[i - end] + total
            out[i] = _root((second[i - end] + squares - both * both * share) * scale)
    return out


@compiled
def _root(x: float) -> float:
    return 0.0 if x < 0.0 else np.sqrt(x)


@compiled
def _extreme(x: Float64, length: int, sign: float) -> Float64:
    """Largest (sign 1) or smallest (sign -1); no comparison picks a NaN, so windows with one are blanked."""
    n, hole = len(x), -1
    out = np.empty(n)
    older = crests(length)
    for start in range(0, n, length):
        top = -np.inf
        for i in range(start, min(start + length, n)):
            value = sign * x[i]
            hole = i if np.isnan(value) else hole
            top = max(top, value)
            out[i] = sign * max(top, older[i - start + 1]) if i - hole >= length else np.nan
            older[i - start] = value
        turn_crests(older)
    return out


@compiled
def crests(length: int) -> Float64:
    """`suffixes` of a largest: the table of the block before the first (length + 1,), -inf."""
    return np.full(length + 1, -np.inf)


@compiled
def turn_crests(table: Float64) -> Float64:
    """Makes the values of a block its suffix maxima, in place (length + 1,); a NaN counts as nothing."""
    top = -np.inf
    for k in range(len(table) - 2, -1, -1):
        top = max(top, table[k])
        table[k] = top
    return table


@compiled
def rolling_max(x: Float64, length: int) -> Float64:
    """Largest of the last `length` rows (n,)."""
    return _extreme(x, length, 1.0)


@compiled
def rolling_min(x: Float64, length: int) -> Float64:
    """Smallest of the last `length` rows (n,)."""
    return _extreme(x, length, -1.0)


@compiled
def rolling_middle(high: Float64, low: Float64, length: int) -> Float64:
    """Middle between the highest high and the lowest low of the last `length` rows (n,)."""
    top, bottom = rolling_max(high, length), rolling_min(low, length)
    for i in range(len(top)):
        top[i] = (top[i] + bottom[i]) / 2.0
    return top


@compiled
def rolling_age(x: Float64, length: int, sign: float = 1.0) -> Float64:
    """Rows since the largest (`sign` -1: smallest) of the last `length` rows, the latest of equals (n,)."""
    n, hole = len(x), -1
    out = np.empty(n)
    older, places = np.full(length + 1, -np.inf), np.zeros(length + 1, np.int64)
    for start in range(0, n, length):
        top, place = -np.inf, start
        for i in range(start, min(start + length, n)):
            value, before = sign * x[i], older[i - start + 1]
            hole = i if np.isnan(value) else hole
            top, place = (value, i) if value >= top else (top, place)
            latest = places[i - start + 1] if before > top else place
            out[i] = i - latest if i - hole >= length else np.nan
        top, place = -np.inf, start
        for i in range(min(start + length, n) - 1, start - 1, -1):
            top, place = (sign * x[i], i) if sign * x[i] > top else (top, place)
            older[i - start], places[i - start] = top, place
    return out
