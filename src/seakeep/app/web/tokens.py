"""Tokens of bots: shown once, kept as a hash in the user folder, taken back by name."""

import hmac
import re
import secrets
import time
from enum import StrEnum
from hashlib import sha256
from pathlib import Path

import msgspec

from seakeep.core.errors import ConfigError, DataError
from seakeep.core.units import DAY_MS
from seakeep.data.files import write_whole

__all__ = ["BotToken", "Caller", "Scope", "Tokens", "now_ms"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_FORM = re.compile(r"skt_([0-9a-f]{16})_([A-Za-z0-9_-]{43})")


class Scope(StrEnum):
    """What a caller may do: look; act within the limits; change limits and see the audit. Each includes the former."""

    READ = "read"
    OPERATE = "operate"
    ADMIN = "admin"

    def covers(self, needed: "Scope") -> bool:
        """Whether this scope includes that one.

        >>> Scope.OPERATE.covers(Scope.READ), Scope.READ.covers(Scope.OPERATE)
        (True, False)
        """
        ranks = list(Scope)
        return ranks.index(self) >= ranks.index(needed)


class Caller(msgspec.Struct, frozen=True):
    """Who a request is from: a name for the audit, and the widest scope it has."""

    name: str
    scope: Scope


class BotToken(msgspec.Struct, frozen=True):
    """A token as it is kept: `digest` is the SHA-256 of its secret; times in UTC milliseconds."""

    id: str
    name: str
    scope: Scope
    digest: str
    created: int
    expires: int


class Tokens:
    """The tokens of a user folder; the file is read again whenever it has changed, so a revocation counts at once."""

    def __init__(self, userdir: Path) -> None:
        self.path = userdir / "web" / "tokens.json"
        self._seen: tuple[int, int] | None = None
        self._kept: tuple[BotToken, ...] = ()

    def all(self) -> tuple[BotToken, ...]:
        """Every token, oldest first. Raises: ConfigError if the file cannot be read."""
        try:
            state = self.path.stat()
            if (state.st_mtime_ns, state.st_ino) != self._seen:
                self._kept = msgspec.json.decode(self.path.read_bytes(), type=tuple[BotToken, ...])
                self._seen = state.st_mtime_ns, state.st_ino
        except FileNotFoundError:
            self._kept, self._seen = (), None
        except (OSError, msgspec.MsgspecError) as error:
            remedy = "restore it from a copy, or remove it and mint new tokens"
            raise ConfigError(f"{self.path.name} cannot be read: {error}", remedy=remedy) from error
        return self._kept

    def mint(self, name: str, scope: Scope, days: float) -> str:
        """A new token, to be shown once. Raises: ConfigError for a name that cannot be, DataError for the disk."""
        if not _NAME.fullmatch(name):
            raise ConfigError("not a name for a token", value=name, remedy="use letters, digits, dot, dash, at most 64")
        if any(token.name == name for token in self.all()):
            raise ConfigError("there is a token of that name", value=name, remedy="revoke it first, or name another")
        number, secret, now = secrets.token_hex(8), secrets.token_urlsafe(32), now_ms()
        kept = BotToken(number, name, scope, _digest(secret), now, now + round(days * DAY_MS))
        self._write((*self.all(), kept))
        return f"skt_{number}_{secret}"

    def revoke(self, name: str) -> None:
        """Take a token back. Raises: ConfigError naming those there are."""
        left = tuple(token for token in self.all() if token.name != name)
        if len(left) == len(self.all()):
            known = ", ".join(token.name for token in left) or "none yet"
            raise ConfigError("there is no token of that name", value=name, remedy=f"tokens: {known}")
        self._write(left)

    def find(self, token: str) -> Caller | None:
        """Whose token that is, unless it is nobody's or has expired."""
        match = _FORM.fullmatch(token)
        kept = next((t for t in self.all() if match and t.id == match[1]), None)
        if match is None or kept is None or not hmac.compare_digest(kept.digest, _digest(match[2])):
            return None
        return Caller(kept.name, kept.scope) if now_ms() < kept.expires else None

    def _write(self, tokens: tuple[BotToken, ...]) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.parent.chmod(0o700)
        except OSError as error:
            raise DataError(f"cannot write {self.path}: {error.strerror}", remedy="choose another --userdir") from error
        write_whole(self.path, msgspec.json.format(msgspec.json.encode(tokens), indent=2))
        self._seen = None


def now_ms() -> int:
    """The wall clock, UTC milliseconds."""
    return time.time_ns() // 1_000_000


def _digest(secret: str) -> str:
    """A plain hash is enough: the secret has 256 random bits."""
    return sha256(secret.encode()).hexdigest()
