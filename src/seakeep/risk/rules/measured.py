"""What follows from a request: weights, losses, the risk to a stop, the reward for it; and what could not be computed.

Every number is a fraction of the balance unless it is an amount. A number that cannot be computed stays None, with the
reason in `unjudged`; nothing is guessed.
"""

import math
from collections.abc import Mapping
from typing import Any

import msgspec

from seakeep.core.errors import SchemaError
from seakeep.risk.rules.request import Indicator, Person, Position, Request, Unjudged, read_request
from seakeep.risk.rules.vocabulary import Row, Rows

__all__ = ["facts_of", "measured", "rows"]

_FIELDS = {
    "opening": "ot_pos_opening",
    "limit": "ot_pos_limit",
    "stop": "ot_pos_stop",
    "offer": "ot_instr_offer",
    "quantity": "ot_pos_contractsize",
    "lots": "ot_pos_size",
    "exchange": "ot_pos_exchange",
    "margin": "ot_pos_margin",
    "side": "ot_pos_direction",
    "balance": "ot_user_balance",
    "diversification": "ot_user_diversification",
    "reward": "ot_user_riskrewardratio",
    "risk": "ot_user_limitpertrade",
}
_ABOVE_ZERO = frozenset({"opening", "offer", "exchange", "balance"})


def measured(request: Request) -> list[Unjudged]:
    """Fill in what follows for every position; returns all that could not be read, computed or compared."""
    found = list(request.unjudged)
    checked = [p for p in request.positions if p.check == "TRUE"]
    if not checked:
        found.append(Unjudged("everything", None, "no position has ot_risk_check true", "block"))
    shared = {p.deal for p in checked if p.deal is not None}
    for position in request.positions:
        if position.check == "TRUE" or position.deal in shared:
            _weigh(position, request.person, found)
    for position in checked:
        if position.asked == "TRUE":
            _order(position, request.person, found)
        elif position.asked == "FALSE":
            _holding(position, request.person, found)
        else:
            found.append(Unjudged("risk", position.deal, "ot_pos_controlled is missing: held or new?", "block"))
    if checked:
        _around(request, checked, found)
    return found


def _gaps(position: Position, person: Person, names: tuple[str, ...]) -> str:
    """Which of these are missing or zero where they may not be; empty if none."""
    said = []
    for name in names:
        value = getattr(position, name) if hasattr(position, name) else getattr(person, name)
        if value is None:
            said.append(f"{_FIELDS[name]} is missing")
        elif name in _ABOVE_ZERO and value <= 0:
            said.append(f"{_FIELDS[name]} is {value:g}")
    return ", ".join(said)


def _finite(value: float, check: str, position: Position, found: list[Unjudged], severity: str) -> float | None:
    if math.isfinite(value):
        return value
    found.append(Unjudged(check, position.deal, "the numbers are too large to multiply", severity))
    return None


def _weigh(position: Position, person: Person, found: list[Unjudged]) -> None:
    severity = "block" if position.asked == "TRUE" else "warn"
    if position.weight is None:
        why = _gaps(position, person, ("opening", "quantity", "lots", "margin", "exchange", "balance"))
        if why:
            found.append(Unjudged("weight", position.deal, why, severity))
            return
        gross = position.opening * position.quantity * position.lots * position.margin / 100  # type: ignore[operator]
        weight = gross / position.exchange / person.balance  # type: ignore[operator]
        position.weight = _finite(weight, "weight", position, found, severity)
    if person.diversification is None and position.check == "TRUE":
        why = (
            f"the weight is {position.weight:.6g}, but ot_user_diversification is missing"
            if position.weight
            else ("ot_user_diversification is missing")
        )
        found.append(Unjudged("weight", position.deal, why, severity))


