from datetime import UTC, datetime

import pytest

from seakeep.app.models.schedule import at_midnights, is_due, next_midnight
from seakeep.core.units import DAY_MS, parse_time


def test_the_schedules_are_due_as_the_calendar_says() -> None:
    midnights = [parse_time("20240101") + day * DAY_MS for day in range(366)]
    assert sum(is_due(midnight, "daily") for midnight in midnights) == 366
    assert [m for m in midnights if is_due(m, "monthly")] == [
        parse_time(f"2024{month:02d}01") for month in range(1, 13)
    ]
    weekly = [m for m in midnights if is_due(m, "weekly")]
    assert {datetime.fromtimestamp(m / 1000, UTC).strftime("%A") for m in weekly} == {"Monday"}
    with pytest.raises(ValueError, match="hourly"):
        is_due(0, "hourly")


def test_midnight_comes_after_leap_days_and_on_the_stroke() -> None:
    assert next_midnight(parse_time("2024-02-28T23:59:59Z")) == parse_time("20240229")
    assert next_midnight(parse_time("20240229")) == parse_time("20240301")


def test_the_loop_works_once_a_midnight_and_does_not_catch_up_those_that_passed_at_work() -> None:
    now, worked = parse_time("2024-01-01T23:58:30Z"), []

    def sleep(seconds: float) -> None:
        nonlocal now
        assert 0 < seconds <= 60
        now += round(seconds * 1000)

    def work(midnight: int) -> None:
        nonlocal now
        worked.append((midnight, now))
        now += 2 * DAY_MS + 60_000
        if len(worked) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        at_midnights(work, lambda: now, sleep)
    assert worked == [(parse_time("20240102"),) * 2, (parse_time("20240105"),) * 2]
