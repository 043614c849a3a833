"""What goes in and out of the API, as its OpenAPI document describes it."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from seakeep.app.web.tokens import Scope

__all__ = [
    "Asked",
    "AuditRow",
    "Breaker",
    "Checked",
    "Confirmation",
    "FaultModel",
    "LimitChange",
    "LimitRow",
    "LimitSheet",
    "LoginRequest",
    "Metrics",
    "OrderCheck",
    "OrderSlip",
    "Pass",
    "PositionRow",
    "Positions",
    "ProblemModel",
    "Reason",
    "Receipt",
    "Redeemed",
    "Redemption",
    "RunRow",
    "Verdict",
]

Symbol = Annotated[
    str, Field(pattern=r"^[A-Z0-9]{1,20}/[A-Z0-9]{1,10}(:[A-Z0-9]{1,10})?$", description="such as BTC/USDT")
]
Reason = Annotated[
    str, Field(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$")
]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class FaultModel(BaseModel):
    """One thing that is wrong."""

    field: str = Field(description="what it is about; empty for the whole request")
    message: str
    type: str
    remedy: str = Field("", description="what helps")


class ProblemModel(BaseModel):
    """Every answer of 4xx."""

    detail: list[FaultModel]
    method: str
    path: str
    request_id: str


class LoginRequest(_In):
    """A person's login."""

    name: str = Field(
        min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]*$", description="for the audit"
    )
    secret: str = Field(min_length=1, max_length=500)
    scope: Annotated[Scope, Field(strict=False)] = Field(Scope.READ, description="no more than this session needs")


class Pass(BaseModel):
    """A login that soon expires."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - the kind of token, not a token
    scope: Scope
    expires_in: int = Field(description="seconds")


class Figure(BaseModel):
    """An estimate with its interval."""

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int = Field(0, description="observations behind it")


class Metrics(BaseModel):
    """The risk of a run's book. Money in the quote asset; what is not known is null, with its reason."""

    run_id: str
    as_of: int | None = Field(description="newest snapshot, UTC ms")
    quote: str | None
    equity: float | None
    var_1d: float | None
    var_5d: float | None
    cvar_1d: float | None
    cvar_5d: float | None
    volatility: float | None = Field(description="of the book's returns, a year")
    beta: float | None = Field(description="of the book to BTC")
    correlation_to_btc: float | None
    max_drawdown: float | None = Field(description="of the run's equity, a positive fraction")
    sharpe_ratio: float | None = Field(description="of the run's equity, a year")
    leverage: float | None = Field(description="sum of absolute positions over equity")
    margin_utilization: float | None
    confidence: float
    method: str
    fractions: dict[str, Figure] = Field(description="tail figures as fractions of equity, with their intervals")
    reasons: dict[str, str] = Field(description="why a figure is null")
    cautions: list[str]


class LimitRow(BaseModel):
    """One limit, and what of it is used."""

    limit_id: str
    limit_type: str
    limit_value: float
    current_value: float | None
    limit_percentage: float | None = Field(description="current over limit, in percent")
    is_breached: bool
    severity: Literal["green", "yellow", "red"]
    reason: str = Field(description="why the current value is null; else what the limit is")


class LimitSheet(BaseModel):
    """All limits of a run, and changes that wait."""

    run_id: str
    version: str
    limits: list[LimitRow]
    waiting: list[dict[str, Any]] = Field(description="looser limits that can be confirmed from `ready_ts` on")
    refused: list[dict[str, str]] = Field(description="changes the run refused, with the reason")


class PositionRow(BaseModel):
    """One position; amounts as exact text."""

    symbol: str
    side: Literal["LONG", "SHORT"]
    quantity: str
    average_price: str
    mark: float | None
    market_value: float | None
    weight: float | None
    unrealized_pnl: float | None
    realized_pnl: str
    fees: str
    funding: str


class Positions(BaseModel):
    """What a run holds."""

    run_id: str
    as_of: int | None
    equity: float | None
    quote: str | None
    positions: list[PositionRow]


