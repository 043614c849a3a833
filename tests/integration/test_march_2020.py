"""A walk of the drawdown through March 2020: where the breaker reduces, flattens and halts.

`python benchmarks/march_2020.py` prints the tables of the same walks.
"""

import pytest
from benchmarks.march_2020 import BREAKER_ONLY, COINS, CRASH_WEEK, FEBRUARY, HOURLY, turns, walk

from seakeep.core.units import iso, parse_time
from seakeep.core.verdicts import RiskSnapshot
from seakeep.risk.limits import Limits


def _walk(limits: Limits, start: int) -> list[RiskSnapshot]:
    """The snapshots of a walk; skipped by name where the bars are not there."""
    for coin in COINS:
        if not (HOURLY / f"{coin}USDT.parquet").exists():
            pytest.skip(f"{coin}USDT.parquet is not in ../shared/data/ohlcv/1h_early")
    return walk(limits, start)


def test_a_slow_fall_latches_and_what_is_left_of_it_halts_before_the_crash() -> None:
    seen = _walk(BREAKER_ONLY, FEBRUARY)
    states = [s.breaker for s in turns(seen)]
    assert states[-4:] == ["REDUCE_WEEK", "REDUCE_LATCHED", "FLATTEN", "HALTED"]
    halted = seen[next(i for i, s in enumerate(seen) if s.breaker == "HALTED") :]
    assert halted[0].ts < parse_time("20200312")
    assert all(s.gross == 0 for s in halted)
    assert len({s.equity for s in halted}) == 1, "nothing is lost after the halt"


def test_the_crash_is_left_within_its_first_hours() -> None:
    seen = _walk(BREAKER_ONLY, CRASH_WEEK)
    states = [s.breaker for s in turns(seen)]
    assert states[-1] == "HALTED"
    flat = next(s for s in turns(seen) if s.breaker == "FLATTEN")
    assert iso(flat.ts)[:10] == "2020-03-12"
    assert flat.drawdown >= 0.20
    assert seen[-1].drawdown < 0.35, "from the day before to its end the crash took 48 % and 56 % of the coins"


def test_under_the_gates_own_limits_the_crash_trips_nothing() -> None:
    seen = _walk(Limits(), FEBRUARY)
    assert {s.breaker for s in seen} == {"NORMAL"}
    assert max(s.gross for s in seen) < 0.31
    assert 0.10 < max(s.drawdown for s in seen) < 0.15
