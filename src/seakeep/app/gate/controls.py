"""What people may order a run to do, and where a run stands: shared by the command line and the API."""

import re
import time
from collections.abc import Iterable, Mapping
from hashlib import sha256

import msgspec

from seakeep.app.gate.account import run_settings
from seakeep.app.sections import Settings
from seakeep.core.errors import ConfigError
from seakeep.core.events import Control, Slice
from seakeep.core.registry import nearest
from seakeep.core.units import iso
from seakeep.core.verdicts import RiskSnapshot
from seakeep.ledger import inbox
from seakeep.ledger.inbox import Audited, Posted, Sender
from seakeep.ledger.journal import Ledger
from seakeep.ledger.latest import latest_snapshot, writing_process
from seakeep.risk.breaker import PEOPLE, BreakerState, step
from seakeep.risk.limits import Limits
from seakeep.risk.ratchet import Pending, Ratchet, RatchetParams, cancel, changed, confirm, request

__all__ = [
    "ACTIONS",
    "InForce",
    "Order",
    "Standing",
    "ask",
    "limits_of",
    "order",
    "standing",
    "still_speaks",
    "wait_for",
]

ACTIONS = {
    "pause": "take no new decision; what is held and protected stays",
    "resume": "take decisions again after a pause",
    "reduce": "only reductions from now on, until a written reset",
    "flatten": "close every position, then halt",
    "halt": "nothing but reductions, until a written reset",
    "reset-breaker": "trade again after the breaker has tripped",
    "set-limits": "other limits: tighter at once, looser after a while and a confirmation",
    "confirm-limits": "the second word that a looser limit needs",
    "cancel-limits": "take a looser limit back before it counts",
    "write-off": "count what is held of a market that has gone silent as worth nothing, until it has a price again",
}
"""Every control, and what it does."""
_LONGEST = 500
_LOOKED_AT = 500
"""Newest entries of a journal in which a market that speaks is looked for."""
_PRINTABLE = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]+")
_LOOK_S = 0.1


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """A control before it is checked: `changes` for set-limits, the `id` of the change for the two that follow it, the
    `symbol` for write-off."""

    action: str
    reason: str
    changes: Mapping[str, float] = {}
    id: str = ""
    symbol: str = ""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Where a run stands: its newest snapshot, the breaker with what people ordered since, and what still waits.

    `trading` names the process that writes the run now; `controls` how many orders of people have taken effect.
    """

    run_id: str
    trading: str | None
    entries: int
    last_ts: int | None
    snapshot: RiskSnapshot | None
    breaker: str
    paused: bool
    controls: int
    waiting: tuple[Posted, ...]


class InForce(msgspec.Struct, frozen=True):
    """The limits a run is held to now, changes that wait, and changes that were refused, with the reason."""

    limits: Limits
    waiting: tuple[Pending, ...]
    refused: tuple[tuple[str, str], ...]


def order(asked: Order, sender: Sender) -> Control:
    """The control that is asked for. Raises: ConfigError naming what is wrong with it."""
    if asked.action not in ACTIONS:
        raise ConfigError("no such control", value=asked.action, remedy=nearest(asked.action, list(ACTIONS)))
    reason = asked.reason.strip()
    if not reason or len(reason) > _LONGEST or not _PRINTABLE.fullmatch(reason):
        remedy = f"say why in one line of at most {_LONGEST} characters; it is kept in the journal"
        raise ConfigError(f"{asked.action} needs a reason", value=reason[:40] or None, remedy=remedy)
    name = sha256(f"{sender.who}|{sender.key}".encode()).hexdigest()[:10]
    if asked.action in ("confirm-limits", "cancel-limits"):
        if not re.fullmatch(r"[0-9a-f]{10}", asked.id):
            remedy = "see `seakeep limits show`"
            raise ConfigError(f"{asked.action} needs the id of a change", value=asked.id or None, remedy=remedy)
        name = asked.id
    if bool(asked.symbol) != (asked.action == "write-off"):
        remedy = "name the symbol that has gone silent" if asked.action == "write-off" else "leave the symbol out"
        raise ConfigError(f"{asked.action}: a symbol belongs to write-off", value=asked.symbol or None, remedy=remedy)
    changes = _changes(asked) if asked.action == "set-limits" else ((asked.symbol, 0.0),) if asked.symbol else ()
    return Control(sender.ts, asked.action, reason, changes, sender.who, name)


def _changes(asked: Order) -> tuple[tuple[str, float], ...]:
    """Limits by name, each one there is and within its bounds."""
    if not asked.changes:
        raise ConfigError("set-limits needs a limit", remedy="write for example max_weight=0.05")
    changes = tuple((name, float(value)) for name, value in asked.changes.items())
    for change in changes:
        changed(Limits(), (change,))
    return changes


def ask(ledger: Ledger, run_id: str, control: Control, sender: Sender, request: Audited | None = None) -> Posted:
    """Put a control into the run's inbox.

    Raises: ConfigError if the run would refuse it as it stands, or its key was used for another; LedgerError.
    """
    if control.action.endswith("-limits") and not _is_there(ledger, run_id, control):
        _try_out(ledger, run_id, control)
    if control.action == "write-off":
        _is_held(ledger, run_id, control.changes[0][0])
    return inbox.post(ledger.engine, run_id, control, sender, request)


def _is_held(ledger: Ledger, run_id: str, symbol: str) -> None:
    """Hold a write-off against what the run holds. Raises: ConfigError if there is nothing to write off."""
    found = latest_snapshot(ledger.engine, run_id)
    held = [] if found is None else [name for name, _ in found[1].exposure]
    if symbol not in held:
        remedy = f"it holds {', '.join(held) or 'nothing that has a price'}"
        raise ConfigError("the run does not hold that", value=symbol, remedy=remedy)


def _is_there(ledger: Ledger, run_id: str, control: Control) -> bool:
    """Whether it was sent before."""
    there = inbox.posted(ledger.engine, run_id)
    return any(msgspec.structs.replace(posted.control, ts=control.ts) == control for posted in there)


def _try_out(ledger: Ledger, run_id: str, control: Control) -> None:
    """Hold a change of limits against those in force and those that wait. Raises: ConfigError if it cannot be."""
    run = ledger.run(run_id)
    settings = run_settings(run.config)
    now, told = run.last_ts or 0, inbox.journaled(ledger.engine, run_id)
    waiting = (posted.control for posted in inbox.posted(ledger.engine, run_id, len(told)))
    queue = (*(c for _, c in told), *(msgspec.structs.replace(c, ts=now) for c in waiting))
    _turned(_folded(settings, queue)[0], settings.risk.ratchet, msgspec.structs.replace(control, ts=now))


def standing(ledger: Ledger, run_id: str) -> Standing:
    """Where a run stands now. Raises: LedgerError for an unknown run; IntegrityError."""
    run, newest = ledger.run(run_id), latest_snapshot(ledger.engine, run_id)
    told = inbox.journaled(ledger.engine, run_id)
    seq, snapshot = newest or (0, None)
    state = BreakerState.NORMAL if snapshot is None else BreakerState(snapshot.breaker)
    for entry, control in told:
        if entry > seq and control.action in PEOPLE:
            state = step(state, PEOPLE[control.action])
    pauses = [control.action == "pause" for _, control in told if control.action in ("pause", "resume")]
    return Standing(
        run_id=run_id,
        trading=writing_process(ledger.engine, run_id),
        entries=run.head_seq,
        last_ts=run.last_ts,
        snapshot=snapshot,
        breaker=state.value,
        paused=bool(pauses and pauses[-1]),
        controls=len(told),
        waiting=inbox.posted(ledger.engine, run_id, len(told)),
    )


def limits_of(ledger: Ledger, run_id: str, settings: Settings) -> InForce:
    """The limits a run was started with, and what its journal made of them. Raises: LedgerError, IntegrityError."""
    told = (control for _, control in inbox.journaled(ledger.engine, run_id))
    ratchet, refused = _folded(settings, told)
    now = ledger.run(run_id).last_ts or 0
    return InForce(ratchet.limits, tuple(p for p in ratchet.pending if now < p.expires_ts), refused)


def still_speaks(ledger: Ledger, run_id: str, symbol: str) -> str:
    """Why a write-off of that symbol changes nothing: its market has spoken lately; "" if it has not."""
    last = ledger.last(run_id)
    if last is None:
        return ""
    latest = ledger.entries(run_id, max(0, last[0] - _LOOKED_AT))
    bars = [bar for _, event, _ in latest if isinstance(event, Slice) for bar in event.bars if bar.symbol == symbol]
    most = limits_of(ledger, run_id, run_settings(ledger.run(run_id).config)).limits.max_age_bars
    if not bars or last[1].ts - bars[-1].close_time > most * (bars[-1].close_time - bars[-1].open_time):
        return ""
    when = iso(bars[-1].close_time)
    return f"no effect: {symbol} still has a price, of {when}; only a market silent for {most:g} bars is written off"


def _folded(settings: Settings, told: Iterable[Control]) -> tuple[Ratchet, tuple[tuple[str, str], ...]]:
    """The ratchet after these controls, and (id, reason) of those it refused."""
    ratchet, refused = Ratchet(settings.risk.limits), []
    for control in told:
        try:
            ratchet = _turned(ratchet, settings.risk.ratchet, control)
        except ConfigError as error:
            refused.append((control.id, str(error)))
    return ratchet, tuple(refused)


def _turned(ratchet: Ratchet, params: RatchetParams, control: Control) -> Ratchet:
    """The ratchet after a control that is about limits; the same after any other."""
    match control.action:
        case "set-limits":
            return request(ratchet, params, control)
        case "confirm-limits":
            return confirm(ratchet, control.ts, control.id)
        case "cancel-limits":
            return cancel(ratchet, control.id)
        case _:
            return ratchet


def wait_for(ledger: Ledger, run_id: str, posted: Posted, seconds: float) -> bool:
    """Whether the run has taken the control over within that time."""
    until = time.monotonic() + seconds
    while len(inbox.journaled(ledger.engine, run_id)) < posted.seq:
        if time.monotonic() >= until:
            return False
        time.sleep(_LOOK_S)
    return True
