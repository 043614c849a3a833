"""Many candidates at once through the kernel: of each run what a ranking needs, taken while its curve is still warm.

A batch spreads over the threads. Each keeps one equity curve, of which a run leaves its returns by day and the moments
of its returns by bar; so memory grows with days and not with bars, and a run gives the same bits in any batch.
"""

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from seakeep.backtest.kernel.asks import Opinions, opinion_table
from seakeep.backtest.kernel.books import FILL, ORDER, lot_of, pay, proceeds
from seakeep.backtest.kernel.glide import run
from seakeep.backtest.kernel.passes import capacity, draw
from seakeep.backtest.kernel.ratios import ratios
from seakeep.backtest.kernel.simulator import check
from seakeep.backtest.kernel.tally import WIDTH
from seakeep.backtest.kernel.tape import History, Tape, frozen
from seakeep.backtest.kernel.terms import KernelParams, symbol_records
from seakeep.core.jit import kernel
from seakeep.core.market import Float64, Int64
from seakeep.core.units import DAY_MS
from seakeep.execution.lots import amount
from seakeep.stats.overfitting import SharpeSample

__all__ = ["Course", "Runs", "try_all"]

_FILLS = 1 << 12
_BARS = 2
"""Fewer rows than this make no return."""


@dataclass(frozen=True, eq=False)
class Runs:
    """p runs over d days: `days` (p, d) returns between the marks, ruin is -1, then nothing; fills, drawdown, turnover.

    `sums` (p, e) add the returns by bar up by UTC day, from the first return on; `moments` (p, 5) are how many returns
    there are until ruin, their mean, and their central second, third and fourth moment.
    """

    days: Float64
    sums: Float64
    moments: Float64
    fills: Int64
    drawdown: Float64
    turnover: Float64

    def sample(self, p: int) -> SharpeSample:
        """The Sharpe ratio by bar of run p, with what its error rests on; NaN where returns do not vary."""
        n, mean, second, third, fourth = self.moments[p].tolist()
        if n < _BARS or not second > 0.0:
            return SharpeSample(np.nan, int(n), np.nan, np.nan)
        ratio = mean / (second * n / (n - 1)) ** 0.5
        return SharpeSample(ratio, int(n), third / second**1.5, fourth / second**2)


@dataclass(frozen=True, eq=False)
class Course:
    """What every candidate runs over: the tape from `first` on, and the row at each of the marks (d + 1,).

    `day` (rows,) counts UTC days from the first return on; `grid` (rows,) is when each row became known. The course is
    `plain` if fills alone tell the equity: no loans.
    """

    tape: Tape
    symbols: NDArray[Any]
    table: Float64
    rows: Int64
    first: int
    marks: Int64
    day: Int64
    grid: Int64
    plain: bool
    room: int
    terms: tuple[float, int]

    @classmethod
    def of(cls, history: History, params: KernelParams, ends: Int64, whole: bool = True) -> "Course":
        """The course whose days end at `ends` (d,) UTC ms; unless `whole` the tape is cut behind the last of them."""
        tape = history.tape(params.latency, params.seed, params.window(history.symbols))
        rows, grid = history.rows, history.grid
        if not whole:
            n = int(np.searchsorted(grid, ends[-1], "right"))
            tape, grid, rows = _cut(tape, n), grid[:n], rows[rows < n]
        first = int(np.searchsorted(grid, params.trade_from))
        blank = Opinions(score=np.full((len(history), len(history.symbols)), np.nan))
        table = opinion_table(blank, history, len(history.grid), params.weight)[:, :, : len(grid)]
        day, symbols = (grid - 1) // DAY_MS, symbol_records(params, history.symbols)
        return cls(
            tape=tape,
            symbols=symbols,
            table=np.ascontiguousarray(table),
            rows=rows,
            first=first,
            marks=np.append(first, np.searchsorted(grid, ends)),
            day=day - day[min(first + 1, len(day) - 1)],
            grid=grid,
            plain=bool(symbols["spot"].all()),
            room=capacity(params.latency.low_ms, history.bar_ms),
            terms=(float(params.cash), history.bar_ms),
        )

    @property
    def plan(self) -> tuple[int, Int64, Int64, Int64, bool]:
        """What compiled code is told beside the tape."""
        ends = np.searchsorted(self.day, np.arange(int(self.day[-1]) + 1), "right")
        return self.first, self.marks, ends, self.grid, self.plain


