"""Settings: one TOML, a section per package, strict and frozen; every value knows where it came from.

Precedence, strongest first: command-line option, `SEAKEEP__SECTION__KEY` in the environment, a name the field already
uses (`MAX_POSITION_SIZE`), the file, the default. Secrets live in the environment only.
"""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from seakeep.app.sections import Param, Settings
from seakeep.app.telemetry import is_secret_name, mask
from seakeep.core.errors import ConfigError
from seakeep.core.registry import nearest

__all__ = ["ALIASES", "UNREAD", "Loaded", "Settings", "config_path", "known_keys", "load"]

Parts = tuple[str, ...]

ALIASES = {
    "MAX_POSITION_SIZE": "risk.limits.max_weight",
    "MAX_DAILY_DRAWDOWN": "risk.limits.max_daily_loss",
    "DATABASE_URL": "ledger.url",
}
"""Environment names the field already uses, and the key each one sets."""

UNREAD = ("VAR_CONFIDENCE", "REDIS_URL", "USE_BINANCE_TESTNET")
"""Names the field uses for what is not built yet: when set, `Loaded.notices` says that nothing reads them."""

_PREFIX = "SEAKEEP__"
_KEY_LINE = re.compile(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")
_HEADER = re.compile(r"\s*\[\s*([^\[\]]+?)\s*\]")


@dataclass(frozen=True)
class Loaded:
    """Settings, where each dotted key came from, and what a person should be told."""

    settings: Settings
    provenance: Mapping[str, str]
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Entry:
    """One value of one layer; `origin` is a file and line, an environment name, or an option."""

    parts: Parts
    value: object
    origin: str


def load(path: Path | None, env: Mapping[str, str], overrides: Mapping[str, object]) -> Loaded:
    """Settings from a TOML file (None: no file), an environment, and dotted overrides (None: option not given).

    >>> load(None, {"MAX_POSITION_SIZE": "0.05"}, {}).provenance["risk.limits.max_weight"]
    'env MAX_POSITION_SIZE'

    Raises: ConfigError naming the dotted key, the value, where it was set, and what is allowed or the nearest key.
    """
    entries = [*_from_file(path), *_from_env(env), *_from_options(overrides)]
    tree: dict[str, Any] = {}
    origins: dict[Parts, str] = {}
    for entry in entries:
        _set(tree, entry)
        origins[entry.parts] = entry.origin
    try:
        settings = Settings.model_validate_json(json.dumps(tree, default=str), strict=True)
    except ValidationError as error:
        raise _explained(error.errors()[0], origins) from None
    leaves = dict(_leaves(settings.model_dump()))
    provenance = {".".join(parts): _origin(parts, origins) for parts in leaves}
    notices = tuple(f"{name} is set, but nothing reads it yet" for name in UNREAD if env.get(name))
    return Loaded(settings, provenance, notices)


def config_path(userdir: Path, named: Path | None) -> Path | None:
    """The file named on the command line, else `config.toml` of the user folder if there is one, else None."""
    usual = userdir / "config.toml"
    return named if named is not None or not usual.is_file() else usual


def known_keys(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Each dotted key with its pydantic field, sections first, in the order they are written in a file."""
    for name, field in model.model_fields.items():
        yield f"{prefix}{name}", field
        if _is_model(field.annotation):
            yield from known_keys(field.annotation, f"{prefix}{name}.")  # type: ignore[arg-type]


def _origin(parts: Parts, origins: Mapping[Parts, str]) -> str:
    """Where that key, or the table around it, was set."""
    above = (parts[:length] for length in range(len(parts), 0, -1))
    return next((origins[at] for at in above if at in origins), "default")


def _is_model(annotation: object) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _leaves(tree: Mapping[str, Any], above: Parts = ()) -> Iterator[tuple[Parts, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, (*above, key))
        else:
            yield (*above, key), value


def _set(tree: dict[str, Any], entry: _Entry) -> None:
    node = tree
    for part in entry.parts[:-1]:
        node = node.setdefault(part, {})
        if not isinstance(node, dict):
            raise ConfigError(f"{part} is a section, not a value ({entry.origin})")
    node[entry.parts[-1]] = entry.value


def _from_file(path: Path | None) -> Iterator[_Entry]:
    if path is None:
        return
    try:
        text = path.read_text(encoding="utf-8")
        tree = tomllib.loads(text)
    except FileNotFoundError:
        raise ConfigError("no such settings file", value=str(path), remedy="write one with: seakeep init") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}", remedy="it must be a UTF-8 TOML file") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not TOML: {error}", remedy="see the commented file of: seakeep init") from None
    lines = _line_numbers(text)
    for parts, value in _leaves(tree):
        if value == {} and _is_model(_annotation(parts)):
            continue
        origin = f"{path.name}:{lines[parts]}" if parts in lines else path.name
        _refuse_secret(parts, value, origin)
        yield _Entry(parts, value, origin)


def _refuse_secret(parts: Parts, value: object, origin: str) -> None:
    if any(is_secret_name(part) for part in parts) or (isinstance(value, str) and mask(value) != value):
        remedy = "remove it there and set it in the environment (BINANCE_API_KEY, DATABASE_URL, ...)"
        raise ConfigError(f"{'.'.join(parts)} holds a secret, which may not be in a file ({origin})", remedy=remedy)


def _line_numbers(text: str) -> dict[Parts, int]:
    """Line of each plain `key = value`; keys inside inline tables or multi-line strings are left out or unused."""
    lines: dict[Parts, int] = {}
    section: Parts = ()
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            section = _dotted(header[1])
        elif key := _KEY_LINE.match(line):
            lines.setdefault((*section, *_dotted(key[1])), number)
    return lines


def _dotted(text: str) -> Parts:
    return tuple(part.strip().strip("\"'") for part in text.split("."))


def _from_env(env: Mapping[str, str]) -> Iterator[_Entry]:
    for name, key in ALIASES.items():
        if env.get(name):
            yield _typed(tuple(key.split(".")), env[name], f"env {name}")
    for name in sorted(env):
        if name.startswith(_PREFIX):
            yield _typed(tuple(name[len(_PREFIX) :].lower().split("__")), env[name], f"env {name}")


def _from_options(overrides: Mapping[str, object]) -> Iterator[_Entry]:
    for key, value in overrides.items():
        if value is not None:
            yield _typed(tuple(key.split(".")), value, "option")


def _typed(parts: Parts, value: object, origin: str) -> _Entry:
    """Text becomes the type its key asks for; what cannot is left for the validation to refuse."""
    if isinstance(value, str):
        value = _parsed(value, _annotation(parts))
    return _Entry(parts, list(value) if isinstance(value, tuple) else value, origin)


def _annotation(parts: Parts) -> Any:
    """Type of the key's value; None if there is no such key."""
    kind: Any = Settings
    for part in parts:
        if _is_model(kind):
            field = kind.model_fields.get(part)
            kind = field.annotation if field else None
        else:
            kind = get_args(kind)[1] if get_origin(kind) is dict else None
    return kind


def _parsed(text: str, kind: Any) -> object:
    if get_origin(kind) is tuple and not text.lstrip().startswith("["):
        return [part.strip() for part in text.split(",") if part.strip()]
    if kind == Param or get_origin(kind) in (tuple, dict):
        try:
            return tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            return text
    try:
        return None if kind is None else TypeAdapter(kind).validate_python(text)
    except ValidationError:
        return text


def _explained(error: ErrorDetails, origins: Mapping[Parts, str]) -> ConfigError:
    parts = tuple(str(part) for part in error["loc"])
    while _annotation(parts) is None and error["type"] != "extra_forbidden":
        parts = parts[:-1]
    key = ".".join(parts)
    origin = next((where for at, where in origins.items() if at[: len(parts)] == parts), "default")
    known = dict(known_keys())
    if error["type"] == "extra_forbidden":
        key = next((".".join(at) for at in origins if at[: len(parts)] == parts), key)
        return ConfigError(f"unknown setting {key} ({origin})", remedy=_nearest_key(key))
    must = error["msg"].removeprefix("Value error, ").replace("Input should", "must", 1)
    if _annotation(parts) == Param:
        must = "must be a number, a text, true or false"
    hint = known[key].description if key in known else None
    value = error["input"] if not isinstance(error["input"], dict) else None
    shown = mask(value) if isinstance(value, str) else value
    return ConfigError(f"{key}: {must} ({origin})", value=shown, remedy=hint or "")


def _nearest_key(key: str) -> str:
    """The closest dotted key; where none is close, the ones of its section."""
    known = [name for name, field in known_keys() if not _is_model(field.annotation)]
    if close := get_close_matches(key, known, n=1, cutoff=0.75):
        return f"did you mean {close[0]}?"
    *section, name = key.split(".")
    kind = _annotation(tuple(section))
    return nearest(name, list(kind.model_fields if _is_model(kind) else Settings.model_fields))
