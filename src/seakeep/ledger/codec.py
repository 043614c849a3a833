"""One journal entry as canonical JSON, and the hash that chains it to the one before."""

from collections.abc import Sequence
from decimal import Decimal
from functools import cache
from hashlib import sha256
from math import isfinite
from types import NoneType
from typing import Any, get_args

import msgspec
from msgspec.structs import fields

from seakeep.core.errors import IntegrityError, LedgerError
from seakeep.core.events import Event, Record

__all__ = ["Entry", "chain_hash", "decode", "encode", "genesis", "kind_of"]

Entry = tuple[int, Event, tuple[Record, ...]]
"""Sequence number (from 1), the event, and the records it caused."""


class _Payload(msgspec.Struct, frozen=True):
    event: Event
    records: tuple[Record, ...]


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(_Payload)
_SHA256 = sha256()
"""Copied for each hash: to have the library look its algorithm up again costs more than to hash an entry."""


def encode(event: Event, records: Sequence[Record]) -> bytes:
    """The entry as JSON, fields in the order they are declared; the same entry always gives the same bytes.

    Raises: LedgerError naming the field whose value JSON cannot hold (NaN, infinity, half a surrogate pair).
    """
    payload = _Payload(event, tuple(records))
    try:
        encoded = _encoder.encode(payload)
    except (UnicodeEncodeError, OverflowError, TypeError) as error:
        remedy = "correct it where it enters"
        raise LedgerError(f"a {kind_of(event)} entry cannot be kept: {error}", remedy=remedy) from error
    if _may_be_not_finite(encoded, event, records):
        _refuse_not_finite(payload, kind_of(event))
    return encoded


def decode(seq: int, payload: bytes) -> tuple[Event, tuple[Record, ...]]:
    """Event and records of an entry. Raises: IntegrityError naming the entry."""
    try:
        entry = _decoder.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        remedy = "run `seakeep ledger verify`; an intact entry was written by another release"
        raise IntegrityError(f"entry {seq} cannot be read: {error}", remedy=remedy) from error
    return entry.event, entry.records


def genesis(run_id: str, config: str) -> bytes:
    """What the first entry of a run is chained to, so that its configuration is part of the chain."""
    return sha256(f"{run_id}|{config}".encode()).digest()


def chain_hash(run_id: str, seq: int, prev_hash: bytes, payload: bytes) -> bytes:
    """SHA-256 over run_id|seq|prev_hash|payload; the run id holds no bar, so no two entries read the same."""
    digest = _SHA256.copy()
    digest.update(b"%s|%d|%s|%s" % (run_id.encode(), seq, prev_hash.hex().encode(), payload))
    return digest.digest()


def kind_of(event: Event) -> str:
    """The event's tag: slice, tick, filled, ..."""
    return str(event.__struct_config__.tag)


def _may_be_not_finite(encoded: bytes, event: Event, records: Sequence[Record]) -> bool:
    """Whether to look closer: JSON has a Decimal's NaN as text, a float's as null, which an absent price is too."""
    if b"NaN" in encoded or b"Infinity" in encoded:
        return True
    return b"null" in encoded and any(_may_hold_float(type(kept)) for kept in (event, *records))


@cache
def _may_hold_float(annotation: Any) -> bool:
    """Whether there can be a float, at any depth, in a value of this type."""
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return any(_may_hold_float(field.type) for field in fields(annotation))
    if inner := get_args(annotation):
        return any(_may_hold_float(kind) for kind in inner)
    return not (_is_plain(annotation) or annotation in (Decimal, NoneType, ...))


def _refuse_not_finite(value: object, path: str) -> None:
    if isinstance(value, msgspec.Struct):
        for name in _numeric(type(value)):
            _refuse_not_finite(getattr(value, name), f"{path}.{name}")
    elif isinstance(value, tuple):
        for i, item in enumerate(value):
            _refuse_not_finite(item, f"{path}.{i}")
    elif isinstance(value, float | Decimal) and not isfinite(value):
        remedy = "correct it where it is computed"
        raise LedgerError(f"{path} is not a number the journal can keep", value=value, remedy=remedy)


@cache
def _numeric(kind: type[msgspec.Struct]) -> tuple[str, ...]:
    """Fields that may hold a float or a Decimal, at any depth."""
    return tuple(field.name for field in fields(kind) if not _is_plain(field.type))


def _is_plain(annotation: object) -> bool:
    return annotation is bool or (isinstance(annotation, type) and issubclass(annotation, str | int))
