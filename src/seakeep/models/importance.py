"""Which inputs an expert's skill hangs on, judged on rows it did not learn from, and what may be left out.

Permutation importance [1]_ is what the loss rises by when one input is shuffled. Inputs remember themselves and
outcomes overlap, so whole blocks of time are shuffled, within each symbol. Trees also tell what their splits gained
while learning, which favours inputs with many values and knows nothing of unseen rows: it is shown, not judged by.

.. [1] Breiman, "Random forests", Machine Learning 45 (2001); Fisher, Rudin and Dominici, JMLR 20 (2019).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from seakeep.core.beliefs import FeatureFrame
from seakeep.core.errors import NotEnoughHistory
from seakeep.core.market import Float64, Int64
from seakeep.features.base import INDICATORS
from seakeep.models.base import Expert
from seakeep.models.comparison import Comparison, by_instant, crps, diebold_mariano
from seakeep.models.folding import label_ms, part_of, purged_folds
from seakeep.models.inputs import INPUTS
from seakeep.models.ml import LearningExpert
from seakeep.models.segments import first_rows
from seakeep.models.trees import FlatTrees

__all__ = [
    "GROUPS",
    "Importance",
    "Pruning",
    "TreeImportance",
    "group_of",
    "importance",
    "permutation",
    "prune",
    "shuffled_blocks",
    "tree_importance",
]

GROUPS = ("price action", "momentum", "volatility", "trend", "volume", "social")
"""What inputs are summed by."""

_FAMILIES = {"momentum": "momentum", "volatility": "volatility", "trend": "trend", "volume": "volume"}
_WILD = 4.0


@dataclass(frozen=True, slots=True, eq=False)
class Importance:
    """Of k inputs: `value` (k,) is the share the loss rises by without it, `error` (k,) its standard error over the
    folds (folds, k); `stability` the mean rank correlation of the inputs' order between folds, NaN for one fold.
    """

    names: tuple[str, ...]
    groups: tuple[str, ...]
    value: Float64
    error: Float64
    folds: Float64
    stability: float

    @property
    def spare(self) -> tuple[str, ...]:
        """Inputs that are not shown to help: a rise below its own standard error."""
        return tuple(name for name, v, e in zip(self.names, self.value, self.error, strict=True) if not v > e)

    def by_group(self) -> tuple[tuple[str, float], ...]:
        """Sum of the inputs of each group, largest first; groups without an input are left out."""
        sums = {
            group: float(self.value[[g == group for g in self.groups]].sum()) for group in dict.fromkeys(self.groups)
        }
        return tuple(sorted(sums.items(), key=lambda pair: -pair[1]))


class TreeImportance(msgspec.Struct, frozen=True):
    """Of one input: the share of what all splits gained, and of how many splits there were."""

    name: str
    gain: float
    splits: float


class Pruning(msgspec.Struct, frozen=True):
    """Inputs left out by what the earlier rows said, and whether the expert without them lost less on later rows.

    `verdict` is "better" or "worse" where the paired test says so at 5 %, else "no different".
    """

    without: tuple[str, ...]
    kept: tuple[str, ...]
    full_loss: float
    pruned_loss: float
    test: Comparison

    @property
    def verdict(self) -> str:
        """What the test says."""
        p = self.test.p_value
        return "better" if p < 0.05 else "worse" if p > 0.95 else "no different"


def group_of(name: str) -> str:
    """The group of an input or of a feature spec.

    >>> group_of("macd"), group_of("ema:20"), group_of("close"), group_of("volume")
    ('momentum', 'trend', 'price action', 'volume')
    """
    if name in INPUTS:
        return INPUTS[name].group
    word = name.partition(":")[0].partition("@")[0]
    if word == "volume" or word.startswith("sentiment"):
        return "volume" if word == "volume" else "social"
    return _FAMILIES.get(INDICATORS[word].family, "price action") if word in INDICATORS else "price action"


def importance(expert: Expert, frame: FeatureFrame, y: Float64, seed: int, k: int = 4, repeats: int = 3) -> Importance:
    """Permutation importance of every input on `k` purged folds, each judged by a copy that learnt from the others.

    Raises: NotEnoughHistory.
    """
    lasts = label_ms(frame.ts, expert.horizon)
    pieces = []
    for train, test in purged_folds(frame.ts, lasts, k, int(np.median(lasts))):
        copy = replace(expert).fit(part_of(frame, train), y[train], seed)
        pieces.append((copy, part_of(frame, test), y[test]))
    return permutation(pieces, seed, repeats)


def permutation(pieces: Sequence[tuple[Expert, FeatureFrame, Float64]], seed: int, repeats: int = 3) -> Importance:
    """The same for fitted experts of one kind, each with rows it has not seen and their outcomes (n,).

    Raises: NotEnoughHistory if there is nothing to judge.
    """
    if not pieces:
        raise NotEnoughHistory("there is no fold to judge inputs on")
    first = pieces[0][0]
    names = first.inputs if isinstance(first, LearningExpert) else first.features
    folds = np.array([_fold(*piece, seed, repeats) for piece in pieces])
    folds = folds[np.isfinite(folds).all(axis=1)]
    if not len(folds):
        raise NotEnoughHistory("no fold has a row with a forecast and an outcome")
    error = folds.std(axis=0, ddof=1) / math.sqrt(len(folds)) if len(folds) > 1 else np.zeros(len(names))
    groups = tuple(group_of(name) for name in names)
    return Importance(names, groups, folds.mean(axis=0), error, folds, _stability(folds))


def _fold(expert: Expert, frame: FeatureFrame, y: Float64, seed: int, repeats: int) -> Float64:
    """Share (k,) that the loss rises by with each input shuffled."""
    rng = np.random.default_rng([seed, 17])
    if isinstance(expert, LearningExpert):
        table, target = expert.table(frame), np.clip(y / expert.unit(frame), -_WILD, _WILD)
        function = expert.function_

        def loss(table: Float64) -> float:
            rows = np.isfinite(table).all(axis=1) & np.isfinite(target)
            return float(np.mean((target[rows] - function.predict(table[rows])) ** 2)) if rows.any() else math.nan
    else:
        table = frame.values

        def loss(table: Float64) -> float:
            said = expert.predict(FeatureFrame(frame.symbol, frame.ts, frame.names, table))
            lost = crps(said, y)
            return float(np.mean(lost[np.isfinite(lost)])) if np.isfinite(lost).any() else math.nan

    whole = loss(table)
    risen = np.zeros(table.shape[1])
    for _ in range(repeats):
        order = shuffled_blocks(frame.ts, max(2 * expert.horizon, 2), rng)
        for j in range(table.shape[1]):
            mixed = table.copy()
            mixed[:, j] = table[order, j]
            risen[j] += loss(mixed) / whole - 1.0
    return risen / repeats


def shuffled_blocks(ts: Int64, block: int, rng: np.random.Generator) -> Int64:
    """The rows (n,) with blocks of that many in another order, each symbol's among themselves.

    >>> order = shuffled_blocks(np.arange(6), 3, np.random.default_rng(1))
    >>> sorted(order.tolist())
    [0, 1, 2, 3, 4, 5]
    """
    begins = np.unique(first_rows(ts))
    parts = []
    for rows in np.split(np.arange(len(ts)), begins[1:]):
        blocks = np.split(rows, np.arange(block, len(rows), block))
        parts += [blocks[i] for i in rng.permutation(len(blocks))]
    return np.concatenate(parts) if parts else np.arange(0)


def _stability(folds: Float64) -> float:
    """Mean rank correlation between every two folds."""
    from scipy.stats import rankdata

    if len(folds) < 2 or folds.shape[1] < 2:
        return math.nan
    ranks = rankdata(folds, axis=1)
    if (ranks.std(axis=1) == 0).any():
        return math.nan
    matrix = np.atleast_2d(np.corrcoef(ranks))
    return float(matrix[np.triu_indices(len(matrix), 1)].mean())


def tree_importance(trees: FlatTrees, names: Sequence[str]) -> tuple[TreeImportance, ...]:
    """What each input's splits gained, as a share of all, and how many there were; largest gain first."""
    branch = trees.feature >= 0
    gain = np.bincount(trees.feature[branch], np.maximum(trees.gain[branch], 0.0), len(names))
    splits = np.bincount(trees.feature[branch], minlength=len(names)).astype(np.float64)
    gain, splits = gain / max(gain.sum(), 1e-300), splits / max(splits.sum(), 1.0)
    rows = [TreeImportance(n, float(g), float(s)) for n, g, s in zip(names, gain, splits, strict=True)]
    return tuple(sorted(rows, key=lambda row: -row.gain))


