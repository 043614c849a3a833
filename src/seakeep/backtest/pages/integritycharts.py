"""The plot of a check as inline SVG: bars over names, lines over numbers."""

import math
from collections.abc import Callable

import numpy as np
from markupsafe import Markup

from seakeep.backtest.integrity.judgement import Check, Plot
from seakeep.backtest.notation import compact, money, percent, plain
from seakeep.backtest.pages.axes import Frame, figure, join, path, span
from seakeep.backtest.pages.charts import swatch
from seakeep.core.market import Float64

__all__ = ["check_chart"]

_HEIGHT = 170
_UPRIGHT = 8
"""With more names than this their labels would meet."""
_FORMS: dict[str, Callable[[float], str]] = {"percent": lambda y: percent(y, 2), "ratio": plain, "money": money}
_TICKS: dict[str, Callable[[float], str]] = {"percent": lambda y: percent(y, 1), "ratio": compact, "money": compact}


def check_chart(check: Check) -> Markup | None:
    """The check's picture: groups of bars where x is names (lying ones if many), lines where x is numbers.

    None if the check has no plot, or none of its values is known.
    """
    plot = check.plot
    if plot is None or not any(math.isfinite(y) for series in plot.series for y in series.y):
        return None
    numbers = np.array([x for x in plot.x if isinstance(x, int | float)], np.float64)
    label = f"{check.name}: {check.reason}"
    if len(numbers) == len(plot.x) and len(numbers) > 1:
        return figure(label, _HEIGHT, *_lines(plot, numbers), css="check")
    if len(plot.x) <= _UPRIGHT:
        return figure(label, _HEIGHT, *_bars(plot), css="check")
    return figure(label, 24.0 * len(plot.x) * len(plot.series), *_lying(plot), css="check costs")


def _values(plot: Plot) -> Float64:
    return np.array([series.y for series in plot.series], np.float64)


def _lines(plot: Plot, x: Float64) -> list[Markup]:
    low, high = span(*_values(plot), zero=True)
    frame = Frame(0, _HEIGHT, float(x.min()), float(x.max()), low, high)
    shapes = []
    for j, y in enumerate(_values(plot)):
        known = np.isfinite(y)
        if known.any():
            shapes.append(path(frame.points(x[known], y[known]), f"line {swatch(j)}"))
    zero = path(frame.points(np.array([x.min(), x.max()]), np.zeros(2)), "zero")
    return [frame.y_axis(_TICKS[plot.form], 4), frame.plot(zero, *shapes), frame.x_numbers(compact)]


def _bars(plot: Plot) -> list[Markup]:
    """Bars side by side for each name; a bar tells its value to the pointer and, where there is room, in print."""
    values = _values(plot)
    low, high = span(values.ravel(), zero=True)
    frame = Frame(0, _HEIGHT, 0.0, float(len(plot.x)), low, high)
    bar = Markup('<rect class="bar {}" x="{:.2f}%" width="{:.2f}%" y="{:.1f}" height="{:.1f}"><title>{}</title></rect>')
    text = Markup('<text class="tick" x="{:.2f}%" y="{}" text-anchor="middle">{}</text>')
    wide = 0.7 / len(plot.series)
    rows = []
    for j, series in enumerate(plot.series):
        for i, y in enumerate(series.y):
            if math.isfinite(y):
                top, foot = frame.down(max(y, 0.0)), frame.down(min(y, 0.0))
                css = swatch(j) if len(plot.series) > 1 else "up" if y >= 0 else "down"
                said = f"{plot.x[i]}, {series.name}: {_FORMS[plot.form](y)}"
                left = frame.across(i + 0.15 + j * wide)
                rows.append(bar.format(css, left, frame.across(wide) * 0.94, top, max(foot - top, 1.0), said))
    names = join(text.format(frame.across(i + 0.5), _HEIGHT + 18, str(x)) for i, x in enumerate(plot.x))
    zero = Markup('<line class="zero" x1="0" x2="100%" y1="{0:.1f}" y2="{0:.1f}"/>').format(frame.down(0.0))
    return [frame.y_axis(_TICKS[plot.form], 4), *rows, zero, names]


def _lying(plot: Plot) -> list[Markup]:
    """A row for each name and series, its value behind it."""
    values = _values(plot)
    low, high = span(values.ravel(), zero=True)
    frame = Frame(0, 24.0 * values.size, low, high, 0, 1)
    row = Markup(
        '<rect class="bar {}" x="{:.2f}%" width="{:.2f}%" y="{}" height="15" rx="2"/>'
        '<text class="tick name" x="-8" y="{}" dy=".32em" text-anchor="end">{}</text>'
        '<text class="value" x="100%" dx="8" y="{}" dy=".32em">{}</text>'
    )
    rows = []
    for k, (i, j) in enumerate((i, j) for i in range(len(plot.x)) for j in range(len(plot.series))):
        y, middle = float(values[j, i]), 24 * k + 12
        left, right = sorted((frame.across(0.0), frame.across(y))) if math.isfinite(y) else (0.0, 0.0)
        css = swatch(j) if len(plot.series) > 1 else "up" if y >= 0 else "down"
        name = str(plot.x[i]) if j == 0 else ""
        rows.append(row.format(css, left, right - left, middle - 7, middle, name, middle, _FORMS[plot.form](y)))
    zero = Markup('<line class="zero" x1="{0:.2f}%" x2="{0:.2f}%" y1="0" y2="{1}"/>')
    return [*rows, zero.format(frame.across(0.0), frame.height)]
