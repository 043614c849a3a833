"""Strategy files in `strategies/` of the user folder: our own, and those of other systems, which run as they are."""

import importlib.util
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from seakeep.core.errors import ConfigError
from seakeep.strategy import STRATEGIES, backtestingpy, freqtrade

__all__ = ["Adopted", "load_strategy_file", "load_user_strategies", "migrate"]


@dataclass(frozen=True)
class Adopted:
    """A foreign class that runs here: its name, where it comes from, and what it asks of its bot.

    `asks` maps dotted keys to values; None marks what nothing here does.
    """

    name: str
    system: str
    asks: dict[str, object]


def load_user_strategies(userdir: Path) -> None:
    """Import every file of `strategies/` in the user folder, so that it can register what it defines.

    Raises: ConfigError naming the file and what is wrong with it.
    """
    for path in sorted((userdir / "strategies").glob("*.py")):
        if _module_name(path) not in sys.modules:
            sys.modules[_module_name(path)], _ = load_strategy_file(path)


def _module_name(path: Path) -> str:
    return f"seakeep_user_{path.stem}"


def load_strategy_file(path: Path) -> tuple[ModuleType, list[Adopted]]:
    """Import one file, so that it can register what it defines; the strategies of other systems that it brings.

    Raises: ConfigError naming the file and what is wrong with it.
    """
    spec = importlib.util.spec_from_file_location(_module_name(path), path)
    if spec is None or spec.loader is None:
        raise ConfigError("not a Python file", value=str(path))
    module = importlib.util.module_from_spec(spec)
    try:
        _lend_modules(path.read_text(encoding="utf-8"))
        spec.loader.exec_module(module)
        return module, _adopt(module)
    except (Exception, SystemExit) as error:
        said, remedy = f"{type(error).__name__}: {error}", "correct the file or move it out of strategies/"
        raise ConfigError(f"{path.name} cannot be loaded: {said}", remedy=remedy) from error


def _lend_modules(source: str) -> None:
    """Provide what a foreign file imports, where the system it was written for is not installed."""
    for system, made in (("freqtrade", freqtrade.modules), ("backtesting", backtestingpy.modules)):
        if f"{system}" in source and system not in sys.modules and find_spec(system) is None:
            sys.modules.update(made())


def _adopt(module: ModuleType) -> list[Adopted]:
    """Register every foreign strategy class that the module defines, under its own name."""
    found = []
    for name, part in vars(module).items():
        if not isinstance(part, type) or part.__module__ != module.__name__:
            continue
        bases = {f"{kind.__module__.partition('.')[0]}.{kind.__name__}" for kind in part.__mro__[1:]}
        if freqtrade.IStrategy in part.__mro__ or "freqtrade.IStrategy" in bases:
            STRATEGIES.add(name, freqtrade.adapt(part))
            found.append(Adopted(name, "freqtrade", freqtrade.asks(part)))
        elif backtestingpy.Bot in part.__mro__ or "backtesting.Strategy" in bases:
            STRATEGIES.add(name, backtestingpy.adapt(part))
            found.append(Adopted(name, "backtesting.py", {}))
    return found


def migrate(file: Path, userdir: Path) -> tuple[Path, list[Adopted]]:
    """Try a foreign file, and copy it into the user folder's `strategies/`; the classes it brings.

    Raises: ConfigError if it cannot be loaded, brings no strategy, or another file of its name is there.
    """
    if not file.is_file():
        raise ConfigError("there is no such file", value=str(file))
    place = userdir / "strategies" / f"{file.stem.lower().replace('-', '_')}.py"
    source = file.read_bytes()
    if place.exists() and place.read_bytes() != source:
        raise ConfigError("another strategy file has that name", value=str(place), remedy="rename one of them")
    _, found = load_strategy_file(file)
    if not found:
        remedy = "it must define a class that inherits from IStrategy (freqtrade) or Strategy (backtesting.py)"
        raise ConfigError(f"{file.name} brings no strategy", remedy=remedy)
    place.parent.mkdir(parents=True, exist_ok=True)
    partial = place.with_suffix(".partial")
    partial.write_bytes(source)
    partial.replace(place)
    return place, found
