"""The fragility map: the objective over two parameters as a heat map, and the front of growth against loss."""

from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from seakeep.backtest.notation import percent, plain
from seakeep.backtest.pages.axes import Frame, figure, join, span
from seakeep.backtest.search.plateau import box
from seakeep.backtest.search.survey import Standing, Survey
from seakeep.backtest.search.walkforward import Param, Params
from seakeep.core.market import Float64

__all__ = ["FragilityMap", "front_chart", "heat_map", "map_of"]

_LABELS = 12
_ROW, _TALLEST = 26.0, 420.0


@dataclass(frozen=True, eq=False)
class FragilityMap:
    """Objective (m, n) over the values of `names`: rows are the second, columns the first; NaN was not tried, was given
    up or did not trade. Every other parameter stands where the choice has it (`fixed`); one alone makes one row."""

    names: tuple[str, ...]
    x: tuple[Param, ...]
    y: tuple[Param, ...]
    values: Float64
    worth: Float64
    fixed: Params
    chosen: tuple[int, int]
    peak: tuple[int, int] | None
    given_up: frozenset[tuple[int, int]]
    reach: tuple[tuple[int, int], tuple[int, int]]

    @property
    def largest(self) -> float:
        """The objective that has the full colour; 1 where there is none."""
        return float(np.nanmax(np.abs(self.values), initial=0.0)) or 1.0


def map_of(found: Survey, within: float) -> FragilityMap:
    """The map through the choice, over the two parameters that have the most values."""
    space, here = found.space, found.chosen.point
    axes = sorted(sorted(range(len(space.names)), key=lambda i: -space.shape[i])[:2])
    columns, rows = space.shape[axes[0]], space.shape[axes[1]] if len(axes) > 1 else 1
    values, worth = np.full((rows, columns), np.nan), np.full((rows, columns), np.nan)
    others = [i for i in range(len(here)) if i not in axes]
    lost = (point for point in found.given_up if all(point[i] == here[i] for i in others))
    for point, value, held in zip(found.points.tolist(), found.values, found.worth, strict=True):
        if all(point[i] == here[i] for i in others):
            at = _cell(point, axes)
            values[at], worth[at] = value, held
    peak = found.peak.point
    ends = box(space, here, within)
    return FragilityMap(
        names=tuple(space.names[i] for i in axes),
        x=space.values[axes[0]],
        y=space.values[axes[1]] if len(axes) > 1 else ("",),
        values=values,
        worth=worth,
        fixed={space.names[i]: found.chosen.params[space.names[i]] for i in others},
        chosen=_cell(here, axes),
        given_up=frozenset(_cell(point, axes) for point in lost),
        peak=_cell(peak, axes) if all(peak[i] == here[i] for i in others) else None,
        reach=(ends[axes[0]], ends[axes[1]] if len(axes) > 1 else (0, 0)),
    )


def _cell(point: "tuple[int, ...] | list[int]", axes: list[int]) -> tuple[int, int]:
    return (point[axes[1]] if len(axes) > 1 else 0, point[axes[0]])


def heat_map(found: FragilityMap) -> Markup:
    """Cells from red (loses) to green (earns), the neighbourhood of the choice framed, choice and peak marked."""
    m, n = found.values.shape
    height = min(_TALLEST, _ROW * m)
    row, column = height / m, 100 / n
    cells = [
        _square(found, (i, j), (row, column), found.largest)
        for i in range(m)
        for j in range(n)
        if found.values[i, j] == found.values[i, j]
    ]
    (left, right), (low, high) = found.reach
    frame = Markup('<rect class="reach" x="{:.3f}%" width="{:.3f}%" y="{:.2f}" height="{:.2f}"/>').format(
        left * column, (right - left + 1) * column, (m - 1 - high) * row, (high - low + 1) * row
    )
    marks = [_mark(at, "lost", "×", m, row, column) for at in sorted(found.given_up)]
    marks += [_mark(found.chosen, "chosen", "●", m, row, column)]
    if found.peak is not None and found.peak != found.chosen:
        marks.append(_mark(found.peak, "peak", "▲", m, row, column))
    y, x = found.chosen
    label = f"Objective over {' and '.join(found.names)}; chosen {found.x[x]}{f', {found.y[y]}' if m > 1 else ''}"
    return figure(label, height, *cells, frame, *marks, *_names(found, row, column, height), css="heat")


