"""What a run is asked to hold: targets and stances as the rows in which they change, opinions row by row."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seakeep.backtest.kernel.tape import OPEN, History
from seakeep.core.jit import kernel
from seakeep.core.market import Float64, Int64

__all__ = ["Opinions", "find_changes", "opinion_table", "target_table"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Opinions:
    """A blended view of each symbol at each instant, (n,) or (n, k): score in [-1, 1], NaN abstains.

    `confidence` in [0, 1] and `weight`, the share of equity a full stance takes, are arrays of the same shape or one
    number; without a weight it is that of the run.
    """

    score: Float64
    confidence: Float64 | float = 1.0
    weight: Float64 | float | None = None


def _columns(values: Any, history: History, what: str) -> NDArray[Any]:
    """Signals as (k, n). Raises: ValueError if their shape is another, or one is infinite."""
    table = np.asarray(values)
    shape = (len(history), len(history.symbols))
    if table.shape not in (shape, shape[:1]) or (table.ndim == 1 and shape[1] > 1):
        raise ValueError(f"{what} must have shape {shape}, a row an instant and a column a symbol, got {table.shape}")
    if table.dtype.kind not in "iufb":
        raise ValueError(f"{what} must be numbers, got {table.dtype}")
    if np.isinf(table).any():
        raise ValueError(
            f"{what} are infinite in row {int(np.argwhere(np.isinf(table))[0][0])}; NaN keeps what there is"
        )
    return table.reshape(len(history), -1).T


def target_table(signals: NDArray[Any], history: History) -> NDArray[Any]:
    """Targets, float, or stances, int8, as (k, n) in memory order. Raises: ValueError."""
    table = _columns(signals, history, "signals")
    kind = np.float64 if table.dtype.kind == "f" else np.int8
    if kind is np.int8 and np.abs(table.astype(np.int64)).max(initial=0) > 127:
        raise ValueError("a stance counts units, at most 127 of them; targets are floats")
    return np.ascontiguousarray(table, dtype=kind)


def opinion_table(opinions: Opinions, history: History, rows: int, weight: float) -> Float64:
    """Score, confidence and weight (k, 3, rows) on the rows of the tape. Raises: ValueError."""
    score = _columns(opinions.score, history, "scores")
    wild = np.abs(score) > 1
    if wild.any():
        raise ValueError(f"scores must lie in [-1, 1] or be NaN, got {score[wild][0]:g}")
    table = np.full((len(score), 3, rows), np.nan)
    given = (opinions.confidence, weight if opinions.weight is None else opinions.weight)
    names = ("confidence", "weights")
    parts = [_columns(v, history, what) if np.ndim(v) else np.float64(v) for v, what in zip(given, names, strict=True)]
    for lane, part in enumerate((score, *parts)):
        table[:, lane, history.rows] = part
    return table


@kernel
def find_changes(column: Any, unit: float, bars: Float64, rows: tuple[Int64, int], out: Float64) -> int:
    """Rows and targets (2, c) in which a column (n,) times `unit` changes, and the symbol has a bar (rows, 8).

    `rows` are the tape's rows of the column and the first that counts. Returns how many changes there are.
    """
    (at, first), before, count, known, said = rows, 0.0, 0, False, column[0]
    for r in range(len(column)):
        if known and column[r] == said:
            continue
        target = column[r] * unit
        counts = target != before and not np.isnan(target) and at[r] >= first and bars[at[r], OPEN] > 0.0
        if counts:
            out[0, count], out[1, count] = at[r], target
            before = target
            count += 1
        if counts or target == before:
            known, said = True, column[r]
    return count
