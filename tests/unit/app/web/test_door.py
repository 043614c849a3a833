"""The door of seed 000: what its clients send is answered in their shape, whatever it is."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seakeep.app.web.book import assess_with
from seakeep.app.web.edge import Edge
from seakeep.core.errors import ConfigError
from tests.unit.app.web.client import ask, call

SEED = Path(__file__).parents[5] / "shared" / "mission" / "seeds"


def payload(user: str = "7", stop: Any = 90.0, **more: Any) -> dict[str, Any]:
    position = {
        "ot_pos_dealid": "BTC",
        "ot_instr_name": "BTC/USD",
        "ot_instr_id": "BTC/USD",
        "ot_pos_direction": "BUY",
        "ot_pos_opening": 100.0,
        "ot_pos_limit": 120.0,
        "ot_pos_stop": stop,
        "ot_pos_contractsize": 1,
        "ot_pos_size": 1,
        "ot_pos_exchange": 1,
        "ot_pos_margin": 100,
        "ot_risk_check": "true",
        "ot_pos_controlled": True,
        **more,
    }
    person = {"ot_user_balance": 1000, "ot_user_timeframe": "DAY", "ot_user_diversification": 0.05}
    person |= {"ot_user_riskrewardratio": 2, "ot_user_limitpertrade": 0.02}
    return {"ot_user_id": user, "ot_risk_input": {**person, "position-data": [position]}}


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_answer_has_the_fields_of_the_seed_in_their_order(door: Edge, method: str) -> None:
    reply = call(door, method, "/risks", payload())
    assert reply.status == 200
    assert list(reply.json)[:5] == [
        "ot_user_id",
        "ot_timestamp",
        "ot_risk_answer_signature",
        "identified_risks",
        "ot_indicators",
    ]
    assert reply.json["ot_risk_answer_signature"] == f"7_{int(reply.json['ot_timestamp'])}"
    assert "position-oversized" in [code for risk in reply.json["identified_risks"] for code in risk]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_root_says_what_the_seed_says(door: Edge, method: str) -> None:
    assert call(door, method, "/").body == b'{"status":"ok"}'


def test_the_payload_of_the_seeds_page_is_answered_as_its_author_ran_it(door: Edge) -> None:
    pages = sorted(SEED.glob("000*.txt"))
    if not pages:
        pytest.skip("shared/mission/seeds/000: the page of the seed is not here")
    (body,) = re.findall(r"```\n(\s*\{\s*\"ot_user_id\".*?)```", pages[0].read_text("utf-8"), re.DOTALL)
    reply = call(door, "POST", "/risks", body.encode())
    assert [list(risk) for risk in reply.json["identified_risks"]] == [["position-take-profit"]]
    assert reply.json["ot_user_id"] == "1"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"  ", 422),
        (b"{", 422),
        (b"[]", 422),
        (b"null", 422),
        (b"\xff\xfe", 422),
        (b'{"ot_risk_input": 5}', 422),
        (b"[" * 40, 400),
        (b'{"a":' * 100_000, 400),
        (b"x" * 1_000_001, 413),
    ],
)
def test_what_is_no_request_is_refused_with_the_field_and_a_reason(door: Edge, body: bytes, status: int) -> None:
    reply = call(door, "POST", "/risks", body)
    assert reply.status == status
    assert all(fault["field"] and fault["message"] for fault in reply.json["detail"])


def test_a_negative_size_names_its_field(door: Edge) -> None:
    reply = call(door, "POST", "/risks", payload(ot_pos_size=-1))
    assert reply.status == 422
    assert "ot_pos_size" in reply.json["detail"][0]["message"]


def test_a_body_that_is_declared_too_large_is_refused_before_it_is_read(door: Edge) -> None:
    reply = call(door, "POST", "/risks", (b"{", b"}"), {"content-length": "100000000"})
    assert reply.status == 413
    assert reply.headers["connection"] == "close"


def test_a_body_in_parts_is_counted_as_it_comes(door: Edge) -> None:
    reply = call(door, "POST", "/risks", (b" " * 600_000, b" " * 600_000, b"{}"))
    assert (reply.status, reply.json["detail"][0]["message"]) == (413, "the body is over 1,000,000 bytes")


@pytest.mark.parametrize("length", ["-1", "x", "1e3", "9" * 30])
def test_a_length_that_is_none_is_refused(door: Edge, length: str) -> None:
    assert call(door, "POST", "/risks", (b"{}",), {"content-length": length}).status == 400


@pytest.mark.parametrize(
    ("method", "path", "status"), [("PUT", "/risks", 405), ("POST", "/risk", 404), ("GET", "/../etc/passwd", 404)]
)
def test_another_way_or_place_is_named(door: Edge, method: str, path: str, status: int) -> None:
    assert call(door, method, path, payload()).status == status


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example:8081", ""])
def test_a_page_elsewhere_cannot_come_in_by_a_name_of_its_own(door: Edge, host: str) -> None:
    assert call(door, "POST", "/risks", payload(), {"host": host}).status == 400


def test_two_hundred_at_once_get_each_their_own_answer(door: Edge) -> None:
    async def one(n: int) -> tuple[int, dict[str, Any]]:
        user, stop = f"user-{n % 2}", 90.0 if n % 2 else None
        reply = await ask(door, "POST", "/risks", payload(user, stop))
        return n, reply.json

    async def many() -> list[tuple[int, dict[str, Any]]]:
        return await asyncio.gather(*(one(n) for n in range(200)))

    for n, answer in asyncio.run(many()):
        codes = {code for risk in answer["identified_risks"] for code in risk}
        assert answer["ot_user_id"] == f"user-{n % 2}"
        assert ("position-stop-loss" in codes) == (n % 2 == 0)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["1e308", "(assert (x))", '")(exit)', "'; DROP TABLE runs;--", "💥/USDT", "nil", "\x00"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
FIELDS = sorted(payload()["ot_risk_input"]["position-data"][0])


@settings(max_examples=300)
@given(st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=6), JSON, JSON)
def test_no_body_is_answered_with_a_fault_of_ours(changes: dict[str, Any], user: Any, balance: Any) -> None:
    app = fuzzed()
    body = payload()
    body["ot_user_id"] = user
    body["ot_risk_input"]["ot_user_balance"] = balance
    body["ot_risk_input"]["position-data"][0] |= changes
    reply = call(app, "POST", "/risks", json.dumps(body).encode("utf-8", "surrogatepass"))
    assert reply.status in (200, 400, 422), reply.body
    assert isinstance(json.loads(reply.body), dict)


_MADE: list[Edge] = []


def fuzzed() -> Edge:
    """One door for all examples."""
    from tests.unit.app.web.conftest import a_door

    if not _MADE:
        _MADE.append(a_door(Path("nowhere")))
    return _MADE[0]


@pytest.mark.parametrize("named", ["crypto", "risk_model_crypto", "crypto.clp"])
def test_the_configuration_of_the_seed_names_the_book(tmp_path: Path, named: str) -> None:
    (tmp_path / "config_balance.json").write_text(json.dumps({"ot_model": named}), "utf-8")
    assert assess_with(tmp_path)(json.dumps(payload()).encode()).book.startswith("crypto@")


@pytest.mark.parametrize("text", ["{", "[]", '{"ot_model": 5}', '{"ot_model": "nobody"}', '{"ot_model": "../x"}'])
def test_a_configuration_that_names_no_book_stops_the_start(tmp_path: Path, text: str) -> None:
    (tmp_path / "config_balance.json").write_text(text, "utf-8")
    with pytest.raises(ConfigError):
        assess_with(tmp_path)
