"""A sealed approval leaves the process that judged, and another one redeems it once."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seakeep.app.web.routes import checks
from seakeep.app.web.settings import WebSettings
from seakeep.core.errors import ConfigError
from seakeep.ledger.inbox import Sender, audited, post
from tests.unit.app.web.client import call
from tests.unit.app.web.conftest import Site

KEY = {"SEAKEEP_SEAL_KEY": "k" * 40}
RISK = "/api/v1/risk"
REDEEM = """
import os, sys
from pathlib import Path
from tests.unit.app.web.client import call
from tests.unit.app.web.conftest import Site
from seakeep.app.web.settings import WebSettings
site = Site(Path(sys.argv[1]), WebSettings(rate=1e6), dict(os.environ))
headers = site.bearer("operate")
for seal in sys.argv[2:]:
    reply = call(site.app, "POST", "/api/v1/risk/redeem", {"seal": seal}, headers)
    print(reply.status, reply.body.decode())
"""
ROOT = Path(__file__).parents[4]


def elsewhere(home: Path, *seals: str) -> list[tuple[int, Any]]:
    """What another process says to each seal."""
    env = os.environ | KEY | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", REDEEM, str(home), *seals], env=env, capture_output=True, check=True)
    lines = (line.partition(" ") for line in done.stdout.decode().splitlines())
    return [(int(status), json.loads(body)) for status, _, body in lines]


def asked(site: Site, weight: float = 0.01, **more: Any) -> Any:
    order = {"symbol": "BTC/USDT", "side": "BUY", "weight": weight} | more
    return call(site.app, "POST", f"{RISK}/check-order", order).json


def redeemed(site: Site, seal: str) -> tuple[int, str]:
    reply = call(site.app, "POST", f"{RISK}/redeem", {"seal": seal}, site.bearer("operate"))
    return reply.status, reply.body.decode()


@pytest.fixture
def sealing(home: Path) -> Site:
    return Site(home, WebSettings(rate=1e6), KEY)


def test_another_process_redeems_what_was_approved_once_and_refuses_everything_else(
    sealing: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked = asked(sealing)
    seal = checked["seal"]
    altered = seal[:60] + ("A" if seal[60] != "A" else "B") + seal[61:]
    now = checks.now_ms()
    monkeypatch.setattr(checks, "now_ms", lambda: now - 31_000)
    stale = asked(sealing)["seal"]
    answers = elsewhere(sealing.home, "bm90IHNlYWxlZA==", altered, stale, seal, seal)
    assert [status for status, _ in answers] == [422, 422, 422, 200, 422]
    assert answers[3][1]["order"]["quantity"] == checked["order"]["quantity"]
    said = [answer["detail"][0]["message"] for n, (_, answer) in enumerate(answers) if n != 3]
    for reason, expected in zip(said, ("not a sealed", "does not fit", "expired", "used before"), strict=True):
        assert expected in reason
    ((status, answer),) = elsewhere(sealing.home, seal)
    assert (status, "used before" in answer["detail"][0]["message"]) == (422, True)


@pytest.mark.parametrize("seal", ["e30=", "\u20ac", "not base64!", "A" * 50_000])
def test_what_was_never_sealed_is_refused(sealing: Site, seal: str) -> None:
    status, said = redeemed(sealing, seal)
    assert status == 422
    assert "seal" in said


def _halted(site: Site) -> None:
    from seakeep.core.events import Control

    post(site.state.ledger.engine, "dry-desk", Control(0, "halt", "why", (), "me", "id"), Sender("me", "key-1234", 0))


def _carried_out(site: Site) -> None:
    assert redeemed(site, asked(site, symbol="ETH/USDT")["seal"])[0] == 200


@pytest.mark.parametrize("happened", [_halted, _carried_out])
def test_an_approval_falls_when_somebody_halts_or_another_was_carried_out(
    sealing: Site, happened: Callable[[Site], None]
) -> None:
    seal = asked(sealing)["seal"]
    happened(sealing)
    status, said = redeemed(sealing, seal)
    assert (status, "book has changed" in said) == (422, True)


def test_while_the_word_of_a_person_waits_nothing_is_sealed(sealing: Site) -> None:
    _halted(sealing)
    checked = asked(sealing)
    assert checked["seal"] is None
    assert "waits" in checked["seal_reason"]


def test_the_same_question_gets_a_seal_of_its_own_each_time(sealing: Site) -> None:
    assert asked(sealing)["seal"] != asked(sealing)["seal"]


def test_every_redemption_and_every_refusal_is_in_the_audit(sealing: Site) -> None:
    seal = asked(sealing)["seal"]
    redeemed(sealing, seal)
    redeemed(sealing, seal)
    rows = audited(sealing.state.ledger.engine)
    assert [(row.what, row.status) for row in rows[:2]] == [(f"POST {RISK}/redeem", 422), (f"POST {RISK}/redeem", 200)]


def test_a_reader_may_not_redeem(sealing: Site) -> None:
    seal = asked(sealing)["seal"]
    assert call(sealing.app, "POST", f"{RISK}/redeem", {"seal": seal}, sealing.bearer("read")).status == 403


def test_without_a_key_nothing_is_sealed_and_a_short_one_is_refused(home: Path) -> None:
    checked = asked(Site(home, WebSettings(), {}))
    assert (checked["seal"], checked["order"] is not None) == (None, True)
    with pytest.raises(ConfigError, match="too short"):
        Site(home, WebSettings(), {"SEAKEEP_SEAL_KEY": "short"})


def test_the_second_gate_is_asked_too(sealing: Site) -> None:
    far = asked(sealing, price=1.0, weight=0.001)
    assert (far["approved"], far["seal"], far["order"]) == (False, None, None)
    assert any("price_band" in reason for reason in far["rejection_reasons"])
