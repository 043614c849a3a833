"""A partition's columns as one memory-mapped file beside its Parquet parts, for every whole read after the first.

    <root>/BTC_USDT/1m/<content hash of the partition>.v1.npy

A float64 array: row 0 is the bar opens (int64, bit for bit), the others the values in the order of `parts.VALUES`.
Behind it stand checksums, one per row and block of 2^16 bars. Nothing needs the file: a read checks the blocks it
touches, and what is not exactly as it should be is read from Parquet instead. New bars have a new hash, so an old copy
is never looked at again, and the next write sweeps it.
"""

import io
import os
import shutil
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seakeep.data.parts import Table

__all__ = ["SUFFIX", "WORTH", "ColumnCopy"]

SUFFIX = ".v1.npy"
"""Of the file's name; another layout takes another number."""
WORTH = 1 << 17
"""Bars below which Parquet is read in a few milliseconds anyway, and no copy is kept."""
_BLOCK = 1 << 16
_ROOM = 4
"""Times its own size that must be free on the disk: a copy may not crowd out the ledger."""

_Words = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class ColumnCopy:
    """Where the copy of a partition is or would be, its value columns in file order, and how many bars it has."""

    path: Path
    names: tuple[str, ...]
    rows: int

    def write(self, table: Table) -> None:
        """Keep the whole partition for later reads, all or nothing; without the room or the right to, do nothing."""
        if self.rows < WORTH:
            return
        with suppress(OSError):
            if shutil.disk_usage(self.path.parent).free >= _ROOM * 8 * self.rows * (1 + len(self.names)):
                self._write([table.ts, *(table.values[name] for name in self.names)])

    def _write(self, columns: Sequence[NDArray[np.int64] | NDArray[np.float64]]) -> None:
        draft = self.path.with_name(f"{self.path.stem}.{os.getpid()}.{threading.get_native_id()}.tmp")
        words = [column.view(np.uint64) for column in columns]
        try:
            with draft.open("xb") as file:
                file.write(self._header())
                for block in (*words, *map(_sums, words)):
                    file.write(block.data)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self.path)
        finally:
            draft.unlink(missing_ok=True)

    def read(self, names: Sequence[str], start: int | None, end: int | None) -> Table | None:
        """Bars that open in [start, end) as views of the file; None if it is not there, or not to be trusted."""
        height, blocks, words = 1 + len(self.names), -(-self.rows // _BLOCK), self._words()
        if words is None or words.size != height * (self.rows + blocks):
            return None
        columns = words[: height * self.rows].reshape(height, self.rows)
        sums = words[height * self.rows :].reshape(height, blocks)
        ts = columns[0].view(np.int64)
        first, last = _edge(ts, start, 0), _edge(ts, end, self.rows)
        seen = slice(max(first - 1, 0), last + 1)  # with both neighbours: they show that the edges are right
        picked = {name: 1 + self.names.index(name) for name in names}
        if not all(_intact(columns[i], sums[i], seen) for i in (0, *picked.values())):
            return None
        again = _edge(ts[seen], start, first - seen.start), _edge(ts[seen], end, last - seen.start)
        if again != (first - seen.start, last - seen.start):
            return None
        return Table(ts[first:last], {name: columns[i, first:last].view(np.float64) for name, i in picked.items()})

    def _words(self) -> _Words | None:
        header = self._header()
        try:
            with self.path.open("rb") as file:
                if file.read(len(header)) != header:
                    return None
            return np.asarray(np.memmap(self.path, np.uint64, "r", len(header)))
        except (OSError, ValueError):
            return None

    def _header(self) -> bytes:
        header = io.BytesIO()
        shape = 1 + len(self.names), self.rows
        np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": shape})
        return header.getvalue()


def _sums(column: _Words) -> _Words:
    """The exclusive or of each block, (n,) -> (blocks,), inverted: one flipped bit changes it, and zeros have ones."""
    return ~np.bitwise_xor.reduceat(column, np.arange(0, len(column), _BLOCK))


def _edge(ts: NDArray[np.int64], bound: int | None, default: int) -> int:
    """Position of the first bar that opens at `bound` or later; `default` without a bound."""
    return default if bound is None else int(np.searchsorted(ts, bound))


def _intact(column: _Words, sums: _Words, seen: slice) -> bool:
    """Whether the blocks under these rows are as they were written."""
    a, b = seen.start // _BLOCK, -(-min(seen.stop, len(column)) // _BLOCK)
    return np.array_equal(_sums(column[a * _BLOCK : b * _BLOCK]), sums[a:b])