def _order(position: Position, person: Person, found: list[Unjudged]) -> None:
    """An order about to be opened: what its stop may cost, and what its target pays for that."""
    sides = _gaps(position, person, ("opening",))
    side = position.side or _implied(position)
    if not sides and side is not None:
        way = 1 if side == "BUY" else -1
        if position.stop is not None:
            right = position.stop > 0 and way * (position.opening - position.stop) > 0  # type: ignore[operator]
            position.stop_side = "right" if right else "wrong"
        if position.limit is not None:
            ahead = position.limit > 0 and way * (position.limit - position.opening) > 0  # type: ignore[operator]
            position.limit_side = "right" if ahead else "wrong"
    if position.stop is not None:
        _stop_risk(position, person, found)
        if position.limit is not None:
            _reward(position, person, found)


def _implied(position: Position) -> str | None:
    """The direction a target implies where none is given."""
    if position.limit is None or position.opening is None or position.limit == position.opening:
        return None
    return "BUY" if position.limit > position.opening else "SELL"


def _stop_risk(position: Position, person: Person, found: list[Unjudged]) -> None:
    why = _gaps(position, person, ("opening", "quantity", "lots", "exchange", "balance", "risk"))
    if why:
        found.append(Unjudged("stop-risk", position.deal, why, "block"))
        return
    distance = abs(position.opening - position.stop)  # type: ignore[operator]
    share = distance * position.lots * position.quantity / position.exchange / person.balance
    position.stop_risk = _finite(share, "stop-risk", position, found, "block")


def _reward(position: Position, person: Person, found: list[Unjudged]) -> None:
    why = _gaps(position, person, ("opening", "reward"))
    if not why and position.stop_side is None:
        why = "ot_pos_direction is missing"
    if not why and "wrong" in (position.stop_side, position.limit_side):
        why = "stop or limit is on the wrong side of the opening price"
    if why:
        found.append(Unjudged("reward-risk", position.deal, why))
        return
    gain, risk = position.limit - position.opening, position.opening - position.stop  # type: ignore[operator]
    position.reward_risk = _finite(gain / risk, "reward-risk", position, found, "warn")


def _holding(position: Position, person: Person, found: list[Unjudged]) -> None:
    """A position already held: what it has gained or lost at the offered price."""
    why = _gaps(position, person, ("opening", "offer", "side", "quantity", "lots", "exchange", "balance", "risk"))
    if why:
        found.append(Unjudged("result", position.deal, why))
        return
    way = 1 if position.side == "BUY" else -1
    move = way * (position.offer - position.opening)  # type: ignore[operator]
    amount = abs(move) * position.lots * position.quantity / position.exchange
    share = _finite(amount / person.balance, "result", position, found, "warn")
    if share is None:
        return
    if move < 0:
        position.loss, position.loss_share = amount, share
        return
    position.gain = amount
    why = _gaps(position, person, ("reward",)) or ("ot_user_limitpertrade is 0" if not person.risk else "")
    if why:
        found.append(Unjudged("gain-ratio", position.deal, why))
    else:
        position.gain_ratio = _finite(share / person.risk, "gain-ratio", position, found, "warn")  # type: ignore[operator]


def _around(request: Request, checked: list[Position], found: list[Unjudged]) -> None:
    """Timeframe, sentiment, volatility and correlations of the positions that are checked."""
    person = request.person
    if person.known_timeframe == "FALSE":
        why = f"ot_user_timeframe {person.timeframe!r} is unknown: DAY, HOUR, HOUR_4 or MINUTE_15"
        found.append(Unjudged("timeframe", None, why))
    if not request.indicators:
        found.append(Unjudged("volatility and sentiment", None, "no ot_indicators", "info"))
    elif person.timeframe is None and any(i.sentiment for i in request.indicators):
        found.append(Unjudged("sentiment", None, "ot_user_timeframe is missing"))
    told = _by_instrument(request)
    for position in checked:
        _bandwidth(position, _about(position, told), found)
    if request.correlations is None and len(request.positions) > 1:
        found.append(Unjudged("correlation", None, "no ot_correlation_matrix", "info"))


