"""Thousands of parameter sets over the same bars: one row of metrics each, whole runs spread over the threads.

A run needs its own account, symbols and orders, a few kilobytes; the bars are shared. So memory does not grow with the
number of runs beyond one short row each, and a run gives the same bits whichever thread it falls to.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from seakeep.backtest.kernel.asks import Opinions, find_changes, opinion_table
from seakeep.backtest.kernel.books import FILL, ORDER, VARIED
from seakeep.backtest.kernel.glide import run
from seakeep.backtest.kernel.passes import capacity
from seakeep.backtest.kernel.ratios import ratios
from seakeep.backtest.kernel.simulator import check, first_row
from seakeep.backtest.kernel.tape import History, Tape, frozen
from seakeep.backtest.kernel.terms import KernelParams, account_record, symbol_records
from seakeep.core.jit import kernel
from seakeep.core.market import BarFrame, Float64, Int64

__all__ = ["Cross", "SweepTable", "sweep"]

_ONES = np.int64(0x0101010101010101)
"""Eight flags that are all 1, read as one word. It is signed: a word without sign is compared through floats."""
_NOTHING = frozen(np.zeros((0, 1, 1), np.int8))
_NO_CLOSES = (frozen(np.zeros((1, 1))), frozen(np.zeros((1, 1), np.int64)), np.zeros(1, np.int64))
_BOUNDS = {"weight": (0.0, 1e3), "take_profit": (0.0, 1e3), "short": (-1.0, 0.0)}


@dataclass(frozen=True, eq=False)
class Cross:
    """Moving-average crosses as a rule family: a unit while the average of `fast` closes is above that of `slow`.

    Both (p,) whole numbers, 1 <= fast < slow. `short` holds a unit short below instead of nothing.
    """

    fast: ArrayLike
    slow: ArrayLike
    short: bool = False


class Rule(NamedTuple):
    """One member of the family: its two averages, and the targets above and below."""

    fast: int
    slow: int
    above: float
    below: float


@dataclass(frozen=True, eq=False)
class SweepTable:
    """Metrics of p runs: `columns` by name (see `ratios`), each (p,), and what was varied, by the same index."""

    columns: Mapping[str, Float64]
    varied: Mapping[str, Float64] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.columns["equity"])

    def __getitem__(self, name: str) -> Float64:
        """A column (p,). Raises: KeyError naming the columns there are."""
        for table in (self.columns, self.varied):
            if name in table:
                return table[name]
        raise KeyError(f"no column {name!r}; there are {', '.join([*self.columns, *self.varied])}")

    def best(self, name: str = "sharpe") -> int:
        """Index of the largest value of a column, NaN aside; the first of equals. Raises: ValueError if all are NaN."""
        column = self[name]
        if not np.isfinite(column).any():
            raise ValueError(f"no run has a {name}")
        return int(np.nanargmax(column))


def sweep(
    frames: Sequence[BarFrame] | History,
    signals: NDArray[Any] | Cross | Opinions,
    params: KernelParams,
    varied: Mapping[str, ArrayLike] | None = None,
) -> SweepTable:
    """One run for each parameter set.

    `signals` are stances or targets (p, n) or (p, n, k), as in `simulate`; or a `Cross`; or `Opinions`, whose scores
    every run shares. `varied` maps names of `VARIED` (weight, stops, thresholds) to a value for each run (p,).

    Raises: ValueError if there is no parameter set, lengths differ, or a name, a shape or a value is wrong; and what
    `simulate` raises.
    """
    history = frames if isinstance(frames, History) else History.of(frames)
    given = {name: np.asarray(values, dtype=np.float64) for name, values in (varied or {}).items()}
    shown = given | _rule_columns(signals)
    accounts = np.repeat(account_record(params, history), _count(signals, shown))
    accounts["targets"] = not isinstance(signals, Opinions)
    for name, values in given.items():
        accounts[name] = _sound(name, values)
    rules = symbol_records(params, history.symbols)
    tape = history.tape(params.latency, params.seed, params.window(history.symbols))
    told, slots = (accounts, accounts.copy(), rules), min(numba.get_num_threads(), len(accounts))
    orders = np.zeros((slots, len(rules), capacity(params.latency.low_ms, history.bar_ms)), ORDER)
    desks = (np.repeat(rules[None], slots, axis=0), orders, np.zeros((slots, 1), FILL))
    if isinstance(signals, Opinions):
        table = opinion_table(signals, history, tape.bars.shape[1], params.weight)
        scratch = np.broadcast_to(table, (slots, *table.shape)).copy()
    else:
        scratch = np.empty((slots, len(rules), 2, tape.bars.shape[1]))
    table = _signals(signals, history) if isinstance(signals, np.ndarray) else _NOTHING
    rows, flags = (history.rows, first_row(history, accounts)), np.empty((slots, tape.bars.shape[1] + 8), np.uint8)
    _spread(told, (*desks, scratch, flags), tape, (table, table.dtype == np.int8, rows), _averages(signals, history))
    check(told[1])
    return SweepTable(ratios(told[1], float(params.cash), history.bar_ms), shown)


def _averages(signals: object, history: History) -> tuple[Int64, bool, Float64, Int64, Int64]:
    """Pairs (p, 2) of a rule family, whether it goes short, and the closes; of others nothing."""
    if not isinstance(signals, Cross):
        return np.zeros((0, 2), np.int64), False, *_NO_CLOSES
    pairs = np.stack([np.asarray(signals.fast), np.asarray(signals.slow)], axis=1).astype(np.int64)
    return pairs, signals.short, *history.prefix_sums()


def _rule_columns(signals: object) -> dict[str, Float64]:
    """The parameters of a rule family as columns (p,). Raises: ValueError if they make no rule."""
    if not isinstance(signals, Cross):
        return {}
    fast, slow = np.asarray(signals.fast), np.asarray(signals.slow)
    if fast.shape != slow.shape or fast.ndim != 1 or fast.dtype.kind not in "iu" or slow.dtype.kind not in "iu":
        raise ValueError(f"fast and slow must be whole numbers of one shape (p,), got {fast.shape} and {slow.shape}")
    wrong = (fast < 1) | (fast >= slow)
    if wrong.any():
        p = int(np.argmax(wrong))
        raise ValueError(f"rule {p} has fast {fast[p]} and slow {slow[p]}; it needs 1 <= fast < slow")
    return {"fast": fast.astype(np.float64), "slow": slow.astype(np.float64)}


def _count(signals: object, shown: Mapping[str, Float64]) -> int:
    """How many runs there are. Raises: ValueError if there is none, or two lengths."""
    lengths = {name: len(values) if values.ndim == 1 else -1 for name, values in shown.items()}
    if not isinstance(signals, Cross | Opinions):
        table = np.asarray(signals)
        lengths["signals"] = len(table) if table.ndim in (2, 3) else -1
    if -1 in lengths.values() or len(set(lengths.values())) != 1 or set(lengths.values()) == {0}:
        raise ValueError(f"a sweep needs at least one parameter set, and as many of each: got {lengths or 'none'}")
    return next(iter(lengths.values()))


def _sound(name: str, values: Float64) -> Float64:
    """Values that a run can be told. Raises: ValueError naming the first that is wrong."""
    if name not in VARIED:
        raise ValueError(f"{name} cannot be varied; there are {', '.join(VARIED)}")
    low, high = _BOUNDS.get(name, (0.0, 1.0))
    wrong = ~((values >= low) & (values <= high))
    if wrong.any():
        raise ValueError(f"{name} must lie in [{low:g}, {high:g}], got {values[wrong][0]:g}")
    return values


def _signals(signals: NDArray[Any], history: History) -> NDArray[Any]:
    """Targets, float64, or stances, int8, as (p, n, k) in memory order, read-only. Raises: ValueError."""
    table = signals[:, :, None] if signals.ndim == 2 else signals
    wanted = (len(table), len(history), len(history.symbols))
    if table.shape != wanted:
        raise ValueError(f"signals must have shape {wanted}, got {signals.shape}")
    if table.dtype.kind not in "iuf" or not (np.isnan(table) | np.isfinite(table)).all():
        raise ValueError(f"signals must be finite numbers or NaN, got {table.dtype}")
    if table.dtype.kind in "iu" and (table.max() > 127 or table.min() < -127):
        raise ValueError("a stance counts units, at most 127 of them; targets are floats")
    table = np.ascontiguousarray(table, np.float64 if table.dtype.kind == "f" else np.int8).view()
    return frozen(table)


@kernel
def find_crosses(closes: tuple[Float64, Int64], rule: Rule, first: int, flags: NDArray[np.uint8], out: Float64) -> int:
    """Rows and targets (2, c) at which two averages cross; how many of them there are from row `first` on.

    `closes` are their prefix sums (m + 1,) and the rows of the tape (m,); `flags` (m + 8,) is scratch, 1 while above.
    A change is looked for eight rows at a time, as one word.
    """
    (sums, at), slow, n, count = closes, rule.slow, len(closes[0]) - rule.slow, 0
    if n < 1:
        return 0
    now, short, long = sums[slow:], sums[slow - rule.fast :], sums[:n]
    a, b = 1.0 / rule.fast, 1.0 / slow
    for r in range(n):
        flags[r] = (now[r] - short[r]) * a > (now[r] - long[r]) * b
    padded = (n + 7) // 8 * 8
    flags[n:padded] = flags[n - 1]
    before, words, whole = np.int64(flags[0]), flags[:padded].view(np.int64), at[-1] - at[0] == len(at) - 1
    for w in range(len(words)):
        if words[w] == before * _ONES:
            continue
        for r in range(8 * w, 8 * w + 8):
            place, above = min(slow + r, len(at)) - 1, np.int64(flags[r])
            row = at[0] + place if whole else at[place]
            out[0, count], out[1, count] = row, rule.above if above else rule.below
            count += (above != before) & (row >= first)
            before = above
    return count


@kernel(parallel=True)
def _spread(told: Any, desks: Any, tape: Tape, signals: Any, rule: Any) -> None:
    """All runs over all slots; slot w takes runs w, w + slots, ... and asks them from its own scratch.

    Told by signals (p, n, k) if there are any, else by pairs of averages (p, 2), else by what is in the scratch.
    """
    (symbols, orders, fills, scratch, flags), (given, whole, rows) = desks, signals
    pairs, short, sums, at, bars = rule
    template = told[0]
    slots = len(symbols)
    for w in numba.prange(slots):
        for p in range(w, len(template), slots):
            weight = template[p].weight
            for j in range(symbols.shape[1]):
                changes = 0
                if len(given):
                    column, unit = given[p, :, j], weight if whole else 1.0
                    changes = find_changes(column, unit, tape.bars[j], rows, scratch[w, j])
                elif len(pairs):
                    cross = Rule(pairs[p, 0], pairs[p, 1], weight, -weight if short else 0.0)
                    closes = (sums[j, : bars[j] + 1], at[j])
                    changes = find_crosses(closes, cross, rows[1], flags[w], scratch[w, j])
                symbols[w, j].changes = changes
            run(told, p, (symbols[w], orders[w], fills[w]), tape, scratch[w], np.empty(0))
