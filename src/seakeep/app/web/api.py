"""The API application: FastAPI inside the edge, every refusal in one shape."""

from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse

from seakeep import __version__
from seakeep.app.web.body import Message, Receive, Scope, Send, check_depth, read_body
from seakeep.app.web.edge import Edge, Log, header
from seakeep.app.web.page import render
from seakeep.app.web.problems import Fault, Problem, answer, explain
from seakeep.app.web.routes import checks, control, health, risk, session
from seakeep.app.web.schemas import ProblemModel
from seakeep.app.web.state import State
from seakeep.core.errors import SeakeepError

__all__ = ["api", "application"]

_SAYS = """Risk of a run's real book, and a person's word to it. Every refusal is a 4xx with the field and the remedy.

People log in at `/api/v1/login`; bots send `Authorization: Bearer TOKEN` with a token of `seakeep token add`. Scopes:
`read` looks, `operate` pauses and closes, `admin` changes limits and reads the audit."""
_REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": ProblemModel, "description": says}
    for status, says in {
        400: "malformed, or called by a foreign name",
        401: "not known here",
        403: "the scope does not cover it",
        404: "no such run, or no such page",
        408: "the body took too long",
        409: "what is there does not allow an answer",
        413: "the body is too large",
        422: "a field is wrong",
        429: "too many requests",
        503: "the ledger cannot be read",
    }.items()
}


def api(state: State, log: Log) -> Edge:
    """The whole API, ready to serve."""
    edge = Edge(_Bounded(application(state), state), state.web, state.identity, log, state.web.rate)
    state.edge_metrics = edge.metrics
    return edge


def application(state: State) -> FastAPI:
    """The FastAPI application without its edge."""
    app = FastAPI(
        title="Seakeep",
        version=__version__,
        description=_SAYS,
        responses=_REFUSALS,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        redirect_slashes=False,
    )
    app.state.seakeep = state
    app.add_api_route("/docs", lambda: HTMLResponse(render(app.openapi())), include_in_schema=False)
    for part in (session, risk, control, checks, health):
        app.include_router(part.router)
    app.add_exception_handler(Problem, _problem)  # type: ignore[arg-type]
    app.add_exception_handler(SeakeepError, _error)  # type: ignore[arg-type]
    app.add_exception_handler(RequestValidationError, _invalid)  # type: ignore[arg-type]
    app.add_exception_handler(HTTPException, _http)  # type: ignore[arg-type]
    if state.web.origins:
        allowed = ["Authorization", "Content-Type", "Idempotency-Key"]
        methods = ["GET", "POST"]
        app.add_middleware(
            CORSMiddleware, allow_origins=list(state.web.origins), allow_headers=allowed, allow_methods=methods
        )
    return app


class _Bounded:
    """Reads the body of every request before FastAPI does: no larger, no deeper, no slower than is allowed."""

    def __init__(self, app: FastAPI, state: State) -> None:
        self._app, self._web = app, state.web

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self._app(scope, receive, send)
            return
        body = await read_body(receive, header(scope, b"content-length"), self._web.body_bytes, self._web.body_seconds)
        check_depth(body, self._web.body_depth)
        given = False

        async def again() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, again, send)


def _refused(request: Request, problem: Problem) -> Response:
    body = answer(problem.faults, request.method, request.url.path, str(request.scope.get("request_id", "")))
    headers = {"retry-after": str(problem.retry_after)} if problem.retry_after else {}
    if problem.status == 401:
        headers["www-authenticate"] = "Bearer"
    return Response(body, problem.status, headers, "application/json")


async def _problem(request: Request, error: Problem) -> Response:
    return _refused(request, error)


async def _error(request: Request, error: SeakeepError) -> Response:
    return _refused(request, explain(error))


async def _invalid(request: Request, error: RequestValidationError) -> Response:
    faults = [
        Fault(".".join(str(part) for part in found["loc"]), str(found["msg"]), str(found["type"]))
        for found in error.errors()[:20]
    ]
    return _refused(request, Problem(422, *faults))


async def _http(request: Request, error: HTTPException) -> Response:
    return _refused(request, Problem(error.status_code, Fault("", str(error.detail), "http")))
