"""Numbers as a person reads them: units, a true minus sign, and "n/a" for what is not known."""

import math
from datetime import UTC, datetime

from seakeep.core.units import DAY_MS, HOUR_MS, MINUTE_MS

__all__ = ["UNKNOWN", "compact", "day", "duration", "money", "percent", "plain", "price", "stamp"]

UNKNOWN = "n/a"
_MINUS = "\N{MINUS SIGN}"


def _text(value: float, form: str) -> str:
    if not math.isfinite(value):
        return UNKNOWN if math.isnan(value) else ("\N{INFINITY}" if value > 0 else f"{_MINUS}\N{INFINITY}")
    text = format(value, form)
    return text.lstrip("+-") if not any(c in "123456789" for c in text) else text.replace("-", _MINUS)


def percent(fraction: float, digits: int = 2, *, signed: bool = False) -> str:
    """A fraction as percent.

    >>> percent(0.1234), percent(0.1, 1, signed=True), percent(float("nan"))
    ('12.34%', '+10.0%', 'n/a')
    """
    return _text(fraction, f"{'+' if signed else ''},.{digits}%")


def money(amount: float, *, signed: bool = False) -> str:
    """An amount with two decimals, or none from a million on.

    >>> money(1234.5), money(12_345_678.9)
    ('1,234.50', '12,345,679')
    """
    digits = 0 if abs(amount) >= 1e6 else 2
    return _text(amount, f"{'+' if signed else ''},.{digits}f")


def plain(value: float, digits: int = 2) -> str:
    """A bare number with a fixed count of decimals."""
    return _text(value, f",.{digits}f")


def price(value: float) -> str:
    """A price with about five significant digits, whatever its size.

    >>> price(67_123.456), price(1.23456), price(0.0000123456)
    ('67,123.46', '1.2346', '0.000012346')
    """
    if not math.isfinite(value) or value == 0:
        return _text(value, ",.2f")
    return _text(value, f",.{max(2, 4 - math.floor(math.log10(abs(value))))}f")


def compact(value: float) -> str:
    """A number short enough for an axis.

    >>> compact(1_250_000), compact(100_500), compact(10_500), compact(0.5)
    ('1.25M', '100.5k', '10,500', '0.5')
    """
    for size, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e5, "k")):
        if abs(value) >= size:
            divisor = 1e3 if letter == "k" else size
            return _text(value / divisor, ".6g") + letter
    return _text(value, ",.6g") if abs(value) >= 1 or value == 0 else _text(value, ".4g")


def duration(ms: float) -> str:
    """A time span in its two largest units.

    >>> duration(93_600_000), duration(90_000), duration(0)
    ('1d 2h', '1m 30s', '0s')
    """
    if not math.isfinite(ms):
        return UNKNOWN
    left = round(ms / 1000)
    parts: list[str] = []
    for unit, seconds in (("d", DAY_MS // 1000), ("h", HOUR_MS // 1000), ("m", MINUTE_MS // 1000), ("s", 1)):
        count, left = divmod(left, seconds)
        if count or (parts and left):
            parts.append(f"{count}{unit}")
        if len(parts) == 2:
            break
    return " ".join(part for part in parts if part[0] != "0") or "0s"


def stamp(ts: int) -> str:
    """UTC date and minute; the seconds only when there are any.

    >>> stamp(1_700_000_000_000), stamp(1_699_999_980_000)
    ('2023-11-14 22:13:20', '2023-11-14 22:13')
    """
    form = "%Y-%m-%d %H:%M:%S" if ts % MINUTE_MS else "%Y-%m-%d %H:%M"
    return datetime.fromtimestamp(ts / 1000, UTC).strftime(form)


def day(ts: int) -> str:
    """UTC date, such as "14 Nov 2023"."""
    moment = datetime.fromtimestamp(ts / 1000, UTC)
    return f"{moment.day} {moment:%b %Y}"
