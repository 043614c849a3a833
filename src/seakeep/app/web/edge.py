"""The edge both doors share: request id, names, rate, log and counts around every request."""

import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any, Protocol

from seakeep.app.web.body import Message, Receive, Scope, Send
from seakeep.app.web.identity import Identity
from seakeep.app.web.metrics import Metrics
from seakeep.app.web.problems import Fault, Problem, answer
from seakeep.app.web.settings import WebSettings
from seakeep.app.web.tokens import Caller

__all__ = ["App", "Edge", "Log", "Rate", "header"]

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_METHODS = ("GET", "POST", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE")
_JSON = (b"content-type", b"application/json")
_SAFE = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
)


class App(Protocol):
    """An ASGI application."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...


class Log(Protocol):
    """Where a line about each request goes."""

    def info(self, event: str, **fields: Any) -> object: ...

    def exception(self, event: str, **fields: Any) -> object: ...


class Rate:
    """A bucket of tokens for each caller; the callers longest silent are forgotten."""

    def __init__(self, per_second: float, *, callers: int = 10_000) -> None:
        self._rate, self._burst, self._callers = per_second, max(2 * per_second, 5.0), callers
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str, now: float) -> float:
        """0 if the request may pass, else the seconds until the next may."""
        left, then = self._left.pop(caller, (self._burst, now))
        left = min(self._burst, left + (now - then) * self._rate)
        wait = 0.0 if left >= 1 else (1 - left) / self._rate
        self._left[caller] = (left if wait else left - 1, now)
        if len(self._left) > self._callers:
            self._left.popitem(last=False)
        return wait


class Edge:
    """Wraps an application; whatever it does, the answer has a request id, is counted, and is no bare exception."""

    def __init__(self, app: App, settings: WebSettings, identity: Identity, log: Log, rate: float) -> None:
        self.app, self.settings, self.identity, self.log = app, settings, identity, log
        self.metrics, self._rate = Metrics(), Rate(rate)
        names = {"localhost", "127.0.0.1", "[::1]", *settings.hosts}
        self._names = frozenset(names) if settings.local or settings.hosts else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; passes lifespan events on."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        started, status = time.perf_counter(), 0
        request_id = self._request_id(scope)
        scope["request_id"] = request_id
        extra = (*_SAFE, (b"x-request-id", request_id.encode()))

        async def marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *extra]
            await send(message)

        try:
            scope["caller"] = self._admit(scope, started)
            await self.app(scope, receive, marked)
        except Problem as problem:
            await self._refuse(scope, problem, marked)
        except ConnectionError:
            status = 499
        except Exception as error:
            self.log.exception("failed", request_id=request_id, path=scope["path"], error=repr(error))
            if status:
                raise
            what = Fault("", "the server made a mistake; it is in its log under this request id", "internal")
            await self._refuse(scope, Problem(500, what), marked)
        finally:
            self._note(scope, status, time.perf_counter() - started)

    def _admit(self, scope: Scope, now: float) -> Caller | None:
        """Who is asking. Raises: Problem 400 for a foreign host name, 429 for too many requests."""
        if self._names is not None and _host(scope) not in self._names:
            remedy = "call it by its address, or add the name to web.hosts"
            raise Problem(400, Fault("Host", "this server has another name", "host", remedy))
        authorization = header(scope, b"authorization")
        caller = self.identity.caller(None if authorization is None else authorization.decode("latin-1"))
        peer = (scope.get("client") or ("unknown", 0))[0]
        wait = self._rate.take(f"{caller.name if caller else ''}@{peer}", now)
        if wait:
            what = Fault("", "too many requests", "rate", f"ask again in {wait:.1f} s")
            raise Problem(429, what, retry_after=max(1, round(wait)))
        return caller

    async def _refuse(self, scope: Scope, problem: Problem, send: Send) -> None:
        body = answer(problem.faults, scope["method"], scope["path"], scope["request_id"])
        headers = [_JSON, (b"content-length", str(len(body)).encode())]
        if problem.retry_after:
            headers.append((b"retry-after", str(problem.retry_after).encode()))
        if problem.status == 401:
            headers.append((b"www-authenticate", b"Bearer"))
        if problem.status in (408, 413):
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": problem.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self.metrics.count(method, _route(scope), status, seconds)
        if scope.get("quiet") and status < 400:
            return
        caller = scope.get("caller")
        self.log.info(
            "request",
            request_id=scope["request_id"],
            caller=caller.name if caller else None,
            method=scope["method"],
            path=scope["path"][:200],
            status=status,
            ms=round(1000 * seconds, 3),
        )

    def _request_id(self, scope: Scope) -> str:
        given = header(scope, b"x-request-id")
        return given.decode() if given and _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)


def header(scope: Scope, name: bytes) -> bytes | None:
    """The first header of that name (lower case)."""
    headers: Iterable[tuple[bytes, bytes]] = scope["headers"]
    return next((value for key, value in headers if key == name), None)


def _host(scope: Scope) -> str:
    """The name in the Host header, without its port."""
    host = (header(scope, b"host") or b"").decode("latin-1").lower()
    return host if host.endswith("]") or ":" not in host else host.rpartition(":")[0]


def _route(scope: Scope) -> str:
    """The pattern that matched; "other" for paths that nobody serves."""
    return str(getattr(scope.get("route"), "path", None) or scope.get("pattern") or "other")
