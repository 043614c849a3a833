"""Machine words inside kernels: 32-bit integer steps, and the bits of a float.

Numba widens uint32 arithmetic to 64 bits, which halves the lanes of a vector; these keep it at 32. They exist only
inside a kernel.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

__all__ = [
    "add32",
    "and32",
    "as_double",
    "as_float",
    "as_int",
    "as_long",
    "as_word",
    "or32",
    "sar32",
    "shl32",
    "shr32",
    "sub32",
    "to_float",
    "to_int",
    "xor32",
]

_WORD, _FLOAT, _LONG, _DOUBLE = ir.IntType(32), ir.FloatType(), ir.IntType(64), ir.DoubleType()
Emit = Callable[[Any, Any], Any]


def _two(instruction: str) -> Any:
    """The LLVM instruction of that name on two uint32."""

    @intrinsic
    def emit(typing_context: Any, left: Any, right: Any) -> Any:
        def build(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            return getattr(builder, instruction)(*values)

        return types.uint32(types.uint32, types.uint32), build

    return emit


def _one(source: Any, target: Any, write: Emit) -> Any:
    """A conversion of one value: one that keeps its bits, int32 to the nearest float32, or back toward zero."""

    @intrinsic
    def emit(typing_context: Any, value: Any) -> Any:
        def build(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            return write(builder, values[0])

        return target(source), build

    return emit


add32, sub32, xor32, and32 = _two("add"), _two("sub"), _two("xor"), _two("and_")
or32, shl32, shr32, sar32 = _two("or_"), _two("shl"), _two("lshr"), _two("ashr")
as_int = _one(types.uint32, types.int32, lambda builder, x: x)
to_int = _one(types.float32, types.int32, lambda builder, x: builder.fptosi(x, _WORD))
to_float = _one(types.int32, types.float32, lambda builder, x: builder.sitofp(x, _FLOAT))
as_float = _one(types.uint32, types.float32, lambda builder, x: builder.bitcast(x, _FLOAT))
as_word = _one(types.float32, types.uint32, lambda builder, x: builder.bitcast(x, _WORD))
as_double = _one(types.uint64, types.float64, lambda builder, x: builder.bitcast(x, _DOUBLE))
as_long = _one(types.float64, types.uint64, lambda builder, x: builder.bitcast(x, _LONG))
