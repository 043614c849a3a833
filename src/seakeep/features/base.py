"""What an indicator is, and the registry of them.

An indicator is a function over whole columns: n rows in, n rows out, NaN while it warms up. Its leading parameters
named after bar columns are its inputs, the remaining ones are numbers with defaults. Recursive smoothers never forget
exactly, so `lookback` says how many rows make the forgotten weight smaller than `FORGOTTEN`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from inspect import signature
from typing import Any, ParamSpec, TypeVar

from seakeep.core.jit import kernel
from seakeep.core.market import Float64
from seakeep.core.registry import Registry

__all__ = ["COLUMNS", "INDICATORS", "Indicator", "compiled", "ema_rows", "indicator", "wilder_rows", "window_rows"]

COLUMNS = ("ts", "open", "high", "low", "close", "volume")
"""The bar columns an indicator may read; `ts` is the bar's open (ms)."""

FORGOTTEN = 1e-10
"""Weight of what an average has forgotten after its lookback."""
FAINT = 1e-14
"""The same where digits are scarce: in a ratio of two averages that both fade in a standstill, or after a giant."""

Function = TypeVar("Function", bound=Callable[..., Any])
P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """`core.jit.kernel` that keeps the signature; the Python twin is at `.py_func`."""
    machine: Callable[P, R] = kernel(function)
    return machine


@dataclass(frozen=True, slots=True)
class Indicator:
    """A registered indicator: `params` are (name, default) pairs, `inputs` bar columns, `least` the smallest length.

    An anchored one is a running total whose level depends on the first row; `instead` names what to use live.
    """

    name: str
    family: str
    function: Callable[..., Float64]
    inputs: tuple[str, ...]
    params: tuple[tuple[str, float], ...]
    rows: Callable[..., int]
    least: int = 1
    instead: str = ""

    @property
    def anchored(self) -> bool:
        """Whether the level depends on the first row, so that no window can reproduce it."""
        return bool(self.instead)

    @property
    def summary(self) -> str:
        """First line of its documentation."""
        return (self.function.__doc__ or "").strip().partition("\n")[0]

    def lookback(self, params: tuple[float, ...]) -> int:
        """Rows that the last value needs (for an anchored one: that its last difference needs)."""
        return self.rows(*params)


INDICATORS: Registry[Indicator] = Registry("indicator")


def indicator(
    name: str, *, lookback: Callable[..., int], least: int = 1, instead: str = ""
) -> Callable[[Function], Function]:
    """Register a function as an indicator; its family is the module it lives in.

    `lookback` is called with the numeric parameters in order. Raises: ValueError if a number has no default.
    """

    def keep(function: Function) -> Function:
        plain = getattr(function, "py_func", function)
        parameters = signature(plain).parameters.values()
        inputs = tuple(p.name for p in parameters if p.name in COLUMNS)
        params = tuple((p.name, p.default) for p in parameters if p.name not in COLUMNS)
        if any(not isinstance(default, int | float) for _, default in params):
            raise ValueError(f"indicator {name!r}: every parameter that is no bar column needs a number as default")
        family = plain.__module__.rpartition(".")[2]
        INDICATORS.add(name, Indicator(name, family, function, inputs, params, lookback, least, instead))
        return function

    return keep


def window_rows(length: int, *_: float) -> int:
    """Rows of a plain window: its length."""
    return length


def ema_rows(length: int, folds: int = 1, forgotten: float = FORGOTTEN) -> int:
    """Rows until `folds` nested exponential averages of alpha 2 / (length + 1) have forgotten what came before.

    >>> ema_rows(10)
    125
    """
    return _rows(2.0 / (length + 1.0), length, folds, forgotten)


def wilder_rows(length: int, folds: int = 1, forgotten: float = FORGOTTEN) -> int:
    """Rows until `folds` nested Wilder averages (alpha 1 / length) have forgotten what came before.

    >>> wilder_rows(14)
    328
    """
    return _rows(1.0 / length, length, folds, forgotten)


def _rows(alpha: float, length: int, folds: int, forgotten: float) -> int:
    """Seeds plus the trials after which fewer than `folds` successes of chance alpha are rarer than `forgotten`.

    An m-fold exponential average still holds something older than k rows with just that (binomial) weight.
    """
    seeds = folds * length
    if alpha >= 1.0:
        return seeds
    trials = seeds
    while _binomial_tail(trials, folds, alpha) > forgotten:
        trials += max(1, trials // 64)
    return seeds + trials


def _binomial_tail(trials: int, successes: int, chance: float) -> float:
    odds = math.log(chance) - math.log1p(-chance)
    failed = trials * math.log1p(-chance)
    return sum(math.exp(failed + j * odds) * math.comb(trials, j) for j in range(successes))
