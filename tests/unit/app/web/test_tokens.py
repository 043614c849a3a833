"""Tokens of bots and logins of people: who gets in, for how long, and who does not."""

import base64
import json
import stat
from pathlib import Path

import jwt
import pytest

from seakeep.app.web import tokens as module
from seakeep.app.web.identity import Identity, Login
from seakeep.app.web.settings import WebSettings
from seakeep.app.web.tokens import Caller, Scope, Tokens
from seakeep.core.errors import ConfigError

SECRET = "a secret of enough letters"


def test_a_token_is_known_by_its_secret_which_is_nowhere_on_the_disk(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path)
    token = tokens.mint("bot", Scope.OPERATE, 1)
    assert tokens.find(token) == Caller("bot", Scope.OPERATE)
    secret = token.rpartition("_")[2] if token.count("_") == 2 else token.split("_", 2)[2]
    assert secret not in tokens.path.read_text("utf-8")
    assert stat.S_IMODE(tokens.path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("change", [lambda t: t[:-1] + ("A" if t[-1] != "A" else "B"), lambda t: t + "A", lambda t: ""])
def test_a_token_that_differs_in_one_letter_is_nobodys(tmp_path: Path, change: object) -> None:
    tokens = Tokens(tmp_path)
    token = tokens.mint("bot", Scope.READ, 1)
    assert tokens.find(change(token)) is None  # type: ignore[operator]


def test_a_revoked_token_is_nobodys_at_once_for_a_server_that_runs(tmp_path: Path) -> None:
    server, desk = Tokens(tmp_path), Tokens(tmp_path)
    token = desk.mint("bot", Scope.READ, 1)
    assert server.find(token) is not None
    desk.revoke("bot")
    assert server.find(token) is None


def test_a_token_ends_with_its_days(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = Tokens(tmp_path)
    token, now = tokens.mint("bot", Scope.READ, 2), module.now_ms()
    for days, known in ((1.99, True), (2.01, False)):
        at = now + round(days * 86_400_000)
        monkeypatch.setattr(module, "now_ms", lambda at=at: at)
        assert (tokens.find(token) is not None) == known


@pytest.mark.parametrize("name", ["", "a b", "x" * 65, "-x", "a\nb", "ä"])
def test_a_name_that_would_blur_the_audit_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="not a name for a token"):
        Tokens(tmp_path).mint(name, Scope.READ, 1)


def test_a_damaged_file_lets_nobody_in_and_says_so(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path)
    tokens.mint("bot", Scope.READ, 1)
    tokens.path.write_text("[{", "utf-8")
    with pytest.raises(ConfigError, match=r"tokens.json cannot be read"):
        tokens.all()


def login() -> Login:
    return Login(SECRET, b"k" * 32, 15)


def test_a_pass_says_who_and_what_for_and_ends_after_its_minutes() -> None:
    token = login().enter("ana", SECRET, Scope.OPERATE)
    assert token is not None
    assert login().find(token) == Caller("ana", Scope.OPERATE)
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 900


def test_a_wrong_secret_gives_no_pass() -> None:
    assert login().enter("ana", SECRET[:-1], Scope.READ) is None


def forged() -> dict[str, str]:
    """Passes somebody could make: unsigned, of another key, another algorithm's, widened, ended, without an end."""
    good = {"iss": "seakeep", "sub": "ana", "scope": "admin", "iat": 1, "exp": 9_999_999_999}
    none = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').decode().rstrip("=")
    body = base64.urlsafe_b64encode(json.dumps(good).encode()).decode().rstrip("=")
    widened = (login().enter("ana", SECRET, Scope.READ) or "").split(".")
    key = b"k" * 32
    return {
        "unsigned": f"{none}.{body}.",
        "of another key": jwt.encode(good, b"x" * 32, algorithm="HS256"),
        "of another algorithm": jwt.encode(good, key * 2, algorithm="HS512"),
        "widened": ".".join((widened[0], body, widened[2])),
        "ended": jwt.encode(good | {"exp": 2}, key, algorithm="HS256"),
        "without an end": jwt.encode({k: v for k, v in good.items() if k != "exp"}, key, algorithm="HS256"),
        "of another issuer": jwt.encode(good | {"iss": "x"}, key, algorithm="HS256"),
        "of no scope": jwt.encode(good | {"scope": "root"}, key, algorithm="HS256"),
        "empty": "",
        "dots": "..",
    }


@pytest.mark.parametrize("kind", list(forged()))
def test_a_forged_pass_is_nobodys(kind: str) -> None:
    assert login().find(forged()[kind]) is None


def test_a_short_secret_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="use at least 16 characters"):
        Identity(WebSettings(), tmp_path, {"SEAKEEP_WEB_SECRET": "short"})


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.org"])
def test_a_door_to_other_machines_needs_somebody_it_knows(tmp_path: Path, host: str) -> None:
    with pytest.raises(ConfigError, match=r"web\.host can be reached from other machines"):
        Identity(WebSettings(host=host), tmp_path, {})
    Tokens(tmp_path).mint("bot", Scope.READ, 1)
    assert Identity(WebSettings(host=host), tmp_path, {}).caller(None) is None


def test_all_processes_of_a_folder_sign_with_one_key_only_its_owner_reads(tmp_path: Path) -> None:
    first, second = (Identity(WebSettings(), tmp_path, {"SEAKEEP_WEB_SECRET": SECRET}) for _ in range(2))
    assert first.login is not None
    token = first.login.enter("ana", SECRET, Scope.READ)
    assert second.caller(f"Bearer {token}") == Caller("ana", Scope.READ)
    key = tmp_path / "web" / "signing.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert [path.name for path in key.parent.iterdir()] == ["signing.key"]


@pytest.mark.parametrize("header", ["", "Bearer", "Basic YTpi", "bearer x", "Bearer skt_", "Bearer \x00"])
def test_a_header_that_names_nobody_is_nobody_also_on_this_machine(tmp_path: Path, header: str) -> None:
    assert Identity(WebSettings(), tmp_path, {}).caller(header) is None
    assert Identity(WebSettings(), tmp_path, {}).caller(None) == Caller("local", Scope.READ)
    assert Identity(WebSettings(open_read=False), tmp_path, {}).caller(None) is None
