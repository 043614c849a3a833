"""Compiled twins: a hot function is plain Python, and Numba compiles that same source.

`kernel` keeps the twin at `.py_func`, so tests compare the two. `error_model="numpy"` (a division by zero gives
inf or NaN instead of raising) is what lets LLVM vectorise a loop; `cache=True` keeps the machine code between
runs. Only modules that hold kernels import this one: importing Numba takes about 0.35 s.
"""

from collections.abc import Callable
from typing import Any, overload

import numba

__all__ = ["FUSED", "kernel"]

FUSED = frozenset({"contract", "nsz", "arcp"})
"""Flags that allow fused multiply-add, the sign of a zero and reciprocals; none lets a sum be reordered, so the same
machine gives the same bits on every run and for any number of threads."""


@overload
def kernel(function: Callable[..., Any], /) -> Any: ...


@overload
def kernel(
    *, parallel: bool = False, fastmath: frozenset[str] = frozenset(), inline: bool = False
) -> Callable[[Callable[..., Any]], Any]: ...


def kernel(
    function: Callable[..., Any] | None = None,
    /,
    *,
    parallel: bool = False,
    fastmath: frozenset[str] = frozenset(),
    inline: bool = False,
) -> Any:
    """Compile `function` on its first call; the Python twin stays at `.py_func`.

    Bare (`@kernel`) it is one thread and strict arithmetic. `parallel` lets `numba.prange` use threads, `fastmath`
    takes flags out of `FUSED`, `inline` has LLVM put the function into its callers, which a loop over it needs to be
    vectorised.

    Raises: ValueError if a flag would make results depend on how the work was split.
    """
    if not fastmath <= FUSED:
        raise ValueError(f"fastmath may hold {sorted(FUSED)}, got {sorted(fastmath - FUSED)}: they change results")

    def compiled(source: Callable[..., Any]) -> Any:
        flags = set(fastmath) or False
        return numba.njit(cache=True, error_model="numpy", parallel=parallel, fastmath=flags, forceinline=inline)(
            source
        )

    return compiled if function is None else compiled(function)
