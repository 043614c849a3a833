"""Writing off what has gone silent, over HTTP and at the keyboard."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from seakeep.app.cli import app
from seakeep.core.events import Control
from seakeep.ledger import inbox
from tests.unit.app.web.client import call
from tests.unit.app.web.conftest import Site

BREAKER = "/api/v1/risk/breaker"


def told(site: Site, **asked: Any) -> tuple[int, str]:
    reply = call(site.app, "POST", BREAKER, {"reason": "delisted"} | asked, site.bearer("operate"))
    return reply.status, reply.body.decode()


def waiting(site: Site) -> list[Control]:
    return [posted.control for posted in inbox.posted(site.state.ledger.engine, "dry-desk")]


def test_a_write_off_is_kept_in_the_inbox_with_its_symbol_and_reason(site: Site) -> None:
    assert told(site, action="write-off", symbol="ETH/USDT")[0] == 202
    (control,) = waiting(site)
    assert (control.action, control.changes, control.reason) == ("write-off", (("ETH/USDT", 0.0),), "delisted")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"action": "write-off"}, "name the symbol"),
        ({"action": "write-off", "symbol": "DOGE/USDT"}, "it holds BTC/USDT, ETH/USDT"),
        ({"action": "halt", "symbol": "ETH/USDT"}, "leave the symbol out"),
        ({"action": "write-off", "symbol": "(exit)"}, "match pattern"),
        ({"action": "write-off", "symbol": "ETH/USDT", "reason": " "}, "reason"),
    ],
)
def test_what_cannot_be_written_off_is_refused_and_nothing_is_kept(
    site: Site, asked: dict[str, Any], said: str
) -> None:
    status, body = told(site, **asked)
    assert status == 422
    assert said in body
    assert waiting(site) == []


def test_the_command_keeps_it_for_the_run_and_says_that_nobody_trades(site: Site) -> None:
    words = ["write-off", "ETH/USDT", "--reason", "delisted", "--userdir", str(site.home), "--json"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 3
    assert json.loads(done.stdout)["posted"]["control"]["changes"] == [["ETH/USDT", 0.0]]
    assert [control.action for control in waiting(site)] == ["write-off"]


def test_the_command_says_that_a_market_that_still_speaks_is_left_alone(site: Site) -> None:
    words = ["write-off", "ETH/USDT", "--reason", "delisted", "--userdir", str(site.home), "--json"]
    said = json.loads(CliRunner().invoke(app, words).stdout)["without_effect"]
    assert said.startswith("no effect: ETH/USDT still has a price, of 20")
    assert said.endswith("only a market silent for 3 bars is written off")


def test_the_door_says_so_too(site: Site) -> None:
    _, body = told(site, action="write-off", symbol="ETH/USDT")
    assert json.loads(body)["without_effect"].startswith("no effect: ETH/USDT still has a price, of 20")
    _, body = told(site, action="pause")
    assert json.loads(body)["without_effect"] == ""
