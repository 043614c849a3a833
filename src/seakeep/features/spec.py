"""Reading a feature spec: "close", "rsi:14", "macd:12,26,9", "rsi:14@15m"."""

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from seakeep.core.errors import ConfigError
from seakeep.core.market import Float64
from seakeep.core.registry import nearest
from seakeep.core.units import interval_ms
from seakeep.features.base import COLUMNS, INDICATORS, Indicator
from seakeep.features.resampling import bars_per_bucket

__all__ = ["MAX_LENGTH", "Spec", "lookback", "parse"]

MAX_LENGTH = 10_000
"""The largest number a length may be: beyond it a window would not fit beside others in memory."""

_SPEC = re.compile(r"([a-z][a-z0-9_]*)(?::([^@]*))?(?:@(.+))?")


@dataclass(frozen=True, slots=True)
class Spec:
    """A feature: `function(*inputs, *params)` on bars of `interval` (None: the interval of the bars it is given)."""

    text: str
    function: Callable[..., Float64]
    inputs: tuple[str, ...]
    params: tuple[float, ...]
    interval: str | None
    lookback: int
    instead: str = ""


def parse(text: str) -> Spec:
    """The spec that `text` names; parameters left out take their defaults.

    >>> parse("rsi:14@15m").interval
    '15m'

    Raises: ConfigError naming the spec, what is wrong with it, and the nearest known name.
    """
    match = _SPEC.fullmatch(text)
    if match is None:
        raise ConfigError("not a feature", value=text, remedy="write name, name:number,number or name:number@15m")
    name, numbers, interval = match.groups()
    if interval is not None:
        interval_ms(interval)
    if name in COLUMNS[1:]:
        if numbers is not None:
            raise ConfigError(f"feature {text!r}: the bar column {name} takes no numbers", remedy=f"write {name}")
        return Spec(text, _same, (name,), (), interval, 1)
    if name not in INDICATORS:
        known = [*INDICATORS, *COLUMNS[1:]]
        raise ConfigError(f"feature {text!r}: unknown indicator", value=name, remedy=nearest(name, known))
    part = INDICATORS[name]
    params = _params(text, part, [] if numbers is None else numbers.split(","))
    return Spec(text, part.function, part.inputs, params, interval, part.lookback(params), part.instead)


def lookback(specs: Iterable[str], interval: str) -> int:
    """Bars of `interval` that the last row of these specs needs.

    >>> lookback(["sma:20", "sma:10@15m"], "5m")
    33

    Raises: ConfigError naming a spec that cannot be read, or is of an interval the bars cannot make.
    """
    return max((_base_rows(parse(text), interval) for text in specs), default=1)


def _base_rows(spec: Spec, interval: str) -> int:
    """A longer interval needs its rows, and one bucket more for the one that is still open."""
    count = bars_per_bucket(interval, spec.interval or interval)
    return spec.lookback if count == 1 else (spec.lookback + 1) * count


def _same(column: Float64) -> Float64:
    return column


def _params(text: str, part: Indicator, given: list[str]) -> tuple[float, ...]:
    if len(given) > len(part.params):
        wanted = ", ".join(f"{key} ({default})" for key, default in part.params) or "none"
        raise ConfigError(f"feature {text!r}: too many numbers", value=len(given), remedy=f"it takes: {wanted}")
    read = [_number(text, part, key, default, word) for (key, default), word in zip(part.params, given, strict=False)]
    return (*read, *(default for _, default in part.params[len(given) :]))


def _number(text: str, part: Indicator, key: str, default: float, word: str) -> float:
    whole = isinstance(default, int)
    try:
        number = int(word) if whole else float(word)
    except ValueError:
        wanted = "a whole number" if whole else "a number"
        raise ConfigError(f"feature {text!r}: {key} must be {wanted}", value=word) from None
    if whole and not part.least <= number <= MAX_LENGTH:
        raise ConfigError(f"feature {text!r}: {key} must be in {part.least} .. {MAX_LENGTH}", value=number)
    if not (math.isfinite(number) and number > 0):
        raise ConfigError(f"feature {text!r}: {key} must be a positive number", value=number)
    return number
