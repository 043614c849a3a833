"""Reads the JSON of the stateless door: what a person holds and asks, as facts, and what in it could not be read.

Booleans, numbers and null are taken in any spelling ("true", True, 1; "0.5"; null, "null", "None", ""). A field we do
not know becomes an `extra` fact, so that a book can have a rule about it.
"""

import math
from typing import Any

import msgspec

from seakeep.core.errors import SchemaError

__all__ = ["MOST_POSITIONS", "Indicator", "Person", "Position", "Request", "Unjudged", "read_request"]

MOST_POSITIONS = 500
_NULLS = frozenset({"", "null", "none", "nil", "nan", "undefined"})
_LONGEST_NULL = max(map(len, _NULLS))
_TRUE, _FALSE = frozenset({"true", "1", "yes", "y", "t"}), frozenset({"false", "0", "no", "n", "f"})


class Unjudged(msgspec.Struct, frozen=True):
    """Something that could not be judged: which check, of which position, and why. Severity block refuses an order."""

    check: str
    deal: str | None
    why: str
    severity: str = "warn"


class Person(msgspec.Struct):
    """The person's account and profile; shares are fractions. Fields are the slots of the fact `person`."""

    balance: float | None = None
    timeframe: str | None = None
    known_timeframe: str | None = None
    diversification: float | None = None
    reward: float | None = None
    risk: float | None = None


class Position(msgspec.Struct):
    """One position: as it was read, then with what follows from it. Fields are the slots of the fact `position`."""

    n: int
    deal: str | None = None
    instrument: str | None = None
    name: str | None = None
    currency: str | None = None
    kind: str | None = None
    side: str | None = None
    check: str | None = None
    asked: str | None = None
    opening: float | None = None
    limit: float | None = None
    stop: float | None = None
    bid: float | None = None
    offer: float | None = None
    quantity: float | None = None
    lots: float | None = None
    exchange: float | None = None
    margin: float | None = None
    weight: float | None = None
    loss: float | None = None
    loss_share: float | None = None
    gain: float | None = None
    gain_ratio: float | None = None
    stop_risk: float | None = None
    reward_risk: float | None = None
    bandwidth: float | None = None
    stop_side: str | None = None
    limit_side: str | None = None

    @property
    def label(self) -> str:
        """How texts call it: the name, else the instrument, else the deal."""
        return self.name or self.instrument or self.deal or f"position {self.n}"


class Indicator(msgspec.Struct):
    """One indicator of one instrument. Fields are the slots of the fact `indicator`."""

    n: int
    instrument: str | None = None
    kind: str | None = None
    value: float | None = None
    sentiment: str | None = None


class Request(msgspec.Struct):
    """A request that has been read; `extras` are rows of facts, `unjudged` what could not be read."""

    user: Any
    person: Person
    positions: list[Position]
    indicators: list[Indicator]
    echoed: list[Any]
    correlations: dict[str, dict[str, Any]] | None
    extras: list[tuple[str, tuple[float | int | str | None, ...]]]
    unjudged: list[Unjudged]


_PERSON = {
    "ot_user_balance": ("balance", "number"),
    "ot_user_timeframe": ("timeframe", "text"),
    "ot_user_diversification": ("diversification", "size"),
    "ot_user_riskrewardratio": ("reward", "size"),
    "ot_user_limitpertrade": ("risk", "size"),
}
_POSITION = {
    "ot_pos_dealid": ("deal", "text"),
    "ot_instr_id": ("instrument", "text"),
    "ot_instr_name": ("name", "text"),
    "ot_pos_cc": ("currency", "text"),
    "ot_instr_type": ("kind", "text"),
    "ot_instrument_type": ("kind", "text"),
    "ot_pos_direction": ("side", "side"),
    "ot_risk_check": ("check", "flag"),
    "ot_pos_controlled": ("asked", "flag"),
    "ot_pos_opening": ("opening", "size"),
    "ot_pos_limit": ("limit", "size"),
    "ot_pos_stop": ("stop", "size"),
    "ot_instr_bid": ("bid", "size"),
    "ot_instr_offer": ("offer", "size"),
    "ot_pos_contractsize": ("quantity", "size"),
    "ot_pos_size": ("lots", "size"),
    "ot_pos_exchange": ("exchange", "size"),
    "ot_pos_margin": ("margin", "size"),
    "ot_pos_weight": ("weight", "size"),
}
_INDICATOR = {
    "ot_instr_id": ("instrument", "text"),
    "ot_indicator_type": ("kind", "text"),
    "ot_indicator_value": ("value", "number"),
    "ot_instr_sentiment": ("sentiment", "mood"),
}
_KNOWN_UNUSED = frozenset({"position-data", "identified_habits"})
_ENVELOPE = frozenset({"ot_user_id", "ot_risk_input", "ot_user_profile", "ot_indicators", "ot_correlation_matrix"})
TIMEFRAMES = {"DAY": "daily", "HOUR": "1 hour", "HOUR_4": "4 hour", "MINUTE_15": "15 minute"}


