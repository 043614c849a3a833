"""A person's word to a run, over HTTP: the breaker, pauses, limits."""

from fastapi import APIRouter

from seakeep.app.gate import controls
from seakeep.app.gate.controls import Order, Standing
from seakeep.app.gate.limitsheet import limit_sheet
from seakeep.app.web.schemas import Asked, Breaker, Confirmation, LimitChange, LimitSheet, Receipt
from seakeep.app.web.state import Admin, Here, Operator, Reader, RunId, State, Who, Written
from seakeep.ledger.inbox import Posted

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/risk", tags=["control"])


@router.get("/breaker")
def breaker(here: Here, caller: Reader, run_id: RunId = None) -> Breaker:
    """The state of the breaker, what people ordered, and what still waits."""
    return _breaker(controls.standing(here.ledger, here.run_id(run_id)))


@router.post("/breaker", status_code=202)
def order(here: Here, caller: Operator, asked: Asked, written: Who) -> Receipt:
    """Pause, resume, reduce, flatten, halt, reset, or write off; under one Idempotency-Key it counts once."""
    word = Order(action=asked.action, reason=asked.reason, symbol=asked.symbol or "")
    return _post(here, asked.run_id, word, written)


@router.get("/limits")
def limits(here: Here, caller: Reader, run_id: RunId = None) -> LimitSheet:
    """Every limit, what of it is used, and changes that wait."""
    account = here.account(run_id)
    found = controls.limits_of(here.ledger, account.run_id, account.settings)
    return LimitSheet.model_validate(limit_sheet(account, found))


@router.post("/limits", status_code=202)
def change_limits(here: Here, caller: Admin, asked: LimitChange, written: Who) -> Receipt:
    """Set limits: a tighter one counts at once, a looser one waits and has to be confirmed."""
    return _post(here, asked.run_id, Order(action="set-limits", reason=asked.reason, changes=asked.changes), written)


@router.post("/limits/confirm", status_code=202)
def confirm_limits(here: Here, caller: Admin, asked: Confirmation, written: Who) -> Receipt:
    """Confirm a looser limit, or take it back."""
    action = "cancel-limits" if asked.cancel else "confirm-limits"
    return _post(here, asked.run_id, Order(action=action, reason=asked.reason, id=asked.id), written)


def _post(here: State, named: str | None, asked: Order, written: Written) -> Receipt:
    run_id = here.run_id(named)
    control = controls.order(asked, written.sender)
    posted = controls.ask(here.ledger, run_id, control, written.sender, written.audited(202))
    speaks = controls.still_speaks(here.ledger, run_id, asked.symbol) if asked.symbol else ""
    return _receipt(posted, controls.standing(here.ledger, run_id), speaks)


def _receipt(posted: Posted, found: Standing, without_effect: str = "") -> Receipt:
    control = posted.control
    return Receipt(
        run_id=found.run_id,
        seq=posted.seq,
        id=control.id,
        action=control.action,
        reason=control.reason,
        by=posted.who,
        taken=found.controls >= posted.seq,
        trading=found.trading,
        without_effect=without_effect,
    )


def _breaker(found: Standing) -> Breaker:
    snapshot = found.snapshot
    return Breaker(
        run_id=found.run_id,
        state=found.breaker,
        paused=found.paused,
        trading=found.trading,
        as_of=None if snapshot is None else snapshot.ts,
        drawdown=None if snapshot is None else snapshot.drawdown,
        daily_loss=None if snapshot is None else snapshot.daily_loss,
        controls=found.controls,
        waiting=[_receipt(posted, found) for posted in found.waiting],
    )
