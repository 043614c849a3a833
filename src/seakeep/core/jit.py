"""Compiled twins: a hot function is plain Python, and Numba compiles that same source.

`kernel` keeps the twin at `.py_func`, so tests compare the two. `error_model="numpy"` (a division by zero gives
inf or NaN instead of raising) is what lets LLVM vectorise a loop; `cache=True` keeps the machine code between
runs. Only modules that hold kernels import this one: importing Numba takes about 0.35 s.
"""

from collections.abc import Callable
from typing import Any

import numba

__all__ = ["kernel"]


def kernel(function: Callable[..., Any]) -> Any:
    """Compile `function` on its first call; the Python twin stays at `.py_func`."""
    return numba.njit(cache=True, error_model="numpy")(function)
