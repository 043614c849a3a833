"""What compiled code may say to the machine beside arithmetic; results are the same without it."""

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.extending import intrinsic

__all__ = ["borrowed", "fetch"]


def _without_owner(context: Any, array: Any) -> Any:
    def lower(target: Any, builder: Any, signature: Any, args: Any) -> Any:
        view = target.make_array(array)(target, builder, value=args[0])
        view.meminfo = view.meminfo.type(None)
        return view._getvalue()  # noqa: SLF001

    return array(array), lower


def _ahead(context: Any, table: Any, row: Any) -> Any:
    def lower(target: Any, builder: Any, signature: Any, args: Any) -> Any:
        view = target.make_array(table)(target, builder, value=args[0])
        stride = builder.extract_value(view.strides, 0)
        start = builder.ptrtoint(view.data, stride.type)
        place = builder.inttoptr(builder.add(start, builder.mul(args[1], stride)), cgutils.voidptr_t)
        kind, how = ir.IntType(32), (0, 3, 1)
        shape = ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t, kind, kind, kind])
        told = cgutils.get_or_insert_function(builder.module, shape, "llvm.prefetch.p0")  # type: ignore[no-untyped-call]
        builder.call(told, [place, *(ir.Constant(kind, value) for value in how)])
        return target.get_dummy_value()

    return types.none(table, types.intp), lower


borrowed: Any = intrinsic(_without_owner)
"""The same array without an owner, so that passing it on counts no reference; the caller keeps it alive."""
fetch: Any = intrinsic(_ahead)
"""Ask for a row of a table before it is read, so that reading it does not wait; the row need not exist."""
