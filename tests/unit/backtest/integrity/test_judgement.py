"""The grade follows its table: fatal first, then shares of failures and doubts; silence is never a pass."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seakeep.backtest.integrity.judgement import GRADES, Check, grade

STATUSES = ("pass", "warn", "fail", "not judged")


def checks(passed: int = 0, warned: int = 0, failed: int = 0, silent: int = 0) -> list[Check]:
    counts = zip(STATUSES, (passed, warned, failed, silent), strict=True)
    return [Check(name=f"{s} {i}", status=s, reason="because") for s, n in counts for i in range(n)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("counts", "letter"),
    [
        ((13, 0, 0, 0), "A"),
        ((12, 1, 0, 0), "B"),
        ((12, 0, 0, 1), "B"),
        ((9, 2, 0, 2), "C"),
        ((12, 0, 1, 0), "C"),
        ((9, 1, 3, 0), "D"),
        ((9, 0, 4, 0), "F"),
        ((3, 0, 0, 10), "F"),
        ((0, 0, 0, 5), "F"),
    ],
)
def test_the_grade_is_that_of_the_table(counts: tuple[int, int, int, int], letter: str) -> None:
    assert grade(checks(*counts)).letter == letter


def test_a_found_look_ahead_is_an_f_whatever_else_passes() -> None:
    ruling = grade([*checks(passed=50), Check(name="look-ahead", status="fail", reason="peeks", fatal=True)])
    assert ruling.letter == "F"
    assert ruling.reasons == ("look-ahead fails: peeks",)
    assert "alone decides" in ruling.says


def test_reasons_name_everything_but_passes_and_the_worst_comes_first() -> None:
    ruling = grade(checks(passed=2, warned=1, failed=1, silent=1))
    assert [reason.split(" 0 ")[0] for reason in ruling.reasons] == ["fail", "warn", "not judged"]


def test_no_checks_are_no_grade() -> None:
    with pytest.raises(ValueError, match="at least one"):
        grade([])


@given(st.lists(st.sampled_from(STATUSES), min_size=1, max_size=30), st.data())
def test_a_worse_status_never_gives_a_better_grade(statuses: list[str], data: st.DataObject) -> None:
    order = ["pass", "warn", "fail"]
    plain = ["warn" if s == "not judged" else s for s in statuses]
    at = data.draw(st.integers(0, len(plain) - 1))
    worse = [*plain]
    worse[at] = order[min(order.index(plain[at]) + 1, 2)]
    letters = [grade([Check(name="x", status=s, reason="") for s in row]).letter for row in (plain, worse)]  # type: ignore[arg-type]
    assert letters == sorted(letters)
    unjudged = ["not judged" if s == "warn" else s for s in plain]
    assert grade([Check(name="x", status=s, reason="") for s in unjudged]).letter == letters[0]  # type: ignore[arg-type]


def test_the_table_loosens_from_grade_to_grade() -> None:
    assert [s.letter for s in GRADES] == list("ABCDF")
    assert sorted(s.failed for s in GRADES) == [s.failed for s in GRADES]
    assert sorted(s.in_doubt for s in GRADES) == [s.in_doubt for s in GRADES]
    assert (GRADES[-1].failed, GRADES[-1].in_doubt) == (1.0, 1.0)
