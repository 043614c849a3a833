"""Pictures of a scorecard: reliability, accuracy by certainty, forecasts over the price, importance, gains."""

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from seakeep.backtest.certainty import Row
from seakeep.backtest.notation import compact, percent, price
from seakeep.backtest.pages.axes import Frame, figure, join, path, span, thin
from seakeep.backtest.scorecard import Against, Bin
from seakeep.core.market import BarFrame, Float64
from seakeep.models.importance import GROUPS, Importance

__all__ = ["certainty_chart", "forecast_chart", "gain_chart", "importance_chart", "reliability_chart"]

_SHOWN = 500
_ROW = 26
_WHISKER = Markup('<line class="whisker" x1="{:.2f}%" x2="{:.2f}%" y1="{:.1f}" y2="{:.1f}"/>')
_BAR = Markup('<rect class="bar {}" x="{:.2f}%" width="{:.2f}%" y="{:.1f}" height="14" rx="2"><title>{}</title></rect>')
_NAME = Markup('<text class="tick name" x="-8" y="{:.1f}" dy=".32em" text-anchor="end">{}</text>')
_DOT = Markup('<circle class="dot" cx="{:.2f}%" cy="{:.1f}" r="{:.1f}"><title>{}</title></circle>')
_ZERO = Markup('<line class="zero" x1="{0:.2f}%" x2="{0:.2f}%" y1="0" y2="{1:.1f}"/>')


def reliability_chart(bins: Sequence[Bin]) -> Markup:
    """Share that came true against the probability said, with 95 % intervals; on the diagonal is right.

    Bins too small for an interval are only shown where there is no other.
    """
    bins = [b for b in bins if np.isfinite(b.low)] or bins
    ends = [(b.said, y) for b in bins for y in (b.came, b.low, b.high) if np.isfinite(y)]
    low, high = span(np.array([x for pair in ends for x in pair] or [0.0, 1.0]), pad=0.12)
    frame = Frame(0, 260, max(low, 0.0), min(high, 1.0), max(low, 0.0), min(high, 1.0))
    edge = np.array([frame.x0, frame.x1])
    most = max((b.n for b in bins), default=1)
    dots = []
    for b in bins:
        if np.isfinite(b.low):
            x = frame.across(b.said)
            top, bottom = (frame.down(float(np.clip(y, frame.y0, frame.y1))) for y in (b.high, b.low))
            dots.append(_WHISKER.format(x, x, top, bottom))
        told = f"said {percent(b.said, 1)}, came true {percent(b.came, 1)} of {b.n:,}"
        dots.append(_DOT.format(frame.across(b.said), frame.down(b.came), 3 + 3 * (b.n / most) ** 0.5, told))
    off = float(np.mean([abs(b.came - b.said) for b in bins])) if bins else float("nan")
    return figure(
        f"Reliability of the probability of a rise in {len(bins)} bins, off by {percent(off, 1)} on average",
        260,
        frame.y_axis(lambda y: percent(y, 0)),
        frame.plot(path(frame.points(edge, edge), "line bench")),
        *dots,
        frame.x_numbers(lambda p: percent(p, 0)),
    )


def certainty_chart(rows: Sequence[Row]) -> Markup:
    """Share right of the opinions at least so far from one half, with its interval if known; dashed is a coin."""
    spoke = [row for row in rows if row.n]
    x = np.array([row.certainty for row in spoke])
    low, right, high = (np.array([getattr(row, key) for row in spoke]) for key in ("low", "accuracy", "high"))
    frame = Frame(0, 260, 0.0, max(float(x.max()), 0.02), *span(low, high, np.array([0.5])))
    known = np.isfinite(low)
    band = np.vstack([frame.points(x[known], low[known]), frame.points(x[known], high[known])[::-1]])
    return figure(
        f"Share right by certainty: {percent(float(right[0]), 1)} of all, {percent(float(right[-1]), 1)} of the surest",
        260,
        frame.y_axis(lambda y: percent(y, 0)),
        frame.plot(
            *([path(band, "area faint s0", closed=True)] if known.any() else []),
            path(frame.points(x, right), "line"),
            path(frame.points(np.array([0.0, frame.x1]), np.full(2, 0.5)), "line bench"),
        ),
        frame.x_numbers(lambda c: f"{c:.3g}", 5),
    )


