"""The ratchet: tight at once, loose after a wait, a reason and a second word; nothing is loosened by any other way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seakeep.core.errors import ConfigError
from seakeep.core.events import Control
from seakeep.risk.limits import Limits
from seakeep.risk.ratchet import TIGHTER, Ratchet, RatchetParams, cancel, confirm, request, tightens

HOUR = 3_600_000
PARAMS = RatchetParams()
START = Ratchet(Limits())


def asked(ts: int, reason: str = "why", id: str = "c1", **changes: float) -> Control:  # noqa: A002
    return Control(ts, "set-limits", reason, tuple(changes.items()), "risk", id)


def test_a_tightening_holds_at_once_and_needs_no_reason() -> None:
    after = request(START, PARAMS, asked(0, "", "", max_weight=0.05, min_order_gap_ms=60_000))
    assert (after.limits.max_weight, after.limits.min_order_gap_ms, after.pending) == (0.05, 60_000, ())


def test_a_loosening_waits_a_day_and_a_second_word_and_expires_a_day_later() -> None:
    waiting = request(START, PARAMS, asked(0, max_weight=0.2))
    assert waiting.limits == START.limits
    with pytest.raises(ConfigError, match="can be confirmed from 1970-01-02T00:00:00Z"):
        confirm(waiting, 24 * HOUR - 1, "c1")
    assert confirm(waiting, 24 * HOUR, "c1") == Ratchet(Limits(max_weight=0.2))
    with pytest.raises(ConfigError, match="expired at 1970-01-03"):
        confirm(waiting, 48 * HOUR, "c1")


def test_a_mixed_change_tightens_now_and_leaves_the_rest_to_wait() -> None:
    both = request(START, PARAMS, asked(0, max_weight=0.2, max_gross=0.5))
    assert (both.limits.max_weight, both.limits.max_gross) == (0.1, 0.5)
    assert both.pending[0].changes == (("max_weight", 0.2),)


def test_a_tightening_takes_back_what_waits_on_the_same_limit() -> None:
    waiting = request(START, PARAMS, asked(0, max_weight=0.2, max_gross=2.0))
    tight = request(waiting, PARAMS, asked(HOUR, "", "", max_weight=0.05))
    assert [p.changes for p in tight.pending] == [(("max_gross", 2.0),)]
    assert confirm(tight, 25 * HOUR, "c1").limits.max_weight == 0.05


def test_a_change_that_was_taken_back_cannot_be_confirmed() -> None:
    waiting = request(START, PARAMS, asked(0, max_weight=0.2))
    with pytest.raises(ConfigError, match="no such change"):
        confirm(cancel(waiting, "c1"), 25 * HOUR, "c1")


@pytest.mark.parametrize(
    ("control", "said"),
    [
        (asked(0, max_wieght=0.2), "did you mean max_weight"),
        (asked(0, "  ", max_weight=0.2), "needs a reason"),
        (asked(0, "why", "", max_weight=0.2), "id of its own"),
        (asked(0, max_weight=-1.0), "risk.limits.max_weight"),
        (asked(0, max_weight=float("nan")), "finite"),
        (asked(0, max_open_orders=2.5), "risk.limits.max_open_orders"),
        (asked(0, max_weight=0.1), "no limit would change"),
        (asked(0, min_tail_days=300), "min_tail_days"),
        (Control(0, "set-limits", "", (("max_weight", 0.05), ("max_weight", 5.0))), "named twice"),
    ],
)
def test_what_is_not_allowed_is_named_and_changes_nothing(control: Control, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        request(START, PARAMS, control)


def test_an_id_that_waits_already_is_refused() -> None:
    waiting = request(START, PARAMS, asked(0, max_weight=0.2))
    with pytest.raises(ConfigError, match="id of its own"):
        request(waiting, PARAMS, asked(1, max_gross=2.0))


def test_every_limit_has_a_direction_but_those_that_only_measure() -> None:
    assert set(Limits.model_fields) - set(TIGHTER) == {"tail_days", "min_tail_days", "min_weight"}


values = st.sampled_from(["max_weight", "max_gross", "max_cvar", "min_model_health"])
steps = st.lists(st.tuples(values, st.floats(0.01, 0.99), st.integers(0, 30)), max_size=20)


@given(steps)
def test_without_a_confirmation_no_sequence_of_requests_loosens_anything(steps: list[tuple[str, float, int]]) -> None:
    ratchet, ts = START, 0
    for i, (name, value, hours) in enumerate(steps):
        before, ts = ratchet.limits, ts + hours * HOUR
        if getattr(before, name) != value:
            ratchet = request(ratchet, PARAMS, asked(ts, id=f"c{i}", **{name: value}))
        for limit in Limits.model_fields:
            was, now = getattr(before, limit), getattr(ratchet.limits, limit)
            assert was == now or tightens(limit, was, now)
