"""Everything the trial ledger counted on the days of a run, side by side: what the run may have been picked from."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from seakeep.backtest.trials import Evaluation, TrialLedger
from seakeep.core.errors import LedgerError
from seakeep.core.market import Float64

__all__ = ["MAX_TRIED", "Tried", "tried"]

MAX_TRIED = 1000
"""More trials than this are thinned out evenly, in the order they were made."""
_SAME = 1e-4
"""Days that differ by less than this share of the largest are the same days, counted twice."""
_QUERY = """SELECT symbols, day, sketch FROM trials
    WHERE key <> ? AND (? = '' OR study <> ?) AND day <= ? AND day + days >= ? ORDER BY id"""


@dataclass(frozen=True, eq=False)
class Tried:
    """Returns (d, k) by day of k counted trials over the days of a run, which is the first column; `total` were found.

    Only trials that last as long as the run, on one of its symbols at least; the run itself, made again, is no other.
    """

    returns: Float64
    total: int


def tried(ledger: TrialLedger, own: Evaluation, besides: str = "") -> Tried:
    """What was counted beside this evaluation, the inside of the study `besides` left out.

    Raises: LedgerError if the file cannot be read.
    """
    mine = np.frombuffer(own.sketch, "<f4").astype(np.float64)
    found = [_over(own, *row[1:]) for row in _rows(ledger, own, besides) if set(row[0].split(",")) & set(own.symbols)]
    found = [days for days in found if not np.allclose(days, mine, rtol=0, atol=_SAME * np.abs(mine).max(initial=0.0))]
    kept = found if len(found) < MAX_TRIED else [found[i] for i in _evenly(len(found))]
    return Tried(np.column_stack([mine, *kept]), 1 + len(found))


def _evenly(count: int) -> Sequence[int]:
    return [int(i) for i in np.unique(np.linspace(0, count - 1, MAX_TRIED - 1).astype(np.int64))]


def _rows(ledger: TrialLedger, own: Evaluation, besides: str) -> list[tuple[str, int, bytes]]:
    if not ledger.path.exists() or not own.sketch:
        return []
    last = own.day + len(own.sketch) // 4
    try:
        with closing(sqlite3.connect(f"{ledger.path.resolve().as_uri()}?mode=ro", timeout=60, uri=True)) as connection:
            return connection.execute(_QUERY, (own.key, besides, besides, own.day, last)).fetchall()
    except sqlite3.Error as error:
        raise LedgerError(
            f"the trial ledger {ledger.path}: {error}", remedy="move another file of that name away"
        ) from error


def _over(own: Evaluation, day: int, sketch: bytes) -> Float64:
    """The days (d,) of the run in another trial."""
    days = np.frombuffer(sketch, "<f4").astype(np.float64)
    return days[own.day - day :][: len(own.sketch) // 4]
