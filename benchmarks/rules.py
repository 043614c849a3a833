"""The crypto rule book on a request of 12 positions: python benchmarks/rules.py

Processor time in microseconds, median of rounds. Goals: the engine (facts in, rules, findings out) at most 350 us, and
request 4,000 at most 1.1 times request 100. Beside it: a new environment for every request, which is how the original
works, and other rule engines, each with 20 conditions on every one of the 12 positions: name a Python that has them,

    RULE_PEERS=venv/bin/python python benchmarks/rules.py       # pip install zen-engine rule-engine durable_rules
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROUNDS, REPEATS, POSITIONS = 7, 300, 12
CONDITIONS = (
    "stop == 0 and asked",
    "stop == 0 and not asked and opening > 0",
    'side == "BUY" and stop > opening',
    'side == "SELL" and stop > 0 and stop < opening',
    "opening > 0 and stop > 0 and (opening - stop) / opening > 0.15",
    "opening > 0 and stop > 0 and (stop - opening) / opening > 0.15",
    "opening > 0 and stop > 0 and (opening - stop) / opening < 0.005 and (stop - opening) / opening < 0.005",
    "check and stop > 0 and (opening - stop) * quantity > 0.02 * balance",
    "check and stop > 0 and (stop - opening) * quantity > 0.02 * balance",
    "opening == 0",
    "offer == 0",
    "check and opening * quantity > 0.2 * balance",
    "offer > 0 and opening > 0 and (offer - opening) * quantity < -50",
    "opening * quantity > 0 and opening * quantity < 1",
    "opening * quantity > 5 * balance",
    "margin > balance",
    "quantity == 0",
    "quantity > 1000000",
    "opening < 0",
    "balance <= 0",
)


def payload() -> dict[str, Any]:
    """An order that breaks its limits beside eleven coins that are held."""
    held = {"ot_pos_controlled": False, "ot_risk_check": "false", "ot_pos_stop": None, "ot_pos_limit": None}
    order = {"ot_pos_controlled": "true", "ot_risk_check": "true", "ot_pos_stop": 40.0, "ot_pos_limit": 70.0}
    positions = [
        {
            "ot_pos_dealid": f"A{k}",
            "ot_pos_cc": f"A{k}",
            "ot_pos_exchange": 1,
            "ot_pos_margin": 100,
            "ot_pos_size": 1,
            "ot_instr_name": f"A{k}/USD",
            "ot_instr_id": f"A{k}/USD",
            "ot_instr_type": "CRYPTO",
            "ot_pos_direction": "BUY",
            "ot_pos_opening": 50.0 + k,
            "ot_pos_contractsize": 3.5 + k,
            "ot_instr_bid": 49.0 + k,
            "ot_instr_offer": 49.5 + k,
            **(held if k else order),
        }
        for k in range(POSITIONS)
    ]
    profile = {"ot_user_diversification": 0.2, "ot_user_riskrewardratio": 2, "ot_user_limitpertrade": 0.02}
    return {"ot_user_id": "1", "ot_risk_input": {"ot_user_balance": 150, **profile, "position-data": positions}}


def micros(call: Callable[[], object], repeats: int) -> float:
    """Processor time of one call."""
    start = time.process_time()
    for _ in range(repeats):
        call()
    return (time.process_time() - start) / repeats * 1e6


def plain_positions() -> list[dict[str, Any]]:
    """The positions as other engines take them."""
    inner = payload()["ot_risk_input"]
    return [
        {
            "side": p["ot_pos_direction"],
            "opening": float(p["ot_pos_opening"]),
            "quantity": float(p["ot_pos_contractsize"]),
            "offer": float(p["ot_instr_offer"]),
            "margin": float(p["ot_pos_margin"]),
            "stop": float(p["ot_pos_stop"] or 0),
            "check": p["ot_risk_check"] == "true",
            "asked": p["ot_pos_controlled"] == "true",
            "balance": 150.0,
        }
        for p in inner["position-data"]
    ]


def zen_calls(positions: list[dict[str, Any]]) -> Callable[[], object]:
    """zen-engine: one decision table in loop mode, one evaluation for all positions."""
    import zen

    rules = [{"_id": f"r{k}", "c": condition, "o": str(k)} for k, condition in enumerate(CONDITIONS)]
    sides = {"inputs": [{"id": "c", "name": "c"}], "outputs": [{"id": "o", "name": "o", "field": "rule"}]}
    loop = {"executionMode": "loop", "inputField": "positions"}
    nodes = [
        {"id": "i", "name": "i", "type": "inputNode"},
        {
            "id": "t",
            "name": "t",
            "type": "decisionTableNode",
            "content": {"hitPolicy": "collect", **loop, **sides, "rules": rules},
        },
        {"id": "o", "name": "o", "type": "outputNode"},
    ]
    edges = [{"id": a + b, "sourceId": a, "targetId": b, "type": "edge"} for a, b in ("it", "to")]
    table = {"contentType": "application/vnd.gorules.decision", "nodes": nodes, "edges": edges}
    decision = zen.ZenEngine().create_decision(json.dumps(table))
    return lambda: decision.evaluate({"positions": positions})


def rule_engine_calls(positions: list[dict[str, Any]]) -> Callable[[], object]:
    """rule-engine: 20 rules, each asked about each position."""
    import rule_engine

    rules = [rule_engine.Rule(condition) for condition in CONDITIONS]
    return lambda: [rule.matches(position) for position in positions for rule in rules]


def durable_calls(positions: list[dict[str, Any]]) -> Callable[[], object]:
    """durable_rules: 12 of the conditions (it has no arithmetic between two fields here), a fact a position."""
    from durable.engine import MessageNotHandledException
    from durable.lang import assert_fact, delete_state, m, ruleset, when_all

    with ruleset("risk"):
        for condition in (
            (m.stop == 0) & (m.opening > 0),
            (m.side == "BUY") & (m.stop > 1000),
            (m.side == "SELL") & (m.stop > 0),
            m.opening == 0,
            m.offer == 0,
            m.quantity == 0,
            m.quantity > 1_000_000,
            m.opening < 0,
            m.balance <= 0,
            m.margin > 150,
            m.opening > 1000,
            m.stop < 0,
        ):
            when_all(condition)(lambda c: None)
    count = [0]

    def judge() -> None:
        count[0] += 1
        for k, position in enumerate(positions):
            try:
                assert_fact("risk", {**position, "id": k, "sid": str(count[0])})
            except MessageNotHandledException:
                continue
        delete_state("risk", str(count[0]))

    return judge


def peers() -> dict[str, float]:
    """Microseconds a request of every engine this Python has."""
    found = {}
    for name, make in (("zen-engine", zen_calls), ("rule-engine", rule_engine_calls), ("durable_rules", durable_calls)):
        try:
            call = make(plain_positions())
        except ImportError:
            continue
        call()
        found[name] = micros(call, 30)
    return found


def ours() -> dict[str, Callable[[], object]]:
    """The engine on facts, the whole request from bytes to answer, and an environment a request."""
    from seakeep.risk.rules.balance import assess, shipped_book, shipped_judge
    from seakeep.risk.rules.environment import Environment
    from seakeep.risk.rules.measured import facts_of

    body, judge, book = json.dumps(payload()).encode(), shipped_judge("crypto"), shipped_book("crypto")
    rows = facts_of(body)
    return {
        "engine: facts, rules, findings": lambda: judge.judge(rows),
        "request: bytes to answer, with the flip": lambda: assess(body).answer(0.0),
        "a new environment a request": lambda: Environment(book).judge(rows),
    }


def drift(call: Callable[[], object]) -> float:
    """Cost of requests 3,900 to 4,000 of a fresh process over that of requests 0 to 100 after 100 to warm up."""
    blocks = [micros(call, 100) for _ in range(41)]
    return statistics.median(blocks[-5:]) / statistics.median(blocks[1:6])


def main() -> None:
    """Print a line per engine."""
    calls = ours()
    engine = calls["engine: facts, rules, findings"]
    print(f"request 4,000 over request 100: {drift(engine):.3f}")
    python = os.environ.get("RULE_PEERS", "")
    rounds: list[dict[str, float]] = []
    for _ in range(ROUNDS):
        one = {name: micros(call, 20 if "new" in name else REPEATS) for name, call in calls.items()}
        if python:
            again = [python, str(Path(__file__).resolve()), "peers"]
            one |= json.loads(subprocess.run(again, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
        rounds.append(one)
    print(f"{'':42}{'us':>9}{'ratio':>8}")
    for name in rounds[0]:
        cost = statistics.median(one[name] for one in rounds)
        ratio = statistics.median(one[name] / one["engine: facts, rules, findings"] for one in rounds)
        print(f"{name:42}{cost:9.0f}{ratio:8.2f}")
    _goals(rounds)


def _goals(rounds: list[dict[str, float]]) -> None:
    """A line per goal. Our book has 27 rules, some across positions; the peers 20 and 12, each of one position."""
    engine = "engine: facts, rules, findings"
    cost = min(one[engine] for one in rounds)
    print(f"goal engine <= 350 us: {cost:.0f} {'met' if cost <= 350 else 'MISSED'}")
    for name, least in (("zen-engine", 2), ("durable_rules", 2), ("rule-engine", 6)):
        if name in rounds[0]:
            ratio = statistics.median(one[name] / one[engine] for one in rounds)
            print(f"goal >= {least} times {name}: {ratio:.1f} {'met' if ratio >= least else 'MISSED'}")


if __name__ == "__main__":
    if sys.argv[1:] == ["peers"]:
        print(json.dumps(peers()))
    else:
        main()
