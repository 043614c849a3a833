"""POST /risks over loopback, beside the seed's own shape: one worker, wrk at 1 and at 8 connections, interleaved.

    python benchmarks/web.py [SECONDS] [ROUNDS]

The peers read a book for every request into an engine of its own, as the seed does: Flask on gunicorn where
SEAKEEP_BENCH_FLASK names the Python of an environment with flask, gunicorn and clipspy, and FastAPI on uvicorn always.
The body has twelve positions, as on the seed's page. Other work on the machine slows all of them: read the ratio, and
the CPU time a request.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

TICKS = os.sysconf("SC_CLK_TCK")
COLD = """
import clips, json
BOOK = {book!r}
def assess(raw):
    asked = json.loads(raw)["ot_risk_input"]
    engine = clips.Environment()
    engine.clear()
    for part in BOOK:
        engine.build(part)
    template = engine.find_template("position")
    for position in asked["position-data"]:
        template.assert_fact(name=str(position["ot_pos_dealid"]), weight=float(position["ot_pos_opening"]),
                             checked=clips.Symbol(str(position["ot_risk_check"]).lower()))
    engine.run()
    found = [dict(fact) for fact in engine.facts() if fact.template.name == "finding"]
    return {{"ot_user_id": "1", "identified_risks": [{{f["code"]: f["name"]}} for f in found], "ot_indicators": []}}
"""
FLASK = """
from flask import Flask, jsonify, request
from cold import assess
app = Flask(__name__)
@app.post("/risks")
def risks():
    return jsonify(assess(request.get_data()))
"""
FASTAPI = """
from fastapi import FastAPI, Request
from cold import assess
app = FastAPI()
@app.post("/risks")
async def risks(request: Request):
    return assess(await request.body())
"""
LUA = """
wrk.method = "POST"
wrk.body = io.open("{}"):read("*a")
wrk.headers["Content-Type"] = "application/json"
"""


class Measured(NamedTuple):
    """One load: requests a second, latencies in ms, CPU a request in us, memory in MB."""

    rate: float
    p50: float
    p99: float
    cpu: float
    memory: float


def cold_book(rules: int = 27) -> list[str]:
    """A book as large as the seed's: templates, then one rule for each finding."""
    book = [
        "(deftemplate position (slot name (type STRING)) (slot weight (type FLOAT)) (slot checked (type SYMBOL)))",
        "(deftemplate finding (slot code (type STRING)) (slot name (type STRING)))",
    ]
    for n in range(rules):
        test = f"(test (> ?w {n / rules:.4f}))"
        given = f"(position (name ?n) (weight ?w) (checked true)) {test}"
        book.append(f'(defrule rule-{n} {given} => (assert (finding (code "code-{n}") (name ?n))))')
    return book


def body() -> bytes:
    """Twelve positions, one of them an order."""
    base = {"ot_pos_cc": "USD", "ot_pos_exchange": 1, "ot_pos_margin": 100, "ot_pos_size": 1, "ot_pos_direction": "BUY"}
    positions = [
        base
        | {
            "ot_pos_dealid": f"C{n}",
            "ot_instr_name": f"C{n}/USD",
            "ot_instr_id": f"C{n}/USD",
            "ot_instr_type": "CRYPTO",
            "ot_pos_opening": 10.0 + n,
            "ot_pos_contractsize": 1.5,
            "ot_instr_bid": 11.0 + n,
            "ot_instr_offer": 11.0 + n,
            "ot_risk_check": "true" if n == 0 else "false",
            "ot_pos_controlled": "true" if n == 0 else False,
            "ot_pos_stop": 9.0 if n == 0 else None,
            "ot_pos_limit": None,
        }
        for n in range(12)
    ]
    asked = {"ot_user_balance": 15_000, "ot_user_timeframe": "DAY", "position-data": positions}
    return json.dumps({"ot_user_id": "1", "ot_risk_input": asked}).encode()


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def server(words: Sequence[str], port: int, folder: Path, sent: bytes) -> Iterator[int]:
    """A server that answers; its process id."""
    with (folder / f"{port}.log").open("w") as log:
        process = subprocess.Popen(words, cwd=folder, stdout=log, stderr=log)
    try:
        for _ in range(200):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/risks", sent, timeout=5).read()
                break
            except (OSError, urllib.error.URLError):
                time.sleep(0.1)
        else:
            raise SystemExit((folder / f"{port}.log").read_text()[-2_000:])
        yield process.pid
    finally:
        process.terminate()
        process.wait(10)


def family(pid: int) -> list[int]:
    """The process and everything it started."""
    found = [pid]
    for parent in found:
        for path in Path(f"/proc/{parent}/task").glob("*/children"):
            found += [int(child) for child in path.read_text().split()]
    return found


