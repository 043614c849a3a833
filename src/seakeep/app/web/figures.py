"""From a run's account and desk to the figures of seed 001, each one measured or null with its reason."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from seakeep.app.gate.account import Account
from seakeep.app.risk.desk import Desk, stored_bars
from seakeep.app.risk.holdings import quote_of
from seakeep.app.web.schemas import Figure, Metrics, PositionRow, Positions
from seakeep.core.account import Position
from seakeep.core.errors import SeakeepError
from seakeep.core.market import Float64
from seakeep.core.units import YEAR_MS, interval_ms
from seakeep.core.verdicts import RiskSnapshot
from seakeep.stats.performance import Estimate, measure
from seakeep.stats.returns import simple_returns
from seakeep.stats.tails import Scaling, TailSettings, estimate

__all__ = ["clean", "metrics", "number", "positions"]

_METHOD = "historical simulation of today's weights"
_SEED = 1
_TAILS = ("var_1d", "cvar_1d", "var_5d", "cvar_5d")
_OF_BOOK = (*_TAILS, "volatility", "beta", "correlation_to_btc")


def number(value: float | None) -> float | None:
    """The value, or None where it is not a finite number.

    >>> number(float("nan")) is None, number(1.5)
    (True, 1.5)
    """
    return float(value) if value is not None and math.isfinite(value) else None


def clean(value: Any) -> Any:
    """The same dictionaries and lists with None for every number JSON cannot hold.

    >>> clean({"a": [1.0, float("inf")]})
    {'a': [1.0, None]}
    """
    if isinstance(value, dict):
        return {str(key): clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean(item) for item in value]
    return value if not isinstance(value, float) or math.isfinite(value) else None


def metrics(account: Account, opened: Callable[[], Desk], confidence: float) -> Metrics:
    """The risk of the book by its history, and of the run by its equity. `opened` gives the desk, or says why not."""
    found: dict[str, float | None] = {}
    reasons: dict[str, str] = {}
    fractions: dict[str, Figure] = {}
    cautions: tuple[str, ...] = ()
    snapshot = account.snapshot
    equity = None if snapshot is None else snapshot.equity
    if account.held is None:
        _empty(found, reasons, snapshot)
    else:
        try:
            desk = opened()
            fractions = _tails(desk, confidence)
            found |= {name: _money(fractions[name].value, equity) for name in _TAILS}
            found |= _market(desk, reasons)
            cautions = desk.measured.cautions
        except SeakeepError as error:
            reasons |= dict.fromkeys(_OF_BOOK, str(error))
    found |= _of_run(account, reasons)
    found["leverage"] = None if snapshot is None else snapshot.gross
    reasons["margin_utilization"] = _margin(account)
    return Metrics(
        run_id=account.run_id,
        as_of=None if snapshot is None else snapshot.ts,
        quote=_quote(account),
        equity=equity,
        confidence=confidence,
        method=_METHOD,
        fractions=fractions,
        reasons=reasons,
        cautions=list(cautions),
        margin_utilization=None,
        **{name: found.get(name) for name in (*_OF_BOOK, "max_drawdown", "sharpe_ratio", "leverage")},
    )


def _money(fraction: float | None, equity: float | None) -> float | None:
    return None if fraction is None or equity is None else number(fraction * equity)


def _quote(account: Account) -> str:
    return quote_of(account.settings.run.symbols[0])


def _empty(found: dict[str, float | None], reasons: dict[str, str], snapshot: RiskSnapshot | None) -> None:
    """A book that holds nothing risks nothing: a fact; one that was never seen is not known."""
    if snapshot is None:
        reasons |= dict.fromkeys((*_OF_BOOK, "leverage"), "the run has no snapshot yet")
        return
    found |= dict.fromkeys((*_TAILS, "volatility"), 0.0)
    reasons |= dict.fromkeys(("beta", "correlation_to_btc"), "nothing is held")


def _margin(account: Account) -> str:
    perpetual = any(":" in symbol for symbol in account.weights)
    return "the ledger does not record margin" if perpetual else "only spot is held: no margin is posted"


def _tails(desk: Desk, confidence: float) -> dict[str, Figure]:
    per_day, settings = desk.per_day(), TailSettings(seed=_SEED)
    found: dict[str, Figure] = {}
    for days in (1, 5):
        bars = days * per_day
        scaling: Scaling | None = None if bars == 1 else "simulated"
        tail = estimate(desk.outcome, confidence, horizon=bars, scaling=scaling, settings=settings)
        found |= {f"var_{days}d": _figure(tail.var), f"cvar_{days}d": _figure(tail.cvar)}
    return found


def _figure(found: Estimate) -> Figure:
    return Figure(value=number(found.value), low=number(found.low), high=number(found.high), n=found.n)


def _market(desk: Desk, reasons: dict[str, str]) -> dict[str, float | None]:
    """Volatility a year, and beta and correlation to BTC over the bars both have."""
    year = math.sqrt(YEAR_MS / interval_ms(desk.measured.interval))
    found: dict[str, float | None] = {"volatility": number(float(desk.outcome.std(ddof=1)) * year)}
    try:
        book, driver = _beside(desk, f"BTC/{desk.measured.quote}")
    except SeakeepError as error:
        reasons |= dict.fromkeys(("beta", "correlation_to_btc"), str(error))
        return found
    covariance = np.cov(book, driver)
    spread = float(np.sqrt(covariance[0, 0] * covariance[1, 1]))
    if len(book) < 50 or not spread > 0:
        reasons |= dict.fromkeys(("beta", "correlation_to_btc"), f"{len(book)} returns beside BTC, 50 are needed")
        return found
    found["beta"] = number(float(covariance[0, 1] / covariance[1, 1]))
    found["correlation_to_btc"] = number(float(covariance[0, 1]) / spread)
    return found


def _beside(desk: Desk, driver: str) -> tuple[Float64, Float64]:
    """Returns of the book and of the driver on the bars both have."""
    bars = stored_bars(desk.store, driver, desk.measured.interval)
    step = interval_ms(desk.measured.interval)
    follows = np.flatnonzero(np.diff(bars.ts) == step)
    returns, opened = simple_returns(bars.close)[follows], bars.ts[1:][follows]
    _, ours, theirs = np.intersect1d(desk.opened, opened, return_indices=True)
    return desk.outcome[ours], returns[theirs]


def _of_run(account: Account, reasons: dict[str, str]) -> dict[str, float | None]:
    """Drawdown and Sharpe ratio of the run's own equity."""
    if len(account.ts) < 2:
        reasons |= dict.fromkeys(("max_drawdown", "sharpe_ratio"), "the run has fewer than two snapshots")
        return {}
    found: Mapping[str, Estimate] = measure(account.ts, account.equity)
    values = {"max_drawdown": number(found["max_drawdown"].value), "sharpe_ratio": number(found["sharpe"].value)}
    for name, value in values.items():
        if value is None:
            reasons[name] = f"{len(account.ts)} snapshots do not say"
    return values


def positions(account: Account) -> Positions:
    """What the run holds, at the prices of its newest snapshot."""
    snapshot = account.snapshot
    return Positions(
        run_id=account.run_id,
        as_of=None if snapshot is None else snapshot.ts,
        equity=None if snapshot is None else snapshot.equity,
        quote=_quote(account),
        positions=[_row(position, snapshot) for position in account.positions],
    )


def _row(position: Position, snapshot: RiskSnapshot | None) -> PositionRow:
    weight = None if snapshot is None else dict(snapshot.exposure).get(position.symbol)
    value = None if weight is None or snapshot is None else weight * snapshot.equity
    qty = float(position.qty)
    return PositionRow(
        symbol=position.symbol,
        side="LONG" if qty > 0 else "SHORT",
        quantity=str(position.qty),
        average_price=f"{position.cost / position.qty:.12g}",
        mark=None if value is None else number(value / qty),
        market_value=number(value),
        weight=number(weight),
        unrealized_pnl=None if value is None else number(value - float(position.cost)),
        realized_pnl=str(position.realised),
        fees=str(position.fees),
        funding=str(position.funding),
    )
