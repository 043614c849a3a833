"""Charts of a run as inline SVG: pure functions from data to markup, no script, colours from the page's CSS."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from seakeep.backtest.notation import compact, money, percent, price, stamp
from seakeep.backtest.pages.axes import WIDTH, Frame, figure, join, nice_ticks, path, span, thin
from seakeep.core.market import BarFrame, Float64, Int64
from seakeep.core.orders import Side
from seakeep.execution.trips import RoundTrip

__all__ = ["MARKED", "costs_chart", "equity_chart", "exposure_chart", "pnl_chart", "price_chart", "swatch"]

MARKED = 300
"""Round trips marked on a price chart at most, the latest ones."""

_CANDLES = 180
_COLUMNS = 480
_SERIES = 8

Bool = NDArray[np.bool_]


def swatch(j: int) -> str:
    """CSS class of the j-th symbol's colour."""
    return f"s{j % _SERIES}"


def equity_chart(ts: Int64, equity: Float64, benchmark: Float64, loss: Float64) -> Markup:
    """Equity (n,) against buy-and-hold (n,), and the loss from the peak (n,) as a fraction >= 0 below.

    The points drawn are also kept as `data-rows` (ms, equity, benchmark, loss) for a read-out under the pointer.
    """
    x = ts.astype(np.float64)
    top = Frame(0, 240, x[0], x[-1], *span(equity, benchmark))
    deepest = max(float(np.nanmax(loss)), 0.001)
    low = Frame(262, 90, x[0], x[-1], -1.08 * deepest, 0.0)
    kept, other, under = thin(equity), thin(benchmark), thin(loss)
    shade = np.vstack([low.points(x[under], -loss[under]), [[WIDTH, 0], [0, 0]]])
    columns = (ts[kept], equity[kept].round(2), benchmark[kept].round(2), loss[kept].round(5))
    rows = list(zip(*(column.tolist() for column in columns), strict=True))
    label = (
        f"Equity from {money(equity[0])} to {money(equity[-1])}, buy-and-hold to {money(benchmark[-1])}, "
        f"largest drawdown {percent(float(np.nanmax(loss)))}"
    )
    body = figure(
        label,
        352,
        top.y_axis(compact),
        top.plot(
            path(top.points(x[other], benchmark[other]), "line bench"), path(top.points(x[kept], equity[kept]), "line")
        ),
        low.y_axis(lambda y: percent(y, 0 if deepest > 0.05 else 1 if deepest > 0.005 else 2), 3),
        low.plot(path(shade, "under", closed=True)),
        low.x_axis(),
        Markup('<line class="cursor" y1="0" y2="352" x1="-9" x2="-9"/>'),
        css="equity",
    )
    return Markup('<div class="hover" data-rows="{}">{}</div>').format(msgspec.json.encode(rows).decode(), body)


def price_chart(bars: BarFrame, trips: Sequence[RoundTrip], start: int, end: int) -> Markup:
    """Candles of one symbol over [start, end] (UTC ms) with its round trips: a triangle in, a square out.

    Neighbouring bars share a candle where there are many; only the last `MARKED` round trips are marked.
    """
    marked = trips[-MARKED:]
    candles = _candles(bars)
    frame = Frame(0, 260, float(start), float(end), *span(candles.low, candles.high))
    label = f"Price of {bars.symbol} with {len(marked)} round trips; last {price(float(bars.close[-1]))}"
    up = candles.close >= candles.open
    shapes = [shape for rows, css in ((up, "up"), (~up, "down")) for shape in _drawn(frame, candles, rows, css)]
    return figure(
        label,
        260,
        frame.y_axis(lambda y: price(y) if 0 < y < 1e-3 else compact(y)),
        frame.plot(*shapes, *_ties(frame, marked)),
        join(_marks(frame, trip) for trip in marked),
        frame.x_axis(),
        css="price",
    )


class _Candles(NamedTuple):
    """Columns (m,): the time in the middle, the four prices."""

    middle: Float64
    open: Float64
    high: Float64
    low: Float64
    close: Float64