def _bandwidth(position: Position, told: list[Indicator], found: list[Unjudged]) -> None:
    """How far the Bollinger band width is from its average, in percent."""
    own = {i.kind: i.value for i in told if i.kind in ("bbw", "abbw")}
    if not own:
        return
    width, average = own.get("bbw"), own.get("abbw")
    if width is None or average is None or average == 0:
        why = "ot_indicator_abbw is 0" if average == 0 else "both ot_indicator_bbw and ot_indicator_abbw are needed"
        found.append(Unjudged("volatility", position.deal, why))
        return
    position.bandwidth = _finite(100 * ((width - average) / average), "volatility", position, found, "warn")


def _by_instrument(request: Request) -> dict[str, list[Indicator]]:
    told: dict[str, list[Indicator]] = {}
    for indicator in request.indicators:
        if indicator.instrument is not None:
            told.setdefault(indicator.instrument, []).append(indicator)
    return told


def _about(position: Position, told: dict[str, list[Indicator]]) -> list[Indicator]:
    """Indicators that name the position's instrument, by id or by name."""
    names = {name for name in (position.instrument, position.name) if name is not None}
    return [indicator for name in sorted(names) for indicator in told.get(name, ())]


def rows(request: Request, found: list[Unjudged]) -> Rows:
    """Every fact of a measured request; a correlation that is not there, or not one, is added to `found`."""
    facts: Rows = [("person", _values(request.person))]
    facts.extend(("position", _values(position)) for position in request.positions)
    facts.extend(_indicators(request))
    if request.correlations is not None:
        facts.extend(_pairs(request, request.correlations, found))
    return facts + request.extras


def facts_of(payload: bytes | str | dict[str, Any]) -> Rows:
    """Every fact of a request, measured. Raises: SchemaError as `read_request` does."""
    request = read_request(payload)
    return rows(request, measured(request))


def _values(record: Person | Position) -> tuple[float | int | str | None, ...]:
    values: tuple[float | int | str | None, ...] = msgspec.structs.astuple(record)
    return values


def _indicators(request: Request) -> Rows:
    """One fact an indicator and checked position it concerns."""
    told = _by_instrument(request)
    checked = (position for position in request.positions if position.check == "TRUE") if told else ()
    return [
        ("indicator", (position.n, i.instrument, i.kind, i.value, i.sentiment))
        for position in checked
        for i in _about(position, told)
    ]


def _pairs(request: Request, matrix: Mapping[str, Any], found: list[Unjudged]) -> list[Row]:
    """Each pair with a checked position once, if both instruments are known, differ, and have a correlation."""
    facts: list[Row] = []
    for first in request.positions:
        if first.check != "TRUE" or first.instrument is None:
            continue
        unknown = []
        for second in request.positions:
            done = second.check == "TRUE" and second.n <= first.n
            if done or second.deal == first.deal or second.instrument in (None, first.instrument):
                continue
            value = _correlation(matrix, first.instrument, str(second.instrument))
            if value is None:
                unknown.append(second.label)
                continue
            if None in (first.side, second.side):
                why = f"ot_pos_direction of {first.label} or {second.label} is missing"
                found.append(Unjudged("correlation", first.deal, why))
                continue
            same = "TRUE" if first.side == second.side else "FALSE"
            facts.append(("pair", (first.n, second.n, value, same)))
        if unknown:
            more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
            why = f"ot_correlation_matrix has nothing for {first.label} with {', '.join(unknown[:5])}{more}"
            found.append(Unjudged("correlation", first.deal, why, "info"))
    return facts


def _correlation(matrix: Mapping[str, Any], first: str, second: str) -> float | None:
    """The stronger of the two entries of a pair; None if there is none.

    Raises: SchemaError for an entry that is no number in [-1, 1].
    """
    known: list[float] = []
    for row, column in ((first, second), (second, first)):
        line = matrix.get(row)
        value = line.get(column) if isinstance(line, dict) else None
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not -1.000001 <= value <= 1.000001:
            field = f"ot_correlation_matrix.{row}.{column}"
            said = type(value).__name__ if isinstance(value, list | dict) else value
            raise SchemaError(f"{field} must be a number from -1 to 1", value=said)
        known.append(float(value))
    return max(known, key=abs) if known else None
