"""The market record: the latest state of one symbol on several time frames, as one value."""

import math

import msgspec
import numpy as np

from seakeep.core.errors import ConfigError, NotEnoughHistory
from seakeep.core.market import BarFrame
from seakeep.core.units import MINUTE_MS
from seakeep.features.frame import build, lookback

__all__ = ["MarketRecord", "market_record"]

_FEATURES = {
    "rsi": "rsi:14",
    "rsi_3m": "rsi:14@3m",
    "rsi_5m": "rsi:14@5m",
    "stoch_k": "stoch_k:14",
    "macd": "macd",
    "macd_3m": "macd@3m",
    "macd_5m": "macd@5m",
    "williams_r": "willr:14",
    "bb_position": "bb_position:20",
    "adx": "adx:14",
    "plus_di": "plus_di:14",
    "minus_di": "minus_di:14",
}
_TRENDING = 20.0
"""Below this ADX, after Wilder, there is no trend to speak of."""


class MarketRecord(msgspec.Struct, frozen=True):
    """State of a symbol at `ts`, the close of its last one-minute bar; None where the history is too short.

    `avg_volume` is the mean quote volume a minute over 20 minutes; `trend` is uptrend, downtrend or sideways by the
    directional indicators, sideways under an ADX of 20; `trend_strength` is the ADX in 0..1; changes are in percent.
    """

    symbol: str
    current_price: float
    ts: int
    avg_volume: float | None = None
    rsi: float | None = None
    rsi_3m: float | None = None
    rsi_5m: float | None = None
    stoch_k: float | None = None
    macd: float | None = None
    macd_3m: float | None = None
    macd_5m: float | None = None
    williams_r: float | None = None
    bb_position: float | None = None
    trend: str | None = None
    trend_strength: float | None = None
    price_change_1m: float | None = None
    price_change_3m: float | None = None
    price_change_5m: float | None = None
    price_change_15m: float | None = None


def market_record(bars: BarFrame) -> MarketRecord:
    """The record at the last of these one-minute bars.

    Raises: ConfigError if they are not one-minute bars; NotEnoughHistory if there are none.
    """
    if bars.interval != "1m":
        raise ConfigError("a market record is made of 1m bars", value=bars.interval, remedy="load the 1m bars")
    if not len(bars):
        raise NotEnoughHistory(f"{bars.symbol} has no bar to make a market record of")
    specs = tuple(_FEATURES.values())
    recent = bars.rows(max(0, len(bars) - lookback(specs, "1m")), len(bars))
    frame = build(recent, specs)
    seen = {name: _known(float(frame[spec][-1])) for name, spec in _FEATURES.items()}
    adx, plus, minus = seen.pop("adx"), seen.pop("plus_di"), seen.pop("minus_di")
    changes = {f"price_change_{m}m": _change(recent, m) for m in (1, 3, 5, 15)}
    return MarketRecord(
        bars.symbol,
        float(bars.close[-1]),
        int(bars.known_at[-1]),
        _turnover(recent),
        trend=None if adx is None or plus is None or minus is None else _trend(adx, plus, minus),
        trend_strength=None if adx is None else adx / 100.0,
        **seen,
        **changes,
    )


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _trend(adx: float, plus: float, minus: float) -> str:
    if adx < _TRENDING or plus == minus:
        return "sideways"
    return "uptrend" if plus > minus else "downtrend"


def _turnover(bars: BarFrame) -> float | None:
    paid = bars.close * bars.volume if bars.quote_volume is None else bars.quote_volume
    return _known(float(paid[-20:].mean())) if len(bars) >= 20 else None


def _change(bars: BarFrame, minutes: int) -> float | None:
    """Percent against the close of the bar exactly that many minutes earlier; None if there is no such bar."""
    then = int(bars.ts[-1]) - minutes * MINUTE_MS
    row = int(np.searchsorted(bars.ts, then))
    return _known(float(100.0 * (bars.close[-1] / bars.close[row] - 1.0))) if bars.ts[row] == then else None
