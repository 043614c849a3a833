"""What a check of the integrity court says, and how many such sayings become a grade from A to F."""

from collections import Counter
from collections.abc import Sequence
from typing import Literal

import msgspec

__all__ = ["GRADES", "Check", "Grade", "Plot", "Series", "Standard", "Status", "grade"]

Status = Literal["pass", "warn", "fail", "not judged"]


class Series(msgspec.Struct, frozen=True):
    """One named line (or set of bars) of a plot; NaN leaves a hole."""

    name: str
    y: tuple[float, ...]


class Plot(msgspec.Struct, frozen=True):
    """A small picture of a check: `x` (n,) numbers or names, and series of n values each.

    `form` says how the values are written: percent (a fraction), ratio or money.
    """

    x_label: str
    x: tuple[float | str, ...]
    series: tuple[Series, ...]
    form: Literal["percent", "ratio", "money"] = "percent"


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One finding: what was looked at, what came of it, the sentence that says why, and the figures behind it.

    A `fatal` check that fails decides the grade alone. "not judged" says why in its reason and is never a pass.
    """

    name: str
    status: Status
    reason: str
    figures: tuple[tuple[str, float | str], ...] = ()
    plot: Plot | None = None
    fatal: bool = False


class Standard(msgspec.Struct, frozen=True):
    """What a grade asks for: the largest share of checks that may fail, and that may fail, warn or stay unjudged."""

    letter: str
    failed: float
    in_doubt: float
    says: str


GRADES: tuple[Standard, ...] = (
    Standard("A", 0.0, 0.0, "every check passes"),
    Standard("B", 0.0, 0.25, "nothing fails, at most a quarter is in doubt"),
    Standard("C", 0.10, 0.50, "at most a tenth fails, at most half is in doubt"),
    Standard("D", 0.25, 0.75, "at most a quarter fails, at most three quarters are in doubt"),
    Standard("F", 1.0, 1.0, "more fails, or too little could be judged"),
)
"""The grades, best first; the first whose standard is met is given. Doubt is fail, warn and not judged together."""

_ORDER: tuple[Status, ...] = ("fail", "warn", "not judged", "pass")


class Grade(msgspec.Struct, frozen=True):
    """The letter, the standard it met, and why it is no better, most serious first."""

    letter: str
    says: str
    reasons: tuple[str, ...]


def grade(checks: Sequence[Check]) -> Grade:
    """The grade of these checks by the table `GRADES`; a fatal check that fails makes it an F.

    >>> grade([Check(name="latency", status="pass", reason="500 ms cost nothing")]).letter
    'A'
    >>> grade([Check(name="look-ahead", status="fail", reason="reads tomorrow", fatal=True)]).reasons
    ('look-ahead fails: reads tomorrow',)

    Raises: ValueError if there are no checks.
    """
    if not checks:
        raise ValueError("a grade needs at least one check")
    counts, n = Counter(check.status for check in checks), len(checks)
    failed, in_doubt = counts["fail"] / n, 1.0 - counts["pass"] / n
    met = next(s for s in GRADES if failed <= s.failed and in_doubt <= s.in_doubt)
    letter, says = met.letter, met.says
    if fatal := [check for check in checks if check.fatal and check.status == "fail"]:
        letter, says = "F", f"{fatal[0].name} alone decides: no other figure means anything"
    worst_first = sorted(checks, key=lambda check: (_ORDER.index(check.status), not check.fatal))
    return Grade(letter, says, tuple(_reason(check) for check in worst_first if check.status != "pass"))


def _reason(check: Check) -> str:
    verb = {"fail": "fails", "warn": "warns"}.get(check.status, "is not judged")
    return f"{check.name} {verb}: {check.reason}"
