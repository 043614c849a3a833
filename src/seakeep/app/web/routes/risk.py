"""Risk of a run's real book: metrics, positions, simulation, stress, correlation, ruin."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from seakeep.app.gate import controls
from seakeep.app.gate.account import Account
from seakeep.app.risk import work as riskwork
from seakeep.app.risk.levels import Asked, simulation
from seakeep.app.web.figures import clean, metrics, positions
from seakeep.app.web.schemas import Metrics, Positions
from seakeep.app.web.state import Here, Reader, RunId
from seakeep.backtest.pages.riskfindings import Findings, as_data

__all__ = ["MonteCarloQuery", "RuinQuery", "router"]

router = APIRouter(prefix="/api/v1/risk", tags=["risk"])

Confidence = Annotated[float, Query(ge=0.9, le=0.995, allow_inf_nan=False, description="of VaR and CVaR")]
Interval = Annotated[str, Query(pattern="^(1d|1h)$", description="length of the bars it is measured on: 1d or 1h")]


class _Simulated(BaseModel):
    """What every simulation may be asked."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    run_id: RunId = None
    simulations: int = Field(20_000, ge=1_000, le=1_000_000, description="paths, rounded up to whole batches")
    days: int = Field(1, ge=1, le=365, description="days ahead")
    seed: int = Field(1, ge=0, le=2**31 - 1, description="seed of everything random")
    interval: Interval = "1d"


class MonteCarloQuery(_Simulated):
    """A simulation of the book by a fitted model."""

    confidence: Confidence = 0.95
    level: int = Field(4, ge=1, le=4, description="1 GBM, 2 regimes, 3 GARCH, 4 assets together")


class RuinQuery(_Simulated):
    """Odds of ruin."""

    days: int = Field(90, ge=1, le=365, description="days ahead")
    floor: float = Field(0.5, gt=0, lt=0.75, allow_inf_nan=False, description="share of equity that counts as ruin")


@router.get("/metrics")
def risk_metrics(
    here: Here, caller: Reader, run_id: RunId = None, confidence: Confidence = 0.95, interval: Interval = "1d"
) -> Metrics:
    """VaR and CVaR over 1 and 5 days, volatility, beta, drawdown, Sharpe ratio, leverage; null with its reason."""
    account = here.account(run_id)
    key = ("metrics", *account.key, confidence, interval)
    return here.desks.once(key, lambda: metrics(account, lambda: here.desks.desk(account, interval), confidence))


@router.get("/positions")
def risk_positions(here: Here, caller: Reader, run_id: RunId = None) -> Positions:
    """What the run holds, and what each position is worth."""
    return positions(here.account(run_id))


@router.get("/var/monte-carlo")
@router.get("/var/monte_carlo", include_in_schema=False)
def monte_carlo(here: Here, caller: Reader, query: Annotated[MonteCarloQuery, Query()]) -> dict[str, Any]:
    """The book's future by a model fitted to its history; every figure with its Monte Carlo error."""
    account = here.account(query.run_id)
    asked = Asked(
        level=query.level, days=query.days, paths=query.simulations, seed=query.seed, confidence=query.confidence
    )

    def found() -> dict[str, Any]:
        desk = here.desks.desk(account, query.interval)
        return _answer(account, Findings(measured=desk.measured, simulation=simulation(desk, asked)))

    return here.desks.once(("monte-carlo", *account.key, query), found)


@router.get("/stress-test")
@router.get("/stress_test", include_in_schema=False)
def stress_test(here: Here, caller: Reader, run_id: RunId = None) -> dict[str, Any]:
    """What crashes and replayed crises take from the book, by position; what remains is never more than before."""
    account = here.account(run_id)

    def found() -> dict[str, Any]:
        desk = here.desks.desk(account, "1d")
        return _answer(account, Findings(measured=desk.measured, stresses=riskwork.stresses(desk, None)))

    return here.desks.once(("stress", *account.key), found)


@router.get("/correlation")
def correlation(here: Here, caller: Reader, run_id: RunId = None, interval: Interval = "1d") -> dict[str, Any]:
    """How the assets of the book move together, with intervals; null for a book of one asset."""
    account = here.account(run_id)

    def found() -> dict[str, Any]:
        desk = here.desks.desk(account, interval)
        table = riskwork.correlations(desk)
        whole = _answer(account, Findings(measured=desk.measured, correlations=table))
        return whole if table is not None else whole | {"correlations": None, "reason": "the book holds one asset"}

    return here.desks.once(("correlation", *account.key, interval), found)


@router.get("/ruin")
def ruin(here: Here, caller: Reader, query: Annotated[RuinQuery, Query()]) -> dict[str, Any]:
    """Odds of losses, of ruin and of the breaker tripping, by horizon, with intervals."""
    account = here.account(query.run_id)
    limits = controls.limits_of(here.ledger, account.run_id, account.settings).limits

    def found() -> dict[str, Any]:
        desk = here.desks.desk(account, query.interval)
        odds = riskwork.ruin(desk, query.days, query.simulations, query.seed, limits, query.floor)
        return _answer(account, Findings(measured=desk.measured, ruin=odds))

    return here.desks.once(("ruin", *account.key, query), found)


def _answer(account: Account, findings: Findings) -> dict[str, Any]:
    as_of = None if account.snapshot is None else account.snapshot.ts
    return {"run_id": account.run_id, "as_of": as_of, **clean(as_data(findings))}
