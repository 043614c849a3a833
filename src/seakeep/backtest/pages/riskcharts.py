"""Charts of a book's risk as inline SVG: fan, loss histogram, components, exceedances, survival, volatility.

Pure functions from findings to markup, on the same axes as the charts of a run.
"""

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from seakeep.backtest.notation import compact, day, money, percent
from seakeep.backtest.pages.axes import WIDTH, Frame, figure, path, span, thin
from seakeep.backtest.pages.charts import swatch
from seakeep.core.market import Float64, Int64
from seakeep.montecarlo.summary import Fan
from seakeep.risk.ruin import Survival
from seakeep.stats.components import Components

__all__ = ["components_chart", "exceedance_chart", "fan_chart", "loss_chart", "survival_chart", "volatility_chart"]

_BANDS = ((1, 99), (5, 95), (10, 90), (25, 75))


def _share(value: float) -> str:
    return percent(value, 0 if abs(value) >= 0.1 or value == 0 else 1)


def fan_chart(fan: Fan, days: float, stop: float) -> Markup:
    """Where the value may be after each step, as gain or loss of the start: bands of percentiles and the median.

    `days` is the length of the whole fan; `stop` a loss (a fraction of the start) drawn as a line.
    """
    gains = np.vstack([np.zeros(len(fan.percentiles)), fan.values - 1])
    x = np.append(0.0, np.array(fan.steps) * days / fan.steps[-1])
    column = {p: gains[:, i] for i, p in enumerate(fan.percentiles)}
    frame = Frame(0, 260, 0.0, float(x[-1]), *span(gains))
    shapes = [
        path(np.vstack([frame.points(x, column[low]), frame.points(x, column[high])[::-1]]), "band", closed=True)
        for low, high in _BANDS
    ]
    lines = [_level(frame, 0.0, "zero"), *([_level(frame, -stop, "stop")] if frame.y0 < -stop else [])]
    label = (
        f"After {days:g} days: median {percent(column[50][-1], signed=True)}, 5 in 100 below "
        f"{percent(column[5][-1], signed=True)}, 5 in 100 above {percent(column[95][-1], signed=True)}"
    )
    return figure(
        label,
        260,
        frame.y_axis(_share),
        frame.plot(*shapes, path(frame.points(x, column[50]), "line")),
        *lines,
        frame.x_numbers(compact),
    )


def _level(frame: Frame, y: float, css: str) -> Markup:
    line = Markup('<line class="{0}" x1="0" x2="100%" y1="{1:.1f}" y2="{1:.1f}"/>')
    return line.format(css, frame.down(y))


def loss_chart(edges: Float64, counts: Int64, marks: Sequence[tuple[str, float]]) -> Markup:
    """How many paths end with which gain; `marks` are losses (positive fractions) to be named, VaR and CVaR.

    The first and the last bar hold what lies beyond them too.
    """
    frame = Frame(38, 202, float(edges[0]), float(edges[-1]), 0, float(counts.max()) * 1.06)
    bar = Markup('<rect class="bar {}" x="{:.3f}%" width="{:.3f}%" y="{:.1f}" height="{:.1f}"><title>{}</title></rect>')
    total, tail = int(counts.sum()), min(loss for _, loss in marks)
    rows = [
        bar.format(
            "down" if low < -tail else "tail" if low < 0 else "up",
            frame.across(low) + 0.06,
            frame.across(high) - frame.across(low) - 0.12,
            frame.down(count),
            frame.top + frame.height - frame.down(count),
            f"{percent(count / total, 1)} of paths between {percent(low, 1)} and {percent(high, 1)}",
        )
        for low, high, count in zip(edges[:-1].tolist(), edges[1:].tolist(), counts.tolist(), strict=True)
        if count
    ]
    said = ", ".join(f"{name} {percent(loss)}" for name, loss in marks)
    order = sorted((loss for _, loss in marks), reverse=True)
    named = [_mark(frame, name, loss, order.index(loss)) for name, loss in marks if frame.x0 <= -loss <= frame.x1]
    return figure(f"Gain or loss of {total:,} paths; {said}", 240, *rows, *named, frame.x_numbers(_share), css="losses")


def _mark(frame: Frame, name: str, loss: float, row: int) -> Markup:
    """A line at the loss, named to its right: the furthest out is named above the others."""
    mark = Markup(
        '<line class="mark" x1="{0:.2f}%" x2="{0:.2f}%" y1="{1}" y2="{2:.0f}"/>'
        '<text class="value" x="{0:.2f}%" dx="6" y="{3}">{4} {5}</text>'
    )
    bottom = frame.top + frame.height
    return mark.format(frame.across(-loss), 3 + 15 * row, bottom, 13 + 15 * row, name, percent(loss, 1))


