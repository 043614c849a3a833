"""What every strategy must keep to, tried on real rows before it trades."""

from collections.abc import Callable, Mapping

import numpy as np

from seakeep.core.beliefs import FeatureFrame
from seakeep.core.errors import ConfigError
from seakeep.core.market import Float64
from seakeep.core.units import iso
from seakeep.features.checks import Violation, lookback_law, prefix_law
from seakeep.strategy.base import Strategy

__all__ = ["check"]


def check(name: str, strategy: Strategy, frame: FeatureFrame, forecasts: Mapping[str, Float64]) -> None:
    """Hold a strategy to its contract on these rows (n, k): shape, range, and the laws of the past.

    Raises: ConfigError saying which rule it breaks, at which bar, and what to do.
    """
    n = len(frame)

    def over(start: int, stop: int) -> Float64:
        rows = FeatureFrame(frame.symbol, frame.ts[start:stop], frame.names, frame.values[start:stop])
        beliefs = {expert: table[start:stop] for expert, table in forecasts.items()}
        return _scores(name, _tried(name, lambda: strategy.score(rows, beliefs)), stop - start)

    over(0, n)
    cuts = [cut for cut in (n // 3, n // 2, n - 1) if cut >= strategy.lookback]
    for found in prefix_law(name, over, n, cuts)[:1]:
        raise ConfigError(
            f"strategy {name} looks ahead: adding later bars changed its score at {_bar(frame, found)}",
            remedy="score each row from that row and rows before it only",
        )
    for found in lookback_law(name, over, n, strategy.lookback, cuts)[:1]:
        raise ConfigError(
            f"strategy {name} needs more rows than its lookback of {strategy.lookback}: at {_bar(frame, found)}",
            remedy=f"set lookback on the class to the number of rows that {name} looks back on",
        )


def _bar(frame: FeatureFrame, found: Violation) -> str:
    return f"{iso(int(frame.ts[found.row]))} it gave {found.got:g} instead of {found.expected:g}"


def _tried(name: str, call: Callable[[], object]) -> object:
    """What the call gives; a user's own mistake becomes one clear line."""
    try:
        return call()
    except Exception as error:
        remedy = "try its score on a few rows; a frame has the columns its features name"
        raise ConfigError(f"strategy {name} failed: {type(error).__name__}: {error}", remedy=remedy) from error


def _scores(name: str, scores: object, rows: int) -> Float64:
    """The scores as floats (rows,). Raises: ConfigError if they are not one number in [-1, 1], or NaN, for each row."""
    table = np.asarray(scores, dtype=np.float64)
    if table.shape != (rows,):
        raise ConfigError(
            f"strategy {name} must give one score for each row",
            value=table.shape,
            remedy=f"return an array of shape ({rows},) for {rows} rows",
        )
    wild = np.abs(table[~np.isnan(table)]) > 1.0
    if wild.any():
        value = float(table[~np.isnan(table)][wild][0])
        raise ConfigError(f"strategy {name} must score in [-1, 1]", value=value, remedy="use np.clip(score, -1, 1)")
    return table