class OrderCheck(_In):
    """An order somebody would like to place. Its size as `quantity` (base units) or `weight` (share of equity)."""

    symbol: Symbol
    side: Annotated[Literal["BUY", "SELL"], Field(description="direction")]
    quantity: float | None = Field(None, gt=0, le=1e15)
    weight: float | None = Field(None, gt=0, le=100)
    price: float | None = Field(None, gt=0, le=1e15, description="the newest close if left out")
    stop: float | None = Field(None, gt=0, le=1e15)
    take_profit: float | None = Field(None, gt=0, le=1e15)
    run_id: str | None = Field(None, max_length=100)


class Verdict(BaseModel):
    """The gate's answer, whole."""

    outcome: Literal["APPROVED", "RESIZED", "REFUSED", "HALTED"]
    target: float = Field(description="weight of equity the position may have")
    hits: list[dict[str, Any]]
    near_misses: list[dict[str, Any]]
    flip: str = Field(description="the smallest change that would change the answer")
    stop: float | None
    take_profit: float | None


class OrderSlip(BaseModel):
    """An order as a venue takes it; amounts as exact text, in lots and ticks."""

    id: str
    symbol: str
    venue: str
    side: Literal["BUY", "SELL"]
    type: Literal["MARKET", "LIMIT"]
    quantity: str
    price: str | None
    reduce_only: bool


class Checked(BaseModel):
    """What the gate says to an order; nothing has been sent."""

    order_id: str
    approved: bool
    estimated_impact: float | None = Field(description="cost of spread and impact, in the quote asset")
    risk_score: float = Field(description="largest share of any limit that is used, 0 to 1 and over")
    rejection_reasons: list[str]
    warnings: list[str]
    verdict: Verdict
    held: float = Field(description="weight now")
    asked: float = Field(description="weight the order leads to")
    order: OrderSlip | None = Field(description="what may be sent for it; null with its reason in `order_reason`")
    order_reason: str = ""
    seal: str | None = Field(None, description="the approval of `order` for another process; redeemed once")
    seal_expires: int | None = Field(None, description="UTC ms")
    seal_reason: str = Field("", description="why an order is not sealed")
    run_id: str
    as_of: int


class Redemption(_In):
    """A sealed approval, by whoever is about to carry it out."""

    seal: str = Field(min_length=1, max_length=60_000)
    run_id: str | None = Field(None, max_length=100)


class Redeemed(BaseModel):
    """An order that is to be carried out now. It is given out this once."""

    run_id: str
    order: OrderSlip


class Asked(_In):
    """An order of a person to a run."""

    action: Literal["pause", "resume", "reduce", "flatten", "halt", "reset-breaker", "write-off"]
    reason: Reason
    symbol: Symbol | None = Field(None, description="what write-off is about")
    run_id: str | None = Field(None, max_length=100)


class LimitChange(_In):
    """Other limits."""

    changes: dict[str, float] = Field(min_length=1, max_length=40)
    reason: Reason
    run_id: str | None = Field(None, max_length=100)


class Confirmation(_In):
    """The second word to a change of limits, or its end."""

    id: str = Field(pattern=r"^[0-9a-f]{10}$")
    reason: Reason
    cancel: bool = False
    run_id: str | None = Field(None, max_length=100)


class Receipt(BaseModel):
    """An order that is in the inbox of its run."""

    run_id: str
    seq: int = Field(description="its place in the run's order of controls")
    id: str
    action: str
    reason: str
    by: str
    taken: bool = Field(description="whether the run's journal has it already")
    trading: str | None = Field(description="the process that will take it up; null if none trades the run now")
    without_effect: str = Field("", description="why it will change nothing; empty where it may")


class Breaker(BaseModel):
    """The breaker of a run, and what people ordered."""

    run_id: str
    state: str
    paused: bool
    trading: str | None
    as_of: int | None
    drawdown: float | None
    daily_loss: float | None
    controls: int
    waiting: list[Receipt]


class RunRow(BaseModel):
    """A run of the ledger."""

    run_id: str
    entries: int
    first: int | None
    last: int | None
    head: str


class AuditRow(BaseModel):
    """A request that changed something or tried to."""

    ts: int
    request: str
    who: str
    what: str
    body: str
    status: int
