"""What the learning experts look at: numbers without a unit, so that rows of all symbols and of all times compare.

Each input is made of a few features; its group is what importance is summed by. Distances are in average true ranges,
returns in deviations, oscillators in -1 .. 1. Where the market stands still and the measure is zero, so is the input.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from seakeep.core.beliefs import FeatureFrame
from seakeep.core.errors import ConfigError
from seakeep.core.market import Float64
from seakeep.core.registry import nearest

__all__ = ["INPUTS", "VOLATILITY", "Input", "all_but", "specs", "table"]

VOLATILITY = "return_std:48"
"""Deviation of a bar's log return: the unit in which forecasts are learnt."""
_RANGE = "atr:50"


@dataclass(frozen=True, slots=True)
class Input:
    """`form(*columns)` of the features `specs`, each (n,), gives the input (n,)."""

    group: str
    specs: tuple[str, ...]
    form: Callable[..., Float64]


def _over(part: Float64, whole: Float64) -> Float64:
    """part / whole; 0 where whole is 0, NaN where either is."""
    out = np.where(np.isnan(part + whole), np.nan, 0.0)
    return np.divide(part, whole, out=out, where=whole != 0)


def _returns(bars: int) -> Input:
    root = math.sqrt(bars)
    return Input("price action", (f"log_return:{bars}", VOLATILITY), lambda r, v: _over(r, v * root))


def _oscillator(group: str, spec: str, middle: float, reach: float) -> Input:
    return Input(group, (spec,), lambda x: (x - middle) / reach)


def _log_ratio(group: str, spec: str, whole: str) -> Input:
    """Logarithm of a ratio of two measures of size, cut off at a thousandth and a thousand; a zero counts as one."""
    return Input(group, (spec, whole), lambda a, b: np.log(np.clip(np.where(a == 0, 1.0, _over(a, b)), 1e-3, 1e3)))


def _distance(spec: str, other: str) -> Input:
    return Input("trend", (spec, other, _RANGE), lambda a, b, r: _over(a - b, r))


INPUTS: Mapping[str, Input] = {
    "return_1": _returns(1),
    "return_6": _returns(6),
    "return_24": _returns(24),
    "return_96": _returns(96),
    "band": _oscillator("price action", "bb_position:20", 0.5, 0.5),
    "rsi": _oscillator("momentum", "rsi:14", 50.0, 50.0),
    "stochastic": _oscillator("momentum", "stoch_k:14", 50.0, 50.0),
    "macd": Input("momentum", ("macd_hist", _RANGE), _over),
    "burst": _log_ratio("volatility", "return_std:12", VOLATILITY),
    "range": _log_ratio("volatility", "parkinson:20", VOLATILITY),
    "near": _distance("close", "ema:20"),
    "cross": _distance("ema:20", "ema:50"),
    "efficiency": _oscillator("trend", "efficiency_ratio:20", 0.0, 1.0),
    "volume": _oscillator("volume", "volume_z:20", 0.0, 1.0),
    "money_flow": _oscillator("volume", "mfi:14", 50.0, 50.0),
    "accumulation": _oscillator("volume", "cmf:20", 0.0, 1.0),
}


def all_but(without: str) -> tuple[str, ...]:
    """Names of all inputs but those named in `without`, separated by commas.

    >>> len(all_but("volume, rsi")) == len(INPUTS) - 2
    True

    Raises: ConfigError for an unknown name, or where nothing is left.
    """
    dropped = {name.strip() for name in without.split(",") if name.strip()}
    for name in sorted(dropped - INPUTS.keys()):
        raise ConfigError("unknown input", value=name, remedy=nearest(name, list(INPUTS)))
    kept = tuple(name for name in INPUTS if name not in dropped)
    if not kept:
        raise ConfigError("no input is left", value=without, remedy="leave fewer out")
    return kept


def specs(names: Sequence[str]) -> tuple[str, ...]:
    """The feature specs that these inputs and the unit of the forecasts need, each once."""
    return tuple(dict.fromkeys([VOLATILITY, *(spec for name in names for spec in INPUTS[name].specs)]))


def table(frame: FeatureFrame, names: Sequence[str]) -> Float64:
    """These inputs of every row (n, k); NaN where a feature is one, or is infinite."""
    out = np.empty((len(frame), len(names)))
    for j, name in enumerate(names):
        part = INPUTS[name]
        out[:, j] = part.form(*(frame[spec] for spec in part.specs))
    out[~np.isfinite(out)] = np.nan
    return out
