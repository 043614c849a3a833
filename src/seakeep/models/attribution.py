"""What each input added to a forecast: Shapley values, which with the usual forecast `base` add up to it.

A slope has one input, and all of its forecast is that input's. Exact for trees, along their paths [1]_; exact by
enumeration, against rows of the past, for a function of few inputs; by sampled orders, with standard errors, for one of
many. What an input's value would be if it were not known is for trees what the training rows of the leaves say, else
what the rows of the past had.

.. [1] Lundberg et al., "From local explanations to global understanding with explainable AI for trees", Nature Machine
   Intelligence 2 (2020); here leaf by leaf, since a leaf is a product of one condition for each input on its path.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from seakeep.core.beliefs import FeatureFrame
from seakeep.core.errors import NotEnoughHistory
from seakeep.core.jit import kernel
from seakeep.core.market import Float64, Int64
from seakeep.models.base import Expert
from seakeep.models.classical import MovingAverageExpert, RsiExpert
from seakeep.models.folding import part_of
from seakeep.models.ml import LearningExpert
from seakeep.models.segments import first_rows
from seakeep.models.trees import FlatTrees

__all__ = ["ENUMERATED", "Attribution", "Leaves", "attribute", "leaves", "over_windows", "shapley", "tree_shap"]

Mask = NDArray[np.bool_]
Value = Callable[[Mask], Float64]
Ask = Callable[[Float64], Float64]
Method = Literal["linear, exact", "trees, exact", "enumerated, exact", "sampled"]

ENUMERATED = 8
"""Up to so many inputs every coalition is asked; beyond, orders are sampled."""
_JOINT = " / "
_ORDERS = 32
_PAST = 16
"""Rows of the past that stand for "not known"."""


@dataclass(frozen=True, slots=True, eq=False)
class Attribution:
    """Of one forecast: `base` plus the sum of `values` (k,) is `mean`, the log return over the horizon.

    `inputs` (k,) are what the expert saw, `errors` (k,) the standard errors of the values, 0 where they are exact.
    """

    names: tuple[str, ...]
    inputs: Float64
    values: Float64
    errors: Float64
    base: float
    mean: float
    method: Method


def attribute(expert: Expert, frame: FeatureFrame, past: FeatureFrame, seed: int = 0) -> Attribution:
    """What each input added to the mean forecast of the last row of `frame`; `past` are earlier rows, pooled or not.

    Trees need no past. Inputs of a learning expert are its own, of another its features over its whole lookback. An
    expert that abstains gets NaN. Raises: NotEnoughHistory if `past` has no complete row, or `frame` fewer than the
    expert's lookback.
    """
    if len(frame) < expert.lookback:
        raise NotEnoughHistory(f"an explanation needs {expert.lookback} rows", value=len(frame))
    rows = np.arange(len(frame) - expert.lookback, len(frame))
    frame, past = _columns(part_of(frame, rows), expert.features), _columns(past, expert.features)
    if isinstance(expert, LearningExpert):
        return _learnt(expert, frame, past, seed)
    mean = float(expert.predict(frame)[-1, 0])
    names, last = frame.names, frame.values[-1]
    if not math.isfinite(mean):
        return _silent(names, last)
    if isinstance(expert, MovingAverageExpert | RsiExpert):
        x = float(last[0]) if len(names) == 1 else mean / expert.slope_ if expert.slope_ else math.nan
        return Attribution(
            (_JOINT.join(names),), np.array([x]), np.array([mean]), np.zeros(1), 0.0, mean, "linear, exact"
        )
    return _closed(names, last, shapley(over_windows(_asked(expert, frame), frame, past), len(names), seed), mean)


def _columns(frame: FeatureFrame, names: tuple[str, ...]) -> FeatureFrame:
    """Those columns alone."""
    if frame.names == names:
        return frame
    return FeatureFrame(frame.symbol, frame.ts, names, np.column_stack([frame[name] for name in names]))


def _learnt(expert: LearningExpert, frame: FeatureFrame, past: FeatureFrame, seed: int) -> Attribution:
    row = expert.table(frame)[-1:]
    mean = float(expert.predict(frame)[-1, 0])
    if not math.isfinite(mean):
        return _silent(expert.inputs, row[0])
    function = expert.function_
    scale = expert.proof_.shrink * float(expert.unit(frame)[-1])
    if isinstance(function, FlatTrees):
        base, found = tree_shap(function, row)
        parts = base * scale, found[0] * scale, np.zeros(len(expert.inputs))
        return _closed(expert.inputs, row[0], parts, mean, "trees, exact")
    others = expert.table(past)
    others = others[_spread(np.flatnonzero(np.isfinite(others).all(axis=1)))]

    def value(known: Mask) -> Float64:
        mixed = np.where(known[:, None, :], row[0], others).reshape(-1, len(expert.inputs))
        return np.asarray(function.predict(mixed).reshape(len(known), -1).mean(axis=1) * scale)

    return _closed(expert.inputs, row[0], shapley(value, len(expert.inputs), seed), mean)


def _asked(expert: Expert, frame: FeatureFrame) -> Ask:
    """Mean forecasts of windows, all in one call: each begins anew in time."""

    def ask(windows: Float64) -> Float64:
        flat = windows.reshape(-1, windows.shape[-1])
        pooled = FeatureFrame("*", np.tile(frame.ts, len(windows)), frame.names, flat)
        return expert.predict(pooled)[len(frame) - 1 :: len(frame), 0]

    return ask


def over_windows(ask: Ask, frame: FeatureFrame, past: FeatureFrame) -> Value:
    """What is said when only some features of a window, all rows of `frame`, are known and the others are those of past
    windows: the worth of coalitions. `ask` answers (m,) for windows (m, rows, k). Raises: NotEnoughHistory.
    """
    rows, reach = np.arange(len(past)), len(frame)
    whole = rows - (reach - 1) >= first_rows(past.ts)
    finite = np.isfinite(past.values).all(axis=1)
    filled = np.convolve(finite, np.ones(reach), "full")[: len(past)] >= reach
    ends = _spread(rows[whole & filled])
    windows = past.values[ends[:, None] + np.arange(1 - reach, 1)]

    def value(known: Mask) -> Float64:
        mixed = np.where(known[:, None, None, :], frame.values, windows)
        said = ask(mixed.reshape(-1, *frame.values.shape))
        return np.asarray(np.nanmean(said.reshape(len(known), -1), axis=1))

    return value


def _spread(rows: Int64) -> Int64:
    """A few of these rows, evenly spread."""
    if not len(rows):
        raise NotEnoughHistory("no complete row of the past to compare with", remedy="give more bars before")
    return rows[np.linspace(0, len(rows) - 1, min(_PAST, len(rows))).astype(np.int64)]


def _silent(names: tuple[str, ...], inputs: Float64) -> Attribution:
    nothing = np.full(len(names), np.nan)
    return Attribution(names, inputs, nothing, nothing, math.nan, math.nan, "enumerated, exact")


def _closed(
    names: tuple[str, ...],
    inputs: Float64,
    parts: tuple[float, Float64, Float64],
    mean: float,
    method: Method = "sampled",
) -> Attribution:
    """Rounding is put into the base, so that the parts add up as they stand."""
    _, values, errors = parts
    if method == "sampled" and len(names) <= ENUMERATED:
        method = "enumerated, exact"
    return Attribution(names, inputs, values, errors, mean - math.fsum(values), mean, method)


def shapley(value: Value, k: int, seed: int = 0) -> tuple[float, Float64, Float64]:
    """Base, Shapley values (k,) and their standard errors (k,) of a game of k players.

    `value` gives the worth (m,) of coalitions (m, k). Up to `ENUMERATED` players all are asked and the errors are 0;
    beyond, 16 random orders and the reverse of each, which makes the errors smaller [1]_.

    >>> base, values, _ = shapley(lambda s: s @ np.array([1.0, 2.0]) + s[:, 0] * s[:, 1], 2)
    >>> base, values.tolist()
    (0.0, [1.5, 2.5])

    .. [1] Mitchell, Cooper, Frank and Holmes, "Sampling permutations for Shapley value estimation", JMLR 23 (2022).
    """
    return _enumerated(value, k) if k <= ENUMERATED else _sampled(value, k, seed)


def _enumerated(value: Value, k: int) -> tuple[float, Float64, Float64]:
    codes = np.arange(1 << k)
    known = (codes[:, None] >> np.arange(k)) & 1 == 1
    worth = value(known)
    weights = np.array([math.factorial(s) * math.factorial(k - s - 1) / math.factorial(k) for s in range(k)])
    values = np.empty(k)
    for j in range(k):
        without = codes[~known[:, j]]
        gains = worth[without | 1 << j] - worth[without]
        values[j] = weights[known[without].sum(axis=1)] @ gains
    return float(worth[0]), values, np.zeros(k)


def _sampled(value: Value, k: int, seed: int) -> tuple[float, Float64, Float64]:
    rng = np.random.default_rng([seed, k])
    half = np.array([rng.permutation(k) for _ in range(_ORDERS // 2)])
    found = np.empty((len(half), k))
    base = math.nan
    for pair, order in enumerate(half):
        gains = np.zeros(k)
        for way in (order, order[::-1]):
            known = np.zeros((k + 1, k), np.bool_)
            for step, player in enumerate(way):
                known[step + 1 :, player] = True
            worth = value(known)
            base = float(worth[0])
            gains[way] += np.diff(worth) / 2
        found[pair] = gains
    return base, found.mean(axis=0), found.std(axis=0, ddof=1) / math.sqrt(len(found))


@dataclass(frozen=True, slots=True, eq=False)
class Leaves:
    """Leaves of trees as conditions: leaf i holds rows with low < x <= high for each of its conditions
    `starts[i]` to `starts[i + 1]`, one for each input on its path; `share` is the part of the training rows that go its
    way where the input is not known, `value` (leaves,) what it adds, `base` the forecast of the mean training row.
    """

    starts: Int64
    feature: Int64
    low: Float64
    high: Float64
    share: Float64
    value: Float64
    base: float


def leaves(trees: FlatTrees) -> Leaves:
    """The leaves of every tree with the conditions on their paths."""
    starts, rows, values = [0], [], []
    for root in trees.starts[:-1].tolist():
        stack: list[tuple[int, dict[int, tuple[float, float, float]]]] = [(root, {})]
        while stack:
            node, held = stack.pop()
            j = int(trees.feature[node])
            if j < 0:
                rows += [(feature, *condition) for feature, condition in held.items()]
                starts.append(len(rows))
                values.append(float(trees.value[node]))
                continue
            low, high, share = held.get(j, (-math.inf, math.inf, 1.0))
            cut = float(trees.threshold[node])
            left, right = int(trees.left[node]), int(trees.right[node])
            part = float(trees.cover[left] / (trees.cover[left] + trees.cover[right]))
            stack.append((left, held | {j: (low, min(high, cut), share * part)}))
            stack.append((right, held | {j: (max(low, cut), high, share * (1 - part))}))
    table = np.array(rows, np.float64).reshape(-1, 4)
    base = trees.base + float(trees.value[trees.starts[:-1]].sum())
    return Leaves(
        np.array(starts), table[:, 0].astype(np.int64), table[:, 1], table[:, 2], table[:, 3], np.array(values), base
    )


def tree_shap(trees: FlatTrees, x: Float64) -> tuple[float, Float64]:
    """The base, and what each column (n, k) added to the forecast of each row; rows add up to `trees.predict(x)`."""
    told = leaves(trees)
    rows = np.ascontiguousarray(x, np.float32)
    found = leaf_shap(rows, told.starts, told.feature, told.low, told.high, told.share, told.value)
    return told.base, np.asarray(found)


@kernel
def leaf_shap(
    x: "NDArray[np.float32]", starts: Int64, feature: Int64, low: Float64, high: Float64, share: Float64, value: Float64
) -> Float64:
    """Shapley values (n, k): a leaf is worth `value` times, over its conditions, 1 or 0 where the input is known and
    the share where it is not.
    """
    out = np.zeros(x.shape)
    most = 0
    for leaf in range(len(value)):
        most = max(most, starts[leaf + 1] - starts[leaf])
    sizes, others, met = np.zeros(most + 1), np.zeros(most + 1), np.zeros(most)
    for row in range(len(x)):
        for leaf in range(len(value)):
            first, d = starts[leaf], starts[leaf + 1] - starts[leaf]
            for i in range(d):
                inside = low[first + i] < x[row, feature[first + i]] <= high[first + i]
                met[i] = 1.0 if inside else 0.0
            coalitions(share[first : first + d], met, sizes)
            for i in range(d):
                worth = without(sizes, share[first + i], met[i], d, others)
                out[row, feature[first + i]] += value[leaf] * (met[i] - share[first + i]) * worth
    return out


@kernel
def coalitions(share: Float64, met: Float64, sizes: Float64) -> None:
    """Into `sizes[s]` the sum, over coalitions of s of the conditions, of what they are worth together: the
    coefficients of the product of share + met t."""
    sizes[:] = 0.0
    sizes[0] = 1.0
    for i in range(len(share)):
        for s in range(i + 1, 0, -1):
            sizes[s] = sizes[s] * share[i] + sizes[s - 1] * met[i]
        sizes[0] *= share[i]


@kernel
def without(sizes: Float64, share: float, met: float, d: int, others: Float64) -> float:
    """The sum over coalitions of the other d - 1 conditions, by Shapley's weights s! (d - s - 1)! / d!: `sizes` is
    divided by share + met t into `others`."""
    if met > 0.0:
        others[d - 1] = sizes[d]
        for s in range(d - 1, 0, -1):
            others[s - 1] = sizes[s] - share * others[s]
    else:
        for s in range(d):
            others[s] = sizes[s] / share
    total, weight = 0.0, 1.0 / d
    for s in range(d):
        total += weight * others[s]
        weight *= (s + 1.0) / max(d - 1.0 - s, 1.0)
    return total
