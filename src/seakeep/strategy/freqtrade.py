"""Strategies written for freqtrade, run as they are: their entry and exit columns become scores.

An entry scores +1 (short: -1) on its bar, an exit scores a little on the other side, so that it ends that side and no
other, and a bar without a signal abstains: what is held stays. Orders then meet the next bar's open, as there. What a
foreign class asks of its bot (stops, profit targets, bar length) is a setting here: `asks` lists it.
"""

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from seakeep.core.beliefs import FeatureFrame
from seakeep.core.errors import ConfigError
from seakeep.core.market import Float64
from seakeep.strategy.base import Strategy

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["COLUMNS", "LOOKBACK", "IStrategy", "Parameter", "adapt", "asks", "modules", "warm"]

COLUMNS = ("open", "high", "low", "close", "volume")
"""The bar columns a foreign strategy reads."""

LOOKBACK = 500
"""Bars a foreign strategy is shown, unless it names its own `lookback` or asks for more."""

_LEAVE = 0.3
"""Score of an exit: beyond the default exit threshold for the other side, far from an entry."""

_UNSUPPORTED = (
    "informative_pairs", "custom_stoploss", "custom_exit", "custom_entry_price", "custom_exit_price",
    "confirm_trade_entry", "confirm_trade_exit", "adjust_trade_position", "leverage", "custom_stake_amount",
)  # fmt: skip


class Parameter:
    """A hyperparameter: its default is its value, until a parameter of the same name is set in the configuration."""

    def __init__(self, *bounds: Any, default: Any, space: str = "", optimize: bool = True, load: bool = True) -> None:
        self.bounds, self.value = bounds, default
        self.space, self.optimize, self.load = space, optimize, load


class IStrategy:
    """What a freqtrade strategy inherits from, as far as its signals need it."""

    timeframe: str = "5m"
    stoploss: float = -1.0
    minimal_roi: ClassVar[Mapping[str, float]] = {}
    trailing_stop: bool = False
    trailing_stop_positive: float | None = None
    can_short: bool = False
    startup_candle_count: int = 30

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        self.config = dict(config or {})

    def populate_indicators(self, dataframe: "pd.DataFrame", metadata: Mapping[str, str]) -> "pd.DataFrame":
        """Add columns to the bars."""
        return dataframe

    def populate_entry_trend(self, dataframe: "pd.DataFrame", metadata: Mapping[str, str]) -> "pd.DataFrame":
        """Set `enter_long` and `enter_short`."""
        return self._older("populate_buy_trend", dataframe, metadata, {"buy": "enter_long"})

    def populate_exit_trend(self, dataframe: "pd.DataFrame", metadata: Mapping[str, str]) -> "pd.DataFrame":
        """Set `exit_long` and `exit_short`."""
        return self._older("populate_sell_trend", dataframe, metadata, {"sell": "exit_long"})

    def _older(
        self, name: str, dataframe: "pd.DataFrame", metadata: Mapping[str, str], renamed: Mapping[str, str]
    ) -> "pd.DataFrame":
        """The method of an older interface, with its columns renamed."""
        method = getattr(self, name, None)
        return dataframe if method is None else method(dataframe, metadata).rename(columns=renamed)


def adapt(foreign: type) -> type[Strategy]:
    """A Strategy of the same name that scores as `foreign` signals; its hyperparameters are parameters here.

    Raises: ConfigError if the class needs what signals cannot carry.
    """
    used = [name for name in _UNSUPPORTED if name in {k for kind in foreign.__mro__[:-2] for k in vars(kind)}]
    used = [name for name in used if getattr(IStrategy, name, None) is not getattr(foreign, name)]
    if used:
        remedy = "take it out; stops, sizes and orders belong to [risk] here"
        raise ConfigError(
            f"strategy {foreign.__name__} overrides {used[0]}, which its signals do not carry", remedy=remedy
        )
    defaults = {name: part.value for name, part in _parameters(foreign).items()}
    warm_up = int(getattr(foreign, "startup_candle_count", IStrategy.startup_candle_count))
    lookback = int(getattr(foreign, "lookback", max(warm_up, LOOKBACK)))

    def score(self: Strategy, frame: FeatureFrame, forecasts: Mapping[str, Float64]) -> Float64:
        """Scores (n,) of the foreign signals."""
        return warm(frame, lookback, lambda: _scores(foreign, {name: getattr(self, name) for name in defaults}, frame))

    body: dict[str, Any] = {
        "__annotations__": {name: type(value) for name, value in defaults.items()},
        "__doc__": foreign.__doc__ or f"{foreign.__name__}, written for freqtrade.",
        "__module__": foreign.__module__,
        "features": COLUMNS,
        "lookback": lookback,
        "score": score,
    }
    return type(foreign.__name__, (Strategy,), defaults | body)


