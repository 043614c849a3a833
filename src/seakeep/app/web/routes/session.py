"""Logging in, the runs there are, and the audit."""

import time
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query, Request

from seakeep.app.web.edge import Rate
from seakeep.app.web.problems import Fault, Problem
from seakeep.app.web.schemas import AuditRow, LoginRequest, Pass, RunRow
from seakeep.app.web.state import Admin, Here, Reader, Who, record
from seakeep.ledger import inbox

__all__ = ["router"]

router = APIRouter(prefix="/api/v1", tags=["session"])
_TRIES = Rate(0.2, callers=1_000)
"""Logins a second and address, after a first handful."""


@router.post("/login")
def login(here: Here, request: Request, asked: LoginRequest, written: Who) -> Pass:
    """Log in with the secret of the server; the pass expires soon and does no more than was asked.

    The audit keeps no hash of this body: the secret is in it.
    """
    door = here.identity.login
    if door is None:
        what = "nobody can log in here: SEAKEEP_WEB_SECRET is not set"
        raise Problem(409, Fault("", what, "login", "set it, or use a bot's token"))
    wait = _TRIES.take((request.client.host if request.client else "unknown"), time.monotonic())
    if wait:
        raise Problem(429, Fault("", "too many logins", "rate", f"try in {wait:.0f} s"), retry_after=round(wait) + 1)
    token = door.enter(asked.name, asked.secret, asked.scope)
    record(here, replace(written, digest=""), 401 if token is None else 200)
    if token is None:
        raise Problem(401, Fault("secret", "wrong secret", "secret"))
    return Pass(access_token=token, scope=asked.scope, expires_in=60 * door.minutes)


@router.get("/runs")
def runs(here: Here, caller: Reader) -> list[RunRow]:
    """The runs of the ledger, oldest first."""
    return [
        RunRow(run_id=r.run_id, entries=r.head_seq, first=r.first_ts, last=r.last_ts, head=r.head_hash.hex())
        for r in here.ledger.runs()
    ]


@router.get("/audit")
def audit(here: Here, caller: Admin, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> list[AuditRow]:
    """Requests that changed something or tried to, newest first."""
    rows = inbox.audited(here.ledger.engine, limit)
    return [
        AuditRow(ts=row.ts, request=row.request, who=row.who, what=row.what, body=row.body, status=row.status)
        for row in rows
    ]
