"""Every registered indicator obeys the four laws on a series no market would be proud of, at three price levels."""

from importlib import import_module
from inspect import signature
from pkgutil import iter_modules
from typing import Any

import numpy as np
import pytest

import seakeep.features
from seakeep.core.market import BarFrame, Float64
from seakeep.features import INDICATORS, checks
from seakeep.features.base import Indicator

ROWS = 6_400


def nasty(seed: int, level: float, rows: int = ROWS) -> BarFrame:
    """Fat-tailed bars with standstills, stretches without a trade, jumps by a factor of five, volumes of any size."""
    rng = np.random.default_rng(seed)
    steps, still, idle = rng.standard_t(4, rows) * 0.004, np.zeros(rows, bool), np.zeros(rows, bool)
    for cell in range(0, rows - 320, 320):
        start = cell + int(rng.integers(100))
        still[start : start + 40] = True
        idle[start + 180 : start + 190] = True
        steps[start + 120] += np.log(5.0) * (1.0 if cell % 640 else -1.0)
    steps[still] = 0.0
    close = level * np.exp(np.cumsum(steps))
    wick = np.where(still, 0.0, np.abs(rng.normal(0.0, 0.002, (2, rows))))
    opened = np.where(still, close, np.r_[close[0], close[:-1]] * np.exp(rng.normal(0.0, 0.001, rows)))
    high, low = np.maximum(opened, close) * np.exp(wick[0]), np.minimum(opened, close) * np.exp(-wick[1])
    volume = np.where(idle, 0.0, np.exp(rng.normal(3.0, 2.0, rows)))
    return BarFrame("NASTY/USDT", "1m", np.arange(rows) * 60_000, opened, high, low, close, volume)


def over(part: Indicator, bars: BarFrame) -> checks.Rows:
    """The indicator with its default numbers over any rows of these bars."""
    numbers = [default for _, default in part.params]

    def rows(start: int, stop: int) -> Float64:
        return part.function(*(getattr(bars, name)[start:stop] for name in part.inputs), *numbers)

    return rows


@pytest.mark.parametrize("name", INDICATORS)
def test_every_indicator_obeys_the_four_laws(name: str) -> None:
    part = INDICATORS[name]
    lookback = part.lookback(tuple(default for _, default in part.params))
    cuts = np.random.default_rng(5).integers(lookback, ROWS, 60).tolist()
    for level in (1e-7, 1.0, 1e7):
        rows = over(part, nasty(11, level))
        broken = [
            *checks.prefix_law(name, rows, ROWS, [1, 2, lookback, *cuts[:8]]),
            *checks.lookback_law(name, rows, ROWS, lookback, [lookback, *cuts], differences=part.anchored),
            *checks.shape_law(name, rows, ROWS, lookback - 1),
            *checks.seed_law(name, lambda seed: over(part, nasty(seed, 1.0, 800))(0, 800), 3),
        ]
        assert broken == []


NUMBERS = {"length": 7, "lag": 3, "ddof": 1, "alpha": 0.3, "otherwise": 0.5, "threshold": 0.02, "width": 2.0}
NUMBERS |= {"fast": 3, "slow": 8, "signal": 4, "atr_length": 5, "age": 9, "sign": -1.0, "centre": 5.0}


def kernels() -> dict[str, Any]:
    """Every compiled function of the package, by its full name."""
    modules = [import_module(f"seakeep.features.{m.name}") for m in iter_modules(seakeep.features.__path__)]
    return {
        f"{module.__name__.rpartition('.')[2]}.{name}": part
        for module in modules
        for name, part in vars(module).items()
        if hasattr(part, "py_func") and part.py_func.__module__ == module.__name__
    }


def arguments(part: Any, bars: BarFrame) -> list[Any]:
    """Bar columns and numbers by parameter name; anything else is a series like the close, or rows of it.

    Columns are as they come from bars, read-only, so that an indicator is not compiled a second time for its twin; what
    only other kernels call is compiled for arrays that may be written.
    """
    given, named = [], any(part is INDICATORS[name].function for name in INDICATORS)
    for name, parameter in signature(part.py_func).parameters.items():
        if name in ("starts", "stops", "start", "limit"):
            given.append(np.arange(0, 280, 7) + (7 if name in ("stops", "limit") else 0))
        elif name in ("up", "down"):
            given.append(np.full(40, 0.01))
        elif parameter.default is not parameter.empty or name in NUMBERS:
            given.append(NUMBERS.get(name, parameter.default))
        elif parameter.annotation is float:
            given.append(1.5)
        else:
            column = getattr(bars, name if name in ("open", "high", "low", "volume") else "close")
            given.append(column if named else column.copy())
    return given


@pytest.mark.parametrize("name", kernels())
def test_a_kernel_computes_what_its_python_twin_computes(name: str) -> None:
    part = kernels()[name]
    bars = nasty(17, 100.0, 600).rows(0, 300)
    with np.errstate(all="ignore"):
        twin = part.py_func(*arguments(part, bars))
    for compiled, plain in zip(np.atleast_2d(part(*arguments(part, bars))), np.atleast_2d(twin), strict=True):
        np.testing.assert_allclose(compiled, plain, rtol=1e-11, atol=1e-11)
