"""Telemetry: one log of JSON lines that rotates (10 MB x 5), plain lines on stderr when asked, and never a secret.

Nothing is set up, and structlog is not imported, until a process calls `setup`.
"""

import json
import logging
import os
import re
import sys
import time
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seakeep.core.errors import ConfigError

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger, Processor

__all__ = ["is_secret_name", "logged", "mask", "secret_values", "setup"]

_WORDS = {"key", "keys", "secret", "token", "password", "passwd", "passphrase", "credential", "credentials"}
_ENDINGS = ("apikey", "secret", "token", "password", "secrets", "tokens", "authorization")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SPLIT = re.compile(r"[^a-z0-9]+")
_URL_PASSWORD = re.compile(r"(\w[\w+.-]*://[^\s:/@]*:)([^\s]+)(?=@)")
_HIDDEN = "***"
_SHORTEST = 6
"""A value shorter than this is not searched for in messages: hiding every "1000" would hide the log."""
_MAX_BYTES, _OLD_FILES = 10_000_000, 4


def is_secret_name(name: str) -> bool:
    """Whether a key or an environment name says that its value is a secret.

    >>> is_secret_name("BINANCE_API_KEY"), is_secret_name("secretKey"), is_secret_name("min_order_gap_ms")
    (True, True, False)
    """
    words = _SPLIT.split(_CAMEL.sub("_", name).lower())
    return any(word in _WORDS or word.endswith(_ENDINGS) for word in words)


def secret_values(env: Mapping[str, str]) -> tuple[str, ...]:
    """What must never be written: values of secret names, and passwords inside URLs; longest first."""
    found = {value for name, value in env.items() if is_secret_name(name)}
    found |= {match[2] for value in env.values() for match in _URL_PASSWORD.finditer(value)}
    return tuple(sorted((v for v in found if len(v) >= _SHORTEST), key=len, reverse=True))


def mask(text: str, secrets: tuple[str, ...] = ()) -> str:
    """The text with every known secret, and the password of every URL in it, replaced by ***.

    >>> mask("postgresql://sea:keep@db/trades")
    'postgresql://sea:***@db/trades'
    """
    for secret in secrets:
        for written in (secret, json.dumps(secret)[1:-1], repr(secret)[1:-1]):
            text = text.replace(written, _HIDDEN)
    return _URL_PASSWORD.sub(rf"\g<1>{_HIDDEN}", text)


def setup(userdir: Path, env: Mapping[str, str], *, verbose: bool = False) -> "FilteringBoundLogger":
    """A logger that writes JSON lines to `userdir/logs/seakeep.jsonl`, and plain lines to stderr if `verbose`.

    Values under secret names, and values of secret environment names anywhere, are written as ***. A second call
    replaces the first. Raises: ConfigError if the folder cannot be written.
    """
    import structlog

    secrets = secret_values(env)
    path = userdir / "logs" / "seakeep.jsonl"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = RotatingFileHandler(path, maxBytes=_MAX_BYTES, backupCount=_OLD_FILES, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot write the log {path}: {error}", remedy="choose another --userdir") from None
    handlers: list[logging.Handler] = [file, logging.StreamHandler(sys.stderr)] if verbose else [file]
    _attach(handlers, (structlog.processors.JSONRenderer(default=str), _plain_line), secrets)
    chain: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
        structlog.processors.format_exc_info,
        lambda _, __, event: _hidden(event, secrets),
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ]
    wrapper = structlog.make_filtering_bound_logger(logging.INFO)
    logger: FilteringBoundLogger = structlog.wrap_logger(logging.getLogger("seakeep"), chain, wrapper)
    return logger


@contextmanager
def logged(userdir: Path, command: str, *, verbose: bool = False) -> "Iterator[FilteringBoundLogger]":
    """A logger for one command: its start, its end and how long it took, or the error that ended it."""
    logger = setup(userdir, os.environ, verbose=verbose)
    started = time.monotonic()
    logger.info("started", command=command)
    try:
        yield logger
    except BaseException as error:
        logger.exception("failed", command=command, error=repr(error))
        raise
    logger.info("finished", command=command, seconds=round(time.monotonic() - started, 3))


def _attach(handlers: list[logging.Handler], renderers: "tuple[Processor, ...]", secrets: tuple[str, ...]) -> None:
    """Give each handler its renderer; whatever a renderer wrote is masked once more as text."""
    from structlog.stdlib import ProcessorFormatter

    def sealed(_: Any, __: str, line: Any) -> str:
        return mask(line, secrets)

    logger = logging.getLogger("seakeep")
    for old in tuple(logger.handlers):
        logger.removeHandler(old)
        old.close()
    for handler, renderer in zip(handlers, renderers, strict=False):
        handler.setFormatter(
            ProcessorFormatter(processors=[ProcessorFormatter.remove_processors_meta, renderer, sealed])
        )
        logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False


def _hidden(value: Any, secrets: tuple[str, ...]) -> Any:
    if isinstance(value, Mapping):
        return {k: _HIDDEN if is_secret_name(str(k)) else _hidden(v, secrets) for k, v in value.items()}
    if isinstance(value, list | tuple | set):
        return [_hidden(item, secrets) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return mask(value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value), secrets)


def _plain_line(_: Any, __: str, event: MutableMapping[str, Any]) -> str:
    head = f"{event.pop('ts')} {event.pop('level'):<7} {event.pop('event')}"
    trace = f"\n{event.pop('exception')}" if "exception" in event else ""
    return " ".join((head, *(f"{key}={value!r}" for key, value in event.items()))) + trace