def used(pid: int) -> tuple[float, float]:
    """CPU seconds so far, and MB of memory now, of a family."""
    cpu = memory = 0.0
    for member in family(pid):
        fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
        cpu += (int(fields[11]) + int(fields[12])) / TICKS
        memory += int(fields[21]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    return cpu, memory


def load(pid: int, port: int, folder: Path, connections: int, seconds: int) -> Measured:
    """wrk with one thread."""
    before, _ = used(pid)
    words = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(folder / "post.lua")]
    said = subprocess.run([*words, f"http://127.0.0.1:{port}/risks"], capture_output=True, text=True, check=True).stdout
    after, memory = used(pid)
    if "Non-2xx" in said or "Socket errors" in said:
        raise SystemExit(said)
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1])  # type: ignore[index]
    requests = int(re.search(r"(\d+) requests in", said)[1])  # type: ignore[index]
    return Measured(rate, _ms(said, "50%"), _ms(said, "99%"), (after - before) / requests * 1e6, memory)


def _ms(said: str, percentile: str) -> float:
    value, unit = re.search(rf"{percentile}\s+([\d.]+)(us|ms|s)", said).groups()  # type: ignore[union-attr]
    return float(value) * {"us": 0.001, "ms": 1.0, "s": 1_000.0}[unit]


def contenders(folder: Path) -> dict[str, tuple[list[str], int]]:
    """What is measured, and where it listens."""
    (folder / "cold.py").write_text(COLD.format(book=cold_book()))
    (folder / "flask_app.py").write_text(FLASK)
    (folder / "fast_app.py").write_text(FASTAPI)
    ports = [free_port() for _ in range(3)]
    ours = "from seakeep.app.cli import app; app()"
    serve = [
        sys.executable,
        "-c",
        ours,
        "serve",
        "--port",
        "0",
        "--risks-port",
        str(ports[0]),
        "--userdir",
        str(folder),
    ]
    uvicorn = [sys.executable, "-m", "uvicorn", "fast_app:app", "--port", str(ports[1]), "--log-level", "error"]
    found = {"seakeep serve": (serve, ports[0]), "FastAPI, cold": ([*uvicorn, "--no-access-log"], ports[1])}
    if python := os.environ.get("SEAKEEP_BENCH_FLASK"):
        words = [
            python,
            "-m",
            "gunicorn",
            "-w1",
            "-b",
            f"127.0.0.1:{ports[2]}",
            "--log-level",
            "error",
            "flask_app:app",
        ]
        found["Flask + gunicorn, cold"] = (words, ports[2])
    return found


def main(seconds: int, rounds: int) -> None:
    """Load each in turn, several times; the best of each counts."""
    if shutil.which("wrk") is None:
        print("wrk is not installed: nothing measured")
        return
    folder, sent = Path(tempfile.mkdtemp(prefix="seakeep-web-")), body()
    (folder / "body.json").write_bytes(sent)
    (folder / "post.lua").write_text(LUA.format(folder / "body.json"))
    best: dict[tuple[str, int], Measured] = {}
    with ExitStack() as running:
        named = contenders(folder)
        pids = {n: running.enter_context(server(words, port, folder, sent)) for n, (words, port) in named.items()}
        for name, (_, port) in named.items():
            load(pids[name], port, folder, 1, seconds)
        first = {n: used(pid)[1] for n, pid in pids.items()}
        for _ in range(rounds):
            for connections in (1, 8):
                for name, (_, port) in named.items():
                    found = load(pids[name], port, folder, connections, seconds)
                    kept = best.get((name, connections), found)
                    best[name, connections] = max(kept, found)
        for name, pid in pids.items():
            print(f"{name:24} memory {first[name]:.0f} -> {used(pid)[1]:.0f} MB, all its processes")
    for (name, connections), m in best.items():
        print(f"{name:24} c={connections}  {m.rate:7.0f}/s  p50 {m.p50:6.2f}  p99 {m.p99:6.2f} ms  {m.cpu:6.0f} us CPU")
    _compare(best)
    shutil.rmtree(folder)


def _compare(best: dict[tuple[str, int], Measured]) -> None:
    """A line per goal; the load of the machine beside them, since other work slows all."""
    ours = best["seakeep serve", 1]
    cold = {name: m for (name, c), m in best.items() if c == 1 and name != "seakeep serve"}
    for name, m in cold.items():
        print(f"ratio to {name}: {ours.rate / m.rate:.1f} in requests a second, {m.cpu / ours.cpu:.1f} in CPU")
    peer = next((name for name in cold if name.startswith("Flask")), "FastAPI, cold")
    ratio = ours.rate / cold[peer].rate
    for goal, got, met in (
        (">= 1,500 requests a second at c=1", f"{ours.rate:.0f}", ours.rate >= 1_500),
        ("p99 <= 2 ms at c=1", f"{ours.p99:.2f} ms", ours.p99 <= 2.0),
        (f">= 6 times {peer}", f"{ratio:.1f}", ratio >= 6),
    ):
        print(f"goal {goal}: {got} {'met' if met else 'MISSED'}")
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main(*[int(word) for word in [*sys.argv[1:], "4", "3"][:2]])