def _cut(tape: Tape, n: int) -> Tape:
    """The first n rows of a tape."""
    delay = tape.delay[:, :n] if tape.delay.shape[1] > 1 else tape.delay
    parts = (tape.bars[:, :n], tape.lines[:, :, :n], tape.blocks, delay, tape.paid[tape.paid[:, 0] < n])
    return Tape(*(frozen(part.copy(order="C")) for part in parts))


def try_all(course: Course, accounts: NDArray[Any], scores: Float64, voices: Float64) -> Runs:
    """Run every account (p,) by its scores (p, k, n), one for each instant of the history; NaN abstains.

    `voices` (p,) are the weights the scores are blended with; a strategy that is alone keeps its score.
    Raises: DataError or IntegrityError as `simulate` does.
    """
    p, n, slots = len(accounts), len(course.grid), min(numba.get_num_threads(), len(accounts))
    days = int(course.day[-1]) + 1
    symbols = np.repeat(course.symbols[None], slots, axis=0)
    orders, fills = np.zeros((slots, len(course.symbols), course.room), ORDER), np.zeros((slots, _FILLS), FILL)
    scratch = np.broadcast_to(course.table, (slots, *course.table.shape)).copy()
    told, books = (accounts, accounts.copy(), course.symbols), accounts[:slots].copy()
    desks = (symbols, orders, fills, scratch, np.zeros((slots, 2, n)), books)
    out = np.zeros((p, len(course.marks) - 1)), np.zeros((p, days)), np.zeros((p, 5))
    _spread(told, desks, course.tape, (scores, voices, course.rows), (*course.plan, out))
    check(told[1])
    found = ratios(told[1], *course.terms)
    return Runs(*out, found["fills"].astype(np.int64), found["max_drawdown"], found["turnover"])


@kernel
def _hear(scores: Float64, voice: float, weight: float, rows: Int64, table: Float64) -> None:
    """Put scores (k, n), blended by the voice, and the full weight on the rows of a table of opinions (k, 3, rows)."""
    first, whole = rows[0], rows[-1] - rows[0] == len(rows) - 1
    for j in range(len(scores)):
        said, heard = scores[j], table[j, 0]
        if whole:
            heard = heard[first:]
            for r in range(len(rows)):
                heard[r] = (voice * said[r]) / voice
        else:
            for r in range(len(rows)):
                heard[rows[r]] = (voice * said[r]) / voice
        if table[j, 2, first] != weight:
            for r in range(len(rows)):
                table[j, 2, rows[r]] = weight


@kernel
def _alive(curve: Float64, first: int) -> int:
    """How many rows count: up to the first from `first` on without equity, which then is 0 and so are the later."""
    lived, alive = curve[first:], 0
    for i in range(len(lived)):
        alive += lived[i] > 0.0
    if alive < len(lived):
        for i in range(len(lived)):
            if not lived[i] > 0.0:
                lived[i:] = 0.0
                return first + i + 1
    return len(curve)


@kernel
def _mark(curve: Float64, marks: Int64, days: Float64) -> None:
    """Returns (d,) between the marks (d + 1,); nothing after ruin."""
    for d in range(len(days)):
        before = curve[marks[d]]
        days[d] = curve[marks[d + 1]] / before - 1.0 if before > 0.0 else 0.0


