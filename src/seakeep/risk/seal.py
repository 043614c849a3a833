"""Approvals that cross a process: an order sealed by HMAC-SHA256 over itself, the book it was judged on, the version of
the limits, and its expiry.

    token = seal(order, Terms(view.digest, limits.version, expires_ts, nonce), key)
    order = open_sealed(token, key, now=ts, book=view.digest, limits=limits.version, spent=spent)

The executor opens with its own view of the book and the limits, and refuses what is not sealed, altered, stale, judged
on another book or other limits, or used before. Key, nonce, time and the memory of what was used come from the caller.
"""

import hmac
from hashlib import sha256
from typing import Protocol

import msgspec

from seakeep.core.account import Position
from seakeep.core.errors import InvalidOrder
from seakeep.core.orders import Order
from seakeep.core.units import iso

__all__ = ["BookView", "Spent", "Terms", "open_sealed", "seal"]

_MAC = 32
_LEAST_KEY = 32
_LONGEST = 65_536


class Terms(msgspec.Struct, frozen=True):
    """What an approval rests on: the book's hash, the limits' version, until when it holds, and a number used once."""

    book: str
    limits: str
    expires_ts: int
    nonce: str


class _Payload(msgspec.Struct, frozen=True):
    order: Order
    terms: Terms


_encoder = msgspec.json.Encoder(order="deterministic")
_decoder = msgspec.json.Decoder(_Payload)


class Spent(Protocol):
    """What remembers the nonces that were used, at least until they have expired."""

    def __contains__(self, nonce: object) -> bool:
        """Whether it was used."""
        ...

    def use(self, nonce: str, expires_ts: int, now: int) -> bool:
        """Whether the nonce is new; from now on it is not."""
        ...


class BookView(msgspec.Struct, frozen=True):
    """The state an approval rests on: positions and open orders by symbol and id, what the breaker and people allow,
    and the approvals that were carried out since and may not be in the book yet.
    """

    run_id: str
    positions: tuple[Position, ...]
    orders: tuple[Order, ...]
    standing: str
    carried_out: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 of all of it, whatever order it is kept in."""
        positions = tuple(sorted(self.positions, key=lambda p: p.symbol))
        orders = tuple(sorted(self.orders, key=lambda o: o.id))
        carried = tuple(sorted(self.carried_out))
        kept = msgspec.structs.replace(self, positions=positions, orders=orders, carried_out=carried)
        return sha256(_encoder.encode(kept)).hexdigest()


def seal(order: Order, terms: Terms, key: bytes) -> bytes:
    """The order with its terms and their code. Raises: ValueError if the key is shorter than 32 bytes."""
    payload = _encoder.encode(_Payload(order, terms))
    return _code(payload, key) + payload


def open_sealed(token: bytes, key: bytes, *, now: int, book: str, limits: str, spent: Spent) -> Order:
    """The order, if it may be carried out. Raises: InvalidOrder that says why not; ValueError for a short key."""
    if not _MAC < len(token) <= _LONGEST:
        raise InvalidOrder("not a sealed order", value=len(token), remedy="send what `seal` returned")
    code, payload = token[:_MAC], token[_MAC:]
    if not hmac.compare_digest(code, _code(payload, key)):
        raise InvalidOrder("the seal does not fit: the order was altered or sealed with another key")
    try:
        sealed = _decoder.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidOrder(f"a sealed order of another release: {error}") from error
    terms = sealed.terms
    if now >= terms.expires_ts:
        raise InvalidOrder(f"the approval expired at {iso(terms.expires_ts)}", value=iso(now), remedy="ask again")
    if terms.nonce in spent:
        raise _used(terms)
    if terms.limits != limits:
        raise InvalidOrder("the limits have changed since the approval", value=terms.limits, remedy="ask again")
    if terms.book != book:
        raise InvalidOrder("the book has changed since the approval", value=terms.book[:12], remedy="ask again")
    if not spent.use(terms.nonce, terms.expires_ts, now):
        raise _used(terms)
    return sealed.order


def _used(terms: Terms) -> InvalidOrder:
    return InvalidOrder("the approval was used before", value=terms.nonce, remedy="ask again")


def _code(payload: bytes, key: bytes) -> bytes:
    if len(key) < _LEAST_KEY:
        raise ValueError(f"the key needs at least {_LEAST_KEY} bytes, got {len(key)}")
    return hmac.new(key, payload, sha256).digest()
