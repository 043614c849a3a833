"""May I take this position: the gate's answer, the verdicts it gave, and the rule books it reads."""

from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from seakeep.app.gate import controls
from seakeep.app.gate.cases import Wish, case_for
from seakeep.app.gate.rulebox import user_books
from seakeep.app.places import bar_store
from seakeep.app.web.figures import clean, number
from seakeep.app.web.problems import Fault, Problem, explain
from seakeep.app.web.schemas import Checked, OrderCheck, OrderSlip, Redeemed, Redemption, Verdict
from seakeep.app.web.slips import Slip, slip_of
from seakeep.app.web.state import Here, Operator, Reader, RunId, State, Who, record
from seakeep.app.web.tokens import now_ms
from seakeep.backtest.pages.riskfindings import plain
from seakeep.core.errors import ConfigError, InvalidOrder
from seakeep.core.orders import Order
from seakeep.core.verdicts import Outcome, RiskVerdict
from seakeep.execution.costs import CostParams, taker_price
from seakeep.ledger.latest import latest_verdicts
from seakeep.risk.breaker import BreakerState
from seakeep.risk.case import Case
from seakeep.risk.flip import find
from seakeep.risk.review import review
from seakeep.risk.rules.balance import shipped_book, shipped_books

__all__ = ["VerdictQuery", "router"]

router = APIRouter(prefix="/api/v1/risk", tags=["gate"])


class VerdictQuery(BaseModel):
    """Which verdicts."""

    model_config = ConfigDict(extra="forbid")

    run_id: RunId = None
    decision_id: str | None = Field(None, max_length=200)
    symbol: str | None = Field(None, max_length=60)
    outcome: Literal["APPROVED", "RESIZED", "REFUSED", "HALTED"] | None = None
    limit: int = Field(100, ge=1, le=1000, description="the newest so many")


@router.post("/check-order")
@router.post("/check_order", include_in_schema=False)
def check_order(here: Here, caller: Reader, asked: OrderCheck) -> Checked:
    """What the gate would say to an order now, with the rules that spoke and the smallest change that would flip it."""
    if (asked.quantity is None) == (asked.weight is None):
        raise Problem(422, Fault("quantity", "exactly one of quantity and weight is needed", "value"))
    account = here.account(asked.run_id)
    key = ("check", *account.key, asked.model_dump_json())
    checked, order = here.desks.once(key, lambda: _checked(here, asked))
    if order is None:
        return checked
    sealed = here.sealing.issue(order, account, here.ledger, now_ms())
    said = {"seal": sealed.text or None, "seal_expires": sealed.expires_ts or None, "seal_reason": sealed.reason}
    return checked.model_copy(update=said)


@router.post("/redeem")
def redeem(here: Here, caller: Operator, asked: Redemption, written: Who) -> Redeemed:
    """The order under a seal, once, if book, breaker and limits are still those it was judged on."""
    try:
        account = here.account(asked.run_id)
        order = here.sealing.redeem(asked.seal, account, here.ledger, now_ms())
    except (InvalidOrder, ConfigError) as error:
        record(here, written, 422)
        raise explain(error, "seal") from None
    record(here, written, 200)
    return Redeemed(run_id=account.run_id, order=_slip(order))


def _checked(here: State, asked: OrderCheck) -> tuple[Checked, Order | None]:
    account = here.account(asked.run_id)
    sign = 1.0 if asked.side == "BUY" else -1.0
    wish = Wish(
        symbol=asked.symbol,
        quantity=None if asked.quantity is None else sign * asked.quantity,
        weight=None if asked.weight is None else sign * asked.weight,
        price=asked.price,
        stop=asked.stop,
        take_profit=asked.take_profit,
    )
    limits = controls.limits_of(here.ledger, account.run_id, account.settings).limits
    state = BreakerState(controls.standing(here.ledger, account.run_id).breaker)
    case = case_for(wish, account, here.ledger, bar_store(here.settings, here.userdir), limits, state)
    book = here.rule_book(account.settings)
    (verdict,) = review(case, book)
    flip = find(case, 0, book, verdict)
    answered = verdict if flip is None else msgspec.structs.replace(verdict, flip=flip.text)
    slip = slip_of(case, verdict, asked.price, account.run_id, here.ledger)
    return _answer(case, answered, slip, _impact(case, here.settings.costs), account.run_id), slip.order


