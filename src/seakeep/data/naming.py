"""Symbol, interval and market as people write them into file and folder names."""

import re
from pathlib import Path

import numpy as np

from seakeep.core.errors import ConfigError
from seakeep.core.market import Int64
from seakeep.core.units import DAY_MS, HOUR_MS, MINUTE_MS

__all__ = ["interval_of", "refuse_untraded", "spacing", "stem", "symbol_of"]

_QUOTES = "USDT|USDC|FDUSD|BUSD|TUSD|DAI|USD|EUR|GBP|TRY|BRL|JPY|BTC|ETH|BNB"
_PAIR = re.compile(rf"(?<![A-Z0-9])([A-Z0-9]{{2,15}}?)[_/-]({_QUOTES})(?:[_:]({_QUOTES}))?(?![A-Z0-9])")
_JOINED = re.compile(rf"(?<![A-Z0-9])([A-Z0-9]{{2,15}})({_QUOTES})(?![A-Z0-9])")
_INTERVAL = re.compile(r"(?<![A-Za-z0-9])([1-9]\d{0,3}[smhdw])(?![A-Za-z0-9])")
_PERPETUAL = re.compile(r"(?<![a-z])(perp|perpetual|futures|swap|um)(?![a-z])", re.IGNORECASE)
_NOT_TRADES = re.compile(r"(?<![A-Za-z])(mark|index|premium|funding)(?![a-z])")
_SUFFIXES = (".zip", ".gz", ".csv", ".parquet", ".feather", ".json", ".txt")


def stem(path: Path) -> str:
    """File name without the endings of its format.

    >>> stem(Path("BTCUSDT-1h-2024-01.csv.gz"))
    'BTCUSDT-1h-2024-01'
    """
    name = path.name
    while name.lower().endswith(_SUFFIXES):
        name = name[: name.rindex(".")]
    return name


def interval_of(path: Path) -> str | None:
    """Interval in the file's name, else in its folder's.

    >>> interval_of(Path("1h_perp/BTCUSDT.parquet"))
    '1h'
    """
    match = _INTERVAL.search(stem(path)) or _INTERVAL.search(path.parent.name)
    return match[1] if match else None


def symbol_of(path: Path, market: str | None = None) -> str | None:
    """Symbol in the file's name; `market` "spot" or "perp" overrules what the names say of it.

    >>> symbol_of(Path("1h_perp/BTCUSDT.parquet"))
    'BTC/USDT:USDT'

    Raises: ConfigError if the name holds two symbols.
    """
    name = stem(path)
    found = {m.groups() for m in _PAIR.finditer(name)} or {(*m.groups(), None) for m in _JOINED.finditer(name)}
    if not found:
        return None
    if len(found) > 1:
        pairs = " and ".join(sorted(f"{base}/{quote}" for base, quote, _ in found))
        raise ConfigError(f"{path} names {pairs}", remedy="say which with --symbol")
    base, quote, settle = found.pop()
    perpetual = settle or _PERPETUAL.search(name) or _PERPETUAL.search(path.parent.name)
    if market == "perp" or (market is None and perpetual):
        return f"{base}/{quote}:{settle or quote}"
    return f"{base}/{quote}"


def refuse_untraded(path: Path) -> None:
    """Raises: ConfigError if the name says that these are mark, index or premium prices, or funding rates."""
    if match := _NOT_TRADES.search(stem(path)):
        remedy = "bars must come from trades; rename the file if these do"
        raise ConfigError(f"{path} looks like {match[1]} data, not traded bars", remedy=remedy)


def spacing(ts: Int64) -> str | None:
    """Interval that most neighbours of ascending `ts` (n,) lie apart; None if there are too few or it has no name.

    >>> spacing(np.array([0, 60_000, 120_000, 600_000]))
    '1m'
    """
    if len(ts) < 3:
        return None
    steps, counts = np.unique(np.diff(ts), return_counts=True)
    step = int(steps[np.argmax(counts)])
    for unit, letter in ((7 * DAY_MS, "w"), (DAY_MS, "d"), (HOUR_MS, "h"), (MINUTE_MS, "m"), (1_000, "s")):
        if step >= unit and step % unit == 0:
            return f"{step // unit}{letter}"
    return None