def _candles(bars: BarFrame) -> _Candles:
    """At most `_CANDLES` candles of equally many bars; the last may have fewer."""
    starts = np.arange(0, len(bars), -(-len(bars) // _CANDLES))
    ends = np.append(starts[1:], len(bars)) - 1
    high, low = np.maximum.reduceat(bars.high, starts), np.minimum.reduceat(bars.low, starts)
    middle = (bars.ts[starts] + bars.known_at[ends]) / 2
    return _Candles(middle, bars.open[starts], high, low, bars.close[ends])


def _drawn(frame: Frame, candles: _Candles, rows: Bool, css: str) -> list[Markup]:
    """The candles of these rows: one path for the bodies, one for the wicks."""
    middle, first, high, low, last = (column[rows] for column in candles)
    edges = [frame.points(middle, y).T.tolist() for y in (np.maximum(first, last), np.minimum(first, last), high, low)]
    (x, top), (_, bottom), (_, tip), (_, foot) = edges
    gap = float(np.median(np.diff(candles.middle))) if len(candles.middle) > 1 else frame.x1 - frame.x0
    wide = min(max(4, round(0.32 * WIDTH * gap / ((frame.x1 - frame.x0) or 1))), 60) * 2
    bodies = "".join(
        f"M{m - wide // 2},{a}h{wide}v{max(b - a, 4)}h-{wide}z" for m, a, b in zip(x, top, bottom, strict=True)
    )
    wicks = "".join(f"M{m},{a}V{b}" for m, a, b in zip(x, tip, foot, strict=True))
    shape = Markup('<path class="{} {}" d="{}"/>')
    return [shape.format("body", css, bodies), shape.format("wick", css, wicks)]


def _ties(frame: Frame, trips: Sequence[RoundTrip]) -> list[Markup]:
    """A line from entry to exit of each trip: one path for those that won, one for those that lost."""
    out = []
    for css, chosen in (("tie up", [t for t in trips if t.pnl > 0]), ("tie down", [t for t in trips if t.pnl <= 0])):
        stamps = np.array([[t.entry_ts, t.exit_ts] for t in chosen], np.float64).ravel()
        prices = np.array([[t.entry_price, t.exit_price] for t in chosen], np.float64).ravel()
        ends = frame.points(stamps, prices).reshape(-1, 4).tolist()
        out.append(Markup('<path class="{}" d="{}"/>').format(css, "".join(f"M{a},{b}L{c},{d}" for a, b, c, d in ends)))
    return out


def _marks(frame: Frame, trip: RoundTrip) -> Markup:
    mark = Markup('<use href="#{}" class="{}" x="{:.2f}%" y="{:.1f}"><title>{}</title></use>')
    long = trip.side is Side.BUY
    entry = f"{'long' if long else 'short'} {trip.qty:f} at {price(float(trip.entry_price))}, {stamp(trip.entry_ts)}"
    leave = f"out at {price(float(trip.exit_price))}, {stamp(trip.exit_ts)}: {money(float(trip.pnl), signed=True)}"
    return mark.format(
        "mark-long" if long else "mark-short",
        "entry",
        frame.across(trip.entry_ts),
        frame.down(float(trip.entry_price)),
        f"{entry} ({percent(trip.ret, signed=True)})",
    ) + mark.format(
        "mark-exit",
        "win" if trip.pnl > 0 else "loss",
        frame.across(trip.exit_ts),
        frame.down(float(trip.exit_price)),
        f"{leave} ({percent(trip.ret, signed=True)})",
    )


def exposure_chart(ts: Int64, exposure: Float64, symbols: Sequence[str]) -> Markup:
    """Signed weights (n, k) stacked over time: long above zero, short below; many rows are averaged in columns."""
    starts = np.arange(0, len(ts), -(-len(ts) // _COLUMNS))
    counts = np.diff(np.append(starts, len(ts)))
    weights = np.add.reduceat(exposure, starts, axis=0) / counts[:, None]
    sides = (np.maximum(weights, 0.0), np.minimum(weights, 0.0))
    long, short = (side.cumsum(axis=1) for side in sides)
    low, high = span(long[:, -1], short[:, -1], zero=True)
    frame = Frame(0, 180, float(ts[0]), float(ts[-1]), low if short.any() else 0.0, high)
    edges = ts[starts].astype(np.float64)
    edges[-1] = ts[-1]
    shapes = [
        _band(frame, edges, stack[:, j - 1] if j else np.zeros(len(starts)), stack[:, j], f"area {swatch(j)}", symbol)
        for side, stack in zip(sides, (long, short), strict=True)
        for j, symbol in enumerate(symbols)
        if side[:, j].any()
    ]
    average = percent(float(np.abs(exposure).sum(axis=1).mean()), 1)
    label = f"Exposure by symbol over time, {average} of equity on average"
    return figure(
        label,
        180,
        frame.y_axis(lambda y: percent(y, 0 if high - low > 0.08 else 1), 4),
        frame.plot(*shapes),
        frame.x_axis(),
    )


def _band(frame: Frame, x: Float64, base: Float64, edge: Float64, css: str, name: str) -> Markup:
    outline = np.vstack([frame.points(x, edge), frame.points(x, base)[::-1]])
    return Markup("<g><title>{}</title>{}</g>").format(name, path(outline, css, closed=True))


def costs_chart(gross: float, parts: Sequence[tuple[str, float]], quote: str) -> Markup:
    """From the profit before costs, one step for each cost (positive: paid), to what was left; in quote units."""
    steps, level = [("Before costs", 0.0, gross, "level")], gross
    for name, cost in parts:
        steps.append((name, level, level - cost, "down" if cost > 0 else "up"))
        level -= cost
    steps.append(("Net profit", 0.0, level, "level"))
    low, high = span(np.array([edge for _, a, b, _ in steps for edge in (a, b)]), zero=True)
    frame = Frame(0, 34.0 * len(steps), low, high, 0, 1)
    bar = Markup(
        '<rect class="bar {}" x="{:.2f}%" width="{:.2f}%" y="{}" height="20" rx="2"><title>{}</title></rect>'
        '<text class="tick name" x="-8" y="{}" dy=".32em" text-anchor="end">{}</text>'
        '<text class="value" x="100%" dx="8" y="{}" dy=".32em">{}</text>'
    )
    rows = []
    for i, (name, start, end, css) in enumerate(steps):
        left, wide = frame.across(min(start, end)), max(abs(frame.across(end) - frame.across(start)), 0.2)
        amount = money(end - start, signed=True)
        y = 34 * i + 17
        rows.append(bar.format(css, left, wide, y - 10, f"{name}: {amount} {quote}", y, name, y, amount))
    zero = Markup('<line class="zero" x1="{0:.2f}%" x2="{0:.2f}%" y1="0" y2="{1}"/>').format(
        frame.across(0.0), frame.height
    )
    return figure(
        f"Profit before costs {money(gross)}, after {money(level)} {quote}", frame.height, *rows, zero, css="costs"
    )


def pnl_chart(pnl: Float64, quote: str) -> Markup:
    """How many round trips (n,) ended with which profit; zero is always an edge between two bars."""
    edges = _edges(pnl)
    counts = np.histogram(pnl, edges)[0]
    frame = Frame(0, 180, edges[0], edges[-1], 0, counts.max() * 1.08)
    bar = Markup('<rect class="bar {}" x="{:.3f}%" width="{:.3f}%" y="{:.1f}" height="{:.1f}"><title>{}</title></rect>')
    rows = [
        bar.format(
            "up" if low >= 0 else "down",
            frame.across(low) + 0.1,
            100 / len(counts) - 0.2,
            frame.down(count),
            180 - frame.down(count),
            f"{count} between {money(low)} and {money(high)} {quote}",
        )
        for low, high, count in zip(edges[:-1].tolist(), edges[1:].tolist(), counts.tolist(), strict=True)
        if count
    ]
    label = f"Profit of {len(pnl)} round trips, from {money(float(pnl.min()))} to {money(float(pnl.max()))} {quote}"
    counted = frame.y_axis(lambda y: compact(y) if y == round(y) else "", 4)
    return figure(label, 180, counted, *rows, frame.x_numbers(compact))


def _edges(pnl: Float64) -> Float64:
    """Round histogram edges (m,), multiples of one step, at most 40 bars: wide tails share the outermost scale."""
    low, high = float(min(pnl.min(), 0.0)), float(max(pnl.max(), 0.0))
    bars = int(np.clip(2 * np.sqrt(len(pnl)), 6, 32))
    ticks = nice_ticks(low, high if high > low else low + 1.0, bars)
    step = ticks[1] - ticks[0] if len(ticks) > 1 else 1.0
    return np.arange(np.floor(low / step), np.floor(high / step) + 2) * step
