"""The door of seed 000: `/` and `/risks`, as its clients know them, on an engine that stays warm.

One process, one engine, one request at a time: a rule engine shared by threads is not safe, and no request may see what
another left. More processes serve more requests. What a caller sends is read as bytes and handed to the rules whole.
"""

import time
from collections.abc import Awaitable, Callable

import msgspec

from seakeep.app.web.body import Receive, Scope, Send, check_depth, read_body
from seakeep.app.web.edge import Edge, header
from seakeep.app.web.problems import Fault, Problem, explain
from seakeep.app.web.settings import WebSettings
from seakeep.core.errors import SeakeepError
from seakeep.risk.rules.balance import Assessment

__all__ = ["Assess", "Door"]

Assess = Callable[[bytes], Assessment]
"""From the body of a request to what the rules say."""

_JSON = (b"content-type", b"application/json")
_TEXT = (b"content-type", b"text/plain; version=0.0.4")
_encode = msgspec.json.Encoder().encode
_STATUS = b'{"status":"ok"}'

Answer = tuple[int, tuple[bytes, bytes], bytes]


class Door:
    """The application behind the edge of the /risks port."""

    def __init__(self, assess: Assess, settings: WebSettings) -> None:
        self._assess, self.settings = assess, settings
        self.edge: Edge | None = None
        self._routes: dict[str, Callable[[Scope, Receive], Awaitable[Answer]]] = {
            "/": self._alive,
            "/risks": self._risks,
            "/healthz": self._alive,
            "/readyz": self._alive,
            "/metrics": self._metrics,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Raises: Problem."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        path = scope["path"].rstrip("/") or "/"
        route = self._routes.get(path)
        if route is None:
            raise Problem(404, Fault("path", "there is no such page here", "path", "POST /risks"))
        if scope["method"] not in ("GET", "POST", "HEAD"):
            raise Problem(405, Fault("method", "not a way to ask this", "method", "use GET or POST"))
        scope["pattern"], scope["quiet"] = path, True
        status, kind, body = await route(scope, receive)
        headers = [kind, (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    async def _alive(self, scope: Scope, receive: Receive) -> Answer:
        return 200, _JSON, _STATUS

    async def _metrics(self, scope: Scope, receive: Receive) -> Answer:
        self._may(scope)
        return 200, _TEXT, b"" if self.edge is None else self.edge.metrics.text()

    async def _risks(self, scope: Scope, receive: Receive) -> Answer:
        self._may(scope)
        settings = self.settings
        body = await read_body(
            receive, header(scope, b"content-length"), settings.risks_body_bytes, settings.body_seconds
        )
        check_depth(body, settings.body_depth)
        if not body.strip():
            raise Problem(422, Fault("body", "there is no body", "missing", "send the positions as a JSON object"))
        try:
            return 200, _JSON, _encode(self._assess(body).answer(time.time()))
        except SeakeepError as error:
            raise explain(error, "body") from None
        except OverflowError as error:
            raise Problem(422, Fault("body", f"a number is too large to be answered: {error}", "value")) from None

    def _may(self, scope: Scope) -> None:
        if scope["caller"] is None:
            what = Fault("Authorization", "this server does not know you", "unknown", "send: Bearer TOKEN")
            raise Problem(401, what)


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