def _answer(case: Case, verdict: RiskVerdict, slip: Slip, impact: float | None, run_id: str) -> Checked:
    (candidate,) = case.candidates
    hits = verdict.hits if slip.hit is None else (*verdict.hits, slip.hit)
    spoken = [f"{hit.rule}: {hit.message} ({hit.value:.6g} against {hit.limit:.6g})" for hit in hits]
    approved = verdict.outcome is Outcome.APPROVED and slip.hit is None
    return Checked(
        order_id=verdict.decision_id,
        approved=approved,
        estimated_impact=impact,
        risk_score=_score(verdict),
        rejection_reasons=[] if approved else spoken,
        warnings=spoken if approved else [f"{near.rule}: {near.message}" for near in verdict.near_misses],
        verdict=_whole(verdict),
        held=candidate.held,
        asked=candidate.decision.target,
        order=None if slip.order is None else _slip(slip.order),
        order_reason=slip.reason,
        run_id=run_id,
        as_of=case.ts,
    )


def _slip(order: Order) -> OrderSlip:
    return OrderSlip(
        id=order.id,
        symbol=order.symbol,
        venue=order.venue,
        side=order.side.value,
        type="MARKET" if order.price is None else "LIMIT",
        quantity=f"{order.qty:f}",
        price=None if order.price is None else f"{order.price:f}",
        reduce_only=order.reduce_only,
    )


def _whole(verdict: RiskVerdict) -> Verdict:
    return Verdict(
        outcome=verdict.outcome.value,
        target=verdict.target,
        hits=[msgspec.structs.asdict(hit) for hit in verdict.hits],
        near_misses=[msgspec.structs.asdict(near) for near in verdict.near_misses],
        flip=verdict.flip,
        stop=verdict.stop,
        take_profit=verdict.take_profit,
    )


def _score(verdict: RiskVerdict) -> float:
    """The largest share of a limit that is used; 1 where a rule without a size blocks."""
    shares = [hit.value / hit.limit if hit.limit > 0 else 1.0 for hit in (*verdict.hits, *verdict.near_misses)]
    blocked = verdict.outcome in (Outcome.REFUSED, Outcome.HALTED)
    return max([*shares, 1.0 if blocked else 0.0])


def _impact(case: Case, costs: CostParams) -> float | None:
    """Half spread and impact of a market order, in quote units; None where volume or volatility is not known."""
    (candidate,) = case.candidates
    market = case.markets[candidate.symbol]
    notional = abs(candidate.decision.target - candidate.held) * case.snapshot.equity
    if not market.volume_24h or market.volatility is None:
        return None
    rates, share = costs.rates(candidate.symbol), notional / market.volume_24h
    side = 1 if candidate.decision.target > candidate.held else -1
    price = taker_price(candidate.mark, side, share, market.volatility, rates)
    return number(abs(price / candidate.mark - 1) * notional)


@router.get("/verdicts")
def verdicts(here: Here, caller: Reader, query: Annotated[VerdictQuery, Query()]) -> list[dict[str, Any]]:
    """The gate's verdicts, newest first, each with the rules that spoke."""
    chosen = {"symbol": query.symbol, "decision_id": query.decision_id, "outcome": query.outcome}
    found = latest_verdicts(here.ledger.engine, here.run_id(query.run_id), chosen, query.limit)
    return [clean(plain(verdict)) for verdict in found]


@router.get("/books")
def books(here: Here, caller: Reader) -> list[dict[str, Any]]:
    """The rule books there are: those that come with Seakeep, and those of the user folder."""
    shipped = [_book(name, "shipped") for name in shipped_books()]
    return shipped + [{"name": n, "origin": "user", "version": None, "rules": []} for n in user_books(here.userdir)]


def _book(name: str, origin: str) -> dict[str, Any]:
    book = shipped_book(name)
    rules = [{"id": rule.id, "severity": rule.severity} for rule in book.rules.values()]
    return {"name": name, "origin": origin, "version": book.version, "rules": rules}
