"""Every order type against bars worked by hand, and what can never happen."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seakeep.execution.matching import (
    AT_OPEN,
    BEST,
    EXPECTED,
    INSIDE,
    NEVER,
    WORST,
    Candle,
    first,
    meet_limit,
    meet_stop,
    meet_stop_limit,
    room,
    trail,
)

BAR = Candle(100.0, 110.0, 90.0, 105.0)
CAP = Path(__file__).parents[3] / "../shared/reference/execution_schedules/percent_volume_cap_lean.json"
prices = st.floats(1, 200, allow_nan=False)


@st.composite
def candles(draw: st.DrawFn) -> Candle:
    first_price, last_price, a, b = (draw(prices) for _ in range(4))
    return Candle(first_price, max(first_price, last_price, a, b), min(first_price, last_price, a, b), last_price)


@pytest.mark.parametrize(
    ("side", "limit", "arriving", "expected"),
    [
        (1, 95.0, False, (INSIDE, 95.0, True)),  # traded through: 90 < 95
        (1, 90.0, False, (NEVER, 90.0, True)),  # only touched
        (1, 102.0, True, (AT_OPEN, 100.0, False)),  # crosses on arrival: takes the open
        (1, 102.0, False, (INSIDE, 102.0, True)),  # rested before: its own price, not the better open
        (1, 100.0, True, (INSIDE, 100.0, True)),  # at the open it only joins the queue
        (-1, 108.0, False, (INSIDE, 108.0, True)),
        (-1, 110.0, False, (NEVER, 110.0, True)),
        (-1, 99.0, True, (AT_OPEN, 100.0, False)),
    ],
)
def test_a_limit_fills_when_price_trades_through_it(side: int, limit: float, arriving: bool, expected: tuple) -> None:
    assert meet_limit(side, limit, BAR, arriving, False) == expected


def test_the_queue_parameter_lets_a_touch_fill() -> None:
    assert meet_limit(1, 90.0, BAR, False, True) == (INSIDE, 90.0, True)
    assert meet_limit(1, 89.9, BAR, False, True).when == NEVER


@pytest.mark.parametrize(
    ("side", "stop", "expected"),
    [
        (1, 108.0, (INSIDE, 108.0, False)),
        (1, 99.0, (AT_OPEN, 100.0, False)),  # gapped over: the open is worse than the trigger
        (1, 110.5, (NEVER, 110.5, False)),
        (-1, 92.0, (INSIDE, 92.0, False)),
        (-1, 101.0, (AT_OPEN, 100.0, False)),
        (-1, 90.0, (INSIDE, 90.0, False)),  # touching triggers
    ],
)
def test_a_stop_triggers_on_the_range(side: int, stop: float, expected: tuple) -> None:
    assert meet_stop(side, stop, BAR) == expected


@pytest.mark.parametrize(
    ("side", "stop", "limit", "expected"),
    [
        (-1, 95.0, 94.0, (True, (INSIDE, 95.0, False))),  # crosses at the trigger
        (-1, 95.0, 95.0, (True, (NEVER, 95.0, True))),  # what follows the trigger is unknown: rests
        (-1, 101.0, 99.0, (True, (AT_OPEN, 100.0, False))),  # triggered and crossed at the open
        (-1, 101.0, 104.0, (True, (INSIDE, 104.0, True))),  # triggered at the open, the high lies ahead
        (-1, 89.0, 88.0, (False, (NEVER, 88.0, True))),
        (1, 106.0, 107.0, (True, (INSIDE, 106.0, False))),
    ],
)
def test_a_stop_limit_becomes_a_limit(side: int, stop: float, limit: float, expected: tuple) -> None:
    assert meet_stop_limit(side, stop, limit, BAR) == expected


def test_a_trailing_stop_follows_the_best_price_and_never_goes_back() -> None:
    # long, 10 % behind: the high 110 lifts the trigger to 99 for the next bar; a lower high leaves it there
    assert trail(-1, 85.0, BAR, 0.10) == pytest.approx(99.0)
    assert trail(-1, 99.0, Candle(100.0, 101.0, 99.5, 100.0), 0.10) == 99.0
    assert trail(1, 120.0, BAR, 0.10) == pytest.approx(99.0)


def test_the_path_says_which_protective_order_goes_first() -> None:
    # stop at 95 (5 away from the open), target at 104 (4 away)
    keys = {p: (first(p, True, 95.0, 100.0), first(p, False, 104.0, 100.0)) for p in (WORST, EXPECTED, BEST)}
    assert keys[WORST][0] < keys[WORST][1]
    assert keys[BEST][0] > keys[BEST][1]
    assert keys[EXPECTED] == (5.0, 4.0)


@given(st.sampled_from([1, -1]), prices, prices, candles(), st.booleans())
def test_no_price_is_better_than_a_stop_nor_worse_than_a_limit(
    side: int, stop: float, limit: float, candle: Candle, arriving: bool
) -> None:
    hit = meet_stop(side, stop, candle)
    assert hit.when == NEVER or side * (hit.price - stop) >= 0
    filled = meet_limit(side, limit, candle, arriving, False)
    assert filled.when == NEVER or side * (limit - filled.price) >= 0
    assert hit.when == NEVER or candle.low <= hit.price <= candle.high
    assert filled.maker or candle.low <= filled.price <= candle.high


@given(st.sampled_from([1, -1]), prices, prices, candles(), st.booleans(), st.floats(0.001, 0.5))
def test_compiled_matching_is_its_twin(
    side: int, a: float, b: float, candle: Candle, flag: bool, fraction: float
) -> None:
    assert meet_limit(side, a, candle, flag, flag) == meet_limit.py_func(side, a, candle, flag, flag)
    assert meet_stop(side, a, candle) == meet_stop.py_func(side, a, candle)
    assert meet_stop_limit(side, a, b, candle) == meet_stop_limit.py_func(side, a, b, candle)
    assert trail(side, a, candle, fraction) == trail.py_func(side, a, candle, fraction)
    assert [first(p, flag, a, b) for p in range(3)] == [first.py_func(p, flag, a, b) for p in range(3)]


@pytest.mark.skipif(not CAP.exists(), reason="shared/reference/execution_schedules is absent")
def test_participation_caps_the_size_as_published() -> None:
    case = json.loads(CAP.read_text())
    limit = case["inputs"]["percent_volume"]
    assert room(limit["bar_volume"], limit["max_percent"], 0.0) == case["expected"]["percent_volume_size"]
    assert room(10.0, 0.5, 4.0) == 1.0
    assert room(10.0, 0.5, 6.0) == 0.0
