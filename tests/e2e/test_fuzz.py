"""A hundred thousand bodies nobody should send, to a real server: no fault of ours, no hang, no memory that grows."""

import http.client
import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SERVE = (sys.executable, "-m", "seakeep.app.cli", "serve", "--port", "0", "--risks-port", "0", "--json")
BODIES = int(os.environ.get("SEAKEEP_FUZZ_BODIES", "100000"))
FIELDS = ("dealid", "direction", "opening", "stop", "limit", "contractsize", "size", "exchange", "margin")
ODD = [
    None, True, False, 0, -1, 1e308, -1e308, 5e-324, 10**400, "NaN", "Infinity", "-0", "true", "TRUE", "null", "nil",
    "", "💥/USDT", "\x00", "\ud800", "a" * 5_000, "(assert (x))", '")(exit)', "'; DROP TABLE runs;--",
    "?x&:(system ls)", "$?all", "<-", "(load /etc/passwd)", [], {}, [[[[1]]]], {"a": {"b": []}},
    float("nan"), float("inf"),
]  # fmt: skip


def position(rng: random.Random) -> dict[str, Any]:
    plain = {
        "ot_pos_dealid": rng.choice(["BTC", "ETH", "XRP"]), "ot_pos_direction": rng.choice(["BUY", "SELL"]),
        "ot_pos_opening": 256, "ot_pos_stop": 240, "ot_pos_limit": 300, "ot_pos_contractsize": 2, "ot_pos_size": 1,
        "ot_pos_exchange": 1, "ot_pos_margin": 100, "ot_risk_check": rng.choice([True, "true", False]),
    }  # fmt: skip
    return plain | {f"ot_pos_{rng.choice(FIELDS)}": rng.choice(ODD) for _ in range(rng.choice([0, 0, 0, 1, 2]))}


def mostly(rng: random.Random, plain: Any) -> Any:
    """The plain value, and something odd one time in ten."""
    return rng.choice(ODD) if rng.random() < 0.1 else plain


def body(rng: random.Random) -> bytes:
    """One request: of the right shape with odd values, of a wrong shape, cut short, or no JSON at all."""
    asked: dict[str, Any] = {
        "ot_user_balance": mostly(rng, 1024),
        "ot_user_timeframe": mostly(rng, "DAY"),
        "position-data": mostly(rng, [position(rng) for _ in range(rng.randint(0, 4))]),
        rng.choice(["ot_correlation_matrix", "ot_indicators", "extra"]): mostly(rng, [{"a": v} for v in ODD[:3]]),
    }
    whole = {"ot_user_id": mostly(rng, "7"), "ot_risk_input": mostly(rng, asked)}
    text = json.dumps(whole).encode("utf-8", "surrogatepass")
    kind = rng.random()
    if kind < 0.05:
        return text[: rng.randrange(len(text))]
    if kind < 0.10:
        return rng.randbytes(rng.randrange(200))
    if kind < 0.11:
        return b"[" * rng.randrange(1, 50_000)
    return text


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[int, str, int]]:
    """Process of the server, host and port of /risks."""
    pipe = subprocess.PIPE
    process = subprocess.Popen([*SERVE, "--userdir", str(tmp_path)], cwd=ROOT, stdout=pipe, text=True)
    try:
        assert process.stdout
        where = json.loads("".join(iter(process.stdout.readline, "}\n")) + "}")
        host, _, port = where["risks"].removeprefix("http://").removesuffix("/risks").partition(":")
        yield process.pid, host, int(port)
    finally:
        process.terminate()
        process.communicate(timeout=30)


def send(host: str, port: int, seed: int, count: int) -> Counter[int]:
    """Statuses of so many bodies on one connection, taken up again where the server closes it."""
    rng, seen = random.Random(seed), Counter[int]()
    line = http.client.HTTPConnection(host, port, timeout=60)
    for _ in range(count):
        line.request("POST", "/risks", body(rng), {"Content-Type": "application/json"})
        answer = line.getresponse()
        said = answer.read()
        seen[answer.status] += 1
        assert answer.status in (200, 400, 422), said
        json.loads(said)
    line.close()
    return seen


def resident(pid: int) -> int:
    """Resident size in kB of the worker of /risks that this server started."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    (worker,) = [child for child in children if "\0risks\0" in Path(f"/proc/{child}/cmdline").read_text()]
    return int(Path(f"/proc/{worker}/status").read_text().partition("VmRSS:")[2].split()[0])


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_no_body_of_a_hundred_thousand_is_a_fault_and_memory_stays(served: tuple[int, str, int]) -> None:
    pid, host, port = served
    seen, sizes = Counter[int](), []
    for part in range(10):
        with ThreadPoolExecutor(4) as pool:
            for found in pool.map(lambda n: send(host, port, n, BODIES // 40), range(4 * part, 4 * part + 4)):
                seen += found
        sizes.append(resident(pid))
    assert sum(seen.values()) == 40 * (BODIES // 40)
    assert min(seen[200], seen[400], seen[422]) > 0
    assert sizes[-1] < 1.03 * sizes[1], sizes
