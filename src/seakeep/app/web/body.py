"""Reading a body: never more than is allowed, never deeper, never for longer."""

import asyncio
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from seakeep.app.web.problems import Fault, Problem

__all__ = ["Message", "Receive", "Scope", "Send", "check_depth", "read_body"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)


async def read_body(receive: Receive, declared: bytes | None, most: int, seconds: float) -> bytes:
    """The whole body. Raises: Problem 400, 408 or 413; ConnectionError when the caller hangs up."""
    if declared is not None:
        length = int(declared) if declared.isdigit() and len(declared) < 20 else -1
        if length < 0 or length > most:
            raise _too_large(most) if length > most else Problem(400, Fault("Content-Length", "not a length", "header"))
    message = await receive()
    if not message.get("more_body", False):
        return _checked(message, message.get("body", b""), most)
    try:
        async with asyncio.timeout(seconds):
            return await _gathered(receive, message, most)
    except TimeoutError:
        raise Problem(408, Fault("body", f"the body did not arrive within {seconds:g} s", "timeout")) from None


async def _gathered(receive: Receive, message: Message, most: int) -> bytes:
    parts, length = [], 0
    while True:
        parts.append(_checked(message, message.get("body", b""), most, length))
        length += len(parts[-1])
        if not message.get("more_body", False):
            return b"".join(parts)
        message = await receive()


def _checked(message: Message, part: bytes, most: int, before: int = 0) -> bytes:
    if message["type"] == "http.disconnect":
        raise ConnectionError("the caller hung up")
    if before + len(part) > most:
        raise _too_large(most)
    return part


def _too_large(most: int) -> Problem:
    return Problem(413, Fault("body", f"the body is over {most:,} bytes", "too_large", "send less at once"))


def check_depth(body: bytes, most: int) -> None:
    """Refuse a body whose brackets nest deeper than `most`, before anything parses it.

    >>> check_depth(b'{"a": "[[[[[[["}', 2)

    Raises: Problem 400.
    """
    if body.count(b"[") + body.count(b"{") <= most:
        return
    depth = 0
    for match in _TOKEN.finditer(body):
        token = match[0]
        if token in (b"[", b"{"):
            depth += 1
            if depth > most:
                raise Problem(400, Fault("body", f"nested deeper than {most} levels", "too_deep", "flatten it"))
        elif token in (b"]", b"}"):
            depth -= 1
