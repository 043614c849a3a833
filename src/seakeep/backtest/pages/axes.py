"""What every chart needs: round ticks, time labels, fewer points, and a frame that maps data to the page.

A chart is one fluid `<svg>` of fixed height. Curves live in nested `<svg viewBox preserveAspectRatio="none">` that
stretch with the page; text and marks sit outside them at percentages, so they keep their size on a phone.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from markupsafe import Markup

from seakeep.core.market import Float64, Int64
from seakeep.core.units import DAY_MS, HOUR_MS, MINUTE_MS

__all__ = ["WIDTH", "Frame", "figure", "join", "nice_ticks", "path", "span", "thin", "time_ticks"]

WIDTH = 4000
"""Units across the view box of a plot: integers are then finer than a pixel."""

_POINTS = 1200
_STEPS = tuple(m * MINUTE_MS for m in (1, 2, 5, 10, 15, 30)) + tuple(h * HOUR_MS for h in (1, 2, 3, 6, 12))
_DAYS = tuple(d * DAY_MS for d in (1, 2, 5, 7, 14))
_MONTHS = (1, 2, 3, 6, 12, 24, 60, 120)


def thin(values: Float64, limit: int = _POINTS) -> Int64:
    """Rows (m,) to draw, m <= `limit`, that keep the shape: largest triangle three buckets.

    The first and the last row are always kept. S. Steinarsson, "Downsampling time series for visual representation",
    University of Iceland, 2013.
    """
    n = len(values)
    if n <= limit:
        return np.arange(n)
    edges = np.linspace(1, n - 1, limit - 1).astype(np.int64)
    kept = np.zeros(limit, np.int64)
    kept[-1] = n - 1
    for i in range(limit - 2):
        low, high = edges[i], edges[i + 1]
        after = edges[i + 2] if i + 2 < len(edges) else n
        x, y = (high + after - 1) / 2, values[high:after].mean()
        row, here = kept[i], np.arange(low, high)
        area = (row - x) * (values[low:high] - values[row]) - (row - here) * (y - values[row])
        kept[i + 1] = low + int(np.abs(area).argmax())
    return kept


def nice_ticks(low: float, high: float, count: int = 5) -> Float64:
    """Round numbers inside [low, high], about `count` of them, 1, 2, 2.5 or 5 times a power of ten apart.

    >>> nice_ticks(0.0, 97.0).tolist()
    [0.0, 20.0, 40.0, 60.0, 80.0]
    """
    if not high > low:
        return np.array([low])
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return np.arange(first, last + 1, dtype=np.float64) * step


def time_ticks(start: int, end: int, count: int = 8) -> list[tuple[int, str]]:
    """Stamps at round UTC times in [start, end], at most about `count`, with a short label each.

    >>> time_ticks(1_704_067_200_000, 1_704_067_200_000 + 86_400_000, 4)[1]
    (1704088800000, '06:00')
    """
    step = next((s for s in (*_STEPS, *_DAYS) if (end - start) / s <= count), None)
    if step is None:
        return _month_ticks(start, end, count)
    stamps = range(-(-start // step) * step, end + 1, step)
    return [(ts, _label(ts, step)) for ts in stamps]


def _label(ts: int, step: int) -> str:
    moment = datetime.fromtimestamp(ts / 1000, UTC)
    return f"{moment.day} {moment:%b}" if step >= DAY_MS or ts % DAY_MS == 0 else f"{moment:%H:%M}"


def _month_ticks(start: int, end: int, count: int) -> list[tuple[int, str]]:
    first, last = (datetime.fromtimestamp(ts / 1000, UTC) for ts in (start, end))
    months = (last.year - first.year) * 12 + last.month - first.month
    step = next((m for m in _MONTHS if months / m <= count), _MONTHS[-1])
    ticks = []
    for month in range(-(-(first.year * 12 + first.month - 1) // step) * step, last.year * 12 + last.month, step):
        moment = datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC)
        if first <= moment <= last:
            whole_years = step >= 12 or month % 12 == 0
            ticks.append((int(moment.timestamp() * 1000), f"{moment:%Y}" if whole_years else f"{moment:%b}"))
    return ticks


def span(*series: Float64, zero: bool = False, pad: float = 0.05) -> tuple[float, float]:
    """Range of the finite values of all series, padded on both sides; never of zero width."""
    values = np.concatenate([np.zeros(1 if zero else 0), *[s[np.isfinite(s)] for s in series]])
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    room = (high - low) * pad or abs(high) * pad or 1.0
    return low - room, high + room


@dataclass(frozen=True)
class Frame:
    """A plot of `height` pixels at `top`; data x in [x0, x1] and y in [y0, y1] map to its view box."""

    top: float
    height: float
    x0: float
    x1: float
    y0: float
    y1: float

    def across(self, x: float) -> float:
        """Percent of the width."""
        return 100 * (x - self.x0) / ((self.x1 - self.x0) or 1)

    def down(self, y: float) -> float:
        """Pixels from the top of the chart."""
        return self.top + self.height * (self.y1 - y) / (self.y1 - self.y0)

    def points(self, x: Float64, y: Float64) -> Int64:
        """View-box coordinates (n, 2) as integers; the box is `WIDTH` wide and 10 units a pixel high."""
        across = WIDTH * (x - self.x0) / ((self.x1 - self.x0) or 1)
        down = 10 * self.height * (self.y1 - y) / (self.y1 - self.y0)
        return np.column_stack([across, down]).round().astype(np.int64)

    def plot(self, *shapes: Markup) -> Markup:
        """The stretching box that holds curves."""
        head = Markup('<svg y="{}" width="100%" height="{}" viewBox="0 0 {} {}" preserveAspectRatio="none">')
        return head.format(self.top, self.height, WIDTH, round(10 * self.height)) + join(shapes) + Markup("</svg>")

    def y_axis(self, label: Callable[[float], str], count: int = 5) -> Markup:
        """Grid lines and their labels, left of the plot."""
        grid = Markup('<line class="grid" x1="0" x2="100%" y1="{0:.1f}" y2="{0:.1f}"/>')
        text = Markup('<text class="tick" x="-8" y="{:.1f}" dy=".32em" text-anchor="end">{}</text>')
        ticks = [(self.down(float(y)), label(float(y))) for y in nice_ticks(self.y0, self.y1, count)]
        return join(grid.format(y) + text.format(y, name) for y, name in ticks)

    def x_axis(self) -> Markup:
        """Time labels under the plot; every other one gives way on a narrow page."""
        return self._labels(time_ticks(round(self.x0), round(self.x1)))

    def x_numbers(self, label: Callable[[float], str], count: int = 7) -> Markup:
        """Labels of round numbers under the plot; every other one gives way on a narrow page."""
        return self._labels([(x, label(x)) for x in nice_ticks(self.x0, self.x1, count).tolist()])

    def _labels(self, marks: Sequence[tuple[float, str]]) -> Markup:
        text = Markup('<text class="tick{}" x="{:.2f}%" y="{:.1f}" text-anchor="middle">{}</text>')
        base = self.top + self.height + 18
        return join(
            text.format(" spare" if i % 2 else "", self.across(x), base, name) for i, (x, name) in enumerate(marks)
        )


def join(parts: Iterable[Markup]) -> Markup:
    """Markup after markup."""
    return Markup("").join(parts)


def path(points: Int64, css: str, *, closed: bool = False) -> Markup:
    """A line, or an area, through view-box points (n, 2); a lone point is a dot."""
    points = points.repeat(2, axis=0) if len(points) == 1 else points
    d = "M" + "L".join(f"{x},{y}" for x, y in points.tolist()) + ("Z" if closed else "")
    return Markup('<path class="{}" d="{}"/>').format(css, d)


def figure(label: str, height: float, *parts: Markup, css: str = "") -> Markup:
    """The whole chart, announced to a screen reader by its label."""
    head = Markup('<svg class="chart {}" role="img" aria-label="{}" width="100%" height="{}">')
    return head.format(css, label, height) + join(parts) + Markup("</svg>")
