"""The API: figures of a real book that move with their causes, refusals that say why, words that count once."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seakeep.app.web.settings import WebSettings
from seakeep.data.store import ParquetStore
from seakeep.ledger import inbox, queries
from tests.unit.app.web.client import call
from tests.unit.app.web.conftest import SECRET, Site

RISK = "/api/v1/risk"
SEED_FIELDS = [
    *("var_1d", "var_5d", "cvar_1d", "cvar_5d", "volatility", "beta", "correlation_to_btc"),
    *("max_drawdown", "sharpe_ratio", "leverage", "margin_utilization"),
]


def test_the_metrics_have_the_fields_of_the_seed_each_a_number_or_a_reason(shared: Site) -> None:
    found = call(shared.app, "GET", f"{RISK}/metrics").json
    for name in SEED_FIELDS:
        assert isinstance(found[name], float) or found["reasons"][name]
    assert found["margin_utilization"] is None
    assert 0 < found["var_1d"] < found["cvar_1d"] < found["equity"]
    assert found["var_1d"] < found["var_5d"]


def test_the_var_of_the_metrics_is_the_quantile_of_the_books_own_history(shared: Site) -> None:
    found = call(shared.app, "GET", f"{RISK}/metrics").json
    account = shared.state.account(None)
    store = ParquetStore(shared.home / "data")
    closes = np.column_stack([store.read(symbol, "1d").close for symbol in account.weights])
    returns = (closes[1:] / closes[:-1] - 1) @ np.array(list(account.weights.values()))
    share = float((returns < -found["fractions"]["var_1d"]["value"]).mean())
    assert abs(share - 0.05) <= 1.5 / len(returns)


def test_the_metrics_follow_their_confidence(shared: Site) -> None:
    wide, narrow = (call(shared.app, "GET", f"{RISK}/metrics?confidence={c}").json for c in (0.99, 0.9))
    assert wide["var_1d"] > narrow["var_1d"]
    assert wide["cvar_1d"] > narrow["cvar_1d"]


def test_the_positions_are_those_of_the_fills_and_add_up_to_the_exposure(shared: Site) -> None:
    found = call(shared.app, "GET", f"{RISK}/positions").json
    held = {p.symbol: str(p.qty) for p in queries.positions(shared.state.ledger, found["run_id"]) if p.qty}
    assert {row["symbol"]: row["quantity"] for row in found["positions"]} == held
    gross = sum(abs(row["market_value"]) for row in found["positions"]) / found["equity"]
    assert math.isclose(gross, call(shared.app, "GET", f"{RISK}/metrics").json["leverage"])


def test_a_limit_shows_what_is_used_of_it(shared: Site) -> None:
    rows = {row["limit_id"]: row for row in call(shared.app, "GET", f"{RISK}/limits").json["limits"]}
    largest = max(abs(w) for w in shared.state.account(None).weights.values())
    assert math.isclose(rows["max_weight"]["limit_percentage"], 100 * largest / rows["max_weight"]["limit_value"])
    assert rows["max_open_orders"]["current_value"] is None
    assert "bounds an order" in rows["max_open_orders"]["reason"]


def check(site: Site, **order: Any) -> Any:
    reply = call(site.app, "POST", f"{RISK}/check-order", {"symbol": "BTC/USDT", "side": "BUY", **order})
    assert reply.status == 200, reply.body
    return reply.json


def test_the_gate_cuts_what_is_too_large_and_its_flip_is_approved(shared: Site) -> None:
    held = shared.state.account(None).weights.get("BTC/USDT", 0.0)
    large = check(shared, weight=0.9)
    assert not large["approved"]
    assert "max_weight" in [hit["rule"] for hit in large["verdict"]["hits"]]
    fitting = check(shared, weight=large["verdict"]["target"] - held)
    assert fitting["approved"]
    assert large["risk_score"] > 1 >= fitting["risk_score"]


def test_an_order_that_reduces_always_passes(shared: Site) -> None:
    symbol, weight = next(iter(shared.state.account(None).weights.items()))
    assert check(shared, symbol=symbol, side="SELL", weight=weight / 2)["approved"]


def test_a_larger_order_costs_more(shared: Site) -> None:
    small, large = (check(shared, weight=weight)["estimated_impact"] for weight in (0.01, 0.02))
    assert 2 * small < large


@pytest.mark.parametrize(
    ("order", "said"),
    [
        ({}, "exactly one of quantity and weight"),
        ({"weight": 0.1, "quantity": 1.0}, "exactly one of quantity and weight"),
        ({"weight": -0.1}, "greater than 0"),
        ({"side": "BANANA", "weight": 0.1}, "'BUY' or 'SELL'"),
        ({"symbol": "💥/USDT", "weight": 0.1}, "match pattern"),
        ({"symbol": "BTC/EUR", "weight": 0.1}, "kept in USDT"),
        ({"weight": "0.1"}, "valid number"),
        ({"weight": 1e308}, "less than or equal"),
        ({"weight": 0.1, "leverage": 100}, "not permitted"),
        ({"weight": 0.1, "run_id": "r9"}, "no run of that name"),
    ],
)
def test_an_order_that_is_none_is_refused_with_the_reason(shared: Site, order: dict[str, Any], said: str) -> None:
    asked = {"symbol": "BTC/USDT", "side": "BUY", **order}
    reply = call(shared.app, "POST", f"{RISK}/check-order", asked)
    assert 400 <= reply.status < 500
    assert said in reply.json["detail"][0]["message"]
    assert reply.json["request_id"] == reply.headers["x-request-id"]


def test_an_order_in_a_market_nobody_stored_is_refused(shared: Site) -> None:
    asked = {"symbol": "DOGE/USDT", "side": "BUY", "weight": 0.01}
    assert call(shared.app, "POST", f"{RISK}/check-order", asked).status == 409


@pytest.mark.parametrize("page", ["var/monte-carlo?simulations=8192", "stress-test", "correlation", "ruin?days=5"])
def test_every_question_about_the_book_is_answered_with_numbers_json_can_hold(shared: Site, page: str) -> None:
    reply = call(shared.app, "GET", f"{RISK}/{page}")
    assert reply.status == 200, reply.body
    json.loads(reply.body, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert reply.json["run_id"] == shared.state.account(None).run_id


def test_what_crashes_leave_is_never_more_than_before(shared: Site) -> None:
    for row in call(shared.app, "GET", f"{RISK}/stress-test").json["stresses"]["losses"]:
        assert row["loss"] >= 0


def test_the_verdicts_are_those_of_the_ledger_newest_first(shared: Site) -> None:
    run_id = shared.state.run_id(None)
    kept = queries.verdicts(shared.state.ledger, run_id)
    found = call(shared.app, "GET", f"{RISK}/verdicts?limit=5").json
    assert [row["decision_id"] for row in found] == [v.decision_id for v in reversed(kept[-5:])]
    one = call(shared.app, "GET", f"{RISK}/verdicts?decision_id={found[2]['decision_id']}").json
    assert one == [found[2]]


def test_a_folder_without_a_run_says_so(tmp_path: Path) -> None:
    site = Site(tmp_path, WebSettings(), {})
    reply = call(site.app, "GET", f"{RISK}/metrics")
    assert reply.status == 404
    assert "seakeep trade" in reply.json["detail"][0]["remedy"]
    assert call(site.app, "GET", "/readyz").status == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "needs"),
    [
        ("GET", f"{RISK}/metrics", None, "read"),
        ("POST", f"{RISK}/breaker", {"action": "pause", "reason": "r"}, "operate"),
        ("POST", f"{RISK}/limits", {"changes": {"max_weight": 0.05}, "reason": "r"}, "admin"),
        ("GET", "/api/v1/audit", None, "admin"),
    ],
)
def test_each_scope_opens_what_it_should_and_nothing_more(
    home: Path, method: str, path: str, body: Any, needs: str
) -> None:
    site = Site(home, WebSettings(open_read=False), {})
    sent = b"" if body is None else body
    assert call(site.app, method, path, sent).status == 401
    for scope in ("read", "operate", "admin"):
        order = ["read", "operate", "admin"]
        status = call(site.app, method, path, sent, site.bearer(scope)).status
        assert (status == 403) == (order.index(scope) < order.index(needs))


def test_a_person_logs_in_for_no_more_than_was_asked(site: Site) -> None:
    reply = call(site.app, "POST", "/api/v1/login", {"name": "ana", "secret": SECRET, "scope": "operate"})
    assert reply.json["expires_in"] == 900
    bearer = {"authorization": f"Bearer {reply.json['access_token']}"}
    assert call(site.app, "POST", f"{RISK}/breaker", {"action": "pause", "reason": "r"}, bearer).status == 202
    assert call(site.app, "GET", "/api/v1/audit", b"", bearer).status == 403
    row = inbox.posted(site.state.ledger.engine, site.state.run_id(None))[0]
    assert (row.who, row.control.by) == ("web:ana", "web:ana")


def test_guessing_the_secret_is_slowed_down_and_audited(site: Site) -> None:
    tries = [call(site.app, "POST", "/api/v1/login", {"name": "eve", "secret": f"guess {n}"}) for n in range(8)]
    assert {reply.status for reply in tries} == {401, 429}
    assert int(tries[-1].headers["retry-after"]) >= 1
    kept = inbox.audited(site.state.ledger.engine)
    assert {(row.status, row.body) for row in kept} == {(401, "")}, "a hash of the body would be one of the secret"
    assert "guess" not in json.dumps(site.log.lines)


def test_a_word_sent_twice_under_one_key_counts_once(site: Site) -> None:
    sent = {"action": "halt", "reason": "the venue is down"}
    headers = site.bearer("operate") | {"idempotency-key": "retry-0001"}
    first, second = (call(site.app, "POST", f"{RISK}/breaker", sent, headers) for _ in range(2))
    assert first.json == second.json
    assert len(inbox.posted(site.state.ledger.engine, first.json["run_id"])) == 1
    other = call(site.app, "POST", f"{RISK}/breaker", sent | {"action": "flatten"}, headers)
    assert (other.status, "another request" in other.json["detail"][0]["message"]) == (422, True)
    assert len(inbox.posted(site.state.ledger.engine, first.json["run_id"])) == 1


def test_what_waits_is_shown_beside_the_breaker_and_counted_for_prometheus(site: Site) -> None:
    call(site.app, "POST", f"{RISK}/breaker", {"action": "reduce", "reason": "r"}, site.bearer("operate"))
    found = call(site.app, "GET", f"{RISK}/breaker").json
    assert [(row["action"], row["taken"]) for row in found["waiting"]] == [("reduce", False)]
    text = call(site.app, "GET", "/metrics").body.decode()
    assert f'seakeep_controls_waiting{{run="{found["run_id"]}"}} 1.0' in text
    assert 'seakeep_http_requests_total{method="POST",route="/api/v1/risk/breaker",status="202"} 1' in text


def test_a_page_of_another_origin_cannot_write_without_being_allowed(home: Path) -> None:
    site = Site(home, WebSettings(), {})
    plain = {"content-type": "text/plain", "origin": "https://evil.example"} | site.bearer("operate")
    assert call(site.app, "POST", f"{RISK}/breaker", b'{"action":"halt","reason":"r"}', plain).status == 422
    asked = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    assert "access-control-allow-origin" not in call(site.app, "OPTIONS", f"{RISK}/breaker", b"", asked).headers
    open_to = Site(home, WebSettings(origins=("https://desk.example",)), {})
    asked["origin"] = "https://desk.example"
    assert call(open_to.app, "OPTIONS", f"{RISK}/breaker", b"", asked).headers["access-control-allow-origin"]


def test_a_caller_who_asks_too_often_is_told_when_to_come_again(home: Path) -> None:
    site = Site(home, WebSettings(rate=3), {})
    statuses = [call(site.app, "GET", "/healthz").status for _ in range(8)]
    assert statuses[:6] == [200] * 6
    assert 429 in statuses[6:]


@pytest.mark.parametrize(
    ("body", "status"), [(b"[" * 100, 400), (b"x" * 70_000, 413), (b'{"action": "pau', 422), (b"\xff", 400)]
)
def test_a_body_that_is_none_is_refused(site: Site, body: bytes, status: int) -> None:
    headers = site.bearer("operate") | {"content-type": "application/json"}
    assert call(site.app, "POST", f"{RISK}/breaker", body, headers).status == status


def test_every_request_has_an_id_that_its_log_line_has_too(site: Site) -> None:
    reply = call(site.app, "GET", "/nowhere", b"", {"x-request-id": "from-the-proxy-1"})
    assert (reply.status, reply.headers["x-request-id"]) == (404, "from-the-proxy-1")
    assert [line["request_id"] for line in site.log.lines] == ["from-the-proxy-1"]
    other = call(site.app, "GET", "/nowhere", b"", {"x-request-id": "bad\tid"})
    assert other.headers["x-request-id"] != "bad\tid"
