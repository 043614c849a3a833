"""Commands about settings and the user folder: show-config, init, new-strategy."""

import json
import keyword
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seakeep.app.console import JsonFlag, emit, note
from seakeep.core.errors import ConfigError

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo
    from rich.console import Console

__all__ = ["config_text", "init", "new_strategy", "register", "show_config", "strategy_text"]

UserDir = Annotated[Path, typer.Option("--userdir", help="Folder of your settings, data, strategies and results.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="Settings file; else config.toml of --userdir.")]

_STRATEGY = """import numpy as np
from seakeep.strategy import STRATEGIES, Strategy


@STRATEGIES.register("{name}")
class {title}(Strategy):
    features = ("close", "donchian_upper:20", "donchian_lower:20")

    def score(self, frame, forecasts):
        close, upper, lower = (frame[name] for name in self.features)
        width = np.where(upper > lower, upper - lower, np.nan)
        return np.clip((2 * close - upper - lower) / width, -1, 1)
"""

_HEAD = """# Seakeep settings. A line that begins with '#' and no space is a default: take the '#' away to change it.
# Stronger than this file: SEAKEEP__RISK__LIMITS__MAX_WEIGHT=0.05 in the environment, then command-line options.
# Secrets (API keys, a database password) are read from the environment only and refused here.
"""


def show_config(config: ConfigFile = None, userdir: UserDir = Path("user_data"), as_json: JsonFlag = False) -> None:
    """Show every setting, its value, and where the value came from."""
    from seakeep.app.settings import config_path, load

    loaded = load(config_path(userdir, config), os.environ, {})
    for line in loaded.notices:
        note(line)
    values = dict(_flat(loaded.settings.model_dump(), ""))
    rows = {key: {"value": value, "source": loaded.provenance[key]} for key, value in values.items()}
    emit(rows, lambda console: _table(console, rows), as_json=as_json)


def init(folder: Annotated[Path, typer.Argument(help="The folder to make.")] = Path("user_data")) -> None:
    """Make a user folder: a commented config.toml with every default, and a first strategy."""
    files = {folder / "config.toml": config_text(), folder / "strategies" / "breakout.py": strategy_text("breakout")}
    for path in files:
        if path.exists():
            raise ConfigError(f"{path} is already there", remedy="name another folder, or move that file away")
    for path, text in files.items():
        _write_new(path, text)


def new_strategy(
    name: Annotated[str, typer.Argument(help="Its name, such as slow_breakout.")], userdir: UserDir = Path("user_data")
) -> None:
    """Write a ten-line strategy to start from."""
    from seakeep.strategy import STRATEGIES

    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        remedy = "use small letters, digits and _, beginning with a letter"
        raise ConfigError("not a strategy name", value=name, remedy=remedy)
    if name in STRATEGIES:
        raise ConfigError("a strategy of that name is already registered", value=name, remedy="choose another")
    _write_new(userdir / "strategies" / f"{name}.py", strategy_text(name))


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command("show-config")(show_config)
    app.command("init")(init)
    app.command("new-strategy")(new_strategy)


def strategy_text(name: str) -> str:
    """Source of a strategy that is long near the top of a 20-bar channel and short near its bottom."""
    return _STRATEGY.format(name=name, title="".join(word.capitalize() for word in name.split("_")))


def config_text() -> str:
    """A settings file that says every key, its meaning and its default, all commented out."""
    from seakeep.app.settings import Settings

    return _HEAD + "".join(f"{line}\n" for line in _section(Settings, ""))


def _section(model: "type[BaseModel]", name: str) -> Iterator[str]:
    inner = []
    if name:
        yield from ("", f"[{name}]")
    for key, field in model.model_fields.items():
        kind = field.annotation
        if hasattr(kind, "model_fields"):
            inner.append((kind, f"{name}.{key}" if name else key))
        elif name:
            yield from _default_line(key, field)
        else:
            yield from ("", f"# {field.description}", f"#[{key}.ma]")
    for kind, dotted in inner:
        yield from _section(kind, dotted)  # type: ignore[arg-type]


def _default_line(key: str, field: "FieldInfo") -> Iterator[str]:
    if field.description:
        yield f"# {field.description}"
    default = field.get_default(call_default_factory=True)
    value = default if default is not None else (field.examples or [""])[0]
    yield f"#{key} = {_toml(value)}"


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {_toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return json.dumps(value) if isinstance(value, str | bool) else str(value)


def _write_new(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        remedy = "choose another name, or move that file away"
        raise ConfigError(f"{error.filename} is already there", remedy=remedy) from None
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error}", remedy="choose a folder you may write to") from None
    note(f"wrote {path}")


def _flat(tree: dict[str, Any], above: str) -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def _table(console: "Console", rows: dict[str, dict[str, Any]]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in ("setting", "value", "from"):
        table.add_column(title, overflow="fold")
    for key, row in rows.items():
        table.add_row(key, _toml(row["value"]) if row["value"] is not None else "not set", row["source"])
    console.print(table)
