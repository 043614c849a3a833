"""What every route needs: the ledger, the accounts in it, who may do what, and the log of requests."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Header, Request, Security
from fastapi.security import HTTPBearer
from pydantic import Field

from seakeep.app.gate.account import Account, Accounts
from seakeep.app.gate.rulebox import judge_of
from seakeep.app.places import ledger_location
from seakeep.app.sections import Settings
from seakeep.app.web.desks import Desks
from seakeep.app.web.identity import Identity
from seakeep.app.web.metrics import Metrics
from seakeep.app.web.problems import Fault, Problem
from seakeep.app.web.sealing import Sealing
from seakeep.app.web.settings import WebSettings
from seakeep.app.web.tokens import Caller, Scope, now_ms
from seakeep.core.registry import nearest
from seakeep.ledger import inbox
from seakeep.ledger.inbox import Audited, Sender
from seakeep.ledger.journal import Ledger
from seakeep.risk.case import RuleBook
from seakeep.risk.rules.portfolio import PortfolioRules

__all__ = ["Admin", "Here", "Operator", "Reader", "RunId", "State", "Who", "Written", "record", "state_of"]


@dataclass(eq=False)
class State:
    """One per process; everything in it is either frozen or guards itself."""

    userdir: Path
    settings: Settings
    web: WebSettings
    identity: Identity
    accounts: Accounts
    desks: Desks
    sealing: Sealing
    books: dict[str, RuleBook] = field(default_factory=dict)
    edge_metrics: Metrics = field(default_factory=Metrics)

    @classmethod
    def open(
        cls, settings: Settings, web: WebSettings, identity: Identity, userdir: Path, env: Mapping[str, str]
    ) -> "State":
        """Open the ledger, and make it if there is none. Raises: LedgerError, ConfigError."""
        sealing = Sealing(userdir, env, web.seal_seconds)
        ledger = Ledger.open(ledger_location(settings, userdir))
        return cls(userdir, settings, web, identity, Accounts(ledger), Desks(userdir), sealing)

    @property
    def ledger(self) -> Ledger:
        """The ledger; every call takes a connection of its own."""
        return self.accounts.ledger

    def run_id(self, named: str | None) -> str:
        """That run, or the newest. Raises: Problem 404 naming the nearest there are."""
        known = [run.run_id for run in self.ledger.runs()]
        if not known:
            raise Problem(404, Fault("run_id", "there is no run yet", "run", "start one: seakeep trade --dry-run"))
        if named is None:
            return known[-1]
        if named not in known:
            raise Problem(404, Fault("run_id", "there is no run of that name", "run", nearest(named, known)))
        return named

    def rule_book(self, settings: Settings) -> RuleBook | None:
        """The rule book that speaks beside a run's limits. Raises: ConfigError, RuleBookError."""
        name = settings.risk.rule_book
        if name != "none" and name not in self.books:
            self.books[name] = PortfolioRules(judge_of(name, self.userdir, settings.risk.rules))
        return self.books.get(name)

    def account(self, named: str | None) -> Account:
        """The account of a run as it is now. Raises: Problem 404, IntegrityError."""
        return self.accounts.account(self.run_id(named))


def state_of(request: Request) -> State:
    """The state of the application a request came to."""
    state: State = request.app.state.seakeep
    return state


Here = Annotated[State, Depends(state_of)]
RunId = Annotated[str | None, Field(max_length=100, description="a run of the ledger; the newest if left out")]


_BEARER = HTTPBearer(auto_error=False, scheme_name="bearer", description="a pass of a login, or a bot's token")


def _allowed(needed: Scope) -> Callable[..., Caller]:
    def caller(request: Request) -> Caller:
        found: Caller | None = request.scope.get("caller")
        if found is None:
            remedy = "log in at /api/v1/login, or send a bot's token: Authorization: Bearer TOKEN"
            raise Problem(401, Fault("Authorization", "this server does not know you", "unknown", remedy))
        if not found.scope.covers(needed):
            remedy = "log in for that scope at /api/v1/login, or send a token of: seakeep token add --scope"
            what = Fault("Authorization", f"this needs the scope {needed}, you have {found.scope}", "scope", remedy)
            raise Problem(403, what)
        return found

    def known(request: Request, bearer: Annotated[object, Security(_BEARER)]) -> Caller:
        return caller(request)

    return caller if needed is Scope.READ else known


Reader = Annotated[Caller, Depends(_allowed(Scope.READ))]
Operator = Annotated[Caller, Depends(_allowed(Scope.OPERATE))]
Admin = Annotated[Caller, Depends(_allowed(Scope.ADMIN))]


@dataclass(frozen=True)
class Written:
    """A request that changes something: its sender, and its row for the audit once its status is known."""

    sender: Sender
    request_id: str
    what: str
    digest: str

    def audited(self, status: int) -> Audited:
        """The row."""
        return Audited(self.sender.ts, self.request_id, self.sender.who, self.what, self.digest, status)


async def _written(
    request: Request,
    here: Here,
    idempotency_key: Annotated[
        str | None,
        Header(
            pattern=r"^[A-Za-z0-9._:-]{8,100}$",
            description="the same key is the same request: sent twice it counts once",
        ),
    ] = None,
) -> Written:
    caller: Caller | None = request.scope.get("caller")
    who, now = caller.name if caller else "nobody", now_ms()
    digest = sha256(await request.body()).hexdigest()
    key = idempotency_key or f"auto:{os.urandom(16).hex()}"
    return Written(
        Sender(f"web:{who}", key, now), request.scope["request_id"], f"{request.method} {request.url.path}", digest
    )


Who = Annotated[Written, Depends(_written)]


def record(here: State, written: Written, status: int) -> None:
    """Keep a request that changed nothing in the ledger itself."""
    inbox.audit(here.ledger.engine, written.audited(status))
