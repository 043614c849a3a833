"""Everything the trial ledger counted on the days of a run, side by side: what the run may have been picked from."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seakeep.backtest.trials import Evaluation, TrialLedger
from seakeep.core.market import Float64

__all__ = ["MAX_TRIED", "Tried", "tried"]

MAX_TRIED = 1000
"""More trials than this are thinned out evenly, in the order they were made."""
_SAME = 1e-4
"""Days that differ by less than this share of the largest are the same days, counted twice."""


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
    beside = ledger.beside(own, besides)
    found = [days for days in beside if not np.allclose(days, mine, rtol=0, atol=_SAME * np.abs(mine).max(initial=0.0))]
    kept = found if len(found) < MAX_TRIED else [found[i] for i in _evenly(len(found))]
    return Tried(np.column_stack([mine, *kept]), 1 + len(found))


def _evenly(count: int) -> Sequence[int]:
    return [int(i) for i in np.unique(np.linspace(0, count - 1, MAX_TRIED - 1).astype(np.int64))]
