"""Limits that are tightened at once and loosened slowly: asked for with a reason, waited for, confirmed, or expired.

A ratchet is a value; each function gives the next one. Its inputs are journaled `Control` events, so a replay repeats
every change.
"""

import math
from collections.abc import Iterable, Mapping
from types import MappingProxyType

import msgspec
from pydantic import Field, ValidationError

from seakeep.core.config import Section
from seakeep.core.errors import ConfigError
from seakeep.core.events import Control
from seakeep.core.registry import nearest
from seakeep.core.units import iso
from seakeep.risk.limits import Limits

__all__ = ["TIGHTER", "Pending", "Ratchet", "RatchetParams", "cancel", "changed", "confirm", "request", "tightens"]

_DOWN = (
    "max_weight max_gross max_net max_leverage max_concentration max_correlated correlation_threshold max_cvar "
    "max_marginal_cvar unknown_tail_share max_trade_loss max_order_share max_participation max_age_bars "
    "max_daily_loss max_weekly_loss reduce_drawdown max_drawdown max_open_orders max_orders_per_minute "
    "max_order_notional price_band"
)
_UP = "var_confidence assumed_stop min_model_health min_order_gap_ms"
TIGHTER: Mapping[str, int] = MappingProxyType(dict.fromkeys(_DOWN.split(), -1) | dict.fromkeys(_UP.split(), 1))
"""The direction in which each limit tightens; the others only change how things are measured, so they wait too."""


class RatchetParams(Section):
    """How slowly limits are loosened."""

    wait_ms: int = Field(86_400_000, ge=0, description="a looser limit may be confirmed after this long")
    window_ms: int = Field(86_400_000, gt=0, description="and no later than this long after the wait")


class Pending(msgspec.Struct, frozen=True):
    """A loosening that was asked for: what, why, by whom, and between which instants it can be confirmed."""

    id: str
    changes: tuple[tuple[str, float], ...]
    reason: str
    by: str
    ready_ts: int
    expires_ts: int


class Ratchet(msgspec.Struct, frozen=True):
    """The limits in force, and what waits to be confirmed."""

    limits: Limits
    pending: tuple[Pending, ...] = ()


def tightens(name: str, before: float, after: float) -> bool:
    """Whether a limit that goes from `before` to `after` allows no more than it did.

    >>> tightens("max_weight", 0.1, 0.05), tightens("min_order_gap_ms", 30_000, 10_000)
    (True, False)
    """
    return (after - before) * TIGHTER.get(name, 0) > 0


def changed(limits: Limits, changes: Iterable[tuple[str, float]]) -> Limits:
    """The limits with those values. Raises: ConfigError naming the limit, the value and what is allowed."""
    values = limits.model_dump()
    for name, value in changes:
        if name not in values:
            raise ConfigError(f"unknown limit {name!r}", remedy=nearest(name, list(values)))
        if not math.isfinite(value):
            raise ConfigError(f"limit {name} must be a finite number", value=value)
        values[name] = int(value) if isinstance(values[name], int) and float(value).is_integer() else value
    try:
        return Limits.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"]) or "limits"
        raise ConfigError(
            f"risk.limits.{name}: {first['msg']}", value=first["input"] if first["loc"] else None
        ) from None


def request(ratchet: Ratchet, params: RatchetParams, asked: Control) -> Ratchet:
    """Ask for other limits by a control with `changes`, a `reason` and an `id`: what tightens holds at once.

    What loosens waits, and a tightening takes back what waits on the same limit. Raises: ConfigError for a change that
    is not allowed, named twice or none at all, and for a loosening without a reason or an `id` of its own.
    """
    now = {name: float(value) for name, value in ratchet.limits.model_dump().items()}
    changes = asked.changes
    if len({name for name, _ in changes}) < len(changes):
        raise ConfigError("a limit is named twice", value=changes)
    wanted = changed(ratchet.limits, changes)
    moved = [(name, value) for name, value in changes if value != now[name]]
    if not moved:
        raise ConfigError("no limit would change", value=dict(changes), remedy="see `limits show`")
    tight = tuple((name, value) for name, value in moved if tightens(name, now[name], value))
    loose = tuple((name, value) for name, value in moved if not tightens(name, now[name], value))
    held = _without(_alive(ratchet, asked.ts), {name for name, _ in tight})
    if not loose:
        return Ratchet(wanted, held)
    if not asked.reason.strip():
        raise ConfigError("a looser limit needs a reason", value=dict(loose), remedy="say why, in writing")
    if not asked.id or any(waiting.id == asked.id for waiting in held):
        raise ConfigError("a looser limit needs an id of its own", value=asked.id)
    ready = asked.ts + params.wait_ms
    pending = Pending(asked.id, loose, asked.reason, asked.by, ready, ready + params.window_ms)
    return Ratchet(changed(ratchet.limits, tight), (*held, pending))


def confirm(ratchet: Ratchet, ts: int, id: str) -> Ratchet:  # noqa: A002
    """Put a loosening into force. Raises: ConfigError if there is none of that id, it is too early, or it expired."""
    waiting = next((p for p in ratchet.pending if p.id == id), None)
    if waiting is None:
        known = [p.id for p in ratchet.pending]
        raise ConfigError("no such change of limits waits", value=id, remedy=nearest(id, known) if known else "")
    if ts < waiting.ready_ts:
        raise ConfigError(f"change {id} can be confirmed from {iso(waiting.ready_ts)} on", value=iso(ts))
    if ts >= waiting.expires_ts:
        raise ConfigError(f"change {id} expired at {iso(waiting.expires_ts)}", value=iso(ts), remedy="ask again")
    rest = tuple(p for p in _alive(ratchet, ts) if p.id != id)
    return Ratchet(changed(ratchet.limits, waiting.changes), rest)


def cancel(ratchet: Ratchet, id: str) -> Ratchet:  # noqa: A002
    """Take back a loosening that waits. Raises: ConfigError if there is none of that id."""
    rest = tuple(p for p in ratchet.pending if p.id != id)
    if len(rest) == len(ratchet.pending):
        raise ConfigError("no such change of limits waits", value=id)
    return Ratchet(ratchet.limits, rest)


def _alive(ratchet: Ratchet, ts: int) -> tuple[Pending, ...]:
    return tuple(p for p in ratchet.pending if ts < p.expires_ts)


def _without(pending: tuple[Pending, ...], names: set[str]) -> tuple[Pending, ...]:
    """What is pending, less the changes of those limits."""
    left = (msgspec.structs.replace(p, changes=tuple(c for c in p.changes if c[0] not in names)) for p in pending)
    return tuple(p for p in left if p.changes)
