"""Is it alive, can it answer, and what does it count."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel

from seakeep.app.gate import controls
from seakeep.app.web.metrics import Gauge
from seakeep.app.web.problems import Fault, Problem
from seakeep.app.web.state import Here, Reader, State
from seakeep.core.errors import SeakeepError
from seakeep.risk.breaker import BreakerState

__all__ = ["router"]

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


def _ready(here: Here) -> None:
    try:
        here.ledger.runs()
    except SeakeepError as error:
        raise Problem(503, Fault("ledger", str(error), "ledger", error.remedy)) from error


@router.get("/healthz")
def alive() -> Health:
    """The process answers."""
    return Health()


@router.get("/readyz")
def ready(_: Annotated[None, Depends(_ready)]) -> Health:
    """The ledger can be read."""
    return Health()


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def prometheus(here: Here, caller: Reader) -> Response:
    """Counts of this process and the state of the newest run, for Prometheus."""
    text = here.edge_metrics.text(_gauges(here))
    return Response(text, media_type="text/plain; version=0.0.4")


def _gauges(here: State) -> list[Gauge]:
    runs = here.ledger.runs()
    if not runs:
        return []
    found = controls.standing(here.ledger, runs[-1].run_id)
    run = {"run": found.run_id}
    gauges: list[Gauge] = [
        ("seakeep_trading", "Whether a process writes the run now.", run, float(found.trading is not None)),
        ("seakeep_entries", "Entries of the run's journal.", run, float(found.entries)),
        ("seakeep_paused", "Whether people paused the run.", run, float(found.paused)),
        ("seakeep_controls_waiting", "Orders of people the run has not taken up.", run, float(len(found.waiting))),
    ]
    if found.snapshot is not None:
        s = found.snapshot
        gauges += [
            ("seakeep_equity", "Equity of the newest snapshot, quote units.", run, s.equity),
            ("seakeep_drawdown", "Loss from the peak, a fraction.", run, s.drawdown),
            ("seakeep_daily_loss", "Loss since 00:00 UTC, a fraction.", run, s.daily_loss),
            ("seakeep_gross", "Sum of absolute positions over equity.", run, s.gross),
            ("seakeep_snapshot_timestamp_seconds", "When the newest snapshot is of.", run, s.ts / 1000),
        ]
    states = [(state.value, float(state.value == found.breaker)) for state in BreakerState]
    gauges += [("seakeep_breaker", "1 for the breaker's state.", run | {"state": s}, on) for s, on in states]
    return gauges