@kernel
def _moments(returns: Float64, mean: float, out: Float64) -> None:
    """Central moments (3,): second, third, fourth; summed in columns, so that the compiler works on several at once."""
    second, third, fourth = np.zeros(WIDTH), np.zeros(WIDTH), np.zeros(WIDTH)
    for start in range(0, len(returns), WIDTH):
        part = returns[start : start + WIDTH]
        for i in range(len(part)):
            a = part[i] - mean
            b = a * a
            second[i] += b
            third[i] += b * a
            fourth[i] += b * b
    out[0], out[1], out[2] = second.sum() / len(returns), third.sum() / len(returns), fourth.sum() / len(returns)


@kernel
def _tally(curve: Float64, first: int, ends: Int64, returns: Float64, sums: Float64, moments: Float64) -> None:
    """Sums by day, each of which ends before a row, and moments of the returns by bar of a curve (n,) from `first`."""
    stop = _alive(curve, first)
    n, total, begin = stop - 1 - first, 0.0, first + 1
    before, now, change = curve[first : stop - 1], curve[first + 1 : stop], returns[first + 1 : stop]
    for r in range(len(now)):
        change[r] = now[r] / before[r] - 1.0
    for d in range(len(sums)):
        end, earned = min(ends[d], stop), 0.0
        for i in range(begin, end):
            earned += returns[i]
        sums[d], begin = earned, max(begin, end)
        total += earned
    if n > 0:
        moments[0], moments[1] = n, total / n
        _moments(change, total / n, moments[2:])


@kernel
def _replay(told: Any, symbols: NDArray[Any], fills: NDArray[Any], lines: Float64, asked: Any) -> None:
    """The equity curve from the fills of a run without loans: cash is that of the pass, to the last unit of money."""
    (template, p, books, w), (grid, first, curve) = told, asked
    books[w] = template[p]
    account, row = books[w], first
    for j in range(len(symbols)):
        symbols[j].lots, symbols[j].qty = 0, 0.0
    for f in range(len(fills)):
        fill = fills[f]
        symbol, change, at = symbols[fill.symbol], fill.lots * fill.side, np.searchsorted(grid, fill.ts, "right")
        if at > row:
            draw(account.cash, symbols, lines[:, 2, row:at], curve[row:at])
            row = at
        pay(account, proceeds(symbol, change, fill.ticks, symbol.maker_units if fill.maker else symbol.taker_units))
        symbol.lots += change
        symbol.qty = amount(symbol.lots, lot_of(symbol)) if symbol.lots else 0.0
    draw(account.cash, symbols, lines[:, 2, row : len(curve)], curve[row:])


@kernel(parallel=True)
def _spread(told: Any, desks: Any, tape: Tape, heard: Any, asked: Any) -> None:
    """All runs over all slots; slot w takes runs w, w + slots, ... with its own desk, table and curve.

    Where the fills tell the curve it is drawn from them: a pass that need not keep it takes a fraction of the time.
    Only market orders tell, by when they were filled, that it was at an open; stops and targets do not.
    """
    (symbols, orders, fills, tables, curves, books), (scores, voices, rows) = desks, heard
    first, marks, ends, grid, plain, out = asked
    days, sums, moments = out
    template, accounts, _ = told
    slots = len(symbols)
    for w in numba.prange(slots):
        for p in range(w, len(template), slots):
            _hear(scores[p], voices[p], template[p].weight, rows, tables[w])
            guarded = template[p].stop_loss + template[p].take_profit + template[p].trailing > 0.0
            curve, desk, lean = curves[w, 0], (symbols[w], orders[w], fills[w]), plain and not guarded
            while True:
                run(told, p, desk, tape, tables[w], np.empty(0) if lean else curve)
                kept = int(accounts[p].kept)
                if not lean or kept == int(accounts[p].fills):
                    break
                lean = False
            if lean:
                _replay((template, p, books, w), symbols[w], fills[w, :kept], tape.lines, (grid, first, curve))
            _tally(curve, first, ends, curves[w, 1], sums[p], moments[p])
            _mark(curve, marks, days[p])