def forecast_chart(bars: BarFrame, said: Float64, horizon: int) -> Markup:
    """The newest prices, and where the forecasts (n, 2) of `horizon` bars before expected them, with a 90 % band."""
    first = max(horizon, len(bars) - _SHOWN)
    rows = np.arange(first, len(bars))
    mean, std = said[rows - horizon].T
    base, x = bars.close[rows - horizon], bars.known_at[rows].astype(np.float64)
    known = np.isfinite(mean) & np.isfinite(std)
    low, middle, high = (base * np.exp(mean + z * std) for z in (-1.645, 0.0, 1.645))
    frame = Frame(0, 280, x[0], x[-1], *span(bars.close[rows], low, high))
    band = np.vstack([frame.points(x[known], low[known]), frame.points(x[known], high[known])[::-1]])
    kept = thin(bars.close[rows])
    inside = (bars.close[rows] >= low) & (bars.close[rows] <= high)
    held = float(inside[known].mean()) if known.any() else float("nan")
    shapes = [path(band, "area faint s0", closed=True), path(frame.points(x[known], middle[known]), "line thin")]
    return figure(
        f"Price of {bars.symbol}, last {price(float(bars.close[-1]))}, and what was forecast {horizon} bars before; "
        f"the band held {percent(held, 0)} of them",
        280,
        frame.y_axis(compact),
        frame.plot(*(shapes if known.any() else []), path(frame.points(x[kept], bars.close[rows][kept]), "line bench")),
        frame.x_axis(),
    )


def importance_chart(found: Importance) -> Markup:
    """What the loss rises by without each input, largest first, coloured by group; whiskers are two standard errors."""
    order = np.argsort(-found.value)
    reach = 2 * found.error
    ends = np.concatenate([found.value - reach, found.value + reach])
    frame = Frame(0, float(_ROW * len(order)), *span(ends, zero=True), 0, 1)
    parts = []
    for place, j in enumerate(order.tolist()):
        y, value = place * _ROW + _ROW / 2, float(found.value[j])
        a, b = sorted((frame.across(0.0), frame.across(value)))
        told = f"{found.names[j]} ({found.groups[j]}): {percent(value, 2, signed=True)}"
        css = f"s{GROUPS.index(found.groups[j])}"
        parts.append(_BAR.format(css, a, max(b - a, 0.2), y - 7, told) + _NAME.format(y, found.names[j]))
        if reach[j] > 0:
            low, high = (frame.across(value + sign * float(reach[j])) for sign in (-1, 1))
            parts.append(_WHISKER.format(low, high, y, y))
    best = found.names[int(order[0])]
    label = f"Importance of {len(order)} inputs, the first is {best}"
    zero = _ZERO.format(frame.across(0.0), frame.height)
    ticks = frame.x_numbers(lambda v: percent(v, 2 if frame.x1 < 0.02 else 1), 4)
    return figure(label, frame.height, join(parts), zero, ticks, css="costs check")


def gain_chart(against: Sequence[Against]) -> Markup:
    """Share of each naive forecast's loss that is saved, with its interval; left of zero the naive one is better."""
    ends = np.array([[a.gain, a.low, a.high] for a in against]).ravel()
    frame = Frame(0, float(_ROW * len(against)), *span(ends, zero=True), 0, 1)
    parts = []
    for place, a in enumerate(against):
        y = place * _ROW + _ROW / 2
        if np.isfinite(a.low):
            parts.append(_WHISKER.format(frame.across(a.low), frame.across(a.high), y, y))
        told = f"{a.name}: {percent(a.gain, 2, signed=True)}"
        parts.append(_DOT.format(frame.across(a.gain), y, 4, told) + _NAME.format(y, a.name))
    label = "Loss saved against " + ", ".join(f"{a.name} {percent(a.gain, 2, signed=True)}" for a in against)
    zero = _ZERO.format(frame.across(0.0), frame.height)
    return figure(
        label, frame.height, zero, join(parts), frame.x_numbers(lambda v: percent(v, 1), 5), css="costs check"
    )
