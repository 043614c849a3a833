"""What would make a refused request acceptable: a smaller order, or a stop that can be.

Proposals only: the caller judges the changed request before it tells anyone.
"""

import math
from decimal import ROUND_DOWN, Context

import msgspec

from seakeep.risk.rules.findings import Finding, Findings
from seakeep.risk.rules.request import Person, Position, Request

__all__ = ["Change", "changed", "proposals"]

_SIX = Context(prec=6, rounding=ROUND_DOWN)
_SIZED = frozenset({"position-oversized", "position-risk-limit-two"})
_DERIVED = (
    "loss",
    "loss_share",
    "gain",
    "gain_ratio",
    "stop_risk",
    "reward_risk",
    "bandwidth",
    "stop_side",
    "limit_side",
)


class Change(msgspec.Struct, frozen=True):
    """A field of the request that, changed so, would make the answer APPROVED."""

    deal: str | None
    n: int
    field: str
    value: float
    was: float | None


def proposals(request: Request, findings: Findings, shrink: float = 1.0) -> tuple[Change, ...]:
    """The largest sizes, times `shrink`, and the widest stops the findings leave room for."""
    changes: list[Change] = []
    for position in request.positions:
        if position.asked == "TRUE" and position.check == "TRUE":
            own = [finding for finding in findings.findings if finding.n == position.n]
            changes.extend(_for(position, request.person, own, shrink))
    return tuple(changes)


def _for(position: Position, person: Person, own: list[Finding], shrink: float) -> list[Change]:
    wrong = any(finding.rule == "position-impossible-stop" for finding in own)
    sized = [f for f in own if f.rule in _SIZED and not (wrong and f.rule == "position-risk-limit-two")]
    scale = min([1.0, *(_share(f.limit, f.value) for f in sized), *(_joined(f, position) for f in own)])
    changes = []
    quantity = position.quantity or 0.0
    if scale < 1:
        quantity = _down(quantity * scale * shrink)
        changes.append(Change(position.deal, position.n, "ot_pos_contractsize", quantity, position.quantity))
    if wrong and (stop := _stop(position, person, quantity)) is not None:
        changes.append(Change(position.deal, position.n, "ot_pos_stop", stop, position.stop))
    return changes


def _share(limit: float | None, value: float | None) -> float:
    return max(0.0, limit / value) if limit is not None and value else 1.0


def _joined(finding: Finding, position: Position) -> float:
    """What is left for the order beside what is held of the same coin."""
    if finding.rule != "position-double-weight" or not position.weight:
        return 1.0
    if finding.value is None or finding.limit is None:
        return 1.0
    return max(0.0, 1 - (finding.value - finding.limit) / position.weight)


def _down(value: float) -> float:
    """Six significant digits, rounded towards zero."""
    return float(_SIX.create_decimal(f"{value:.12g}")) if math.isfinite(value) else 0.0


def _stop(position: Position, person: Person, quantity: float) -> float | None:
    """The farthest stop on the right side, half the price away at most."""
    if not (position.opening and position.lots and position.exchange and quantity and person.risk and person.balance):
        return None
    distance = person.risk * person.balance * position.exchange / (position.lots * quantity)
    way = -1 if position.side == "BUY" else 1
    return position.opening + way * min(distance * (1 - 1e-9), position.opening / 2)


def changed(request: Request, changes: tuple[Change, ...]) -> Request:
    """The request with those fields changed; what follows from them is to be measured again."""
    fields = {"ot_pos_contractsize": "quantity", "ot_pos_stop": "stop"}
    fresh = list(request.positions)
    for n in {change.n for change in changes}:
        mine = {fields[c.field]: c.value for c in changes if c.n == n}
        resized = {"weight": None} if "quantity" in mine else {}
        fresh[n] = msgspec.structs.replace(fresh[n], **dict.fromkeys(_DERIVED), **resized, **mine)
    return msgspec.structs.replace(request, positions=fresh)
