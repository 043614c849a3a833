"""Milliseconds, intervals, time ranges, and the one bridge from float estimates to Decimal obligations."""

import math
import re
from datetime import UTC, datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from functools import lru_cache

from seakeep.core.errors import ConfigError

__all__ = [
    "DAY_MS",
    "HOUR_MS",
    "MINUTE_MS",
    "YEAR_MS",
    "as_float",
    "interval_ms",
    "iso",
    "parse_time",
    "parse_timerange",
    "quantise",
    "quantise_down",
    "quantise_up",
]

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
YEAR_MS = 365 * DAY_MS
"""A crypto year trades 365 days."""

_COUNTABLE = 1e15
_CLEAR = 1e-15
"""A count further than this from a whole one, relatively, is not a matter of rounding."""
_UNITS = {"s": 1_000, "m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS, "w": 7 * DAY_MS}
_INTERVAL = re.compile(r"([1-9]\d{0,4})([smhdw])")
_DATE = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})")


def interval_ms(interval: str) -> int:
    """Length of a bar interval such as "5m", "1h", "1d" in milliseconds.

    >>> interval_ms("15m")
    900000

    Raises: ConfigError if it is not a whole number followed by s, m, h, d or w.
    """
    match = _INTERVAL.fullmatch(interval)
    if match is None:
        raise ConfigError("not an interval", value=interval, remedy="write for example 1m, 5m, 1h or 1d")
    return int(match[1]) * _UNITS[match[2]]


def iso(ts: int) -> str:
    """UTC time stamp in ISO form; the seconds' fraction only when there is one.

    >>> iso(1_700_000_000_000)
    '2023-11-14T22:13:20Z'
    """
    whole = datetime.fromtimestamp(ts // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{ts % 1000:03d}Z" if ts % 1000 else f"{whole}Z"


def parse_time(text: str) -> int:
    """Milliseconds since 1970 (UTC) of "20240101", "2024-01-01", an ISO time stamp, or milliseconds.

    >>> parse_time("20240101") == parse_time("2024-01-01T00:00:00Z") == parse_time("1704067200000")
    True

    Raises: ConfigError naming the text.
    """
    text = text.strip()
    try:
        if match := _DATE.fullmatch(text):
            moment = datetime(int(match[1]), int(match[2]), int(match[3]), tzinfo=UTC)
        elif text.isdigit() and len(text) > 10:
            return int(text)
        else:
            moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError("not a time", value=text, remedy="write 20240131 or 2024-01-31T12:00:00Z") from None
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def parse_timerange(text: str) -> tuple[int | None, int | None]:
    """Half-open range [start, end) in milliseconds of "20240101-20240601", "20240101-" or "-20240601".

    >>> parse_timerange("20240101-")
    (1704067200000, None)

    Raises: ConfigError if it cannot be read or is empty.
    """
    start_text, dash, end_text = text.partition("-")
    if not dash or not (start_text or end_text):
        raise ConfigError("not a time range", value=text, remedy="write 20240101-20240601, 20240101- or -20240601")
    start = parse_time(start_text) if start_text else None
    end = parse_time(end_text) if end_text else None
    if start is not None and end is not None and start >= end:
        raise ConfigError("the time range is empty: start must be before end", value=text)
    return start, end


def _quantise(value: float | Decimal, step: Decimal, rounding: str) -> Decimal:
    exact = value if isinstance(value, Decimal) else Decimal(repr(float(value)))
    if not exact.is_finite():
        raise ValueError(f"cannot quantise {value!r}: not a finite number")
    return (exact / step).to_integral_value(rounding) * step


def quantise(value: float | Decimal, step: Decimal) -> Decimal:
    """Nearest multiple of `step` (half to even).

    >>> quantise(0.1 + 0.2, Decimal("0.01"))
    Decimal('0.30')

    Raises: ValueError if the value is not finite.
    """
    return _quantise(value, step, ROUND_HALF_EVEN)


def quantise_down(value: float | Decimal, step: Decimal) -> Decimal:
    """Largest multiple of `step` not above the value: the safe side for a quantity or a price we receive."""
    whole = _whole(value, step)
    return _quantise(value, step, ROUND_FLOOR) if whole is None else Decimal(whole) * step


def quantise_up(value: float | Decimal, step: Decimal) -> Decimal:
    """Smallest multiple of `step` not below the value: the safe side for a price we pay."""
    whole = _whole(value, step)
    return _quantise(value, step, ROUND_CEILING) if whole is None else Decimal(whole + 1) * step


def _whole(value: float | Decimal, step: Decimal) -> int | None:
    """How many whole steps fit into a float, where a part of one is left that no rounding explains; else None."""
    width = as_float(step)
    if not isinstance(value, float) or not 0.0 < value < _COUNTABLE * width:
        return None
    count = value / width
    whole = math.floor(count)
    return whole if _CLEAR * count < count - whole < 1.0 - _CLEAR * count else None


@lru_cache(maxsize=1024)
def as_float(value: Decimal) -> float:
    """The float nearest to a decimal that is asked for often, such as a lot or a fee."""
    return float(value)
