"""The limits of a run beside what its book uses of them."""

from collections import defaultdict
from typing import Any

import msgspec

from seakeep.app.gate.account import Account
from seakeep.app.gate.controls import InForce
from seakeep.core.verdicts import RiskSnapshot
from seakeep.risk.limits import Limits

__all__ = ["limit_sheet", "used"]

_KINDS = {
    "max_weight": "position",
    "max_gross": "exposure",
    "max_net": "exposure",
    "max_leverage": "leverage",
    "max_concentration": "concentration",
    "max_correlated": "concentration",
    "max_cvar": "tail",
    "max_daily_loss": "loss",
    "max_weekly_loss": "loss",
    "reduce_drawdown": "loss",
    "max_drawdown": "loss",
}
"""Limits a book can be held against; the others bound an order, or say how something is measured."""


def limit_sheet(account: Account, held_to: InForce) -> dict[str, Any]:
    """Every limit that bounds the book or an order, and changes of limits that wait or were refused."""
    limits = held_to.limits
    now = {} if account.snapshot is None else used(account.snapshot)
    rows = [_row(name, getattr(limits, name), now.get(name), account) for name in Limits.model_fields if _bounds(name)]
    return {
        "run_id": account.run_id,
        "version": limits.version,
        "limits": rows,
        "waiting": [msgspec.structs.asdict(p) | {"changes": dict(p.changes)} for p in held_to.waiting],
        "refused": [{"id": name, "why": why} for name, why in held_to.refused],
    }


def used(snapshot: RiskSnapshot) -> dict[str, float | None]:
    """What the book uses of each limit it can be held against; None where the snapshot does not know."""
    weights = dict(snapshot.exposure)
    coins: dict[str, float] = defaultdict(float)
    for symbol, weight in weights.items():
        coins[symbol.partition("/")[0]] += weight
    spot = sum(weight for symbol, weight in weights.items() if ":" not in symbol)
    lent = sum(abs(weight) for symbol, weight in weights.items() if ":" in symbol)
    return {
        "max_weight": max(map(abs, weights.values()), default=0.0),
        "max_gross": snapshot.gross,
        "max_net": abs(sum(weights.values())),
        "max_leverage": lent / (1 - spot) if spot < 1 else (None if lent else 0.0),
        "max_concentration": max(map(abs, coins.values()), default=0.0),
        "max_correlated": snapshot.correlated_exposure if weights else 0.0,
        "max_cvar": snapshot.cvar if weights else 0.0,
        "max_daily_loss": snapshot.daily_loss,
        "max_weekly_loss": snapshot.weekly_loss,
        "reduce_drawdown": snapshot.drawdown,
        "max_drawdown": snapshot.drawdown,
    }


def _bounds(name: str) -> bool:
    return name.startswith(("max_", "min_order", "price_")) or name in _KINDS


def _row(name: str, limit: float, now: float | None, account: Account) -> dict[str, Any]:
    share = None if now is None else now / limit if limit else None
    breached = share is not None and (share >= 1 if _KINDS[name] == "loss" else share > 1)
    return {
        "limit_id": name,
        "limit_type": _KINDS.get(name, "order"),
        "limit_value": float(limit),
        "current_value": now,
        "limit_percentage": None if share is None else 100 * share,
        "is_breached": breached,
        "severity": "red" if breached else "yellow" if share is not None and share >= 0.8 else "green",
        "reason": _reason(name, now, account),
    }


def _reason(name: str, now: float | None, account: Account) -> str:
    if now is not None:
        return str(Limits.model_fields[name].description)
    if account.snapshot is None:
        return "the run has no snapshot yet"
    if name in _KINDS:
        return "the newest snapshot does not know it"
    return f"{Limits.model_fields[name].description}: it bounds an order, not the book"
