"""Approvals that cross a process: an order sealed by HMAC-SHA256 over itself, the book it was judged on, the version of
the limits, and its expiry.

    token = seal(order, Terms(book_hash(portfolio), limits.version, expires_ts, nonce), key)
    order = open_sealed(token, key, now=ts, book=..., limits=..., nonces=nonces)

The executor opens with its own view of the book and the limits, and refuses what is not sealed, altered, stale, judged
on another book or other limits, or used before. Key, nonce and time come from the caller.
"""

import hmac
from hashlib import sha256

import msgspec

from seakeep.core.account import Portfolio
from seakeep.core.errors import InvalidOrder
from seakeep.core.orders import Order
from seakeep.core.units import iso

__all__ = ["Nonces", "Terms", "book_hash", "open_sealed", "seal"]

_MAC = 32
_LEAST_KEY = 32
_LONGEST = 65_536
_FIRST_SWEEP = 1024


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


class Nonces:
    """The nonces that were used, each kept until it has expired."""

    def __init__(self) -> None:
        self._used: dict[str, int] = {}
        self._sweep_at = _FIRST_SWEEP

    @property
    def count(self) -> int:
        """How many are remembered."""
        return len(self._used)

    def use(self, nonce: str, expires_ts: int, now: int) -> bool:
        """Whether the nonce is new; from now on it is not."""
        if len(self._used) >= self._sweep_at:
            self._used = {known: until for known, until in self._used.items() if until > now}
            self._sweep_at = max(_FIRST_SWEEP, 2 * len(self._used))
        if nonce in self._used:
            return False
        self._used[nonce] = expires_ts
        return True


def book_hash(portfolio: Portfolio) -> str:
    """SHA-256 of cash and positions, whatever order they are kept in."""
    return sha256(_encoder.encode(portfolio)).hexdigest()


def seal(order: Order, terms: Terms, key: bytes) -> bytes:
    """The order with its terms and their code. Raises: ValueError if the key is shorter than 32 bytes."""
    payload = _encoder.encode(_Payload(order, terms))
    return _code(payload, key) + payload


def open_sealed(token: bytes, key: bytes, *, now: int, book: str, limits: str, nonces: Nonces) -> Order:
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
    if terms.limits != limits:
        raise InvalidOrder("the limits have changed since the approval", value=terms.limits, remedy="ask again")
    if terms.book != book:
        raise InvalidOrder("the book has changed since the approval", value=terms.book[:12], remedy="ask again")
    if not nonces.use(terms.nonce, terms.expires_ts, now):
        raise InvalidOrder("the approval was used before", value=terms.nonce)
    return sealed.order


def _code(payload: bytes, key: bytes) -> bytes:
    if len(key) < _LEAST_KEY:
        raise ValueError(f"the key needs at least {_LEAST_KEY} bytes, got {len(key)}")
    return hmac.new(key, payload, sha256).digest()
