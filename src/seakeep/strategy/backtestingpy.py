"""Strategies written for backtesting.py, run as they are: `next` is replayed and its orders become scores.

`buy()` scores +1, `sell()` -1, `position.close()` 0, and a bar without an order abstains: what is held stays. The
replay starts flat at the first bar of the window with every indicator known, and its orders meet the next bar.
"""

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from seakeep.core.beliefs import FeatureFrame
from seakeep.core.errors import ConfigError
from seakeep.core.market import Float64
from seakeep.strategy.base import Strategy
from seakeep.strategy.freqtrade import COLUMNS, LOOKBACK, warm

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Bot", "adapt", "modules"]

_UNSUPPORTED = "only market orders of full size have a score; set stops, targets and sizes under [risk]"


class _Data:
    """The bars as the strategy sees them: `data.Close[-1]` is the close of the bar it is asked on."""

    def __init__(self, frame: FeatureFrame) -> None:
        self._frame, self.stop = frame, len(frame)

    def __getattr__(self, name: str) -> Float64:
        if name.lower() not in COLUMNS:
            raise AttributeError(f"the bars have Open, High, Low, Close and Volume, not {name}")
        return self._frame[name.lower()][: self.stop]

    def __len__(self) -> int:
        return self.stop

    @property
    def index(self) -> Any:
        """Open of each bar seen, as dates."""
        import pandas as pd

        return pd.to_datetime(self._frame.ts[: self.stop], unit="ms", utc=True)

    @property
    def df(self) -> "pd.DataFrame":
        """The bars seen, as a table."""
        import pandas as pd

        return pd.DataFrame({name.title(): self._frame[name][: self.stop] for name in COLUMNS}, index=self.index)


class _Position:
    """What the replay holds: +1, 0 or -1; `wanted` is where this bar's orders take it at the next open."""

    def __init__(self) -> None:
        self.size, self.wanted = 0, float("nan")

    def __bool__(self) -> bool:
        return self.size != 0

    @property
    def is_long(self) -> bool:
        return self.size > 0

    @property
    def is_short(self) -> bool:
        return self.size < 0

    def close(self, portion: float = 1.0) -> None:
        if portion < 1.0:
            raise ConfigError(f"position.close(portion={portion}) closes a part", remedy=_UNSUPPORTED)
        if self.size and np.isnan(self.wanted):
            self.wanted = 0.0


class Bot:
    """What a backtesting.py strategy inherits from, as far as its orders need it."""

    data: Any
    position: Any

    def init(self) -> None:
        """Declare indicators."""

    def next(self) -> None:
        """Give orders."""


def _replaying(foreign: type, frame: FeatureFrame, values: Mapping[str, Any]) -> Any:
    """An instance of the foreign class over these bars, whose orders only move its position."""
    declared: list[Float64] = []

    def indicator(self: Any, function: Callable[..., Any], *args: Any, **options: Any) -> Float64:
        for drawing in ("name", "plot", "overlay", "color", "scatter"):
            options.pop(drawing, None)
        values = np.asarray(function(*args, **options), np.float64)
        declared.append(values)
        return values

    def order(side: float) -> Callable[..., None]:
        def give(self: Any, *, size: float = 1.0, tag: object = None, **conditions: Any) -> None:
            asked = [name for name, value in conditions.items() if value is not None]
            if asked or size < 0.5:
                raise ConfigError(f"an order with {asked[0] if asked else f'size={size}'}", remedy=_UNSUPPORTED)
            self.position.wanted = side

        return give

    body: dict[str, Any] = {"__init__": lambda self: None, "I": indicator, "buy": order(1.0), "sell": order(-1.0)}
    body |= {"data": _Data(frame), "position": _Position(), "declared": declared, **values}
    return type(foreign.__name__, (foreign,), body)()


def adapt(foreign: type) -> type[Strategy]:
    """A Strategy of the same name that scores as the orders of `foreign`; its numbers are parameters here."""
    defaults = {
        name: value
        for name, value in vars(foreign).items()
        if not name.startswith("_") and isinstance(value, int | float | str) and name != "lookback"
    }

    lookback = int(getattr(foreign, "lookback", LOOKBACK))

    def score(self: Strategy, frame: FeatureFrame, forecasts: Mapping[str, Float64]) -> Float64:
        """Scores (n,) of the foreign orders."""
        return warm(frame, lookback, lambda: _scores(foreign, {name: getattr(self, name) for name in defaults}, frame))

    body: dict[str, Any] = {
        "__annotations__": {name: type(value) for name, value in defaults.items()},
        "__doc__": foreign.__doc__ or f"{foreign.__name__}, written for backtesting.py.",
        "__module__": foreign.__module__,
        "features": COLUMNS,
        "lookback": lookback,
        "score": score,
    }
    return type(foreign.__name__, (Strategy,), defaults | body)


def _scores(foreign: type, values: Mapping[str, Any], frame: FeatureFrame) -> Float64:
    bot = _replaying(foreign, frame, values)
    bot.init()
    whole = {name: value for name, value in vars(bot).items() if any(value is known for known in bot.declared)}
    first = max((_warm_up(values) for values in bot.declared), default=0) + 1
    out = np.full(len(frame), np.nan)
    for row in range(first, len(frame)):
        bot.data.stop = row + 1
        for name, column in whole.items():
            setattr(bot, name, column[..., : row + 1])
        bot.position.wanted = float("nan")
        bot.next()
        out[row] = bot.position.wanted
        if not np.isnan(out[row]):
            bot.position.size = int(out[row])
    return out


def _warm_up(column: Float64) -> int:
    """Rows before the first one that is known."""
    known = np.isfinite(column).all(axis=0) if column.ndim > 1 else np.isfinite(column)
    return int(known.argmax()) if known.any() else column.shape[-1]


def modules() -> dict[str, ModuleType]:
    """Stand-ins for what such a file imports, by module name, for where backtesting.py is not installed."""
    top, lib = ModuleType("backtesting"), ModuleType("backtesting.lib")
    vars(top).update({"Strategy": Bot, "lib": lib})
    vars(lib).update({"crossover": _crossover, "cross": lambda a, b: _crossover(a, b) or _crossover(b, a)})
    return {module.__name__: module for module in (top, lib)}


def _crossover(first: Any, second: Any) -> bool:
    """Whether `first` has just gone above `second`; either may be a number."""
    (a0, a1), (b0, b1) = ((s, s) if isinstance(s, int | float) else (s[-2], s[-1]) for s in (first, second))
    return bool(a0 < b0 and a1 > b1)