def prune(expert: LearningExpert, frame: FeatureFrame, y: Float64, seed: int, share: float = 0.6) -> Pruning:
    """Leave out what the first `share` of time does not show to help, and test that on the rest, which it never saw.

    Both are fitted on the first part; their mean CRPS on the second is compared instant by instant. Where nothing, or
    all, would be left out, the two are the same, but for the most important input being kept.

    Raises: NotEnoughHistory.
    """
    stamps = np.unique(frame.ts)
    cut = int(stamps[int(len(stamps) * share)]) if len(stamps) else 0
    early = np.flatnonzero(frame.ts + label_ms(frame.ts, expert.horizon) <= cut)
    late = part_of(frame, np.flatnonzero(frame.ts >= cut))
    known = part_of(frame, early)
    found = importance(expert, known, y[early], seed)
    best = found.names[int(np.argmax(found.value))]
    dropped = tuple(name for name in found.spare if name != best)
    earlier = [name.strip() for name in expert.without.split(",") if name.strip()]
    losses = []
    for without in (expert.without, ",".join([*earlier, *dropped])):
        fitted = replace(expert, without=without).fit(known, y[early], seed)
        losses.append(crps(fitted.predict(late), y[frame.ts >= cut]))
    both = np.isfinite(losses[0]) & np.isfinite(losses[1])
    if not both.any():
        raise NotEnoughHistory("no later row to test the pruned expert on", value=len(late))
    full, pruned = (by_instant(late.ts[both], loss[both]) for loss in losses)
    test = diebold_mariano(full, pruned, expert.horizon)
    kept = tuple(name for name in found.names if name not in dropped)
    return Pruning(dropped, kept, float(full.mean()), float(pruned.mean()), test)
