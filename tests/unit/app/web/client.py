"""A caller of an ASGI application, without a socket."""

import asyncio
import json
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec


class Reply(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)


class Quiet:
    """A log that keeps its lines."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def info(self, event: str, **fields: Any) -> None:
        self.lines.append({"event": event, **fields})

    exception = info


def call(app: Any, method: str, path: str, body: Any = b"", headers: dict[str, str] | None = None) -> Reply:
    """One request."""
    return asyncio.run(ask(app, method, path, body, headers))


async def ask(app: Any, method: str, path: str, body: Any = b"", headers: dict[str, str] | None = None) -> Reply:
    """One request; a body that is no bytes is sent as JSON, a tuple of bytes in parts."""
    if not isinstance(body, bytes | tuple):
        body = msgspec.json.encode(body)
        headers = {"content-type": "application/json"} | (headers or {})
    parts = body if isinstance(body, tuple) else (body,)
    given = {"host": "localhost:8000"} | (headers or {})
    if not isinstance(body, tuple):
        given.setdefault("content-length", str(len(body)))
    route, _, query = path.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "path": route,
        "raw_path": route.encode(),
        "root_path": "",
        "scheme": "http",
        "query_string": query.encode(),
        "headers": [(k.lower().encode(), v.encode("latin-1")) for k, v in given.items()],
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 8000),
        "state": {},
    }
    return await _talk(app, scope, parts)


async def _talk(app: Any, scope: dict[str, Any], parts: Iterable[bytes]) -> Reply:
    queue, sent = list(parts), []

    async def receive() -> dict[str, Any]:
        if not queue:
            await asyncio.sleep(3600)
        return {"type": "http.request", "body": queue.pop(0), "more_body": bool(queue)}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    headers = {k.decode(): v.decode() for k, v in sent[0]["headers"]}
    return Reply(sent[0]["status"], headers, b"".join(m.get("body", b"") for m in sent[1:]))
