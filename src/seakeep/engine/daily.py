"""The daily returns of all markets, one more each day."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from seakeep.core.market import Float64

__all__ = ["DailyReturns"]


class DailyReturns:
    """The last `days` daily returns of k markets, in a buffer twice as long that is shifted when full.

    >>> kept = DailyReturns(1, 2)
    >>> for made in (0.1, 0.2, 0.3):
    ...     kept.push([made])
    >>> kept.table().tolist()
    [[0.2], [0.3]]
    """

    def __init__(self, markets: int, days: int) -> None:
        self._days, self._end = days, 0
        buffer: Any = np.empty((markets, 2 * days))
        self._buffer: Float64 = buffer
        self._cells: Any = memoryview(buffer)

    def __len__(self) -> int:
        """Days kept."""
        return min(self._end, self._days)

    def push(self, returns: Sequence[float]) -> None:
        """Add a day: simple returns (k,), NaN where a market had no price."""
        if self._end == 2 * self._days:
            self._end = self._days
            self._buffer[:, : self._end] = self._buffer[:, self._end :]
        for market, made in enumerate(returns):
            self._cells[market, self._end] = made
        self._end += 1

    def table(self) -> Float64:
        """A copy (n, k), oldest first, in the column order that the compiled tail is loaded for."""
        return self._buffer[:, self._end - len(self) : self._end].copy().T
