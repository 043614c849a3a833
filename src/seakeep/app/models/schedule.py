"""When to train: at 00:00 UTC every day, every Monday or every first of a month; and the loop that does so."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

__all__ = ["at_midnights", "is_due", "next_midnight"]


def next_midnight(now_ms: int) -> int:
    """The next 00:00 UTC after an instant.

    >>> next_midnight(0), next_midnight(86_399_999)
    (86400000, 86400000)
    """
    day = datetime.fromtimestamp(now_ms / 1000, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return round((day + timedelta(days=1)).timestamp() * 1000)


def is_due(midnight_ms: int, every: str) -> bool:
    """Whether a daily, weekly (Monday) or monthly (the 1st) schedule is due at this midnight.

    >>> is_due(0, "weekly"), is_due(0, "monthly")
    (False, True)

    Raises: ValueError for another schedule.
    """
    day = datetime.fromtimestamp(midnight_ms / 1000, UTC)
    due = {"daily": True, "weekly": day.weekday() == 0, "monthly": day.day == 1}
    if every not in due:
        raise ValueError(f"every must be daily, weekly or monthly, got {every!r}")
    return due[every]


def at_midnights(work: Callable[[int], None], clock: Callable[[], int], sleep: Callable[[float], None]) -> None:
    """Call `work` with each midnight (UTC ms) as it passes, for ever; one that passed during work is not caught up.

    `clock` tells UTC ms. It sleeps a minute at most, so that a clock that is set right is noticed.
    """
    while True:
        midnight = next_midnight(clock())
        while (left := midnight - clock()) > 0:
            sleep(min(left / 1000, 60.0))
        work(midnight)