def _square(found: FragilityMap, at: tuple[int, int], size: tuple[float, float], largest: float) -> Markup:
    (i, j), (row, column), m = at, size, len(found.values)
    value = float(found.values[at])
    shade = 6 + round(84 * abs(value) / largest)
    said = f"{found.names[0]} {found.x[j]}" + (f", {found.names[1]} {found.y[i]}" if len(found.names) > 1 else "")
    return Markup(
        '<rect x="{:.3f}%" width="{:.3f}%" y="{:.2f}" height="{:.2f}" '
        'style="fill:color-mix(in srgb,var(--{}) {}%,var(--card))"><title>{}: {}, neighbourhood {}</title></rect>'
    ).format(
        j * column,
        column * 1.004,
        (m - 1 - i) * row,
        row + 0.3,
        "good" if value >= 0 else "bad",
        shade,
        said,
        plain(value),
        plain(float(found.worth[at])),
    )


def _mark(at: tuple[int, int], css: str, sign: str, m: int, row: float, column: float) -> Markup:
    text = Markup('<text class="mark {}" x="{:.3f}%" y="{:.2f}" dy=".35em" text-anchor="middle">{}</text>')
    return text.format(css, (at[1] + 0.5) * column, (m - 1 - at[0] + 0.5) * row, sign)


def _names(found: FragilityMap, row: float, column: float, height: float) -> list[Markup]:
    """Values along both sides, so many as have room."""
    m, n = found.values.shape
    below = Markup('<text class="tick{}" x="{:.3f}%" y="{:.1f}" text-anchor="middle">{}</text>')
    beside = Markup('<text class="tick" x="-8" y="{:.1f}" dy=".32em" text-anchor="end">{}</text>')
    step, leap = -(-n // _LABELS), max(1, -(-m // max(1, int(height // 18))))
    out = [
        below.format(" spare" if (j // step) % 2 else "", (j + 0.5) * column, height + 18, found.x[j])
        for j in range(0, n, step)
    ]
    return out + [beside.format((m - 1 - i + 0.5) * row, found.y[i]) for i in range(0, m, leap)]


def front_chart(found: Survey) -> Markup:
    """Every candidate that traded: mean growth of the tests against its largest loss; the front is a line of dots."""
    traded = [one for one in found.standings if one.fills]
    best = {int(i) for i in found.front}
    x, y = np.array([one.drawdown for one in traded]), np.array([one.growth for one in traded])
    frame = Frame(0, 260, 0.0, float(x.max()) * 1.05 or 1.0, *span(y, zero=True))
    dots = [_dot(frame, one, "dot") for i, one in enumerate(found.standings) if one.fills and i not in best]
    ahead = [_dot(frame, found.standings[i], "dot best") for i in sorted(best)]
    own = _dot(frame, found.chosen, "dot own")
    zero = Markup('<line class="zero" x1="0" x2="100%" y1="{0:.1f}" y2="{0:.1f}"/>').format(frame.down(0.0))
    label = f"{len(traded)} candidates by growth and loss, {len(best)} on the front"
    axes = (frame.y_axis(lambda v: percent(v, 0)), frame.x_numbers(lambda v: percent(v, 0)))
    return figure(label, 260, *axes, zero, join(dots), join(ahead), own, css="scatter")


def _dot(frame: Frame, one: Standing, css: str) -> Markup:
    said = ", ".join(f"{name} {value}" for name, value in one.params.items())
    return Markup(
        '<circle class="{}" cx="{:.2f}%" cy="{:.1f}" r="{}"><title>{}: {} a year, loss {}</title></circle>'
    ).format(
        css,
        frame.across(one.drawdown),
        frame.down(one.growth),
        3 if css == "dot" else 5,
        said,
        percent(one.growth, 1),
        percent(one.drawdown, 1),
    )
