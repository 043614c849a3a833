"""One registry class for every extension point; built-in parts register exactly as a stranger's would."""

from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from importlib.metadata import entry_points
from inspect import signature
from typing import Generic, TypeVar

from seakeep.core.errors import ConfigError

__all__ = ["Registry", "build", "nearest"]

T = TypeVar("T")
Part = TypeVar("Part")


def nearest(name: str, known: "list[str] | tuple[str, ...]") -> str:
    """A remedy that names the closest known names, or all when few.

    >>> nearest("rsj", ["rsi", "sma"])
    'did you mean rsi?'
    """
    close = get_close_matches(name, known, n=3, cutoff=0.6)
    if close:
        return f"did you mean {' or '.join(close)}?"
    return f"known: {', '.join(sorted(known)[:12])}{' ...' if len(known) > 12 else ''}"


class Registry(Generic[T]):
    """Named parts of one kind; other distributions add theirs through the entry point group `seakeep.<plural>`.

    >>> FRUIT: Registry[int] = Registry("fruit")
    >>> FRUIT.add("apple", 1)
    >>> FRUIT["apple"]
    1
    """

    def __init__(self, kind: str, plural: str = "") -> None:
        self.kind, self.plural = kind, plural or f"{kind}s"
        self._parts: dict[str, T] = {}
        self._strangers_loaded = False

    def add(self, name: str, part: T) -> None:
        """Register `part`. Raises: ValueError if the name is taken by another part."""
        if self._parts.setdefault(name, part) is not part:
            raise ValueError(f"{self.kind} {name!r} is already registered")

    def register(self, name: str) -> Callable[[Part], Part]:
        """Decorator form of `add`; returns what it decorates."""

        def keep(part: Part) -> Part:
            self.add(name, part)  # type: ignore[arg-type]
            return part

        return keep

    def __getitem__(self, name: str) -> T:
        """The part of that name. Raises: ConfigError naming the nearest known names."""
        if name not in self._parts:
            self._load_strangers()
        if name not in self._parts:
            raise ConfigError(f"unknown {self.kind}", value=name, remedy=nearest(name, list(self._parts)))
        return self._parts[name]

    def __contains__(self, name: str) -> bool:
        self._load_strangers()
        return name in self._parts

    def __iter__(self) -> Iterator[str]:
        self._load_strangers()
        return iter(sorted(self._parts))

    def __len__(self) -> int:
        self._load_strangers()
        return len(self._parts)

    def _load_strangers(self) -> None:
        if not self._strangers_loaded:
            self._strangers_loaded = True
            for point in entry_points(group=f"seakeep.{self.plural}"):
                point.load()


def build(registry: Registry[type[T]], name: str, params: Mapping[str, object]) -> T:
    """An instance of the registered class `name` with these keyword parameters, each checked against its default.

    Raises: ConfigError naming the part, the parameter and the nearest known one.
    """
    part = registry[name]
    known = {p.name: p.default for p in signature(part).parameters.values() if p.kind is p.KEYWORD_ONLY}
    checked = {}
    for key, value in params.items():
        if key not in known:
            remedy = nearest(key, list(known)) if known else "it takes no parameters"
            raise ConfigError(f"{registry.kind} {name} has no parameter {key!r}", remedy=remedy)
        checked[key] = _as_default(f"{registry.kind} {name}: {key}", value, known[key])
    return part(**checked)


def _as_default(label: str, value: object, default: object) -> object:
    wanted = type(default)
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
        raise ConfigError(f"{label} must be {wanted.__name__}", value=value, remedy=f"its default is {default!r}")
    return value
