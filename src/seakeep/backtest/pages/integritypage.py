"""The integrity court for a reader: rows of text for the page and the terminal, and the headline of the band."""

import math
from collections import Counter

import msgspec
from markupsafe import Markup

from seakeep.backtest.integrity.band import Band
from seakeep.backtest.integrity.court import COURT, Integrity
from seakeep.backtest.integrity.judgement import Check, Status
from seakeep.backtest.notation import UNKNOWN, percent
from seakeep.backtest.pages.charts import swatch
from seakeep.backtest.pages.integritycharts import check_chart

__all__ = ["MARKS", "Row", "headline", "plain_figure", "rows", "scope"]

MARKS: dict[Status, tuple[str, str]] = {
    "fail": ("✗", "bad"),
    "warn": ("!", "warn"),
    "not judged": ("?", "soft"),
    "pass": ("✓", "good"),
}
"""Sign and colour of a status; never colour alone."""

_VERBS: dict[Status, str] = {"fail": "fail", "warn": "warn", "not judged": "not judged"}


class Row(msgspec.Struct, frozen=True):
    """A check as text; `tone` is the CSS class of its status, `legend` the (colour class, name) of several series."""

    name: str
    status: str
    mark: str
    tone: str
    reason: str
    figures: tuple[tuple[str, str], ...]
    chart: Markup | None
    legend: tuple[tuple[str, str], ...] = ()


def rows(court: Integrity) -> list[Row]:
    """The checks in the order of the court."""
    return [_row(check) for check in court.checks]


def _row(check: Check) -> Row:
    mark, tone = MARKS[check.status]
    figures = tuple((name, plain_figure(value)) for name, value in check.figures)
    several = check.plot.series if check.plot and len(check.plot.series) > 1 else ()
    legend = tuple((swatch(j), series.name) for j, series in enumerate(several))
    return Row(check.name, check.status, mark, tone, check.reason, figures, check_chart(check), legend)


def plain_figure(value: float | str) -> str:
    """A figure with four significant digits, or its text.

    >>> plain_figure(39.67241), plain_figure(101.0), plain_figure(float("nan")), plain_figure("1 May 2024")
    ('39.67', '101', 'n/a', '1 May 2024')
    """
    if isinstance(value, str):
        return value
    if math.isnan(value):
        return UNKNOWN
    if abs(value) >= 1000:
        return f"{value:,.0f}".replace("-", "\N{MINUS SIGN}")
    return f"{value:.4g}".replace("-", "\N{MINUS SIGN}").replace("inf", "\N{INFINITY}")


def headline(found: Band) -> str:
    """The band in a line: what the run returns at least, as expected, and at most."""
    edges = (found.lower, found.expected, found.upper)
    low, middle, high = (percent(edge.total_return, signed=True) for edge in edges)
    return f"at least {low}, expected {middle}, at most {high}"


def scope(court: Integrity) -> str:
    """What the grade rests on: how many checks came out how."""
    counts = Counter(check.status for check in court.checks)
    others = ", ".join(f"{counts[status]} {verb}" for status, verb in _VERBS.items() if counts[status])
    passed = f"{counts['pass']} of {len(court.checks)} checks pass"
    said = f"{passed}, {others}" if others else passed
    return said if court.whole else f"{said}; seakeep integrity makes all {len(COURT)}"