def read_request(payload: bytes | str | dict[str, Any]) -> Request:
    """The request in that body.

    Raises: SchemaError naming the field for what is no JSON object, a list that is not one, or a negative size.
    """
    body = _decoded(payload)
    inner = _table(body.get("ot_risk_input"), "ot_risk_input") if "ot_risk_input" in body else body
    unjudged: list[Unjudged] = []
    user = body.get("ot_user_id", -1)
    if isinstance(user, list | dict):
        raise SchemaError("ot_user_id must be a text or a number", value=_short(user))
    request = Request(user, Person(), [], [], [], None, [], unjudged)
    for source, where in ((inner, "ot_risk_input"), (body.get("ot_user_profile"), "ot_user_profile")):
        if source is not None:
            table = _table(source, where)
            _fill(request, request.person, _PERSON, table, where if table is not body else "")
    for n, item in enumerate(_list(inner.get("position-data"), "position-data", MOST_POSITIONS)):
        position = Position(n)
        _fill(request, position, _POSITION, _table(item, f"position-data[{n}]"), f"position-data[{n}]")
        request.positions.append(position)
    request.echoed = _list(body.get("ot_indicators"), "ot_indicators", 10 * MOST_POSITIONS)
    for n, item in enumerate(request.echoed):
        request.indicators.append(_indicator(request, n, _table(item, f"ot_indicators[{n}]")))
    if body.get("ot_correlation_matrix") is not None:
        request.correlations = _table(body["ot_correlation_matrix"], "ot_correlation_matrix")
    frame = request.person.timeframe
    request.person.known_timeframe = None if frame is None else "TRUE" if frame in TIMEFRAMES else "FALSE"
    return request


def _decoded(payload: bytes | str | dict[str, Any]) -> dict[str, Any]:
    if isinstance(payload, dict):
        return payload
    try:
        body = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SchemaError(f"the body is not JSON: {error}", remedy="send one JSON object") from None
    except RecursionError:
        raise SchemaError("the body nests too deep", remedy="send one flat JSON object") from None
    return _table(body, "the body")


