"""Decimal arithmetic for compiled code: whole lots and ticks, and sums of money that lose nothing.

A kernel has no Decimal. It counts quantities in lots and prices in ticks (integers), and keeps money as a `Wide`: an
unevaluated sum of two floats with 106 bits, in units so small that every fee is a whole number of them. Both give
what `core.units` and `execution.accounting` give in Decimal, to the last bit of the float it is read as.
"""

import math
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from llvmlite.binding import get_host_cpu_features  # type: ignore[import-untyped]
from numba.core import types
from numba.extending import intrinsic, overload

from seakeep.core.errors import ConfigError
from seakeep.core.jit import kernel

__all__ = ["Step", "Wide", "amount", "as_step", "as_wide", "count_down", "count_up", "exact", "less"]
__all__ += ["over", "plus", "product", "read", "times"]

_SPLITTER = 134217729.0
"""2^27 + 1: cuts a float of 53 bits into two halves (Dekker 1971)."""
_EXACT_POWERS = 22
"""10^22 is the largest power of ten that is a float."""
_DIGITS = 1e15
"""Below it every decimal has a float of its own, so equal floats are equal decimals."""
_CLEAR = 1e-15
"""A count further than this from a whole one, relatively, is not a matter of rounding."""
_SLACK = 1e-27
"""Two sums of money this near, relatively, are the same decimal."""


class Step(NamedTuple):
    """A lot, a tick or a rate as the fraction `num` / `den`, both whole numbers."""

    num: float
    den: float


class Wide(NamedTuple):
    """The number `high` + `low`, where `low` is smaller than half the last bit of `high`."""

    high: float
    low: float


def as_step(value: Decimal) -> Step:
    """A finite decimal as a fraction over a power of ten.

    >>> as_step(Decimal("0.025"))
    Step(num=25.0, den=1000.0)

    Raises: ConfigError if it has more digits than a float holds exactly.
    """
    if not value.is_finite():
        raise ConfigError("not a finite decimal", value=str(value))
    return _fraction(value)


@lru_cache(maxsize=256)
def _fraction(value: Decimal) -> Step:
    sign, digits, exponent = value.normalize().as_tuple()
    places = max(0, -int(exponent))
    num = int("".join(map(str, digits))) * 10 ** max(0, int(exponent))
    if places > _EXACT_POWERS or num >= 2**53:
        raise ConfigError("too many digits for the kernel", value=str(value), remedy="round it to 15 digits")
    return Step(float(-num if sign else num), float(10**places))


def as_wide(value: Decimal) -> Wide:
    """A decimal as the nearest `Wide`."""
    high = float(value)
    return Wide(high, float(value - Decimal(high)))


@kernel
def amount(count: int, step: Step) -> float:
    """The float of count x step: one rounding, so it is what `float(Decimal)` gives (count x num below 2^53)."""
    return count * step.num / step.den


@kernel
def count_down(x: float, step: Step) -> int:
    """How many whole steps fit into `x`, as `core.units.quantise_down` counts them.

    >>> count_down(0.3, Step(1.0, 10.0))
    3
    """
    y = x * step.den / step.num
    m = math.floor(y)
    if _CLEAR * abs(y) < y - m < 1.0 - _CLEAR * abs(y):
        return int(m)
    while amount(m, step) > x:
        m -= 1
    while amount(m + 1, step) <= x:
        m += 1
    return int(m)


@kernel
def count_up(x: float, step: Step) -> int:
    """The least number of whole steps that is not below `x`, as `core.units.quantise_up` counts them."""
    return int(-count_down(-x, step))


@kernel
def exact(x: float) -> Step:
    """The decimal of at most 15 digits that reads back as `x`, where there is one; else the float itself.

    >>> exact(0.1)
    Step(num=100000000000000.0, den=1000000000000000.0)
    """
    den = 1.0
    while abs(x) * den * 10.0 < _DIGITS and den < _DIGITS:
        den *= 10.0
    num = float(math.floor(x * den + 0.5))
    return Step(num, den) if num / den == x else Step(x, 1.0)


@kernel
def _sum(a: float, b: float) -> Wide:
    """a + b, and what the rounding lost (Knuth 1969)."""
    s = a + b
    t = s - a
    return Wide(s, (a - (s - t)) + (b - t))


def _lost(a: float, b: float, p: float) -> float:
    """What the rounding of p = a x b lost, by halves (Dekker 1971)."""
    t = _SPLITTER * a
    a1 = t - (t - a)
    t = _SPLITTER * b
    b1 = t - (t - b)
    a2, b2 = a - a1, b - b1
    return ((a1 * b1 - p) + a1 * b2 + a2 * b1) + a2 * b2


def _in_one(context: Any, a: Any, b: Any, c: Any) -> Any:
    def lower(target: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fma(*args)

    return types.float64(types.float64, types.float64, types.float64), lower


_fused: Any = intrinsic(_in_one)
"""a x b + c, rounded once."""


@overload(_lost)
def _lost_in_one(a: float, b: float, p: float) -> Any:
    """The same number in one instruction, where the machine has it."""

    def fused(a: float, b: float, p: float) -> float:
        return float(_fused(a, b, -p))

    return fused if get_host_cpu_features().get("fma", False) else _lost


@kernel
def product(a: float, b: float) -> Wide:
    """a x b without loss."""
    p = a * b
    return Wide(p, _lost(a, b, p))


@kernel
def plus(a: Wide, b: Wide) -> Wide:
    """a + b."""
    s, t = _sum(a.high, b.high), _sum(a.low, b.low)
    s = _sum(s.high, s.low + t.high)
    total: Wide = _sum(s.high, s.low + t.low)
    return total


@kernel
def times(a: Wide, x: float) -> Wide:
    """a x x."""
    p = product(a.high, x)
    scaled: Wide = _sum(p.high, p.low + a.low * x)
    return scaled


@kernel
def over(a: Wide, x: float) -> Wide:
    """a / x."""
    q = a.high / x
    p = product(q, x)
    quotient: Wide = _sum(q, (((a.high - p.high) - p.low) + a.low) / x)
    return quotient


@kernel
def read(a: Wide, den: float) -> float:
    """The float of a / den: what `float(Decimal)` gives."""
    return float(over(a, den).high)


@kernel
def less(a: Wide, b: Wide) -> bool:
    """Whether a < b; what differs only by the last of 106 bits is equal."""
    gap = (a.high - b.high) + (a.low - b.low)
    return gap < -_SLACK * (abs(a.high) + abs(b.high))
