"""Approvals that leave this process: sealed by the one that judged, redeemed once by whoever carries them out.

The key is in the environment of both. What a seal was judged on is looked up again when it is redeemed: the book, the
open orders, the breaker, the limits, and what was redeemed meanwhile.
"""

import base64
import binascii
import os
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import msgspec

from seakeep.app.gate import controls
from seakeep.app.gate.account import Account
from seakeep.app.gate.cases import open_orders
from seakeep.brokers.sealed import SpentSeals
from seakeep.core.errors import ConfigError, InvalidOrder
from seakeep.core.orders import Order
from seakeep.ledger.journal import Ledger
from seakeep.risk.seal import BookView, Terms, open_sealed, seal

__all__ = ["KEY_NAME", "Sealed", "Sealing"]

KEY_NAME = "SEAKEEP_SEAL_KEY"
"""Environment variable of the key that approvals are sealed with."""
_LEAST = 32


class Sealed(msgspec.Struct, frozen=True):
    """A seal as text, and when it expires (UTC ms); empty with the reason where an approval is not sealed."""

    text: str = ""
    expires_ts: int = 0
    reason: str = ""


class Sealing:
    """Seals approvals of a user folder's runs, and redeems them."""

    def __init__(self, userdir: Path, env: Mapping[str, str], seconds: float) -> None:
        """Raises: ConfigError if the key is too short."""
        self._key, self._ms = env.get(KEY_NAME, "").encode("utf-8", "surrogateescape"), round(1000 * seconds)
        self._folder = userdir / "web" / "seals"
        if self._key and len(self._key) < _LEAST:
            raise ConfigError(f"{KEY_NAME} is too short", remedy=f"use at least {_LEAST} characters")

    def issue(self, order: Order, account: Account, ledger: Ledger, now: int) -> Sealed:
        """The order under seal; not without a key, nor while the word of a person waits or the run is paused."""
        if not self._key:
            return Sealed(reason=f"{KEY_NAME} is not set")
        found = controls.standing(ledger, account.run_id)
        if found.waiting or found.paused:
            return Sealed(reason="the run is paused" if found.paused else "an order of a person waits for the run")
        nonce, expires = os.urandom(16).hex(), now + self._ms
        named = msgspec.structs.replace(order, id=f"{account.run_id}-s{nonce[:12]}")
        terms = Terms(self._view(account, ledger).digest, self._limits(account, ledger), expires, nonce)
        return Sealed(base64.urlsafe_b64encode(seal(named, terms, self._key)).decode(), expires)

    def redeem(self, text: str, account: Account, ledger: Ledger, now: int) -> Order:
        """The order, to be carried out now, this once. Raises: InvalidOrder that says why not; ConfigError."""
        if not self._key:
            raise ConfigError(f"{KEY_NAME} is not set", remedy="set the key that approvals are sealed with")
        try:
            token = base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True)
        except (UnicodeEncodeError, binascii.Error) as error:
            raise InvalidOrder("not a sealed order", remedy="send the seal as check-order gave it") from error
        spent = self._spent(account.run_id)
        with spent.alone():
            book, limits = self._view(account, ledger).digest, self._limits(account, ledger)
            return open_sealed(token, self._key, now=now, book=book, limits=limits, spent=spent)

    def _spent(self, run_id: str) -> SpentSeals:
        return SpentSeals(self._folder / sha256(run_id.encode()).hexdigest()[:16])

    def _view(self, account: Account, ledger: Ledger) -> BookView:
        """What a seal rests on, as it is now; the word of a person counts from when it is given."""
        found = controls.standing(ledger, account.run_id)
        told = f"{found.breaker} {found.paused} {found.controls + len(found.waiting)}"
        spent = self._spent(account.run_id).names
        return BookView(account.run_id, account.positions, open_orders(account, ledger), told, spent)

    def _limits(self, account: Account, ledger: Ledger) -> str:
        return controls.limits_of(ledger, account.run_id, account.settings).limits.version
