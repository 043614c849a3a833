"""The tail risk of a book, and of one candidate order on top of it, fast enough to stand in the order path.

Historical simulation: today's weights on every day of the history. CVaR carries the decision, because its components
and its change by an order rest on every day beyond VaR; VaR rests on one. Errors are asymptotic and take the days as
independent; `stats.components` gives bootstrap ones where there is time.
"""

from dataclasses import dataclass, replace

import numpy as np

from seakeep.core.errors import DataError
from seakeep.core.market import Float64
from seakeep.stats.components import checked_portfolio, tail_slopes
from seakeep.stats.performance import LEVEL, Estimate
from seakeep.stats.quantiles import checked_confidence
from seakeep.stats.tails import Z_LEVEL, tail_errors

__all__ = ["OrderRisk", "TailSnapshot", "tail_snapshot"]


@dataclass(frozen=True, slots=True, eq=False)
class OrderRisk:
    """What an order does to the book: the change of VaR and CVaR, and the change its slope alone would say.

    `marginal_cvar` is the slope of CVaR in the order, per unit of equity traded; None if the book was empty.
    """

    var_change: float
    cvar_change: Estimate
    marginal_cvar: float | None


@dataclass(frozen=True, slots=True, eq=False)
class TailSnapshot:
    """VaR and CVaR of a book in fractions of equity; per asset (k,) what it adds, its slope, and the error of what it
    adds. Components add up to CVaR, and those of VaR to VaR; a hedge is negative."""

    confidence: float
    var: Estimate
    cvar: Estimate
    volatility: float
    var_component: Float64
    cvar_component: Float64
    cvar_marginal: Float64
    cvar_error: Float64
    order: OrderRisk | None
    interval: str = f"asymptotic, days taken as independent, level {LEVEL:g}"


def _empty(k: int, n: int, confidence: float) -> TailSnapshot:
    """An empty book risks nothing: a fact, not an estimate."""
    none, zero = np.zeros(k), Estimate(0.0, 0.0, 0.0, n)
    return TailSnapshot(confidence, zero, zero, 0.0, none, none, none, none, None, "an empty book")


def _influence(losses: Float64, var: float, share: float) -> Float64:
    """How much each day (n,) moves CVaR, but for a constant."""
    return np.asarray(np.maximum(losses - var, 0.0) / share)


def _book(table: Float64, weights: Float64, confidence: float) -> TailSnapshot:
    slopes = tail_slopes(table, weights, confidence)
    outcome, n = table @ weights, len(table)
    error, cvar_error = tail_errors(np.sort(outcome), confidence)
    worst = outcome <= -slopes.var
    spread = table[worst].std(axis=0, ddof=1) if worst.sum() > 1 else np.full(len(weights), np.nan)
    return TailSnapshot(
        confidence,
        Estimate(slopes.var, slopes.var - Z_LEVEL * error, slopes.var + Z_LEVEL * error, n),
        Estimate(slopes.cvar, slopes.cvar - Z_LEVEL * cvar_error, slopes.cvar + Z_LEVEL * cvar_error, n),
        float(outcome.std(ddof=1)),
        weights * slopes.var_slopes,
        weights * slopes.cvar_slopes,
        slopes.cvar_slopes,
        np.abs(weights) * spread / np.sqrt(worst.sum()),
        None,
    )


def tail_snapshot(
    returns: Float64, weights: Float64, order: Float64 | None = None, confidence: float = 0.95
) -> TailSnapshot:
    """VaR, CVaR and components of weights (k,) on simple returns (n, k); with `order` (k,) also what it would change.

    Weights and order are signed shares of equity.

    Raises: ConfigError (confidence), NotEnoughHistory, DataError (NaN, a book that does not move), ValueError (shapes).
    """
    level, held = checked_confidence(confidence), np.asarray(weights, np.float64)
    if held.any():
        table, held = checked_portfolio(returns, held)
        book = _book(table, held, level)
    else:
        table, _ = checked_portfolio(returns, np.ones(len(held)) if order is None else np.asarray(order, np.float64))
        book = _empty(len(held), len(table), level)
    if order is None:
        return book
    return _with_order(table, held, np.asarray(order, np.float64), book)


def _with_order(table: Float64, held: Float64, order: Float64, book: TailSnapshot) -> TailSnapshot:
    if order.shape != held.shape or not np.isfinite(order).all() or not order.any():
        raise DataError("an order is a finite weight for each asset, not all zero", value=order.tolist())
    share, before, losses = 1 - book.confidence, -(table @ held), -(table @ (held + order))
    after = tail_slopes(table, held + order, book.confidence)
    moved = _influence(losses, after.var, share) - _influence(before, book.var.value, share)
    change = after.cvar - book.cvar.value
    half = Z_LEVEL * float(moved.std(ddof=1)) / np.sqrt(len(table))
    slope = float(book.cvar_marginal @ order / np.abs(order).sum()) if held.any() else None
    risk = OrderRisk(
        after.var - book.var.value, Estimate(change, float(change - half), float(change + half), len(table)), slope
    )
    return replace(book, order=risk)
