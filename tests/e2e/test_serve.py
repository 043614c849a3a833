"""`seakeep serve` as a person starts it: both doors, a worker that dies, a stop that leaves nothing behind."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from shutil import which
from threading import Barrier
from typing import Any, NamedTuple

import pytest

from tests.unit.app.web.test_door import payload

ROOT = Path(__file__).parents[2]
SEED = ROOT.parent / "shared/mission/seeds/000_cd8a925f3cd0fb55.txt"
SERVE = (sys.executable, "-m", "seakeep.app.cli", "serve", "--port", "0", "--risks-port", "0", "--json")
POSITION = {"ot_pos_dealid": "BTC", "ot_pos_direction": "BUY", "ot_pos_opening": 100, "ot_risk_check": "true"}
BODY = json.dumps({"ot_user_id": "9", "ot_risk_input": {"ot_user_balance": 1, "position-data": [POSITION]}}).encode()


class Server(NamedTuple):
    """A server that runs, and where it listens."""

    process: "subprocess.Popen[str]"
    home: Path
    api: str
    risks: str

    def workers(self) -> list[int]:
        """Process ids of what it started."""
        task = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        if not task.exists():
            pytest.skip("no /proc: the processes of a server cannot be listed here")
        return [int(pid) for pid in task.read_text().split()]


def get(url: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> tuple[int, Any]:
    """Status and JSON of an answer; asked again while the server starts."""
    request = urllib.request.Request(url, body, headers or {})
    for _ in range(300):
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.05)
    pytest.fail(f"{url} does not answer")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("served")
    pipe = subprocess.PIPE
    process = subprocess.Popen([*SERVE, "--userdir", str(home)], cwd=ROOT, stdout=pipe, stderr=pipe, text=True)
    assert process.stdout
    try:
        lines = ""
        while not lines.endswith("}\n"):
            line = process.stdout.readline()
            assert line, process.stderr.read() if process.stderr else ""
            lines += line
        where = json.loads(lines)
        yield Server(process, home, where["api"], where["risks"])
    finally:
        process.kill()
        process.communicate()


def test_both_doors_answer_on_this_machine_only(server: Server) -> None:
    assert get(f"{server.api}/readyz") == (200, {"status": "ok"})
    status, answer = get(server.risks, BODY)
    assert (status, answer["ot_user_id"]) == (200, "9")
    assert server.api.startswith("http://127.0.0.1:")
    assert server.risks.startswith("http://127.0.0.1:")


def test_the_document_is_served_and_names_the_questions(server: Server) -> None:
    status, document = get(f"{server.api}/openapi.json")
    assert status == 200
    assert "/api/v1/risk/check-order" in document["paths"]


def test_two_hundred_clients_of_two_users_get_each_their_own_answer(server: Server) -> None:
    address, together = server.risks.removeprefix("http://").removesuffix("/risks"), Barrier(200, timeout=30)
    get(server.risks, BODY)

    def ask(n: int) -> tuple[int, int, Any]:
        body = json.dumps(payload(f"user-{n % 2}", 90.0 if n % 2 else None))
        with closing(HTTPConnection(address, timeout=60)) as line:
            line.connect()
            together.wait()
            line.request("POST", "/risks", body)
            reply = line.getresponse()
            return n, reply.status, json.loads(reply.read())

    with ThreadPoolExecutor(200) as pool:
        for n, status, answer in pool.map(ask, range(200)):
            codes = {code for risk in answer["identified_risks"] for code in risk}
            assert (status, answer["ot_user_id"]) == (200, f"user-{n % 2}")
            assert ("position-stop-loss" in codes) == (n % 2 == 0)


@pytest.mark.skipif(which("curl") is None, reason="no curl on this machine")
@pytest.mark.skipif(not SEED.exists(), reason="shared/mission/seeds is not beside this checkout")
def test_the_payload_of_the_old_manual_is_answered_to_curl_as_it_is_printed(server: Server, tmp_path: Path) -> None:
    printed = SEED.read_text().partition("Example payload:")[2].split("```")[1]
    file = tmp_path / "payload.json"
    file.write_text(printed)
    for method in ("GET", "POST"):
        words = ["curl", "-sS", "-X", method, "-H", "Content-Type: application/json", "-d", f"@{file}", server.risks]
        answer = json.loads(subprocess.run(words, capture_output=True, check=True, timeout=60).stdout)
        assert answer["ot_user_id"] == json.loads(printed)["ot_user_id"]
        assert {code for risk in answer["identified_risks"] for code in risk} == {"position-take-profit"}


def test_a_token_opens_a_server_that_runs_and_its_end_closes_it(server: Server) -> None:
    def token(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "seakeep.app.cli", "token", *words, "--userdir", str(server.home), "--json"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    bearer = {"authorization": f"Bearer {json.loads(token('add', 'bot', '--scope', 'admin'))['token']}"}
    assert get(f"{server.api}/api/v1/audit", None, bearer) == (200, [])
    token("revoke", "bot")
    assert get(f"{server.api}/api/v1/audit", None, bearer)[0] == 401


def test_a_hundred_megabytes_are_refused_before_they_are_sent(server: Server) -> None:
    host, port = server.risks.removeprefix("http://").removesuffix("/risks").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as line:
        line.sendall(f"POST /risks HTTP/1.1\r\nHost: {host}\r\nContent-Length: 100000000\r\n\r\n".encode())
        assert line.recv(1_000).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize("garbage", [b"\x16\x03\x01\x02", b"GET / HTTP/9.9\r\n\r\n", b"A" * 100_000, b"GET /\r\n\r\n"])
def test_what_is_no_http_is_refused_and_the_door_stays_open(server: Server, garbage: bytes) -> None:
    host, port = server.api.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as line:
        line.sendall(garbage + b"\r\n\r\n")
        assert line.recv(100).startswith(b"HTTP/1.1 400")
    assert get(f"{server.api}/healthz")[0] == 200


def test_a_worker_that_dies_is_started_again(server: Server) -> None:
    get(f"{server.api}/healthz"), get(server.risks, BODY)
    before = server.workers()
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    assert get(f"{server.api}/healthz")[0] == 200
    assert get(server.risks, BODY)[0] == 200
    assert len(server.workers()) == len(before) == 2
    assert not set(server.workers()) & set(before)


def test_a_port_that_is_taken_is_named(server: Server, tmp_path: Path) -> None:
    words = [*SERVE[:3], "serve", "--port", server.api.rpartition(":")[2], "--userdir", str(tmp_path)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 4
    assert "web.port: cannot listen on 127.0.0.1" in done.stderr
    assert "Traceback" not in done.stderr


def test_it_stops_when_told_and_leaves_no_process(server: Server) -> None:
    workers = server.workers()
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(20) == 0
    for pid in workers:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@pytest.mark.slow
def test_workers_end_when_their_server_is_killed(tmp_path: Path) -> None:
    process = subprocess.Popen([*SERVE, "--userdir", str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        where = json.loads("".join(iter(process.stdout.readline, "}\n")) + "}")
        get(f"{where['api']}/healthz"), get(where["risks"], BODY)
        workers = Server(process, tmp_path, where["api"], where["risks"]).workers()
    finally:
        process.kill()
        process.communicate()
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in workers):
        assert time.monotonic() < deadline, "they live on"
        time.sleep(0.05)