def components_chart(found: Components, symbols: Sequence[str]) -> Markup:
    """What each position adds to CVaR, with its error; a hedge takes away and points left."""
    parts, errors = found.cvar_component, found.cvar_error
    held = [i for i in np.argsort(-parts) if found.weights[i]]
    low, high = span(parts[held] - errors[held], parts[held] + errors[held], zero=True)
    frame = Frame(0, 34.0 * len(held), min(low, 0.0), high, 0, 1)
    bar = Markup(
        '<rect class="bar {}" x="{:.2f}%" width="{:.2f}%" y="{}" height="18" rx="2"><title>{}</title></rect>'
        '<line class="whisker" x1="{:.2f}%" x2="{:.2f}%" y1="{y}" y2="{y}"/>'
        '<text class="tick name" x="-8" y="{y}" dy=".32em" text-anchor="end">{}</text>'
        '<text class="value" x="100%" dx="8" y="{y}" dy=".32em">{}</text>'
    )
    rows = []
    for row, i in enumerate(held):
        part, error, y = float(parts[i]), float(errors[i]), 34 * row + 17
        left, wide = frame.across(min(part, 0.0)), abs(frame.across(part) - frame.across(0.0))
        said = (
            f"{symbols[i]} adds {percent(part)} ± {percent(error)} to CVaR, {percent(part / found.cvar.value, 1)} of it"
        )
        ends = (frame.across(part - error), frame.across(part + error))
        css = "down" if part > 0 else "up"
        rows.append(bar.format(css, left, max(wide, 0.2), y - 9, said, *ends, symbols[i], percent(part), y=y))
    zero = Markup('<line class="zero" x1="{0:.2f}%" x2="{0:.2f}%" y1="0" y2="{1}"/>')
    label = f"CVaR {percent(found.cvar.value)} by position, largest first: " + ", ".join(symbols[i] for i in held)
    return figure(label, frame.height, *rows, zero.format(frame.across(0.0), frame.height), css="costs")


def exceedance_chart(ts: Int64, returns: Float64, var: Float64, failed: Int64, what: str) -> Markup:
    """Returns (n,) of each bar, the loss foreseen for it (n,), and the rows that were worse."""
    x = ts.astype(np.float64)
    frame = Frame(0, 240, x[0], x[-1], *span(returns, -var))
    kept = thin(var)
    base = frame.points(x, np.zeros(len(x)))[:, 1]
    spikes = zip(frame.points(x, returns).tolist(), base.tolist(), strict=True)
    stems = Markup('<path class="stem" d="{}"/>').format("".join(f"M{a},{z}V{b}" for (a, b), z in spikes))
    dot = Markup('<circle class="hit" cx="{:.2f}%" cy="{:.1f}" r="3"><title>{}</title></circle>')
    dots = [
        dot.format(
            frame.across(x[row]),
            frame.down(float(returns[row])),
            f"{day(int(ts[row]))}: {percent(float(returns[row]))} against {percent(-float(var[row]))} foreseen",
        )
        for row in failed.tolist()
    ]
    label = f"{len(failed)} of {len(ts):,} losses beyond the {what} foreseen the bar before"
    lines = frame.plot(stems, path(frame.points(x[kept], -var[kept]), "line foreseen"))
    return figure(label, 240, frame.y_axis(_share), lines, *dots, frame.x_axis())


def survival_chart(curves: Survival, per_day: int, unit: str) -> Markup:
    """Probability of still being above the floor over time, a curve for each capital with its interval."""
    x = np.append(0.0, curves.periods / per_day)
    whole = np.ones((len(curves.capitals), 1))
    value, low, high = (np.hstack([whole, part]) for part in (curves.value, curves.low, curves.high))
    frame = Frame(0, 240, 0.0, float(x[-1]), max(0.0, float(low.min()) - 0.02), 1.0)
    shapes = []
    for j, capital in enumerate(curves.capitals):
        area = np.vstack([frame.points(x, low[j]), frame.points(x, high[j])[::-1]])
        name = Markup("<g><title>{} {}</title>{}{}</g>")
        line = path(frame.points(x, value[j]), f"line {swatch(j)}")
        shapes.append(
            name.format(money(float(capital)), unit, path(area, f"area faint {swatch(j)}", closed=True), line)
        )
    last = f"{x[-1]:g} days"
    said = ", ".join(f"{money(c)}: {percent(v, 1)}" for c, v in zip(curves.capitals, value[:, -1], strict=True))
    label = f"Survival to {last} by capital in {unit}, {said}"
    return figure(label, 240, frame.y_axis(_share), frame.plot(*shapes), frame.x_numbers(compact))


def volatility_chart(ts: Int64, path_a_year: Float64, model: str) -> Markup:
    """Volatility a year (n,) of each bar, as the model saw it before the bar."""
    x, low, high = ts.astype(np.float64), 0.0, span(path_a_year)[1]
    frame, kept = Frame(0, 200, x[0], x[-1], low, high), thin(path_a_year)
    points = frame.points(x[kept], path_a_year[kept])
    shade = np.vstack([points, [[WIDTH, 2000], [0, 2000]]])
    label = f"Volatility a year by {model}, from {percent(path_a_year.min(), 0)} to {percent(path_a_year.max(), 0)}"
    shapes = frame.plot(path(shade, "band", closed=True), path(points, "line"))
    return figure(label, 200, frame.y_axis(_share), shapes, frame.x_axis())