def _table(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise SchemaError(f"{where} must be an object", value=_short(value), remedy='write {"...": ...}')
    return value


def _list(value: object, where: str, most: int) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise SchemaError(f"{where} must be a list", value=_short(value), remedy="write [...]")
    if len(value) > most:
        raise SchemaError(f"{where} may have {most} entries at most", value=len(value), remedy="send several requests")
    return value


def _short(value: object) -> str | int | float:
    """The value as a message may show it; what is in lists and objects is not looked into."""
    if isinstance(value, list | dict):
        return f"a list of {len(value)}" if isinstance(value, list) else f"an object of {len(value)}"
    if value is None:
        return "null"
    return value if isinstance(value, float | bool) else _text(value)[:60]


def _text(value: object) -> str:
    """As text, 200 characters at most. Python refuses to write out whole numbers of thousands of digits."""
    try:
        return str(value)[:200]
    except ValueError:
        return "a number of thousands of digits"


def _fill(
    request: Request, target: Person | Position, fields: dict[str, tuple[str, str]], table: dict[str, Any], where: str
) -> None:
    """Put every field of `table` where it belongs; what has no place becomes an extra fact."""
    n = target.n if isinstance(target, Position) else -1
    for key, value in table.items():
        known = fields.get(key)
        if known is None:
            if key not in _KNOWN_UNUSED and (where or key not in _ENVELOPE):
                request.extras.append(_extra(n, "position" if n >= 0 else "person", key, value))
            continue
        if value is None:
            continue
        slot, kind = known
        read = _plain(value, kind) or _read(value, kind, key, where)
        if read is _BROKEN:
            deal = table.get("ot_pos_dealid")
            why = f"{key} cannot be read: {_short(value)!r}"
            request.unjudged.append(Unjudged("reading", None if deal is None else str(_short(deal)), why))
        else:
            setattr(target, slot, read)


def _plain(value: object, kind: str) -> float | str | None:
    """The usual spellings, quickly; None for anything that needs a closer look."""
    if type(value) is float or type(value) is int:
        return float(value) if kind in ("size", "number") and 0 <= value < 1e308 else None
    if kind != "text":
        return _USUAL.get((kind, value)) if type(value) is str or type(value) is bool else None
    return value if type(value) is str and (len(value) > _LONGEST_NULL or value.lower() not in _NULLS) else None


_USUAL: dict[tuple[str, str | bool], str] = {
    ("flag", True): "TRUE",
    ("flag", False): "FALSE",
    ("flag", "true"): "TRUE",
    ("flag", "false"): "FALSE",
    ("side", "BUY"): "BUY",
    ("side", "SELL"): "SELL",
}
_BROKEN = object()


def _read(value: object, kind: str, key: str, where: str) -> Any:
    """The value as that kind, None if it is null in any spelling, _BROKEN if it cannot be read."""
    if value is None or (isinstance(value, str) and value.strip().lower() in _NULLS):
        return None
    if kind == "text":
        return value if isinstance(value, str) else _text(value) if isinstance(value, int | float) else _BROKEN
    if kind in ("number", "size"):
        return _number(value, kind, key, where)
    word = str(_short(value)).strip().lower()
    if kind == "flag":
        return "TRUE" if word in _TRUE else "FALSE" if word in _FALSE else _BROKEN
    if kind == "side":
        return word.upper() if word in ("buy", "sell") else _BROKEN
    return word if word in ("bullish", "bearish") else _BROKEN


def _number(value: object, kind: str, key: str, where: str) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return _BROKEN
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return _BROKEN
    if not math.isfinite(number):
        return _BROKEN
    if kind == "size" and number < 0:
        field = f"{where}.{key}" if where else key
        raise SchemaError(f"{field} must be >= 0", value=_short(value), remedy="the direction says BUY or SELL")
    return number


def _indicator(request: Request, n: int, table: dict[str, Any]) -> Indicator:
    """One indicator. The instrument may also be told by `ot_instr_name`, and the type without `ot_indicator_`."""
    indicator = Indicator(n)
    for key, value in table.items():
        known = _INDICATOR.get(key)
        if known is None:
            request.extras.append(_extra(n, "indicator", key, value))
            continue
        read = _read(value, known[1], key, f"ot_indicators[{n}]")
        if read is _BROKEN:
            request.unjudged.append(Unjudged("reading", None, f"ot_indicators[{n}].{key} cannot be read"))
        else:
            setattr(indicator, known[0], read)
    if indicator.instrument is None and isinstance(table.get("ot_instr_name"), str):
        indicator.instrument = table["ot_instr_name"]
    if indicator.kind is not None:
        indicator.kind = indicator.kind.removeprefix("ot_indicator_")
    if indicator.instrument is None:
        why = f"ot_indicators[{n}] names no instrument (ot_instr_id)"
        request.unjudged.append(Unjudged("indicator", None, why))
    return indicator


def _extra(n: int, owner: str, key: str, value: object) -> tuple[str, tuple[float | int | str | None, ...]]:
    if isinstance(value, bool):
        return "extra", (n, owner, key, float(value), "true" if value else "false")
    number = float(value) if isinstance(value, int | float) and abs(value) < 1e308 else None
    text = None if value is None else _text(value) if isinstance(value, str | int | float) else str(_short(value))
    return "extra", (n, owner, key, number, text)
