"""What a symbol says about itself: its folder in the store, its assets, and its steps as seen in stored bars."""

import re
from decimal import Decimal

import numpy as np

from seakeep.core.errors import ConfigError, DataError
from seakeep.core.market import BarFrame, Float64, Instrument, InstrumentKind

__all__ = ["derive_instrument", "folder_name", "split_symbol"]

_ASSET = r"[^\W_][^\W_]*(?:[.-][^\W_]+)*"
_SYMBOL = re.compile(rf"({_ASSET})/({_ASSET})(?::({_ASSET}))?")
_FINEST = 8  # decimals; venues quote no finer, more is floating-point noise of an aggregated source
_SAMPLE = 5_000


def split_symbol(symbol: str) -> tuple[str, str, InstrumentKind]:
    """Base, quote and kind of a ccxt symbol.

    >>> split_symbol("BTC/USDT:USDT")
    ('BTC', 'USDT', <InstrumentKind.PERPETUAL: 'perpetual'>)

    Raises: ConfigError if it is not BASE/QUOTE or BASE/QUOTE:SETTLE.
    """
    match = _SYMBOL.fullmatch(symbol)
    if match is None or len(symbol) > 64:
        raise ConfigError("not a symbol", value=symbol, remedy="write BTC/USDT, or BTC/USDT:USDT for a perpetual")
    return match[1], match[2], InstrumentKind.PERPETUAL if match[3] else InstrumentKind.SPOT


def folder_name(symbol: str) -> str:
    """Name of a symbol's folder; no symbol can name a path outside the store.

    >>> folder_name("BTC/USDT:USDT")
    'BTC_USDT_USDT'

    Raises: ConfigError if it is not a symbol.
    """
    split_symbol(symbol)
    return symbol.replace("/", "_").replace(":", "_")


def derive_instrument(frame: BarFrame) -> Instrument:
    """Instrument whose tick and lot are the finest steps seen in the newest bars; the venue's own rules are better.

    Raises: DataError if there are no bars.
    """
    if not len(frame):
        raise DataError("no bars to read the tick and the lot from", value=frame.symbol)
    base, quote, kind = split_symbol(frame.symbol)
    newest = frame.rows(max(0, len(frame) - _SAMPLE), len(frame))
    prices = np.concatenate([newest.open, newest.high, newest.low, newest.close])
    return Instrument(
        symbol=frame.symbol, base=base, quote=quote, kind=kind, tick=_step(prices), lot=_step(newest.volume)
    )


def _step(values: Float64) -> Decimal:
    """Finest power of ten that all values are multiples of, at most 1."""
    decimals = 0
    for value in np.unique(values).tolist():
        exponent = Decimal(repr(round(value, _FINEST))).normalize().as_tuple().exponent
        decimals = max(decimals, -int(exponent))
        if decimals >= _FINEST:
            break
    return Decimal(1).scaleb(-decimals)