def warm(frame: FeatureFrame, lookback: int, score: Callable[[], Float64]) -> Float64:
    """Scores (n,), abstaining until `lookback` bars are there: a foreign function may fail on fewer."""
    if len(frame) < lookback:
        return np.full(len(frame), np.nan)
    out = score()
    out[: lookback - 1] = np.nan
    return out


def _parameters(foreign: type) -> dict[str, Parameter]:
    return {name: part for name in dir(foreign) if isinstance(part := getattr(foreign, name), Parameter)}


def _scores(foreign: type, values: Mapping[str, Any], frame: FeatureFrame) -> Float64:
    import pandas as pd

    table = pd.DataFrame({name: frame[name] for name in COLUMNS})
    table.insert(0, "date", pd.to_datetime(frame.ts, unit="ms", utc=True))
    bot, metadata = foreign({}), {"pair": frame.symbol}
    for name, value in values.items():
        held = Parameter(default=value)
        setattr(bot, name, held)
    for step in ("populate_indicators", "populate_entry_trend", "populate_exit_trend"):
        table = getattr(bot, step)(table, metadata)
    if len(table) != len(frame):
        raise ConfigError(f"strategy {foreign.__name__} changed the number of bars", value=len(table))
    enter_long, enter_short, exit_long, exit_short = (
        table[name].fillna(0).to_numpy(np.float64) == 1 if name in table else np.zeros(len(frame), bool)
        for name in ("enter_long", "enter_short", "exit_long", "exit_short")
    )
    out = np.full(len(frame), np.nan)
    out[exit_long], out[exit_short] = -_LEAVE, _LEAVE
    out[exit_long & exit_short] = 0.0
    clean = ~(enter_long & enter_short)
    out[enter_long & ~exit_long & clean], out[enter_short & ~exit_short & clean] = 1.0, -1.0
    return out


def asks(foreign: type) -> dict[str, object]:
    """What the class asks of its bot, as settings here: dotted key and value; None says that nothing here does it."""
    told: dict[str, object] = {"run.interval": getattr(foreign, "timeframe", IStrategy.timeframe)}
    stop, roi = float(getattr(foreign, "stoploss", -1.0)), dict(getattr(foreign, "minimal_roi", {}))
    if -1.0 < stop < 0.0:
        told["risk.stops.stop_loss"] = -stop
    if "0" in roi:
        told["risk.stops.take_profit"] = float(roi.pop("0"))
    if roi:
        told[f"minimal_roi after {', '.join(sorted(roi, key=int))} minutes"] = None
    if getattr(foreign, "trailing_stop", False):
        told["risk.stops.trailing"] = getattr(foreign, "trailing_stop_positive", None) or -stop
    if getattr(foreign, "can_short", False):
        told["can_short: trade a perpetual, such as BTC/USDT:USDT"] = None
    return told


def modules() -> dict[str, ModuleType]:
    """Stand-ins for what such a file imports, by module name, for where freqtrade is not installed."""
    top, strategy, vendor = ModuleType("freqtrade"), ModuleType("freqtrade.strategy"), ModuleType("freqtrade.vendor")
    package, crossings = ModuleType("freqtrade.vendor.qtpylib"), ModuleType("freqtrade.vendor.qtpylib.indicators")
    names: dict[str, Any] = {"IStrategy": IStrategy}
    kinds = ("IntParameter", "DecimalParameter", "RealParameter", "BooleanParameter", "CategoricalParameter")
    names |= dict.fromkeys(kinds, Parameter)
    vars(strategy).update(names)
    vars(crossings).update({"crossed_above": _crossed_above, "crossed_below": _crossed_below})
    made = (top, strategy, vendor, package, crossings)
    return {module.__name__: module for module in made}


def _crossed_above(first: "pd.Series[float]", second: "pd.Series[float] | float") -> "pd.Series[bool]":
    before = second if isinstance(second, int | float) else second.shift(1)
    return (first > second) & (first.shift(1) <= before)


def _crossed_below(first: "pd.Series[float]", second: "pd.Series[float] | float") -> "pd.Series[bool]":
    before = second if isinstance(second, int | float) else second.shift(1)
    return (first < second) & (first.shift(1) >= before)
