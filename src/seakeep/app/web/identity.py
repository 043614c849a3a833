"""Who is asking: a person with a short login (JWT), a bot with a token, or somebody on this machine who may read."""

import hmac
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

import jwt

from seakeep.app.web.settings import WebSettings
from seakeep.app.web.tokens import Caller, Scope, Tokens, now_ms
from seakeep.core.errors import ConfigError

__all__ = ["SECRET_NAME", "Identity", "Login"]

SECRET_NAME = "SEAKEEP_WEB_SECRET"  # noqa: S105 - the name of the variable, not its value
"""Environment variable of the secret people log in with."""
_LEAST = 16
_ISSUER = "seakeep"


class Login:
    """Logins of people: a secret from the environment against a signed pass that soon expires."""

    def __init__(self, secret: str, key: bytes, minutes: int) -> None:
        self._secret, self._key, self.minutes = secret.encode(), key, minutes

    def enter(self, name: str, secret: str, scope: Scope) -> str | None:
        """A pass for that person; None for a wrong secret."""
        if not hmac.compare_digest(self._secret, secret.encode("utf-8", "surrogatepass")):
            return None
        now = now_ms() // 1000
        claims = {"iss": _ISSUER, "sub": name, "scope": scope.value, "iat": now, "exp": now + 60 * self.minutes}
        return jwt.encode(claims, self._key, algorithm="HS256")

    def find(self, token: str) -> Caller | None:
        """Whose pass that is, unless it is forged or has expired."""
        try:
            claims = jwt.decode(
                token,
                self._key,
                algorithms=["HS256"],
                issuer=_ISSUER,
                options={"require": ["exp", "iat", "sub", "iss"]},
            )
            return Caller(str(claims["sub"]), Scope(str(claims.get("scope"))))
        except (jwt.InvalidTokenError, ValueError):
            return None


class Identity:
    """Everybody the door knows."""

    def __init__(self, settings: WebSettings, userdir: Path, env: Mapping[str, str]) -> None:
        """Raises: ConfigError if the secret is too short, or the door is open to others and knows nobody."""
        self.tokens = Tokens(userdir)
        self.login = _login(settings, userdir, env.get(SECRET_NAME, ""))
        self._anybody = Caller("local", Scope.READ) if settings.local and settings.open_read else None
        if not settings.local and self.login is None and not self.tokens.all():
            remedy = f"set {SECRET_NAME}, or mint a token with: seakeep token add"
            raise ConfigError("web.host can be reached from other machines", value=settings.host, remedy=remedy)

    def caller(self, authorization: str | None) -> Caller | None:
        """Who sent this Authorization header; None if it names nobody we know."""
        if authorization is None:
            return self._anybody
        kind, _, token = authorization.partition(" ")
        if kind.lower() != "bearer":
            return None
        token = token.strip()
        if token.startswith("skt_"):
            return self.tokens.find(token)
        return self.login.find(token) if self.login else None


def _login(settings: WebSettings, userdir: Path, secret: str) -> Login | None:
    if not secret:
        return None
    if len(secret) < _LEAST:
        raise ConfigError(f"{SECRET_NAME} is too short", remedy=f"use at least {_LEAST} characters")
    return Login(secret, _signing_key(userdir / "web" / "signing.key"), settings.session_minutes)


def _signing_key(path: Path) -> bytes:
    """The key that all processes of this user folder sign with, made once; only its owner can read it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.parent.chmod(0o700)
        made = path.with_name(f"{path.name}.{os.getpid()}")
        if not path.exists():
            with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(secrets.token_bytes(32))
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(made, path)
            except FileExistsError:
                made.unlink()
            made.unlink(missing_ok=True)
        key = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot use {path}: {error.strerror}", remedy="choose another --userdir") from error
    if len(key) != 32:
        raise ConfigError(f"{path} is not a signing key", remedy="remove it: everybody has to log in again")
    return key
