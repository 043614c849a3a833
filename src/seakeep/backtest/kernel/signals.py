"""Entry and exit signals as the stances the kernel holds."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seakeep.core.jit import kernel

__all__ = ["stances"]

Flags = NDArray[np.bool_]


def stances(
    entries: ArrayLike, exits: ArrayLike, short_entries: ArrayLike | None = None, short_exits: ArrayLike | None = None
) -> NDArray[np.int8]:
    """What is held after each row's signals: 1 long, 0 nothing, -1 short; (n,) or (n, k), as the signals are.

    A position stays until its exit, or turns over at an entry of the other side. An entry that meets its own exit, or
    the entry of the other side, in one row is none.

    >>> stances([1, 0, 0, 1, 0], [0, 0, 1, 1, 0]).tolist()
    [1, 1, 0, 0, 0]

    Raises: ValueError if the signals differ in shape, have not one or two dimensions, or are not all true or false.
    """
    tables = [_flags(entries), _flags(exits)]
    tables += [_flags(t) if t is not None else np.zeros_like(tables[0]) for t in (short_entries, short_exits)]
    if len({table.shape for table in tables}) > 1 or tables[0].ndim not in (1, 2):
        raise ValueError(f"signals must have one shape, (n,) or (n, k), got {[table.shape for table in tables]}")
    rows = len(tables[0])
    held = np.zeros((rows, tables[0].size // max(rows, 1)), np.int8)
    _hold(*(np.ascontiguousarray(table.reshape(held.shape)) for table in tables), held)
    return held.reshape(tables[0].shape)


def _flags(signals: ArrayLike) -> Flags:
    table = np.asarray(signals)
    if table.dtype != np.bool_ and not np.isin(table, (0, 1)).all():
        raise ValueError("signals must be true or false in every row; NaN is neither")
    return table.astype(np.bool_)


@kernel
def _hold(entries: Flags, exits: Flags, short_entries: Flags, short_exits: Flags, held: NDArray[np.int8]) -> None:
    for j in range(held.shape[1]):
        now = 0
        for i in range(len(held)):
            long = entries[i, j] and not exits[i, j] and not short_entries[i, j]
            short = short_entries[i, j] and not short_exits[i, j] and not entries[i, j]
            if long or short:
                now = 1 if long else -1
            elif (now > 0 and exits[i, j]) or (now < 0 and short_exits[i, j]):
                now = 0
            held[i, j] = now
